//! A whole account, as an emulator with state holds it.

use patscan::account::{Account, DeliveryKind, WorkloadKind};
use patscan::collect::collect;

use super::super::REGION;
use super::{channel, lines, set, short};
use crate::emulator::{Moto, options};

#[tokio::test]
async fn what_moves_messages_is_read_whole() {
    let moto = Moto::start();
    moto.seed("messaging.py");
    let account = collect(&options(&moto.url(), &[REGION, "us-east-1"]).await, &())
        .await
        .unwrap();
    assert_eq!(account.coverage.gaps, []);
    assert_eq!(
        lines(&account),
        set([
            r#"Subscription sns:placed -> sqs:orders as sns.amazonaws.com for sns:placed, only {"country": ["is"]}"#,
            r#"Subscription sns:placed -> sqs:dead as sns.amazonaws.com for sns:placed, failures, only {"country": ["is"]}"#,
            "Subscription sns:placed -> lambda:function:worker as sns.amazonaws.com for sns:placed",
            "Subscription sns@us-east-1:far -> sqs:orders as sns.amazonaws.com for sns@us-east-1:far",
            r#"EventRule events:event-bus/shop -> sqs:orders as role rule-sender, only {"source": ["shop"]}"#,
            r#"EventRule events:event-bus/shop -> sqs:dead as events.amazonaws.com for events:rule/shop/with-role, failures, only {"source": ["shop"]}"#,
            r#"EventRule events:event-bus/default -> sns:placed as events.amazonaws.com for events:rule/without-role, off, only {"source": ["aws.s3"]}"#,
            "EventRule - -> lambda:function:worker as events.amazonaws.com for events:rule/clock",
            "Notification s3:example-inbox -> sqs:orders as s3.amazonaws.com for s3:example-inbox, only in/ .json s3:ObjectCreated:*",
            r#"Pipe sqs:dead -> pipes:pipe/again as role piper, only {"body": {"retry": [true]}}"#,
            "Pipe pipes:pipe/again -> sqs:orders as role piper",
            "Schedule - -> sqs:orders as role clock",
            "Schedule - -> sqs:dead as role clock, failures",
            "Schedule - -> sqs:orders as role clock, off",
        ])
    );
    what_configures_a_delivery_is_named(&account);
    pipes_and_schedules_run_as_their_roles(&account);
    channels_hold_their_policies(&account);
}

fn what_configures_a_delivery_is_named(account: &Account) {
    for delivery in &account.deliveries {
        let name = short(&delivery.configured_by);
        let expected: &[&str] = match delivery.kind {
            DeliveryKind::Subscription => &["sns:placed:", "sns@us-east-1:far:"],
            DeliveryKind::EventRule => &["events:rule/"],
            DeliveryKind::Notification => &["s3:example-inbox"],
            DeliveryKind::Pipe => &["pipes:pipe/again"],
            DeliveryKind::Schedule => &[
                "scheduler:schedule/default/hourly",
                "scheduler:schedule/default/by-call",
            ],
            _ => &[],
        };
        assert!(
            expected.iter().any(|start| name.starts_with(start)),
            "{delivery:?}"
        );
    }
}

fn pipes_and_schedules_run_as_their_roles(account: &Account) {
    let seen: Vec<_> = account
        .workloads
        .iter()
        .map(|workload| (workload.kind, workload.arn.name(), workload.runs_as.name()))
        .collect();
    assert_eq!(
        seen,
        [
            (WorkloadKind::Pipe, "again", "piper"),
            (WorkloadKind::Schedule, "by-call", "clock"),
            (WorkloadKind::Schedule, "hourly", "clock"),
        ]
    );
}

fn channels_hold_their_policies(account: &Account) {
    let seen: Vec<_> = account
        .channels
        .iter()
        .map(|channel| {
            assert!(!channel.policy_unread);
            short(&channel.arn)
        })
        .collect();
    assert_eq!(
        seen,
        [
            "events:event-bus/default",
            "events:event-bus/shop",
            "lambda:function:worker",
            "s3:example-inbox",
            "sns:placed",
            "sns@us-east-1:far",
        ]
    );
    for (arn, sid) in [
        ("events:event-bus/shop", "a-partner-puts-events"),
        ("lambda:function:worker", "the-topic-invokes"),
        ("sns:placed", "the-account-publishes"),
        ("s3:example-inbox", "a-partner-puts-objects"),
    ] {
        let policy = channel(account, arn).policy.as_ref().unwrap().as_str();
        assert!(policy.contains(sid), "{policy}");
    }
    assert!(
        channel(account, "events:event-bus/default")
            .policy
            .is_none()
    );
}
