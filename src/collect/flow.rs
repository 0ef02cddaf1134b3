//! What collectors of deliveries share: what they find, and to what messages are followed.

use serde::{Deserialize, Serialize};

use crate::account::{Channel, Delivery, Filter, Workload};
use crate::arn::Arn;

/// What moves messages, and what they pass through.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Flow {
    pub(super) deliveries: Vec<Delivery>,
    pub(super) channels: Vec<Channel>,
    pub(super) workloads: Vec<Workload>,
}

impl Flow {
    /// Adds what another collector found.
    pub(super) fn extend(&mut self, other: Self) {
        self.deliveries.extend(other.deliveries);
        self.channels.extend(other.channels);
        self.workloads.extend(other.workloads);
    }
}

/// The ARN, when it names something that messages are followed to: what hands them on (a queue, topic, event bus, bucket) or
/// works on them (a function, state machine).
pub(super) fn followed(text: &str) -> Option<Arn> {
    Arn::parse(text).ok().filter(is_followed)
}

fn is_followed(arn: &Arn) -> bool {
    let resource = arn.resource();
    match arn.service() {
        "sqs" | "sns" => true,
        // A bucket; access points and the like carry a region.
        "s3" => arn.region().is_empty() && !resource.contains('/'),
        "lambda" => resource.starts_with("function:"),
        "events" => resource.starts_with("event-bus/"),
        "states" => resource.starts_with("stateMachine:"),
        _ => false,
    }
}

/// A filter that is an event pattern or filter policy, when there is one.
pub(super) fn pattern(text: Option<&str>) -> Option<Filter> {
    let text = text.filter(|text| !text.trim().is_empty())?;
    Some(Filter {
        pattern: Some(text.to_owned()),
        ..Filter::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_followed_to_what_hands_them_on_or_works_on_them() {
        for text in [
            "arn:aws:sqs:eu-west-1:111122223333:orders",
            "arn:aws:sns:eu-west-1:111122223333:orders.fifo",
            "arn:aws:s3:::orders",
            "arn:aws:lambda:eu-west-1:111122223333:function:orders:live",
            "arn:aws:events:eu-west-1:111122223333:event-bus/orders",
            "arn:aws:states:eu-west-1:111122223333:stateMachine:orders",
        ] {
            assert!(followed(text).is_some(), "{text}");
        }
        for text in [
            "orders",
            "smk://broker:9092",
            "arn:aws:events:eu-west-1:111122223333:api-destination/orders/1",
            "arn:aws:kinesis:eu-west-1:111122223333:stream/orders",
            "arn:aws:scheduler:::aws-sdk:ecs:runTask",
            "arn:aws:s3:::orders/key",
        ] {
            assert!(followed(text).is_none(), "{text}");
        }
    }
}
