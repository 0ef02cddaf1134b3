//! What works around the queues of a region besides functions and instances: further workloads, and senders that no role of
//! the account shows.
//!
//! Nothing of it is asked for in a region without queues. Most of these services have no filter by queue, and an account
//! without a queue in a region seldom sends from there to another; what does so still shows by the rights of its role.

use std::collections::HashMap;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::flow::Flow;
use super::{
    Options, Scan, Skippable, apigateway, autoscaling, ecs, eks, glue, iot, move_tasks, states,
};
use crate::account::{Account, DeliveryKind, Queue, Sender, WorkloadKind};
use crate::arn::Arn;

/// Calls at once for one service of a region, where each resource takes a call of its own.
const AT_ONCE: usize = 8;

/// What works around the queues of a region.
pub(super) async fn around_queues(
    scan: &Scan<'_>,
    region: &str,
    options: &Options,
    queues: &[Queue],
) -> Flow {
    let mut all = Flow::default();
    if queues.is_empty() {
        return all;
    }
    let moves = scan.part(
        "sqs message move tasks",
        Some(region),
        &queues,
        async |scan| move_tasks::move_tasks(scan, region, queues).await,
    );
    let states = scan.flow(Skippable::States, region, options, states::state_machines);
    let groups = scan.flow(Skippable::AutoScaling, region, options, autoscaling::groups);
    let tasks = scan.flow(Skippable::Ecs, region, options, ecs::tasks_and_services);
    let pods = scan.flow(Skippable::Eks, region, options, eks::pod_identities);
    let apis = scan.flow(
        Skippable::ApiGateway,
        region,
        options,
        apigateway::integrations,
    );
    let crawlers = scan.flow(Skippable::Glue, region, options, glue::crawlers);
    let rules = scan.flow(Skippable::Iot, region, options, iot::rules);
    // Boxed one by one: together their states are large.
    let (moves, states, groups, tasks, pods, apis, crawlers, rules) = tokio::join!(
        Box::pin(moves),
        Box::pin(states),
        Box::pin(groups),
        Box::pin(tasks),
        Box::pin(pods),
        Box::pin(apis),
        Box::pin(crawlers),
        Box::pin(rules),
    );
    for found in [moves, states, groups, tasks, pods, apis, crawlers, rules] {
        all.extend(found);
    }
    all
}

/// Reads each item with calls of its own, several at once. Items are owned: a future over borrowed ones could not be sent to
/// another thread.
pub(super) async fn each<T, O, F>(items: Vec<T>, read: impl Fn(T) -> F) -> Vec<O>
where
    F: Future<Output = O>,
{
    stream::iter(items)
        .map(read)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// Gives roles and instance profiles their paths where a service told only the name. Names are unique in an account whatever
/// the path; a name that the account does not have stays as it is.
pub(super) fn complete_paths(account: &mut Account) {
    let roles: HashMap<&str, &Arn> = account
        .roles
        .iter()
        .map(|role| (role.arn.name(), &role.arn))
        .collect();
    let profiles: HashMap<&str, &Arn> = account
        .roles
        .iter()
        .flat_map(|role| &role.instance_profiles)
        .map(|profile| (profile.name(), profile))
        .collect();
    let own = account.id.as_str();
    let complete = |arn: &mut Arn, known: &HashMap<&str, &Arn>| {
        if arn.account() == own
            && let Some(&whole) = known.get(arn.name())
        {
            *arn = whole.clone();
        }
    };
    for workload in &mut account.workloads {
        match workload.kind {
            WorkloadKind::AutoScalingGroup => complete(&mut workload.runs_as, &profiles),
            WorkloadKind::Crawler => complete(&mut workload.runs_as, &roles),
            _ => {}
        }
    }
    for delivery in &mut account.deliveries {
        if let (DeliveryKind::Crawler, Sender::Role(role)) = (delivery.kind, &mut delivery.sender) {
            complete(role, &roles);
        }
    }
}
