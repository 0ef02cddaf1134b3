//! What stands before the messages of a queue besides policies about queues: its key, and the keys of queues whose messages
//! come there. It is decided by itself, once for all queues that are guarded alike.

use std::collections::{BTreeMap, HashMap};

use super::Access;
use super::index::QueueSet;
use super::key::Lock;
use crate::policy::Formula;

/// Queues by what guards their messages.
#[derive(Debug)]
pub(super) struct Guards {
    /// The queues with anything to pass.
    pub(super) guarded: QueueSet,
    /// For each queue a number that is equal for queues that are guarded alike.
    classes: Vec<u32>,
    /// For each such number the first of its queues.
    models: Vec<u32>,
}

/// What two queues have in common that are guarded alike.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Guard<'a> {
    region: &'a str,
    account: &'a str,
    lock: Lock,
    sent_to: &'a [usize],
    /// The queue itself, where some policy tells messages under one key apart by their queue.
    only: Option<usize>,
}

impl Guards {
    pub(super) fn new(access: &Access<'_>) -> Self {
        let mut guarded = QueueSet::new();
        let mut classes = Vec::with_capacity(access.queues.len());
        let mut models = Vec::new();
        let mut numbers: BTreeMap<Guard<'_>, u32> = BTreeMap::new();
        for ((index, audited), number) in access.queues.iter().enumerate().zip(0..) {
            let mut sources = audited
                .sent_to
                .iter()
                .filter_map(|source| access.queues.get(*source));
            let from_elsewhere = sources.any(|source| source.lock != Lock::Open);
            let is_guarded = audited.lock != Lock::Open || from_elsewhere;
            if is_guarded {
                guarded.insert(number);
            }
            let guard = Guard {
                region: audited.queue.arn.region(),
                account: audited.queue.arn.account(),
                lock: audited.lock,
                sent_to: if from_elsewhere {
                    &audited.sent_to
                } else {
                    &[]
                },
                only: (is_guarded && access.contexts_matter).then_some(index),
            };
            let next = u32::try_from(models.len()).unwrap_or(u32::MAX);
            classes.push(*numbers.entry(guard).or_insert_with(|| {
                models.push(number);
                next
            }));
        }
        Self {
            guarded,
            classes,
            models,
        }
    }

    /// One queue of each class of these queues that has anything to pass.
    pub(super) fn models_of(&self, queues: &QueueSet) -> QueueSet {
        (queues & &self.guarded)
            .iter()
            .filter_map(|queue| self.models.get(self.class(queue)? as usize).copied())
            .collect()
    }

    fn class(&self, queue: u32) -> Option<u32> {
        self.classes.get(queue as usize).copied()
    }
}

/// When keys let somebody who comes in one way put messages in, and read them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Passage {
    pub(super) send: Formula,
    pub(super) receive: Formula,
}

/// For each way in which a principal can come, whether keys let it pass.
pub(super) type Passages = Vec<Passage>;

/// The passages of one principal at every queue that it was asked about; equal ones are kept once.
#[derive(Debug, Default)]
pub(super) struct PassagesByClass {
    of_class: HashMap<u32, usize>,
    distinct: Vec<Passages>,
}

impl PassagesByClass {
    /// Notes what holds at one queue, and at all that are guarded like it. With `alone` it is not taken for one with what
    /// holds at others, even where the words are the same.
    pub(super) fn add(&mut self, guards: &Guards, queue: u32, passages: Passages, alone: bool) {
        let Some(class) = guards.class(queue) else {
            return;
        };
        let known = self.distinct.iter().position(|known| *known == passages);
        let place = known.filter(|_| !alone).unwrap_or_else(|| {
            self.distinct.push(passages);
            self.distinct.len() - 1
        });
        self.of_class.insert(class, place);
    }

    /// The queues, all guarded, by the passages that hold there.
    pub(super) fn divide(&self, guards: &Guards, queues: &QueueSet) -> Vec<(QueueSet, &Passages)> {
        let mut sets: BTreeMap<usize, QueueSet> = BTreeMap::new();
        for queue in queues {
            let class = guards.class(queue);
            if let Some(place) = class.and_then(|class| self.of_class.get(&class)) {
                sets.entry(*place).or_default().insert(queue);
            }
        }
        sets.into_iter()
            .filter_map(|(place, set)| Some((set, self.distinct.get(place)?)))
            .collect()
    }
}
