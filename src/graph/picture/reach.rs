//! Who reaches so much, or is reached by so many, that a line to each would say nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Reach;
use crate::entity::Entity;
use crate::graph::{EdgeKind, Edges, Graph};

/// A principal is said to reach nearly everything when it has a right on this many queues, or on this many queues and channels,
/// or can become this many roles, or act as this many besides …
const FEWEST_FOR_WIDE: u64 = 10;
/// … and on one of so many of all. Principals made for a purpose stay far below, those of patterns far above.
const SHARE_FOR_WIDE: u64 = 5;
/// A queue or channel is said to be open to nearly everybody when so many other principals have a right on it, and the same
/// share.
const FEWEST_FOR_OPEN: u64 = 50;

/// What one principal reaches besides queues.
#[derive(Default)]
struct Further<'e> {
    channels: BTreeSet<&'e Entity>,
    roles: u64,
    /// Whom it could act as besides.
    others: u64,
    /// Channels that are counted but not made.
    undrawn: u64,
}

/// Principals that reach more than some, and queues and channels that more than some principals reach.
pub(super) fn reaches(graph: &Graph<'_>, edges: &Edges) -> BTreeMap<Arc<str>, Reach> {
    let is_great = |part: u64, all: u64| part.saturating_mul(SHARE_FOR_WIDE) >= all;
    let is_wide = |part: u64, all: u64| part >= FEWEST_FOR_WIDE && is_great(part, all);
    let mut further: BTreeMap<&str, Further<'_>> = BTreeMap::new();
    let mut channels: BTreeSet<&Entity> = BTreeSet::new();
    for edge in &edges.edges {
        match edge.kind {
            EdgeKind::Assumes => further.entry(&edge.from.arn).or_default().roles += 1,
            EdgeKind::Escalates => further.entry(&edge.from.arn).or_default().others += 1,
            kind if puts(kind) => {
                channels.insert(&edge.to);
                let known = further.entry(&edge.from.arn).or_default();
                known.channels.insert(&edge.to);
            }
            _ => {}
        }
    }
    for ((holder, kind), number) in &edges.undrawn {
        let known = further.entry(&holder.arn).or_default();
        match kind {
            EdgeKind::Assumes => known.roles += number,
            EdgeKind::Escalates => known.others += number,
            _ => known.undrawn += number,
        }
    }
    let access = graph.access;
    let all_queues = access.queues.len() as u64;
    let all_channels = channels.len() as u64;
    let all_roles = access
        .principals
        .iter()
        .filter(|one| one.trust_policy.is_some());
    let all_roles = all_roles.count() as u64;
    let nothing = Further::default();
    let mut reaches = BTreeMap::new();
    let mut queue_reached_by = vec![0_u64; access.queues.len()];
    let mut channel_reached_by: BTreeMap<&Entity, u64> = BTreeMap::new();
    for (index, principal) in access.principals.iter().enumerate() {
        let queues = || access.rights(index).map(|rights| rights.queues);
        let number: u64 = queues().map(|queues| queues.len()).sum();
        let further = further.get(principal.arn.as_str()).unwrap_or(&nothing);
        let put_into = further.channels.len() as u64 + further.undrawn;
        if graph.is_administrator(index) {
            reaches.insert(principal.arn.shared(), Reach::Administrator);
        } else if is_wide(number, all_queues)
            || is_wide(number + put_into, all_queues + all_channels)
            || is_wide(further.roles, all_roles)
            || is_wide(further.others, all_roles)
        {
            reaches.insert(principal.arn.shared(), Reach::Wide);
        } else {
            for queue in queues().flat_map(|queues| queues.iter().collect::<Vec<u32>>()) {
                if let Some(number) = queue_reached_by.get_mut(queue as usize) {
                    *number += 1;
                }
            }
            for channel in &further.channels {
                *channel_reached_by.entry(channel).or_default() += 1;
            }
        }
    }
    let is_open =
        |number: u64| number >= FEWEST_FOR_OPEN && is_great(number, access.principals.len() as u64);
    for (audited, number) in access.queues.iter().zip(queue_reached_by) {
        if is_open(number) {
            reaches.insert(audited.queue.arn.shared(), Reach::Wide);
        }
    }
    for (channel, number) in channel_reached_by {
        if is_open(number) {
            reaches.insert(Arc::clone(&channel.arn), Reach::Wide);
        }
    }
    reaches
}

/// Whether an edge puts something into a channel.
fn puts(kind: EdgeKind) -> bool {
    matches!(
        kind,
        EdgeKind::Publish
            | EdgeKind::PutObject
            | EdgeKind::PutEvents
            | EdgeKind::PutRecord
            | EdgeKind::Invoke
            | EdgeKind::Start
    )
}
