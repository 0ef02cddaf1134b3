//! Tags cost one call for each queue, and are read only where a policy can look at them.

use patscan::account::GapEffect;
use serde_json::json;

use super::{attributes, encoded, gaps, queues_page, scan};
use crate::emulator::{ACCOUNT, Answer, Canned, Request};

const LOOKS_AT_TAGS: &str = r#"{"Condition":{"StringEquals":{"AWS:resourceTag/team":"orders"}}}"#;

/// A role whose trust policy is the document.
fn role_with_trust(document: &str) -> Answer {
    let document = encoded(document);
    Answer::authorization_details(
        &format!(
            "<RoleDetailList><member><RoleName>r</RoleName><RoleId>AROA</RoleId><Arn>arn:aws:iam::{ACCOUNT}:role/r</Arn>\
             <AssumeRolePolicyDocument>{document}</AssumeRolePolicyDocument></member></RoleDetailList>"
        ),
        None,
    )
}

fn one_queue(request: &Request, policy: &str) -> Option<Answer> {
    match request.operation.as_str() {
        "ListQueues" => Some(queues_page(&["orders"], None)),
        "GetQueueAttributes" => Some(attributes("orders", json!({"Policy": policy}))),
        "ListQueueTags" => Some(Answer::ok(r#"{"Tags":{"team":"orders","env":"prod"}}"#)),
        _ => None,
    }
}

#[tokio::test]
async fn tags_are_not_read_when_no_policy_looks_at_them() {
    let aws = Canned::start(|request| one_queue(request, r#"{"Version":"2012-10-17"}"#));
    let account = scan(&aws).await.unwrap();
    assert_eq!(aws.count("sqs:ListQueueTags"), 0);
    assert!(account.queues[0].tags.is_none());
}

#[tokio::test]
async fn a_queue_policy_that_looks_at_tags_makes_them_be_read() {
    let aws = Canned::start(|request| one_queue(request, LOOKS_AT_TAGS));
    let account = scan(&aws).await.unwrap();
    assert_eq!(aws.count("sqs:ListQueueTags"), 1);
    let keys: Vec<_> = account.queues[0]
        .tags
        .as_ref()
        .unwrap()
        .iter()
        .map(|tag| tag.key.as_str())
        .collect();
    assert_eq!(keys, ["env", "team"]);
}

#[tokio::test]
async fn an_escape_that_could_hide_the_key_makes_tags_be_read() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "GetAccountAuthorizationDetails" => Some(role_with_trust(r#"{"\u0041ws":1}"#)),
        _ => one_queue(request, ""),
    });
    scan(&aws).await.unwrap();
    assert_eq!(aws.count("sqs:ListQueueTags"), 1);
}

#[tokio::test]
async fn refused_tags_leave_conditions_open_and_the_report_incomplete() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListQueueTags" => Some(Answer::denied(request)),
        _ => one_queue(request, LOOKS_AT_TAGS),
    });
    let account = scan(&aws).await.unwrap();
    assert!(account.queues[0].tags.is_none());
    let gaps = gaps(&account);
    assert_eq!(gaps[0].effect, GapEffect::MayHide);
    assert!(
        gaps[0].detail.ends_with("allow sqs:ListQueueTags"),
        "{:?}",
        gaps[0]
    );
    assert!(!account.coverage.is_complete());
}
