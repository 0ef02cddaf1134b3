//! What the attributes of a queue say: `GetQueueAttributes` returns text, some of it JSON in text.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use crate::account::{Encryption, PolicyText, QueueAttributes, Redrive, RedriveAllow};
use crate::arn::{AccountId, Arn};

/// The attributes, and remarks on those that make no sense and are left out.
pub(super) fn read_attributes(
    attributes: &HashMap<QueueAttributeName, String>,
) -> (QueueAttributes, Vec<String>) {
    let text = |name: QueueAttributeName| {
        attributes
            .get(&name)
            .map(String::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    let is_true = |name| text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let mut remarks = Vec::new();
    let mut unclear = |name: &str| {
        remarks.push(format!(
            "its {name} could not be understood and is left out"
        ));
    };
    let redrive = text(QueueAttributeName::RedrivePolicy).and_then(|text| {
        let redrive = redrive(text);
        if redrive.is_none() {
            unclear("RedrivePolicy");
        }
        redrive
    });
    let redrive_allow = text(QueueAttributeName::RedriveAllowPolicy).and_then(|text| {
        let allow = redrive_allow(text);
        if allow.is_none() {
            unclear("RedriveAllowPolicy");
        }
        allow
    });
    let encryption = match text(QueueAttributeName::KmsMasterKeyId) {
        Some(key) => Encryption::Kms {
            key: key.to_owned(),
        },
        None if is_true(QueueAttributeName::SqsManagedSseEnabled) => Encryption::SqsManaged,
        None => Encryption::None,
    };
    let attributes = QueueAttributes {
        policy: text(QueueAttributeName::Policy).map(PolicyText::new),
        redrive,
        redrive_allow,
        encryption,
        fifo: is_true(QueueAttributeName::FifoQueue),
    };
    (attributes, remarks)
}

fn redrive(text: &str) -> Option<Redrive> {
    let value: Value = serde_json::from_str(text).ok()?;
    let count = match value.get("maxReceiveCount")? {
        Value::String(digits) => digits.trim().parse().ok()?,
        number => u32::try_from(number.as_u64()?).ok()?,
    };
    Some(Redrive {
        dead_letter_queue: Arn::parse(value.get("deadLetterTargetArn")?.as_str()?).ok()?,
        max_receive_count: count,
    })
}

fn redrive_allow(text: &str) -> Option<RedriveAllow> {
    let value: Value = serde_json::from_str(text).ok()?;
    match value.get("redrivePermission")?.as_str()? {
        "allowAll" => Some(RedriveAllow::AllowAll),
        "denyAll" => Some(RedriveAllow::DenyAll),
        "byQueue" => {
            let source_queues = value
                .get("sourceQueueArns")?
                .as_array()?
                .iter()
                .map(|arn| Arn::parse(arn.as_str()?).ok())
                .collect::<Option<Vec<_>>>()?;
            Some(RedriveAllow::ByQueue { source_queues })
        }
        _ => None,
    }
}

/// The ARN of a queue whose attributes cannot be read. The last two path segments of the URL are account and name; the host
/// says nothing, because it may be a custom endpoint.
pub(super) fn arn_of_url(url: &str, partition: &str, region: &str) -> Option<Arn> {
    let (_, path) = url.split_once("://")?.1.split_once('/')?;
    let mut segments = path.trim_end_matches('/').rsplit('/');
    let (name, account) = (segments.next()?, segments.next()?);
    if name.is_empty() || account.is_empty() {
        return None;
    }
    Arn::build(partition, "sqs", region, account, name).ok()
}

/// The ARN of a queue that something in a region names by its URL. The region of a host of AWS counts where it has one, since
/// the URL may lead to another region; text that is filled in only at run time is no account.
pub(super) fn queue_of_url(url: &str, partition: &str, region: &str) -> Option<Arn> {
    let host = url.split_once("://")?.1.split('/').next()?;
    let told = match host.split('.').collect::<Vec<_>>().as_slice() {
        ["sqs" | "sqs-fips", region, "amazonaws", ..] | [region, "queue", "amazonaws", ..] => {
            Some(*region)
        }
        _ => None,
    };
    let arn = arn_of_url(url, partition, told.unwrap_or(region))?;
    AccountId::parse(arn.account()).ok()?;
    Some(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:dead";

    fn read(pairs: &[(QueueAttributeName, &str)]) -> (QueueAttributes, Vec<String>) {
        let attributes = pairs
            .iter()
            .map(|(name, text)| (name.clone(), (*text).to_owned()))
            .collect();
        read_attributes(&attributes)
    }

    #[test]
    fn an_empty_policy_is_no_policy() {
        let (attributes, remarks) = read(&[(QueueAttributeName::Policy, "")]);
        assert_eq!(attributes, QueueAttributes::default());
        assert!(remarks.is_empty());
    }

    #[test]
    fn the_receive_count_may_be_a_number_or_a_string() {
        for count in ["3", "\"3\""] {
            let text = format!(r#"{{"deadLetterTargetArn":"{QUEUE}","maxReceiveCount":{count}}}"#);
            let (attributes, _) = read(&[(QueueAttributeName::RedrivePolicy, &text)]);
            let redrive = attributes.redrive.unwrap();
            assert_eq!(redrive.dead_letter_queue.as_str(), QUEUE);
            assert_eq!(redrive.max_receive_count, 3);
        }
    }

    #[test]
    fn redrive_text_that_makes_no_sense_is_remarked_on() {
        let (attributes, remarks) = read(&[
            (QueueAttributeName::RedrivePolicy, "{"),
            (
                QueueAttributeName::RedriveAllowPolicy,
                r#"{"redrivePermission":"maybe"}"#,
            ),
        ]);
        assert_eq!(attributes, QueueAttributes::default());
        assert_eq!(remarks.len(), 2);
    }

    #[test]
    fn each_redrive_permission_is_read() {
        let allow = |text: &str| {
            read(&[(QueueAttributeName::RedriveAllowPolicy, text)])
                .0
                .redrive_allow
        };
        assert_eq!(
            allow(r#"{"redrivePermission":"allowAll"}"#),
            Some(RedriveAllow::AllowAll)
        );
        assert_eq!(
            allow(r#"{"redrivePermission":"denyAll"}"#),
            Some(RedriveAllow::DenyAll)
        );
        assert_eq!(
            allow(&format!(
                r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{QUEUE}"]}}"#
            )),
            Some(RedriveAllow::ByQueue {
                source_queues: vec![Arn::parse(QUEUE).unwrap()]
            })
        );
    }

    #[test]
    fn a_kms_key_outranks_encryption_managed_by_sqs() {
        let managed = (QueueAttributeName::SqsManagedSseEnabled, "true");
        assert_eq!(
            read(std::slice::from_ref(&managed)).0.encryption,
            Encryption::SqsManaged
        );
        let key = (QueueAttributeName::KmsMasterKeyId, "alias/orders");
        assert_eq!(
            read(&[managed, key]).0.encryption,
            Encryption::Kms {
                key: "alias/orders".to_owned()
            }
        );
    }

    #[test]
    fn the_host_of_a_queue_url_decides_nothing() {
        for url in [
            "https://sqs.eu-west-1.amazonaws.com/111122223333/dead",
            "http://127.0.0.1:4566/111122223333/dead",
            "http://localhost/queue/eu-central-1/111122223333/dead",
        ] {
            assert_eq!(arn_of_url(url, "aws", "eu-west-1").unwrap().as_str(), QUEUE);
        }
        for url in ["", "dead", "https://sqs.amazonaws.com", "https://host/dead"] {
            assert!(arn_of_url(url, "aws", "eu-west-1").is_none(), "{url}");
        }
    }

    #[test]
    fn a_url_may_lead_to_another_region_but_not_to_an_account_yet_unknown() {
        let of =
            |url: &str| queue_of_url(url, "aws", "eu-west-1").map(|arn| arn.as_str().to_owned());
        for url in [
            "https://sqs.eu-west-1.amazonaws.com/111122223333/dead",
            "https://eu-west-1.queue.amazonaws.com/111122223333/dead",
            "https://queue.amazonaws.com/111122223333/dead",
            "http://127.0.0.1:4566/111122223333/dead",
        ] {
            assert_eq!(of(url).as_deref(), Some(QUEUE), "{url}");
        }
        assert_eq!(
            of("https://sqs.us-east-2.amazonaws.com/111122223333/dead").as_deref(),
            Some("arn:aws:sqs:us-east-2:111122223333:dead")
        );
        for url in [
            "https://sqs.eu-west-1.amazonaws.com/${account}/dead",
            "dead",
            "",
        ] {
            assert_eq!(of(url), None, "{url}");
        }
    }
}
