//! The XML by the schema that Jenkins publishes, and read back by another parser than the one that wrote it.
//!
//! `junit-10.xsd` is the schema of the xUnit plugin of Jenkins (MIT, <https://github.com/jenkinsci/xunit-plugin>), as pytest 8.3.5
//! ships it for its own tests.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uppsala::{Document, XsdValidator, parse};

use super::*;
use crate::report::example::{self, hostile, hostile_names, report};
use crate::report::text::is_hidden;
use crate::triage::{Audience, Standing, WaivedBy};

const SCHEMA: &str = include_str!("junit-10.xsd");

fn xml(report: &Report) -> String {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn violations(xml: &str) -> Vec<String> {
    let schema = parse(SCHEMA).unwrap();
    let validator = XsdValidator::from_schema(&schema).unwrap();
    let errors = validator.validate(&parse(xml).unwrap());
    errors.iter().map(ToString::to_string).collect()
}

/// A case as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    suite: String,
    class: String,
    name: String,
    /// `passed`, or the element that says otherwise.
    outcome: String,
    message: String,
    text: String,
}

fn attribute(document: &Document<'_>, node: uppsala::NodeId, name: &str) -> String {
    let element = document.element(node).unwrap();
    element.get_attribute(name).unwrap_or_default().to_owned()
}

fn elements(document: &Document<'_>, node: uppsala::NodeId, name: &str) -> Vec<uppsala::NodeId> {
    let named = |child: &uppsala::NodeId| {
        document
            .element(*child)
            .is_some_and(|element| element.name.local_name == name)
    };
    document.children(node).into_iter().filter(named).collect()
}

/// Every case; the numbers of each suite are checked on the way.
fn seen(report: &Report) -> Vec<Seen> {
    let xml = xml(report);
    assert_eq!(violations(&xml), Vec::<String>::new(), "{xml}");
    assert!(!xml.chars().any(|one| one != '\n' && is_hidden(one)));
    let document = parse(&xml).unwrap();
    let root = document.document_element().unwrap();
    let mut all = Vec::new();
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for suite in elements(&document, root, "testsuite") {
        let mut cases = Vec::new();
        for case in elements(&document, suite, "testcase") {
            let mut one = Seen {
                suite: attribute(&document, suite, "name"),
                class: attribute(&document, case, "classname"),
                name: attribute(&document, case, "name"),
                outcome: "passed".to_owned(),
                message: String::new(),
                text: String::new(),
            };
            for outcome in ["failure", "error", "skipped"] {
                for node in elements(&document, case, outcome) {
                    assert_eq!(one.outcome, "passed", "a case comes to one thing");
                    one.outcome = outcome.to_owned();
                    one.message = attribute(&document, node, "message");
                    one.text = document.text_content_deep(node);
                }
            }
            cases.push(one);
        }
        let of = |outcome: &str| cases.iter().filter(|one| one.outcome == outcome).count();
        for (name, number) in [
            ("tests", cases.len()),
            ("failures", of("failure")),
            ("errors", of("error")),
            ("skipped", of("skipped")),
        ] {
            assert_eq!(attribute(&document, suite, name), number.to_string());
            *sums.entry(name).or_default() += number;
        }
        all.extend(cases);
    }
    for name in ["tests", "failures", "errors"] {
        let sum = sums.get(name).copied().unwrap_or_default();
        assert_eq!(attribute(&document, root, name), sum.to_string());
    }
    all
}

fn shown(text: &str) -> String {
    visible(text).into_owned()
}

fn says_all_of(case: &Seen, finding: &Triaged) -> bool {
    let remedy = format!("\nfix: {}\n", shown(&finding.remedy));
    case.message == shown(&finding.title)
        && case.text.starts_with(&shown(&finding.detail))
        && case.text.contains(&remedy)
}

/// Each finding has one case that says what it is, and no other case says anything of it.
fn assert_told(report: &Report) {
    let seen = seen(report);
    let mut cases: Vec<&Seen> = seen.iter().collect();
    for finding in &report.findings {
        let is_told = |one: &&Seen| {
            one.suite == format!("patscan {}", finding.account)
                && one.class == finding.rule
                && one.name == shown(&finding.subject.arn)
                && (one.outcome == "failure") == report.is_open(finding)
                && (one.outcome != "failure" || says_all_of(one, finding))
        };
        let place = cases.iter().position(is_told);
        let case = cases.remove(place.unwrap_or_else(|| panic!("{finding:?} in {cases:?}")));
        assert!(report.is_open(finding) || case.outcome == "skipped");
    }
    assert!(cases.iter().all(|one| one.outcome != "failure"));
    let hiding = report.coverage.gaps.iter();
    let hiding = hiding.filter(|missing| missing.gap.effect == GapEffect::MayHide);
    let errors = cases.iter().filter(|one| one.outcome == "error");
    assert_eq!(errors.count(), hiding.count());
}

#[test]
fn what_an_earlier_report_has_unchanged_fails_no_build() {
    let mut report = report();
    report.since = Some(crate::triage::SinceBaseline {
        made_at: "2026-01-30T08:00:00Z".to_owned(),
        gone: Vec::new(),
        not_covered: Vec::new(),
    });
    for finding in &mut report.findings {
        finding.change = Change::Unchanged;
    }
    report.findings[0].change = Change::Changed;
    let seen = seen(&report);
    let failed: Vec<&Seen> = seen.iter().filter(|one| one.outcome == "failure").collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].name, &*report.findings[0].subject.arn);
    let known = seen.iter().filter(|one| {
        one.message
            .starts_with("unchanged since the report of 2026-01-30T08:00:00Z: ")
    });
    assert!(known.count() > 1, "{seen:?}");
}

#[test]
fn the_schema_refuses_what_it_does_not_know() {
    let good = xml(&report());
    assert_eq!(violations(&good), Vec::<String>::new());
    for (from, to) in [
        ("<testsuites ", "<testsuites colour=\"red\" "),
        ("<failure ", "<broken "),
        ("classname=", "class="),
        (" errors=", " wrongs="),
    ] {
        let bad = good.replace(from, to).replace(
            "</failure>",
            if to == "<broken " {
                "</broken>"
            } else {
                "</failure>"
            },
        );
        assert_ne!(bad, good);
        assert!(!violations(&bad).is_empty(), "{to}");
    }
}

#[test]
fn findings_fail_and_what_could_not_be_read_is_an_error() {
    let report = report();
    assert_told(&report);
    let seen = seen(&report);
    let errors: Vec<&Seen> = seen.iter().filter(|one| one.outcome == "error").collect();
    assert_eq!(errors.len(), 3);
    assert_eq!(errors[0].class, "coverage");
    assert!(
        errors[0]
            .name
            .starts_with("sqs:GetQueueAttributes us-east-1 arn:")
    );
    let overstating = seen
        .iter()
        .find(|one| one.name.starts_with("organizations:"));
    assert_eq!(overstating.unwrap().outcome, "skipped");
    // Nothing passes where something could hide.
    assert!(seen.iter().all(|one| one.outcome != "passed"));
}

#[test]
fn rules_that_found_nothing_pass() {
    let mut clean = example::clean();
    clean.rules_off = vec!["name-pattern"];
    let seen = seen(&clean);
    assert_eq!(seen.len(), RULES.len());
    for one in &seen {
        let expected = if one.class == "name-pattern" {
            "skipped"
        } else {
            "passed"
        };
        assert_eq!(one.outcome, expected, "{}", one.class);
        assert!(!one.name.is_empty());
    }
}

#[test]
fn a_rule_with_a_finding_has_no_case_that_passes() {
    let mut report = report();
    report.coverage = crate::report::Coverage::default();
    let seen = seen(&report);
    let of_rule = |rule: &str| -> Vec<&str> {
        let cases = seen.iter().filter(|one| one.class == rule);
        cases.map(|one| &*one.outcome).collect()
    };
    assert_eq!(of_rule("public-queue"), ["failure"]);
    assert_eq!(of_rule("queue-feedback-loop"), ["failure", "failure"]);
    assert_eq!(of_rule("message-cycle"), ["passed"]);
}

#[test]
fn what_is_accepted_or_for_others_is_skipped() {
    let mut report = report();
    report.findings[0].status = Status::Waived;
    report.findings[0].waiver = Some(WaivedBy {
        standing: Standing::Holds,
        owner: "payments".to_owned(),
        reason: "a public form".to_owned(),
        expires: chrono::NaiveDate::from_ymd_opt(2026, 3, 1),
    });
    report.findings[1].audience = Audience::Auditor;
    assert_told(&report);
    let seen_by_team = seen(&report);
    let waived = seen_by_team
        .iter()
        .find(|one| one.class == "public-queue")
        .unwrap();
    assert_eq!(
        waived.message,
        "waived until 2026-03-01 by payments: a public form"
    );
    let failures = |report: &Report| {
        let cases = seen(report);
        cases.iter().filter(|one| one.outcome == "failure").count()
    };
    assert_eq!(failures(&report), 4);
    report.persona = Audience::Auditor;
    assert_eq!(failures(&report), 5);
}

#[test]
fn accounts_have_suites_of_their_own() {
    let mut report = report();
    let mut other = report.accounts[0].clone();
    other.id = crate::arn::AccountId::parse("444455556666").unwrap();
    report.findings[0].finding.account = other.id.clone();
    report.accounts.push(other);
    assert_told(&report);
    let xml = xml(&report);
    assert_eq!(xml.matches("<testsuite ").count(), 2);
    assert_eq!(xml.matches(r#"timestamp="2026-01-31T07:58:12""#).count(), 2);
    report.accounts.clear();
    report.findings.clear();
    report.coverage = crate::report::Coverage::default();
    assert!(seen(&report).is_empty());
}

#[test]
fn a_failure_lists_some_of_each_and_counts_the_others() {
    let mut report = report();
    let wide = &mut report.findings[0].finding;
    let one = wide.resources[0].clone();
    wide.resources = vec![one; MOST_LISTED + 2].into();
    wide.more_resources = 5;
    let holder = wide.principals[0].clone();
    wide.principals = vec![holder; MOST_LISTED + 3];
    let seen = seen(&report);
    let text = &seen
        .iter()
        .find(|one| one.class == "public-queue")
        .unwrap()
        .text;
    assert_eq!(text.matches("\nqueue: ").count(), MOST_LISTED);
    assert!(text.contains("\nresources besides: 7\n"));
    assert_eq!(text.matches("\nheld by: ").count(), MOST_LISTED);
    assert!(text.contains("\nholders besides: 3\n"));
}

#[test]
fn hostile_names_stay_text() {
    assert_told(&hostile(&hostile_names()));
    for name in hostile_names() {
        assert_told(&hostile(&[name]));
    }
    for name in [
        "]]>",
        "</failure>",
        "<!-- -->",
        "&lt;&#0;",
        "\"' a=\"b",
        "\u{ffff}\u{fffe}\u{0}",
        "<?x?>",
    ] {
        assert_told(&hostile(&[name.to_owned()]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_text_stays_text(texts in proptest::collection::vec(any::<String>(), 1..24)) {
        assert_told(&hostile(&texts));
    }
}
