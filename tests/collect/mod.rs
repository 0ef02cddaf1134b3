//! Collecting an account, against an emulator and against answers by plan.

mod access_keys;
mod account;
mod around;
mod credentials;
mod environment;
mod failures;
mod faults;
mod keys;
mod messaging;
mod mfa;
mod organization;
mod paging;
mod partitions;
mod permissions;
mod secrets;
mod tags;

use patscan::account::{Account, Gap};
use patscan::collect::{CollectError, collect};

use crate::emulator::{ACCOUNT, Answer, Canned, options};

const REGION: &str = "eu-west-1";

/// Scans one region of a canned account.
async fn scan(aws: &Canned) -> Result<Account, CollectError> {
    collect(&options(aws.url(), &[REGION]).await, &()).await
}

fn gaps(account: &Account) -> Vec<&Gap> {
    account.coverage.gaps.iter().collect()
}

/// A page of `ListQueues`.
fn queues_page(names: &[&str], token: Option<&str>) -> Answer {
    let urls: Vec<_> = names
        .iter()
        .map(|name| format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"))
        .collect();
    Answer::ok(serde_json::json!({"QueueUrls": urls, "NextToken": token}).to_string())
}

/// The attributes of a queue, as an object of texts.
fn attributes(name: &str, mut attributes: serde_json::Value) -> Answer {
    attributes["QueueArn"] = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}").into();
    Answer::ok(serde_json::json!({"Attributes": attributes}).to_string())
}

/// A list of one user, who has one managed policy.
fn user_with_policy(name: &str, policy: &str) -> String {
    format!(
        "<UserDetailList><member><UserName>{name}</UserName><UserId>AIDA</UserId>\
         <Arn>arn:aws:iam::{ACCOUNT}:user/{name}</Arn>\
         <AttachedManagedPolicies><member><PolicyArn>{policy}</PolicyArn></member></AttachedManagedPolicies>\
         </member></UserDetailList>"
    )
}

/// The answer of `GetPolicy`.
fn policy(default_version: &str) -> Answer {
    Answer::ok(format!(
        "<GetPolicyResponse><GetPolicyResult><Policy><DefaultVersionId>{default_version}</DefaultVersionId></Policy>\
         </GetPolicyResult></GetPolicyResponse>"
    ))
}

/// The answer of `GetPolicyVersion`.
fn policy_version(document: &str) -> Answer {
    let document = encoded(document);
    Answer::ok(format!(
        "<GetPolicyVersionResponse><GetPolicyVersionResult><PolicyVersion><Document>{document}</Document>\
         </PolicyVersion></GetPolicyVersionResult></GetPolicyVersionResponse>"
    ))
}

/// A policy document as IAM sends it.
fn encoded(document: &str) -> String {
    percent_encoding::utf8_percent_encode(document, percent_encoding::NON_ALPHANUMERIC).to_string()
}
