//! Lines read back without the writer, and held against the findings of the JSON report.

use super::*;
use crate::report::example::{self, hostile, hostile_names, report};
use crate::report::text::is_hidden;
use proptest::prelude::*;
use serde_json::{Map, Value};

fn lines(report: &Report) -> Vec<Map<String, Value>> {
    let mut out = Vec::new();
    write(report, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.chars().any(|one| one != '\n' && is_hidden(one)));
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn of_json(report: &Report) -> Vec<Value> {
    let mut out = Vec::new();
    json::write(report, &mut out).unwrap();
    let mut report: Value = serde_json::from_slice(&out).unwrap();
    serde_json::from_value(report["findings"].take()).unwrap()
}

fn assert_same_findings(report: &Report) {
    let lines = lines(report);
    let findings = of_json(report);
    assert_eq!(lines.len(), findings.len());
    for (mut line, finding) in lines.into_iter().zip(findings) {
        assert_eq!(line.remove("schema").unwrap(), "patscan.finding/v1");
        assert_eq!(line.remove("scanned_at").unwrap(), "2026-01-31T07:58:12Z");
        assert_eq!(line.remove("complete").unwrap(), report.complete());
        assert_eq!(Value::Object(line), finding);
    }
}

#[test]
fn a_line_is_the_finding_of_the_report_with_its_scan() {
    assert_same_findings(&report());
    assert!(lines(&example::clean()).is_empty());
}

#[test]
fn more_findings_than_are_written_at_a_time_keep_their_order() {
    let mut many = report();
    many.findings = many
        .findings
        .iter()
        .cycle()
        .take(FINDINGS_AT_A_TIME * 5 + 1)
        .cloned()
        .collect();
    assert_same_findings(&many);
}

#[test]
fn of_two_readings_of_an_account_the_later_one_gives_the_time() {
    let mut report = report();
    let mut earlier = report.accounts[0].clone();
    earlier.scanned_at = example::time("2025-12-01T00:00:00Z");
    report.accounts.insert(0, earlier);
    assert_same_findings(&report);
    report.accounts.clear();
    assert_eq!(lines(&report)[0]["scanned_at"], Value::Null);
}

#[test]
fn hostile_names_stay_in_their_line() {
    assert_same_findings(&hostile(&hostile_names()));
    for name in hostile_names() {
        assert_same_findings(&hostile(&[name]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_text_stays_in_its_line(texts in proptest::collection::vec(any::<String>(), 1..24)) {
        assert_same_findings(&hostile(&texts));
    }
}
