//! A principal with the same right on a great many queues is one fact: the first are named, the others counted.

use std::io::Write as _;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::contract;
use crate::patscan::Patscan;

const QUEUES: usize = 1200;

/// An account of many queues and one role that may do everything with all of them but administer.
fn snapshot() -> NamedTempFile {
    let statement = json!({
        "Effect": "Allow",
        "Action": ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
        "Resource": "arn:aws:sqs:eu-west-1:111122223333:q-*",
    });
    snapshot_of(QUEUES, &[statement])
}

/// The same with as many queues and with these statements in the role's policy.
fn snapshot_of(queues: usize, statements: &[Value]) -> NamedTempFile {
    let queues: Vec<Value> = (0..queues)
        .map(|number| {
            let name = format!("q-{number:04}");
            json!({
                "arn": format!("arn:aws:sqs:eu-west-1:111122223333:{name}"),
                "url": format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{name}"),
                "attributes": {},
            })
        })
        .collect();
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    let account = json!({
        "id": "111122223333", "partition": "aws", "regions": ["eu-west-1"], "scanned_at": "2026-01-31T08:00:00Z",
        "organization": {"membership": "none"},
        "roles": [{
            "arn": "arn:aws:iam::111122223333:role/everywhere", "id": "AROAEVERYWHERE",
            "trust": {"Version": "2012-10-17", "Statement": []},
            "inline": [{"name": "all", "document": document}],
        }],
        "queues": queues,
    });
    let mut file = NamedTempFile::with_suffix(".json").unwrap();
    let content = json!({"schema": "patscan.snapshot/v1", "account": account});
    file.write_all(content.to_string().as_bytes()).unwrap();
    file
}

/// The one feedback loop that the report on a snapshot tells.
fn loop_in(file: &NamedTempFile) -> contract::Finding {
    let run = Patscan::new(["analyze", "-f", "json"])
        .arg(file.path())
        .run();
    let report = contract::report(&run.stdout);
    let mut findings = report.findings.into_iter();
    findings
        .find(|finding| finding.rule == "queue-feedback-loop")
        .unwrap()
}

#[test]
fn a_report_names_the_first_hundred_queues_and_counts_the_others() {
    let file = snapshot();
    let found = loop_in(&file);
    assert_eq!(found.resources.len(), 100);
    assert_eq!(found.more_resources, 1100);
    assert!(found.title.contains("1200 queues"), "{}", found.title);

    let table = Patscan::new(["analyze"]).arg(file.path()).run().stdout;
    assert!(table.contains("and 1195 more"), "{table}");
    assert!(table.contains("… and 1170 more queues"), "{table}");
}

#[test]
fn a_finding_names_a_few_of_many_statements_that_give_the_same() {
    let statement = json!({"Effect": "Allow", "Action": "sqs:*", "Resource": "*"});
    let file = snapshot_of(1, &vec![statement; 30]);
    let found = loop_in(&file);
    // Three of thirty each for sending, receiving and deleting.
    assert_eq!(found.evidence.len(), 9);
    assert_eq!(found.more_evidence, 81);
}

#[test]
fn a_graph_draws_the_first_thousand_edges_and_counts_the_others() {
    let file = snapshot();
    let run = Patscan::new(["graph", "--snapshot"]).arg(file.path()).run();
    let graph = run.json();
    let sends = graph["edges"].as_array().unwrap().iter();
    assert_eq!(sends.filter(|edge| edge["kind"] == "send").count(), 1000);
    assert_eq!(graph["loops"].as_array().unwrap().len(), 1000);
    let left: Vec<(&str, u64)> = graph["more"]
        .as_array()
        .unwrap()
        .iter()
        .map(|more| {
            assert_eq!(
                more["principal"],
                "arn:aws:iam::111122223333:role/everywhere"
            );
            (
                more["kind"].as_str().unwrap(),
                more["number"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        left,
        [
            ("send", 200),
            ("receive", 200),
            ("delete", 200),
            ("loop", 200)
        ]
    );
}
