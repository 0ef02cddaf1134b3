//! Answers that look well and leave something out: each is a gap.

use patscan::account::{Account, Gap};
use serde_json::{Value, json};

use super::super::queues_page;
use super::FIRST;
use super::account::answers;
use super::trial::trial_of;
use crate::emulator::{ACCOUNT, Answer, Request};

/// The account, of which one call is answered otherwise.
fn with(
    call: &'static str,
    answer: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
) -> Account {
    let answers = move |request: &Request| {
        let usual = answers(request).unwrap_or_else(|| Answer::of_empty_account(request));
        Some(if request.call() == call {
            answer(request, usual)
        } else {
            usual
        })
    };
    trial_of(answers, &[FIRST], |_, _| None, |options| options)
        .outcome
        .unwrap()
}

/// The only gap.
fn gap(account: &Account) -> &Gap {
    let [gap] = account.coverage.gaps.as_slice() else {
        panic!("{:#?}", account.coverage.gaps);
    };
    gap
}

#[test]
fn a_list_that_goes_on_and_does_not_say_where_is_a_gap() {
    for (call, more) in [
        (
            "iam:GetAccountAuthorizationDetails",
            "<Marker>second-page</Marker>",
        ),
        ("iam:ListAccessKeys", "<Marker>second-page</Marker>"),
        ("kms:ListGrants", r#""NextMarker":"second-page","#),
        ("kms:ListAliases", r#""NextMarker":"second-page","#),
    ] {
        let account = with(call, move |_, mut usual| {
            usual.replace(more, "");
            usual
        });
        let gap = account
            .coverage
            .gaps
            .iter()
            .find(|gap| format!("{}:{}", gap.service, gap.operation) == call)
            .unwrap_or_else(|| panic!("{call}: {:#?}", account.coverage.gaps));
        assert_eq!(gap.error, "MissingPageToken");
    }
}

#[test]
fn a_token_counts_even_where_a_flag_denies_it() {
    for (call, yes, no) in [
        (
            "iam:GetAccountAuthorizationDetails",
            "<IsTruncated>true</IsTruncated>",
            "<IsTruncated>false</IsTruncated>",
        ),
        (
            "kms:ListGrants",
            r#""Truncated":true"#,
            r#""Truncated":false"#,
        ),
    ] {
        let account = with(call, move |_, mut usual| {
            usual.replace(yes, no);
            usual
        });
        assert_eq!(account.coverage.gaps, [], "{call}");
        assert_eq!((account.groups.len(), account.roles.len()), (1, 3));
        assert_eq!(account.keys[0].grants.as_ref().unwrap().len(), 2);
    }
}

#[test]
fn a_service_that_ecs_says_nothing_of_is_a_gap() {
    let account = with("ecs:DescribeServices", |_, _| {
        Answer::ok(json!({"services": [], "failures": []}).to_string())
    });
    let named: Vec<_> = account
        .coverage
        .gaps
        .iter()
        .map(|gap| (gap.operation.as_str(), gap.resource.as_deref().unwrap()))
        .collect();
    let arn = |name: &str| format!("arn:aws:ecs:{FIRST}:{ACCOUNT}:service/main/{name}");
    let (gone, worker) = (arn("gone"), arn("worker"));
    assert_eq!(
        named,
        [
            ("DescribeServices", gone.as_str()),
            ("DescribeServices", worker.as_str())
        ]
    );
}

#[test]
fn a_launch_configuration_that_is_left_out_is_a_gap() {
    let account = with(
        "autoscaling:DescribeLaunchConfigurations",
        |_, mut usual| {
            usual.replace(
                "<LaunchConfigurationName>v1</LaunchConfigurationName>",
                "<LaunchConfigurationName>v0</LaunchConfigurationName>",
            );
            usual
        },
    );
    assert_eq!(gap(&account).resource.as_deref(), Some("v1"));
}

#[test]
fn a_launch_template_without_the_version_asked_for_is_a_gap() {
    let account = with("ec2:DescribeLaunchTemplateVersions", |request, usual| {
        if request.mentions("lt-web") {
            return Answer::ok(
                "<DescribeLaunchTemplateVersionsResponse><launchTemplateVersionSet/></DescribeLaunchTemplateVersionsResponse>",
            );
        }
        usual
    });
    assert_eq!(gap(&account).resource.as_deref(), Some("lt-web"));
}

#[test]
fn an_api_without_an_id_is_a_gap() {
    for (call, body) in [
        (
            "apigateway:GetRestApis",
            json!({"item": [{"name": "rest"}]}),
        ),
        ("apigateway:GetApis", json!({"items": [{"name": "http"}]})),
    ] {
        let account = with(call, move |_, _| Answer::ok(body.to_string()));
        let gap = gap(&account);
        assert_eq!(format!("{}:{}", gap.service, gap.operation), call);
        assert_eq!(gap.error, "MalformedResponse");
    }
}

#[test]
fn a_bucket_policy_that_is_none_is_a_gap() {
    for (text, error) in [
        (
            "<html><body>Accept the terms</body></html>",
            "MalformedResponse",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Princ"#,
            "ConnectionFailure",
        ),
        ("no policy", "MalformedResponse"),
    ] {
        let account = with("s3:GetBucketPolicy", move |_, _| Answer::ok(text));
        for gap in &account.coverage.gaps {
            assert_eq!(
                (gap.operation.as_str(), gap.error.as_str()),
                ("GetBucketPolicy", error)
            );
        }
        let buckets = account
            .channels
            .iter()
            .filter(|it| it.arn.service() == "s3");
        let unread: Vec<bool> = buckets.map(|bucket| bucket.policy_unread).collect();
        assert_eq!(unread, [true, true]);
    }
}

#[test]
fn a_list_without_its_first_queue_is_not_taken_for_an_empty_one() {
    for items in [json!([null]), json!([1]), json!({"url": "a"})] {
        let body: Value = json!({"QueueUrls": items});
        let account = with("sqs:ListQueues", move |_, _| Answer::ok(body.to_string()));
        assert_eq!(gap(&account).operation, "ListQueues", "{items}");
    }
}

#[test]
fn a_queue_that_is_named_twice_is_one_queue() {
    let account = with("sqs:ListQueues", |_, _| {
        queues_page(&["orders", "orders", "dead", "orders"], None)
    });
    assert_eq!(account.queues.len(), 2);
    assert_eq!(account.coverage.gaps, []);
}

#[test]
fn an_access_key_that_is_named_twice_is_one_key() {
    let account = with("iam:ListAccessKeys", |_, _| {
        Answer::access_keys(&[("Active", "2024-05-06"), ("Active", "2024-05-06")], None)
    });
    assert_eq!(account.users[0].access_keys.as_ref().unwrap().active, 1);
}

/// Answers of every protocol, whose body got lost or cut off on the way.
#[test]
fn an_answer_that_is_not_whole_is_a_gap() {
    for call in [
        "sqs:ListQueues",
        "lambda:ListFunctions",
        "events:ListEventBuses",
        "sns:ListSubscriptions",
        "ec2:DescribeInstances",
        "iam:GetAccountAuthorizationDetails",
        "s3:ListBuckets",
    ] {
        let whole = {
            let region = if ["iam", "s3"].iter().any(|it| call.starts_with(it)) {
                "us-east-1"
            } else {
                FIRST
            };
            let (service, operation) = call.split_once(':').unwrap();
            answers(&Request {
                service: service.to_owned(),
                region: region.to_owned(),
                operation: operation.to_owned(),
                access_key: String::new(),
                method: String::new(),
                path: String::new(),
                input: String::new(),
                headers: Vec::new(),
            })
            .unwrap()
        };
        let length = whole.len();
        for part in [0, length / 4, length / 2, length * 3 / 4, length - 1] {
            let account = with(call, move |_, mut usual| {
                usual.cut(part);
                usual
            });
            let found = account
                .coverage
                .gaps
                .iter()
                .any(|gap| format!("{}:{}", gap.service, gap.operation) == call);
            assert!(
                found,
                "{call} cut at {part} of {length}: {:#?}",
                account.coverage.gaps
            );
        }
    }
}
