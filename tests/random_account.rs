//! Small random accounts that use every feature at once, from vocabularies so small that things meet: the ground on which two
//! ways of deciding are compared, and on which nothing may panic.

use std::path::Path;

use chrono::DateTime;
use patscan::account::{Account, from_slice};
use patscan::audit::audit;
use patscan::report::{self, Format, Style};
use patscan::rules::Settings;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

const OWN: &str = "111122223333";
/// The second account that may be audited along with the first.
const SECOND: &str = "444455556666";
const ROLES: &[&str] = &[
    "app",
    "worker",
    "admin",
    "team/app2",
    "ops",
    "AWSReservedSSO_dev",
];
const USERS: &[&str] = &["alice", "bob", "people/carol"];
const GROUPS: &[&str] = &["devs", "ops"];
const QUEUES: &[&str] = &[
    "eu-west-1 orders",
    "eu-west-1 orders-dlq",
    "eu-west-1 prod-orders",
    "eu-west-1 pay-in",
    "eu-west-1 alice-in",
    "eu-west-1 orders.fifo",
    "us-east-1 orders",
    "us-east-1 orders-dlq",
];
const POLICIES: &[&str] = &[
    "arn:aws:iam::aws:policy/AdministratorAccess",
    "arn:aws:iam::ACCOUNT:policy/shared",
    "arn:aws:iam::ACCOUNT:policy/queues",
    "arn:aws:iam::ACCOUNT:policy/limits",
    "arn:aws:iam::ACCOUNT:policy/unread",
    "arn:aws:iam::ACCOUNT:policy/never-collected",
];
const ACTIONS: &[&str] = &[
    "sqs:SendMessage",
    "SQS:sendmessage",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:PurgeQueue",
    "sqs:SetQueueAttributes",
    "sqs:AddPermission",
    "sqs:DeleteQueue",
    "sqs:StartMessageMoveTask",
    "sqs:GetQueueAttributes",
    "sqs:ListQueues",
    "sqs:SendMessageBatch",
    "sqs:*",
    "sqs:*Message",
    "sqs:*e",
    "sqs:?endMessage",
    "sqs:Delete*",
    "sqs:Set*",
    "s*:*",
    "*",
    "*:*",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:*",
    "s3:GetObject",
    "sts:AssumeRole",
    "sqs",
    "",
];
const RESOURCES: &[&str] = &[
    "*",
    "**",
    "arn:aws:sqs:eu-west-1:111122223333:orders",
    "arn:aws:sqs:eu-west-1:111122223333:orders-dlq",
    "arn:aws:sqs:eu-west-1:111122223333:pay-in",
    "arn:aws:sqs:us-east-1:111122223333:orders",
    "arn:aws:sqs:eu-west-1:444455556666:orders",
    "arn:aws:sqs:eu-west-1:777788889999:orders",
    "arn:aws:sqs:eu-west-1:111122223333:missing",
    "arn:aws:sqs:eu-west-1:111122223333:ord*",
    "arn:aws:sqs:eu-west-1:111122223333:*-dlq",
    "arn:aws:sqs:eu-west-1:111122223333:*ord*",
    "arn:aws:sqs:eu-west-1:111122223333:order?",
    "arn:aws:sqs:eu-west-1:111122223333:Orders",
    "arn:aws:sqs:eu-west-1:111122223333:????-*",
    "arn:aws:sqs:eu-west-1:111122223333:*",
    "arn:aws:sqs:*:111122223333:orders",
    "arn:aws:sqs:eu-*:*:orders*",
    "arn:aws:sqs:*:*:*",
    "arn:*:sqs:*:*:*-dlq",
    "arn:aws*:sqs:??-west-?:111122223333:orders",
    "arn:aws-cn:sqs:*:*:*",
    "arn:aws:sqs",
    "arn:aws:sqs:*",
    "arn:aws:sqs:eu-west-1",
    "arn:aws:s*:*",
    "arn:aws:sqs:*:111122223333:${aws:username}-*",
    "arn:aws:sqs:*:111122223333:${aws:PrincipalTag/team}-*",
    "arn:aws:sqs:*:111122223333:${aws:PrincipalTag/team, 'orders'}*",
    "arn:aws:sqs:*:111122223333:${aws:ResourceTag/team}*",
    "arn:aws:sqs:*:111122223333:${aws:userid}",
    "arn:aws:sqs:*:111122223333:orders${*}",
    "arn:aws:sqs:${aws:RequestedRegion}:111122223333:orders",
    "arn:aws:sqs:*:111122223333:${broken",
    "arn:aws:kms:eu-west-1:111122223333:key/own",
    "arn:aws:kms:*:*:key/*",
    "arn:aws:s3:::bucket/*",
    "no arn",
    "",
];
const STRING_KEYS: &[&str] = &[
    "aws:PrincipalTag/team",
    "aws:principaltag/TEAM",
    "aws:PrincipalTag/env",
    "aws:ResourceTag/team",
    "aws:resourcetag/Team",
    "aws:RequestTag/team",
    "aws:TagKeys",
    "aws:username",
    "aws:userid",
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalType",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:FederatedProvider",
    "aws:SourceIdentity",
    "aws:CalledVia",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:RequestedRegion",
    "aws:SourceAccount",
    "aws:SourceOwner",
    "aws:SourceOrgID",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:UserAgent",
    "aws:referer",
    "kms:ViaService",
    "kms:CallerAccount",
    "kms:EncryptionContext:aws:sqs:arn",
    "kms:EncryptionContextKeys",
    "sts:ExternalId",
    "no-key",
];
const STRING_VALUES: &[&str] = &[
    "pay",
    "Pay",
    "orders",
    "p*",
    "*",
    "?ay",
    "",
    "prod",
    "alice",
    "AROAAPP:*",
    OWN,
    SECOND,
    "o-x",
    "o-x/*",
    "o-x/r-1/ou-1/",
    "eu-west-1",
    "User",
    "AssumedRole",
    "sns.amazonaws.com",
    "vpce-1",
    "sqs.eu-west-1.amazonaws.com",
    "arn:aws:sqs:eu-west-1:111122223333:orders",
    "arn:aws:iam::111122223333:role/app",
    "${aws:PrincipalTag/team}",
    "${aws:PrincipalTag/team, 'pay'}",
    "${aws:ResourceTag/team}",
    "${aws:username}",
    "${aws:PrincipalAccount}",
    "${aws:SourceVpce}",
    "${*}",
    "${broken",
];
const ARNS: &[&str] = &[
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:iam::*:role/team/*",
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:iam::111122223333:user/${aws:username}",
    "arn:aws:sts::111122223333:assumed-role/app/*",
    "arn:aws:sns:eu-west-1:111122223333:topic",
    "arn:aws:sns:*:topic",
    "arn:aws:s3:::bucket",
    "arn:aws:sqs:eu-west-1:111122223333:orders",
    "arn:aws:sqs:*:*:ord*",
    "*",
];

fn any_of(choices: &'static [&'static str]) -> impl Strategy<Value = Value> + Clone {
    select(choices).prop_map(Value::from)
}

/// One value, or a list of some: AWS takes both.
fn one_or_some(choices: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop_oneof![
        30 => any_of(choices),
        20 => vec(any_of(choices), 1..4).prop_map(Value::from),
        1 => Just(json!([])),
    ]
    .boxed()
}

/// An operator that fits the key, a key, and values that fit both; now and then nothing fits.
fn test() -> impl Strategy<Value = (String, &'static str, Value)> {
    let strings = &[
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
    ][..];
    let arns = &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"][..];
    let arn_keys = &[
        "aws:PrincipalArn",
        "aws:SourceArn",
        "aws:SourceVpcArn",
        "kms:EncryptionContext:aws:sqs:arn",
    ][..];
    let numbers = &[
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
    ][..];
    let dates = &[
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
    ][..];
    let times = &["aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime"][..];
    let instants = &["2026-01-01T00:00:00Z", "2027-06-01", "1767225600", "soon"][..];
    let flags = &[
        "aws:MultiFactorAuthPresent",
        "aws:SecureTransport",
        "aws:PrincipalIsAWSService",
        "aws:ViaAWSService",
        "aws:AssumedRoot",
        "kms:GrantIsForAWSResource",
    ][..];
    let booleans = &["true", "false", "True", "maybe"][..];
    let addresses = &[
        "10.0.0.0/8",
        "203.0.113.7",
        "0.0.0.0/0",
        "2001:db8::/32",
        "nowhere",
    ][..];
    let of = |operators: &'static [&'static str],
              keys: &'static [&'static str],
              values: &'static [&'static str]| {
        (select(operators), select(keys), one_or_some(values))
    };
    let fitting = prop_oneof![
        8 => of(strings, STRING_KEYS, STRING_VALUES),
        3 => of(arns, arn_keys, ARNS),
        2 => of(&["Bool"], flags, booleans),
        1 => of(numbers, &["aws:MultiFactorAuthAge", "sqs:other"], &["300", "3600", "-1", "1e3", "x"]),
        1 => of(dates, times, instants),
        2 => of(&["IpAddress", "NotIpAddress"], &["aws:SourceIp", "aws:VpcSourceIp"], addresses),
        2 => of(&["Null"], STRING_KEYS, &["true", "false", "x"]),
        1 => of(&["Null"], flags, &["true", "false"]),
        1 => of(&["BinaryEquals"], &["aws:PrincipalTag/team"], &["cGF5", "!"]),
        1 => of(&["StringSortOf", "", "stringequals"], STRING_KEYS, STRING_VALUES),
        1 => of(dates, STRING_KEYS, ARNS),
    ];
    let before = prop_oneof![8 => Just(""), 1 => Just("ForAnyValue:"), 1 => Just("ForAllValues:")];
    let after = prop_oneof![4 => Just(""), 1 => Just("IfExists")];
    (before, fitting, after).prop_map(|(before, (operator, key, value), after)| {
        // Values other than text are written without quotation marks as well.
        let value = match value.as_str() {
            Some("false") => json!(false),
            Some("300") => json!(300),
            _ => value,
        };
        (format!("{before}{operator}{after}"), key, value)
    })
}

fn condition() -> impl Strategy<Value = Value> {
    let tests = vec(test(), 1..3).prop_map(|tests| {
        let mut operators = Map::new();
        for (operator, key, value) in tests {
            let keys = operators.entry(operator).or_insert_with(|| json!({}));
            keys[key] = value;
        }
        Value::Object(operators)
    });
    prop_oneof![60 => tests, 1 => any_of(&["none"]), 1 => Just(json!({}))]
}

fn principal() -> impl Strategy<Value = Value> {
    let aws = one_or_some(&[
        "*",
        "arn:aws:iam::111122223333:root",
        OWN,
        SECOND,
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:iam::111122223333:role/team/app2",
        "arn:aws:sts::111122223333:assumed-role/app/s1",
        "arn:aws:sts::111122223333:assumed-role/app/i-1",
        "arn:aws:sts::111122223333:assumed-role/app/first",
        "arn:aws:sts::111122223333:federated-user/alice",
        "arn:aws:iam::444455556666:role/app",
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::777788889999:role/partner",
        "arn:aws:iam::777788889999:root",
        "AROADELETEDEXAMPLEEXA",
        "AIDADELETEDEXAMPLEEXA",
        "arn:aws:iam::111122223333:role/*",
        "nobody",
    ]);
    let services = one_or_some(&[
        "sns.amazonaws.com",
        "events.amazonaws.com",
        "s3.amazonaws.com",
        "lambda.amazonaws.com",
        "ec2.amazonaws.com",
    ]);
    let providers = one_or_some(&[
        "arn:aws:iam::111122223333:saml-provider/sso",
        "arn:aws:iam::111122223333:oidc-provider/issuer.example",
        "cognito-identity.amazonaws.com",
    ]);
    prop_oneof![
        3 => Just(json!("*")),
        8 => aws.prop_map(|aws| json!({ "AWS": aws })),
        2 => services.prop_map(|services| json!({ "Service": services })),
        1 => providers.prop_map(|providers| json!({ "Federated": providers })),
        1 => Just(json!({"CanonicalUser": "0123"})),
        1 => Just(json!({"AWS": "arn:aws:iam::111122223333:role/app", "Service": "sns.amazonaws.com"})),
        1 => Just(json!({})),
    ]
}

/// What a document is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Identity,
    Resource,
    Control,
}

fn statement(of: Of) -> impl Strategy<Value = Value> {
    let effect = prop_oneof![
        80 => Just("Allow"),
        30 => Just("Deny"),
        1 => Just("allow"),
    ];
    let named = |plain: &'static str, negated: &'static str| prop_oneof![60 => Just(Some(plain)), 15 => Just(Some(negated)), 1 => Just(None)];
    let resource = if of == Of::Resource {
        one_or_some(&[
            "arn:aws:sqs:eu-west-1:111122223333:orders",
            "arn:aws:sqs:eu-west-1:111122223333:pay-in",
            "arn:aws:sqs:*:*:orders*",
            "*",
            "arn:aws:sqs:eu-west-1:111122223333:other",
        ])
    } else {
        prop_oneof![2 => one_or_some(RESOURCES), 1 => Just(json!("*"))].boxed()
    };
    let action = prop_oneof![3 => one_or_some(ACTIONS), 1 => any_of(&["sqs:*", "*"])];
    (
        effect,
        named("Action", "NotAction"),
        action,
        named("Resource", "NotResource"),
        resource,
        named("Principal", "NotPrincipal"),
        principal(),
        option::weighted(0.4, condition()),
        prop::bool::weighted(0.2),
    )
        .prop_map(
            move |(effect, which, action, where_, resource, who, principal, condition, sid)| {
                let mut statement = json!({ "Effect": effect });
                if sid {
                    statement["Sid"] = json!("one");
                }
                if let Some(which) = which {
                    statement[which] = action;
                }
                if let Some(where_) = where_ {
                    statement[where_] = resource;
                }
                match (of, who) {
                    (Of::Resource, Some(who)) => statement[who] = principal,
                    (Of::Control, _) if principal == json!("*") => {
                        statement["Principal"] = principal;
                    }
                    _ => {}
                }
                if let Some(condition) = condition {
                    statement["Condition"] = condition;
                }
                statement
            },
        )
}

/// The text of a policy document, sometimes with a fault.
fn document(of: Of) -> BoxedStrategy<Value> {
    let version = prop_oneof![
        20 => Just(Some("2012-10-17")),
        6 => Just(Some("2008-10-17")),
        3 => Just(None),
        1 => Just(Some("2024-01-01")),
    ];
    let whole = (version, vec(statement(of), 1..4), prop::bool::weighted(0.2))
        .prop_map(|(version, mut statements, alone)| {
            let mut document = match statements.pop() {
                Some(only) if alone => json!({ "Statement": only }),
                last => {
                    statements.extend(last);
                    json!({ "Statement": statements })
                }
            };
            if let Some(version) = version {
                document["Version"] = json!(version);
            }
            document
        })
        .boxed();
    let text = whole.clone().prop_map(|document| document.to_string());
    let twice = whole.prop_map(|document| {
        document.to_string().replacen(
            '{',
            r#"{"Version": "2008-10-17", "Version": "2012-10-17","#,
            1,
        )
    });
    let everything = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
    let broken = select(
        &[
            "",
            "{",
            "[]",
            "null",
            r#"{"Version": "2012-10-17"}"#,
            r#"{"Statement": []}"#,
            r#"{"Statement": [{}]}"#,
        ][..],
    );
    prop_oneof![
        60 => text,
        1 => twice,
        2 => Just(everything.to_owned()),
        1 => broken.prop_map(str::to_owned),
    ]
    .prop_map(Value::from)
    .boxed()
}

fn inline() -> impl Strategy<Value = Value> {
    vec(document(Of::Identity), 0..3).prop_map(|documents| {
        documents
            .into_iter()
            .enumerate()
            .map(|(number, document)| json!({"name": format!("inline-{number}"), "document": document}))
            .collect()
    })
}

/// Policies that are attached: seldom one that was not read.
fn attached() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => subsequence(&POLICIES[..4], 0..3),
        1 => subsequence(POLICIES, 0..3),
    ]
    .prop_map(|policies| json!(policies))
}

fn boundary() -> impl Strategy<Value = Value> {
    let policy = prop_oneof![8 => select(&POLICIES[..4]), 1 => select(POLICIES)];
    option::weighted(0.3, policy).prop_map(|policy| json!(policy))
}

/// Tags, among them two whose keys differ by case only.
fn tags() -> impl Strategy<Value = Value> {
    let pairs = &[
        ("team", "pay"),
        ("Team", "orders"),
        ("team", "p*"),
        ("env", "prod"),
        ("env", ""),
    ][..];
    subsequence(pairs, 0..4).prop_map(|mut pairs| {
        pairs.dedup_by_key(|(key, _)| *key);
        let tag = |(key, value)| json!({"key": key, "value": value});
        pairs.into_iter().map(tag).collect()
    })
}

fn trust() -> BoxedStrategy<Value> {
    let statement = |principal: Value, actions: Value| {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": actions}]})
            .to_string()
    };
    let known = vec![
        statement(
            json!({"Service": "lambda.amazonaws.com"}),
            json!("sts:AssumeRole"),
        ),
        statement(
            json!({"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}),
            json!("sts:AssumeRole"),
        ),
        statement(json!({ "AWS": OWN }), json!("sts:AssumeRole")),
        statement(
            json!({ "AWS": "arn:aws:iam::777788889999:root" }),
            json!(["sts:AssumeRole", "sts:TagSession"]),
        ),
        statement(
            json!({"Federated": "arn:aws:iam::111122223333:saml-provider/sso"}),
            json!(["sts:AssumeRoleWithSAML", "sts:TagSession"]),
        ),
        statement(
            json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/issuer.example"}),
            json!("sts:AssumeRoleWithWebIdentity"),
        ),
        "{".to_owned(),
    ];
    prop_oneof![5 => select(known).prop_map(Value::from), 1 => document(Of::Resource)].boxed()
}

fn role() -> impl Strategy<Value = Value> {
    (trust(), tags(), inline(), attached(), boundary()).prop_map(
        |(trust, tags, inline, attached, boundary)| {
            json!({
                "trust": trust, "tags": tags, "inline": inline, "attached": attached, "boundary": boundary,
            })
        },
    )
}

fn user() -> impl Strategy<Value = Value> {
    let groups = subsequence(GROUPS, 0..=GROUPS.len());
    (groups, tags(), inline(), attached(), boundary()).prop_map(
        |(groups, tags, inline, attached, boundary)| {
            json!({
                "groups": groups, "tags": tags, "inline": inline, "attached": attached, "boundary": boundary,
            })
        },
    )
}

fn group() -> impl Strategy<Value = Value> {
    (inline(), attached())
        .prop_map(|(inline, attached)| json!({"inline": inline, "attached": attached}))
}

fn encryption() -> impl Strategy<Value = Value> {
    let key = any_of(&[
        "arn:aws:kms:eu-west-1:ACCOUNT:key/own",
        "own",
        "alias/own",
        "arn:aws:kms:eu-west-1:ACCOUNT:alias/own",
        "alias/aws/sqs",
        "arn:aws:kms:eu-west-1:ACCOUNT:key/disabled",
        "arn:aws:kms:eu-west-1:ACCOUNT:key/of-aws",
        "arn:aws:kms:eu-west-1:ACCOUNT:key/not-collected",
        "arn:aws:kms:eu-west-1:444455556666:key/own",
        "alias/unknown",
    ]);
    prop_oneof![
        3 => Just(json!({"mode": "sqs-managed"})),
        1 => Just(json!({"mode": "none"})),
        3 => key.prop_map(|key| json!({"mode": "kms", "key": key})),
    ]
}

fn queue() -> impl Strategy<Value = Value> {
    let redrive = any_of(&[
        "arn:aws:sqs:eu-west-1:ACCOUNT:orders-dlq",
        "arn:aws:sqs:eu-west-1:ACCOUNT:orders",
        "arn:aws:sqs:eu-west-1:ACCOUNT:deleted",
    ])
    .prop_map(|target| json!({"dead_letter_queue": target, "max_receive_count": 3}));
    let allow = select(vec![
        json!({"permission": "allowAll"}),
        json!({"permission": "denyAll"}),
        json!({"permission": "byQueue", "source_queues": ["arn:aws:sqs:eu-west-1:ACCOUNT:orders"]}),
    ]);
    let attributes = (
        option::weighted(0.6, document(Of::Resource)),
        option::weighted(0.3, redrive),
        option::weighted(0.2, allow),
        encryption(),
    )
        .prop_map(|(policy, redrive, allow, encryption)| {
            json!({
                "policy": policy, "redrive": redrive, "redrive_allow": allow, "encryption": encryption,
            })
        });
    (
        option::weighted(0.93, attributes),
        option::weighted(0.85, tags()),
    )
        .prop_map(|(attributes, tags)| json!({"attributes": attributes, "tags": tags}))
}

fn grant() -> impl Strategy<Value = Value> {
    let pairs = || {
        select(vec![
            json!({}),
            json!({"aws:sqs:arn": "arn:aws:sqs:eu-west-1:111122223333:orders"}),
            json!({"aws:sqs:arn": "*"}),
        ])
    };
    let grantee = any_of(&[
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:sts::111122223333:assumed-role/app/s1",
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:root",
        "444455556666",
        "sns.amazonaws.com",
        "AROADELETEDEXAMPLEEXA",
    ]);
    let operations = subsequence(&["Decrypt", "Encrypt", "GenerateDataKey"][..], 1..=3);
    let source = any_of(&["arn:aws:sns:eu-west-1:111122223333:topic"]);
    (
        grantee,
        operations,
        pairs(),
        option::weighted(0.3, pairs()),
        option::weighted(0.2, source),
    )
        .prop_map(|(grantee, operations, subset, equals, source)| {
            json!({
                "id": "grant", "grantee": grantee, "operations": operations,
                "context_subset": subset, "context_equals": equals, "source_arn": source,
            })
        })
}

fn keys() -> impl Strategy<Value = Value> {
    let delegation = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::ACCOUNT:root"}, "Action": "kms:*", "Resource": "*"},
    ]})
    .to_string();
    let of_key = document(Of::Resource).prop_map(|text| match text.as_str() {
        // The documents speak of queues; in a key policy the same statements shall speak of the key.
        Some(text) => json!(
            text.replace("arn:aws:sqs:eu-west-1:111122223333:orders\"", "*\"")
                .replace("sqs:SendMessage\"", "kms:*\"")
        ),
        None => text,
    });
    let policy = prop_oneof![
        2 => Just(json!(delegation)),
        3 => of_key,
        1 => Just(Value::Null),
    ];
    let grants = option::weighted(0.8, vec(grant(), 0..3));
    let aliases = option::weighted(0.8, Just(json!(["alias/own"])));
    (policy, grants, aliases, prop::bool::weighted(0.7)).prop_map(
        |(policy, grants, aliases, complete)| {
            let key = |id: &str, manager: &str, state: &str, policy: &Value, aliases: &Value| {
                json!({
                    "arn": format!("arn:aws:kms:eu-west-1:ACCOUNT:key/{id}"), "aliases": aliases,
                    "manager": manager, "state": state, "policy": policy, "grants": grants,
                })
            };
            let mut keys = vec![key("own", "customer", "Enabled", &policy, &json!(aliases))];
            if complete {
                keys.push(key("disabled", "customer", "Disabled", &policy, &json!([])));
                keys.push(key("of-aws", "aws", "Enabled", &Value::Null, &json!(null)));
            }
            json!(keys)
        },
    )
}

fn controls() -> impl Strategy<Value = Value> {
    let full = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}"#;
    let full_of_services = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
    let policy = prop_oneof![
        8 => select(vec![full, full_of_services]).prop_map(Value::from),
        6 => document(Of::Control),
        1 => Just(Value::Null),
    ]
    .prop_map(|document| json!({"id": "p-1", "name": "one", "document": document}));
    let everything = json!({"id": "p-0", "name": "full", "document": full_of_services});
    let level =
        (vec(policy, 0..3), prop::bool::weighted(0.8)).prop_map(move |(mut policies, open)| {
            if open {
                policies.push(everything.clone());
            }
            json!({"target": "r-1", "policies": policies})
        });
    option::weighted(0.9, vec(level, 0..3)).prop_map(|levels| json!(levels))
}

fn organization() -> impl Strategy<Value = Value> {
    let member = (
        any_of(&["o-x", "o-y"]),
        any_of(&["999988887777", "999988887777", OWN]),
        option::weighted(0.8, any_of(&["o-x/r-1/ou-1/", "o-x/r-1/"])),
        controls(),
        controls(),
    )
        .prop_map(|(id, management, path, service, resource)| {
            json!({
                "membership": "member", "id": id, "management_account": management, "path": path,
                "service_controls": service, "resource_controls": resource,
            })
        });
    prop_oneof![
        1 => Just(Value::Null),
        5 => Just(json!({"membership": "none"})),
        6 => member,
    ]
}

/// Functions and instances that run as the roles, and event source mappings for the functions.
fn workloads() -> impl Strategy<Value = (Vec<Value>, Vec<Value>, Vec<Value>)> {
    let arn_of = |queue: &str| {
        let (region, name) = queue.split_once(' ').unwrap();
        format!("arn:aws:sqs:{region}:ACCOUNT:{name}")
    };
    let function = (
        subsequence(&["first", "second", "third"][..], 0..=3),
        vec(select(ROLES), 3),
    );
    let functions = function.prop_map(|(names, roles)| {
        let function = |(name, role)| {
            json!({
                "arn": format!("arn:aws:lambda:eu-west-1:ACCOUNT:function:{name}"),
                "role": format!("arn:aws:iam::ACCOUNT:role/{role}"),
            })
        };
        names.into_iter().zip(roles).map(function).collect()
    });
    let instances = vec(option::weighted(0.8, select(ROLES)), 0..3).prop_map(|roles| {
        let instance = |(number, role): (usize, Option<&str>)| {
            json!({
                "arn": format!("arn:aws:ec2:eu-west-1:ACCOUNT:instance/i-{number}"),
                "instance_profile": role.map(|role| format!("arn:aws:iam::ACCOUNT:instance-profile/{role}")),
            })
        };
        roles.into_iter().enumerate().map(instance).collect()
    });
    let target = select(&["first", "first:live", "second", "second:7", "third"][..]);
    let mappings = vec((select(QUEUES), target, any::<bool>()), 0..4).prop_map(move |mappings| {
        let mapping = |(number, (queue, function, enabled)): (usize, (&str, &str, bool))| {
            json!({
                "id": format!("mapping-{number}"), "source": arn_of(queue), "enabled": enabled,
                "function": format!("arn:aws:lambda:eu-west-1:ACCOUNT:function:{function}"),
            })
        };
        mappings.into_iter().enumerate().map(mapping).collect()
    });
    (functions, mappings, instances)
}

/// Lays names over what was drawn without any.
fn named<'n>(
    names: impl IntoIterator<Item = &'n str>,
    drawn: Vec<Value>,
    name: impl Fn(&mut Value, &str),
) -> Value {
    let with_name = |(one, mut drawn): (&str, Value)| {
        name(&mut drawn, one);
        drawn
    };
    names.into_iter().zip(drawn).map(with_name).collect()
}

fn snapshot(id: &'static str) -> impl Strategy<Value = Account> {
    let principals = (
        subsequence(ROLES, 0..=ROLES.len()),
        vec(role(), ROLES.len()),
        subsequence(USERS, 0..=USERS.len()),
        vec(user(), USERS.len()),
        subsequence(GROUPS, 0..=GROUPS.len()),
        vec(group(), GROUPS.len()),
        vec(document(Of::Identity), 3),
    );
    let queues = (
        subsequence(QUEUES, 0..=QUEUES.len()),
        vec(queue(), QUEUES.len()),
    );
    (principals, queues, keys(), organization(), workloads()).prop_map(
        move |(principals, queues, keys, organization, (functions, mappings, instances))| {
            let (roles, drawn_roles, users, drawn_users, groups, drawn_groups, documents) = principals;
            let roles = named(roles, drawn_roles, |role, path| {
                let name = path.rsplit('/').next().unwrap();
                role["arn"] = json!(format!("arn:aws:iam::ACCOUNT:role/{path}"));
                role["id"] = json!(format!("AROA{}", name.to_uppercase()));
                role["instance_profiles"] = json!([format!("arn:aws:iam::ACCOUNT:instance-profile/{path}")]);
            });
            let users = named(users, drawn_users, |user, name| {
                user["arn"] = json!(format!("arn:aws:iam::ACCOUNT:user/{name}"));
                user["id"] = json!(format!("AIDA{}", name.to_uppercase()));
            });
            let groups = named(groups, drawn_groups, |group, name| {
                group["arn"] = json!(format!("arn:aws:iam::ACCOUNT:group/{name}"));
            });
            let queues = named(queues.0, queues.1, |queue, place| {
                let (region, name) = place.split_once(' ').unwrap();
                queue["arn"] = json!(format!("arn:aws:sqs:{region}:ACCOUNT:{name}"));
                queue["url"] = json!(format!("https://sqs.{region}.amazonaws.com/ACCOUNT/{name}"));
                if queue["attributes"].is_object() {
                    queue["attributes"]["fifo"] = json!(name == "orders.fifo");
                }
            });
            let everything = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
            let documents = [everything].into_iter().chain(documents).chain([Value::Null]);
            let policies: Value = POLICIES
                .iter()
                .zip(documents)
                .map(|(arn, document)| json!({"arn": arn, "document": document}))
                .collect();
            let snapshot = json!({
                "schema": "patscan.snapshot/v1",
                "account": {
                    "id": "ACCOUNT", "partition": "aws", "regions": ["eu-west-1", "us-east-1"],
                    "scanned_at": "2026-11-01T08:00:00Z",
                    "users": users, "groups": groups, "roles": roles, "policies": policies, "queues": queues,
                    "functions": functions, "event_source_mappings": mappings, "instances": instances,
                    "keys": keys, "organization": organization,
                },
            });
            let text = snapshot.to_string().replace("ACCOUNT", id);
            from_slice(text.as_bytes(), Path::new("random")).unwrap()
        },
    )
}

/// One or two accounts, the second in the same organization, in another, or in none.
pub(crate) fn accounts() -> impl Strategy<Value = Vec<Account>> {
    (snapshot(OWN), option::weighted(0.3, snapshot(SECOND)))
        .prop_map(|(own, second)| [own].into_iter().chain(second).collect())
}

/// The whole report as JSON, at a fixed time.
fn report(accounts: &[Account]) -> Vec<u8> {
    let settings = Settings {
        trusted: [SECOND.parse().unwrap()].into(),
        ..Settings::default()
    };
    let report = audit(accounts, &settings, DateTime::UNIX_EPOCH);
    let mut json = Vec::new();
    let style = Style {
        color: false,
        width: 80,
    };
    report::write(&report, Format::Json, style, &mut json).unwrap();
    json
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_account_is_audited_and_twice_alike(accounts in accounts()) {
        prop_assert_eq!(report(&accounts), report(&accounts));
    }

    #[test]
    fn the_order_of_the_accounts_changes_no_report(accounts in accounts()) {
        let turned: Vec<Account> = accounts.iter().rev().cloned().collect();
        prop_assert_eq!(report(&accounts), report(&turned));
    }
}
