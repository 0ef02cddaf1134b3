//! An event for each finding that is new, to an event bus: `PutEvents` of the Amazon EventBridge API.
//!
//! The source is `patscan`, the detail type `patscan finding`, the detail what the other receivers of notices get, so a rule
//! matches on `detail.change` or `detail.finding.severity`. EventBridge does not drop what comes twice; `detail.message_id` is
//! the same for the same finding in the same state.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_smithy_types::DateTime;

use super::batch::{Fate, deliver, runs};
use super::calls::PUT_EVENTS;
use super::destination::Bus;
use super::notice::{Notice, text};
use super::{Outcome, broken, count, made};
use crate::collect::Session;
use crate::report::{Report, sanitise};

const SOURCE: &str = "patscan";
const DETAIL_TYPE: &str = "patscan finding";
/// Entries of one call.
const MOST: usize = 10;
/// Bytes of all entries of one call ("Calculating `PutEvents` event entry size").
const ROOM: usize = 256 * 1024;
/// What time, source, detail type and the subject's ARN take at most.
const BESIDES: usize = 2 * 1024 + 256;
/// Codes of entries that EventBridge may take another time.
const PASSING: &[&str] = &[
    "ThrottlingException",
    "InternalFailure",
    "InternalException",
    "ServiceUnavailable",
];

struct Event<'n> {
    notice: &'n Notice<'n>,
    detail: String,
}

/// Sends what is new; gives back what the bus has.
pub(super) async fn send<'n>(
    session: &Session,
    bus: &Bus,
    report: &Report,
    tell: &'n [Notice<'n>],
    outcome: &mut Outcome,
) -> Vec<&'n Notice<'n>> {
    let (region, bus) = match bus {
        Bus::Named(name) => (session.base_region(), name.clone()),
        Bus::Of(arn) => (arn.region(), arn.to_string()),
    };
    let client = Client::new(&session.in_region(region));
    let mut events = Vec::new();
    for notice in tell {
        match notice.message(report, ROOM - BESIDES) {
            Ok(message) => events.push(Event {
                notice,
                detail: text(&message),
            }),
            Err(why) => outcome.fail(format!("{}: {why}", notice.finding())),
        }
    }
    let time = DateTime::from_secs(report.generated_at.timestamp());
    let runs = runs(events, MOST, ROOM, |event| event.detail.len() + BESIDES);
    let delivered = deliver(runs, async |events: &[Event<'_>]| {
        let entries = events.iter().map(|event| {
            let subject = event.notice.subject();
            let is_arn = subject.starts_with("arn:") && subject.len() <= 2048;
            PutEventsRequestEntry::builder()
                .event_bus_name(&bus)
                .source(SOURCE)
                .detail_type(DETAIL_TYPE)
                .time(time)
                .set_resources(is_arn.then(|| vec![subject.to_owned()]))
                .detail(&event.detail)
                .build()
        });
        let request = client.put_events().set_entries(Some(entries.collect()));
        let answer = made(&PUT_EVENTS, region, request.send()).await;
        let answer = answer.map_err(|error| broken(&PUT_EVENTS, &error))?;
        // One result an entry, in their order.
        let fates = answer
            .entries()
            .iter()
            .map(|entry| match entry.error_code() {
                None if entry.event_id().is_some() => Fate::Taken,
                None => Fate::Refused("the answer says nothing of it".to_owned()),
                Some(code) => {
                    let message = entry.error_message().unwrap_or_default();
                    let why = sanitise(&format!("{code}: {message}")).into_owned();
                    if PASSING.contains(&code) {
                        Fate::Again(why)
                    } else {
                        Fate::Refused(why)
                    }
                }
            });
        Ok(fates.collect())
    })
    .await;
    outcome.keep(&delivered, |event| event.notice.finding().to_owned());
    let taken = delivered.taken.into_iter();
    let arrived: Vec<_> = taken.map(|event| event.notice).collect();
    if !arrived.is_empty() || outcome.failed.is_empty() {
        outcome
            .done
            .push(format!("put {} in {region}", count(arrived.len(), "event")));
    }
    arrived
}
