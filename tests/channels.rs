//! Who may put something into topics, buckets and functions: what is told in sets is what deciding each by itself gives.

use patscan::access::Access;
use patscan::account::{Account, from_slice};
use patscan::policy::Formula;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::generated::cases;

const ACTIONS: [&str; 10] = [
    "sns:Publish",
    "sns:*",
    "*",
    "lambda:InvokeFunction",
    "lambda:*",
    "s3:PutObject",
    "s3:Put*",
    "sqs:SendMessage",
    "kms:*",
    "kms:GenerateDataKey",
];
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000001";
const RESOURCES: [&str; 17] = [
    "*",
    KEY,
    "arn:aws:sns:eu-west-1:111122223333:news",
    "arn:aws:sns:*:*:n*",
    "arn:aws:sns:eu-west-1:111122223333:${aws:PrincipalTag/topic}",
    "arn:aws:sns:eu-west-1:444455556666:theirs",
    "arn:aws:s3:::box",
    "arn:aws:s3:::box/*",
    "arn:aws:s3:::box/in/*",
    "arn:aws:s3:::box/out/*",
    "arn:aws:s3:::box-other/*",
    "arn:aws:s3:::*/*.json",
    "arn:aws:lambda:eu-west-1:111122223333:function:worker",
    "arn:aws:lambda:eu-west-1:111122223333:function:worker:*",
    "arn:aws:lambda:*:*:function:w*",
    "arn:aws:lambda:*:*:function:wa*",
    "arn:aws:lambda:us-east-1:*:function:*",
];
const PRINCIPALS: [&str; 5] = [
    "*",
    "111122223333",
    "arn:aws:iam::111122223333:role/r0",
    "arn:aws:iam::111122223333:user/u",
    "AROAEXAMPLER1",
];

fn statement() -> impl Strategy<Value = Value> {
    let condition = select(vec![
        None,
        None,
        None,
        Some(json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})),
        Some(json!({"StringEquals": {"aws:PrincipalTag/topic": "news"}})),
        Some(json!({"StringEquals": {"aws:PrincipalAccount": "444455556666"}})),
        Some(json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})),
        Some(json!({"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/topic}"}})),
    ]);
    (
        prop_oneof![4 => Just("Allow"), 1 => Just("Deny")],
        prop::collection::vec(select(&ACTIONS[..]), 1..3),
        prop_oneof![6 => Just("Resource"), 1 => Just("NotResource")],
        prop::collection::vec(select(&RESOURCES[..]), 1..3),
        condition,
    )
        .prop_map(|(effect, actions, element, resources, condition)| {
            let mut statement = json!({"Effect": effect, "Action": actions, element: resources});
            if let Some(condition) = condition {
                statement["Condition"] = condition;
            }
            statement
        })
}

fn document() -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(), 1..4)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
}

fn resource_policy(action: &'static str) -> impl Strategy<Value = Value> {
    let statement = (
        prop_oneof![3 => Just("Allow"), 1 => Just("Deny")],
        select(&PRINCIPALS[..]),
    )
        .prop_map(move |(effect, principal)| {
            json!({"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*"})
        });
    prop_oneof![
        Just(Value::Null),
        prop::collection::vec(statement, 1..3)
            .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements})),
    ]
}

/// A key that lets everybody decrypt, so that what else it says decides.
fn key() -> impl Strategy<Value = Value> {
    (resource_policy("kms:GenerateDataKey"), any::<bool>(), any::<bool>(), select(&["Enabled", "Enabled", "Enabled", "Disabled"][..])).prop_map(
        |(policy, by_account, pinned, state)| {
            let mut statements = vec![json!({"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"})];
            statements.extend(policy["Statement"].as_array().cloned().unwrap_or_default());
            if by_account {
                statements.push(json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}));
            }
            if pinned {
                statements.push(json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
                    "Condition": {"StringEquals": {"kms:EncryptionContext:aws:sns:topicArn": "arn:aws:sns:eu-west-1:111122223333:sealed"}}}));
            }
            json!({"arn": KEY, "aliases": [], "manager": "customer", "state": state, "grants": [],
                "policy": {"Version": "2012-10-17", "Statement": statements}})
        },
    )
}

/// No encryption, that of the service, or the key.
fn encryption() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"mode": "none"}),
        json!({"mode": "kms", "key": "alias/aws/sns"}),
        json!({"mode": "kms", "key": KEY}),
    ])
}

fn account() -> impl Strategy<Value = Account> {
    let boundary = prop::option::weighted(0.3, Just("arn:aws:iam::111122223333:policy/limit"));
    let role = (
        prop::collection::vec(document(), 0..3),
        boundary,
        any::<bool>(),
    );
    (
        prop::collection::vec(role, 3),
        document(),
        document(),
        resource_policy("sns:Publish"),
        resource_policy("s3:PutObject"),
        resource_policy("lambda:InvokeFunction"),
        prop::option::of(document()),
        (key(), encryption(), encryption()),
    )
        .prop_map(|(roles, limit, of_user, topic, bucket, function, control, (key, of_topic, of_bucket))| {
            let roles: Vec<Value> = roles
                .into_iter()
                .enumerate()
                .map(|(number, (documents, boundary, tagged))| {
                    let inline: Vec<Value> = documents
                        .into_iter()
                        .enumerate()
                        .map(|(name, document)| json!({"name": format!("p{name}"), "document": document}))
                        .collect();
                    json!({
                        "arn": format!("arn:aws:iam::111122223333:role/r{number}"),
                        "id": format!("AROAEXAMPLER{number}"),
                        "trust": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
                        "tags": if tagged { json!([{"key": "topic", "value": "news"}]) } else { json!([]) },
                        "inline": inline,
                        "boundary": boundary,
                    })
                })
                .collect();
            let organization = match control {
                None => json!({"membership": "none"}),
                Some(document) => json!({
                    "membership": "member", "id": "o-example", "management_account": "999988887777", "path": null,
                    "service_controls": [{"target": "r-root", "policies": [
                        {"id": "p-Full", "name": "Full", "document": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}},
                        {"id": "p-1", "name": "Limit", "document": document},
                    ]}],
                    "resource_controls": [],
                }),
            };
            let topic_arn = "arn:aws:sns:eu-west-1:111122223333:news";
            let bucket_arn = "arn:aws:s3:::box";
            let worker = "arn:aws:lambda:eu-west-1:111122223333:function:worker";
            let functions: Vec<Value> = ["eu-west-1 worker", "eu-west-1 waiter", "eu-west-1 writer", "us-east-1 writer", "us-east-1 walker"]
                .map(|place| place.split_once(' ').unwrap())
                .map(|(region, name)| json!({
                    "arn": format!("arn:aws:lambda:{region}:111122223333:function:{name}"), "role": "arn:aws:iam::111122223333:role/r2",
                }))
                .into();
            let queue = "arn:aws:sqs:eu-west-1:111122223333:orders";
            let service = |name: &str, source: &str| json!({"service": {"name": name, "source": source}});
            let sealed = "arn:aws:sns:eu-west-1:111122223333:sealed";
            let theirs = "arn:aws:sns:eu-west-1:444455556666:theirs";
            let snapshot = json!({
                "schema": "patscan.snapshot/v1",
                "account": {
                    "id": "111122223333", "partition": "aws", "regions": ["eu-west-1"],
                    "scanned_at": "2026-11-01T08:00:00Z", "organization": organization,
                    "roles": roles,
                    "users": [{"arn": "arn:aws:iam::111122223333:user/u", "id": "AIDAEXAMPLEU", "inline": [{"name": "p", "document": of_user}]}],
                    "policies": [{"arn": "arn:aws:iam::111122223333:policy/limit", "document": limit}],
                    "queues": [{"arn": queue, "url": "https://sqs.eu-west-1.amazonaws.com/111122223333/orders", "attributes": {}}],
                    "functions": functions,
                    "deliveries": [
                        {"kind": "subscription", "configured_by": format!("{topic_arn}:1"), "from": topic_arn, "to": queue, "sender": service("sns.amazonaws.com", topic_arn)},
                        {"kind": "subscription", "configured_by": format!("{sealed}:1"), "from": sealed, "to": queue, "sender": service("sns.amazonaws.com", sealed)},
                        {"kind": "subscription", "configured_by": format!("{theirs}:1"), "from": theirs, "to": queue, "sender": service("sns.amazonaws.com", theirs)},
                        {"kind": "notification", "configured_by": bucket_arn, "from": bucket_arn, "to": queue, "sender": service("s3.amazonaws.com", bucket_arn),
                         "filter": {"events": ["s3:ObjectCreated:*"], "prefix": "in/", "suffix": ".json"}},
                        {"kind": "notification", "configured_by": bucket_arn, "from": bucket_arn, "to": format!("{worker}:live"), "sender": service("s3.amazonaws.com", bucket_arn)},
                    ],
                    "channels": [
                        {"arn": bucket_arn, "policy": bucket, "encryption": of_bucket},
                        {"arn": format!("{worker}:live"), "policy": function},
                        {"arn": topic_arn, "policy": topic, "encryption": of_topic},
                        {"arn": sealed, "policy": null, "encryption": {"mode": "kms", "key": KEY}},
                    ],
                    "keys": [key],
                },
            });
            from_slice(snapshot.to_string().as_bytes(), "generated".as_ref()).unwrap()
        })
}

fn told(when: &Formula) -> String {
    match when {
        Formula::Always => "always".to_owned(),
        Formula::Never => "never".to_owned(),
        conditional => conditional.conditions().join(" and "),
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn sets_tell_what_each_inlet_by_itself_tells(account in account()) {
        let accounts = [account];
        let access = Access::compute(&accounts);
        let channels = access.channels();
        prop_assert!(channels.inlets.len() > 5);
        for principal in 0..access.principals.len() {
            let each = channels.rights_one_by_one(principal);
            for inlet in 0..channels.inlets.len() {
                let number = u32::try_from(inlet).unwrap();
                let workloads = access.principals[principal].workloads.len();
                for workload in std::iter::once(None).chain((0..workloads).map(Some)) {
                    let by_itself = each
                        .iter()
                        .find(|right| right.inlets.contains(number))
                        .map_or(Formula::Never, |right| right.of(workload).clone());
                    prop_assert_eq!(
                        told(&channels.when(principal, workload, inlet)),
                        told(&by_itself),
                        "{} on {:?}",
                        access.principals[principal].arn,
                        &channels.inlets[inlet]
                    );
                }
            }
        }
    }
}

/// The names of the functions that a role may invoke under conditions, set by set.
fn invoked(statements: &Value) -> Vec<Vec<String>> {
    let functions: Vec<Value> = ["a", "b", "c", "d"]
        .map(|name| {
            json!({
                "arn": format!("arn:aws:lambda:eu-west-1:111122223333:function:{name}"),
                "role": "arn:aws:iam::111122223333:role/other",
            })
        })
        .into();
    let role = |name: &str, document: Value| {
        json!({
            "arn": format!("arn:aws:iam::111122223333:role/{name}"), "id": format!("AROA{name}"),
            "trust": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
            "inline": [{"name": "p", "document": document}],
        })
    };
    let snapshot = json!({
        "schema": "patscan.snapshot/v1",
        "account": {
            "id": "111122223333", "partition": "aws", "regions": ["eu-west-1"], "scanned_at": "2026-11-01T08:00:00Z",
            "organization": {"membership": "none"},
            "roles": [
                role("caller", json!({"Version": "2012-10-17", "Statement": statements})),
                role("other", json!({"Version": "2012-10-17", "Statement": []})),
            ],
            "functions": functions,
        },
    });
    let accounts = [from_slice(snapshot.to_string().as_bytes(), "by hand".as_ref()).unwrap()];
    let access = Access::compute(&accounts);
    let channels = access.channels();
    let caller = access
        .principals
        .iter()
        .position(|principal| principal.arn.name() == "caller")
        .unwrap();
    let names = |inlets: &patscan::access::InletSet| {
        let inlets = inlets.iter().map(|inlet| &channels.inlets[inlet as usize]);
        inlets
            .map(|inlet| inlet.entity.arn.rsplit(':').next().unwrap().to_owned())
            .collect()
    };
    let rights = channels.rights(caller);
    rights
        .others
        .iter()
        .map(|right| names(&right.inlets))
        .collect()
}

#[test]
fn what_no_statement_tells_apart_is_one_set() {
    let office = json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
    let of = |name: &str| format!("arn:aws:lambda:eu-west-1:111122223333:function:{name}");
    let everywhere =
        json!({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": office});
    assert_eq!(invoked(&json!([everywhere])), [["a", "b", "c", "d"]]);
    let refused = json!({"Effect": "Deny", "Action": "lambda:*", "Resource": of("b"),
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}});
    assert_eq!(
        invoked(&json!([everywhere, refused])),
        [vec!["a", "c", "d"], vec!["b"]]
    );
    let but = json!({"Effect": "Allow", "Action": "lambda:*", "NotResource": of("b"), "Condition": office});
    // The latest version of the one is another resource than the one.
    assert_eq!(invoked(&json!([but])), [["a"], ["b"], ["c"], ["d"]]);
}
