//! How much is asked for: every list to its end, and nothing that cannot matter.

use std::collections::BTreeSet;

use patscan::account::DeliveryKind;
use patscan::collect::{Skippable, collect};
use serde_json::json;

use super::super::{REGION, attributes, queues_page, scan};
use super::{lines_of, of_everything, set};
use crate::emulator::{Answer, Canned, options};

#[tokio::test]
async fn every_list_is_read_to_the_last_page() {
    let aws = Canned::start(of_everything);
    let account = scan(&aws).await.unwrap();
    assert_eq!(account.coverage.gaps, []);
    // Three buses with three rules each, which have three targets each.
    for (call, times) in [
        ("sns:ListSubscriptions", 3),
        ("sns:GetSubscriptionAttributes", 3),
        ("sns:GetTopicAttributes", 3),
        ("events:ListEventBuses", 3),
        ("events:DescribeEventBus", 3),
        ("events:ListRules", 9),
        ("events:ListTargetsByRule", 27),
        ("pipes:ListPipes", 3),
        ("pipes:DescribePipe", 3),
        ("scheduler:ListSchedules", 3),
        ("scheduler:GetSchedule", 3),
        ("lambda:ListFunctionEventInvokeConfigs", 3),
        ("lambda:GetPolicy", 3),
        ("s3:ListBuckets", 3),
        ("s3:GetBucketLocation", 1),
        ("s3:GetBucketNotificationConfiguration", 3),
        ("s3:GetBucketPolicy", 3),
        ("s3:GetBucketEncryption", 3),
    ] {
        assert_eq!(aws.count(call), times, "{call}");
    }
    for (kind, number) in [
        (DeliveryKind::Subscription, 3),
        (DeliveryKind::EventRule, 27),
        (DeliveryKind::EventBus, 3),
        (DeliveryKind::Pipe, 3),
        (DeliveryKind::Schedule, 3),
        (DeliveryKind::Notification, 3),
        // Three destinations and the dead-letter queue.
        (DeliveryKind::Destination, 4),
    ] {
        assert_eq!(lines_of(&account, kind).len(), number, "{kind:?}");
    }
    assert!(account.deliveries.iter().all(|delivery| delivery.enabled));
    // A version or alias has a policy of its own.
    let functions: Vec<_> = account
        .channels
        .iter()
        .filter(|channel| channel.arn.service() == "lambda")
        .map(|channel| channel.arn.resource())
        .collect();
    assert_eq!(
        functions,
        ["function:f:n1", "function:f:n2", "function:f:n3"]
    );
}

#[tokio::test]
async fn a_function_without_a_role_that_exists_is_not_asked_for_destinations() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "GetAccountAuthorizationDetails" => None,
        _ => of_everything(request),
    });
    scan(&aws).await.unwrap();
    assert_eq!(aws.count("lambda:ListFunctionEventInvokeConfigs"), 0);
}

#[tokio::test]
async fn an_account_without_queues_is_asked_for_nothing_that_delivers() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListQueues" => None,
        _ => of_everything(request),
    });
    scan(&aws).await.unwrap();
    let services: BTreeSet<_> = aws
        .received()
        .into_iter()
        .map(|request| request.service)
        .collect();
    assert_eq!(
        services,
        set(["ec2", "iam", "lambda", "organizations", "sqs", "sts"])
    );
    assert_eq!(aws.count("lambda:ListFunctionEventInvokeConfigs"), 0);
}

#[tokio::test]
async fn a_region_without_queues_is_asked_for_subscriptions_only() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "ListQueues" if request.region != REGION => None,
        _ => of_everything(request),
    });
    let account = collect(&options(aws.url(), &[REGION, "us-east-1"]).await, &())
        .await
        .unwrap();
    assert_eq!(account.coverage.gaps, []);
    let elsewhere: BTreeSet<_> = aws
        .received()
        .into_iter()
        .filter(|request| request.region == "us-east-1")
        .map(|request| request.service)
        .collect();
    // What is global is asked there as well.
    let global = ["iam", "organizations", "s3", "sts"];
    let regional = ["ec2", "lambda", "sns", "sqs"];
    assert_eq!(elsewhere, &set(global) | &set(regional));
}

#[tokio::test]
async fn buckets_are_asked_only_where_something_may_take_what_s3_sends() {
    for (policy, asked) in [
        ("", false),
        (
            r#"{"Statement":{"Principal":{"Service":"sns.amazonaws.com"}}}"#,
            false,
        ),
        (
            r#"{"Statement":{"Principal":{"Service":"s3.amazonaws.com"}}}"#,
            true,
        ),
        (r#"{"Statement":{"Principal":"*"}}"#, true),
    ] {
        let aws = Canned::start(move |request| match request.operation.as_str() {
            "ListQueues" => Some(queues_page(&["orders"], None)),
            "GetQueueAttributes" => Some(attributes("orders", json!({"Policy": policy}))),
            "ListBuckets" | "GetBucketLocation" => of_everything(request),
            _ => None,
        });
        scan(&aws).await.unwrap();
        assert_eq!(aws.count("s3:ListBuckets") > 0, asked, "{policy}");
        assert_eq!(
            aws.count("s3:GetBucketNotificationConfiguration") > 0,
            asked,
            "{policy}"
        );
    }
    // A function, a topic that is not known, and a rule can all take them.
    for operation in ["ListFunctions", "ListSubscriptions", "ListRules"] {
        let aws = Canned::start(move |request| match request.operation.as_str() {
            "ListQueues" => Some(queues_page(&["orders"], None)),
            "GetSubscriptionAttributes" | "ListTargetsByRule" => of_everything(request),
            "GetTopicAttributes" => Some(Answer::denied(request)),
            other if other == operation => of_everything(request),
            _ => None,
        });
        scan(&aws).await.unwrap();
        assert!(aws.count("s3:ListBuckets") > 0, "{operation}");
    }
}

#[tokio::test]
async fn each_service_can_be_left_out() {
    for (skip, service) in [
        (Skippable::Sns, "sns"),
        (Skippable::Events, "events"),
        (Skippable::S3, "s3"),
        (Skippable::Pipes, "pipes"),
        (Skippable::Scheduler, "scheduler"),
        (Skippable::Lambda, "lambda"),
    ] {
        let aws = Canned::start(of_everything);
        let mut options = options(aws.url(), &[REGION]).await;
        options.skip = [skip].into();
        let account = collect(&options, &()).await.unwrap();
        assert_eq!(account.coverage.skipped, [service]);
        assert!(account.coverage.is_complete());
        let others = ["sns", "events", "s3", "pipes", "scheduler", "lambda"];
        for other in others {
            let called = aws
                .received()
                .iter()
                .any(|request| request.service == other);
            assert_eq!(called, other != service, "{other} without {service}");
        }
    }
}
