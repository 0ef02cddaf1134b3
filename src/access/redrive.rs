//! Dead-letter queues: what SQS moves there by itself, and who may move it on (C.5).
//!
//! Implements "Using dead-letter queues in Amazon SQS" and "Configure a dead-letter queue redrive using the Amazon SQS
//! console".

use std::collections::BTreeSet;
use std::sync::Arc;

use super::asker::{Asker, Comer};
use super::context::Caller;
use super::decide::Matched;
use super::principal::Principal;
use super::sides::{QueueSide, RequesterSide};
use super::{Access, AuditedQueue, Capability, Holder, Proof, Provers};
use crate::account::{Queue, RedriveAllow};
use crate::entity::Entity;
use crate::policy::{Formula, Requester};

/// Whether SQS moves messages that were received too often from one queue to the other. No policy is asked (DL1), but the
/// dead-letter queue says whose it will be (DL2), and both are of one account, region and type (DL3).
pub(super) fn moves(from: &Queue, to: &Queue) -> bool {
    let (Some(source), Some(target)) = (&from.attributes, &to.attributes) else {
        // What is not known of the dead-letter queue does not make it refuse.
        return names(from, to);
    };
    let is_welcome = match &target.redrive_allow {
        None | Some(RedriveAllow::AllowAll) => true,
        Some(RedriveAllow::DenyAll) => false,
        Some(RedriveAllow::ByQueue { source_queues }) => source_queues.contains(&from.arn),
    };
    names(from, to)
        && is_welcome
        && source.fifo == target.fifo
        && from.arn.account() == to.arn.account()
        && from.arn.region() == to.arn.region()
}

fn names(from: &Queue, to: &Queue) -> bool {
    from.attributes
        .as_ref()
        .and_then(|attributes| attributes.redrive.as_ref())
        .is_some_and(|redrive| redrive.dead_letter_queue == to.arn)
}

impl Access<'_> {
    /// The queues whose messages SQS moves to this one after too many receives, by index.
    pub fn moved_from(&self, queue: usize) -> &[usize] {
        self.queues
            .get(queue)
            .map_or(&[], |audited| &audited.moved_from)
    }

    /// When a principal may start a task that moves the messages of a dead-letter queue on to another queue (DL6): it needs
    /// `sqs:StartMessageMoveTask`, `sqs:GetQueueAttributes` and the rights of a consumer on the one, and those of a generator
    /// on the other.
    pub fn may_redrive(&self, principal: usize, from: usize, to: usize) -> Formula {
        let asker = Asker::new(self);
        let Some(task) = Task::of(self, &asker, principal, (from, to)) else {
            return Formula::Never;
        };
        let any = task.when_any();
        if any.is_never() || any.is_always() {
            return any;
        }
        // What depends on the session one of its workloads may have for sure.
        let mut workloads = task.principal.workloads.iter();
        if workloads.any(|workload| task.when_workload(workload).is_always()) {
            Formula::Always
        } else {
            any
        }
    }

    /// Who may move the messages of a dead-letter queue back to a queue that they come from, sorted: principals of the audited
    /// accounts, since SQS lets nobody else. `because` names the statements about the task and about both queues.
    pub fn redrivers(&self, from: usize) -> Vec<Holder> {
        let asker = Asker::new(self);
        let provers = self.provers();
        let all = 0..self.principals.len();
        let mut holders: Vec<Holder> = all
            .filter_map(|index| self.redriver(&asker, &provers, index, from))
            .collect();
        holders.sort_by(|a, b| {
            let is_sure = |holder: &Holder| !holder.when.is_always();
            is_sure(a)
                .cmp(&is_sure(b))
                .then_with(|| a.entity.cmp(&b.entity))
        });
        holders
    }

    fn redriver(
        &self,
        asker: &Asker<'_>,
        provers: &Provers<'_>,
        index: usize,
        from: usize,
    ) -> Option<Holder> {
        let mut any = Formula::Never;
        let mut workloads: BTreeSet<&Entity> = BTreeSet::new();
        let mut because: Vec<Proof> = Vec::new();
        for to in self.moved_from(from) {
            let task = Task::of(self, asker, index, (from, *to))?;
            let when = task.when_any();
            if !when.rests_on_what_was_read() {
                continue;
            }
            let own = task.principal.workloads.iter();
            workloads.extend(own.filter(|workload| {
                when.is_always() || task.when_workload(workload).rests_on_what_was_read()
            }));
            if because.is_empty() {
                let prover = provers.of(index)?;
                because.extend(task.proofs());
                because.extend_from_slice(&prover.prove(from, Capability::Receive));
                because.extend_from_slice(&prover.prove(from, Capability::Delete));
                because.extend_from_slice(&prover.prove(*to, Capability::Send));
            }
            any = any.or(when);
        }
        let any = any.settled();
        if any.is_never() {
            return None;
        }
        let mut seen = BTreeSet::new();
        because.retain(|proof| {
            seen.insert((
                proof.layer.as_str(),
                Arc::clone(&proof.policy),
                Arc::clone(&proof.statement),
            ))
        });
        let principal = self.principals.get(index)?;
        Some(Holder {
            entity: Entity::new(principal.kind, principal.arn.shared()),
            when: any,
            workloads: workloads.into_iter().cloned().collect(),
            because,
        })
    }
}

/// The actions of a move task that are no capability of their own.
const OF_TASK: [&str; 2] = ["sqs:startmessagemovetask", "sqs:getqueueattributes"];

/// A move task that a principal may want to start.
struct Task<'t> {
    access: &'t Access<'t>,
    asker: &'t Asker<'t>,
    principal: &'t Principal<'t>,
    from: &'t AuditedQueue<'t>,
    to: &'t AuditedQueue<'t>,
}

impl<'t> Task<'t> {
    fn of(
        access: &'t Access<'t>,
        asker: &'t Asker<'t>,
        principal: usize,
        (from, to): (usize, usize),
    ) -> Option<Self> {
        Some(Self {
            access,
            asker,
            principal: access.principals.get(principal)?,
            from: access.queues.get(from)?,
            to: access.queues.get(to)?,
        })
    }

    /// When any session of the principal may.
    fn when_any(&self) -> Formula {
        let principal = self.principal;
        let callers = self.access.callers(principal, &principal.policies);
        let any = callers
            .into_iter()
            .map(|caller| self.when(&principal.requester, caller));
        any.fold(Formula::Never, Formula::or).settled()
    }

    /// When the session of one of its workloads may.
    fn when_workload(&self, workload: &Entity) -> Formula {
        let caller = Caller::Workload {
            role: self.principal,
            workload,
        };
        self.when(&self.principal.requester_as(workload), caller)
    }

    fn when(&self, requester: &Requester, caller: Caller<'_>) -> Formula {
        let comer = Comer {
            requester,
            caller,
            account: Some(self.principal.account),
        };
        let mut all = Formula::Always;
        for action in OF_TASK {
            all = all.and(
                self.asker
                    .action(comer, self.principal, self.from, action, &mut |_| ()),
            );
            // Few may start tasks at all.
            if all.is_never() {
                return all;
            }
        }
        let policies = self.principal.policies.iter();
        let side = RequesterSide::of(self.principal, &policies, self.access.tags_matter);
        let needed = [
            (self.from, Capability::Receive),
            (self.from, Capability::Delete),
            (self.to, Capability::Send),
        ];
        for (audited, capability) in needed {
            let queue_side = QueueSide::of(audited, self.access.tags_matter);
            let when = self
                .asker
                .when(comer, &side, audited, &queue_side, capability, None);
            all = all.and(when);
        }
        all.settled()
    }

    /// The statements by which the principal may start the task, but for what it needs on messages.
    fn proofs(&self) -> Vec<Proof> {
        let principal = self.principal;
        let mut proofs: Vec<Proof> = Vec::new();
        for caller in self.access.callers(principal, &principal.policies) {
            let comer = Comer {
                requester: &principal.requester,
                caller,
                account: Some(principal.account),
            };
            for action in OF_TASK {
                let record = &mut |matched: &Matched<'_>| {
                    let proof = Proof::new(Capability::Administer, matched);
                    if !proofs.contains(&proof) {
                        proofs.push(proof);
                    }
                };
                self.asker
                    .action(comer, principal, self.from, action, record);
            }
        }
        proofs
    }
}
