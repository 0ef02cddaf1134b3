//! `broken-delivery`: what is lacked is named, and what is not decided is not called refused.

use serde_json::{Value, json};

use crate::patscan::{Patscan, fixture};

const KEY: usize = 0;

/// What the rule says of each subject of the fixture, once `change` was made to its account.
fn told(change: impl Fn(&mut Value)) -> Vec<(String, String)> {
    let report = run(["analyze", "-f", "json", "--exit-zero"], change);
    let findings = report["findings"].as_array().unwrap();
    let of_rule = findings
        .iter()
        .filter(|finding| finding["rule"] == "broken-delivery");
    of_rule
        .map(|finding| {
            let arn = finding["subject"]["arn"].as_str().unwrap();
            let name = arn.rsplit([':', '/']).next().unwrap().to_owned();
            (name, finding["detail"].as_str().unwrap().to_owned())
        })
        .collect()
}

fn run<const N: usize>(arguments: [&str; N], change: impl Fn(&mut Value)) -> Value {
    let text = std::fs::read_to_string(fixture("broken-delivery")).unwrap();
    let mut snapshot: Value = serde_json::from_str(&text).unwrap();
    change(&mut snapshot["account"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.json");
    std::fs::write(&file, snapshot.to_string()).unwrap();
    Patscan::new(arguments).arg(&file).run().json()
}

fn of<'a>(told: &'a [(String, String)], subject: &str) -> Option<&'a str> {
    let found = told.iter().find(|(name, _)| name == subject);
    found.map(|(_, detail)| detail.as_str())
}

fn let_in(account: &mut Value, service: &str) {
    let statement = json!({"Sid": "More", "Effect": "Allow", "Principal": {"Service": service},
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"});
    let policy = &mut account["keys"][KEY]["policy"]["Statement"];
    policy.as_array_mut().unwrap().push(statement);
}

#[test]
fn a_service_that_lacks_the_key_is_told_so_until_the_key_lets_it_in() {
    let before = told(|_| ());
    for subject in ["key-bucket", "sealed-bucket", "managed-bucket"] {
        let detail = of(&before, subject).unwrap();
        assert!(
            detail.ends_with("s3.amazonaws.com lacks kms:GenerateDataKey."),
            "{detail}"
        );
    }
    let after = told(|account| let_in(account, "s3.amazonaws.com"));
    assert_eq!(of(&after, "key-bucket"), None);
    assert_eq!(of(&after, "sealed-bucket"), None);
    assert!(
        of(&after, "managed-bucket").is_some(),
        "AWS writes the policy of its key"
    );
}

#[test]
fn a_key_that_is_not_known_refuses_nobody() {
    let told = told(|account| account["keys"] = json!([]));
    for subject in ["key-bucket", "sealed-bucket"] {
        assert_eq!(of(&told, subject), None);
    }
}

#[test]
fn a_role_that_lacks_the_key_is_told_so() {
    let refused = told(|account| {
        for queue in account["queues"].as_array_mut().unwrap() {
            if queue["arn"].as_str().unwrap().ends_with(":good-rule") {
                queue["attributes"]["encryption"] = json!({"mode": "kms", "key": "alias/shop"});
            }
        }
    });
    let detail = of(&refused, "rule-sender").unwrap();
    assert!(
        detail.ends_with("role rule-sender lacks kms:GenerateDataKey."),
        "{detail}"
    );
    assert_eq!(of(&told(|_| ()), "rule-sender"), None);
}

#[test]
fn what_polls_a_stream_or_a_broker_is_not_decided() {
    let sources = [
        ("kinesis", "stream/clicks", "stream"),
        (
            "dynamodb",
            "table/orders/stream/2026-01-01T00:00:00.000",
            "stream",
        ),
        ("kafka", "cluster/events/5be8e2a1", "broker"),
        ("mq", "broker:jobs:b-5be8e2a1", "broker"),
    ];
    for (service, resource, kind) in sources {
        let source = format!("arn:aws:{service}:eu-west-1:111122223333:{resource}");
        let change = |account: &mut Value| {
            let mapping = json!({"id": "00000000-0000-4000-8000-0000000000ff", "source": source, "enabled": true,
                "function": "arn:aws:lambda:eu-west-1:111122223333:function:api-good"});
            account["event_source_mappings"]
                .as_array_mut()
                .unwrap()
                .push(mapping);
        };
        assert_eq!(told(change), told(|_| ()), "{source}");
        let graph = run(["graph", "-f", "json", "--snapshot"], change);
        let drawn = |list: &str, key: &str| {
            let all = graph[list].as_array().unwrap().iter();
            all.filter(|one| one[key] == source.as_str())
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(drawn("nodes", "id")[0]["kind"], kind);
        let edges = drawn("edges", "from");
        assert_eq!(edges.len(), 1, "{edges:?}");
        assert_eq!(edges[0]["kind"], "delivers");
        assert_eq!(edges[0]["verdict"], "conditional");
    }
}

#[test]
fn an_api_that_is_let_in_at_one_stage_only_invokes_under_that_condition() {
    let graph = run(["graph", "-f", "json", "--snapshot"], |_| ());
    let verdict = |function: &str| {
        let mut edges = graph["edges"].as_array().unwrap().iter();
        let edge = edges.find(|edge| edge["to"].as_str().unwrap().ends_with(function));
        edge.map(|edge| (edge["verdict"].clone(), edge["conditions"].to_string()))
    };
    for always in [":api-good", ":api-open"] {
        assert_eq!(verdict(always).unwrap().0, "allowed", "{always}");
    }
    let (certainty, conditions) = verdict(":api-stage").unwrap();
    assert_eq!(certainty, "conditional");
    assert!(
        conditions.contains("a1b2c3d4e5/prod/GET/stage"),
        "{conditions}"
    );
    for refused in [":api-unlisted", ":api-other"] {
        assert_eq!(verdict(refused), None, "{refused}");
    }
}
