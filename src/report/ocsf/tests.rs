//! What the checks by schema do not see: times, states and what a loop looks like.

use serde_json::Value;

use super::*;
use crate::report::example;
use crate::rules::RULES;

fn events(report: &Report, how: Ocsf) -> Vec<Value> {
    let mut text = Vec::new();
    write(report, how, &mut text).unwrap();
    if how.lines {
        let lines = text
            .strip_suffix(b"\n")
            .unwrap()
            .split(|byte| *byte == b'\n');
        return lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
    }
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_finding_is_an_event_of_the_class_with_times_in_milliseconds() {
    let report = example::report();
    for (class, uid) in [(OcsfClass::Compliance, 2003), (OcsfClass::Detection, 2004)] {
        let events = events(
            &report,
            Ocsf {
                class,
                lines: false,
            },
        );
        assert_eq!(events.len(), report.findings.len());
        assert_eq!(events[0]["class_uid"], uid);
        assert_eq!(events[0]["type_uid"], uid * 100 + 1);
        assert_eq!(events[0]["time"], 1_769_846_292_000_i64);
        assert_eq!(events[0]["metadata"]["logged_time"], 1_769_846_400_987_i64);
        assert_eq!(events[0]["unmapped"]["coverage_complete"], false);
        let has_compliance = events[0].get("compliance").is_some();
        assert_eq!(has_compliance, class == OcsfClass::Compliance);
    }
}

#[test]
fn what_rests_on_conditions_is_a_warning_and_what_holds_a_failure() {
    let events = events(&example::report(), Ocsf::default());
    assert_eq!(events[1]["compliance"]["status_id"], 3);
    assert_eq!(events[3]["compliance"]["status_id"], 2);
    assert_eq!(events[3]["compliance"]["standards"][0], "NIST.800-53.r5");
}

#[test]
fn a_loop_goes_from_its_principal_into_each_queue_and_back() {
    let report = example::report();
    let events = events(&report, Ocsf::default());
    let graph = &events[1]["finding_info"]["attack_graph"];
    let subject = &*report.findings[1].subject.arn;
    let edges = graph["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 2 * report.findings[1].resources.len());
    for pair in edges.chunks(2) {
        assert_eq!(
            (&pair[0]["source"], &pair[1]["target"]),
            (&subject.into(), &subject.into())
        );
        assert_eq!(pair[0]["target"], pair[1]["source"]);
    }
    assert!(events[0]["finding_info"].get("attack_graph").is_none());
    for rule in LOOPS {
        assert!(RULES.iter().any(|known| known.id == rule));
    }
}

#[test]
fn what_is_gone_is_closed_and_what_is_waived_suppressed() {
    let mut report = example::hostile(&example::hostile_names());
    let known = &report.findings[0];
    assert_eq!(known.status, Status::Waived);
    report.findings[1].change = Change::Unchanged;
    let events = events(
        &report,
        Ocsf {
            lines: true,
            ..Ocsf::default()
        },
    );
    assert_eq!(events.len(), report.findings.len() + 1);
    assert_eq!(events[0]["status_id"], 3);
    assert_eq!(events[1]["activity_id"], 2);
    let gone = events.last().unwrap();
    assert_eq!(gone["type_uid"], 200_303);
    assert_eq!(
        (&gone["status_id"], &gone["severity_id"]),
        (&4.into(), &0.into())
    );
    assert_eq!(gone["compliance"]["status_id"], 1);
}
