//! Buckets and their event notifications: `ListBuckets`, `GetBucketLocation`, `GetBucketNotificationConfiguration`,
//! `GetBucketPolicy` and `GetBucketEncryption` of the Amazon S3 API.
//!
//! S3 notifies queues, topics, functions and the default bus of the bucket's own region only: a bucket is asked where one of
//! these could take what S3 sends, and for its policy and its default encryption where it does send.

use std::collections::BTreeSet;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::operation::list_buckets::ListBucketsOutput;
use aws_sdk_s3::types::{
    BucketLocationConstraint, Event, FilterRule, NotificationConfigurationFilter, S3KeyFilter,
    ServerSideEncryption, ServerSideEncryptionConfiguration,
};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::de::IgnoredAny;

use super::Scan;
use super::calls::{
    GET_BUCKET_ENCRYPTION, GET_BUCKET_LOCATION, GET_BUCKET_NOTIFICATION_CONFIGURATION,
    GET_BUCKET_POLICY, LIST_BUCKETS,
};
use super::failure::Failure;
use super::flow::{Flow, followed};
use super::session::Session;
use crate::account::{Channel, Delivery, DeliveryKind, Encryption, Filter, PolicyText, Sender};
use crate::arn::Arn;

/// A page of `ListBuckets`. Without a size S3 leaves the regions of the buckets out.
const PAGE: i32 = 1000;
/// Calls at once; there are calls for each bucket and none for many.
const AT_ONCE: usize = 8;

struct Bucket {
    name: String,
    arn: Arn,
    region: Option<String>,
}

/// The notifications of the account's buckets in these regions.
pub(super) async fn notifications(scan: &Scan<'_>, regions: &BTreeSet<&str>) -> Flow {
    if regions.is_empty() {
        return Flow::default();
    }
    let unit = scan.reader.unit("s3", None);
    let buckets = buckets(scan).await;
    unit.known(buckets.len());
    stream::iter(buckets)
        .map(|bucket| async {
            // Boxed: the state of several calls is large, and there are several buckets at once.
            let flow = Box::pin(of_bucket(scan, regions, bucket)).await;
            unit.advanced(1);
            flow
        })
        .buffer_unordered(AT_ONCE)
        .fold(Flow::default(), async |mut all, one| {
            all.extend(one);
            all
        })
        .await
}

/// A client that finds buckets by path where the endpoint is not that of AWS: names such as `bucket.localhost` have no address.
pub(super) fn client(session: &Session, region: &str) -> Client {
    let config = Builder::from(&session.in_region(region))
        .force_path_style(session.redirects_s3())
        .build();
    Client::from_conf(config)
}

async fn buckets(scan: &Scan<'_>) -> Vec<Bucket> {
    let client = client(scan.session, scan.session.base_region());
    let mut buckets = Vec::new();
    scan.reader
        .pages(
            &LIST_BUCKETS,
            None,
            |token| {
                client
                    .list_buckets()
                    .max_buckets(PAGE)
                    .set_continuation_token(token)
                    .send()
            },
            ListBucketsOutput::continuation_token,
            |page| {
                for bucket in page.buckets() {
                    match read_bucket(scan, bucket) {
                        Some(bucket) => buckets.push(bucket),
                        None => scan.reader.failed(
                            &LIST_BUCKETS,
                            None,
                            bucket.name(),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    buckets
}

fn read_bucket(scan: &Scan<'_>, bucket: &aws_sdk_s3::types::Bucket) -> Option<Bucket> {
    let name = bucket.name()?;
    Some(Bucket {
        name: name.to_owned(),
        arn: Arn::build(&scan.partition, "s3", "", "", name).ok()?,
        region: bucket
            .bucket_region()
            .filter(|region| !region.is_empty())
            .map(str::to_owned),
    })
}

async fn of_bucket(scan: &Scan<'_>, regions: &BTreeSet<&str>, bucket: Bucket) -> Flow {
    let region = match bucket.region.clone() {
        Some(region) => Some(region),
        None => location(scan, &bucket).await,
    };
    let Some(region) = region.filter(|region| regions.contains(region.as_str())) else {
        return Flow::default();
    };
    let client = client(scan.session, &region);
    let request = client
        .get_bucket_notification_configuration()
        .bucket(&bucket.name)
        .send();
    let answer = scan
        .reader
        .call(
            &GET_BUCKET_NOTIFICATION_CONFIGURATION,
            Some(&region),
            request,
        )
        .await;
    // S3 says that there are none by an empty element. An answer without a body, as some emulators give it, says nothing and
    // stays a gap: what stands between here and S3 can lose a body too.
    let answer = answer.and_then(|answer| {
        read(scan, &region, &bucket.arn, &answer).ok_or_else(|| Failure::word("MalformedResponse"))
    });
    let deliveries = match answer {
        Ok(deliveries) => deliveries,
        Err(failure) => {
            scan.reader.still_exists(
                &GET_BUCKET_NOTIFICATION_CONFIGURATION,
                Some(&region),
                bucket.arn.as_str(),
                &failure,
            );
            Vec::new()
        }
    };
    if deliveries.is_empty() {
        return Flow::default();
    }
    Flow {
        channels: Box::pin(channel(scan, &client, &region, &bucket))
            .await
            .into_iter()
            .collect(),
        deliveries,
        workloads: Vec::new(),
    }
}

/// The region of a bucket that the list does not tell it of.
async fn location(scan: &Scan<'_>, bucket: &Bucket) -> Option<String> {
    let request = client(scan.session, scan.session.base_region())
        .get_bucket_location()
        .bucket(&bucket.name)
        .send();
    match scan.reader.call(&GET_BUCKET_LOCATION, None, request).await {
        Ok(answer) => Some(region_of(answer.location_constraint())),
        Err(failure) => {
            scan.reader
                .still_exists(&GET_BUCKET_LOCATION, None, bucket.arn.as_str(), &failure);
            None
        }
    }
}

/// The region that a location constraint stands for. The first regions of S3 are told by names of their own.
pub(super) fn region_of(constraint: Option<&BucketLocationConstraint>) -> String {
    match constraint.map(BucketLocationConstraint::as_str) {
        None | Some("") => "us-east-1",
        Some("EU") => "eu-west-1",
        Some(region) => region,
    }
    .to_owned()
}

/// What a bucket notifies of what.
fn read(
    scan: &Scan<'_>,
    region: &str,
    bucket: &Arn,
    answer: &GetBucketNotificationConfigurationOutput,
) -> Option<Vec<Delivery>> {
    let queues = answer
        .queue_configurations()
        .iter()
        .map(|to| (to.queue_arn(), to.events(), to.filter()));
    let topics = answer
        .topic_configurations()
        .iter()
        .map(|to| (to.topic_arn(), to.events(), to.filter()));
    let functions = answer
        .lambda_function_configurations()
        .iter()
        .map(|to| (to.lambda_function_arn(), to.events(), to.filter()));
    let delivery = |to, sender, filter| Delivery {
        kind: DeliveryKind::Notification,
        configured_by: bucket.clone(),
        from: Some(bucket.clone()),
        to,
        sender,
        enabled: true,
        failures_only: false,
        filter,
    };
    let mut deliveries = queues
        .chain(topics)
        .chain(functions)
        .map(|(to, events, only)| {
            let sender = Sender::Service {
                name: "s3.amazonaws.com".to_owned(),
                source: bucket.clone(),
            };
            Some(delivery(followed(to)?, sender, Some(filter(events, only))))
        })
        .collect::<Option<Vec<Delivery>>>()?;
    if answer.event_bridge_configuration().is_some() {
        let bus = scan.arn("events", region, "event-bus/default")?;
        deliveries.push(delivery(bus, Sender::Internal, None));
    }
    Some(deliveries)
}

fn filter(events: &[Event], only: Option<&NotificationConfigurationFilter>) -> Filter {
    let rules: &[FilterRule] = only
        .and_then(|only| only.key())
        .map(S3KeyFilter::filter_rules)
        .unwrap_or_default();
    // S3 answers with `Prefix` and with `prefix`, as it was set.
    let value = |name: &str| {
        rules
            .iter()
            .find(|rule| {
                rule.name()
                    .is_some_and(|rule| rule.as_str().eq_ignore_ascii_case(name))
            })
            .and_then(|rule| rule.value())
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let mut events: Vec<String> = events
        .iter()
        .map(|event| event.as_str().to_owned())
        .collect();
    events.sort();
    Filter {
        pattern: None,
        events,
        prefix: value("prefix"),
        suffix: value("suffix"),
    }
}

/// A bucket with its policy and encryption; none when it was deleted in between.
async fn channel(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    bucket: &Bucket,
) -> Option<Channel> {
    let (channel, encryption) = tokio::join!(
        policy(scan, client, region, bucket),
        encryption(scan, client, region, bucket)
    );
    Some(Channel {
        encryption,
        ..channel?
    })
}

/// How a bucket encrypts objects that do not say otherwise.
async fn encryption(scan: &Scan<'_>, client: &Client, region: &str, bucket: &Bucket) -> Encryption {
    let request = client.get_bucket_encryption().bucket(&bucket.name).send();
    let answer = scan
        .reader
        .call(&GET_BUCKET_ENCRYPTION, Some(region), request)
        .await;
    match answer {
        Ok(answer) => read_encryption(scan, region, answer.server_side_encryption_configuration()),
        // Buckets from before every one was encrypted.
        Err(failure) if failure.is_missing_bucket_encryption() => Encryption::None,
        Err(failure) => {
            scan.reader.still_exists(
                &GET_BUCKET_ENCRYPTION,
                Some(region),
                bucket.arn.as_str(),
                &failure,
            );
            Encryption::None
        }
    }
}

fn read_encryption(
    scan: &Scan<'_>,
    region: &str,
    configuration: Option<&ServerSideEncryptionConfiguration>,
) -> Encryption {
    let default = configuration
        .and_then(|configuration| configuration.rules().first())
        .and_then(|rule| rule.apply_server_side_encryption_by_default());
    let Some(default) = default else {
        return Encryption::None;
    };
    match default.sse_algorithm() {
        ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse => Encryption::Kms {
            key: key(
                scan,
                region,
                default.kms_master_key_id().unwrap_or("alias/aws/s3"),
            ),
        },
        _ => Encryption::SqsManaged,
    }
}

/// The ARN of a key that is named without one: the bucket's ARN does not tell in which region that means a key.
fn key(scan: &Scan<'_>, region: &str, name: &str) -> String {
    let resource = match name {
        arn if arn.starts_with("arn:") => return name.to_owned(),
        alias if alias.starts_with("alias/") => alias.to_owned(),
        id => format!("key/{id}"),
    };
    scan.arn("kms", region, &resource)
        .map_or_else(|| name.to_owned(), |arn| arn.as_str().to_owned())
}

/// A bucket with its policy; none when it was deleted in between.
async fn policy(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    bucket: &Bucket,
) -> Option<Channel> {
    let request = client.get_bucket_policy().bucket(&bucket.name).send();
    let answer = scan
        .reader
        .call(&GET_BUCKET_POLICY, Some(region), request)
        .await
        .and_then(|answer| {
            // The body itself is the policy: nothing else would tell that it is cut off, or comes from somebody else.
            answer
                .policy()
                .filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
                .map(PolicyText::new)
                .ok_or_else(|| Failure::word("MalformedResponse"))
        });
    let (policy, policy_unread) = match answer {
        Ok(policy) => (Some(policy), false),
        Err(failure) if failure.is_missing_bucket_policy() => (None, false),
        Err(failure) => {
            let name = bucket.arn.as_str();
            let exists = scan
                .reader
                .still_exists(&GET_BUCKET_POLICY, Some(region), name, &failure);
            if !exists {
                return None;
            }
            (None, true)
        }
    };
    Some(Channel {
        arn: bucket.arn.clone(),
        policy,
        policy_unread,
        encryption: Encryption::None,
    })
}
