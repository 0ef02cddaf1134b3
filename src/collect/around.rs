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
    let wanted = |service| !options.skip.contains(&service);
    // Boxed one by one: together their states are large.
    let (moves, states, groups, tasks, pods, apis, crawlers, rules) = tokio::join!(
        Box::pin(move_tasks::move_tasks(scan, region, queues)),
        Box::pin(when(
            wanted(Skippable::States),
            states::state_machines(scan, region)
        )),
        Box::pin(when(
            wanted(Skippable::AutoScaling),
            autoscaling::groups(scan, region)
        )),
        Box::pin(when(
            wanted(Skippable::Ecs),
            ecs::tasks_and_services(scan, region)
        )),
        Box::pin(when(
            wanted(Skippable::Eks),
            eks::pod_identities(scan, region)
        )),
        Box::pin(when(
            wanted(Skippable::ApiGateway),
            apigateway::integrations(scan, region)
        )),
        Box::pin(when(wanted(Skippable::Glue), glue::crawlers(scan, region))),
        Box::pin(when(wanted(Skippable::Iot), iot::rules(scan, region))),
    );
    for found in [moves, states, groups, tasks, pods, apis, crawlers, rules] {
        all.extend(found);
    }
    all
}

async fn when(wanted: bool, found: impl Future<Output = Flow>) -> Flow {
    if wanted { found.await } else { Flow::default() }
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
