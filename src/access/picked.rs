//! The queues on which principals have rights of some sort, worked out once for what many of them share.

use std::collections::HashMap;

use super::Access;
use super::index::QueueSet;
use super::rights::{SessionsOn, SharedRights};
use crate::parallel::in_parallel;

/// For each principal the queues on which it has rights that were picked.
pub(crate) struct Picked<'a, P> {
    access: &'a Access<'a>,
    is_meant: P,
    /// Those of everyone who shares rights, by the address of what is shared.
    shared: HashMap<usize, QueueSet>,
}

impl Access<'_> {
    /// Picks rights.
    pub(crate) fn picked<P: Fn(SessionsOn<'_>) -> bool + Sync>(
        &self,
        is_meant: P,
    ) -> Picked<'_, P> {
        let shared: HashMap<usize, SharedRights<'_>> = (0..self.principals.len())
            .filter_map(|principal| self.shared_rights(principal))
            .map(|shared| (shared.address(), shared))
            .collect();
        let shared: Vec<(usize, SharedRights<'_>)> = shared.into_iter().collect();
        let picked = in_parallel(&shared, |(address, shared)| {
            let mut queues = QueueSet::new();
            for (of_group, on_each) in shared.groups() {
                if is_meant(on_each) {
                    queues |= of_group;
                }
            }
            (*address, queues)
        });
        Picked {
            access: self,
            is_meant,
            shared: picked.into_iter().collect(),
        }
    }
}

impl<P: Fn(SessionsOn<'_>) -> bool> Picked<'_, P> {
    /// The queues on which the principal has such rights.
    pub(crate) fn of(&self, principal: usize) -> QueueSet {
        let shared = self.access.shared_rights(principal).and_then(|rights| {
            let queues = self.shared.get(&rights.address())?;
            Some(queues - rights.apart)
        });
        let mut queues = shared.unwrap_or_default();
        for rights in self.access.own_rights(principal) {
            if (self.is_meant)(rights.on_each()) {
                queues |= &*rights.queues;
            }
        }
        queues
    }
}
