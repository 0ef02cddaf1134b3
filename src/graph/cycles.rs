//! Ways on which messages come back to where they were over several queues or channels: the strongly connected parts of the flow,
//! each told by its shortest ways round.
//!
//! Looked for three times, in what AWS starts by itself, in what holds whatever the circumstances, and in everything that can
//! hold; a part is told at the gravest of these, and again only for the places that it has gained.

use std::collections::{BTreeSet, HashMap, HashSet};

use foldhash::fast::FixedState;

use super::Graph;
use super::adjacency::Spot;
use super::flow::{Flow, Node, Process, flow};
use crate::access::{Place, QueueSet};
use crate::entity::{Grade, Kind};

/// Ways round that are told of one part.
const MOST_WITNESSES: usize = 3;
/// Places from which a shortest way round is looked for: of a part with more, the first.
const MOST_STARTS: usize = 16;

/// Places that messages can come back to, each from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageCycle {
    /// How close it is to running.
    pub grade: Grade,
    /// The first of its places that no graver cycle tells, a queue if there is one: what it is known by.
    pub first: Station,
    /// The shortest ways round, the first the one to tell; never empty.
    pub witnesses: Vec<Vec<Station>>,
    /// The queues that belong to it.
    pub queues: QueueSet,
    /// The inlets that belong to it, by index; functions and state machines are told as processes.
    pub inlets: BTreeSet<usize>,
    /// Everything that moves messages from one of them to another.
    pub processes: BTreeSet<Process>,
}

/// One place on a way round. The way leads from the last to the first again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Station {
    /// A queue, by index.
    Queue(usize),
    /// An inlet, by index.
    Inlet(usize),
    /// A process, and the workload that is started, when one is.
    Process(Process, Option<Place>),
}

/// A queue, or an inlet that is no workload: what a part is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Anchor {
    Queue(usize),
    Inlet(usize),
}

impl Graph<'_> {
    /// Everything over which messages can come back to where they were, besides the loops of one principal over one queue; by
    /// grade, the gravest first, then by place.
    pub fn message_cycles(&self) -> Vec<MessageCycle> {
        let flow = flow(self);
        let mut cycles: Vec<MessageCycle> = Vec::new();
        let mut told: HashMap<Anchor, usize, FixedState> = HashMap::default();
        let mut search = Search::within(&flow);
        for grade in [Grade::Wired, Grade::Permitted, Grade::Conditional] {
            let mut parts: Vec<(Option<Node>, Vec<Spot>)> = flow
                .parts(grade)
                .into_iter()
                .map(|part| {
                    let first = part.iter().filter_map(|spot| flow.node(*spot)).min();
                    (first.copied(), part)
                })
                .collect();
            parts.sort_by_key(|(first, _)| *first);
            for (_, part) in parts {
                self.tell(&part, grade, &mut search, &mut cycles, &mut told);
            }
        }
        cycles
    }

    /// Adds one part: as a cycle of its own, or, where all its places are told already, what it adds to those.
    fn tell(
        &self,
        part: &[Spot],
        grade: Grade,
        search: &mut Search<'_>,
        cycles: &mut Vec<MessageCycle>,
        told: &mut HashMap<Anchor, usize, FixedState>,
    ) {
        let mut anchors: Vec<(Anchor, Spot)> = Vec::new();
        let mut processes: Vec<Process> = Vec::new();
        for node in part {
            match search.flow.node(*node) {
                Some(Node::Queue(queue)) => anchors.push((Anchor::Queue(*queue), *node)),
                Some(Node::Inlet(inlet)) => {
                    anchors.extend(self.anchor(*inlet).map(|anchor| (anchor, *node)));
                }
                Some(Node::Received(process) | Node::Sending(process)) => processes.push(*process),
                Some(Node::Several) | None => {}
            }
        }
        // Of several inlets that are known as one the first stands for it.
        anchors.sort_by_key(|(anchor, _)| *anchor);
        anchors.dedup_by_key(|(anchor, _)| *anchor);
        let processes = BTreeSet::from_iter(processes);
        let mut fresh: Vec<Spot> = Vec::new();
        let mut first = None;
        for (anchor, node) in &anchors {
            if !told.contains_key(anchor) {
                first.get_or_insert(*anchor);
                fresh.push(*node);
            }
        }
        let Some(first) = first else {
            let told = anchors.iter().filter_map(|(anchor, _)| told.get(anchor));
            for known in told.copied().collect::<BTreeSet<usize>>() {
                if let Some(cycle) = cycles.get_mut(known) {
                    cycle.processes.extend(&processes);
                }
            }
            return;
        };
        let witnesses = search.witnesses(part, &fresh, grade);
        if witnesses.is_empty() {
            return;
        }
        for (anchor, _) in &anchors {
            told.entry(*anchor).or_insert(cycles.len());
        }
        let mut cycle = MessageCycle {
            grade,
            first: match first {
                Anchor::Queue(queue) => Station::Queue(queue),
                Anchor::Inlet(inlet) => Station::Inlet(inlet),
            },
            witnesses,
            queues: QueueSet::new(),
            inlets: BTreeSet::new(),
            processes,
        };
        for (anchor, _) in &anchors {
            match anchor {
                Anchor::Queue(queue) => {
                    cycle.queues.extend(u32::try_from(*queue).ok());
                }
                Anchor::Inlet(inlet) => {
                    cycle.inlets.insert(*inlet);
                }
            }
        }
        cycles.push(cycle);
    }

    /// What a place is known by that is no queue and no workload. A bucket can be several inlets, and is known by the first.
    fn anchor(&self, inlet: usize) -> Option<Anchor> {
        let inlets = &self.channels.inlets;
        let entity = &inlets.get(inlet)?.entity;
        if !matches!(
            entity.kind,
            Kind::Topic | Kind::Bucket | Kind::Bus | Kind::Stream
        ) {
            return None;
        }
        // Inlets are sorted by what they are of.
        let before = inlets.get(..inlet)?.iter().rev();
        let alike = before.take_while(|other| other.entity == *entity).count();
        Some(Anchor::Inlet(inlet - alike))
    }
}

/// Looks for shortest ways within one part.
struct Search<'f> {
    flow: &'f Flow,
    /// The number of the part that each node belongs to.
    part_of: Vec<u32>,
    part: u32,
    /// The node from which each was reached, in the search of this number.
    from: Vec<(u32, Spot)>,
    number: u32,
}

impl<'f> Search<'f> {
    fn within(flow: &'f Flow) -> Self {
        Self {
            flow,
            part_of: vec![0; flow.node_count()],
            part: 0,
            from: vec![(0, Spot::new(0)); flow.node_count()],
            number: 0,
        }
    }

    /// A few shortest ways round through a part: the shortest of all, and others through places that it does not pass.
    fn witnesses(&mut self, part: &[Spot], starts: &[Spot], grade: Grade) -> Vec<Vec<Station>> {
        self.part += 1;
        for spot in part {
            if let Some(part_of) = self.part_of.get_mut(spot.number()) {
                *part_of = self.part;
            }
        }
        let mut shortest: Option<Vec<Spot>> = None;
        for start in starts.iter().take(MOST_STARTS) {
            let most = shortest.as_ref().map_or(usize::MAX, |way| way.len() - 1);
            // Of ways of one length the first place decides: starts are sorted.
            if let Some(way) = self.way_round(*start, most, grade) {
                shortest = Some(way);
            }
        }
        let mut passed: HashSet<Spot> = HashSet::new();
        let mut told = Vec::new();
        let mut next = shortest;
        while let Some(way) = next.take() {
            told.push(stations(self.flow, &way));
            passed.extend(way);
            if told.len() < MOST_WITNESSES {
                let untold = starts.iter().find(|start| !passed.contains(start));
                next = untold.and_then(|start| self.way_round(*start, usize::MAX, grade));
            }
        }
        told
    }

    /// The shortest way of at most so many nodes from a node back to itself, without the node at its end. Of several the one
    /// whose steps were added last.
    fn way_round(&mut self, start: Spot, most: usize, grade: Grade) -> Option<Vec<Spot>> {
        self.number += 1;
        let mut layer = vec![start];
        let mut length = 1;
        while !layer.is_empty() && length <= most {
            let mut next = Vec::new();
            // From the last layer that counts nothing but the end is of use.
            let is_last = length == most;
            for spot in layer {
                for step in self.flow.steps_from(spot) {
                    if !step.is_of(grade) {
                        continue;
                    }
                    if step.to() == start {
                        return Some(self.way_to(spot, start));
                    }
                    if is_last || self.part_of.get(step.to().number()) != Some(&self.part) {
                        continue;
                    }
                    if let Some(from) = self.from.get_mut(step.to().number())
                        && from.0 != self.number
                    {
                        *from = (self.number, spot);
                        next.push(step.to());
                    }
                }
            }
            layer = next;
            length += 1;
        }
        None
    }

    /// The way from the start of the search to a node.
    fn way_to(&self, node: Spot, start: Spot) -> Vec<Spot> {
        let mut way = vec![node];
        let mut at = node;
        while at != start
            && let Some((_, before)) = self.from.get(at.number())
        {
            at = *before;
            way.push(at);
        }
        way.reverse();
        way
    }
}

/// A way as people see it: what only holds queues together, and the two ends of one process, are no stations of their own.
fn stations(flow: &Flow, way: &[Spot]) -> Vec<Station> {
    let mut stations: Vec<Station> = Vec::new();
    for (place, node) in way.iter().enumerate() {
        let before = place
            .checked_sub(1)
            .map_or(way.last(), |before| way.get(before));
        let started = before.and_then(|before| flow.started_between(*before, *node));
        let station = match flow.node(*node) {
            Some(Node::Queue(queue)) => Station::Queue(*queue),
            Some(Node::Inlet(inlet)) => Station::Inlet(*inlet),
            Some(Node::Received(process)) => Station::Process(*process, started),
            Some(Node::Sending(process)) => match stations.last() {
                Some(Station::Process(last, _)) if last == process => continue,
                _ => Station::Process(*process, started),
            },
            Some(Node::Several) | None => continue,
        };
        stations.push(station);
    }
    stations
}
