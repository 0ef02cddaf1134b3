//! Subscriptions and topics: `ListSubscriptions`, `GetSubscriptionAttributes` and `GetTopicAttributes` of the Amazon SNS API.
//!
//! Subscriptions of queues and functions are kept; no other protocol leads back to a queue. Of their topics the account's own
//! are asked for their policy; AWS shows that of a foreign topic only to its owner.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_sns::Client;
use aws_sdk_sns::operation::list_subscriptions::ListSubscriptionsOutput;
use aws_sdk_sns::types::Subscription;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Deserialize;

use super::Scan;
use super::calls::{GET_SUBSCRIPTION_ATTRIBUTES, GET_TOPIC_ATTRIBUTES, LIST_SUBSCRIPTIONS};
use super::failure::Failure;
use super::flow::{Flow, followed, pattern};
use crate::account::{Channel, Delivery, DeliveryKind, Encryption, PolicyText, Sender};
use crate::arn::Arn;

/// Calls at once for one region.
const AT_ONCE: usize = 8;

struct Kept {
    arn: Arn,
    topic: Arn,
    endpoint: Arn,
}

/// The subscriptions of a region to the topics of that region, with their topics.
pub(super) async fn subscriptions(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("sns", Some(region));
    let mut kept = Vec::new();
    scan.reader
        .pages(
            &LIST_SUBSCRIPTIONS,
            Some(region),
            |token| client.list_subscriptions().set_next_token(token).send(),
            ListSubscriptionsOutput::next_token,
            |page| {
                for subscription in page.subscriptions() {
                    match read(subscription) {
                        Ok(subscription) => kept.extend(subscription),
                        Err(failure) => scan.reader.failed(
                            &LIST_SUBSCRIPTIONS,
                            Some(region),
                            subscription.subscription_arn(),
                            &failure,
                        ),
                    }
                }
            },
        )
        .await;
    unit.known(kept.len());
    let topics: BTreeSet<Arn> = kept
        .iter()
        .map(|subscription| subscription.topic.clone())
        .filter(|topic| topic.account() == scan.account.as_str())
        .collect();
    let deliveries = stream::iter(kept)
        .map(|subscription| async {
            let deliveries = deliveries(scan, &client, region, subscription).await;
            unit.advanced(1);
            deliveries
        })
        .buffer_unordered(AT_ONCE)
        .concat();
    let channels = stream::iter(topics)
        .map(|topic| channel(scan, &client, region, topic))
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect();
    let (deliveries, channels) = tokio::join!(deliveries, channels);
    Flow {
        deliveries,
        channels,
        workloads: Vec::new(),
    }
}

/// The subscription, when it is confirmed and of a protocol that is kept.
fn read(subscription: &Subscription) -> Result<Option<Kept>, Failure> {
    if !matches!(subscription.protocol(), Some("sqs" | "lambda")) {
        return Ok(None);
    }
    // In the place of an ARN stands `PendingConfirmation` or `Deleted`.
    let Some(arn) = subscription
        .subscription_arn()
        .and_then(|arn| Arn::parse(arn).ok())
    else {
        return Ok(None);
    };
    let read = || {
        Some(Kept {
            arn,
            topic: Arn::parse(subscription.topic_arn()?).ok()?,
            endpoint: followed(subscription.endpoint()?)?,
        })
    };
    read()
        .map(Some)
        .ok_or_else(|| Failure::word("MalformedResponse"))
}

/// What a subscription delivers: messages, and those that could not be delivered.
async fn deliveries(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    subscription: Kept,
) -> Vec<Delivery> {
    let Kept {
        arn,
        topic,
        endpoint,
    } = subscription;
    let mut delivery = Delivery {
        kind: DeliveryKind::Subscription,
        configured_by: arn.clone(),
        from: Some(topic.clone()),
        to: endpoint,
        sender: Sender::Service {
            name: "sns.amazonaws.com".to_owned(),
            source: topic,
        },
        enabled: true,
        failures_only: false,
        filter: None,
    };
    let request = client
        .get_subscription_attributes()
        .subscription_arn(arn.as_str())
        .send();
    let failed = |failure: &Failure| {
        scan.reader.still_exists(
            &GET_SUBSCRIPTION_ATTRIBUTES,
            Some(region),
            arn.as_str(),
            failure,
        )
    };
    let attributes = match scan
        .reader
        .call(&GET_SUBSCRIPTION_ATTRIBUTES, Some(region), request)
        .await
    {
        Ok(answer) => answer.attributes.unwrap_or_default(),
        Err(failure) if failed(&failure) => return vec![delivery],
        Err(_) => return Vec::new(),
    };
    delivery.filter = pattern(attributes.get("FilterPolicy").map(String::as_str));
    match dead_letter_queue(&attributes) {
        Ok(None) => vec![delivery],
        Ok(Some(queue)) => {
            let dead_letters = Delivery {
                to: queue,
                failures_only: true,
                ..delivery.clone()
            };
            vec![delivery, dead_letters]
        }
        Err(failure) => {
            failed(&failure);
            vec![delivery]
        }
    }
}

#[derive(Deserialize)]
struct RedrivePolicy {
    #[serde(rename = "deadLetterTargetArn")]
    dead_letter_target: Arn,
}

fn dead_letter_queue(attributes: &HashMap<String, String>) -> Result<Option<Arn>, Failure> {
    let Some(text) = attributes
        .get("RedrivePolicy")
        .filter(|text| !text.trim().is_empty())
    else {
        return Ok(None);
    };
    serde_json::from_str::<RedrivePolicy>(text)
        .map(|policy| Some(policy.dead_letter_target))
        .map_err(|_| Failure::word("MalformedResponse"))
}

/// A topic with its policy and encryption; none when it was deleted in between.
async fn channel(scan: &Scan<'_>, client: &Client, region: &str, topic: Arn) -> Option<Channel> {
    let request = client
        .get_topic_attributes()
        .topic_arn(topic.as_str())
        .send();
    let answer = scan
        .reader
        .call(&GET_TOPIC_ATTRIBUTES, Some(region), request)
        .await;
    match answer {
        Ok(answer) => {
            let attribute = |name: &str| {
                let attributes = answer.attributes()?;
                attributes.get(name).filter(|text| !text.trim().is_empty())
            };
            Some(Channel {
                arn: topic,
                policy: attribute("Policy").map(|text| PolicyText::new(text)),
                policy_unread: false,
                encryption: match attribute("KmsMasterKeyId") {
                    Some(key) => Encryption::Kms { key: key.clone() },
                    None => Encryption::None,
                },
            })
        }
        Err(failure) => scan
            .reader
            .still_exists(
                &GET_TOPIC_ATTRIBUTES,
                Some(region),
                topic.as_str(),
                &failure,
            )
            .then_some(Channel {
                arn: topic,
                policy: None,
                policy_unread: true,
                encryption: Encryption::None,
            }),
    }
}
