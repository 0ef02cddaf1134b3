//! Queues, and what moves messages to and from them.

use aws_sdk_eventbridge::Client as Events;
use aws_sdk_pipes::Client as Pipes;
use aws_sdk_s3::Client as S3;
use aws_sdk_scheduler::Client as Scheduler;
use aws_sdk_sns::Client as Sns;
use aws_sdk_sqs::Client as Sqs;
use aws_sdk_sqs::types::QueueAttributeName;

use super::{Ground, NOBODY, about, standing, untried};
use crate::collect::calls::{
    DESCRIBE_EVENT_BUS, DESCRIBE_PIPE, GET_BUCKET_ENCRYPTION, GET_BUCKET_LOCATION,
    GET_BUCKET_NOTIFICATION_CONFIGURATION, GET_BUCKET_POLICY, GET_QUEUE_ATTRIBUTES, GET_SCHEDULE,
    GET_SUBSCRIPTION_ATTRIBUTES, GET_TOPIC_ATTRIBUTES, LIST_BUCKETS, LIST_EVENT_BUSES,
    LIST_MESSAGE_MOVE_TASKS, LIST_PIPES, LIST_QUEUE_TAGS, LIST_RULES, LIST_SCHEDULES,
    LIST_SUBSCRIPTIONS, LIST_TARGETS_BY_RULE,
};
use crate::collect::doctor::{Bucket, Standing};
use crate::collect::s3;

/// What SNS says of a topic or subscription that is not there (API reference, `GetTopicAttributes`).
const NOT_FOUND: &[&str] = &["NotFound", "NotFoundException"];
/// What EventBridge and Scheduler say (API references, `ListTargetsByRule` and `GetSchedule`).
const RESOURCE_NOT_FOUND: &[&str] = &["ResourceNotFoundException"];
/// What SQS says of a queue that is there and is nobody's dead-letter queue (API reference, `ListMessageMoveTasks`).
const NO_DEAD_LETTERS: &[&str] = &[
    "InvalidParameterValue",
    "InvalidParameterValueException",
    "ResourceNotFoundException",
    "UnsupportedOperation",
];

/// Asked before, in every region to be scanned.
pub(super) async fn queues(ground: &Ground<'_>) -> Standing {
    ground.listed.clone()
}

fn sqs(ground: &Ground<'_>) -> Sqs {
    Sqs::new(&ground.config())
}

/// Without a queue nothing is known; with the list refused neither.
fn without_queue(ground: &Ground<'_>) -> Standing {
    match ground.listed {
        Standing::Allowed => untried("no queue is there to ask about"),
        _ => Standing::Unknown {
            why: "no queue to ask about could be listed".to_owned(),
        },
    }
}

pub(super) async fn queue_attributes(ground: &Ground<'_>) -> Standing {
    let Some(queue) = &ground.queue else {
        return without_queue(ground);
    };
    let request = sqs(ground)
        .get_queue_attributes()
        .queue_url(&queue.url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send();
    about(
        ground.ask(&GET_QUEUE_ATTRIBUTES, request, &[]).await,
        &queue.url,
    )
}

pub(super) async fn queue_tags(ground: &Ground<'_>) -> Standing {
    let Some(queue) = &ground.queue else {
        return without_queue(ground);
    };
    let request = sqs(ground).list_queue_tags().queue_url(&queue.url).send();
    about(ground.ask(&LIST_QUEUE_TAGS, request, &[]).await, &queue.url)
}

pub(super) async fn move_tasks(ground: &Ground<'_>) -> Standing {
    let Some(queue) = &ground.queue else {
        return without_queue(ground);
    };
    let Some(arn) = &queue.arn else {
        return untried("the address of the queue does not tell its ARN");
    };
    let request = sqs(ground)
        .list_message_move_tasks()
        .source_arn(arn)
        .max_results(1)
        .send();
    about(
        ground
            .ask(&LIST_MESSAGE_MOVE_TASKS, request, NO_DEAD_LETTERS)
            .await,
        arn,
    )
}

fn sns(ground: &Ground<'_>) -> Sns {
    Sns::new(&ground.config())
}

pub(super) async fn subscriptions(ground: &Ground<'_>) -> Standing {
    let request = sns(ground).list_subscriptions().send();
    ground.ask(&LIST_SUBSCRIPTIONS, request, &[]).await
}

pub(super) async fn subscription(ground: &Ground<'_>) -> Standing {
    let nothing = format!("{NOBODY}:00000000-0000-0000-0000-000000000000");
    let request = sns(ground)
        .get_subscription_attributes()
        .subscription_arn(ground.arn("sns", &nothing))
        .send();
    ground
        .ask(&GET_SUBSCRIPTION_ATTRIBUTES, request, NOT_FOUND)
        .await
}

pub(super) async fn topic(ground: &Ground<'_>) -> Standing {
    let request = sns(ground)
        .get_topic_attributes()
        .topic_arn(ground.arn("sns", NOBODY))
        .send();
    ground.ask(&GET_TOPIC_ATTRIBUTES, request, NOT_FOUND).await
}

fn events(ground: &Ground<'_>) -> Events {
    Events::new(&ground.config())
}

pub(super) async fn buses(ground: &Ground<'_>) -> Standing {
    let request = events(ground).list_event_buses().limit(1).send();
    ground.ask(&LIST_EVENT_BUSES, request, &[]).await
}

/// The default bus is in every account and region.
pub(super) async fn bus(ground: &Ground<'_>) -> Standing {
    let request = events(ground).describe_event_bus().name("default").send();
    ground
        .ask(&DESCRIBE_EVENT_BUS, request, RESOURCE_NOT_FOUND)
        .await
}

pub(super) async fn rules(ground: &Ground<'_>) -> Standing {
    let request = events(ground).list_rules().limit(1).send();
    ground.ask(&LIST_RULES, request, &[]).await
}

pub(super) async fn targets(ground: &Ground<'_>) -> Standing {
    let request = events(ground)
        .list_targets_by_rule()
        .rule(NOBODY)
        .limit(1)
        .send();
    ground
        .ask(&LIST_TARGETS_BY_RULE, request, RESOURCE_NOT_FOUND)
        .await
}

fn pipes_client(ground: &Ground<'_>) -> Pipes {
    Pipes::new(&ground.config())
}

pub(super) async fn pipes(ground: &Ground<'_>) -> Standing {
    let request = pipes_client(ground).list_pipes().limit(1).send();
    ground.ask_where_offered(&LIST_PIPES, request).await.0
}

pub(super) async fn pipe(ground: &Ground<'_>) -> Standing {
    let request = pipes_client(ground).describe_pipe().name(NOBODY).send();
    ground.ask(&DESCRIBE_PIPE, request, NOT_FOUND).await
}

fn scheduler(ground: &Ground<'_>) -> Scheduler {
    Scheduler::new(&ground.config())
}

pub(super) async fn schedules(ground: &Ground<'_>) -> Standing {
    let request = scheduler(ground).list_schedules().max_results(1).send();
    ground.ask_where_offered(&LIST_SCHEDULES, request).await.0
}

pub(super) async fn schedule(ground: &Ground<'_>) -> Standing {
    let request = scheduler(ground).get_schedule().name(NOBODY).send();
    ground.ask(&GET_SCHEDULE, request, RESOURCE_NOT_FOUND).await
}

pub(super) async fn buckets(ground: &Ground<'_>) -> Standing {
    let client = s3::client(ground.scan.session, ground.scan.session.base_region());
    let request = client.list_buckets().max_buckets(1).send();
    let answer = ground.answer(&LIST_BUCKETS, request).await;
    if let Ok(page) = &answer {
        let first = page.buckets().first();
        let bucket = first.and_then(|bucket| {
            Some(Bucket {
                name: bucket.name()?.to_owned(),
                region: bucket.bucket_region().map(str::to_owned),
            })
        });
        ground.name(|named| named.bucket = bucket);
    }
    standing(answer, &[])
}

pub(super) async fn bucket_location(ground: &Ground<'_>) -> Standing {
    let Some(bucket) = ground.named().bucket else {
        return without_bucket();
    };
    let client = s3::client(ground.scan.session, ground.scan.session.base_region());
    let request = client.get_bucket_location().bucket(&bucket.name).send();
    let answer = ground.answer(&GET_BUCKET_LOCATION, request).await;
    if let Ok(location) = &answer
        && bucket.region.is_none()
    {
        let region = s3::region_of(location.location_constraint());
        ground.name(|named| {
            named.bucket = Some(Bucket {
                name: bucket.name.clone(),
                region: Some(region),
            });
        });
    }
    about(standing(answer, &[]), &bucket.name)
}

fn without_bucket() -> Standing {
    untried("no bucket is there to ask about")
}

/// A client for the region of a bucket, and its name. Where the bucket is has to be known: elsewhere S3 only says that.
fn at_bucket(ground: &Ground<'_>) -> Result<(S3, String), Standing> {
    let bucket = ground.named().bucket.ok_or_else(without_bucket)?;
    let region = bucket.region.ok_or_else(|| Standing::Unknown {
        why: "where the bucket to ask about is could not be read".to_owned(),
    })?;
    Ok((s3::client(ground.scan.session, &region), bucket.name))
}

pub(super) async fn bucket_notifications(ground: &Ground<'_>) -> Standing {
    let (client, name) = match at_bucket(ground) {
        Ok(bucket) => bucket,
        Err(standing) => return standing,
    };
    let request = client
        .get_bucket_notification_configuration()
        .bucket(&name)
        .send();
    let standing = ground
        .ask(&GET_BUCKET_NOTIFICATION_CONFIGURATION, request, &[])
        .await;
    about(standing, &name)
}

pub(super) async fn bucket_policy(ground: &Ground<'_>) -> Standing {
    let (client, name) = match at_bucket(ground) {
        Ok(bucket) => bucket,
        Err(standing) => return standing,
    };
    let request = client.get_bucket_policy().bucket(&name).send();
    // API reference, `GetBucketPolicy`: said of a bucket that is there.
    let proves = &["NoSuchBucketPolicy"];
    about(ground.ask(&GET_BUCKET_POLICY, request, proves).await, &name)
}

pub(super) async fn bucket_encryption(ground: &Ground<'_>) -> Standing {
    let (client, name) = match at_bucket(ground) {
        Ok(bucket) => bucket,
        Err(standing) => return standing,
    };
    let request = client.get_bucket_encryption().bucket(&name).send();
    let proves = &["ServerSideEncryptionConfigurationNotFoundError"];
    about(
        ground.ask(&GET_BUCKET_ENCRYPTION, request, proves).await,
        &name,
    )
}
