//! Schedules: `ListSchedules` and `GetSchedule` of the Amazon EventBridge Scheduler API.
//!
//! A schedule sends as a role, to the target that its ARN names, or by any API call ("universal target"); then the input of
//! the call says where to.

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::operation::list_schedules::ListSchedulesOutput;
use aws_sdk_scheduler::types::{ScheduleState, ScheduleSummary, Target};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::Value;

use super::Scan;
use super::attributes::queue_of_url;
use super::calls::{GET_SCHEDULE, LIST_SCHEDULES};
use super::failure::Failure;
use super::flow::{Flow, followed};
use crate::account::{Delivery, DeliveryKind, Sender, Workload, WorkloadKind};
use crate::arn::Arn;

/// A page of `ListSchedules`, the largest that the API reference allows.
const PAGE: i32 = 100;
/// Calls at once for one region; there is one call for each schedule.
const AT_ONCE: usize = 8;

/// Universal targets that send messages, with the field of their input that says where to.
const SENDING_CALLS: &[(&str, &str)] = &[
    ("sqs:sendMessage", "QueueUrl"),
    ("sqs:sendMessageBatch", "QueueUrl"),
    ("sns:publish", "TopicArn"),
    ("sns:publishBatch", "TopicArn"),
    ("lambda:invoke", "FunctionName"),
    ("lambda:invokeAsync", "FunctionName"),
    ("sfn:startExecution", "StateMachineArn"),
    ("sfn:startSyncExecution", "StateMachineArn"),
];

struct Kept {
    arn: Arn,
    group: String,
    name: String,
}

/// The schedules of a region.
pub(super) async fn schedules(scan: &Scan<'_>, region: &str) -> Flow {
    let client = Client::new(&scan.session.in_region(region));
    let unit = scan.reader.unit("scheduler", Some(region));
    let mut kept = Vec::new();
    scan.reader
        .pages_where_offered(
            &LIST_SCHEDULES,
            region,
            |token| {
                client
                    .list_schedules()
                    .max_results(PAGE)
                    .set_next_token(token)
                    .send()
            },
            ListSchedulesOutput::next_token,
            |page| {
                for schedule in page.schedules().iter().filter(|one| is_kept(one)) {
                    match read_summary(schedule) {
                        Some(schedule) => kept.push(schedule),
                        None => scan.reader.failed(
                            &LIST_SCHEDULES,
                            Some(region),
                            schedule.name(),
                            &Failure::word("MalformedResponse"),
                        ),
                    }
                }
            },
        )
        .await;
    unit.known(kept.len());
    stream::iter(kept)
        .map(|schedule| async {
            let flow = described(scan, &client, region, schedule).await;
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

fn is_kept(schedule: &ScheduleSummary) -> bool {
    schedule.target().is_some_and(|target| {
        followed(target.arn()).is_some() || place_in_input(target.arn()).is_some()
    })
}

fn read_summary(schedule: &ScheduleSummary) -> Option<Kept> {
    Some(Kept {
        arn: Arn::parse(schedule.arn()?).ok()?,
        group: schedule.group_name()?.to_owned(),
        name: schedule.name()?.to_owned(),
    })
}

/// The field of the input that says where a universal target sends to.
fn place_in_input(target: &str) -> Option<&'static str> {
    let (_, call) = target.split_once(":scheduler:::aws-sdk:")?;
    SENDING_CALLS
        .iter()
        .find(|(sending, _)| sending.eq_ignore_ascii_case(call))
        .map(|(_, field)| *field)
}

async fn described(scan: &Scan<'_>, client: &Client, region: &str, schedule: Kept) -> Flow {
    let Kept { arn, group, name } = schedule;
    let request = client.get_schedule().group_name(group).name(name).send();
    let answer = scan
        .reader
        .call(&GET_SCHEDULE, Some(region), request)
        .await
        .and_then(|answer| {
            read(scan, region, &arn, &answer).ok_or_else(|| Failure::word("MalformedResponse"))
        });
    match answer {
        Ok(flow) => flow,
        Err(failure) => {
            scan.reader
                .still_exists(&GET_SCHEDULE, Some(region), arn.as_str(), &failure);
            Flow::default()
        }
    }
}

fn read(scan: &Scan<'_>, region: &str, schedule: &Arn, answer: &GetScheduleOutput) -> Option<Flow> {
    let target = answer.target()?;
    let role = Arn::parse(target.role_arn()).ok()?;
    let delivery = |to, failures_only| Delivery {
        kind: DeliveryKind::Schedule,
        configured_by: schedule.clone(),
        from: None,
        to,
        sender: Sender::Role(role.clone()),
        enabled: !matches!(answer.state(), Some(ScheduleState::Disabled)),
        failures_only,
        filter: None,
    };
    let to = destination(scan, region, target);
    if to.is_none() {
        let detail = "where it sends to cannot be told from its input";
        scan.reader
            .note(Some(region), "scheduler", Some(schedule.as_str()), detail);
    }
    let dead_letters = target
        .dead_letter_config()
        .and_then(|config| config.arn())
        .and_then(followed);
    let messages = to.map(|to| delivery(to, false));
    let dead_letters = dead_letters.map(|to| delivery(to, true));
    Some(Flow {
        deliveries: messages.into_iter().chain(dead_letters).collect(),
        channels: Vec::new(),
        workloads: vec![Workload {
            kind: WorkloadKind::Schedule,
            arn: schedule.clone(),
            runs_as: role.clone(),
            session_tags: Vec::new(),
        }],
    })
}

fn destination(scan: &Scan<'_>, region: &str, target: &Target) -> Option<Arn> {
    let Some(field) = place_in_input(target.arn()) else {
        return followed(target.arn());
    };
    let input: Value = serde_json::from_str(target.input()?).ok()?;
    let place = input.get(field)?.as_str()?;
    match field {
        "QueueUrl" => queue_of_url(place, &scan.partition, region),
        "FunctionName" if !place.contains(':') => {
            scan.arn("lambda", region, &format!("function:{place}"))
        }
        _ => followed(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_calls_that_send_are_told_from_others() {
        for call in ["sqs:sendMessage", "sns:publish", "lambda:invoke"] {
            let target = format!("arn:aws:scheduler:::aws-sdk:{call}");
            assert!(place_in_input(&target).is_some(), "{target}");
        }
        for target in [
            "arn:aws:scheduler:::aws-sdk:sqs:purgeQueue",
            "arn:aws:sqs:eu-west-1:111122223333:orders",
        ] {
            assert!(place_in_input(target).is_none(), "{target}");
        }
    }
}
