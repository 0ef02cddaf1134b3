//! Everyone who has a capability on one queue, each with the proof: the answer of `patscan who-can`.

use super::{Access, Capability, Proof, Provers};
use crate::entity::{Entity, Kind};
use crate::policy::Formula;

/// Somebody who has a capability on a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Holder {
    /// Who.
    pub entity: Entity,
    /// When; never `Never`.
    pub when: Formula,
    /// The functions and instances that run as it and can use the capability, sorted.
    pub workloads: Vec<Entity>,
    /// The statements that give it, and those that may take it away, each once.
    pub because: Vec<Proof>,
}

impl Access<'_> {
    /// Who has the capability on the queue, sorted: users and roles of the audited accounts, and whom the queue policy names
    /// besides. What only an unreadable policy could give is left out: a gap says that it is unknown.
    pub fn holders(&self, queue: usize, capability: Capability) -> Vec<Holder> {
        let provers = self.provers();
        let mut holders: Vec<Holder> = (0..self.principals.len())
            .filter_map(|principal| self.principal_holds(&provers, principal, queue, capability))
            .chain(self.outsiders_hold(queue, capability))
            .collect();
        holders.sort_by(|a, b| {
            let order =
                |holder: &Holder| (holder.entity.kind != Kind::Anyone, !holder.when.is_always());
            order(a)
                .cmp(&order(b))
                .then_with(|| a.entity.cmp(&b.entity))
        });
        holders
    }

    fn principal_holds(
        &self,
        provers: &Provers<'_>,
        index: usize,
        queue: usize,
        capability: Capability,
    ) -> Option<Holder> {
        let principal = self.principals.get(index)?;
        let rights = self.rights_on(index, queue)?;
        let when = rights.when(capability);
        if !when.rests_on_what_was_read() {
            return None;
        }
        let workloads = principal
            .workloads
            .iter()
            .enumerate()
            .filter(|(place, _)| {
                let when = rights.of_workload(*place).when(capability);
                when.rests_on_what_was_read()
            })
            .map(|(_, workload)| workload.clone())
            .collect();
        Some(Holder {
            entity: Entity::new(principal.kind, principal.arn.shared()),
            when: when.clone(),
            workloads,
            because: provers.of(index)?.prove(queue, capability).to_vec(),
        })
    }

    /// Whom the queue policy names besides. Everyone with credentials and everyone without are one "anyone".
    fn outsiders_hold(&self, queue: usize, capability: Capability) -> Vec<Holder> {
        let mut holders: Vec<Holder> = Vec::new();
        let outsiders = self
            .queues
            .get(queue)
            .map_or(&[][..], |audited| &audited.outsiders);
        for outsider in outsiders {
            let when = outsider.when(capability);
            if !when.rests_on_what_was_read() {
                continue;
            }
            let entity = outsider.who.entity();
            let because = outsider
                .proofs
                .iter()
                .filter(|proof| proof.capability == capability)
                .cloned();
            if let Some(known) = holders.iter_mut().find(|holder| holder.entity == entity) {
                known.when = known.when.clone().or(when.clone()).settled();
                let more: Vec<Proof> = because
                    .filter(|proof| !known.because.contains(proof))
                    .collect();
                known.because.extend(more);
            } else {
                holders.push(Holder {
                    entity,
                    when: when.clone(),
                    workloads: Vec::new(),
                    because: because.collect(),
                });
            }
        }
        holders
    }
}
