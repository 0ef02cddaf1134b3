//! What a principal lacks on queues of its account and could give itself by writing their policies (F.2: X1), and what proves it.
//!
//! Found beside its rights, for queues on which it fares alike, from what they rest on before keys are asked: whom only a key
//! keeps from messages has the right already. Only `sqs:SetQueueAttributes` is sure to help. `AddPermission` names accounts,
//! which gives nobody in the own account anything (B.3), and removing a statement helps only where the others happen to allow.

use std::borrow::Cow;
use std::sync::Arc;

use super::Access;
use super::action::Capability;
use super::asker::{Asker, Comer, WRITE_POLICY};
use super::assume::StepProof;
use super::candidates::Candidates;
use super::decide::Layer;
use super::documents::address;
use super::index::QueueSet;
use super::principal::Principal;
use super::sides::Own;
use crate::memo::Memo;
use crate::policy::Formula;

/// The rights that a loop is made of, in the order of [`Grant::gains`].
pub(super) const MESSAGES: [Capability; 2] = [Capability::Send, Capability::Receive];

/// What a principal could give itself on some queues.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grant {
    pub(super) queues: QueueSet,
    /// For each of [`MESSAGES`] when it could have it; never where it has it already, or could not use it.
    pub(super) gains: [Formula; MESSAGES.len()],
}

/// Grants under construction: those that say the same become one.
#[derive(Debug, Default)]
pub(super) struct Grants(Vec<Grant>);

/// Grants that are compared with a new one. Most are plain; what differs by its words differs anyway.
const MOST_COMPARED: usize = 64;

impl Grants {
    pub(super) fn into_vec(self) -> Vec<Grant> {
        self.0
    }
}

impl Extend<Grant> for Grants {
    fn extend<I: IntoIterator<Item = Grant>>(&mut self, grants: I) {
        for grant in grants {
            let mut compared = self.0.iter_mut().take(MOST_COMPARED);
            match compared.find(|known| known.gains == grant.gains) {
                Some(known) => known.queues |= grant.queues,
                None => self.0.push(grant),
            }
        }
    }
}

/// What a principal lacks and could give itself in the policies of some queues, the same on all of them.
#[derive(Debug, Clone)]
pub struct QueueGrant<'a> {
    /// The queues.
    pub queues: Cow<'a, QueueSet>,
    pub(super) grant: &'a Grant,
    /// Tells apart what principals share: those with the same number write these policies by the same documents.
    pub(super) shared: Option<usize>,
}

impl QueueGrant<'_> {
    /// When it could have sending or receiving; never where it has that already, or could not use it.
    pub fn when(&self, capability: Capability) -> &Formula {
        let mut gains = MESSAGES.iter().zip(&self.grant.gains);
        gains
            .find(|(known, _)| **known == capability)
            .map_or(&Formula::Never, |(_, when)| when)
    }

    /// When it could have the surer of both.
    pub fn surest(&self) -> &Formula {
        let [send, receive] = &self.grant.gains;
        if receive.is_always() || send.is_never() {
            receive
        } else {
            send
        }
    }
}

/// Proves that principals may write the policies of queues.
pub struct WritingProver<'a> {
    access: &'a Access<'a>,
    asker: Asker<'a>,
    /// What was found for those who share their documents, by what tells apart what they share, and queue.
    shared: Memo<(usize, usize), SharedProofs>,
}

/// Proofs, each with the address of the principal's document that it comes from: others may carry it by another name.
type SharedProofs = Arc<Vec<(StepProof, Option<usize>)>>;

impl Access<'_> {
    /// What proves that principals may write the policies of queues.
    pub fn writing_prover(&self) -> WritingProver<'_> {
        WritingProver {
            access: self,
            asker: Asker::new(self),
            shared: Memo::default(),
        }
    }
}

impl WritingProver<'_> {
    /// The statements by which a principal may write the policy of a queue of the grant.
    pub fn prove(&self, index: usize, grant: &QueueGrant<'_>, queue: usize) -> Vec<StepProof> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        let Some(shared) = grant.shared else {
            let proofs = self.statements_for_writing(principal, queue).into_iter();
            return StepProof::once_each(proofs.map(|(proof, _)| proof).collect());
        };
        let known = self.shared.of((shared, queue), |_| {
            Arc::new(self.statements_for_writing(principal, queue))
        });
        StepProof::once_each(
            known
                .iter()
                .flat_map(|known| renamed(known, principal))
                .collect(),
        )
    }

    fn statements_for_writing(
        &self,
        principal: &Principal<'_>,
        queue: usize,
    ) -> Vec<(StepProof, Option<usize>)> {
        let Some(audited) = self.access.queues.get(queue) else {
            return Vec::new();
        };
        let own = Own::of(principal, &principal.policies, WRITE_POLICY.2);
        let policy = Candidates::of(&audited.policy, WRITE_POLICY.2);
        let mut proofs = Vec::new();
        for caller in self.access.callers(principal, &principal.policies) {
            let comer = Comer {
                requester: &principal.requester,
                caller,
                account: Some(principal.account),
            };
            let matched = self
                .asker
                .prove_writing_policy(comer, &own, audited, &policy);
            proofs.extend(matched.iter().map(|matched| {
                let is_own = matches!(matched.layer, Layer::Identity | Layer::Boundary);
                let document = is_own.then(|| address(&matched.policy.document));
                (StepProof::of(matched), document)
            }));
        }
        proofs
    }
}

/// The proof as it is for a principal with the same documents, whatever their names.
fn renamed(
    (proof, document): &(StepProof, Option<usize>),
    principal: &Principal<'_>,
) -> Vec<StepProof> {
    let Some(document) = document else {
        return vec![proof.clone()];
    };
    let policies = match proof.layer {
        Layer::Boundary => principal.boundary.as_slice(),
        _ => &principal.policies,
    };
    policies
        .iter()
        .filter(|policy| address(&policy.document) == *document)
        .map(|policy| StepProof {
            policy: Arc::clone(&policy.name),
            ..proof.clone()
        })
        .collect()
}
