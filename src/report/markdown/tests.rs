//! What a reader of Markdown makes of the report: nothing but the structure that was meant, and every name as text.

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::*;
use crate::report::example::{self, hostile, hostile_names, report};
use crate::report::text::is_hidden;
use crate::triage::SinceBaseline;

fn markdown(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What is read.
#[derive(Debug, Default)]
struct Seen {
    /// Rows of the table, its head first.
    rows: Vec<Vec<String>>,
    /// Everything that stands in no table.
    prose: String,
}

/// Reads with every extension, so that what has a meaning anywhere is found.
fn read(text: &str) -> Seen {
    let mut seen = Seen::default();
    let mut cell: Option<String> = None;
    let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => seen.rows.push(Vec::new()),
            Event::Start(Tag::TableCell) => cell = Some(String::new()),
            Event::End(TagEnd::TableCell) => {
                seen.rows.last_mut().unwrap().push(cell.take().unwrap());
            }
            Event::Text(said) => {
                // What calls somebody, or becomes a link, where Markdown alone has no meaning for it.
                for sign in [
                    "@", "#", "//", "www.", "<", ">", "&", "[", "]", "*", "_", "`", "~", "|", "\\",
                    "$", "=",
                ] {
                    assert!(!said.contains(sign), "{sign} in {said}");
                }
                cell.as_mut().unwrap_or(&mut seen.prose).push_str(&said);
            }
            Event::Code(said) => cell.as_mut().unwrap_or(&mut seen.prose).push_str(&said),
            Event::SoftBreak
            | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::Heading(_)) => {
                seen.prose.push('\n');
            }
            Event::Start(
                Tag::Heading { .. }
                | Tag::Paragraph
                | Tag::Strong
                | Tag::List(None)
                | Tag::Item
                | Tag::Table(_),
            )
            | Event::End(_) => {}
            other => panic!("{other:?} in {text}"),
        }
    }
    seen
}

fn solid(text: &str) -> String {
    text.replace(' ', "")
}

fn shown(text: &str) -> String {
    solid(&shorten(&sanitise(text), MOST_COLUMNS))
}

fn assert_told(report: &Report) {
    let text = markdown(report);
    assert!(!text.chars().any(|one| one != '\n' && is_hidden(one)));
    let seen = read(&text);
    let open: Vec<&Triaged> = report.open().collect();
    if open.is_empty() {
        assert!(seen.rows.is_empty());
        return;
    }
    let width = if report.since.is_some() { 6 } else { 5 };
    assert!(seen.rows.iter().all(|row| row.len() == width), "{text}");
    assert_eq!(seen.rows.len(), 1 + open.len().min(MOST_ROWS));
    for (row, finding) in seen.rows.iter().skip(1).zip(open) {
        let [.., title, account, region, id] = &row[..] else {
            panic!("{row:?}");
        };
        assert_eq!(row[0], finding.severity.as_str());
        assert_eq!(solid(title), shown(&finding.title));
        assert_eq!(account, finding.account.as_str());
        assert_eq!(solid(region), shown(&finding.region));
        assert_eq!(solid(id), shown(&finding.id));
    }
    let missing = report.coverage.gaps.iter();
    for missing in missing.filter(|missing| missing.gap.effect == GapEffect::MayHide) {
        assert!(solid(&seen.prose).contains(&shown(&missing.gap.error)));
    }
}

#[test]
fn a_report_for_a_pull_request() {
    insta::assert_snapshot!(markdown(&report()));
    assert_told(&report());
}

#[test]
fn a_report_with_nothing_to_tell_says_so() {
    assert_eq!(
        markdown(&example::clean()),
        "## patscan: 0 findings\n\nScanned:\n\n- account `111122223333` (`acme-prod`) at 2026-01-31T07:58:12Z\n\n"
    );
    let mut nothing = example::clean();
    nothing.accounts.clear();
    assert_eq!(
        markdown(&nothing),
        "## patscan: 0 findings\n\n**Nothing was scanned.**\n\n"
    );
}

#[test]
fn what_is_not_in_the_table_is_counted() {
    let mut report = report();
    report.coverage = crate::report::Coverage::default();
    report.rules_off = vec!["name-pattern", "shared-role"];
    report.findings[0].status = Status::Waived;
    report.findings[1].audience = Audience::Auditor;
    report.findings[2].change = Change::Changed;
    report.findings[3].change = Change::Unchanged;
    report.since = Some(SinceBaseline {
        made_at: "2026-01-30T08:00:00Z".to_owned(),
        gone: Vec::new(),
        not_covered: Vec::new(),
    });
    assert_told(&report);
    let prose = read(&markdown(&report)).prose;
    for line in [
        "patscan: 4 findings\n",
        "2 medium, 1 low, 1 info.\n",
        "Since the report of 2026-01-30T08:00:00Z: 2 new, 1 changed, 1 unchanged, 0 gone.\n",
        "Not in the table: 1 waived finding, 1 finding that only AWS can act on, 2 rules switched off.\n",
    ] {
        assert!(prose.contains(line), "{prose}");
    }
}

#[test]
fn fifty_findings_are_shown_and_the_others_counted() {
    let mut report = report();
    report.findings = report.findings.iter().cycle().take(60).cloned().collect();
    assert_told(&report);
    let prose = read(&markdown(&report)).prose;
    assert!(
        prose.contains("\nand 10 more; -f json has them all\n"),
        "{prose}"
    );
    report.findings.truncate(50);
    assert!(!read(&markdown(&report)).prose.contains(" more;"));
}

#[test]
fn words_that_mean_something_to_a_reader_become_code() {
    for (raw, shown) in [
        (
            "role orders-worker can (perhaps) send.",
            "role orders-worker can (perhaps) send.",
        ),
        ("the action sqs:* here", "the action `sqs:*` here"),
        ("@everyone", "`@everyone`"),
        (
            "#12 GH-12 gh-7 high-water",
            "`#12` `GH-12` `gh-7` high-water",
        ),
        (
            "https://evil.example/ www.evil.example",
            "`https://evil.example/` `www.evil.example`",
        ),
        ("[a](b) ![c](d)", "`[a](b)` `![c](d)`"),
        ("<img onerror=x>", "`<img` `onerror=x>`"),
        ("a|b", r"`a\|b`"),
        ("a``b`", "``` a``b` ```"),
        ("deadbeef1", "`deadbeef1`"),
        (":tada: a:b", "`:tada:` `a:b`"),
        ("a\u{1b}[2Jb", r"`a\u{1b}[2Jb`"),
    ] {
        assert_eq!(in_cell(&sentence(raw)), shown);
    }
}

#[test]
fn hostile_names_stay_text() {
    assert_told(&hostile(&hostile_names()));
    for name in hostile_names() {
        assert_told(&hostile(&[name]));
    }
    for name in [
        "`",
        "``` a",
        "|",
        r"\|",
        r"\\|",
        "a\\",
        "` |",
        "<img onerror=x>",
        "</script>",
        "&lt;",
        "- x",
        "# x",
        "1. x",
        "**",
        "---",
    ] {
        assert_told(&hostile(&[name.to_owned()]));
        assert_told(&hostile(&[name.to_owned(), "x".repeat(600)]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_text_stays_text(texts in proptest::collection::vec(any::<String>(), 1..24)) {
        assert_told(&hostile(&texts));
    }

    #[test]
    fn any_markup_stays_text(texts in proptest::collection::vec(r"[|`\\*_<>@#\[\]()!&;:/~$^=+ a1.-]{1,24}", 1..24)) {
        assert_told(&hostile(&texts));
    }
}
