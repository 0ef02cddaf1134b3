//! What a finding of `assumable-loop` tells: the way, its proof, its conditions.

use serde_json::Value;

use crate::patscan::audit;

/// The finding about a principal of the fixture, by its name.
fn finding(name: &str) -> Value {
    audit("assumable-loop")["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| {
            finding["rule"] == "assumable-loop"
                && finding["subject"]["arn"].as_str().unwrap().ends_with(name)
        })
        .unwrap_or_else(|| panic!("nothing is told of {name}"))
        .clone()
}

/// The evidence in short: `capability on resource by policy statement`.
fn evidence(finding: &Value) -> Vec<String> {
    let last = |value: &Value| {
        let text = value.as_str().unwrap();
        text.rsplit(['/', ':']).next().unwrap().to_owned()
    };
    let mut evidence: Vec<String> = finding["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} on {} by {}: {}",
                one["capability"].as_str().unwrap(),
                last(&one["resource"]),
                last(&one["policy"]),
                one["statement"].as_str().unwrap()
            )
        })
        .collect();
    evidence.sort();
    evidence
}

#[test]
fn every_step_and_both_rights_are_proved() {
    let found = finding("role/hopper");
    assert_eq!(
        found["detail"],
        "It sends as hopper → bridge → orders-generator and receives as hopper → bridge → orders-consumer."
    );
    assert_eq!(
        evidence(&found),
        [
            "receive on orders by inline policy Own of role orders-consumer: Receive",
            "send on orders by inline policy Own of role orders-generator: Send",
            "sts:AssumeRole on bridge by trust policy of role bridge: #1",
            "sts:AssumeRole on orders-consumer by inline policy Own of role bridge: Become",
            "sts:AssumeRole on orders-consumer by trust policy of role orders-consumer: #1",
            "sts:AssumeRole on orders-generator by inline policy Own of role bridge: Become",
            "sts:AssumeRole on orders-generator by trust policy of role orders-generator: #1",
        ]
    );
}

#[test]
fn one_side_may_be_the_principals_own() {
    let found = finding("role/worker");
    assert_eq!(
        found["detail"],
        "It sends as worker → orders-generator and receives as worker."
    );
    assert_eq!(found["verdict"], "allowed");
    assert_eq!(found["conditions"], Value::Array(Vec::new()));
}

#[test]
fn conditions_of_the_steps_are_told() {
    let found = finding("user/carl");
    assert_eq!(found["verdict"], "conditional");
    assert_eq!(
        found["conditions"],
        serde_json::json!(["aws:MultiFactorAuthPresent Bool true (in the call to STS)"])
    );
}
