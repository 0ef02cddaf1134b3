//! Queues that nobody but administrators can put messages into, or take them out of.
//!
//! Unknown is not nobody: where something that could give the right was not read, nothing is told.

use std::sync::Arc;

use super::{Audit, Parameter, count, region};
use crate::access::{Capability, QueueSet, held_together};
use crate::account::Account;
use crate::finding::{
    Certainty, Entity, Finding, Kind, MOST_RESOURCES, ResourceRef, Severity, finding_id,
};
use crate::parallel::in_parallel;

/// How many queues of one account are told one by one.
pub(super) const ONE_BY_ONE: Parameter = Parameter {
    name: "one-by-one",
    meaning: "Queues of one account that are told one by one; more are one finding of the account.",
    usual: 20,
};

/// What one of the two rules says.
pub(super) struct Words {
    pub(super) rule: &'static str,
    /// What nobody can do, up to the queues.
    pub(super) cannot: &'static str,
    pub(super) detail: &'static str,
    pub(super) remedy: &'static str,
}

/// The findings of one rule: a finding for each queue, or one for the account where there are many.
pub(super) fn findings(audit: &Audit<'_>, capability: Capability, words: &Words) -> Vec<Finding> {
    // A queue policy can let in the roles of another account, so nobody's may be unknown.
    if !audit.accounts.iter().all(principals_were_read) {
        return Vec::new();
    }
    let abandoned = queues(audit, capability);
    let one_by_one = audit.settings.parameter(words.rule, &ONE_BY_ONE);
    audit
        .accounts
        .iter()
        .enumerate()
        .flat_map(|(index, account)| {
            let own: Vec<Entity> = audit
                .access
                .queues_of(&abandoned)
                .filter(|(_, audited)| audited.account == index)
                .map(|(_, audited)| Entity::new(Kind::Queue, audited.queue.arn.shared()))
                .collect();
            if own.len() as u64 > one_by_one {
                let arn = format!("arn:{}:iam::{}:root", account.partition, account.id);
                return vec![finding(
                    account,
                    Entity::new(Kind::Account, arn),
                    &own,
                    words,
                )];
            }
            own.iter()
                .map(|queue| finding(account, queue.clone(), std::slice::from_ref(queue), words))
                .collect()
        })
        .collect()
}

/// Whether everybody's policies were read as far as a scan reads them at all.
fn principals_were_read(account: &Account) -> bool {
    let coverage = &account.coverage;
    !coverage.skipped.iter().any(|service| service == "iam") && coverage.principals_were_read()
}

/// The queues on which nobody who is known, and nobody who could be, has the capability.
fn queues(audit: &Audit<'_>, capability: Capability) -> QueueSet {
    let access = audit.access;
    let held = access.picked(|on_each| {
        let mut sessions = on_each.sessions();
        sessions.any(|session| !session.when(capability).is_never())
    });
    let (administrators, others): (Vec<usize>, Vec<usize>) =
        (0..access.principals.len()).partition(|index| audit.graph.is_administrator(*index));
    let [by_administrators, by_many] = [administrators, others].map(|holders| {
        let held: Vec<Arc<QueueSet>> = in_parallel(&holders, |index| held.of(*index));
        held_together(&held)
    });
    access
        .queues
        .iter()
        .zip(0..)
        .filter(|(audited, number)| {
            let from_outside = audited
                .outsiders
                .iter()
                .any(|outsider| !outsider.when(capability).is_never());
            let index = *number as usize;
            let is_dead_letters = !access.moved_from(index).is_empty();
            // SQS itself fills a dead-letter queue, and people look into it.
            let by_its_nature = is_dead_letters
                && (capability == Capability::Send || by_administrators.contains(*number));
            audited.queue.attributes.is_some()
                && !from_outside
                && !by_its_nature
                && !by_many.contains(*number)
        })
        .map(|(_, number)| number)
        .collect()
}

fn finding(account: &Account, subject: Entity, queues: &[Entity], words: &Words) -> Finding {
    let named: Vec<ResourceRef> = queues
        .iter()
        .take(MOST_RESOURCES)
        .map(|queue| ResourceRef {
            entity: queue.clone(),
            certainty: Certainty::Allowed,
            grade: None,
        })
        .collect();
    let what = match queues {
        [only] => format!("queue {}", only.arn.rsplit(':').next().unwrap_or(&only.arn)),
        several => count(several.len(), "queue"),
    };
    Finding {
        id: finding_id(words.rule, &account.id, &subject),
        rule: words.rule,
        severity: Severity::Info,
        title: format!("nobody but administrators can {} {what}", words.cannot),
        detail: words.detail.to_owned(),
        account: account.id.clone(),
        region: region(&subject.arn),
        subject,
        principals: Vec::new(),
        more_resources: queues.len().saturating_sub(named.len()) as u64,
        resources: named.into(),
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
        evidence: [].into(),
        more_evidence: 0,
        remedy: words.remedy.to_owned(),
    }
}
