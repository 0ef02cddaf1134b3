//! Message move tasks that run: `ListMessageMoveTasks` of the Amazon SQS API, asked of dead-letter queues only, since only
//! these can be redriven.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry;

use super::Scan;
use super::around::each;
use super::calls::LIST_MESSAGE_MOVE_TASKS;
use super::failure::Failure;
use super::flow::Flow;
use crate::account::{Delivery, DeliveryKind, Queue, Sender};
use crate::arn::Arn;

/// The most that SQS returns, newest first; one task at most of a queue runs.
const TASKS: i32 = 10;

/// The move tasks that run in a region.
pub(super) async fn move_tasks(scan: &Scan<'_>, region: &str, queues: &[Queue]) -> Flow {
    let here: HashSet<&Arn> = queues.iter().map(|queue| &queue.arn).collect();
    let mut sources: BTreeMap<Arn, BTreeSet<Arn>> = BTreeMap::new();
    for queue in queues {
        if let Some(redrive) = queue
            .attributes
            .as_ref()
            .and_then(|attributes| attributes.redrive.as_ref())
            && here.contains(&redrive.dead_letter_queue)
        {
            sources
                .entry(redrive.dead_letter_queue.clone())
                .or_default()
                .insert(queue.arn.clone());
        }
    }
    let client = Client::new(&scan.session.in_region(region));
    let deliveries = each(
        sources.into_iter().collect(),
        async |(dead, sources): (Arn, BTreeSet<Arn>)| {
            of_queue(scan, &client, region, &dead, &sources).await
        },
    )
    .await;
    Flow {
        deliveries: deliveries.into_iter().flatten().collect(),
        ..Flow::default()
    }
}

async fn of_queue(
    scan: &Scan<'_>,
    client: &Client,
    region: &str,
    dead: &Arn,
    sources: &BTreeSet<Arn>,
) -> Vec<Delivery> {
    let request = client
        .list_message_move_tasks()
        .source_arn(dead.as_str())
        .max_results(TASKS)
        .send();
    let failed = |failure: &Failure| {
        scan.reader.failed(
            &LIST_MESSAGE_MOVE_TASKS,
            Some(region),
            Some(dead.as_str()),
            failure,
        );
    };
    let tasks = match scan
        .reader
        .call(&LIST_MESSAGE_MOVE_TASKS, Some(region), request)
        .await
    {
        Ok(answer) => answer.results.unwrap_or_default(),
        Err(failure) => {
            // From a queue that was deleted since it was listed nothing moves any more.
            scan.reader.still_exists(
                &LIST_MESSAGE_MOVE_TASKS,
                Some(region),
                dead.as_str(),
                &failure,
            );
            return Vec::new();
        }
    };
    let mut targets: BTreeSet<Arn> = BTreeSet::new();
    for task in tasks.iter().filter(|task| runs(task)) {
        match task.destination_arn().map(Arn::parse) {
            Some(Ok(destination)) => {
                targets.insert(destination);
            }
            Some(Err(_)) => failed(&Failure::word("MalformedResponse")),
            // Without a destination messages go back to where they came from.
            None => targets.extend(sources.iter().cloned()),
        }
    }
    targets
        .into_iter()
        .map(|to| Delivery {
            kind: DeliveryKind::MoveTask,
            configured_by: dead.clone(),
            from: Some(dead.clone()),
            to,
            sender: Sender::Internal,
            enabled: true,
            failures_only: false,
            filter: None,
        })
        .collect()
}

fn runs(task: &ListMessageMoveTasksResultEntry) -> bool {
    task.status() == Some("RUNNING")
}
