//! Lists that many findings have in common, made and held once: where a policy lets everybody use the same queues, each finding
//! names the same of them and the same statements.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::RandomState;

use crate::access::Proof;

/// Lists by what they are made from.
pub(super) struct Lists<K, T>(RwLock<HashMap<K, Arc<[T]>, RandomState>>);

impl<K, T> Default for Lists<K, T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Hash + Eq, T> Lists<K, T> {
    /// The list made from this, made now if it is the first time.
    pub(super) fn of(&self, key: K, make: impl FnOnce(&K) -> Vec<T>) -> Arc<[T]> {
        // Nothing is left half done in the map when a thread panics.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = known.get(&key) {
            return Arc::clone(list);
        }
        drop(known);
        let list = make(&key).into();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(key).or_insert(list))
    }
}

/// Proofs that are the same when they were found once, for all who share them.
#[derive(Debug, Clone)]
pub(super) struct Proved(pub(super) Arc<[Proof]>);

impl Proved {
    /// Whether anybody else may have them.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl PartialEq for Proved {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Proved {}

impl Hash for Proved {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ptr().hash(state);
    }
}
