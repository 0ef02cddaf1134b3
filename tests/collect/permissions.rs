//! The policy of `patscan iam-policy` is enough for a scan, and each of its actions is worth what the table says: without it
//! exactly the announced gap appears. Shown on an emulator that enforces policies; and where that cannot, by answers by plan.

use std::collections::BTreeSet;
use std::sync::Mutex;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use futures_util::StreamExt as _;
use futures_util::stream;
use patscan::account::{Account, Gap};
use patscan::collect::doctor::{Examination, Standing, examine};
use patscan::collect::{CALLS, Call, IfDenied, Options, collect};
use serde_json::{Value, json};

use super::messaging::of_everything;
use super::{gaps, organization, scan};
use crate::emulator::{Answer, Canned, Ministack, Proxy, options};
use crate::patscan::Patscan;

/// The region of everything there.
const THERE: &str = "us-east-1";
/// Users who scan at the same time, each with a policy of its own.
const AT_ONCE: usize = 6;

/// Actions that the emulator cannot show the worth of, and why; the plan at the end of this file shows it of these.
const NOT_SHOWN: [(&str, &str); 5] = [
    (
        "lambda:ListFunctionEventInvokeConfigs",
        "it refuses this operation to everyone but root users, whatever is allowed",
    ),
    (
        "organizations:DescribePolicy",
        "it has no control policies, so none is asked for",
    ),
    (
        "organizations:ListPoliciesForTarget",
        "the account is the management account of its organization there, which no control policy binds",
    ),
    (
        "organizations:ListRoots",
        "the account is the management account of its organization there, which no control policy binds",
    ),
    (
        "s3:GetBucketLocation",
        "it tells the region of a bucket in the list of buckets",
    ),
];

/// Gaps that are there with the whole policy, and why.
const ITS_OWN: [(&str, &str, &str); 3] = [
    (
        "DescribeLaunchConfigurations",
        "MalformedResponse",
        "it says that a group with a launch template has a launch configuration without a name",
    ),
    (
        "ListFunctionEventInvokeConfigs",
        "AccessDeniedException",
        "it refuses this operation to everyone but root users",
    ),
    (
        "ListMessageMoveTasks",
        "InvalidAction",
        "it does not know this operation",
    ),
];

/// Actions without which the doctor is asked as well: one of each way to ask.
const ASKED_BY_THE_DOCTOR: [&str; 6] = [
    "ec2:DescribeInstances",
    "iam:ListAccessKeys",
    "kms:ListGrants",
    "lambda:GetPolicy",
    "s3:GetBucketPolicy",
    "sqs:ListQueueTags",
];

fn is_its_own(gap: &Gap) -> bool {
    ITS_OWN
        .iter()
        .any(|(operation, error, _)| gap.operation == *operation && gap.error == *error)
}

/// The calls that an action allows.
fn allowed_by(action: &str) -> Vec<&'static Call> {
    CALLS
        .iter()
        .filter(|call| call.iam_action == Some(action))
        .collect()
}

fn policy() -> Value {
    Patscan::new(["iam-policy"]).run().json()
}

fn actions(policy: &Value) -> Vec<String> {
    let actions = policy["Statement"][0]["Action"].as_array().unwrap();
    let actions = actions.iter().map(|action| action.as_str().unwrap());
    actions.map(str::to_owned).collect()
}

async fn options_of(url: &str, id: &str, secret: &str, regions: &[&str]) -> Options {
    let options = options(url, regions).await;
    let credentials = Credentials::new(id, secret, None, None, "test");
    let config = options.sdk_config.unwrap().into_builder();
    Options {
        sdk_config: Some(
            config
                .credentials_provider(SharedCredentialsProvider::new(credentials))
                .build(),
        ),
        ..options
    }
}

/// What was read of the account, without what is different each time: when, what was not, and the users who scan.
fn content(account: &Account) -> Value {
    let mut content = serde_json::to_value(account).unwrap();
    content["scanned_at"].take();
    content["coverage"].take();
    content["users"]
        .as_array_mut()
        .unwrap()
        .retain(|user| !user["arn"].as_str().unwrap().contains("/auditor-"));
    content
}

/// Puts a policy in the place of what a user had.
async fn permit(root: &aws_sdk_iam::Client, user: &str, policy: &Value) {
    root.put_user_policy()
        .user_name(user)
        .policy_name("patscan")
        .policy_document(policy.to_string())
        .send()
        .await
        .unwrap();
}

/// That what changed by the lack of an action is what the table announces, and nothing else.
fn exactly_what_was_announced(action: &str, with: &Account, without: &Account) {
    let calls = allowed_by(action);
    let announced = |gap: &&Gap| {
        calls.iter().any(|call| {
            (gap.service.as_str(), gap.operation.as_str()) == (call.service, call.operation)
        })
    };
    let new: Vec<&Gap> = gaps(without)
        .into_iter()
        .filter(|gap| !is_its_own(gap))
        .collect();
    let (of_action, others): (Vec<&Gap>, Vec<&Gap>) = new.into_iter().partition(announced);
    assert!(others.is_empty(), "{action}: {others:?}");
    let is_gap = matches!(calls[0].if_denied, IfDenied::Gap(_));
    assert_eq!(!of_action.is_empty(), is_gap, "{action}");
    for gap in &of_action {
        let call = calls.iter().find(|call| call.operation == gap.operation);
        assert_eq!(IfDenied::Gap(gap.effect), call.unwrap().if_denied);
        assert!(gap.detail.contains(action), "{gap:?}");
        // Of control policies one gap tells all that is missing.
        if gap.service != "organizations" {
            assert!(gap.detail.contains(call.unwrap().without), "{gap:?}");
        }
    }
    // What is read less without a gap would be gone silently; what only a note tells changes the name of the account.
    let notes = |account: &Account| account.coverage.notes.len();
    if is_gap {
        assert_eq!(notes(without), notes(with), "{action}");
    } else {
        assert_eq!(notes(without), notes(with) + 1, "{action}");
        assert_eq!(content(without), content(with), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_printed_policy_a_scan_is_complete_and_without_an_action_lacks_what_is_announced()
{
    let ministack = Ministack::start();
    let proxy = Proxy::recording(&ministack.url());
    let whole = policy();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), whole.to_string()).unwrap();
    let keys = ministack.seed(
        "permitted.py",
        &[file.path().to_str().unwrap(), &AT_ONCE.to_string()],
    );
    let keys: Vec<Value> = serde_json::from_str(&keys).unwrap();
    let key = |number: usize, what: &str| keys[number][what].as_str().unwrap().to_owned();

    // Straight to the emulator: changing policies is none of the calls of a scan.
    let root = options_of(&ministack.url(), crate::emulator::ACCOUNT, "root", &[THERE]).await;
    let all = collect(&root, &()).await.unwrap();
    let config = root.sdk_config.clone().unwrap().into_builder();
    let iam = aws_sdk_iam::Client::new(&config.endpoint_url(ministack.url()).build());

    let auditor = options_of(proxy.url(), &key(0, "id"), &key(0, "secret"), &[THERE]).await;
    let with = collect(&auditor, &()).await.unwrap();
    for gap in gaps(&with) {
        assert!(is_its_own(gap), "{gap:?}");
    }
    for (operation, ..) in ITS_OWN {
        let there = gaps(&with).iter().any(|gap| gap.operation == operation);
        assert!(
            there,
            "{operation} is no gap any more: take it from the list"
        );
    }
    let through = |account: &Account| {
        let text = content(account).to_string();
        text.replace(proxy.url(), &ministack.url())
    };
    assert_eq!(through(&with), through(&all));
    everything_that_has_to_be_allowed_is_asked(&proxy);
    the_doctor_agrees(&examine(&auditor).await.unwrap(), None);

    let excepted: BTreeSet<&str> = NOT_SHOWN.iter().map(|(action, _)| *action).collect();
    let free = Mutex::new((0..AT_ONCE).collect::<Vec<usize>>());
    stream::iter(actions(&whole))
        .for_each_concurrent(AT_ONCE, async |action| {
            if excepted.contains(action.as_str()) {
                return;
            }
            let number = free.lock().unwrap().pop().unwrap();
            let mut less = whole.clone();
            less["Statement"][0]["Action"]
                .as_array_mut()
                .unwrap()
                .retain(|one| *one != json!(action));
            permit(&iam, &key(number, "user"), &less).await;
            // Regions that are named do not depend on the list of regions.
            let regions: &[&str] = match action.as_str() {
                "ec2:DescribeRegions" => &[],
                _ => &[THERE],
            };
            let (id, secret) = (key(number, "id"), key(number, "secret"));
            let auditor = options_of(proxy.url(), &id, &secret, regions).await;
            let without = collect(&auditor, &()).await.unwrap();
            exactly_what_was_announced(&action, &with, &without);
            if ASKED_BY_THE_DOCTOR.contains(&action.as_str()) {
                the_doctor_agrees(&examine(&auditor).await.unwrap(), Some(&action));
            }
            free.lock().unwrap().push(number);
        })
        .await;
    only_what_is_in_the_table_is_called(&proxy);
}

/// The list of exceptions is no longer than it has to be.
fn everything_that_has_to_be_allowed_is_asked(proxy: &Proxy) {
    let called: BTreeSet<String> = proxy
        .records()
        .iter()
        .map(|record| record.request.call())
        .collect();
    for action in actions(&policy()) {
        let calls = allowed_by(&action);
        let asked = calls
            .iter()
            .any(|call| called.contains(&format!("{}:{}", call.service, call.operation)));
        let reason = NOT_SHOWN.iter().find(|(excepted, _)| *excepted == action);
        match reason {
            None => assert!(asked, "nothing makes a scan need {action}"),
            // Asked, and refused in spite of the policy.
            Some(_) if action == "lambda:ListFunctionEventInvokeConfigs" => assert!(asked),
            Some((_, why)) => assert!(!asked, "{action} can be shown now; it is not so that {why}"),
        }
    }
}

fn only_what_is_in_the_table_is_called(proxy: &Proxy) {
    let table: BTreeSet<String> = CALLS
        .iter()
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect();
    let records = proxy.records();
    assert!(records.len() > 1000, "{}", records.len());
    for record in records {
        let request = &record.request;
        assert!(table.contains(&request.call()), "{request:?}");
        // What is told by method and path is in the table only as `GET`; whatever is named in a header or body is sent by `POST`.
        assert!(
            ["GET", "POST"].contains(&request.method.as_str()),
            "{request:?}"
        );
        if request.method == "GET" {
            assert!(request.input.ends_with(' '), "a body: {request:?}");
        }
        for secret in [
            "ReceiveMessage",
            "GetSecretValue",
            "GetParameter",
            "Decrypt",
        ] {
            assert!(!request.call().contains(secret), "{request:?}");
        }
    }
}

/// What the doctor says of every permission but those that the emulator gets wrong.
fn the_doctor_agrees(found: &Examination, denied: Option<&str>) {
    for permission in &found.permissions {
        let action = permission.call.iam_action.unwrap_or_default();
        if [
            "lambda:ListFunctionEventInvokeConfigs",
            "sqs:ListMessageMoveTasks",
        ]
        .contains(&action)
        {
            assert_ne!(permission.standing, Standing::Allowed, "{action}");
            continue;
        }
        let is_denied = matches!(permission.standing, Standing::Denied { .. });
        assert_eq!(is_denied, denied == Some(action), "{permission:?}");
    }
}

/// An account in which every exception of the emulator is asked for.
fn by_plan(request: &crate::emulator::Request) -> Option<Answer> {
    if request.service == "organizations" {
        return organization::of_member(request);
    }
    of_everything(request)
}

#[tokio::test]
async fn what_the_emulator_cannot_show_is_shown_by_plan() {
    let aws = Canned::start(by_plan);
    let with = scan(&aws).await.unwrap();
    let known: BTreeSet<String> = gaps(&with).iter().map(|gap| gap.detail.clone()).collect();
    for (action, _) in NOT_SHOWN {
        let calls = allowed_by(action);
        assert!(!calls.is_empty(), "{action} is no action of the policy");
        let aws = Canned::start(move |request| {
            let refused = calls.iter().any(|call| {
                (call.service, call.operation)
                    == (request.service.as_str(), request.operation.as_str())
            });
            if refused {
                Some(Answer::denied(request))
            } else {
                by_plan(request)
            }
        });
        let without = scan(&aws).await.unwrap();
        let calls = allowed_by(action);
        let new: Vec<&Gap> = gaps(&without)
            .into_iter()
            .filter(|gap| !known.contains(&gap.detail))
            .collect();
        assert!(!new.is_empty(), "{action}");
        for gap in new {
            let call = calls
                .iter()
                .find(|call| (call.service, call.operation) == (&gap.service, &gap.operation));
            let call = call.unwrap_or_else(|| panic!("{action}: {gap:?}"));
            assert_eq!(IfDenied::Gap(gap.effect), call.if_denied);
            assert!(gap.detail.contains(action), "{gap:?}");
        }
    }
}
