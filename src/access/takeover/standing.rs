//! What principals hold on queues, found once for all who stand alike: many share their rights. What somebody lacks is nearly
//! everything, mostly, and asked of a few: it is found when it is asked for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::FixedState;
use roaring::MultiOps;

use super::super::Access;
use super::super::action::Capability;
use super::super::index::QueueSet;
use super::super::rights::{Rights, SessionsOn, SharedRights};
use super::Numbers;
use crate::parallel::in_parallel;
use crate::policy::Formula;

/// For sending and receiving, queues.
pub(super) type ByMessage = [QueueSet; 2];

const MESSAGES: [Capability; 2] = [Capability::Send, Capability::Receive];

/// What those who stand alike hold.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The queues on which the right holds whatever the circumstances.
    pub(super) surely: ByMessage,
    /// Those on which it hangs on conditions.
    pub(super) perhaps: ByMessage,
}

/// How each principal stands.
#[derive(Debug)]
pub(super) struct Standings {
    /// For each principal its place among those that differ.
    places: Vec<usize>,
    /// Each standing once, with the principals that have it.
    each: Vec<(Standing, Numbers)>,
    /// What principals share with others, by its address.
    shared: HashMap<usize, Held, FixedState>,
}

/// What tells from all others what somebody holds who shares rights: whose, and in what it differs from them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Difference {
    /// The address of what is shared; 0 when nothing is.
    shared: usize,
    /// For each set the queues that the principal has more, and those that it does not have, each after their number.
    changes: Vec<u32>,
}

impl Difference {
    fn new(shared: Option<Shared<'_>>) -> Self {
        Self {
            shared: shared.map_or(0, |shared| shared.address),
            changes: Vec::new(),
        }
    }

    fn add(&mut self, own: &ByMessage, shared: Option<(&ByMessage, &QueueSet)>) {
        let nothing = QueueSet::new();
        for (place, own) in own.iter().enumerate() {
            let of_shared = shared.and_then(|(sets, apart)| Some((sets.get(place)?, apart)));
            let (shared, apart) = of_shared.unwrap_or((&nothing, &nothing));
            for changed in [own - shared, (shared & apart) - own] {
                self.changes
                    .push(u32::try_from(changed.len()).unwrap_or(u32::MAX));
                self.changes.extend(changed);
            }
        }
    }
}

/// The standings that were found so far.
#[derive(Default)]
struct Known {
    each: Vec<Standing>,
    places: HashMap<Difference, usize, FixedState>,
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
        // Most are equal to one that is known, which is told without putting them together.
        let known = Mutex::new(Known::default());
        // Nobody panics while holding the lock, and what is in it is whole in any case.
        let known_now = || known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = in_parallel(&principals, |index| {
            let [surely, perhaps] = own_of(access, *index, |own| [surely(own), perhaps(own)]);
            let of_shared = shared_of(access, *index, &shared);
            let mut difference = Difference::new(of_shared);
            difference.add(&surely, of_shared.map(|of| (&of.held.surely, of.apart)));
            difference.add(&perhaps, of_shared.map(|of| (&of.held.perhaps, of.apart)));
            if let Some(place) = known_now().places.get(&difference) {
                return *place;
            }
            let standing = match of_shared {
                Some(of) => Standing {
                    surely: with(surely, &of.held.surely, of.apart),
                    perhaps: with(perhaps, &of.held.perhaps, of.apart),
                },
                None => Standing { surely, perhaps },
            };
            let Known { each, places } = &mut *known_now();
            *places.entry(difference).or_insert_with(|| {
                each.push(standing);
                each.len() - 1
            })
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
        Self {
            places,
            each,
            shared,
        }
    }

    /// What a principal itself ever has the right on, and what tells from all others what it lacks.
    pub(super) fn ever_own(&self, access: &Access<'_>, index: usize) -> (ByMessage, Difference) {
        let of_shared = shared_of(access, index, &self.shared);
        let mut difference = Difference::new(of_shared);
        let own = own_of(access, index, ever);
        difference.add(&own, of_shared.map(|of| (&of.held.ever, of.apart)));
        (own, difference)
    }

    /// For sending and receiving the queues on which a principal never has the right, which it ever has itself on `own`.
    pub(super) fn lacking(
        &self,
        access: &Access<'_>,
        index: usize,
        own: ByMessage,
        every: &QueueSet,
    ) -> ByMessage {
        let ever = match shared_of(access, index, &self.shared) {
            Some(of) => with(own, &of.held.ever, of.apart),
            None => own,
        };
        ever.map(|ever| {
            let mut lacking = every - ever;
            // Who lacks nearly everything, as most do, lacks a few ranges; where there would be many, a set is quicker.
            if lacking.len() > every.len() - every.len() / 16 {
                lacking.optimize();
            }
            lacking
        })
    }

    /// How a principal stands.
    pub(super) fn get(&self, index: usize) -> Option<&Standing> {
        let place = self.places.get(index)?;
        Some(&self.each.get(*place)?.0)
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

/// Rights that are alike, on these queues.
type OnQueues<'r> = (&'r QueueSet, SessionsOn<'r>);

/// What the own rights of a principal come to.
fn own_of<T>(access: &Access<'_>, index: usize, sum: impl Fn(&[OnQueues<'_>]) -> T) -> T {
    let own: Vec<Rights<'_>> = access.own_rights(index).collect();
    let own: Vec<OnQueues<'_>> = own
        .iter()
        .map(|own| (&*own.queues, own.on_each()))
        .collect();
    sum(&own)
}

/// What a principal shares with others.
#[derive(Clone, Copy)]
struct Shared<'s> {
    address: usize,
    held: &'s Held,
    /// The queues on which the principal does not share it.
    apart: &'s QueueSet,
}

fn shared_of<'s>(
    access: &'s Access<'_>,
    index: usize,
    shared: &'s HashMap<usize, Held, FixedState>,
) -> Option<Shared<'s>> {
    let rights = access.shared_rights(index)?;
    let address = rights.address();
    Some(Shared {
        address,
        held: shared.get(&address)?,
        apart: rights.apart,
    })
}

/// What is held together with what others hold as well, but for some queues.
fn with(mut held: ByMessage, others: &ByMessage, but: &QueueSet) -> ByMessage {
    for (held, others) in held.iter_mut().zip(others) {
        *held |= others - but;
    }
    held
}

/// The queues on which the right holds whatever the circumstances.
fn surely(rights: &[OnQueues<'_>]) -> ByMessage {
    MESSAGES.map(|capability| {
        queues(rights, |sessions| {
            of_any(sessions, capability, Formula::is_always)
        })
    })
}

/// Those on which it hangs on conditions.
fn perhaps(rights: &[OnQueues<'_>]) -> ByMessage {
    MESSAGES.map(|capability| {
        queues(rights, |sessions| {
            of_any(sessions, capability, |when| {
                !when.is_always() && when.rests_on_what_was_read()
            })
        })
    })
}

/// Those on which some session has the right, under whatever condition.
fn ever(rights: &[OnQueues<'_>]) -> ByMessage {
    MESSAGES.map(|capability| queues(rights, |sessions| !sessions.when(capability).is_never()))
}

fn queues(rights: &[OnQueues<'_>], counts: impl Fn(SessionsOn<'_>) -> bool) -> QueueSet {
    let counting = rights.iter().filter(|(_, sessions)| counts(*sessions));
    counting.map(|(queues, _)| *queues).union()
}

/// Whoever acts as a role need not have the session of what ran as it before.
fn of_any(
    sessions: SessionsOn<'_>,
    capability: Capability,
    is_meant: impl Fn(&Formula) -> bool,
) -> bool {
    let any = sessions.sessions().next();
    any.is_some_and(|session| is_meant(session.when(capability)))
}

impl Held {
    fn of<'r>(rights: impl Iterator<Item = OnQueues<'r>>) -> Self {
        let rights: Vec<OnQueues<'_>> = rights.collect();
        Self {
            surely: surely(&rights),
            perhaps: perhaps(&rights),
            ever: ever(&rights),
        }
    }
}
