//! How messages and rights travel: who sends to which queue, who takes from it, what AWS delivers, what runs as what.
//!
//! A view over [`Access`]: edges that follow from rights are made when asked for, so that a principal with rights on ten
//! thousand queues costs nothing until somebody looks. Edges point the way messages or rights travel.

mod adjacency;
mod blocks;
mod cycles;
mod edges;
mod flow;
mod loops;
pub mod picture;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

pub use cycles::{MessageCycle, Station};
pub use edges::{Edges, Extent};
pub use flow::Process;
pub use loops::Loop;

use crate::access::{Access, Capability, Channels, Principal, QueueSet, Stop, Wire};
use crate::entity::{Certainty, Entity, Kind};
use crate::parallel::in_parallel;
use crate::policy::Formula;

/// The graph over the audited accounts.
#[derive(Debug)]
pub struct Graph<'a> {
    /// The access that the graph draws.
    pub access: &'a Access<'a>,
    /// What messages pass through besides queues.
    pub channels: Channels<'a>,
    /// Queue → workload: what AWS polls for, such as event source mappings.
    deliveries: Vec<Delivery>,
    /// For each principal the workloads, by place, that something starts.
    starts: BTreeMap<usize, BTreeSet<usize>>,
    /// For each principal the queues that deliver to something that runs as it.
    wired: BTreeMap<usize, QueueSet>,
    /// Deliveries by queue, as a range of the sorted list.
    deliveries_of: BTreeMap<usize, Range<usize>>,
    /// Principals with every action on every resource, by index.
    administrators: BTreeSet<usize>,
    /// What [`Graph::looped`] tells, once it was asked.
    looped: OnceLock<Vec<Arc<QueueSet>>>,
}

/// A flow that AWS moves by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    /// The index of the queue.
    pub queue: usize,
    /// The function that is invoked, or what else is started.
    pub workload: Entity,
    /// Whether policies always let it.
    pub certainty: Certainty,
}

/// What an edge stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeKind {
    /// Generator → queue.
    Send,
    /// Queue → consumer.
    Receive,
    /// Principal → queue.
    Delete,
    /// Principal → queue.
    Purge,
    /// Principal → queue.
    Administer,
    /// Workload → role.
    RunsAs,
    /// From a queue, a channel, a workload or a clock to what AWS delivers to.
    Delivers,
    /// Queue → its dead-letter queue, or anything → what takes only what failed there.
    Redrives,
    /// Principal → topic.
    Publish,
    /// Principal → bucket.
    PutObject,
    /// Principal → event bus.
    PutEvents,
    /// Principal → stream of Kinesis.
    PutRecord,
    /// Principal → function.
    Invoke,
    /// Principal → state machine.
    Start,
    /// Principal → role.
    Assumes,
    /// Principal → role or user that it can act as without being let in: by what it makes or changes.
    Escalates,
}

impl EdgeKind {
    /// The edge that a capability is drawn as.
    pub fn of(capability: Capability) -> Self {
        match capability {
            Capability::Send => Self::Send,
            Capability::Receive => Self::Receive,
            Capability::Delete => Self::Delete,
            Capability::Purge => Self::Purge,
            Capability::Administer => Self::Administer,
        }
    }

    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Delete => "delete",
            Self::Purge => "purge",
            Self::Administer => "administer",
            Self::RunsAs => "runs-as",
            Self::Delivers => "delivers",
            Self::Redrives => "redrives",
            Self::Publish => "publish",
            Self::PutObject => "put-object",
            Self::PutEvents => "put-events",
            Self::PutRecord => "put-record",
            Self::Invoke => "invoke",
            Self::Start => "start",
            Self::Assumes => "assumes",
            Self::Escalates => "escalates",
        }
    }

    /// Whether it says who can become whom.
    pub fn becomes(self) -> bool {
        matches!(self, Self::Assumes | Self::Escalates)
    }
}

/// One edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Where messages or rights come from.
    pub from: Entity,
    /// Where they go.
    pub to: Entity,
    /// What it stands for.
    pub kind: EdgeKind,
    /// How sure it is.
    pub certainty: Certainty,
    /// The conditions of a conditional edge, in words.
    pub conditions: Vec<String>,
    /// By which actions, for those that escalate: the first is the surest.
    pub ways: Vec<&'static str>,
}

impl<'a> Graph<'a> {
    /// Draws the graph of `access`.
    pub fn new(access: &'a Access<'a>) -> Self {
        let channels = access.channels();
        let mut deliveries: Vec<Delivery> = Vec::new();
        let mut starts: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut wired: BTreeMap<usize, QueueSet> = BTreeMap::new();
        for wire in flowing(&channels.wires) {
            let target = match wire.target {
                Some(Stop::Workload(place)) => Some(place),
                Some(Stop::Inlet(inlet)) => {
                    let inlet = channels.inlets.get(inlet);
                    inlet.and_then(|inlet| inlet.leads_to)
                }
                Some(Stop::Queue(_)) | None => None,
            };
            if let Some(place) = target {
                let places = starts.entry(place.principal).or_default();
                places.insert(place.workload);
            }
            for source in &wire.sources {
                let Stop::Queue(queue) = source else { continue };
                if wire.to.kind == Kind::Queue {
                    continue;
                }
                deliveries.push(Delivery {
                    queue: *queue,
                    workload: wire.to.clone(),
                    certainty: Certainty::of(&wire.when),
                });
                if let (Some(Stop::Workload(place)), Ok(queue), true) =
                    (wire.target, u32::try_from(*queue), wire.when.is_always())
                {
                    wired.entry(place.principal).or_default().insert(queue);
                }
            }
        }
        for inlet in &channels.inlets {
            if let Some(place) = inlet.leads_to {
                let places = starts.entry(place.principal).or_default();
                places.insert(place.workload);
            }
        }
        deliveries.sort();
        deliveries.dedup();
        let mut deliveries_of: BTreeMap<usize, Range<usize>> = BTreeMap::new();
        for (place, delivery) in deliveries.iter().enumerate() {
            deliveries_of
                .entry(delivery.queue)
                .or_insert(place..place)
                .end = place + 1;
        }
        let administrators = (0..)
            .zip(in_parallel(&access.principals, Principal::is_administrator))
            .filter(|(_, is_administrator)| *is_administrator)
            .map(|(index, _)| index)
            .collect();
        Self {
            access,
            channels,
            deliveries,
            starts,
            wired,
            deliveries_of,
            administrators,
            looped: OnceLock::new(),
        }
    }

    /// The deliveries that are switched on and that policies may let happen.
    pub fn flowing_wires(&self) -> impl Iterator<Item = &Wire> {
        flowing(&self.channels.wires)
    }

    /// What runs as the principal and is always started by what the queue holds.
    pub fn delivered_to(&self, principal: usize, queue: usize) -> impl Iterator<Item = &Entity> {
        let workloads = self
            .access
            .principals
            .get(principal)
            .map_or(&[][..], |principal| &principal.workloads);
        self.deliveries_of
            .get(&queue)
            .and_then(|range| self.deliveries.get(range.clone()))
            .unwrap_or_default()
            .iter()
            .filter(|delivery| delivery.certainty == Certainty::Allowed)
            .map(|delivery| &delivery.workload)
            .filter(move |workload| workloads.binary_search(workload).is_ok())
    }

    /// The same functions, by their place among the principal's workloads.
    fn wired_workloads(&self, principal: usize, queue: u32) -> impl Iterator<Item = usize> {
        let workloads = self
            .access
            .principals
            .get(principal)
            .map_or(&[][..], |principal| &principal.workloads);
        self.delivered_to(principal, queue as usize)
            .filter_map(|workload| workloads.binary_search(workload).ok())
    }

    /// Whether the principal may do everything, so that naming it at each queue would tell nothing.
    pub fn is_administrator(&self, principal: usize) -> bool {
        self.administrators.contains(&principal)
    }

    /// The principals that may do everything, by index.
    pub fn administrators(&self) -> impl Iterator<Item = usize> + '_ {
        self.administrators.iter().copied()
    }

    /// Every edge that follows from rights on queues, deliveries and configuration, in no particular order. Of the queues that
    /// one principal holds one right on in one way, the first `most` are drawn; [`Graph::undrawn`] counts the others. What
    /// else principals may do is told by [`Graph::edges_of_principals`].
    pub fn edges(&self, most: usize) -> impl Iterator<Item = Edge> + '_ {
        self.rights_of_principals(most)
            .chain(self.rights_of_outsiders())
            .chain(self.configured())
    }

    fn rights_of_principals(&self, most: usize) -> impl Iterator<Item = Edge> + '_ {
        let principals = self.access.principals.iter().enumerate();
        principals.flat_map(move |(index, principal)| {
            let holder = Entity::new(principal.kind, principal.arn.shared());
            self.access.rights(index).flat_map(move |rights| {
                let holder = holder.clone();
                let queues: Vec<u32> = rights.queues.iter().take(most).collect();
                queues.into_iter().flat_map(move |queue| {
                    let holder = holder.clone();
                    let sessions = rights.on_each();
                    let queue = self.queue(queue as usize);
                    Capability::ALL.into_iter().filter_map(move |capability| {
                        right(
                            &holder,
                            queue.as_ref()?,
                            capability,
                            sessions.when(capability),
                        )
                    })
                })
            })
        })
    }

    /// For each principal and right, how many edges are left out when `most` are drawn of those that are alike. Sorted.
    pub fn undrawn(&self, most: usize) -> BTreeMap<(Entity, EdgeKind), u64> {
        let mut undrawn = BTreeMap::new();
        for (index, principal) in self.access.principals.iter().enumerate() {
            for rights in self.access.rights(index) {
                let left = rights.queues.len().saturating_sub(most as u64);
                if left == 0 {
                    continue;
                }
                for capability in Capability::ALL {
                    if rights.on_each().when(capability).rests_on_what_was_read() {
                        let holder = Entity::new(principal.kind, principal.arn.shared());
                        let edge = (holder, EdgeKind::of(capability));
                        *undrawn.entry(edge).or_default() += left;
                    }
                }
            }
        }
        undrawn
    }

    fn rights_of_outsiders(&self) -> impl Iterator<Item = Edge> + '_ {
        self.access.queues.iter().flat_map(|audited| {
            let queue = Entity::new(Kind::Queue, audited.queue.arn.shared());
            audited.outsiders.iter().flat_map(move |outsider| {
                let holder = outsider.who.entity();
                let queue = queue.clone();
                Capability::ALL.into_iter().filter_map(move |capability| {
                    right(&holder, &queue, capability, outsider.when(capability))
                })
            })
        })
    }

    fn configured(&self) -> impl Iterator<Item = Edge> + '_ {
        let runs_as = self.access.principals.iter().flat_map(|principal| {
            principal.workloads.iter().map(move |workload| {
                certain(
                    workload.clone(),
                    Entity::new(principal.kind, principal.arn.shared()),
                    EdgeKind::RunsAs,
                )
            })
        });
        let redrives = (0..self.access.queues.len()).flat_map(move |dead_letters| {
            let sources = self.access.moved_from(dead_letters).iter();
            sources.filter_map(move |source| {
                Some(certain(
                    self.queue(*source)?,
                    self.queue(dead_letters)?,
                    EdgeKind::Redrives,
                ))
            })
        });
        runs_as.chain(self.delivered()).chain(redrives)
    }

    fn queue(&self, index: usize) -> Option<Entity> {
        let audited = self.access.queues.get(index)?;
        Some(Entity::new(Kind::Queue, audited.queue.arn.shared()))
    }
}

/// The deliveries that are switched on and that policies may let happen, as far as those were read.
fn flowing(wires: &[Wire]) -> impl Iterator<Item = &Wire> {
    wires
        .iter()
        .filter(|wire| wire.enabled && wire.when.rests_on_what_was_read())
}

fn certain(from: Entity, to: Entity, kind: EdgeKind) -> Edge {
    Edge {
        from,
        to,
        kind,
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
        ways: Vec::new(),
    }
}

fn right(holder: &Entity, queue: &Entity, capability: Capability, when: &Formula) -> Option<Edge> {
    // What only an unreadable policy could give is a gap in the coverage, not an edge.
    if !when.rests_on_what_was_read() {
        return None;
    }
    let (from, to) = match capability {
        Capability::Receive => (queue, holder),
        _ => (holder, queue),
    };
    Some(Edge {
        from: from.clone(),
        to: to.clone(),
        kind: EdgeKind::of(capability),
        certainty: Certainty::of(when),
        conditions: when.conditions(),
        ways: Vec::new(),
    })
}
