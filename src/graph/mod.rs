//! How messages and rights travel: who sends to which queue, who takes from it, what AWS delivers, what runs as what.
//!
//! A view over [`Access`]: edges that follow from rights are made when asked for, so that a principal with rights on ten
//! thousand queues costs nothing until somebody looks. Edges point the way messages or rights travel.

mod loops;

use std::collections::{BTreeMap, BTreeSet};

pub use loops::Loop;

use crate::access::{Access, Capability};
use crate::entity::{Certainty, Entity, Kind};
use crate::policy::Formula;

/// The graph over the audited accounts.
#[derive(Debug)]
pub struct Graph<'a> {
    /// The access that the graph draws.
    pub access: &'a Access<'a>,
    /// Queue → function: event source mappings that poll.
    deliveries: Vec<Delivery>,
    /// Pairs of principal and queue for which a delivery starts something that runs as the principal.
    wired: BTreeSet<(usize, usize)>,
    /// Principals with every action on every resource, by index.
    administrators: BTreeSet<usize>,
}

/// A flow that AWS moves by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    /// The index of the queue.
    pub queue: usize,
    /// The function that is invoked.
    pub function: Entity,
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
    /// Queue → function.
    Delivers,
    /// Queue → its dead-letter queue.
    Redrives,
}

impl EdgeKind {
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
        }
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
}

impl<'a> Graph<'a> {
    /// Draws the graph of `access`.
    pub fn new(access: &'a Access<'a>) -> Self {
        let queues: BTreeMap<&str, usize> = access
            .queues
            .iter()
            .enumerate()
            .map(|(index, audited)| (audited.queue.arn.as_str(), index))
            .collect();
        let mut deliveries = Vec::new();
        for account in access.accounts {
            for mapping in account
                .event_source_mappings
                .iter()
                .filter(|mapping| mapping.enabled)
            {
                if let (Some(&queue), Some(function)) =
                    (queues.get(mapping.source.as_str()), mapping.function_arn())
                {
                    deliveries.push(Delivery {
                        queue,
                        function: Entity::new(Kind::Function, function.shared()),
                    });
                }
            }
        }
        deliveries.sort();
        deliveries.dedup();

        let mut runs_as: BTreeMap<&Entity, usize> = BTreeMap::new();
        for (index, principal) in access.principals.iter().enumerate() {
            runs_as.extend(principal.workloads.iter().map(|workload| (workload, index)));
        }
        let wired = deliveries
            .iter()
            .filter_map(|delivery| Some((*runs_as.get(&delivery.function)?, delivery.queue)))
            .collect();
        let administrators = access
            .principals
            .iter()
            .enumerate()
            .filter(|(_, principal)| principal.is_administrator())
            .map(|(index, _)| index)
            .collect();
        Self {
            access,
            deliveries,
            wired,
            administrators,
        }
    }

    /// Whether a delivery from the queue starts something that runs as the principal.
    pub fn is_wired(&self, principal: usize, queue: usize) -> bool {
        self.wired.contains(&(principal, queue))
    }

    /// The functions that run as the principal and that the queue delivers to.
    pub fn delivered_to(&self, principal: usize, queue: usize) -> impl Iterator<Item = &Entity> {
        let workloads = self
            .access
            .principals
            .get(principal)
            .map_or(&[][..], |principal| &principal.workloads);
        self.deliveries
            .iter()
            .filter(move |delivery| {
                delivery.queue == queue && workloads.contains(&delivery.function)
            })
            .map(|delivery| &delivery.function)
    }

    /// The functions that run as the principal and that the queue delivers to, by their place among its workloads.
    fn wired_workloads(&self, principal: usize, queue: usize) -> impl Iterator<Item = usize> {
        let workloads = self
            .access
            .principals
            .get(principal)
            .map_or(&[][..], |principal| &principal.workloads);
        self.delivered_to(principal, queue)
            .filter_map(|function| workloads.iter().position(|workload| workload == function))
    }

    /// Whether the principal may do everything, so that naming it at each queue would tell nothing.
    pub fn is_administrator(&self, principal: usize) -> bool {
        self.administrators.contains(&principal)
    }

    /// The principals that may do everything, by index.
    pub fn administrators(&self) -> impl Iterator<Item = usize> + '_ {
        self.administrators.iter().copied()
    }

    /// Every edge that follows from rights, deliveries and configuration, in no particular order.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        self.rights_of_principals()
            .chain(self.rights_of_outsiders())
            .chain(self.configured())
    }

    fn rights_of_principals(&self) -> impl Iterator<Item = Edge> + '_ {
        let principals = self.access.principals.iter().enumerate();
        principals.flat_map(move |(index, principal)| {
            let holder = Entity::new(principal.kind, principal.arn.shared());
            self.access.rights(index).flat_map(move |rights| {
                let holder = holder.clone();
                let queue = self.queue(rights.queue);
                Capability::ALL.into_iter().filter_map(move |capability| {
                    right(
                        &holder,
                        queue.as_ref()?,
                        capability,
                        rights.when(capability),
                    )
                })
            })
        })
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
        let delivers = self.deliveries.iter().filter_map(|delivery| {
            Some(certain(
                self.queue(delivery.queue)?,
                delivery.function.clone(),
                EdgeKind::Delivers,
            ))
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
        runs_as.chain(delivers).chain(redrives)
    }

    fn queue(&self, index: usize) -> Option<Entity> {
        let audited = self.access.queues.get(index)?;
        Some(Entity::new(Kind::Queue, audited.queue.arn.shared()))
    }
}

fn certain(from: Entity, to: Entity, kind: EdgeKind) -> Edge {
    Edge {
        from,
        to,
        kind,
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
    }
}

fn right(holder: &Entity, queue: &Entity, capability: Capability, when: &Formula) -> Option<Edge> {
    let (kind, with_messages) = match capability {
        Capability::Send => (EdgeKind::Send, true),
        Capability::Receive => (EdgeKind::Receive, false),
        Capability::Delete => (EdgeKind::Delete, true),
        Capability::Purge => (EdgeKind::Purge, true),
        Capability::Administer => (EdgeKind::Administer, true),
    };
    // What only an unreadable policy could give is a gap in the coverage, not an edge.
    if !when.rests_on_what_was_read() {
        return None;
    }
    let (from, to) = if with_messages {
        (holder, queue)
    } else {
        (queue, holder)
    };
    Some(Edge {
        from: from.clone(),
        to: to.clone(),
        kind,
        certainty: if when.is_always() {
            Certainty::Allowed
        } else {
            Certainty::Conditional
        },
        conditions: when.conditions(),
    })
}
