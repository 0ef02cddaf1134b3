//! What principals hold and lack on queues, found once for all who stand alike: many share their rights.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::FixedState;
use roaring::MultiOps;

use super::super::Access;
use super::super::action::Capability;
use super::super::index::{QueueSet, are_equal};
use super::super::rights::{Rights, SessionsOn, SharedRights};
use super::Numbers;
use crate::parallel::in_parallel;
use crate::policy::Formula;

/// For sending and receiving, queues.
pub(super) type ByMessage = [QueueSet; 2];

/// The size of a set with its least and its greatest member.
type Outline = (u64, Option<u32>, Option<u32>);

const MESSAGES: [Capability; 2] = [Capability::Send, Capability::Receive];

/// What those who stand alike hold, and what they lack.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The queues on which the right holds whatever the circumstances.
    pub(super) surely: ByMessage,
    /// Those on which it hangs on conditions.
    pub(super) perhaps: ByMessage,
    /// Those on which there never is the right.
    pub(super) lacking: ByMessage,
}

/// How each principal stands.
#[derive(Debug)]
pub(super) struct Standings {
    /// For each principal its place among those that differ.
    places: Vec<usize>,
    /// Each standing once, with the principals that have it.
    each: Vec<(Standing, Numbers)>,
}

/// The standings that were found so far.
#[derive(Default)]
struct Known {
    each: Vec<Standing>,
    by_outline: HashMap<[[Outline; 2]; 3], Vec<usize>, FixedState>,
}

impl Known {
    /// The place of a standing, which is kept if it is a new one.
    fn place(&mut self, standing: Standing) -> usize {
        let like = self.by_outline.entry(standing.outline()).or_default();
        let mut known = like.iter().copied();
        let is_like = |place: &usize| {
            let known = self.each.get(*place);
            known.is_some_and(|known| known.is_like(&standing))
        };
        if let Some(place) = known.find(is_like) {
            return place;
        }
        like.push(self.each.len());
        self.each.push(standing);
        self.each.len() - 1
    }
}

impl Standings {
    pub(super) fn of(access: &Access<'_>) -> Self {
        let principals: Vec<usize> = (0..access.principals.len()).collect();
        // What many share is put together once, and each takes out what is its own matter.
        let shared: HashMap<usize, SharedRights<'_>, FixedState> = principals
            .iter()
            .filter_map(|index| access.shared_rights(*index))
            .map(|shared| (shared.address(), shared))
            .collect();
        let shared: Vec<(usize, SharedRights<'_>)> = shared.into_iter().collect();
        let shared = in_parallel(&shared, |(address, shared)| {
            (*address, Held::of(shared.groups()))
        });
        let shared: HashMap<usize, Held, FixedState> = shared.into_iter().collect();
        let every = access.every_queue();
        let standing = |index: &usize| {
            let own: Vec<Rights<'_>> = access.own_rights(*index).collect();
            let mut held = Held::of(own.iter().map(|own| (&*own.queues, own.on_each())));
            if let Some(rights) = access.shared_rights(*index)
                && let Some(shared) = shared.get(&rights.address())
            {
                held.add(shared, rights.apart);
            }
            held.standing(&every)
        };
        // Most are equal to one that is known, and are given up at once: all of them together would be far more than is kept.
        let known = Mutex::new(Known::default());
        let found = in_parallel(&principals, |index| {
            let standing = standing(index);
            // Nobody panics while holding the lock, and what is in it is whole in any case.
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.place(standing)
        });
        let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Places hang on which processor came first until they are numbered in the order of the principals.
        let mut standings: Vec<Option<Standing>> = known.each.into_iter().map(Some).collect();
        let mut numbered: Vec<Option<usize>> = vec![None; standings.len()];
        let mut each: Vec<(Standing, Numbers)> = Vec::new();
        let mut places = Vec::with_capacity(principals.len());
        for (number, found) in (0..).zip(found) {
            let standing = standings.get_mut(found).and_then(Option::take);
            if let (Some(standing), Some(numbered)) = (standing, numbered.get_mut(found)) {
                *numbered = Some(each.len());
                each.push((standing, Numbers::new()));
            }
            let place = numbered.get(found).copied().flatten().unwrap_or_default();
            if let Some((_, members)) = each.get_mut(place) {
                members.insert(number);
            }
            places.push(place);
        }
        Self { places, each }
    }

    /// How a principal stands.
    pub(super) fn get(&self, index: usize) -> Option<&Standing> {
        Some(&self.each.get(self.place(index)?)?.0)
    }

    /// The place of a principal's standing: equal for those who stand alike, and below [`Self::count`].
    pub(super) fn place(&self, index: usize) -> Option<usize> {
        self.places.get(index).copied()
    }

    /// How many differ.
    pub(super) fn count(&self) -> usize {
        self.each.len()
    }

    /// Each standing once, with the principals that have it.
    pub(super) fn each(&self) -> impl Iterator<Item = (&Standing, &Numbers)> {
        self.each
            .iter()
            .map(|(standing, members)| (standing, members))
    }
}

/// The queues on which somebody has rights.
#[derive(Debug, Default)]
struct Held {
    surely: ByMessage,
    perhaps: ByMessage,
    /// Those on which some session has the right, under whatever condition.
    ever: ByMessage,
}

impl Held {
    fn of<'r>(rights: impl Iterator<Item = (&'r QueueSet, SessionsOn<'r>)>) -> Self {
        let rights: Vec<(&QueueSet, SessionsOn<'_>)> = rights.collect();
        let queues = |counts: &dyn Fn(SessionsOn<'_>) -> bool| -> QueueSet {
            let counting = rights.iter().filter(|(_, sessions)| counts(*sessions));
            counting.map(|(queues, _)| *queues).union()
        };
        // Whoever acts as a role need not have the session of what ran as it before.
        let of_any = |sessions: SessionsOn<'_>, capability, is_meant: fn(&Formula) -> bool| {
            let any = sessions.sessions().next();
            any.is_some_and(|session| is_meant(session.when(capability)))
        };
        Self {
            surely: MESSAGES.map(|capability| {
                queues(&|sessions| of_any(sessions, capability, Formula::is_always))
            }),
            perhaps: MESSAGES.map(|capability| {
                queues(&|sessions| {
                    of_any(sessions, capability, |when| {
                        !when.is_always() && when.rests_on_what_was_read()
                    })
                })
            }),
            ever: MESSAGES
                .map(|capability| queues(&|sessions| !sessions.when(capability).is_never())),
        }
    }

    /// Adds what others hold as well, but for some queues.
    fn add(&mut self, others: &Self, but: &QueueSet) {
        let sets = [
            (&mut self.surely, &others.surely),
            (&mut self.perhaps, &others.perhaps),
            (&mut self.ever, &others.ever),
        ];
        for (own, others) in sets {
            for (own, others) in own.iter_mut().zip(others) {
                *own |= others - but;
            }
        }
    }

    fn standing(self, every: &QueueSet) -> Standing {
        Standing {
            surely: self.surely,
            perhaps: self.perhaps,
            lacking: self.ever.map(|ever| {
                let mut lacking = every - ever;
                // Who lacks nearly everything, as most do, lacks a few ranges; where there would be many, a set is quicker.
                if lacking.len() > every.len() - every.len() / 16 {
                    lacking.optimize();
                }
                lacking
            }),
        }
    }
}

impl Standing {
    fn sets(&self) -> impl Iterator<Item = &QueueSet> {
        [&self.surely, &self.perhaps, &self.lacking]
            .into_iter()
            .flatten()
    }

    fn is_like(&self, other: &Self) -> bool {
        self.sets()
            .zip(other.sets())
            .all(|(one, other)| are_equal(one, other))
    }

    /// How many queues each set holds, the first and the last: hardly any standings that differ are alike in this.
    fn outline(&self) -> [[Outline; 2]; 3] {
        [&self.surely, &self.perhaps, &self.lacking].map(|sets| {
            sets.each_ref()
                .map(|queues| (queues.len(), queues.min(), queues.max()))
        })
    }
}
