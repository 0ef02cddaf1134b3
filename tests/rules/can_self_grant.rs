//! What a finding of `can-self-grant` tells: the ways, kept apart, with their proof.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::patscan::audit;

fn finding(name: &str) -> Value {
    audit("can-self-grant")["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["subject"]["arn"].as_str().unwrap().ends_with(name))
        .unwrap_or_else(|| panic!("nothing is told of {name}"))
        .clone()
}

/// The ways that the evidence names.
fn ways(finding: &Value) -> BTreeSet<String> {
    finding["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["capability"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn each_way_is_told_by_its_action() {
    for (name, way) in [
        ("role/consumer", "sqs:SetQueueAttributes"),
        ("role/curator", "iam:CreatePolicyVersion"),
        ("role/gatekeeper", "iam:UpdateAssumeRolePolicy"),
        ("role/writer", "iam:PutRolePolicy"),
        ("user/self", "iam:AttachUserPolicy"),
    ] {
        assert_eq!(
            ways(&finding(name)),
            BTreeSet::from([way.to_owned()]),
            "{name}"
        );
    }
}

#[test]
fn a_consumer_could_become_a_generator() {
    assert_eq!(
        finding("role/consumer")["title"],
        "role consumer can let itself send to queue orders"
    );
}

#[test]
fn what_hangs_on_a_condition_says_so() {
    let found = finding("user/home");
    assert_eq!(found["verdict"], "conditional");
    assert_eq!(
        found["conditions"],
        serde_json::json!(["aws:SourceIp IpAddress 203.0.113.0/24"])
    );
}
