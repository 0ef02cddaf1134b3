//! What a browser is given: the data reads back as the report, the policy names exactly what stands in the page, and no text from
//! outside becomes markup. What a browser makes of it is tested with one, in `tests/cli/page.rs`.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::finding::Severity;
use crate::report::example::{self, clean, hostile, hostile_names, report};
use crate::report::text::is_hidden;
use crate::triage::{Audience, Cause, Status};

fn page(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What stands between a beginning and the next end after it.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("{start}"));
    rest.split_once(end).unwrap().0
}

fn data(page: &str, id: &str) -> Value {
    let start = format!("<script id=\"{id}\" type=\"application/json\">");
    serde_json::from_str(between(page, &start, "</script>")).unwrap()
}

fn text<'v>(list: &'v Value, place: &Value) -> &'v str {
    list[usize::try_from(place.as_u64().unwrap()).unwrap()]
        .as_str()
        .unwrap()
}

#[test]
fn the_data_reads_back_as_the_report() {
    let report = report();
    let page = page(&report);
    let (index, piece) = (data(&page, "data"), data(&page, "piece-0"));
    assert_eq!(index["id"].as_array().unwrap().len(), report.findings.len());
    for (place, finding) in report.findings.iter().enumerate() {
        assert_eq!(index["id"][place], finding.id);
        assert_eq!(index["title"][place], finding.title);
        let severity = text(&index["severities"], &index["severity"][place]);
        assert_eq!(severity, finding.severity.as_str());
        let rule = index["rule"][place].as_u64().unwrap();
        assert_eq!(
            index["rules"][usize::try_from(rule).unwrap()][0],
            finding.rule
        );
        let rest = &piece["findings"][place];
        assert_eq!(text(&piece["texts"], &rest["detail"]), finding.detail);
        assert_eq!(text(&piece["texts"], &rest["remedy"]), finding.remedy);
        let name = |place: &Value| {
            let names = &index["names"];
            let place = usize::try_from(place.as_u64().unwrap()).unwrap();
            let beginning = text(&names["beginnings"], &names["beginning"][place]);
            format!("{beginning}{}", names["end"][place].as_str().unwrap())
        };
        let resources = rest["resources"].as_array().unwrap();
        let resources: Vec<String> = resources.iter().map(|one| name(&one[1])).collect();
        let wanted = finding.resources.iter().map(|one| &*one.entity.arn);
        assert!(resources.iter().eq(wanted), "{resources:?}");
        let mut rights = Vec::new();
        for statement in rest["statements"].as_array().unwrap() {
            for gives in statement["gives"].as_array().unwrap() {
                for resource in gives[1].as_array().unwrap() {
                    rights.push((
                        text(&piece["texts"], &gives[0]).to_owned(),
                        name(resource),
                        name(&statement["policy"]),
                    ));
                }
            }
        }
        let mut wanted: Vec<_> = finding
            .evidence
            .iter()
            .map(|one| {
                (
                    one.capability.to_string(),
                    one.resource.to_string(),
                    one.policy.to_string(),
                )
            })
            .collect();
        rights.sort();
        wanted.sort();
        assert_eq!(rights, wanted);
        for found_by in index["found_by"][place].as_array().unwrap() {
            assert!(!name(found_by).is_empty());
        }
    }
}

#[test]
fn findings_are_found_again_in_their_pieces() {
    let mut report = report();
    let one = report.findings[0].clone();
    report.findings = (0..450)
        .map(|number| {
            let mut finding = one.clone();
            finding.finding.detail = format!("detail {number}");
            finding
        })
        .collect();
    let page = page(&report);
    let size = data(&page, "data")["piece"].as_u64().unwrap();
    let size = usize::try_from(size).unwrap();
    for number in [0, 199, 200, 449] {
        let piece = data(&page, &format!("piece-{}", number / size));
        let rest = &piece["findings"][number % size];
        assert_eq!(
            text(&piece["texts"], &rest["detail"]),
            format!("detail {number}")
        );
    }
    assert!(!page.contains("piece-3\""));
}

#[test]
fn the_policy_allows_what_stands_in_the_page_and_nothing_else() {
    let page = page(&report());
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\">");
    let style = between(&page, "<style>", "</style>");
    let script = between(&page, "<script>", "</script>");
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
            source_hash(style),
            source_hash(script)
        )
    );
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("<style>").count(), 1);
    for sink in [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
    ] {
        assert!(!script.contains(sink), "{sink}");
    }
    // Markup of our own has no handlers and no styles of its own, which the policy would refuse.
    let markup = page.replace(script, "").replace(style, "");
    for refused in [
        " style=",
        " onclick=",
        " src=",
        "<link",
        "<iframe",
        "javascript:",
    ] {
        assert!(!markup.contains(refused), "{refused}");
    }
}

#[test]
fn what_is_incomplete_says_so_before_anything_else() {
    let incomplete = page(&report());
    let alarm = incomplete
        .find("<b>Incomplete.</b> 3 reads failed")
        .unwrap();
    assert!(alarm < incomplete.find("class=\"tiles\"").unwrap());
    assert!(incomplete.contains("at least 6 findings open"));
    assert!(incomplete.contains("<td>sqs:GetQueueAttributes</td>"));
    let complete = page(&clean());
    assert!(!complete.contains("Incomplete"));
    assert!(complete.contains("0 findings open"));
    let mut nothing = clean();
    nothing.accounts.clear();
    assert!(page(&nothing).contains("Nothing was scanned."));
}

#[test]
fn what_is_accepted_and_what_only_aws_can_mend_is_counted_apart() {
    let mut report = report();
    report.findings[0].status = Status::Waived;
    report.findings[1].audience = Audience::Auditor;
    let page = page(&report);
    assert!(
        page.contains(
            "at least 4 findings open · 1 accepted by waivers · 1 that only AWS can act on"
        )
    );
    let index = data(&page, "data");
    assert_eq!(index["state"].to_string(), "[1,2,0,0,0,0]");
    assert_eq!(report.findings[0].severity, Severity::Critical);
    assert!(page.contains("<b>0</b> critical"));
}

#[test]
fn causes_come_with_their_findings() {
    let mut report = report();
    report.causes = vec![Cause {
        policy: "arn:aws:iam::111122223333:policy/Wide".into(),
        statement: "<Sid>".into(),
        findings: vec![1, 2],
        principals: 3,
        most_queues: 7,
    }];
    let page = page(&report);
    let index = data(&page, "data");
    assert_eq!(index["cause"].to_string(), "[-1,0,0,-1,-1,-1]");
    assert!(page.contains("<b>policy Wide</b> statement &lt;Sid&gt;"));
    assert!(page.contains("2 findings: 1 high, 1 medium; 3 principals, up to 7 queues"));
}

#[test]
fn large_numbers_are_grouped() {
    let told = [0, 12, 999, 1_000, 45_000, 1_234_567].map(grouped);
    assert_eq!(told, ["0", "12", "999", "1,000", "45,000", "1,234,567"]);
}

#[test]
fn the_same_report_gives_the_same_page() {
    assert_eq!(page(&report()), page(&report()));
}

/// Elements of the page, as their names; of a page that nothing broke out of they do not depend on the texts.
fn elements(page: &str) -> Vec<&str> {
    let (style, script) = (
        between(page, "<style>", "</style>"),
        between(page, "<script>", "</script>"),
    );
    let without = page.split(style).flat_map(|part| part.split(script));
    without
        .flat_map(|part| part.split('<').skip(1))
        .map(|rest| {
            rest.split(|one: char| one.is_whitespace() || one == '>')
                .next()
                .unwrap()
        })
        .collect()
}

fn assert_inert(texts: &[String]) {
    let page = page(&hostile(texts));
    let plain = self::page(&hostile(&["x".to_owned()]));
    let count = |page: &str, name: &str| elements(page).iter().filter(|one| **one == name).count();
    for name in [
        "script", "/script", "img", "svg", "a", "b", "iframe", "style", "template", "td", "li",
        "input",
    ] {
        assert_eq!(
            count(&page, name),
            count(&plain, name),
            "{name} with {texts:?}"
        );
    }
    let hidden = page.chars().find(|one| is_hidden(*one) && *one != '\n');
    assert_eq!(hidden, None);
    let index = data(&page, "data");
    assert_eq!(
        index["id"].as_array().unwrap().len(),
        example::report().findings.len()
    );
}

#[test]
fn markup_and_hidden_characters_stay_text() {
    let mut names = hostile_names();
    names.extend(
        [
            "<img src=x onerror=alert(1)>",
            "</script><script>alert(1)</script>",
            "\"><svg onload=alert(1)>",
            "<!--<script>",
            "]]>",
            "'-alert(1)-'",
            "&lt;b&gt;",
            "</template><b>",
        ]
        .map(str::to_owned),
    );
    assert_inert(&names);
    for name in names {
        assert_inert(&[name]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_becomes_markup(texts in proptest::collection::vec(r#"[<>&"'/!a-z=\-\x00-\x20\u{202e}\u{2028}]{0,24}|.{0,12}"#, 1..6)) {
        assert_inert(&texts);
    }
}
