//! Which queues have which tags, so that a condition on tags alone is decided for all queues at once.

use std::collections::{BTreeMap, HashMap};

use super::Access;
use super::context::AnyPrincipal;
use super::index::QueueSet;
use crate::parallel::few_in_parallel;
use crate::policy::{Clause, Formula};

/// Values of one tag for which conditions are decided one by one; a tag with more names things rather than groups them.
const MOST_VALUES: usize = 1000;

/// The queues by the tags that policies look at.
pub(super) struct TagIndex<'a> {
    /// For each key, in lower case, the queues that have the same under it, with the keys of requests to one of them. None
    /// where there are too many of them.
    by_key: HashMap<String, Option<Vec<(AnyPrincipal<'a>, QueueSet)>>>,
}

impl<'a> TagIndex<'a> {
    /// The queues of all accounts by the tags with these keys.
    pub(super) fn new(access: &'a Access<'_>, keys: impl IntoIterator<Item = String>) -> Self {
        let keys: Vec<String> = keys.into_iter().collect();
        let by_key = few_in_parallel(&keys, |key| {
            let groups = alike(access, key);
            (groups.len() <= MOST_VALUES).then_some(groups)
        });
        Self {
            by_key: keys.into_iter().zip(by_key).collect(),
        }
    }

    /// The queues on which a condition holds, when it compares one tag of the queue with values that are written out; none
    /// when it is about something else, or when it is open for some queue.
    pub(super) fn matching(&self, clause: &Clause) -> Option<QueueSet> {
        let key = clause.key_lower().strip_prefix("aws:resourcetag/")?;
        if clause.variables().next().is_some() {
            return None;
        }
        let mut matching = QueueSet::new();
        for (keys, queues) in self.by_key.get(key)?.as_ref()? {
            match clause.when(keys) {
                Formula::Always => matching |= queues,
                Formula::Never => {}
                _ => return None,
            }
        }
        Some(matching)
    }
}

/// The queues by what they have under one key: values may differ for keys that differ in letter case only.
fn alike<'a>(access: &'a Access<'_>, key: &str) -> Vec<(AnyPrincipal<'a>, QueueSet)> {
    let mut groups: BTreeMap<Option<Vec<&str>>, (AnyPrincipal<'a>, QueueSet)> = BTreeMap::new();
    for (audited, number) in access.queues.iter().zip(0..) {
        let values = audited.queue.tags.as_ref().map(|tags| {
            let of_key = tags.iter().filter(|tag| tag.key.to_lowercase() == key);
            of_key.map(|tag| tag.value.as_str()).collect()
        });
        let keys = AnyPrincipal {
            queue: audited.queue,
            now: access.scanned_at(audited.account),
        };
        let (_, queues) = groups
            .entry(values)
            .or_insert_with(|| (keys, QueueSet::new()));
        queues.insert(number);
    }
    groups.into_values().collect()
}
