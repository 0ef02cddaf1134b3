//! Where messages can go next: from queues to whoever takes them out, from there to whatever that may fill, and along what AWS
//! delivers by itself.
//!
//! What one process may receive and what it may send hang together: the two rights must hold for one session. So a process is a
//! node for each way in which messages leave it and one for all ways in which they come to it that go together with the same of
//! these, with an edge between two that can go together. Queues on which a principal fares alike are one node as well, shared by all who have them: the graph grows
//! with the rights as they are kept, not with the pairs of principals and queues.
//!
//! A step of one process between two queues over both of which it loops already is left out: `queue-feedback-loop` tells both,
//! and who has wide rights on many queues would otherwise tie all of them together. Administrators take no part.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use foldhash::fast::FixedState;

use super::Graph;
use super::adjacency::{Adjacency, Spot, Steps};
use super::blocks::{Block, Pieces, blocks};
use super::ways::{Faring, Kept, SharedWays, Side, Way, add};
use crate::access::{InletSet, Place, Principal, QueueSet, Rights, SessionsOn, SharedRights, Stop};
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

/// Everything by which one process can be reached and can go on.
struct Ways<'q> {
    process: Process,
    receiving: Vec<Way<'q>>,
    sending: Vec<Way<'q>>,
}

impl<'q> Ways<'q> {
    fn of_mut(&mut self, side: Side) -> &mut Vec<Way<'q>> {
        match side {
            Side::Before => &mut self.receiving,
            Side::Behind => &mut self.sending,
        }
    }
}

/// Queues of one block that are connected one by one.
const FEW_OF_A_BLOCK: u32 = 4;

/// What is being built.
struct Builder<'g, 'a> {
    graph: &'g Graph<'a>,
    /// All queues come first, then all inlets.
    flow: Steps<Node>,
    /// Where workloads stand that only do what is configured.
    fixed: BTreeMap<Process, Spot>,
    /// The nodes that hold several queues or inlets together, by the address of their set.
    several: HashMap<(usize, Side), Spot, FixedState>,
    /// Those that hold queues of one block together.
    blocks: HashMap<(Block, Side), Spot, FixedState>,
    /// Sets block by block, by their address.
    in_blocks: HashMap<usize, Rc<[Block]>, FixedState>,
    /// What principals share, in ways, and its place there by its address.
    shared: Vec<SharedWays<'g>>,
    shared_places: HashMap<usize, usize>,
    /// Where wires that start a process arrive: by process, and whether it loops over the queue that the wire begins in.
    started: BTreeMap<(Process, bool, bool), Spot>,
    /// The workloads whose session has rights of its own.
    apart: BTreeSet<Place>,
    /// Whether formulas rest on what was read, by their address: many principals share them.
    rests: HashMap<usize, bool, FixedState>,
    /// Whether two formulas can hold together, by their addresses.
    together: HashMap<(usize, usize), bool, FixedState>,
}

/// Builds the graph of what messages can do.
pub(super) fn flow(graph: &Graph<'_>) -> Flow {
    let queues = (0..graph.access.queues.len()).map(Node::Queue);
    let inlets = (0..graph.channels.inlets.len()).map(Node::Inlet);
    let mut builder = Builder {
        graph,
        flow: Steps::new(queues.chain(inlets).collect()),
        fixed: BTreeMap::new(),
        several: HashMap::default(),
        blocks: HashMap::default(),
        in_blocks: HashMap::default(),
        shared: Vec::new(),
        shared_places: HashMap::new(),
        started: BTreeMap::new(),
        apart: BTreeSet::new(),
        rests: HashMap::default(),
        together: HashMap::default(),
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
pub(super) fn is_fixed(kind: Kind) -> bool {
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
        if when.is_always() || when.is_never() {
            return when.is_always();
        }
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
        let mut apart = self.workloads_apart(index);
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
        self.forget_ways(index);
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

    /// The workloads of a principal whose rights on queues differ from those of any session, by their place.
    fn workloads_apart(&self, index: usize) -> BTreeSet<usize> {
        let access = self.graph.access;
        let own = access.own_rights(index).map(|rights| rights.on_each());
        let shared = access.shared_rights(index).into_iter().flat_map(|shared| {
            // Most groups tell no workload apart: only of the others it matters whether the principal has anything of them.
            let groups = shared.groups().filter(|(_, on_each)| {
                let mut sessions = on_each.sessions();
                sessions.any(|session| session.workload.is_some())
            });
            groups
                .filter(move |(queues, _)| !queues.is_subset(shared.apart))
                .map(|(_, on_each)| on_each)
        });
        own.chain(shared)
            .flat_map(SessionsOn::sessions)
            .filter_map(|session| session.workload)
            .collect()
    }

    fn add_process(&mut self, ways: &Ways<'g>) {
        let mut sending: BTreeMap<usize, Spot> = BTreeMap::new();
        // What loops on both sides is told unless both rights always hold: with ways of the one sort only these go together.
        let all: Vec<usize> = (0..ways.sending.len()).collect();
        let of_loops: Vec<usize> = (0..)
            .zip(&ways.sending)
            .filter(|(_, send)| !send.faring.loops || send.faring.when.is_always())
            .map(|(number, _)| number)
            .collect();
        // Where messages go on alike however they came in, one node stands for all these ways: there can be a hundred for each of
        // ten thousand processes.
        let mut received: HashMap<Vec<(usize, bool)>, Spot, FixedState> = HashMap::default();
        for receiving in &ways.receiving {
            let candidates = if receiving.faring.loops {
                &of_loops
            } else {
                &all
            };
            let goes_on: Vec<(usize, bool)> = candidates
                .iter()
                .filter_map(|number| {
                    let send = ways.sending.get(*number)?;
                    let (before, behind) = (receiving.faring, send.faring);
                    let sure = before.when.is_always() && behind.when.is_always();
                    let is_told = if sure {
                        before.loops_surely && behind.loops_surely
                    } else {
                        before.loops && behind.loops
                    };
                    let goes_on = !is_told && self.can_hold_together(before.when, behind.when);
                    goes_on.then_some((*number, sure))
                })
                .collect();
            if goes_on.is_empty() {
                continue;
            }
            // What a wire starts is told by where it arrives.
            let is_started = receiving.faring.started;
            let known = received.get(&goes_on).filter(|_| !is_started).copied();
            let from = self.receive(ways.process, receiving, known);
            if known.is_some() {
                continue;
            }
            for (number, sure) in &goes_on {
                let Some(send) = ways.sending.get(*number) else {
                    continue;
                };
                let to = if let Some(to) = sending.get(number) {
                    *to
                } else {
                    let to = self.send(ways.process, send);
                    sending.insert(*number, to);
                    to
                };
                self.flow.add(from, to, by_itself(*sure));
            }
            if !is_started {
                received.insert(goes_on, from);
            }
        }
    }

    /// The node for messages that come in one way, a new one unless it is known, with the edges that lead to it.
    fn receive(&mut self, process: Process, way: &Way<'g>, known: Option<Spot>) -> Spot {
        let node = known.unwrap_or_else(|| self.flow.add_node(Node::Received(process)));
        let faring = way.faring;
        if faring.started {
            let key = (process, faring.loops, faring.loops_surely);
            self.started.insert(key, node);
        }
        if way.has_queues() {
            let several = self.several(way, Side::Before);
            let grade = fetched(faring.when.is_always());
            self.flow.add(several, node, grade);
        }
        node
    }

    /// A node for messages that leave in one way, with the edges that lead on.
    fn send(&mut self, process: Process, way: &Way<'g>) -> Spot {
        let node = self.flow.add_node(Node::Sending(process));
        let grade = by_itself(way.faring.when.is_always());
        if way.has_queues() {
            let several = self.several(way, Side::Behind);
            self.flow.add(node, several, grade);
        }
        if let Some(inlets) = way.all_inlets {
            let several = self.several_inlets(inlets);
            self.flow.add(node, several, grade);
        }
        // Step by step, as a way over a node that holds them together would count as longer.
        for inlet in way.inlets.iter().copied().flatten() {
            self.flow.add(node, self.inlet(inlet as usize), grade);
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

    /// The node that holds the queues of a way together: those before a process, or behind one.
    fn several(&mut self, way: &Way<'g>, side: Side) -> Spot {
        // A set as it is kept is the same for all who share it.
        let by_itself = match way.only_set() {
            Some(Kept { queues, but: None }) => Some((std::ptr::from_ref(queues).addr(), side)),
            _ => None,
        };
        if let Some(known) = by_itself.and_then(|key| self.several.get(&key)) {
            return *known;
        }
        let several = self.flow.add_node(Node::Several);
        for piece in self.together(way, side) {
            if piece.block.len() <= FEW_OF_A_BLOCK {
                for queue in piece.block.queues() {
                    self.connect_on(side, Self::queue(queue as usize), several);
                }
            } else {
                let block = match piece
                    .from
                    .and_then(|place| self.shared_block(way, side, place))
                {
                    Some(known) => known,
                    None => self.block(piece.block, side),
                };
                if let Some(place) = piece.from {
                    self.keep_shared_block(way, side, place, block);
                }
                self.connect_on(side, block, several);
            }
        }
        if let Some(key) = by_itself {
            self.several.insert(key, several);
        }
        several
    }

    /// All queues of a way, block by block; of blocks that are the same for all who share them their place among those.
    fn together(&mut self, way: &Way<'g>, side: Side) -> Pieces<usize> {
        let class = way.shared.as_ref().and_then(|of| {
            let shared = self.shared.get(of.shared)?;
            shared.of(side).classes.get(of.class)
        });
        let known = class.into_iter().flat_map(|class| &class.blocks);
        let mut pieces = Pieces::new(known.map(|(block, _)| *block).zip(0..));
        if let Some(of) = &way.shared {
            pieces.remove(&of.but);
        }
        for kept in way.queues() {
            let but = kept.but.map(|but| self.in_blocks(but));
            let queues = self.in_blocks(kept.queues);
            pieces.add(&queues, but.as_deref().unwrap_or_default());
        }
        pieces
    }

    /// The node that holds a block of shared queues together, once there is one.
    fn shared_block(&self, way: &Way<'g>, side: Side, place: usize) -> Option<Spot> {
        let of = way.shared.as_ref()?;
        let class = self.shared.get(of.shared)?.of(side).classes.get(of.class)?;
        class.blocks.get(place)?.1
    }

    fn keep_shared_block(&mut self, way: &Way<'g>, side: Side, place: usize, node: Spot) {
        let block = way.shared.as_ref().and_then(|of| {
            let shared = self.shared.get_mut(of.shared)?.of_mut(side);
            shared.classes.get_mut(of.class)?.blocks.get_mut(place)
        });
        if let Some((_, known)) = block {
            *known = Some(node);
        }
    }

    fn in_blocks(&mut self, queues: &'g QueueSet) -> Rc<[Block]> {
        let address = std::ptr::from_ref(queues).addr();
        let known = self.in_blocks.entry(address);
        Rc::clone(known.or_insert_with(|| blocks(queues).into()))
    }

    /// The node that holds those queues of a block together that one set has of it: sets that differ in a few queues share all
    /// other blocks.
    fn block(&mut self, block: Block, side: Side) -> Spot {
        if let Some(known) = self.blocks.get(&(block, side)) {
            return *known;
        }
        let node = self.flow.add_node(Node::Several);
        for queue in block.queues() {
            self.connect_on(side, Self::queue(queue as usize), node);
        }
        self.blocks.insert((block, side), node);
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
        self.add_queues(&mut ways);
        let put = graph.channels.rights(process.principal);
        if !put.surely.is_empty() {
            let mut way = Way::new(Faring::without_queues(&Formula::Always));
            way.all_inlets = Some(&put.surely);
            add(&mut ways.sending, way);
        }
        for right in &put.others {
            let when = right.of(process.workload);
            if !when.is_never() && self.rests_on_what_was_read(when) {
                let mut way = Way::new(Faring::without_queues(when));
                way.inlets.push(&right.inlets);
                add(&mut ways.sending, way);
            }
        }
        if is_started {
            // What starts a process may begin in a queue over which it loops.
            for (loops, loops_surely) in [(false, false), (true, false), (true, true)] {
                ways.receiving.push(Way::new(Faring {
                    when: &Formula::Always,
                    loops,
                    loops_surely,
                    started: true,
                }));
            }
        }
        ways
    }

    /// Adds the ways over queues.
    fn add_queues(&mut self, ways: &mut Ways<'g>) {
        let access = self.graph.access;
        let Process {
            principal,
            workload,
        } = ways.process;
        let Some(shared) = access.shared_rights(principal) else {
            return;
        };
        // What any session has is sorted once for all who share it.
        if workload.is_none() {
            for rights in access.own_rights(principal) {
                self.add_rights(&rights, ways);
            }
            self.add_shared(shared, ways);
            return;
        }
        for rights in access.rights(principal) {
            self.add_rights(&rights, ways);
        }
    }

    /// Adds rights that are alike.
    fn add_rights(&mut self, rights: &Rights<'g>, ways: &mut Ways<'g>) {
        let sessions = rights.on_each();
        let session = match ways.process.workload {
            Some(place) => sessions.of_workload(place),
            None => match sessions.sessions().next() {
                Some(any) => any,
                None => return,
            },
        };
        for side in [Side::Before, Side::Behind] {
            let faring = Faring::of(session, side);
            if !self.rests_on_what_was_read(faring.when) {
                continue;
            }
            let (queues, but) = rights.shared_queues();
            let mut way = Way::new(faring);
            way.add_queues(Kept { queues, but });
            add(ways.of_mut(side), way);
        }
    }

    /// Drops the sorted ways of rights that no other principal has: nobody asks for them again.
    fn forget_ways(&mut self, index: usize) {
        let rights = self.graph.access.shared_rights(index);
        let only = rights.filter(|rights| !rights.with_others);
        let place = only.and_then(|rights| self.shared_places.remove(&rights.address()));
        // It was the last to ask, so that its ways are the last that were sorted.
        if place.is_some_and(|place| place + 1 == self.shared.len()) {
            self.shared.pop();
        }
    }

    /// Adds what any session of the principal shares with others.
    fn add_shared(&mut self, rights: SharedRights<'g>, ways: &mut Ways<'g>) {
        let address = rights.address();
        let place = if let Some(known) = self.shared_places.get(&address) {
            *known
        } else {
            let sorted = SharedWays::new(rights, |when| self.rests_on_what_was_read(when));
            self.shared.push(sorted);
            self.shared_places.insert(address, self.shared.len() - 1);
            self.shared.len() - 1
        };
        let Some(shared) = self.shared.get(place) else {
            return;
        };
        let but: Rc<[Block]> = blocks(rights.apart).into();
        for side in [Side::Before, Side::Behind] {
            let ways = ways.of_mut(side);
            shared.of(side).add_to(ways, rights.apart, (place, &but));
        }
    }
}
