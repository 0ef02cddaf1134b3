//! What a finding of `can-self-grant` tells: the ways, kept apart, with their proof.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::patscan::audit;

fn finding(name: &str) -> Value {
    audit("can-self-grant")["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| {
            finding["rule"] == "can-self-grant"
                && finding["subject"]["arn"].as_str().unwrap().ends_with(name)
        })
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
        ("user/grouped", "iam:PutGroupPolicy"),
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

#[test]
fn an_explicit_deny_of_the_boundary_leaves_the_other_side() {
    assert_eq!(
        finding("user/bob")["title"],
        "user bob can let itself receive from queue orders"
    );
}

#[test]
fn what_the_queue_policy_denies_is_no_obstacle_to_who_writes_it() {
    assert_eq!(
        finding("user/barred")["title"],
        "user barred can let itself send to and receive from queue orders"
    );
}

#[test]
fn a_key_is_no_obstacle_to_who_lacks_the_right_as_well() {
    assert_eq!(
        finding("role/keeper")["title"],
        "role keeper can let itself send to and receive from queue vault"
    );
}

#[test]
fn the_statements_that_let_it_write_the_policy_are_named() {
    assert_eq!(
        finding("role/consumer")["evidence"],
        serde_json::json!([{
            "capability": "sqs:SetQueueAttributes",
            "resource": "arn:aws:sqs:eu-west-1:111122223333:orders",
            "layer": "identity",
            "policy": "inline policy Own of role consumer",
            "statement": "Own",
            "effect": "Allow"
        }])
    );
}
