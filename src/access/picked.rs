//! The queues on which principals have rights of some sort, worked out once for what many of them share.

use std::collections::HashMap;
use std::sync::Arc;

use roaring::MultiOps;

use super::Access;
use super::index::{QueueSet, are_equal};
use super::rights::{SessionsOn, SharedRights};
use crate::parallel::in_parallel;

/// For each principal the queues on which it has rights that were picked.
pub(crate) struct Picked<'a, P> {
    access: &'a Access<'a>,
    is_meant: P,
    /// Those of everyone who shares rights, by the address of what is shared.
    shared: HashMap<usize, Arc<QueueSet>>,
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
            let groups = shared.groups();
            let meant = groups.filter(|(_, on_each)| is_meant(*on_each));
            let queues: QueueSet = meant.map(|(queues, _)| queues).union();
            (*address, Arc::new(queues))
        });
        Picked {
            access: self,
            is_meant,
            shared: picked.into_iter().collect(),
        }
    }
}

impl<P: Fn(SessionsOn<'_>) -> bool> Picked<'_, P> {
    /// The queues on which the principal has such rights; one set for all who share it.
    pub(crate) fn of(&self, principal: usize) -> Arc<QueueSet> {
        let mut own = QueueSet::new();
        for rights in self.access.own_rights(principal) {
            if (self.is_meant)(rights.on_each()) {
                own |= &*rights.queues;
            }
        }
        let shared = self.access.shared_rights(principal).and_then(|rights| {
            let queues = self.shared.get(&rights.address())?;
            Some((queues, rights.apart))
        });
        match shared {
            // Most fare on their own queues as the others do.
            Some((shared, apart)) if are_equal(&(&**shared & apart), &own) => Arc::clone(shared),
            Some((shared, apart)) => Arc::new((&**shared - apart) | own),
            None => Arc::new(own),
        }
    }
}
