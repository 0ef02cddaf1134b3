//! Answers that are found once and remembered, for all threads that ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;

/// Answers by what was asked. They are handed out as clones, so that what is large is best kept behind an `Arc`.
#[derive(Debug)]
pub(crate) struct Memo<K, V>(RwLock<HashMap<K, V, RandomState>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Hash + Eq, V: Clone> Memo<K, V> {
    /// The answer to this, found now if it is not known. Nothing is locked meanwhile: threads that ask the same at the same time may
    /// each find it, and all get what was found first.
    pub(crate) fn of(&self, key: K, find: impl FnOnce(&K) -> V) -> V {
        // Nothing is left half done in the map when a thread panics.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.get(&key) {
            return answer.clone();
        }
        drop(known);
        let answer = find(&key);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(key).or_insert(answer).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_answer_is_found_once() {
        let memo: Memo<&str, usize> = Memo::default();
        let found = Cell::new(0);
        let length = |text: &'static str| {
            memo.of(text, |text| {
                found.set(found.get() + 1);
                text.len()
            })
        };
        assert_eq!([length("one"), length("three"), length("one")], [3, 5, 3]);
        assert_eq!(found.get(), 2);
    }
}
