//! `patscan rules` and `patscan iam-policy`.

use std::collections::BTreeSet;

use patscan::collect::CALLS;
use patscan::rules::RULES;
use serde_json::Value;

use crate::patscan::Patscan;

fn actions(statement: &Value) -> Vec<&str> {
    let actions = statement["Action"].as_array().unwrap();
    actions
        .iter()
        .map(|action| action.as_str().unwrap())
        .collect()
}

#[test]
fn the_policy_allows_exactly_what_a_scan_calls() {
    let run = Patscan::new(["iam-policy"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let policy = run.json();
    assert_eq!(policy["Version"], "2012-10-17");
    let statements = policy["Statement"].as_array().unwrap();
    let allowed: Vec<_> = statements
        .iter()
        .filter(|statement| statement["Effect"] == "Allow")
        .flat_map(actions)
        .collect();
    let called: BTreeSet<_> = CALLS.iter().filter_map(|call| call.iam_action).collect();
    assert_eq!(allowed, called.into_iter().collect::<Vec<_>>());
    assert!(allowed.iter().all(|action| !action.contains('*')));
}

#[test]
fn the_readme_says_of_each_action_what_a_report_lacks_without_it() {
    let readme = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, table) = readme.split_once("| Action | Without it |").unwrap();
    let named: Vec<_> = table
        .lines()
        .skip(2)
        .map_while(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|actions| actions.split(", "))
        .map(|action| action.trim_matches('`'))
        .collect();
    let called: BTreeSet<_> = CALLS.iter().filter_map(|call| call.iam_action).collect();
    assert_eq!(named.len(), called.len());
    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), called);
}

#[test]
fn the_policy_denies_the_auditor_every_message() {
    let policy = Patscan::new(["iam-policy"]).run().json();
    let denied: BTreeSet<_> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|statement| statement["Effect"] == "Deny")
        .flat_map(actions)
        .collect();
    for action in [
        "sqs:SendMessage",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:PurgeQueue",
    ] {
        assert!(denied.contains(action), "{action}");
    }
}

#[test]
fn the_catalogue_lists_every_rule() {
    let run = Patscan::new(["rules"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let listed: Vec<_> = run
        .stdout
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let known: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(listed, known);
    assert!(
        run.stdout.lines().all(|line| line.trim_end() == line),
        "{:?}",
        run.stdout
    );
}

#[test]
fn the_catalogue_is_exported_for_programs() {
    let catalogue = Patscan::new(["rules", "-f", "json"]).run().json();
    assert_eq!(catalogue["schema"], "patscan.rules/v1");
    let exported = catalogue["rules"].as_array().unwrap();
    assert_eq!(exported.len(), RULES.len());
    for (entry, rule) in exported.iter().zip(RULES) {
        assert_eq!(entry["id"], rule.id);
        assert_eq!(entry["severity"], rule.severity());
        assert!(
            entry["page"]
                .as_str()
                .unwrap()
                .starts_with("## What it means")
        );
        assert!(entry["controls"]["nist-800-53"].is_array());
    }
    let one = Patscan::new(["rules", "direct-user-policy", "-f", "json"])
        .run()
        .json();
    assert_eq!(one["rules"].as_array().unwrap().len(), 1);
    assert_eq!(
        one["rules"][0]["controls"]["security-hub"],
        serde_json::json!(["IAM.2"])
    );
    let abandoned = Patscan::new(["rules", "queue-without-consumer", "-f", "json"])
        .run()
        .json();
    assert_eq!(abandoned["rules"][0]["parameters"][0]["default"], 20);
}

#[test]
fn the_page_of_each_rule_is_shown() {
    for rule in RULES {
        let run = Patscan::new(["rules", rule.id]).run();
        assert_eq!(run.code, 0);
        assert_eq!(run.stdout, rule.page);
    }
}
