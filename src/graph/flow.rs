//! Where messages can go next: from queues to whoever takes them out, from there to whatever that may fill, and along what AWS
//! delivers by itself.
//!
//! What one process may receive and what it may send hang together: the two rights must hold for one session. So a process is a
//! node for each way in which messages come to it and one for each way in which they leave, with an edge between two ways that
//! can go together. Queues on which a principal fares alike are one node as well, shared by all who have them: the graph grows
//! with the rights as they are kept, not with the pairs of principals and queues.
//!
//! A step of one process between two queues over both of which it loops already is left out: `queue-feedback-loop` tells both,
//! and who has wide rights on many queues would otherwise tie all of them together. Administrators take no part.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::Graph;
use super::adjacency::{Adjacency, Spot, Steps};
use crate::access::{Capability, InletSet, Place, Principal, QueueSet, Stop};
use crate::entity::{Grade, Kind};
use crate::parallel::in_parallel;
use crate::policy::Formula;

/// The graph of what messages can do.
pub(super) type Flow = Adjacency<Node>;

/// Somewhere on the way of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Node {
    /// In a queue, by index.
    Queue(usize),
    /// In an inlet, by index.
    Inlet(usize),
    /// In one of several queues, before or behind the process: only holds them together.
    Several,
    /// With a process that received it.
    Received(Process),
    /// With a process that can send it on.
    Sending(Process),
}

/// What takes part as one: a principal in any of its sessions, or one workload whose session has rights of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// The index of the principal.
    pub principal: usize,
    /// The place of the workload; none for any session.
    pub workload: Option<usize>,
}

/// How grave a step is that does not lead to a process, or that leads to one that AWS starts.
fn by_itself(sure: bool) -> Grade {
    if sure {
        Grade::Wired
    } else {
        Grade::Conditional
    }
}

/// How grave a step is to a process that has to fetch its messages.
fn fetched(sure: bool) -> Grade {
    by_itself(sure).min(Grade::Permitted)
}

/// Queues as they are kept: a set, often one that many share, but for those of another.
#[derive(Clone, Copy)]
struct Kept<'q> {
    queues: &'q QueueSet,
    but: Option<&'q QueueSet>,
}

/// One way in which messages come to a process or leave it, on all of which it fares alike.
struct Way<'q> {
    when: &'q Formula,
    /// Whether the process loops by itself over each of the queues: at all, and whatever the circumstances.
    loops: bool,
    loops_surely: bool,
    queues: Vec<Kept<'q>>,
    inlets: Vec<usize>,
    /// Inlets that many principals share.
    all_inlets: Option<&'q InletSet>,
    /// Whether AWS starts the process: then `queues` and `inlets` are empty, and wires lead to it.
    started: bool,
}

impl Way<'_> {
    fn is_like(&self, other: &Self) -> bool {
        self.started == other.started
            && self.loops == other.loops
            && self.loops_surely == other.loops_surely
            && (std::ptr::eq(self.when, other.when) || self.when == other.when)
    }
}

/// Everything by which one process can be reached and can go on.
struct Ways<'q> {
    process: Process,
    receiving: Vec<Way<'q>>,
    sending: Vec<Way<'q>>,
}

/// On which side of a process queues stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    /// It receives from them.
    Before,
    /// It sends to them.
    Behind,
}

/// Queues whose numbers share everything but so many bits are one block.
const BLOCK_BITS: u32 = 8;
/// Queues of one block that are connected one by one.
const FEW_OF_A_BLOCK: u32 = 4;

/// Which queues of a block, a bit for each.
type Members = [u64; 1 << (BLOCK_BITS - u64::BITS.ilog2())];

/// A set of queues, block by block.
fn blocks(queues: &QueueSet) -> Vec<(u32, Members)> {
    let mut blocks: Vec<(u32, Members)> = Vec::new();
    let mut current: Option<(u32, Members)> = None;
    for queue in queues {
        let block = queue >> BLOCK_BITS;
        let (_, members) = match &mut current {
            Some(current) if current.0 == block => current,
            other => {
                blocks.extend(other.take());
                other.insert((block, Members::default()))
            }
        };
        let place = queue & ((1 << BLOCK_BITS) - 1);
        if let Some(word) = members.get_mut((place / u64::BITS) as usize) {
            *word |= 1 << (place % u64::BITS);
        }
    }
    blocks.extend(current);
    blocks
}

/// The queues of a block, in order.
fn members_of(block: u32, members: &Members) -> impl Iterator<Item = u32> {
    (0..1 << BLOCK_BITS)
        .filter(|place| {
            let word = members.get((place / u64::BITS) as usize);
            word.is_some_and(|word| word & (1 << (place % u64::BITS)) != 0)
        })
        .map(move |place| (block << BLOCK_BITS) | place)
}

/// Ways that are compared with a new one; what differs by its words differs anyway.
const MOST_COMPARED: usize = 64;

fn add<'q>(ways: &mut Vec<Way<'q>>, way: Way<'q>) {
    match ways
        .iter_mut()
        .take(MOST_COMPARED)
        .find(|known| known.is_like(&way))
    {
        Some(known) => {
            known.queues.extend(way.queues);
            known.inlets.extend(way.inlets);
            known.all_inlets = known.all_inlets.or(way.all_inlets);
        }
        None => ways.push(way),
    }
}

/// What is being built.
struct Builder<'g, 'a> {
    graph: &'g Graph<'a>,
    /// All queues come first, then all inlets.
    flow: Steps<Node>,
    /// Where workloads stand that only do what is configured.
    fixed: BTreeMap<Process, Spot>,
    /// The nodes that hold several queues or inlets together, by the address of their set.
    several: HashMap<(usize, Side), Spot>,
    /// Those that hold queues of one block together, by its number and the queues.
    blocks: HashMap<(u32, Members, Side), Spot>,
    /// Sets block by block, by their address.
    in_blocks: HashMap<usize, Rc<[(u32, Members)]>>,
    /// Where wires that start a process arrive: by process, and whether it loops over the queue that the wire begins in.
    started: BTreeMap<(Process, bool, bool), Spot>,
    /// The workloads whose session has rights of its own.
    apart: BTreeSet<Place>,
    /// Whether formulas rest on what was read, by their address: many principals share them.
    rests: HashMap<usize, bool>,
    /// Whether two formulas can hold together, by their addresses.
    together: HashMap<(usize, usize), bool>,
}

/// Builds the graph of what messages can do.
pub(super) fn flow(graph: &Graph<'_>) -> Flow {
    let queues = (0..graph.access.queues.len()).map(Node::Queue);
    let inlets = (0..graph.channels.inlets.len()).map(Node::Inlet);
    let mut builder = Builder {
        graph,
        flow: Steps::new(queues.chain(inlets).collect()),
        fixed: BTreeMap::new(),
        several: HashMap::new(),
        blocks: HashMap::new(),
        in_blocks: HashMap::new(),
        started: BTreeMap::new(),
        apart: BTreeSet::new(),
        rests: HashMap::new(),
        together: HashMap::new(),
    };
    let principals: Vec<usize> = (0..graph.access.principals.len())
        .filter(|principal| !graph.is_administrator(*principal))
        .collect();
    // What they may put where is decided when it is asked for the first time: better on every processor.
    in_parallel(&principals, |principal| {
        graph.channels.rights(*principal);
    });
    for principal in principals {
        builder.add_principal(principal);
    }
    builder.add_wires();
    builder.flow.finish()
}

/// Whether what runs does nothing but what is configured: no code of anybody's uses the rights of its role.
fn is_fixed(kind: Kind) -> bool {
    matches!(kind, Kind::Pipe | Kind::Schedule | Kind::Crawler)
}

/// Services that do with a role what somebody configured, and nothing else.
const WITHOUT_CODE: [&str; 6] = [
    "apigateway.amazonaws.com",
    "autoscaling.amazonaws.com",
    "events.amazonaws.com",
    "iot.amazonaws.com",
    "pipes.amazonaws.com",
    "scheduler.amazonaws.com",
];

/// Whether nobody but such services can have a session of the principal: then only deliveries use its rights.
fn is_used_by_configuration_only(principal: &Principal<'_>) -> bool {
    let trust = &principal.trust;
    trust.machines_only
        && !trust.federated
        && !trust.services.is_empty()
        && trust
            .services
            .iter()
            .all(|service| WITHOUT_CODE.contains(&service.as_str()))
}

impl<'g> Builder<'g, '_> {
    fn queue(queue: usize) -> Spot {
        Spot::new(queue)
    }

    fn inlet(&self, inlet: usize) -> Spot {
        Spot::new(self.graph.access.queues.len() + inlet)
    }

    fn fixed(&mut self, process: Process) -> Spot {
        let flow = &mut self.flow;
        *self
            .fixed
            .entry(process)
            .or_insert_with(|| flow.add_node(Node::Sending(process)))
    }

    fn rests_on_what_was_read(&mut self, when: &'g Formula) -> bool {
        let address = std::ptr::from_ref(when).addr();
        *self
            .rests
            .entry(address)
            .or_insert_with(|| when.rests_on_what_was_read())
    }

    fn can_hold_together(&mut self, one: &'g Formula, other: &'g Formula) -> bool {
        // What never holds is no way.
        if one.is_always() || other.is_always() {
            return true;
        }
        let [first, second] = [one, other].map(|when| std::ptr::from_ref(when).addr());
        *self
            .together
            .entry((first, second))
            .or_insert_with(|| one.clone().and(other.clone()).is_satisfiable())
    }

    fn add_principal(&mut self, index: usize) {
        let graph = self.graph;
        let Some(principal) = graph.access.principals.get(index) else {
            return;
        };
        let mut apart: BTreeSet<usize> = BTreeSet::new();
        for rights in graph.access.rights(index) {
            let sessions = rights.on_each().sessions();
            apart.extend(sessions.filter_map(|session| session.workload));
        }
        for right in &graph.channels.rights(index).others {
            apart.extend(right.workloads.iter().map(|(place, _)| *place));
        }
        let starts = graph.starts.get(&index);
        let is_fixed = |place: &usize| {
            let entity = principal.workloads.get(*place);
            entity.is_some_and(|entity| is_fixed(entity.kind))
        };
        // What is fixed has no ways but its wires.
        apart.retain(|place| !is_fixed(place));
        let any = (!is_used_by_configuration_only(principal)).then_some(None);
        let sessions = any.into_iter().chain(apart.iter().copied().map(Some));
        for workload in sessions {
            let process = Process {
                principal: index,
                workload,
            };
            let is_started = starts.is_some_and(|places| match workload {
                Some(place) => places.contains(&place),
                None => places
                    .iter()
                    .any(|place| !apart.contains(place) && !is_fixed(place)),
            });
            let ways = self.ways(process, is_started);
            self.add_process(&ways);
        }
        let places = apart.into_iter().map(|workload| Place {
            principal: index,
            workload,
        });
        self.apart.extend(places);
        let fixed = starts.into_iter().flatten().filter(|place| is_fixed(place));
        self.apart.extend(fixed.map(|workload| Place {
            principal: index,
            workload: *workload,
        }));
    }

    fn add_process(&mut self, ways: &Ways<'g>) {
        let mut sending: BTreeMap<usize, Spot> = BTreeMap::new();
        for receiving in &ways.receiving {
            let mut received = None;
            for (number, send) in ways.sending.iter().enumerate() {
                let sure = receiving.when.is_always() && send.when.is_always();
                let is_told = if sure {
                    receiving.loops_surely && send.loops_surely
                } else {
                    receiving.loops && send.loops
                };
                if is_told || !self.can_hold_together(receiving.when, send.when) {
                    continue;
                }
                let from = match received {
                    Some(from) => from,
                    None => *received.insert(self.receive(ways.process, receiving)),
                };
                let to = if let Some(to) = sending.get(&number) {
                    *to
                } else {
                    let to = self.send(ways.process, send);
                    sending.insert(number, to);
                    to
                };
                self.flow.add(from, to, by_itself(sure));
            }
        }
    }

    /// A node for messages that come in one way, with the edges that lead to it.
    fn receive(&mut self, process: Process, way: &Way<'g>) -> Spot {
        let node = self.flow.add_node(Node::Received(process));
        if way.started {
            let key = (process, way.loops, way.loops_surely);
            self.started.insert(key, node);
        }
        if !way.queues.is_empty() {
            let several = self.several(&way.queues, Side::Before);
            self.flow.add(several, node, fetched(way.when.is_always()));
        }
        node
    }

    /// A node for messages that leave in one way, with the edges that lead on.
    fn send(&mut self, process: Process, way: &Way<'g>) -> Spot {
        let node = self.flow.add_node(Node::Sending(process));
        let grade = by_itself(way.when.is_always());
        if !way.queues.is_empty() {
            let several = self.several(&way.queues, Side::Behind);
            self.flow.add(node, several, grade);
        }
        if let Some(inlets) = way.all_inlets {
            let several = self.several_inlets(inlets);
            self.flow.add(node, several, grade);
        }
        for inlet in &way.inlets {
            self.flow.add(node, self.inlet(*inlet), grade);
        }
        node
    }

    /// The node that holds inlets together behind a process.
    fn several_inlets(&mut self, inlets: &InletSet) -> Spot {
        let address = std::ptr::from_ref(inlets).addr();
        if let Some(known) = self.several.get(&(address, Side::Behind)) {
            return *known;
        }
        let several = self.flow.add_node(Node::Several);
        for inlet in inlets {
            self.flow
                .add(several, self.inlet(inlet as usize), Grade::Wired);
        }
        self.several.insert((address, Side::Behind), several);
        several
    }

    /// The node that holds queues together: those before a process, or behind one.
    fn several(&mut self, sets: &[Kept<'g>], side: Side) -> Spot {
        let shared = match sets {
            [Kept { queues, but: None }] => Some((std::ptr::from_ref(*queues).addr(), side)),
            _ => None,
        };
        if let Some(known) = shared.and_then(|key| self.several.get(&key)) {
            return *known;
        }
        let several = self.flow.add_node(Node::Several);
        for (block, members) in self.together(sets) {
            let count: u32 = members.iter().map(|word| word.count_ones()).sum();
            if count <= FEW_OF_A_BLOCK {
                for queue in members_of(block, &members) {
                    self.connect_on(side, Self::queue(queue as usize), several);
                }
            } else {
                let block = self.block(block, members, side);
                self.connect_on(side, block, several);
            }
        }
        if let Some(key) = shared {
            self.several.insert(key, several);
        }
        several
    }

    /// All queues of several sets, block by block.
    fn together(&mut self, sets: &[Kept<'g>]) -> BTreeMap<u32, Members> {
        let mut together: BTreeMap<u32, Members> = BTreeMap::new();
        for kept in sets {
            let but = kept.but.map(|but| self.in_blocks(but));
            for (block, members) in &*self.in_blocks(kept.queues) {
                let but = but
                    .iter()
                    .flat_map(|but| but.iter())
                    .find(|(left_out, _)| left_out == block)
                    .map_or_else(Members::default, |(_, members)| *members);
                let known = together.entry(*block).or_default();
                for ((known, members), but) in known.iter_mut().zip(members).zip(but) {
                    *known |= members & !but;
                }
            }
        }
        together
    }

    fn in_blocks(&mut self, queues: &'g QueueSet) -> Rc<[(u32, Members)]> {
        let address = std::ptr::from_ref(queues).addr();
        let known = self.in_blocks.entry(address);
        Rc::clone(known.or_insert_with(|| blocks(queues).into()))
    }

    /// The node that holds those queues of a block together that one set has of it: sets that differ in a few queues share all
    /// other blocks.
    fn block(&mut self, block: u32, members: Members, side: Side) -> Spot {
        let key = (block, members, side);
        if let Some(known) = self.blocks.get(&key) {
            return *known;
        }
        let node = self.flow.add_node(Node::Several);
        for queue in members_of(block, &key.1) {
            self.connect_on(side, Self::queue(queue as usize), node);
        }
        self.blocks.insert(key, node);
        node
    }

    /// Connects what is nearer to the queues with what is nearer to the process.
    fn connect_on(&mut self, side: Side, outer: Spot, inner: Spot) {
        match side {
            Side::Before => self.flow.add(outer, inner, Grade::Wired),
            Side::Behind => self.flow.add(inner, outer, Grade::Wired),
        }
    }

    fn add_wires(&mut self) {
        let graph = self.graph;
        for (number, inlet) in graph.channels.inlets.iter().enumerate() {
            if let Some(place) = inlet.leads_to {
                self.start(Stop::Inlet(number), place, true);
            }
        }
        for wire in graph.flowing_wires() {
            let sure = wire.when.is_always();
            let Some(target) = wire.target else {
                continue;
            };
            for source in &wire.sources {
                if let Stop::Workload(place) = source {
                    let workload = graph.channels.workload_at(*place);
                    // The rights of its role say it of everything else.
                    if !workload.is_some_and(|workload| is_fixed(workload.kind)) {
                        continue;
                    }
                }
                let to = match target {
                    Stop::Queue(queue) => Self::queue(queue),
                    Stop::Inlet(inlet) => self.inlet(inlet),
                    Stop::Workload(place) => {
                        self.start(*source, place, sure);
                        continue;
                    }
                };
                let from = self.place(*source);
                self.flow.add(from, to, by_itself(sure));
            }
        }
    }

    /// Where a message is that a wire takes on.
    fn place(&mut self, source: Stop) -> Spot {
        match source {
            Stop::Queue(queue) => Self::queue(queue),
            Stop::Inlet(inlet) => self.inlet(inlet),
            Stop::Workload(place) => self.fixed(Process {
                principal: place.principal,
                workload: Some(place.workload),
            }),
        }
    }

    /// Leads from where a message is to the workload that it starts.
    fn start(&mut self, from: Stop, place: Place, sure: bool) {
        let graph = self.graph;
        if graph.is_administrator(place.principal) {
            return;
        }
        let grade = by_itself(sure);
        let apart = self.apart.contains(&place);
        let process = Process {
            principal: place.principal,
            workload: apart.then_some(place.workload),
        };
        let workload = graph.channels.workload_at(place);
        if workload.is_some_and(|workload| is_fixed(workload.kind)) {
            let (from, to) = (self.place(from), self.fixed(process));
            self.flow.add_start(from, to, grade, place);
            return;
        }
        let both = match from {
            Stop::Queue(queue) => graph
                .access
                .rights_on(place.principal, queue)
                .and_then(|rights| rights.of_workload(place.workload).both()),
            _ => None,
        };
        let surely = both.as_deref().is_some_and(Formula::is_always);
        if let Some(to) = self.started.get(&(process, both.is_some(), surely)) {
            let to = *to;
            let from = self.place(from);
            self.flow.add_start(from, to, grade, place);
        }
    }

    /// Every way in which messages come to a process and leave it.
    fn ways(&mut self, process: Process, is_started: bool) -> Ways<'g> {
        let graph = self.graph;
        let mut ways = Ways {
            process,
            receiving: Vec::new(),
            sending: Vec::new(),
        };
        for rights in graph.access.rights(process.principal) {
            let sessions = rights.on_each();
            let session = match process.workload {
                Some(place) => sessions.of_workload(place),
                None => match sessions.sessions().next() {
                    Some(any) => any,
                    None => continue,
                },
            };
            let both = session.both();
            let loops_surely = both.as_deref().is_some_and(Formula::is_always);
            for (capability, list) in [
                (Capability::Receive, &mut ways.receiving),
                (Capability::Send, &mut ways.sending),
            ] {
                let when = session.when(capability);
                if !when.is_never() && self.rests_on_what_was_read(when) {
                    let (queues, but) = rights.shared_queues();
                    let way = Way {
                        when,
                        loops: both.is_some(),
                        loops_surely,
                        queues: vec![Kept { queues, but }],
                        inlets: Vec::new(),
                        all_inlets: None,
                        started: false,
                    };
                    add(list, way);
                }
            }
        }
        let put = graph.channels.rights(process.principal);
        if !put.surely.is_empty() {
            let way = Way {
                when: &Formula::Always,
                loops: false,
                loops_surely: false,
                queues: Vec::new(),
                inlets: Vec::new(),
                all_inlets: Some(&put.surely),
                started: false,
            };
            add(&mut ways.sending, way);
        }
        for right in &put.others {
            let when = right.of(process.workload);
            if !when.is_never() && self.rests_on_what_was_read(when) {
                let way = Way {
                    when,
                    loops: false,
                    loops_surely: false,
                    queues: Vec::new(),
                    inlets: vec![right.inlet],
                    all_inlets: None,
                    started: false,
                };
                add(&mut ways.sending, way);
            }
        }
        if is_started {
            // What starts a process may begin in a queue over which it loops.
            for (loops, loops_surely) in [(false, false), (true, false), (true, true)] {
                ways.receiving.push(Way {
                    when: &Formula::Always,
                    loops,
                    loops_surely,
                    queues: Vec::new(),
                    inlets: Vec::new(),
                    all_inlets: None,
                    started: true,
                });
            }
        }
        ways
    }
}
