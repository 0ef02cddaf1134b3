//! The way round of a message cycle as nodes of the picture: through what a delivery starts, what that runs as, and the bus
//! between a bucket and what the bus delivers to.

use std::sync::Arc;

use super::Picture;
use crate::access::{Stop, Wire};
use crate::graph::flow::is_fixed;
use crate::graph::{Graph, Station};

impl Picture {
    /// The nodes of a way round, the first again at its end; none when something of it is not in the picture.
    pub(super) fn way(&self, graph: &Graph<'_>, way: &[Station]) -> Option<Vec<usize>> {
        let mut ids: Vec<Arc<str>> = Vec::new();
        let before = way.last().into_iter().chain(way);
        for (before, station) in before.zip(way) {
            ids.extend(between(graph, before, station));
            match station {
                Station::Queue(queue) => {
                    ids.push(graph.access.queues.get(*queue)?.queue.arn.shared());
                }
                Station::Inlet(inlet) => {
                    let inlet = graph.channels.inlets.get(*inlet)?;
                    ids.push(Arc::clone(&inlet.entity.arn));
                }
                Station::Process(process, started) => {
                    let started = started.and_then(|place| graph.channels.workload_at(place));
                    ids.extend(started.map(|workload| Arc::clone(&workload.arn)));
                    // What is fixed moves messages by itself; code does by the rights of its role.
                    if !started.is_some_and(|workload| is_fixed(workload.kind)) {
                        let principal = graph.access.principals.get(process.principal)?;
                        ids.push(principal.arn.shared());
                    }
                }
            }
        }
        // What lies between the last and the first comes first above, and is the end of the way.
        let start = ids
            .iter()
            .position(|id| Some(id) == first(graph, way).as_ref())?;
        ids.rotate_left(start);
        let mut path: Vec<usize> = ids.iter().map(|id| self.place(id)).collect::<Option<_>>()?;
        path.push(*path.first()?);
        path.dedup();
        Some(path)
    }
}

fn first(graph: &Graph<'_>, way: &[Station]) -> Option<Arc<str>> {
    match way.first()? {
        Station::Queue(queue) => Some(graph.access.queues.get(*queue)?.queue.arn.shared()),
        Station::Inlet(inlet) => Some(Arc::clone(&graph.channels.inlets.get(*inlet)?.entity.arn)),
        Station::Process(process, _) => {
            Some(graph.access.principals.get(process.principal)?.arn.shared())
        }
    }
}

/// What stands between two stations where the delivery from one to the other is that of something else: the bus that a bucket
/// tells of its objects.
fn between(graph: &Graph<'_>, before: &Station, station: &Station) -> Option<Arc<str>> {
    let Station::Inlet(inlet) = before else {
        return None;
    };
    let target = match station {
        Station::Queue(queue) => Stop::Queue(*queue),
        Station::Inlet(inlet) => Stop::Inlet(*inlet),
        Station::Process(_, Some(place)) => Stop::Workload(*place),
        Station::Process(_, None) => return None,
    };
    let entity = &graph.channels.inlets.get(*inlet)?.entity;
    let leads: Vec<&Wire> = graph
        .flowing_wires()
        .filter(|wire| wire.target == Some(target) && wire.sources.contains(&Stop::Inlet(*inlet)))
        .collect();
    let is_direct = leads.iter().any(|wire| wire.from == *entity);
    let bus = leads.first().filter(|_| !is_direct)?;
    Some(Arc::clone(&bus.from.arn))
}
