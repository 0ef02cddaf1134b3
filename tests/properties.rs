//! Laws that hold for every request, tried on random ones: no table of cases covers how rules meet.

use std::io::BufReader;

use proptest::prelude::*;
use serde_json::{Value, json};

const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:orders";

/// Decides requests; the words are ordered by how much they allow.
fn decide(requests: &[&Value]) -> Vec<u8> {
    let input: String = requests
        .iter()
        .map(|request| request.to_string() + "\n")
        .collect();
    let mut output = Vec::new();
    patscan::commands::simulate::decide_lines(BufReader::new(input.as_bytes()), &mut output)
        .unwrap();
    String::from_utf8(output)
        .unwrap()
        .lines()
        .map(|line| {
            let decision: Value = serde_json::from_str(line).unwrap();
            match decision["decision"].as_str() {
                Some("denied") => 0,
                Some("conditional") => 1,
                Some("allowed") => 2,
                _ => panic!("{line}"),
            }
        })
        .collect()
}

fn any_of(choices: &[&str]) -> impl Strategy<Value = Value> + use<> {
    let choices: Vec<Value> = choices.iter().map(|choice| json!(choice)).collect();
    prop::sample::select(choices)
}

fn condition() -> impl Strategy<Value = Value> {
    let operator = any_of(&[
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "StringEqualsIfExists",
        "StringNotEqualsIfExists",
        "ForAnyValue:StringEquals",
        "ForAllValues:StringLike",
        "Null",
    ]);
    let key = any_of(&["aws:SourceVpce", "aws:PrincipalTag/team", "aws:UserAgent"]);
    let value = any_of(&["a", "b*", "*", "true", "false"]);
    (operator, key, value).prop_map(|(operator, key, value)| {
        json!({ operator.as_str().unwrap(): { key.as_str().unwrap(): value } })
    })
}

fn statement(effects: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let action = any_of(&[
        "sqs:SendMessage",
        "sqs:*",
        "sqs:Receive*",
        "*",
        "s3:GetObject",
    ]);
    let resource = any_of(&[
        "*",
        QUEUE,
        "arn:aws:sqs:*:111122223333:ord*",
        "arn:aws:sqs:eu-west-1:111122223333:other",
        "arn:aws:sqs:eu-west-1:111122223333:${aws:PrincipalTag/team}*",
    ]);
    (
        any_of(effects),
        prop::bool::weighted(0.8),
        action,
        prop::bool::weighted(0.8),
        resource,
        prop::option::weighted(0.5, condition()),
    )
        .prop_map(
            |(effect, plain_action, action, plain_resource, resource, condition)| {
                let mut statement = json!({"Effect": effect});
                statement[if plain_action { "Action" } else { "NotAction" }] = action;
                statement[if plain_resource {
                    "Resource"
                } else {
                    "NotResource"
                }] = resource;
                if let Some(condition) = condition {
                    statement["Condition"] = condition;
                }
                statement
            },
        )
}

fn policy(effects: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(effects), 1..4)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
}

const BOTH: &[&str] = &["Allow", "Allow", "Deny"];

/// A request by a role in the queue's account, with random policies of every kind and some keys unknown.
fn request() -> impl Strategy<Value = Value> {
    let principal = any_of(&[
        "*",
        "111122223333",
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:sts::111122223333:assumed-role/app/s1",
        "arn:aws:iam::111122223333:role/other",
    ]);
    (
        prop::collection::vec(policy(BOTH), 0..3),
        prop::option::of(policy(BOTH)),
        prop::option::of(policy(BOTH)),
        prop::option::of((principal, policy(BOTH))),
        prop::option::of(any_of(&["a", "b1", "orders"])),
        prop::sample::subsequence(vec!["aws:SourceVpce", "aws:UserAgent"], 0..=2),
    )
        .prop_map(|(identity, boundary, session, resource, team, unknown)| {
            let mut request = json!({
                "id": 1,
                "principal": "arn:aws:sts::111122223333:assumed-role/app/s1",
                "action": "sqs:SendMessage",
                "resource": QUEUE,
                "resource_account": "111122223333",
                "context": {"aws:PrincipalArn": ["arn:aws:iam::111122223333:role/app"]},
                "unknown": unknown,
                "identity_policies": identity,
            });
            if let Some(team) = team {
                request["context"]["aws:PrincipalTag/team"] = json!([team]);
            }
            if let Some(boundary) = boundary {
                request["permissions_boundaries"] = json!([boundary]);
            }
            if let Some(session) = session {
                request["session_policies"] = json!([session]);
            }
            if let Some((principal, mut policy)) = resource {
                for statement in policy["Statement"].as_array_mut().unwrap() {
                    statement["Principal"] = match principal.as_str() {
                        Some("*") => json!("*"),
                        _ => json!({ "AWS": principal }),
                    };
                }
                request["resource_policy"] = policy;
            }
            request
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_deny_more_never_allows_more(request in request(), deny in policy(&["Deny"])) {
        let mut with_deny = request.clone();
        with_deny["identity_policies"].as_array_mut().unwrap().push(deny);
        let decisions = decide(&[&request, &with_deny]);
        prop_assert!(decisions[1] <= decisions[0], "{decisions:?}");
    }

    #[test]
    fn a_boundary_or_a_session_policy_never_allows_more(request in request(), limit in policy(BOTH)) {
        for layer in ["permissions_boundaries", "session_policies"] {
            let mut open = request.clone();
            open[layer] = json!([]);
            let mut limited = request.clone();
            limited[layer] = json!([limit.clone()]);
            let decisions = decide(&[&open, &limited]);
            prop_assert!(decisions[1] <= decisions[0], "{layer}: {decisions:?}");
        }
    }

    #[test]
    fn the_order_of_statements_and_policies_does_not_matter(request in request()) {
        let mut turned = request.clone();
        let policies = turned["identity_policies"].as_array_mut().unwrap();
        policies.reverse();
        for policy in policies {
            policy["Statement"].as_array_mut().unwrap().reverse();
        }
        if let Some(statements) = turned["resource_policy"]["Statement"].as_array_mut() {
            statements.reverse();
        } else {
            turned.as_object_mut().unwrap().remove("resource_policy");
        }
        let decisions = decide(&[&request, &turned]);
        prop_assert_eq!(decisions[0], decisions[1]);
    }

    #[test]
    fn with_every_key_known_nothing_is_conditional(request in request()) {
        let mut known = request;
        known["unknown"] = json!([]);
        // An unresolved variable in a Deny with NotResource stays open by rule V5.
        known["context"]["aws:PrincipalTag/team"] = json!(["a"]);
        prop_assert_ne!(decide(&[&known])[0], 1);
    }

    #[test]
    fn whatever_an_unknown_key_turns_out_to_be_the_answer_stands(request in request(), value in any_of(&["a", "b2", "zz"])) {
        let mut filled = request.clone();
        for key in request["unknown"].as_array().unwrap() {
            filled["context"][key.as_str().unwrap()] = json!([value]);
        }
        filled["unknown"] = json!([]);
        let mut absent = request.clone();
        absent["unknown"] = json!([]);
        let decisions = decide(&[&request, &filled, &absent]);
        if decisions[0] != 1 {
            prop_assert_eq!(decisions[1], decisions[0]);
            prop_assert_eq!(decisions[2], decisions[0]);
        }
    }

    #[test]
    fn splitting_a_statement_by_action_or_resource_changes_nothing(
        effect in any_of(BOTH),
        condition in prop::option::of(condition()),
        team in any_of(&["a", "b1"]),
    ) {
        let statement = |action: Value, resource: Value| {
            let mut statement = json!({"Effect": effect, "Action": action, "Resource": resource});
            if let Some(condition) = &condition {
                statement["Condition"] = condition.clone();
            }
            statement
        };
        let request = |statements: Value| json!({
            "id": 1,
            "principal": "arn:aws:iam::111122223333:user/alice",
            "action": "sqs:SendMessage",
            "resource": QUEUE,
            "context": {"aws:PrincipalTag/team": [team]},
            "unknown": ["aws:SourceVpce"],
            "identity_policies": [
                {"Version": "2012-10-17", "Statement": statements},
                {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]},
            ],
        });
        let (send, other) = (json!("sqs:SendMessage"), json!("sqs:ReceiveMessage"));
        let (queue, else_where) = (json!(QUEUE), json!("arn:aws:sqs:eu-west-1:111122223333:x"));
        let whole = request(json!([statement(json!([send, other]), json!([queue, else_where]))]));
        let split = request(json!([
            statement(send.clone(), queue.clone()),
            statement(send, else_where.clone()),
            statement(other.clone(), queue),
            statement(other, else_where),
        ]));
        let decisions = decide(&[&whole, &split]);
        prop_assert_eq!(decisions[0], decisions[1]);
    }
}
