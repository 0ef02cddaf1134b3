//! What could not be read, was deleted in between or does not exist.

use patscan::account::DeliveryKind;
use patscan::collect::{CALLS, IfDenied};

use super::super::{REGION, gaps, scan};
use super::{channel, lines_of, of_everything, sns_attributes};
use crate::emulator::{Answer, Canned};

#[tokio::test]
async fn each_refused_call_is_a_gap_that_names_the_action_to_allow() {
    let about_messages = ["sns", "events", "pipes", "scheduler", "s3"];
    let calls = CALLS.iter().filter(|call| {
        about_messages.contains(&call.service)
            || ["GetPolicy", "ListFunctionEventInvokeConfigs"].contains(&call.operation)
                && call.service == "lambda"
    });
    let mut tried = 0;
    for call in calls {
        let name = format!("{}:{}", call.service, call.operation);
        let aws = Canned::start(move |request| {
            if request.call() == name {
                return Some(Answer::denied(request));
            }
            of_everything(request)
        });
        let account = scan(&aws).await.unwrap();
        let gaps = gaps(&account);
        assert!(!gaps.is_empty(), "{call:?}");
        for gap in gaps {
            assert_eq!(
                (gap.service.as_str(), gap.operation.as_str()),
                (call.service, call.operation)
            );
            assert_eq!(IfDenied::Gap(gap.effect), call.if_denied);
            let allow = format!("allow {}", call.iam_action.unwrap());
            assert!(gap.detail.ends_with(&allow), "{gap:?}");
        }
        tried += 1;
    }
    assert_eq!(tried, 18);
}

#[tokio::test]
async fn a_policy_that_is_refused_is_told_from_one_that_does_not_exist() {
    for (call, arn) in [
        ("sns:GetTopicAttributes", "sns:n1"),
        ("s3:GetBucketPolicy", "s3:n1"),
        ("lambda:GetPolicy", "lambda:function:f:n1"),
    ] {
        for refused in [true, false] {
            let aws = Canned::start(move |request| {
                if request.call() != call {
                    return of_everything(request);
                }
                Some(match call {
                    _ if refused => Answer::denied(request),
                    "sns:GetTopicAttributes" => sns_attributes("GetTopicAttributes", &[]),
                    "s3:GetBucketPolicy" => Answer::error(request, 404, "NoSuchBucketPolicy"),
                    _ => Answer::error(request, 404, "ResourceNotFoundException"),
                })
            });
            let account = scan(&aws).await.unwrap();
            let channel = channel(&account, arn);
            assert!(channel.policy.is_none());
            assert_eq!(channel.policy_unread, refused, "{call}");
            assert_eq!(account.coverage.is_complete(), !refused, "{call}");
        }
    }
}

#[tokio::test]
async fn a_bus_that_refuses_to_be_described_keeps_its_rules() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "DescribeEventBus" => Some(Answer::denied(request)),
        _ => of_everything(request),
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(lines_of(&account, DeliveryKind::EventRule).len(), 27);
    assert!(lines_of(&account, DeliveryKind::EventBus).is_empty());
    let named: Vec<_> = gaps(&account)
        .iter()
        .map(|gap| gap.resource.as_deref().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(named, ["n1", "n2", "n3"]);
}

#[tokio::test]
async fn an_answer_without_a_body_does_not_say_that_a_bucket_notifies_nobody() {
    for (body, complete) in [("", false), ("<NotificationConfiguration/>", true)] {
        let aws = Canned::start(move |request| match request.operation.as_str() {
            "GetBucketNotificationConfiguration" => Some(Answer::ok(body.to_owned())),
            _ => of_everything(request),
        });
        let account = scan(&aws).await.unwrap();
        assert_eq!(account.coverage.is_complete(), complete, "{body}");
        assert!(lines_of(&account, DeliveryKind::Notification).is_empty());
    }
}

#[tokio::test]
async fn a_subscription_whose_attributes_are_refused_is_kept_without_them() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "GetSubscriptionAttributes" => Some(Answer::denied(request)),
        _ => of_everything(request),
    });
    let account = scan(&aws).await.unwrap();
    assert_eq!(
        lines_of(&account, DeliveryKind::Subscription)[0],
        "Subscription sns:n1 -> sqs:orders as sns.amazonaws.com for sns:n1"
    );
}

#[tokio::test]
async fn what_is_deleted_while_the_scan_runs_is_a_note() {
    for (call, code) in [
        ("sns:GetSubscriptionAttributes", "NotFound"),
        ("sns:GetTopicAttributes", "NotFound"),
        ("events:DescribeEventBus", "ResourceNotFoundException"),
        ("events:ListRules", "ResourceNotFoundException"),
        ("events:ListTargetsByRule", "ResourceNotFoundException"),
        ("pipes:DescribePipe", "NotFoundException"),
        ("scheduler:GetSchedule", "ResourceNotFoundException"),
        (
            "lambda:ListFunctionEventInvokeConfigs",
            "ResourceNotFoundException",
        ),
        ("s3:GetBucketLocation", "NoSuchBucket"),
        ("s3:GetBucketNotificationConfiguration", "NoSuchBucket"),
        ("s3:GetBucketPolicy", "NoSuchBucket"),
        ("s3:GetBucketEncryption", "NoSuchBucket"),
    ] {
        let aws = Canned::start(move |request| {
            if request.call() == call {
                return Some(Answer::error(request, 404, code));
            }
            of_everything(request)
        });
        let account = scan(&aws).await.unwrap();
        assert_eq!(account.coverage.gaps, [], "{call}");
        let notes = &account.coverage.notes;
        assert!(!notes.is_empty(), "{call}");
        for note in notes {
            assert!(
                note.detail.contains("was deleted while the scan ran"),
                "{note:?}"
            );
            assert!(note.resource.is_some(), "{note:?}");
        }
    }
}

#[tokio::test]
async fn a_region_that_does_not_offer_a_service_is_a_note_and_a_refusal_is_not() {
    for (service, what) in [("pipes", "pipes"), ("scheduler", "schedules")] {
        let aws = Canned::start(move |request| {
            if request.service == service {
                return Some(Answer::error(request, 404, "UnknownOperationException"));
            }
            of_everything(request)
        });
        let account = scan(&aws).await.unwrap();
        assert_eq!(account.coverage.gaps, []);
        let [note] = account.coverage.notes.as_slice() else {
            panic!("{:?}", account.coverage.notes);
        };
        assert_eq!(note.service, service);
        let start = format!("{what} are not offered in {REGION}: ");
        assert!(note.detail.starts_with(&start), "{note:?}");
    }
    // Of a service that every region offers, nothing of the kind is believed.
    let aws = Canned::start(|request| {
        if request.service == "events" {
            return Some(Answer::error(request, 404, "UnknownOperationException"));
        }
        of_everything(request)
    });
    assert!(!scan(&aws).await.unwrap().coverage.is_complete());
}
