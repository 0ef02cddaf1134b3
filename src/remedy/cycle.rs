//! The way out of `message-cycle`: one step of the circle cut. A right to pass messages on is taken from the role that has it; or a
//! delivery is removed, which only its owner can decide.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::change::Change;
use super::moved::Removed;
use super::proof::{Claims, Meant};
use super::taking::{Taking, each_once, without_repetitions};
use super::{Ground, Plan, Proposal, applied, is_not_ours};
use crate::access::{Access, Capability, Place, Stop, Wire};
use crate::account::Account;
use crate::entity::{Entity, Kind};
use crate::finding::Finding;
use crate::graph::{Graph, MessageCycle, Process, Station};

/// Steps that are cut of one circle, at most: one that holds together in more ways needs a look at the whole.
const MOST_CUTS: usize = 4;
/// Other steps at which it could be cut that are named.
const MOST_NAMED: usize = 4;

/// What to cut first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Rights,
    Deliveries,
}

/// One step of a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Edge {
    /// A process passes on to a queue or an inlet.
    Right(Process, Station),
    /// AWS delivers: a wire by its place among those of the channels.
    Delivery(usize),
}

/// A step that is cut, with what that takes.
struct Cut {
    changes: Vec<Change>,
    /// Who no longer does what, as a sentence without its stop.
    promise: String,
    notes: Vec<String>,
    /// The role and the queue to which it no longer sends.
    sender: Option<(Arc<str>, Option<Arc<str>>)>,
}

/// The ways to cut it, the one that is best to be tried first.
pub(super) fn propose(ground: &Ground<'_>, finding: &Finding) -> Result<Vec<Proposal>, String> {
    let mut proposals = Vec::new();
    let mut obstacle = None;
    for first in [First::Rights, First::Deliveries] {
        match cut_apart(ground, finding, first) {
            Ok(proposal) => proposals.push(proposal),
            Err(reason) => {
                obstacle.get_or_insert(reason);
            }
        }
    }
    match (proposals.is_empty(), obstacle) {
        (true, Some(reason)) => Err(reason),
        _ => Ok(proposals),
    }
}

/// Cuts the shortest way round, decides again, and goes on as long as messages come back to any place of the finding.
fn cut_apart(ground: &Ground<'_>, finding: &Finding, first: First) -> Result<Proposal, String> {
    let places: BTreeSet<&Entity> = finding.resources.iter().map(|one| &one.entity).collect();
    let mut accounts: Vec<Account> = ground.access.accounts.to_vec();
    let mut changes = Vec::new();
    let mut promises = Vec::new();
    let mut notes = Vec::new();
    let mut claims = Claims::default();
    for round in 0..=MOST_CUTS {
        let access = Access::compute(&accounts);
        let graph = Graph::new(&access);
        let cycles = graph.message_cycles();
        let left = cycles.iter().find(|cycle| touches(&graph, cycle, &places));
        let Some(way) = left.and_then(|cycle| cycle.witnesses.first()) else {
            break;
        };
        if round == MOST_CUTS {
            return Err(format!(
                "messages come back on more than {MOST_CUTS} ways that have no step in common; look for the statement that gives most of them: \
                 patscan groups findings by it"
            ));
        }
        let view = View {
            accounts: &accounts,
            access: &access,
            graph: &graph,
        };
        let cut = view.cut(way, first)?;
        if let Some((role, queue)) = cut.sender {
            claims.principals.insert(Arc::clone(&role));
            if let Some(queue) = queue {
                claims
                    .meant
                    .insert((role, queue, Capability::Send), Meant::Gone);
            }
        }
        promises.push(cut.promise);
        notes.extend(cut.notes);
        let next = accounts
            .iter()
            .map(|account| applied(account, &cut.changes));
        let next: Vec<Account> = next.collect();
        changes.extend(cut.changes);
        drop(graph);
        drop(access);
        accounts = next;
    }
    if changes.is_empty() {
        return Err("the way round was not found again".to_owned());
    }
    let number = promises.len();
    let gist = format!(
        "Cut the circle in {}: after that {}.",
        if number == 1 {
            "one place".to_owned()
        } else {
            format!("{number} places")
        },
        promises.join("; ")
    );
    let takes_rights = !claims.principals.is_empty();
    promises.push("no message comes back to where it was on any of these ways".to_owned());
    promises.push(if takes_rights {
        "every other right of these roles on every queue is as it was, and nothing changes for anybody else".to_owned()
    } else {
        "no policy changes, and so no right of anybody".to_owned()
    });
    Ok(Proposal {
        plan: Plan {
            gist,
            changes: without_repetitions(changes),
            placements: Vec::new(),
            notes: each_once(notes),
        },
        claims,
        promises,
    })
}

/// Whether a circle goes through a place of a finding.
fn touches(graph: &Graph<'_>, cycle: &MessageCycle, places: &BTreeSet<&Entity>) -> bool {
    let queues = graph.access.queues_of(&cycle.queues);
    let mut queues =
        queues.map(|(_, audited)| Entity::new(Kind::Queue, audited.queue.arn.shared()));
    let mut inlets = cycle
        .inlets
        .iter()
        .filter_map(|inlet| graph.channels.inlets.get(*inlet));
    queues.any(|queue| places.contains(&queue))
        || inlets.any(|inlet| places.contains(&inlet.entity))
}

/// The accounts as they are after the cuts so far.
struct View<'a> {
    accounts: &'a [Account],
    access: &'a Access<'a>,
    graph: &'a Graph<'a>,
}

impl View<'_> {
    fn cut(&self, way: &[Station], first: First) -> Result<Cut, String> {
        let edges = self.edges(way);
        let mut ordered = edges.clone();
        ordered.sort_by_key(|edge| self.rank(edge, first));
        let mut obstacle = None;
        for edge in &ordered {
            match self.cut_edge(edge) {
                Ok(mut cut) => {
                    cut.notes.extend(self.others(&edges, edge));
                    return Ok(cut);
                }
                Err(reason) => {
                    obstacle.get_or_insert(reason);
                }
            }
        }
        Err(obstacle.unwrap_or_else(|| "no step of the way was found again".to_owned()))
    }

    /// What is cut first. What starts a consumer is what the consumer is there for, and a right that a delivery of its own needs
    /// would leave that delivery broken.
    fn rank(&self, edge: &Edge, first: First) -> u8 {
        let (right, delivery) = match first {
            First::Rights => (0, 1),
            First::Deliveries => (2, 0),
        };
        match edge {
            Edge::Right(process, to) if self.is_delivered(*process, to) => 3,
            Edge::Right(..) => right,
            Edge::Delivery(wire) if self.starts_a_consumer(*wire) => delivery + 1,
            Edge::Delivery(_) => delivery,
        }
    }

    /// Whether AWS delivers what a process passes on, as a task of a state machine.
    fn is_delivered(&self, process: Process, to: &Station) -> bool {
        let Some(workload) = process.workload else {
            return false;
        };
        let source = Stop::Workload(Place {
            principal: process.principal,
            workload,
        });
        let target = match to {
            Station::Queue(queue) => Stop::Queue(*queue),
            Station::Inlet(inlet) => Stop::Inlet(*inlet),
            Station::Process(..) => return false,
        };
        let mut wires = self.graph.channels.wires.iter();
        wires.any(|wire| {
            wire.enabled && wire.target == Some(target) && wire.sources.contains(&source)
        })
    }

    fn starts_a_consumer(&self, wire: usize) -> bool {
        let wire = self.graph.channels.wires.get(wire);
        wire.is_some_and(|wire| matches!(wire.target, Some(Stop::Workload(_))))
    }

    /// The steps of a way, the one that closes it first: of several that are alike that is the one that leads back.
    fn edges(&self, way: &[Station]) -> Vec<Edge> {
        let after = way.iter().cycle().skip(1);
        let mut edges: Vec<Edge> = Vec::new();
        for (station, after) in way.iter().zip(after) {
            match (station, after) {
                (Station::Process(process, started), Station::Queue(_) | Station::Inlet(_)) => {
                    let workload = started.map(|place| place.workload).or(process.workload);
                    let process = Process {
                        principal: process.principal,
                        workload,
                    };
                    edges.push(Edge::Right(process, *after));
                }
                (Station::Queue(_) | Station::Inlet(_), _) => {
                    let target = match after {
                        Station::Queue(queue) => Some(Stop::Queue(*queue)),
                        Station::Inlet(inlet) => Some(Stop::Inlet(*inlet)),
                        Station::Process(_, started) => started.map(Stop::Workload),
                    };
                    let source = match station {
                        Station::Queue(queue) => Stop::Queue(*queue),
                        Station::Inlet(inlet) => Stop::Inlet(*inlet),
                        Station::Process(..) => continue,
                    };
                    let wires = self.graph.channels.wires.iter().enumerate();
                    let between = wires.filter(|(_, wire)| {
                        wire.enabled
                            && target.is_some()
                            && wire.target == target
                            && wire.sources.contains(&source)
                    });
                    edges.extend(between.map(|(index, _)| Edge::Delivery(index)));
                }
                (Station::Process(..), Station::Process(..)) => {}
            }
        }
        edges.reverse();
        edges
    }

    fn cut_edge(&self, edge: &Edge) -> Result<Cut, String> {
        match edge {
            Edge::Right(process, to) => self.take(*process, to),
            Edge::Delivery(wire) => {
                let wire = self.graph.channels.wires.get(*wire);
                wire.map(remove)
                    .ok_or_else(|| "the delivery was not found again".to_owned())
            }
        }
    }

    /// Takes from a role what lets it pass messages on.
    fn take(&self, process: Process, to: &Station) -> Result<Cut, String> {
        let unknown = || "the role was not found again".to_owned();
        let principal = self
            .access
            .principals
            .get(process.principal)
            .ok_or_else(unknown)?;
        let name = principal.arn.name();
        if principal.kind != Kind::Role {
            return Err(format!(
                "{} {name} has it through groups: take it from those, or let somebody else do that part",
                principal.kind
            ));
        }
        if let Some(reason) = is_not_ours(principal.arn) {
            return Err(reason);
        }
        let account = self.accounts.get(principal.account).ok_or_else(unknown)?;
        let mut roles = account.roles.iter();
        let role = roles
            .find(|role| role.arn == *principal.arn)
            .ok_or_else(unknown)?;
        let (action, resources, queue, words) = match to {
            Station::Queue(queue) => {
                let audited = self.access.queues.get(*queue).ok_or_else(unknown)?;
                let arn = &audited.queue.arn;
                let words = format!("send to queue {}", arn.resource());
                (
                    "sqs:SendMessage",
                    vec![arn.to_string()],
                    Some(arn.shared()),
                    words,
                )
            }
            Station::Inlet(inlet) => {
                let inlet = self.graph.channels.inlets.get(*inlet).ok_or_else(unknown)?;
                let place = format!("{} {}", inlet.entity.kind.words(), last(&inlet.entity.arn));
                let words = match inlet.word() {
                    "put-object" => {
                        format!("put objects into {place} where a notification takes them")
                    }
                    "put-events" => format!("put events on {place}"),
                    "put-record" => format!("put records into {place}"),
                    "publish" => format!("publish to {place}"),
                    "start" => format!("start {place}"),
                    _ => format!("invoke {place}"),
                };
                (inlet.action(), inlet.patterns(), None, words)
            }
            Station::Process(..) => return Err(unknown()),
        };
        let taking = Taking {
            account,
            role,
            action,
            resources,
            existing: self
                .access
                .queues
                .iter()
                .map(|audited| audited.queue.arn.as_str())
                .collect(),
        };
        let mut notes = vec![format!(
            "Whether role {name} has to {words} only the team knows. If it has to, cut the circle elsewhere."
        )];
        let narrowed = match taking.narrowed() {
            Ok(changes) if changes.is_empty() => Err(
                "it comes from the policy of what is written to, or from one that cannot be rewritten".to_owned(),
            ),
            Ok(changes) if self.would_still(process, to, &changes) => {
                Err("more than its own policies give it".to_owned())
            }
            other => other,
        };
        let changes = narrowed.unwrap_or_else(|obstacle| {
            notes.push(format!(
                "It is denied to the role instead of taken from its policies: {obstacle}."
            ));
            vec![taking.denied("SendsNothingBack")]
        });
        if action.starts_with("s3:Put") {
            notes.push(format!(
                "To keep role {name} writing there, let it write under a prefix of its own and let the notification take another one."
            ));
        }
        Ok(Cut {
            changes,
            promise: format!("role {name} can no longer {words}"),
            notes,
            sender: Some((principal.arn.shared(), queue)),
        })
    }

    /// Whether the process could still do it with the changes made.
    fn would_still(&self, process: Process, to: &Station, changes: &[Change]) -> bool {
        let Some(role) = self.access.principals.get(process.principal) else {
            return true;
        };
        let accounts = self
            .accounts
            .iter()
            .map(|account| applied(account, changes));
        let accounts: Vec<Account> = accounts.collect();
        let access = Access::compute(&accounts);
        let mut principals = access.principals.iter();
        let Some(index) = principals.position(|one| one.arn == role.arn) else {
            return false;
        };
        match to {
            Station::Queue(queue) => access
                .rights_on(index, *queue)
                .is_some_and(|rights| !rights.when(Capability::Send).is_never()),
            Station::Inlet(inlet) => {
                let channels = access.channels();
                !channels.when(index, process.workload, *inlet).is_never()
            }
            Station::Process(..) => true,
        }
    }

    /// At which other steps the circle can be cut, as a sentence.
    fn others(&self, edges: &[Edge], but: &Edge) -> Option<String> {
        let mut others: Vec<String> = edges
            .iter()
            .filter(|edge| *edge != but)
            .filter_map(|edge| self.words(edge))
            .collect();
        others.dedup();
        let more = others.len().saturating_sub(MOST_NAMED);
        others.truncate(MOST_NAMED);
        if others.is_empty() {
            return None;
        }
        let more = match more {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        Some(format!(
            "The other steps at which it can be cut: {}{more}.",
            others.join("; ")
        ))
    }

    fn words(&self, edge: &Edge) -> Option<String> {
        match edge {
            Edge::Delivery(wire) => {
                let wire = self.graph.channels.wires.get(*wire)?;
                Some(format!(
                    "the {} from {} to {}",
                    wire.kind.as_str(),
                    last(&wire.from.arn),
                    last(&wire.to.arn)
                ))
            }
            Edge::Right(process, to) => {
                let principal = self.access.principals.get(process.principal)?;
                let to = match to {
                    Station::Queue(queue) => self.access.queues.get(*queue)?.queue.arn.resource(),
                    Station::Inlet(inlet) => {
                        last(&self.graph.channels.inlets.get(*inlet)?.entity.arn)
                    }
                    Station::Process(..) => return None,
                };
                let (kind, name) = (principal.kind, principal.arn.name());
                Some(format!("what {kind} {name} puts into {to}"))
            }
        }
    }
}

fn remove(wire: &Wire) -> Cut {
    let removed = Removed {
        kind: wire.kind.as_str(),
        configured_by: wire.configured_by.to_string(),
        from: wire.from.clone(),
        to: wire.to.clone(),
    };
    let promise = format!(
        "nothing is delivered any more from {} {} to {} {} by this {}",
        wire.from.kind.words(),
        last(&wire.from.arn),
        wire.to.kind.words(),
        last(&wire.to.arn),
        removed.kind
    );
    let note = format!(
        "To remove a delivery is a decision of whoever owns it: what {} {} gets by it, it gets no more. A filter that lets nothing through \
         of what comes back does as well, but what a filter lets through is not decided here.",
        wire.to.kind.words(),
        last(&wire.to.arn)
    );
    Cut {
        changes: vec![Change::RemoveDelivery(removed)],
        promise,
        notes: vec![note],
        sender: None,
    }
}

/// The last part of a name.
fn last(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or(arn)
}
