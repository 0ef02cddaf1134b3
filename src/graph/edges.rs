//! The edges of the graph besides rights on queues: what principals may put into channels and start, what AWS delivers, who may
//! become which role, and who could act as whom besides.
//!
//! Functions and state machines can be started by whoever may; an edge is made only to those that take part in the flow of
//! messages or that are asked about, as every account has many that neither do.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

use super::cycles::{MessageCycle, Station};
use super::{Edge, EdgeKind, Graph, certain, right};
use crate::access::{Becoming, Capability, Inlet, Stop, TakeoverFinder, Wire};
use crate::arn::Arn;
use crate::entity::{Certainty, Entity, Kind};
use crate::parallel::in_parallel;
use crate::policy::{Atom, Formula, Literal};

/// How much of the graph is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Extent<'e> {
    /// Edges of one kind that are made of one principal.
    pub most: usize,
    /// The ids at which all are made.
    pub chosen: &'e BTreeSet<Arc<str>>,
    /// The cycles over which messages come back, whose edges are all made.
    pub cycles: &'e [MessageCycle],
}

/// Edges, and for each principal and kind how many are left out.
#[derive(Debug, Default)]
pub struct Edges {
    /// Those that are made, in no particular order.
    pub edges: Vec<Edge>,
    /// How many are left out.
    pub undrawn: BTreeMap<(Entity, EdgeKind), u64>,
}

impl Edges {
    fn take(&mut self, holder: &Entity, kind: EdgeKind, number: usize) {
        if number > 0 {
            let left = self.undrawn.entry((holder.clone(), kind)).or_default();
            *left += number as u64;
        }
    }
}

impl EdgeKind {
    /// The edge that putting something into an inlet is drawn as.
    fn of_inlet(inlet: &Inlet) -> Self {
        match inlet.word() {
            "publish" => Self::Publish,
            "put-object" => Self::PutObject,
            "put-events" => Self::PutEvents,
            "put-record" => Self::PutRecord,
            "start" => Self::Start,
            _ => Self::Invoke,
        }
    }
}

impl Graph<'_> {
    /// Everything that messages pass through or come from besides queues and what runs as principals: topics, buckets and buses that
    /// deliver something or are delivered to, and the two ends of every delivery that is configured.
    pub fn channels_and_ends(&self) -> BTreeSet<&Entity> {
        let inlets = self.channels.inlets.iter().map(|inlet| &inlet.entity);
        let inlets = inlets.filter(|entity| !can_be_started(entity.kind));
        let wires = self.drawable_wires();
        inlets
            .chain(wires.flat_map(|wire| [&wire.from, &wire.to]))
            .collect()
    }

    /// What principals may put into channels and start, which roles they may become, and whom else they could act as.
    pub fn edges_of_principals(&self, extent: &Extent<'_>) -> Edges {
        let started = self.started(extent);
        let on_cycles = self.on_cycles(extent.cycles);
        let becoming = self.access.becoming();
        let finder = self.access.takeover_finder();
        let principals: Vec<usize> = (0..self.access.principals.len()).collect();
        let all = in_parallel(&principals, |index| {
            let mut edges = Edges::default();
            self.add_puts(*index, extent, &started, &on_cycles, &mut edges);
            self.add_steps(*index, extent, &becoming, &mut edges);
            self.add_escalations(*index, extent, &finder, &mut edges);
            edges
        });
        let mut edges = Edges::default();
        for of_one in all {
            edges.edges.extend(of_one.edges);
            edges.undrawn.extend(of_one.undrawn);
        }
        edges.edges.extend(self.queues_on_cycles(extent.cycles));
        edges
    }

    /// What AWS moves by itself. What policies refuse is no edge; what is switched off flows only once it is switched on.
    pub(super) fn delivered(&self) -> impl Iterator<Item = Edge> + '_ {
        let mut surest: BTreeMap<(&Entity, &Entity, EdgeKind), BTreeSet<Edge>> = BTreeMap::new();
        for wire in self.drawable_wires() {
            if !wire.when.rests_on_what_was_read() {
                continue;
            }
            let kind = if wire.failures_only {
                EdgeKind::Redrives
            } else {
                EdgeKind::Delivers
            };
            let mut conditions = wire.when.conditions();
            if !wire.enabled {
                conditions.insert(0, "it is switched off".to_owned());
            }
            let edge = Edge {
                from: wire.from.clone(),
                to: wire.to.clone(),
                kind,
                certainty: if wire.enabled {
                    Certainty::of(&wire.when)
                } else {
                    Certainty::Conditional
                },
                conditions,
                ways: Vec::new(),
            };
            let known = surest.entry((&wire.from, &wire.to, kind)).or_default();
            known.insert(edge);
        }
        // Of several between two things, one that is sure says all that there is to say.
        surest.into_values().flat_map(|edges| {
            let sure = edges
                .iter()
                .find(|edge| edge.certainty == Certainty::Allowed)
                .cloned();
            match sure {
                Some(sure) => vec![sure],
                None => edges.into_iter().collect(),
            }
        })
    }

    /// The services and queues of which a delivery says all that the service may send: it sends on behalf of what is delivered
    /// from, and of nothing else.
    pub fn told_by_deliveries(&self) -> BTreeSet<(Arc<str>, Arc<str>)> {
        let mut sources: BTreeMap<(&Entity, usize), BTreeSet<&str>> = BTreeMap::new();
        for wire in self.drawable_wires() {
            if let (Some(asker), Some(Stop::Queue(queue))) = (&wire.asker, wire.target)
                && wire.when.rests_on_what_was_read()
            {
                let known = sources.entry((asker, queue)).or_default();
                known.extend([&*wire.from.arn, &*wire.configured_by]);
            }
        }
        let told = sources.into_iter().filter_map(|((asker, queue), sources)| {
            let audited = self.access.queues.get(queue)?;
            let mut outsiders = audited.outsiders.iter();
            let sends = outsiders.find(|outsider| outsider.who.entity() == *asker)?;
            let is_source = |literal: &Literal| {
                let is_of_source = matches!(
                    &*literal.atom,
                    Atom::Test(test) if test.key() == "aws:sourcearn" && literal.holds
                );
                let text = literal.to_string();
                is_of_source
                    && text
                        .rsplit(' ')
                        .next()
                        .is_some_and(|arn| sources.contains(arn))
            };
            let otherwise = sends
                .when(Capability::Send)
                .substituted(&|literal| is_source(literal).then_some(Formula::Never));
            let queue = audited.queue.arn.shared();
            (!otherwise.is_satisfiable()).then(|| (Arc::clone(&asker.arn), queue))
        });
        told.collect()
    }

    /// The deliveries between things that the graph has kinds for.
    fn drawable_wires(&self) -> impl Iterator<Item = &Wire> {
        self.channels.wires.iter().filter(|wire| {
            (wire.from.kind != Kind::Schedule || is_of_clock(&wire.from))
                && wire.to.kind != Kind::Schedule
        })
    }

    /// The functions and state machines to which edges are made.
    fn started(&self, extent: &Extent<'_>) -> BTreeSet<Arc<str>> {
        let of_wires = self
            .drawable_wires()
            .filter(|wire| wire.when.rests_on_what_was_read())
            .flat_map(|wire| [&wire.from, &wire.to]);
        let of_cycles = extent.cycles.iter().flat_map(|cycle| &cycle.witnesses);
        let of_cycles = of_cycles.flatten().filter_map(|station| match station {
            Station::Inlet(inlet) => Some(&self.channels.inlets.get(*inlet)?.entity),
            Station::Queue(_) | Station::Process(..) => None,
        });
        let mut started: BTreeSet<Arc<str>> = of_wires
            .chain(of_cycles)
            .filter(|entity| can_be_started(entity.kind))
            .map(|entity| Arc::clone(&entity.arn))
            .collect();
        for principal in &self.access.principals {
            if extent.chosen.contains(principal.arn.as_str()) {
                let workloads = principal.workloads.iter();
                started.extend(workloads.map(|workload| Arc::clone(&workload.arn)));
            }
        }
        started.extend(extent.chosen.iter().cloned());
        started
    }

    /// The inlets that each principal puts something into on a way round, by index.
    fn on_cycles(&self, cycles: &[MessageCycle]) -> BTreeSet<(usize, &Entity)> {
        let steps = steps(cycles).filter_map(|(station, next)| match (station, next) {
            (Station::Process(process, _), Station::Inlet(inlet)) => {
                let inlet = self.channels.inlets.get(*inlet)?;
                Some((process.principal, &inlet.entity))
            }
            _ => None,
        });
        steps.collect()
    }

    /// The rights on queues by which messages come back.
    fn queues_on_cycles(&self, cycles: &[MessageCycle]) -> impl Iterator<Item = Edge> {
        steps(cycles).filter_map(|step| {
            let (process, queue, capability) = match step {
                (Station::Process(process, _), Station::Queue(queue)) => {
                    (process, *queue, Capability::Send)
                }
                (Station::Queue(queue), Station::Process(process, _)) => {
                    (process, *queue, Capability::Receive)
                }
                _ => return None,
            };
            let principal = self.access.principals.get(process.principal)?;
            let holder = Entity::new(principal.kind, principal.arn.shared());
            let rights = self.access.rights_on(process.principal, queue)?;
            let queue = self.queue(queue)?;
            right(&holder, &queue, capability, rights.when(capability))
        })
    }

    fn add_puts(
        &self,
        index: usize,
        extent: &Extent<'_>,
        started: &BTreeSet<Arc<str>>,
        on_cycles: &BTreeSet<(usize, &Entity)>,
        edges: &mut Edges,
    ) {
        let Some(principal) = self.access.principals.get(index) else {
            return;
        };
        let holder = Entity::new(principal.kind, principal.arn.shared());
        let is_chosen = extent.chosen.contains(&holder.arn);
        // A bucket is several inlets, of which one will do.
        let mut puts: BTreeMap<(EdgeKind, &Entity), Formula> = BTreeMap::new();
        for (inlet, when) in self.channels.rights(index).surest() {
            let Some(inlet) = self.channels.inlets.get(inlet) else {
                continue;
            };
            let entity = &inlet.entity;
            if can_be_started(entity.kind) && !is_chosen && !started.contains(&entity.arn) {
                continue;
            }
            match puts.entry((EdgeKind::of_inlet(inlet), entity)) {
                Entry::Vacant(entry) => {
                    entry.insert(when.clone());
                }
                Entry::Occupied(mut entry) => {
                    let both = entry.get().clone().or(when.clone());
                    entry.insert(both.settled());
                }
            }
        }
        let mut made: BTreeMap<EdgeKind, usize> = BTreeMap::new();
        for ((kind, entity), when) in puts {
            let made = made.entry(kind).or_default();
            let is_wanted = is_chosen
                || extent.chosen.contains(&entity.arn)
                || on_cycles.contains(&(index, entity));
            if *made >= extent.most && !is_wanted {
                edges.take(&holder, kind, 1);
                continue;
            }
            *made += 1;
            edges.edges.push(Edge {
                from: holder.clone(),
                to: entity.clone(),
                kind,
                certainty: Certainty::of(&when),
                conditions: when.conditions(),
                ways: Vec::new(),
            });
        }
    }

    fn add_steps(
        &self,
        index: usize,
        extent: &Extent<'_>,
        becoming: &Becoming<'_>,
        edges: &mut Edges,
    ) {
        let Some(principal) = self.access.principals.get(index) else {
            return;
        };
        let holder = Entity::new(principal.kind, principal.arn.shared());
        let is_chosen = extent.chosen.contains(&holder.arn);
        let mut made = 0;
        for step in becoming.steps(index) {
            let Some(role) = self.access.principals.get(step.role) else {
                continue;
            };
            let is_wanted = is_chosen || extent.chosen.contains(role.arn.as_str());
            if made >= extent.most && !is_wanted {
                edges.take(&holder, EdgeKind::Assumes, 1);
                continue;
            }
            made += 1;
            let role = Entity::new(role.kind, role.arn.shared());
            let mut edge = certain(holder.clone(), role, EdgeKind::Assumes);
            edge.certainty = Certainty::of(&step.when);
            edge.conditions = step.when.conditions();
            edges.edges.push(edge);
        }
    }

    /// Whom a principal could act as, to come to rights that it lacks. Whoever may do everything, or give itself any policy, has
    /// no such edge: it would have one to everybody.
    fn add_escalations(
        &self,
        index: usize,
        extent: &Extent<'_>,
        finder: &TakeoverFinder<'_>,
        edges: &mut Edges,
    ) {
        let Some(principal) = self.access.principals.get(index) else {
            return;
        };
        let mut escalations: BTreeMap<usize, (Formula, Vec<&'static str>)> = BTreeMap::new();
        for takeover in finder.takeovers(index) {
            for target in &takeover.targets {
                let (when, ways) = escalations
                    .entry(target as usize)
                    .or_insert_with(|| (takeover.when.clone(), Vec::new()));
                // They come with the surest first, but by how sure the right at the end is as well.
                if takeover.when.is_always() && !when.is_always() {
                    *when = Formula::Always;
                    ways.insert(0, takeover.way.name());
                } else {
                    ways.push(takeover.way.name());
                }
            }
        }
        for target in finder.trusts_rewritten(index) {
            let (when, ways) = escalations
                .entry(target)
                .or_insert((Formula::Always, Vec::new()));
            *when = Formula::Always;
            ways.push("iam:UpdateAssumeRolePolicy");
        }
        let holder = Entity::new(principal.kind, principal.arn.shared());
        let is_chosen = extent.chosen.contains(&holder.arn);
        let mut made = 0;
        for (target, (when, mut ways)) in escalations {
            let Some(target) = self.access.principals.get(target) else {
                continue;
            };
            let is_wanted = is_chosen || extent.chosen.contains(target.arn.as_str());
            if made >= extent.most && !is_wanted {
                edges.take(&holder, EdgeKind::Escalates, 1);
                continue;
            }
            made += 1;
            let mut told = BTreeSet::new();
            ways.retain(|way| told.insert(*way));
            edges.edges.push(Edge {
                from: holder.clone(),
                to: Entity::new(target.kind, target.arn.shared()),
                kind: EdgeKind::Escalates,
                certainty: Certainty::of(&when),
                conditions: when.conditions(),
                ways,
            });
        }
    }
}

/// Each station of the ways round with the next.
fn steps(cycles: &[MessageCycle]) -> impl Iterator<Item = (&Station, &Station)> {
    let ways = cycles.iter().flat_map(|cycle| &cycle.witnesses);
    ways.flat_map(|way| way.iter().zip(way.iter().skip(1).chain(way.first())))
}

/// Whether it runs once something is put in.
fn can_be_started(kind: Kind) -> bool {
    matches!(kind, Kind::Function | Kind::StateMachine)
}

/// Whether it is a schedule, or a rule that only a clock starts.
fn is_of_clock(entity: &Entity) -> bool {
    Arn::parse(&entity.arn).is_ok_and(|arn| matches!(arn.service(), "scheduler" | "events"))
}
