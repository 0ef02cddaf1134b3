//! The graph as one plain value: nodes, edges and loops, in the order in which they are written.
//!
//! Made once from [`Graph`]; [`select`] takes a part of it and [`fold`] brings it to a size that people can read. What it
//! looks like is decided in [`crate::report`].

pub mod fold;
mod reach;
pub mod select;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Edge, EdgeKind, Extent, Graph};
use crate::access::QueueSet;
use crate::entity::{Certainty, Entity, Grade, Kind};

/// Edges that are drawn of one principal's right on queues on which it fares alike.
const MOST_EDGES: usize = 1000;
/// Nodes, edges and loops; edges and loops name nodes by their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Every node, sorted by id.
    pub nodes: Vec<Node>,
    /// Every edge, sorted.
    pub edges: Vec<Arrow>,
    /// Every loop.
    pub loops: Vec<Cycle>,
    /// What is left out of `edges` and `loops`.
    pub more: Vec<More>,
    /// The nodes that the picture was asked to be about, by their place; none when it is about everything.
    pub chosen: BTreeSet<usize>,
    /// Whether something that may belong into the picture could not be read.
    pub incomplete: bool,
}

/// A principal, a workload or a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its ARN, or its name where there is none.
    pub id: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// How much of the whole account it reaches, whatever part of that is drawn.
    pub reach: Reach,
}

/// How much of the whole account a principal reaches, or how much of it reaches a queue or channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Some of it or nothing.
    Some,
    /// A great part of all queues, channels or roles, or of all principals: naming it at each tells nothing.
    Wide,
    /// Everything.
    Administrator,
}

/// One edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    /// The node that messages or rights come from.
    pub from: usize,
    /// The node that they go to.
    pub to: usize,
    /// What it stands for.
    pub kind: EdgeKind,
    /// How sure it is.
    pub certainty: Certainty,
    /// The conditions of a conditional edge, in words.
    pub conditions: Vec<String>,
    /// By which actions, for those that escalate.
    pub ways: Vec<&'static str>,
    /// Whether edges of what is delivered say the same: a service that sends on behalf of what it delivers from.
    pub is_told: bool,
}

/// A way on which messages can come back to where they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// How close it is to running.
    pub grade: Grade,
    /// The nodes, in the order in which messages pass; the last is the first.
    pub path: Vec<usize>,
}

/// What is left out of one node: rights or loops that are alike on a great many queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct More {
    /// The principal.
    pub node: usize,
    /// The kind of edge; none for loops.
    pub kind: Option<EdgeKind>,
    /// How many.
    pub number: u64,
}

impl Node {
    /// The part of the id that people know it by.
    pub fn label(&self) -> &str {
        self.id.rsplit(['/', ':']).next().unwrap_or(&self.id)
    }
}

impl More {
    /// The word of the JSON contract.
    pub fn word(&self) -> &'static str {
        self.kind.map_or("loop", EdgeKind::as_str)
    }
}

impl Picture {
    /// Draws the whole graph. Of edges that are alike the first thousand are drawn, and all of them at `chosen` ids.
    pub fn new(graph: &Graph<'_>, chosen: &BTreeSet<Arc<str>>) -> Self {
        let mut edges: BTreeSet<Edge> = graph.edges(MOST_EDGES).collect();
        if !chosen.is_empty() {
            let touches =
                |edge: &Edge| chosen.contains(&edge.from.arn) || chosen.contains(&edge.to.arn);
            edges.extend(graph.edges(usize::MAX).filter(touches));
        }
        let cycles = graph.message_cycles();
        let further = graph.edges_of_principals(&Extent {
            most: MOST_EDGES,
            chosen,
            cycles: &cycles,
        });
        let reaches = reach::reaches(graph, &further);
        edges.extend(further.edges);
        let mut kinds: BTreeMap<Arc<str>, Kind> = BTreeMap::new();
        for entity in edges.iter().flat_map(|edge| [&edge.from, &edge.to]) {
            kinds.insert(Arc::clone(&entity.arn), entity.kind);
        }
        // What nobody uses, what a refused delivery would connect and principals without any right are part of it too.
        for entity in graph.channels_and_ends() {
            kinds.insert(Arc::clone(&entity.arn), entity.kind);
        }
        for audited in &graph.access.queues {
            kinds.insert(audited.queue.arn.shared(), Kind::Queue);
        }
        for principal in &graph.access.principals {
            kinds.insert(principal.arn.shared(), principal.kind);
        }
        let nodes: Vec<Node> = kinds
            .into_iter()
            .map(|(id, kind)| Node {
                reach: reaches.get(&id).copied().unwrap_or(Reach::Some),
                id,
                kind,
            })
            .collect();
        let mut picture = Self {
            edges: Vec::with_capacity(edges.len()),
            loops: Vec::new(),
            more: Vec::new(),
            chosen: BTreeSet::new(),
            incomplete: false,
            nodes,
        };
        picture.chosen = chosen.iter().filter_map(|id| picture.place(id)).collect();
        let told = graph.told_by_deliveries();
        for edge in edges {
            if let (Some(from), Some(to)) =
                (picture.place(&edge.from.arn), picture.place(&edge.to.arn))
            {
                let ends = (edge.from.arn, edge.to.arn);
                picture.edges.push(Arrow {
                    from,
                    to,
                    kind: edge.kind,
                    certainty: edge.certainty,
                    is_told: edge.kind == EdgeKind::Send && told.contains(&ends),
                    conditions: edge.conditions,
                    ways: edge.ways,
                });
            }
        }
        let mut undrawn = graph.undrawn(MOST_EDGES);
        undrawn.extend(further.undrawn);
        picture.add_what_is_left_out(undrawn);
        picture.add_loops(graph);
        for cycle in &cycles {
            let ways = cycle.witnesses.iter();
            let paths = ways.filter_map(|way| picture.way(graph, way));
            let found: Vec<Cycle> = paths
                .map(|path| Cycle {
                    grade: cycle.grade,
                    path,
                })
                .collect();
            picture.loops.extend(found);
        }
        picture
    }

    /// The place of a node by its id.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.nodes.binary_search_by(|node| (*node.id).cmp(id)).ok()
    }

    fn add_what_is_left_out(&mut self, undrawn: BTreeMap<(Entity, EdgeKind), u64>) {
        for ((principal, kind), number) in undrawn {
            if let Some(node) = self.place(&principal.arn) {
                self.more.push(More {
                    node,
                    kind: Some(kind),
                    number,
                });
            }
        }
    }

    fn add_loops(&mut self, graph: &Graph<'_>) {
        let chosen_queues: QueueSet = (0..)
            .zip(&graph.access.queues)
            .filter(|(_, audited)| {
                self.place(audited.queue.arn.as_str())
                    .is_some_and(|place| self.chosen.contains(&place))
            })
            .map(|(number, _)| number)
            .collect();
        for found in graph.loops() {
            let Some(node) = graph
                .access
                .principals
                .get(found.principal)
                .and_then(|principal| self.place(principal.arn.as_str()))
            else {
                continue;
            };
            let most = if self.chosen.contains(&node) {
                usize::MAX
            } else {
                MOST_EDGES
            };
            let first = found.queues.iter().take(most);
            let others = found.queues.iter().skip(most);
            let drawn = first.chain(others.filter(|queue| chosen_queues.contains(*queue)));
            for queue in drawn {
                let path = self.path(graph, found.principal, queue as usize);
                self.loops.extend(path.map(|path| Cycle {
                    grade: found.grade,
                    path,
                }));
            }
            let left = found.queues.len().saturating_sub(most as u64);
            if left > 0 {
                self.more.push(More {
                    node,
                    kind: None,
                    number: left,
                });
            }
        }
    }

    /// From the queue to the principal and back; through the function where a delivery starts it.
    fn path(&self, graph: &Graph<'_>, principal: usize, queue: usize) -> Option<Vec<usize>> {
        let start = self.place(graph.access.queues.get(queue)?.queue.arn.as_str())?;
        let holder = self.place(graph.access.principals.get(principal)?.arn.as_str())?;
        let function = graph.delivered_to(principal, queue).next();
        let mut path = vec![start];
        path.extend(function.and_then(|function| self.place(&function.arn)));
        path.extend([holder, start]);
        Some(path)
    }
}

#[cfg(test)]
pub(crate) mod example {
    //! Pictures to test with, made from a few words.

    use super::*;

    /// A node of each id and kind, and edges between ids.
    pub(crate) fn picture(nodes: &[(&str, Kind)], edges: &[(&str, &str, EdgeKind)]) -> Picture {
        let mut nodes: Vec<Node> = nodes
            .iter()
            .map(|(id, kind)| Node {
                id: Arc::from(*id),
                kind: *kind,
                reach: Reach::Some,
            })
            .collect();
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        let mut picture = Picture {
            nodes,
            edges: Vec::new(),
            loops: Vec::new(),
            more: Vec::new(),
            chosen: BTreeSet::new(),
            incomplete: false,
        };
        for (from, to, kind) in edges {
            picture.edges.push(Arrow {
                from: picture.place(from).unwrap(),
                to: picture.place(to).unwrap(),
                kind: *kind,
                certainty: Certainty::Allowed,
                conditions: Vec::new(),
                ways: Vec::new(),
                is_told: false,
            });
        }
        picture
    }

    /// The same with a loop along the ids.
    pub(crate) fn with_loop(mut picture: Picture, grade: Grade, path: &[&str]) -> Picture {
        let path = path.iter().map(|id| picture.place(id).unwrap()).collect();
        picture.loops.push(Cycle { grade, path });
        picture
    }
}
