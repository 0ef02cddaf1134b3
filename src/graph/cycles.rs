//! Ways on which messages come back to where they were over several queues or channels: the strongly connected parts of the flow,
//! each told by its shortest ways round.
//!
//! Looked for three times, in what AWS starts by itself, in what holds whatever the circumstances, and in everything that can
//! hold; a part is told at the gravest of these, and again only for the places that it has gained.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

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
const MOST_STARTS: usize = 64;

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
        let members: BTreeSet<NodeIndex> = part.iter().copied().collect();
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
        let witnesses = witnesses(flow, &members, &fresh, takes);
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
    members: &BTreeSet<NodeIndex>,
    starts: &[NodeIndex],
    takes: &impl Fn(&Step) -> bool,
) -> Vec<Vec<Station>> {
    let mut ways: Vec<Vec<NodeIndex>> = starts
        .iter()
        .take(MOST_STARTS)
        .filter_map(|start| way_round(flow, members, *start, takes))
        .collect();
    // Of ways of one length the first place decides: starts are sorted.
    ways.sort_by_key(|way| stations(flow, way).len());
    let mut passed: BTreeSet<NodeIndex> = BTreeSet::new();
    let mut told = Vec::new();
    for way in ways {
        if told.len() < MOST_WITNESSES && way.first().is_some_and(|start| !passed.contains(start)) {
            told.push(stations(flow, &way));
            passed.extend(way);
        }
    }
    told
}

/// The shortest way from a node back to itself, without the node at its end.
fn way_round(
    flow: &Flow,
    members: &BTreeSet<NodeIndex>,
    start: NodeIndex,
    takes: &impl Fn(&Step) -> bool,
) -> Option<Vec<NodeIndex>> {
    let mut from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(node) = next.pop_front() {
        let mut following: Vec<NodeIndex> = flow
            .edges_directed(node, Direction::Outgoing)
            .filter(|edge| takes(edge.weight()) && members.contains(&edge.target()))
            .map(|edge| edge.target())
            .collect();
        following.sort_unstable();
        for target in following {
            if target == start {
                let mut way = vec![node];
                let mut at = node;
                while at != start
                    && let Some(before) = from.get(&at)
                {
                    at = *before;
                    way.push(at);
                }
                way.reverse();
                return Some(way);
            }
            if !from.contains_key(&target) {
                from.insert(target, node);
                next.push_back(target);
            }
        }
    }
    None
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
