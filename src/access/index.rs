//! Which queues a pattern reaches, answered for all queues at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::FixedState;
use roaring::{MultiOps, RoaringBitmap};

use crate::policy::{FieldReach, Letters, Reach};

/// Queues by their index in [`super::Access::queues`].
pub type QueueSet = RoaringBitmap;

/// Whether two sets have the same members. `==` goes through large ones member by member; this takes 64 at a time.
pub(super) fn are_equal(one: &QueueSet, other: &QueueSet) -> bool {
    one.len() == other.len() && one.is_subset(other)
}

/// What sets hold together, of which many are one and the same.
pub(crate) fn held_together<'s>(sets: impl IntoIterator<Item = &'s Arc<QueueSet>>) -> QueueSet {
    let mut seen = HashSet::new();
    let sets = sets.into_iter();
    sets.filter(|set| seen.insert(Arc::as_ptr(set)))
        .map(|set| &**set)
        .union()
}

/// A text by which queues are sorted, with the number of its queue.
type Entry<'a> = (&'a str, u32);

/// The queues by ARN and by name, so that a pattern is compared only with those that begin as it does.
#[derive(Debug)]
pub(super) struct QueueIndex<'a> {
    /// By number.
    queues: Vec<Named<'a>>,
    /// The first five fields of ARNs, each once.
    heads: Vec<&'a str>,
    by_arn: Vec<Entry<'a>>,
    /// None when some name holds a colon: then a pattern may divide the ARN in another way.
    by_name: Option<Vec<Entry<'a>>>,
    all: QueueSet,
    /// What patterns reach that were compared with many queues: policies repeat each other.
    known: Mutex<HashMap<Reach<'static>, Reached>>,
}

/// The ARN of a queue, whole and in two.
#[derive(Debug, Clone, Copy)]
struct Named<'a> {
    arn: &'a str,
    /// The place of its first five fields.
    head: usize,
    name: &'a str,
    /// What stands in the name.
    letters: Letters,
}

/// Queues that a pattern is compared with rather than looked up.
const FEW: usize = 64;
/// Patterns that are remembered, at most.
const MOST_KNOWN: usize = 2048;

/// The queues that a pattern reaches.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reached {
    pub(super) surely: QueueSet,
    /// Where it is open whether they are reached.
    pub(super) perhaps: QueueSet,
}

impl<'a> QueueIndex<'a> {
    /// An index over the ARNs of queues, in the order of their numbers.
    pub(super) fn new(arns: &[&'a str]) -> Self {
        let numbered = || arns.iter().copied().zip(0..);
        let mut by_arn: Vec<Entry<'a>> = numbered().collect();
        by_arn.sort_unstable();
        let mut by_name: Option<Vec<Entry<'a>>> = numbered()
            .map(|(arn, number)| {
                let name = arn.splitn(6, ':').nth(5)?;
                (!name.contains(':')).then_some((name, number))
            })
            .collect();
        if let Some(by_name) = &mut by_name {
            by_name.sort_unstable();
        }
        let mut heads = Vec::new();
        let mut places: HashMap<&str, usize, FixedState> = HashMap::default();
        let queues = arns.iter().map(|arn| {
            let colon = arn.match_indices(':').nth(4);
            let (head, name) = colon
                .and_then(|(at, _)| Some((arn.get(..at)?, arn.get(at + 1..)?)))
                .unwrap_or((arn, ""));
            let head = *places.entry(head).or_insert_with(|| {
                heads.push(head);
                heads.len() - 1
            });
            Named {
                arn,
                head,
                name,
                letters: Letters::of(name),
            }
        });
        Self {
            all: numbered().map(|(_, number)| number).collect(),
            queues: queues.collect(),
            heads,
            by_arn,
            by_name,
            known: Mutex::default(),
        }
    }

    /// Every queue.
    pub(super) fn all(&self) -> &QueueSet {
        &self.all
    }

    /// The queues that are reached.
    pub(super) fn reached(&self, reach: &Reach<'_>) -> Reached {
        if reach.is_everything() {
            return Reached {
                surely: self.all.clone(),
                perhaps: QueueSet::new(),
            };
        }
        let candidates = self.candidates(reach);
        if candidates.len() <= FEW {
            return self.among(candidates, reach);
        }
        let key = reach.clone().into_owned();
        // Nobody panics while holding the lock, and what is in the map is whole in any case.
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reached) = known().get(&key) {
            return reached.clone();
        }
        let reached = self.among(candidates, reach);
        let mut known = known();
        if known.len() < MOST_KNOWN {
            known.insert(key, reached.clone());
        }
        reached
    }

    /// Whether any queue is reached, surely or perhaps.
    pub(super) fn reaches_any(&self, reach: &Reach<'_>) -> bool {
        let candidates = self.candidates(reach).iter();
        let mut queues = candidates.filter_map(|(_, number)| self.queues.get(*number as usize));
        queues.any(|queue| reach.contains(queue.arn) != Some(false))
    }

    fn among(&self, candidates: &[Entry<'a>], reach: &Reach<'_>) -> Reached {
        let names_have_no_colon = self.by_name.is_some();
        let by_field = names_have_no_colon.then(|| reach.by_field()).flatten();
        if let Some(by_field) = by_field.filter(|_| self.heads.len() < candidates.len()) {
            return self.by_field(candidates, by_field);
        }
        let mut reached = Reached::default();
        for (_, number) in candidates {
            let queue = self.queues.get(*number as usize);
            match queue.map_or(Some(false), |queue| reach.contains(queue.arn)) {
                Some(true) => reached.surely.insert(*number),
                Some(false) => false,
                None => reached.perhaps.insert(*number),
            };
        }
        reached
    }

    fn by_field(&self, candidates: &[Entry<'a>], reach: FieldReach<'_>) -> Reached {
        let heads: Vec<bool> = self.heads.iter().map(|head| reach.has_head(head)).collect();
        let letters = reach.letters();
        let is_reached = |number: &u32| {
            let queue = self.queues.get(*number as usize);
            queue.is_some_and(|queue| {
                queue.letters.contain(letters)
                    && heads.get(queue.head).copied().unwrap_or_default()
                    && reach.has_name(queue.name)
            })
        };
        let numbers = candidates.iter().map(|(_, number)| *number);
        let mut numbers: Vec<u32> = numbers.filter(is_reached).collect();
        numbers.sort_unstable();
        let (mut surely, mut perhaps) = (numbers.into_iter().collect(), QueueSet::new());
        if reach.is_open() {
            std::mem::swap(&mut surely, &mut perhaps);
        }
        Reached { surely, perhaps }
    }

    /// The fewest queues that are sure to hold every one that is reached.
    fn candidates(&self, reach: &Reach<'_>) -> &[Entry<'a>] {
        let by_arn = beginning(&self.by_arn, &reach.prefix());
        let by_name = self
            .by_name
            .as_deref()
            .map(|names| beginning(names, &reach.name_prefix()));
        match by_name {
            Some(by_name) if by_name.len() < by_arn.len() => by_name,
            _ => by_arn,
        }
    }
}

/// The entries whose text begins with `prefix`.
fn beginning<'s, 'a>(sorted: &'s [Entry<'a>], prefix: &str) -> &'s [Entry<'a>] {
    let from = sorted.partition_point(|(text, _)| *text < prefix);
    let rest = sorted.get(from..).unwrap_or_default();
    let length = rest.partition_point(|(text, _)| text.starts_with(prefix));
    rest.get(..length).unwrap_or_default()
}
