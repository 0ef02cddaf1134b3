//! Which queues a pattern reaches, answered for all queues at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use roaring::RoaringBitmap;

use crate::policy::Reach;

/// Queues by their index in [`super::Access::queues`].
pub type QueueSet = RoaringBitmap;

/// Whether two sets have the same members. `==` goes through large ones member by member; this takes 64 at a time.
pub(super) fn are_equal(one: &QueueSet, other: &QueueSet) -> bool {
    one.len() == other.len() && one.is_subset(other)
}

/// A text by which queues are sorted, with the number of its queue.
type Entry<'a> = (&'a str, u32);

/// The queues by ARN and by name, so that a pattern is compared only with those that begin as it does.
#[derive(Debug)]
pub(super) struct QueueIndex<'a> {
    /// By number.
    arns: Vec<&'a str>,
    by_arn: Vec<Entry<'a>>,
    /// None when some name holds a colon: then a pattern may divide the ARN in another way.
    by_name: Option<Vec<Entry<'a>>>,
    all: QueueSet,
    /// What patterns reach that were compared with many queues: policies repeat each other.
    known: Mutex<HashMap<Reach<'static>, Reached>>,
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
    pub(super) fn new(arns: Vec<&'a str>) -> Self {
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
        Self {
            all: numbered().map(|(_, number)| number).collect(),
            arns,
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

    fn among(&self, candidates: &[Entry<'a>], reach: &Reach<'_>) -> Reached {
        let mut reached = Reached::default();
        for (_, number) in candidates {
            let arn = self.arns.get(*number as usize).copied().unwrap_or_default();
            match reach.contains(arn) {
                Some(true) => reached.surely.insert(*number),
                Some(false) => false,
                None => reached.perhaps.insert(*number),
            };
        }
        reached
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
