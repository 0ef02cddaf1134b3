//! `queue-without-consumer` and `queue-without-generator`: unknown is not nobody.

use serde_json::{Value, json};

use crate::patscan::{Patscan, fixture};

/// The queues that the two rules name in the fixture, once `change` was made to its account.
fn abandoned(change: impl Fn(&mut Value)) -> Vec<String> {
    abandoned_beside(&[], change)
}

/// The same when other accounts are audited with it.
fn abandoned_beside(others: &[Value], change: impl Fn(&mut Value)) -> Vec<String> {
    let text = std::fs::read_to_string(fixture("abandoned-queues")).unwrap();
    let mut snapshot: Value = serde_json::from_str(&text).unwrap();
    change(&mut snapshot["account"]);
    let folder = tempfile::tempdir().unwrap();
    let mut run = Patscan::new(["analyze", "-f", "json", "--exit-zero"]);
    let others = others
        .iter()
        .map(|account| json!({"schema": "patscan.snapshot/v1", "account": account}));
    for (number, snapshot) in others.chain([snapshot]).enumerate() {
        let file = folder.path().join(format!("snapshot-{number}.json"));
        std::fs::write(&file, snapshot.to_string()).unwrap();
        run = run.arg(&file);
    }
    let report = run.run().json();
    let name = |finding: &Value| {
        let arn = finding["subject"]["arn"].as_str().unwrap();
        arn.rsplit(':').next().unwrap().to_owned()
    };
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| {
            finding["rule"]
                .as_str()
                .unwrap()
                .starts_with("queue-without-")
        })
        .map(name)
        .collect()
}

#[test]
fn queues_that_nobody_empties_or_fills_are_told() {
    assert_eq!(abandoned(|_| ()), ["leftovers", "topic-feed", "orphans"]);
}

#[test]
fn nothing_is_told_where_iam_was_not_read() {
    let gap = json!({
        "service": "iam", "operation": "GetAccountAuthorizationDetails", "error": "AccessDenied",
        "effect": "may-hide", "detail": "roles could not be read",
    });
    assert!(abandoned(|account| account["coverage"] = json!({"gaps": [gap]})).is_empty());
    assert!(abandoned(|account| account["coverage"] = json!({"skipped": ["iam"]})).is_empty());
}

#[test]
fn nothing_is_told_where_the_roles_of_another_account_were_not_read() {
    let other = |coverage: Value| {
        json!({
            "id": "444455556666", "partition": "aws", "regions": ["eu-west-1"],
            "scanned_at": "2026-11-01T08:00:00Z", "organization": {"membership": "none"}, "coverage": coverage,
        })
    };
    let read = other(json!({}));
    assert!(!abandoned_beside(&[read], |_| ()).is_empty());
    let skipped = other(json!({"skipped": ["iam"]}));
    assert!(abandoned_beside(&[skipped], |_| ()).is_empty());
}

#[test]
fn a_policy_that_could_not_be_read_may_give_the_right() {
    let unread = "arn:aws:iam::111122223333:policy/Unread";
    let told = abandoned(|account| account["roles"][2]["attached"] = json!([unread]));
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn without_an_administrator_nobody_looks_into_dead_letters() {
    let told = abandoned(|account| account["roles"][0]["attached"] = json!([]));
    assert_eq!(told, ["leftovers", "orders-dlq", "topic-feed", "orphans"]);
}

#[test]
fn many_queues_are_one_finding_of_the_account() {
    let told = abandoned(|account| {
        let queues = account["queues"].as_array_mut().unwrap();
        for number in 0..20 {
            queues.push(json!({
                "arn": format!("arn:aws:sqs:eu-west-1:111122223333:idle-{number}"),
                "url": format!("https://sqs.eu-west-1.amazonaws.com/111122223333/idle-{number}"),
                "attributes": {},
            }));
        }
    });
    assert_eq!(told, ["root", "root"]);
}
