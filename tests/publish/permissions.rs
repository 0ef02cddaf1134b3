//! `patscan iam-policy --with`: what publishing needs and nothing else, apart from what a scan needs.

use std::collections::BTreeSet;

use patscan::publish::CALLS;
use serde_json::{Value, json};

use super::{Workshop, publish};
use crate::emulator::{ACCOUNT, Answer, Canned};
use crate::patscan::Patscan;

fn statements(with: &[&str]) -> Vec<Value> {
    let with = with.iter().flat_map(|what| ["--with", what]);
    let run = Patscan::new(["iam-policy"]).args(with).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    run.json()["Statement"].as_array().unwrap().clone()
}

fn with_sid<'a>(statements: &'a [Value], sid: &str) -> &'a Value {
    statements
        .iter()
        .find(|one| one["Sid"] == sid)
        .unwrap_or_else(|| panic!("{sid}: {statements:?}"))
}

#[test]
fn a_policy_for_a_scan_allows_no_publishing() {
    let plain = statements(&[]);
    assert_eq!(plain.len(), 2);
    let scan = plain[0]["Action"].to_string();
    for call in CALLS {
        assert!(
            !scan.contains(&format!("{:?}", call.iam_action)),
            "{}",
            call.iam_action
        );
    }
    let words = [
        "publish-securityhub",
        "publish-s3",
        "publish-sns",
        "publish-eventbridge",
    ];
    let with = statements(&words);
    let added: Vec<&Value> = with.iter().filter(|one| !plain.contains(one)).collect();
    assert_eq!(with.len(), plain.len() + added.len());
    let allowed: BTreeSet<&str> = added
        .iter()
        .flat_map(|one| one["Action"].as_array().unwrap())
        .map(|action| action.as_str().unwrap())
        .collect();
    assert_eq!(allowed, CALLS.iter().map(|call| call.iam_action).collect());
    for statement in added {
        assert_ne!(statement["Resource"], "*");
    }
}

#[test]
fn a_destination_is_allowed_by_itself() {
    let topic = format!("arn:aws:sns:eu-west-1:{ACCOUNT}:findings");
    let key = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/k");
    let all = statements(&[
        &format!("s3://audits/patscan?kms-key={key}"),
        &format!("s3://audits/again?kms-key={key}"),
        &topic,
        "eventbridge:audit",
        &format!("securityhub://cn-north-1?account={ACCOUNT}"),
        "slack+https://hooks.slack.com/services/token",
    ]);
    assert_eq!(
        with_sid(&all, "PatscanPublishesToS3"),
        &json!({"Sid": "PatscanPublishesToS3", "Effect": "Allow", "Action": ["s3:PutObject"],
                "Resource": ["arn:aws:s3:::audits/again/*", "arn:aws:s3:::audits/patscan/*"]})
    );
    assert_eq!(
        with_sid(&all, "PatscanEncryptsForS3"),
        &json!({"Sid": "PatscanEncryptsForS3", "Effect": "Allow", "Action": ["kms:GenerateDataKey"], "Resource": [key],
                "Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}}})
    );
    assert_eq!(
        with_sid(&all, "PatscanPublishesToSns")["Resource"],
        json!([topic])
    );
    assert_eq!(
        with_sid(&all, "PatscanPublishesToEventBridge")["Resource"],
        json!(["arn:aws:events:*:*:event-bus/audit"])
    );
    assert_eq!(
        with_sid(&all, "PatscanPublishesToSecurityHub")["Resource"],
        json!([
            format!("arn:aws-cn:securityhub:cn-north-1:{ACCOUNT}:hub/default"),
            format!("arn:aws-cn:securityhub:cn-north-1:{ACCOUNT}:product/{ACCOUNT}/default")
        ])
    );
    assert_eq!(all.len(), 2 + 5, "a webhook needs no permission");
    let alias = statements(&["s3://audits?kms-key=alias/audits"]);
    let condition = &with_sid(&alias, "PatscanEncryptsForS3")["Condition"];
    assert_eq!(
        condition["ForAnyValue:StringEquals"]["kms:ResourceAliases"],
        "alias/audits"
    );
}

#[test]
fn what_is_no_destination_is_told() {
    let run = Patscan::new(["iam-policy", "--with", "publish-moon"]).run();
    let failure = run.failure();
    assert!(
        failure.starts_with("--with takes `publish-securityhub`, `publish-s3`"),
        "{failure}"
    );
}

#[test]
fn publishing_calls_nothing_but_what_the_policy_allows() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "securityhub:GetFindings" => Some(Answer::ok(r#"{"Findings":[]}"#)),
        "s3:PutObject" => Some(Answer::ok("")),
        "sts:GetCallerIdentity" => None,
        _ => Some(Answer::denied(request)),
    });
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let topic = format!("arn:aws:sns:eu-west-1:{ACCOUNT}:findings");
    let others = [
        "--to",
        "s3://audits",
        "--to",
        &topic,
        "--to",
        "eventbridge:audit",
    ];
    let run = publish(&report, "securityhub", aws.url(), &others);
    assert_eq!(run.code, 2);
    let called: BTreeSet<String> = aws
        .received()
        .iter()
        .map(crate::emulator::Request::call)
        .collect();
    let mut known: BTreeSet<String> = CALLS.iter().map(|call| call.operation.to_owned()).collect();
    // AWS tells every caller who it is.
    known.insert("sts:GetCallerIdentity".to_owned());
    assert_eq!(called, known);
}
