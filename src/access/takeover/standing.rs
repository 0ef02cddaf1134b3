//! What principals hold and lack on queues, found once for all who stand alike: many share their rights.

use std::collections::HashMap;

use roaring::MultiOps;

use super::super::Access;
use super::super::action::Capability;
use super::super::index::QueueSet;
use super::super::rights::Rights;
use super::Numbers;
use crate::parallel::in_parallel;
use crate::policy::Formula;

/// For sending and receiving, queues.
pub(super) type ByMessage = [QueueSet; 2];

const MESSAGES: [Capability; 2] = [Capability::Send, Capability::Receive];

/// What those who stand alike hold, and what they lack.
#[derive(Debug, Default, PartialEq)]
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

impl Standings {
    pub(super) fn of(access: &Access<'_>) -> Self {
        // Principals whose rights are kept in one place stand alike without any look at them.
        let mut alike: HashMap<(usize, Option<usize>, Vec<u32>), usize> = HashMap::new();
        let mut firsts: Vec<usize> = Vec::new();
        let mut places: Vec<usize> = (0..access.principals.len())
            .map(|index| {
                let shared = access.shared_rights(index);
                let has_own = access.own_rights(index).next().is_some();
                let key = (
                    shared.map_or(0, |shared| shared.address()),
                    has_own.then_some(index),
                    shared.map_or_else(Vec::new, |shared| shared.apart.iter().collect()),
                );
                *alike.entry(key).or_insert_with(|| {
                    firsts.push(index);
                    firsts.len() - 1
                })
            })
            .collect();
        let every = access.every_queue();
        let standings = in_parallel(&firsts, |index| Standing::read(access, *index, &every));
        // Of those that were looked at some are equal nevertheless.
        let mut each: Vec<(Standing, Numbers)> = Vec::new();
        let mut by_size: HashMap<[u64; 6], Vec<usize>> = HashMap::new();
        let kept: Vec<usize> = standings
            .into_iter()
            .map(|standing| {
                let like = by_size.entry(standing.sizes()).or_default();
                let known = like.iter().copied().find(|place| {
                    each.get(*place)
                        .is_some_and(|(known, _)| *known == standing)
                });
                known.unwrap_or_else(|| {
                    each.push((standing, Numbers::new()));
                    like.push(each.len() - 1);
                    each.len() - 1
                })
            })
            .collect();
        for (number, place) in (0..).zip(&mut places) {
            *place = kept.get(*place).copied().unwrap_or(usize::MAX);
            if let Some((_, members)) = each.get_mut(*place) {
                members.insert(number);
            }
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

impl Standing {
    fn read(access: &Access<'_>, index: usize, every: &QueueSet) -> Self {
        let rights: Vec<Rights<'_>> = access.rights(index).collect();
        let queues = |counts: &dyn Fn(&Rights<'_>) -> bool| -> QueueSet {
            let counting = rights.iter().filter(|rights| counts(rights));
            counting.map(|rights| &*rights.queues).union()
        };
        // Whoever acts as a role need not have the session of what ran as it before.
        let of_any = |rights: &Rights<'_>, capability, is_meant: fn(&Formula) -> bool| {
            let any = rights.on_each().sessions().next();
            any.is_some_and(|session| is_meant(session.when(capability)))
        };
        Self {
            surely: MESSAGES
                .map(|capability| queues(&|rights| of_any(rights, capability, Formula::is_always))),
            perhaps: MESSAGES.map(|capability| {
                queues(&|rights| {
                    of_any(rights, capability, |when| {
                        !when.is_always() && when.rests_on_what_was_read()
                    })
                })
            }),
            lacking: MESSAGES.map(|capability| {
                every - queues(&|rights| !rights.on_each().when(capability).is_never())
            }),
        }
    }

    fn sizes(&self) -> [u64; 6] {
        let [a, b] = self.surely.each_ref().map(QueueSet::len);
        let [c, d] = self.perhaps.each_ref().map(QueueSet::len);
        let [e, f] = self.lacking.each_ref().map(QueueSet::len);
        [a, b, c, d, e, f]
    }
}
