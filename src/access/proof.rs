//! The statements behind an answer.

use std::collections::HashSet;
use std::sync::Arc;

use super::Access;
use super::action::Capability;
use super::asker::{Asker, Comer};
use super::context::Caller;
use super::decide::{Layer, Matched};
use super::principal::Principal;
use super::sides::{QueueSide, RequesterSide};
use crate::policy::Effect;

/// A statement that takes part in giving a capability.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proof {
    /// The capability.
    pub capability: Capability,
    /// The layer of the statement.
    pub layer: Layer,
    /// The policy's name.
    pub policy: Arc<str>,
    /// The statement's `Sid` or `#index`.
    pub statement: Arc<str>,
    /// Allow, or a Deny that may take it away.
    pub effect: Effect,
}

impl Proof {
    fn new(capability: Capability, matched: &Matched<'_>) -> Self {
        Self {
            capability,
            layer: matched.layer,
            policy: Arc::clone(&matched.policy.name),
            statement: Arc::clone(&matched.statement.label),
            effect: matched.statement.effect,
        }
    }
}

/// Proves what one principal may do, queue by queue.
pub struct Prover<'a> {
    access: &'a Access<'a>,
    asker: &'a Asker<'a>,
    /// The index of the principal.
    index: usize,
    principal: &'a Principal<'a>,
    side: RequesterSide<'a>,
}

/// Proves what principals may do, one after the other.
pub struct Provers<'a> {
    access: &'a Access<'a>,
    asker: Asker<'a>,
}

impl Access<'_> {
    /// What proves rights.
    pub fn provers(&self) -> Provers<'_> {
        Provers {
            access: self,
            asker: Asker::new(self),
        }
    }
}

impl Provers<'_> {
    /// What proves the rights of a principal; none when there is no such principal.
    pub fn of(&self, index: usize) -> Option<Prover<'_>> {
        let access = self.access;
        let principal = access.principals.get(index)?;
        Some(Prover {
            access,
            asker: &self.asker,
            index,
            principal,
            side: RequesterSide::of(principal, &principal.policies.iter(), access.tags_matter),
        })
    }
}

impl Prover<'_> {
    /// The statements that give the principal a capability on a queue: the Allow statements that match, and conditional
    /// Deny statements that may take it away. Each once, in the order of the layers. Where one workload has the capability
    /// more surely than other sessions, those of its session.
    pub fn prove(&self, queue: usize, capability: Capability) -> Vec<Proof> {
        let session = self
            .access
            .rights_on(self.index, queue)
            .and_then(|rights| rights.surest(capability).workload);
        self.prove_as(session, queue, capability)
    }

    /// The same for the session of one workload, by its place among the principal's; for any session when it is none.
    pub fn prove_as(
        &self,
        workload: Option<usize>,
        queue: usize,
        capability: Capability,
    ) -> Vec<Proof> {
        let Some(audited) = self.access.queues.get(queue) else {
            return Vec::new();
        };
        let queue_side = QueueSide::of(audited, self.access.tags_matter);
        let workload = workload.and_then(|place| self.principal.workloads.get(place));
        let (requester, callers) = match workload {
            Some(workload) => (
                self.principal.requester_as(workload),
                vec![Caller::Workload {
                    role: self.principal,
                    workload,
                }],
            ),
            None => (
                self.principal.requester.clone(),
                self.access
                    .callers(self.principal, &self.principal.policies),
            ),
        };
        let mut matched = Vec::new();
        for caller in callers {
            let comer = Comer {
                requester: &requester,
                caller,
                account: Some(self.principal.account),
            };
            let mut of_caller = Vec::new();
            let when = self.asker.when(
                comer,
                &self.side,
                audited,
                &queue_side,
                capability,
                Some(&mut of_caller),
            );
            if !when.is_never() {
                matched.extend(of_caller);
            }
        }
        proofs(capability, &matched)
    }
}

/// What matched as proofs, each once.
pub(super) fn proofs(capability: Capability, matched: &[Matched<'_>]) -> Vec<Proof> {
    let mut seen = HashSet::with_capacity(matched.len());
    matched
        .iter()
        .map(|statement| Proof::new(capability, statement))
        .filter(|proof| seen.insert(proof.clone()))
        .collect()
}
