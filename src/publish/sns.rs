//! A message for each finding that is new, to an SNS topic: `PublishBatch` of the Amazon SNS API.
//!
//! One message a finding, because whoever subscribes chooses by finding: severity, rule, account, region and what changed are
//! attributes, so that a filter policy can send critical ones to a pager and the rest to a mailbox. FIFO topics get the id of
//! the message to drop what comes twice, and an order for each account.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::batch::{Broken, Fate, deliver, runs};
use super::calls::PUBLISH_BATCH;
use super::notice::{Notice, text};
use super::{Outcome, broken, count, made};
use crate::arn::Arn;
use crate::collect::Session;
use crate::report::{Report, sanitise};

/// Messages of one call.
const MOST: usize = 10;
/// Bytes of one call, and so of one message: 256 KiB, attributes included.
const ROOM: usize = 256 * 1024;
/// What attributes and subject take at most.
const BESIDES: usize = 2 * 1024;
/// Characters of a subject: fewer than a hundred.
const LONGEST_SUBJECT: usize = 99;

struct Message<'n> {
    notice: &'n Notice<'n>,
    body: String,
}

/// Sends what is new; gives back what the topic has.
pub(super) async fn send<'n>(
    session: &Session,
    topic: &Arn,
    report: &Report,
    tell: &'n [Notice<'n>],
    outcome: &mut Outcome,
) -> Vec<&'n Notice<'n>> {
    let client = Client::new(&session.in_region(topic.region()));
    let is_fifo = topic.resource().strip_suffix(".fifo").is_some();
    let mut messages = Vec::new();
    for notice in tell {
        match notice.message(report, ROOM - BESIDES) {
            Ok(message) => messages.push(Message {
                notice,
                body: text(&message),
            }),
            Err(why) => outcome.fail(format!("{}: {why}", notice.finding())),
        }
    }
    let runs = runs(messages, MOST, ROOM, |message| message.body.len() + BESIDES);
    let delivered = deliver(runs, async |messages: &[Message<'_>]| {
        let entries: Result<Vec<_>, String> = messages
            .iter()
            .enumerate()
            .map(|(place, message)| entry(place, message, report, is_fifo))
            .collect();
        let entries = entries.map_err(|why| Broken {
            why,
            is_lasting: false,
        })?;
        let request = client
            .publish_batch()
            .topic_arn(topic.to_string())
            .set_publish_batch_request_entries(Some(entries));
        let answer = made(&PUBLISH_BATCH, topic.region(), request.send()).await;
        let answer = answer.map_err(|error| broken(&PUBLISH_BATCH, &error))?;
        let fate = |place: usize| {
            let id = place.to_string();
            if answer.successful().iter().any(|one| one.id() == Some(&id)) {
                return Fate::Taken;
            }
            let mut errors = answer.failed().iter();
            match errors.find(|one| one.id() == id) {
                Some(error) => {
                    let message = error.message().unwrap_or_default();
                    let why = sanitise(&format!("{}: {message}", error.code())).into_owned();
                    if error.sender_fault() {
                        Fate::Refused(why)
                    } else {
                        Fate::Again(why)
                    }
                }
                None => Fate::Refused("the answer says nothing of it".to_owned()),
            }
        };
        Ok((0..messages.len()).map(fate).collect())
    })
    .await;
    outcome.keep(&delivered, |message| message.notice.finding().to_owned());
    let taken = delivered.taken.into_iter();
    let arrived: Vec<_> = taken.map(|message| message.notice).collect();
    if !arrived.is_empty() || outcome.failed.is_empty() {
        outcome
            .done
            .push(format!("sent {}", count(arrived.len(), "message")));
    }
    arrived
}

fn entry(
    place: usize,
    message: &Message<'_>,
    report: &Report,
    is_fifo: bool,
) -> Result<PublishBatchRequestEntry, String> {
    let notice = message.notice;
    let complete = report.complete().to_string();
    let mut entry = PublishBatchRequestEntry::builder()
        .id(place.to_string())
        .subject(subject(notice))
        .message(&message.body);
    for (name, value) in [
        ("severity", notice.severity()),
        ("rule", notice.rule()),
        ("change", notice.change),
        ("account", notice.account()),
        ("region", notice.region()),
        ("complete", &complete),
        ("message_id", &notice.id),
    ] {
        let value: String = sanitise(value).chars().take(128).collect();
        // An attribute without a value is an error.
        if value.is_empty() {
            continue;
        }
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build()
            .map_err(|error| error.to_string())?;
        entry = entry.message_attributes(name, value);
    }
    if is_fifo {
        entry = entry
            .message_group_id(notice.account())
            .message_deduplication_id(&notice.id);
    }
    entry.build().map_err(|error| error.to_string())
}

/// What mail programs show: ASCII on one line that begins with a letter, as SNS demands.
fn subject(notice: &Notice<'_>) -> String {
    let text = format!(
        "patscan {} {}: {}",
        notice.change,
        notice.severity(),
        notice.title()
    );
    let ascii = text.chars().map(|c| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    });
    ascii.take(LONGEST_SUBJECT).collect()
}
