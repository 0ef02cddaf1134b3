//! Dead-letter queues: what SQS moves there by itself, and who may move it on (C.5).
//!
//! Implements "Using dead-letter queues in Amazon SQS" and "Configure a dead-letter queue redrive using the Amazon SQS
//! console".

use super::asker::{Asker, Comer};
use super::context::Caller;
use super::sides::{QueueSide, RequesterSide};
use super::{Access, AuditedQueue, Capability};
use crate::account::{Queue, RedriveAllow};
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
        let (Some(principal), Some(from), Some(to)) = (
            self.principals.get(principal),
            self.queues.get(from),
            self.queues.get(to),
        ) else {
            return Formula::Never;
        };
        let asker = Asker::new(self);
        let side = RequesterSide::of(principal, &principal.policies.iter(), self.tags_matter);
        let redrives = |requester: &Requester, caller: Caller<'_>| {
            let comer = Comer {
                requester,
                caller,
                account: Some(principal.account),
            };
            let capable = |audited: &AuditedQueue<'_>, capability| {
                let queue_side = QueueSide::of(audited, self.tags_matter);
                asker.when(comer, &side, audited, &queue_side, capability, None)
            };
            ["sqs:startmessagemovetask", "sqs:getqueueattributes"]
                .into_iter()
                .map(|action| asker.action(comer, principal, from, action))
                .chain([
                    capable(from, Capability::Receive),
                    capable(from, Capability::Delete),
                    capable(to, Capability::Send),
                ])
                .fold(Formula::Always, Formula::and)
                .settled()
        };
        let any = self
            .callers(principal, &principal.policies)
            .into_iter()
            .map(|caller| redrives(&principal.requester, caller))
            .fold(Formula::Never, Formula::or)
            .settled();
        if any.is_never() || any.is_always() {
            return any;
        }
        // What depends on the session one of its workloads may have for sure.
        let is_sure = principal.workloads.iter().any(|workload| {
            let caller = Caller::Workload {
                role: principal,
                workload,
            };
            redrives(&principal.requester_as(workload), caller).is_always()
        });
        if is_sure { Formula::Always } else { any }
    }
}
