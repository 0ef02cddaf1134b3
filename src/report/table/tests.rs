use std::sync::Arc;

use super::*;
use crate::arn::AccountId;
use crate::finding::{Certainty, Evidence, Grade, ResourceRef};
use crate::report::QueueFlow;
use crate::report::example::{
    self, clean, end, finding, hostile, hostile_names, queue, report, role,
};
use crate::report::text::is_hidden;
use crate::triage::{causes, triage};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

fn table(report: &Report, width: usize) -> String {
    styled(
        report,
        Style {
            color: false,
            width,
        },
    )
}

fn styled(report: &Report, style: Style) -> String {
    let mut out = Vec::new();
    write(report, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_report_with_everything_at_80_columns() {
    insta::assert_snapshot!(table(&report(), 80));
}

#[test]
fn several_accounts_in_another_partition() {
    let mut report = report();
    report.coverage.gaps.clear();
    report.findings.truncate(2);
    report.flows.truncate(2);
    if let Some(flow) = report.flows.first_mut() {
        flow.administrators = 1;
    }
    let mut china = report.accounts[0].clone();
    china.id = AccountId::parse("999988887777").unwrap();
    china.alias = None;
    china.partition = "aws-cn".to_owned();
    china.regions = (1..=17)
        .map(|number| format!("cn-north-{number}"))
        .collect();
    report.accounts.push(china);
    insta::assert_snapshot!(table(&report, 80));
}

#[test]
fn a_clean_and_complete_scan_says_so() {
    insta::assert_snapshot!(table(&clean(), 80));
}

#[test]
fn an_incomplete_scan_without_findings_does_not_sound_clean() {
    let mut report = clean();
    report.coverage.gaps = example::report().coverage.gaps;
    report.flows = example::report().flows;
    let table = table(&report, 80);
    assert!(table.contains("INCOMPLETE"));
    assert!(table.contains("Nothing can be concluded"));
    for clean in ["No findings", "nobody", "no rule is broken", "0 "] {
        let body = table.replace("0 groups", "");
        assert!(!body.contains(clean), "{clean}: {table}");
    }
}

#[test]
fn a_gap_that_overstates_is_told_once_and_not_as_incomplete() {
    let mut report = clean();
    let gap = example::report().coverage.gaps.swap_remove(0);
    report.coverage.gaps = vec![gap; 30];
    let table = table(&report, 80);
    assert!(!table.contains("INCOMPLETE"));
    assert_eq!(
        table
            .matches("Access can only be smaller than shown")
            .count(),
        1
    );
    assert_eq!(table.matches("organizations:ListPolicies").count(), 1);
    assert!(table.contains("No findings"));
}

#[test]
fn a_report_without_an_account_does_not_sound_clean() {
    let mut report = clean();
    report.accounts.clear();
    let table = table(&report, 80);
    assert!(table.contains("NOTHING SCANNED"));
    assert!(!table.contains("No findings"));
}

#[test]
fn the_first_twenty_findings_of_a_rule_are_shown() {
    let mut report = report();
    let of = |number: usize| {
        finding(
            "unused-role",
            Severity::Low,
            role(&format!("role-{number:03}")),
        )
    };
    report.findings = triage(&[], (0..300).map(of).collect());
    report.persona = Audience::Auditor;
    let table = table(&report, 80);
    assert!(table.contains("LOW · 300 findings"));
    assert!(table.contains("role role-019"));
    assert!(!table.contains("role role-020"));
    assert!(table.contains("… and 280 more of unused-role (low)"));
}

/// Many findings, some of which rest on one statement of `wide`, one of these wired.
fn long_report() -> Report {
    let mut report = report();
    let of = |number: usize| {
        let mut found = finding(
            "queue-feedback-loop",
            Severity::High,
            role(&format!("role-{number:03}")),
        );
        if number.is_multiple_of(2) {
            found.evidence = Arc::new([Evidence {
                capability: "send".into(),
                resource: "*".into(),
                layer: "identity",
                policy: "arn:aws:iam::111122223333:policy/wide".into(),
                statement: "Everything".into(),
                effect: "Allow",
            }]);
        }
        if number == 90 {
            found.resources = Arc::new([ResourceRef {
                entity: queue("orders"),
                certainty: Certainty::Allowed,
                grade: Some(Grade::Wired),
            }]);
        }
        found
    };
    report.findings = triage(&[], (0..100).map(of).collect());
    report.causes = causes(&report.findings);
    report
}

#[test]
fn a_long_report_begins_with_causes_and_fits_on_two_screens() {
    let report = long_report();
    let table = table(&report, 80);
    assert!(table.contains("OVERVIEW · 100 findings"), "{table}");
    assert!(table.contains("policy wide"), "{table}");
    assert!(
        table.contains("50 high\n  50 findings under statement Everything: 50 principals, up to"),
        "{table}"
    );
    let wired = &report
        .findings
        .iter()
        .find(|one| one.subject.arn.ends_with("090"));
    assert!(
        table.contains(&format!("begin    patscan explain {}", wired.unwrap().id)),
        "{table}"
    );
    assert!(table.contains("On their own, the most urgent first · 50 findings"));
    assert!(table.contains("and 40 more"));
    assert!(table.lines().count() <= 100, "{}", table.lines().count());
}

#[test]
fn one_rule_does_not_take_the_room_of_the_others() {
    let mut report = long_report();
    let other = |number: usize| {
        finding(
            "unused-role",
            Severity::Low,
            role(&format!("idle-{number:03}")),
        )
    };
    let loops = report.findings.iter().map(|one| one.finding.clone());
    let all = loops.chain((0..5).map(other)).collect();
    report.findings = triage(&[], all);
    report.causes = causes(&report.findings);
    let table = table(&report, 80);
    let (_, singles) = table.split_once("On their own").unwrap();
    // Three of each rule, and what room there is goes to the graver.
    assert_eq!(singles.matches("  id       unused-role-").count(), 3);
    assert_eq!(
        singles.matches("  id       queue-feedback-loop-").count(),
        7
    );
    assert!(singles.contains("and 45 more"), "{singles}");
}

#[test]
fn queues_with_loops_come_first_and_the_rest_is_counted() {
    let mut report = report();
    let flow = |number: usize| QueueFlow {
        queue: queue(&format!("queue-{number:03}")),
        generators: vec![end(role("app"), Certainty::Allowed, number == 29)],
        consumers: Vec::new(),
        administrators: 0,
    };
    report.flows = (0..30).map(flow).collect();
    report.more_flows = 20;
    let table = table(&report, 80);
    assert!(table.find("queue-029") < table.find("queue-000"));
    assert!(table.contains("… and 20 more queues"));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let coloured = styled(
        &report(),
        Style {
            color: true,
            width: 80,
        },
    );
    assert!(coloured.contains("\u{1b}[31mHIGH\u{1b}[0m"));
    let mut plain = coloured.replace("\u{1b}[0m", "");
    for code in ["1", "1;31", "31", "33", "34", "36"] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(plain, table(&report(), 80));
}

#[test]
fn many_findings_of_every_severity_are_counted_within_the_width() {
    let mut out = Vec::new();
    let mut page = Page::new(
        &mut out,
        Style {
            color: false,
            width: 60,
        },
    );
    page.tally(
        "At least 500000 findings:",
        &Severity::ALL.map(|severity| (100_000, severity)),
    )
    .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "At least 500000 findings: 100000 critical, 100000 high,\n  100000 medium, 100000 low, 100000 info\n"
    );
}

#[test]
fn any_width_is_survived() {
    for width in [0, 1, 59, 60, 500, usize::MAX] {
        assert!(!table(&report(), width).is_empty());
    }
}

#[test]
fn a_writer_that_fails_is_reported_as_it_is() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in crate::report::Format::ALL {
        let result = crate::report::write(&report(), format, Style::default(), &mut Closed);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

fn assert_fits(report: &Report) -> Result<(), TestCaseError> {
    fits(report)?;
    let mut long = report.clone();
    long.findings = report.findings.iter().cycle().take(60).cloned().collect();
    long.causes = causes(&long.findings);
    fits(&long)
}

fn fits(report: &Report) -> Result<(), TestCaseError> {
    for width in [60, 80, 120] {
        for line in table(report, width).lines() {
            prop_assert!(line.width() <= width, "{} > {width}: {line}", line.width());
            prop_assert!(!line.chars().any(is_hidden), "{line}");
        }
    }
    Ok(())
}

#[test]
fn hostile_names_neither_break_the_width_nor_reach_the_terminal() {
    assert_fits(&hostile(&hostile_names())).unwrap();
    for name in hostile_names() {
        assert_fits(&hostile(&[name])).unwrap();
    }
}

#[test]
fn realistic_reports_fit() {
    assert_fits(&long_report()).unwrap();
    assert_fits(&report()).unwrap();
    assert_fits(&clean()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_text_breaks_the_width(texts in proptest::collection::vec(any::<String>(), 1..24)) {
        assert_fits(&hostile(&texts))?;
    }
}
