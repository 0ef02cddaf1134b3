//! The statements behind an answer.

use std::sync::Arc;

use super::action::Capability;
use super::decide::{Candidates, Layer, Matched};
use super::principal::Principal;
use super::{Access, PrincipalSide};
use crate::policy::Effect;

/// A statement that takes part in giving a capability.
#[derive(Debug, Clone, PartialEq)]
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
    pub(super) fn new(capability: Capability, matched: &Matched<'_>) -> Self {
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
    principal: &'a Principal<'a>,
    sides: [Vec<PrincipalSide<'a>>; Capability::ALL.len()],
}

impl Access<'_> {
    /// What proves the rights of a principal; none when there is no such principal.
    pub fn prover(&self, principal: usize) -> Option<Prover<'_>> {
        let principal = self.principals.get(principal)?;
        Some(Prover {
            access: self,
            principal,
            sides: PrincipalSide::prepare(principal, self.tags_matter),
        })
    }
}

impl Prover<'_> {
    /// The statements that give the principal a capability on a queue: the Allow statements that match, and conditional
    /// Deny statements that may take it away. Each once, in the order of the layers.
    pub fn prove(&self, queue: usize, capability: Capability) -> Vec<Proof> {
        let Some(audited) = self.access.queues.get(queue) else {
            return Vec::new();
        };
        let mut proofs: Vec<Proof> = Vec::new();
        for side in self.sides.get(capability as usize).into_iter().flatten() {
            let resource = Candidates::of(&audited.policy, side.action);
            let mut matched = Vec::new();
            let when =
                self.access
                    .when(self.principal, side, audited, &resource, &mut |statement| {
                        matched.push(Proof::new(capability, &statement));
                    });
            if when.is_never() {
                continue;
            }
            for proof in matched {
                if !proofs.contains(&proof) {
                    proofs.push(proof);
                }
            }
        }
        proofs
    }
}
