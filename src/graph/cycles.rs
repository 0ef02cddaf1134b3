//! Ways on which messages come back to where they were over several queues or channels: the strongly connected parts of the flow,
//! each told by its shortest ways round.
//!
//! Looked for three times, in what AWS starts by itself, in what holds whatever the circumstances, and in everything that can
//! hold; a part is told at the gravest of these, and again only for the places that it has gained.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::NodeIndex;
use petgraph::visit::{EdgeFiltered, EdgeRef as _};

use super::Graph;
use super::flow::{Flow, Node, Process, Step, flow};
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
        let mut told: BTreeMap<Anchor, usize> = BTreeMap::new();
        for grade in [Grade::Wired, Grade::Permitted, Grade::Conditional] {
            let takes = |step: &Step| match grade {
                Grade::Wired => step.sure && step.by_itself,
                Grade::Permitted => step.sure,
                Grade::Conditional => true,
            };
            let filtered = EdgeFiltered::from_fn(&flow, |edge| takes(edge.weight()));
            let mut parts: Vec<Vec<NodeIndex>> = kosaraju_scc(&filtered)
                .into_iter()
                .filter(|part| part.len() > 1)
                .collect();
            for part in &mut parts {
                part.sort_by_key(|node| flow.node_weight(*node).copied());
            }
            parts.sort_by_key(|part| {
                part.first()
                    .and_then(|node| flow.node_weight(*node))
                    .copied()
            });
            for part in parts {
                self.tell(&flow, &part, grade, &takes, &mut cycles, &mut told);
            }
        }
        cycles
    }

    /// Adds one part: as a cycle of its own, or, where all its places are told already, what it adds to those.
    fn tell(
        &self,
        flow: &Flow,
        part: &[NodeIndex],
        grade: Grade,
        takes: &impl Fn(&Step) -> bool,
        cycles: &mut Vec<MessageCycle>,
        told: &mut BTreeMap<Anchor, usize>,
    ) {
        let mut anchors: BTreeMap<Anchor, NodeIndex> = BTreeMap::new();
        let mut processes = BTreeSet::new();
        for node in part {
            match flow.node_weight(*node) {
                Some(Node::Queue(queue)) => {
                    anchors.insert(Anchor::Queue(*queue), *node);
                }
                Some(Node::Inlet(inlet)) if self.is_anchor(*inlet) => {
                    anchors.insert(Anchor::Inlet(*inlet), *node);
                }
                Some(Node::Received(process) | Node::Sending(process)) => {
                    processes.insert(*process);
                }
                Some(Node::Inlet(_) | Node::Several) | None => {}
            }
        }
        let fresh: Vec<NodeIndex> = anchors
            .iter()
            .filter(|(anchor, _)| !told.contains_key(anchor))
            .map(|(_, node)| *node)
            .collect();
        if fresh.is_empty() {
            for known in anchors.keys().filter_map(|anchor| told.get(anchor)) {
                if let Some(cycle) = cycles.get_mut(*known) {
                    cycle.processes.extend(&processes);
                }
            }
            return;
        }
        let witnesses = witnesses(flow, part, &fresh, takes);
        if witnesses.is_empty() {
            return;
        }
        for anchor in anchors.keys() {
            told.entry(*anchor).or_insert(cycles.len());
        }
        let mut cycle = MessageCycle {
            grade,
            witnesses,
            queues: QueueSet::new(),
            inlets: BTreeSet::new(),
            processes,
        };
        for anchor in anchors.keys() {
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

    fn is_anchor(&self, inlet: usize) -> bool {
        self.channels.inlets.get(inlet).is_some_and(|inlet| {
            matches!(inlet.entity.kind, Kind::Topic | Kind::Bucket | Kind::Bus)
        })
    }
}

/// A few shortest ways round through a part: the shortest of all, and others through places that it does not pass.
fn witnesses(
    flow: &Flow,
    part: &[NodeIndex],
    starts: &[NodeIndex],
    takes: &impl Fn(&Step) -> bool,
) -> Vec<Vec<Station>> {
    let mut search = Search::within(flow, part);
    let mut shortest: Option<Vec<NodeIndex>> = None;
    for start in starts.iter().take(MOST_STARTS) {
        let most = shortest.as_ref().map_or(usize::MAX, |way| way.len() - 1);
        // Of ways of one length the first place decides: starts are sorted.
        if let Some(way) = search.way_round(flow, *start, most, takes) {
            shortest = Some(way);
        }
    }
    let mut passed: HashSet<NodeIndex> = HashSet::new();
    let mut told = Vec::new();
    let mut next = shortest;
    while let Some(way) = next.take() {
        told.push(stations(flow, &way));
        passed.extend(way);
        if told.len() < MOST_WITNESSES {
            let untold = starts.iter().find(|start| !passed.contains(start));
            next = untold.and_then(|start| search.way_round(flow, *start, usize::MAX, takes));
        }
    }
    told
}

/// Looks for shortest ways within one part.
struct Search {
    is_member: Vec<bool>,
    /// The node from which each was reached, in the search of this number.
    from: Vec<(u32, NodeIndex)>,
    number: u32,
}

impl Search {
    fn within(flow: &Flow, part: &[NodeIndex]) -> Self {
        let mut is_member = vec![false; flow.node_count()];
        for node in part {
            if let Some(is_member) = is_member.get_mut(node.index()) {
                *is_member = true;
            }
        }
        Self {
            from: vec![(0, NodeIndex::end()); is_member.len()],
            is_member,
            number: 0,
        }
    }

    /// The shortest way of at most so many nodes from a node back to itself, without the node at its end. Of several the one
    /// whose edges were made first.
    fn way_round(
        &mut self,
        flow: &Flow,
        start: NodeIndex,
        most: usize,
        takes: &impl Fn(&Step) -> bool,
    ) -> Option<Vec<NodeIndex>> {
        self.number += 1;
        let mut layer = vec![start];
        let mut length = 1;
        while !layer.is_empty() && length <= most {
            let mut next = Vec::new();
            for node in layer {
                for edge in flow.edges_directed(node, Direction::Outgoing) {
                    let target = edge.target();
                    if !takes(edge.weight()) {
                        continue;
                    }
                    if target == start {
                        return Some(self.way_to(node, start));
                    }
                    let (Some(true), Some(from)) = (
                        self.is_member.get(target.index()),
                        self.from.get_mut(target.index()),
                    ) else {
                        continue;
                    };
                    if from.0 != self.number {
                        *from = (self.number, node);
                        next.push(target);
                    }
                }
            }
            layer = next;
            length += 1;
        }
        None
    }

    /// The way from the start of the search to a node.
    fn way_to(&self, node: NodeIndex, start: NodeIndex) -> Vec<NodeIndex> {
        let mut way = vec![node];
        let mut at = node;
        while at != start
            && let Some((_, before)) = self.from.get(at.index())
        {
            at = *before;
            way.push(at);
        }
        way.reverse();
        way
    }
}

/// A way as people see it: what only holds queues together, and the two ends of one process, are no stations of their own.
fn stations(flow: &Flow, way: &[NodeIndex]) -> Vec<Station> {
    let mut stations: Vec<Station> = Vec::new();
    for (place, node) in way.iter().enumerate() {
        let before = place
            .checked_sub(1)
            .map_or(way.last(), |before| way.get(before));
        let started = before
            .and_then(|before| flow.find_edge(*before, *node))
            .and_then(|edge| flow.edge_weight(edge))
            .and_then(|step| step.starts);
        let station = match flow.node_weight(*node) {
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
