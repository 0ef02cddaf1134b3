//! The ways in which messages come to a process and leave it: queues and inlets on which it fares alike are one way.
//!
//! What principals share is sorted into ways once for all of them ([`SharedWays`]); each of them only takes out the queues that
//! are its own matter.

use std::rc::Rc;

use roaring::MultiOps;

use super::adjacency::Spot;
use super::blocks::{Block, blocks};
use crate::access::{Capability, InletSet, QueueSet, SessionRights, SharedRights};
use crate::policy::Formula;

/// Queues as they are kept: a set, often one that many share, but for those of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'q> {
    pub(super) queues: &'q QueueSet,
    pub(super) but: Option<&'q QueueSet>,
}

/// On which side of a process queues stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    /// It receives from them.
    Before,
    /// It sends to them.
    Behind,
}

impl Side {
    pub(super) fn capability(self) -> Capability {
        match self {
            Self::Before => Capability::Receive,
            Self::Behind => Capability::Send,
        }
    }
}

/// How a process fares with what lies on a way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faring<'q> {
    pub(super) when: &'q Formula,
    /// Whether the process loops by itself over each of the queues: at all, and whatever the circumstances.
    pub(super) loops: bool,
    pub(super) loops_surely: bool,
    /// Whether AWS starts the process: then the way has neither queues nor inlets, and wires lead to it.
    pub(super) started: bool,
}

impl<'q> Faring<'q> {
    /// Where no queue is concerned.
    pub(super) fn without_queues(when: &'q Formula) -> Self {
        Self {
            when,
            loops: false,
            loops_surely: false,
            started: false,
        }
    }

    /// With the queues on one side of a session.
    pub(super) fn of(session: SessionRights<'q>, side: Side) -> Self {
        let both = session.both();
        Self {
            when: session.when(side.capability()),
            loops: both.is_some(),
            loops_surely: both.as_deref().is_some_and(Formula::is_always),
            started: false,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.started == other.started
            && self.loops == other.loops
            && self.loops_surely == other.loops_surely
            && (std::ptr::eq(self.when, other.when) || self.when == other.when)
    }
}

/// One way in which messages come to a process or leave it, on all of which it fares alike.
#[derive(Debug)]
pub(super) struct Way<'q> {
    pub(super) faring: Faring<'q>,
    /// Queues, of many ways one set: none but the others need a list.
    first: Option<Kept<'q>>,
    others: Vec<Kept<'q>>,
    /// Queues that are sorted once for many.
    pub(super) shared: Option<ClassOf>,
    pub(super) inlets: Vec<&'q InletSet>,
    /// Inlets that many principals share.
    pub(super) all_inlets: Option<&'q InletSet>,
}

impl<'q> Way<'q> {
    pub(super) fn new(faring: Faring<'q>) -> Self {
        Self {
            faring,
            first: None,
            others: Vec::new(),
            shared: None,
            inlets: Vec::new(),
            all_inlets: None,
        }
    }

    pub(super) fn has_queues(&self) -> bool {
        self.first.is_some() || self.shared.is_some()
    }

    /// The queues that are not sorted once for many.
    pub(super) fn queues(&self) -> impl Iterator<Item = Kept<'q>> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    /// The one set of queues that the way is, if it is one.
    pub(super) fn only_set(&self) -> Option<Kept<'q>> {
        self.first
            .filter(|_| self.others.is_empty() && self.shared.is_none())
    }

    pub(super) fn add_queues(&mut self, queues: Kept<'q>) {
        if self.first.is_none() {
            self.first = Some(queues);
        } else {
            self.others.push(queues);
        }
    }
}

/// A class of shared queues, but for those of its user that are its own matter.
#[derive(Debug, Clone)]
pub(super) struct ClassOf {
    /// The place of the [`SharedWays`].
    pub(super) shared: usize,
    /// The place of the class among those of its side.
    pub(super) class: usize,
    pub(super) but: Rc<[Block]>,
}

/// Ways that are compared with a new one; what differs by its words differs anyway.
const MOST_COMPARED: usize = 64;

/// Adds a way, to one that is known where both fare alike.
pub(super) fn add<'q>(ways: &mut Vec<Way<'q>>, way: Way<'q>) {
    let mut compared = ways.iter_mut().take(MOST_COMPARED);
    match compared.find(|known| known.faring.is_like(&way.faring)) {
        Some(known) => {
            for queues in way.queues() {
                known.add_queues(queues);
            }
            known.inlets.extend(way.inlets);
            known.all_inlets = known.all_inlets.or(way.all_inlets);
        }
        None => ways.push(way),
    }
}

/// Shared queues on which everyone fares alike.
#[derive(Debug)]
pub(super) struct Class<'q> {
    faring: Faring<'q>,
    /// How many groups there are, and the size of the smallest.
    groups: usize,
    smallest: u64,
    /// Of several groups all queues, block by block, each with the node that holds it together, once there is one.
    pub(super) blocks: Vec<(Block, Option<Spot>)>,
}

/// What principals share, sorted for each side.
#[derive(Debug, Default)]
pub(super) struct SharedWays<'q> {
    before: SharedSide<'q>,
    behind: SharedSide<'q>,
}

#[derive(Debug, Default)]
pub(super) struct SharedSide<'q> {
    pub(super) classes: Vec<Class<'q>>,
    /// The groups in their order, each with the place of its class.
    groups: Vec<(&'q QueueSet, usize)>,
}

/// Where the queues of a class go.
#[derive(Debug, Clone, Copy)]
enum Goes {
    /// To no way yet.
    Nowhere,
    /// To the way at this place, one group after the other.
    OneByOne(usize),
    /// To one way, all of them at once.
    Together,
}

impl<'q> SharedWays<'q> {
    /// Sorts what is shared; `counts` tells of a right whether it is one.
    pub(super) fn new(
        rights: SharedRights<'q>,
        mut counts: impl FnMut(&'q Formula) -> bool,
    ) -> Self {
        let mut ways = Self::default();
        for (queues, sessions) in rights.groups() {
            let Some(any) = sessions.sessions().next() else {
                continue;
            };
            for side in [Side::Before, Side::Behind] {
                let faring = Faring::of(any, side);
                if counts(faring.when) {
                    ways.of_mut(side).add(queues, faring);
                }
            }
        }
        ways.before.put_together();
        ways.behind.put_together();
        ways
    }

    pub(super) fn of(&self, side: Side) -> &SharedSide<'q> {
        match side {
            Side::Before => &self.before,
            Side::Behind => &self.behind,
        }
    }

    pub(super) fn of_mut(&mut self, side: Side) -> &mut SharedSide<'q> {
        match side {
            Side::Before => &mut self.before,
            Side::Behind => &mut self.behind,
        }
    }
}

impl<'q> SharedSide<'q> {
    fn add(&mut self, queues: &'q QueueSet, faring: Faring<'q>) {
        let mut classes = self.classes.iter();
        let place = classes
            .position(|class| class.faring.is_like(&faring))
            .unwrap_or_else(|| {
                self.classes.push(Class {
                    faring,
                    groups: 0,
                    smallest: u64::MAX,
                    blocks: Vec::new(),
                });
                self.classes.len() - 1
            });
        if let Some(class) = self.classes.get_mut(place) {
            class.groups += 1;
            class.smallest = class.smallest.min(queues.len());
        }
        self.groups.push((queues, place));
    }

    fn put_together(&mut self) {
        for (place, class) in self.classes.iter_mut().enumerate() {
            if class.groups > 1 {
                let of_class = self.groups.iter().filter(|(_, class)| *class == place);
                let all: QueueSet = of_class.map(|(queues, _)| *queues).union();
                let blocks = blocks(&all).into_iter();
                class.blocks = blocks.map(|block| (block, None)).collect();
            }
        }
    }

    /// Adds what is shared to the ways of one who shares it, as [`add`] would add it group by group. `apart` are the queues
    /// that are its own matter, `but` the same in blocks, `shared` is the place of these ways.
    pub(super) fn add_to(
        &self,
        ways: &mut Vec<Way<'q>>,
        apart: &'q QueueSet,
        (shared, but): (usize, &Rc<[Block]>),
    ) {
        let own = ways.len().min(MOST_COMPARED);
        let mut goes = vec![Goes::Nowhere; self.classes.len()];
        for (queues, place) in &self.groups {
            let (Some(class), Some(goes)) = (self.classes.get(*place), goes.get_mut(*place)) else {
                continue;
            };
            if matches!(goes, Goes::Together) {
                continue;
            }
            let is_touched = !queues.is_disjoint(apart);
            if is_touched && queues.len() <= apart.len() && queues.is_subset(apart) {
                continue;
            }
            let kept = Kept {
                queues,
                but: is_touched.then_some(apart),
            };
            if let Goes::OneByOne(way) = goes {
                if let Some(way) = ways.get_mut(*way) {
                    way.add_queues(kept);
                }
                continue;
            }
            // Classes differ from each other, so that only what was there before can be like one.
            let known = ways
                .iter()
                .take(own)
                .position(|known| known.faring.is_like(&class.faring));
            let way = known.unwrap_or_else(|| {
                ways.push(Way::new(class.faring));
                ways.len() - 1
            });
            let Some(known) = ways.get_mut(way) else {
                continue;
            };
            // A way that is not compared any more takes nothing in: the next group begins another.
            if way >= MOST_COMPARED {
                known.add_queues(kept);
            } else if class.groups > 1 && class.smallest > apart.len() {
                known.shared = Some(ClassOf {
                    shared,
                    class: *place,
                    but: Rc::clone(but),
                });
                *goes = Goes::Together;
            } else {
                known.add_queues(kept);
                *goes = Goes::OneByOne(way);
            }
        }
    }
}
