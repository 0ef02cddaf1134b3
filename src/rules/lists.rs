//! Lists that many findings have in common, made and held once: where a policy lets everybody use the same queues, each finding
//! names the same of them and the same statements.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::access::Proof;
use crate::memo::Memo;

/// Lists by what they are made from.
pub(super) type Lists<K, T> = Memo<K, Arc<[T]>>;

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
