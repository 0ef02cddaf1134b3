//! `can-self-grant`: a principal can give itself rights on queues that it lacks.

use std::collections::BTreeSet;

use super::{Audit, list, principal_ref, short, step_evidence};
use crate::access::{Capability, IamGrant, Principal, QueueGrant, SelfGranter, WritingProver};
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Kind, MOST_RESOURCES, ResourceRef, Severity, finding_id,
};
use crate::parallel::in_parallel;

const RULE: &str = "can-self-grant";
/// Things of one sort that are proved statement by statement; the others are alike.
const MOST_PROVED: usize = 5;
/// Statements that are named of those which open one way.
const MOST_STATEMENTS: usize = 3;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let granter = audit.access.self_granter();
    let prover = audit.access.writing_prover();
    let principals: Vec<usize> = (0..audit.access.principals.len())
        .filter(|principal| !audit.graph.is_administrator(*principal))
        .collect();
    let findings = in_parallel(&principals, |principal| {
        finding(audit, &granter, &prover, *principal)
    });
    findings.into_iter().flatten().collect()
}

/// What one principal could give itself.
struct Ways<'a> {
    principal: &'a Principal<'a>,
    /// In the policies of queues, the surest first.
    queues: Vec<QueueGrant<'a>>,
    through_iam: Vec<IamGrant>,
}

fn finding(
    audit: &Audit<'_>,
    granter: &SelfGranter<'_>,
    prover: &WritingProver<'_>,
    index: usize,
) -> Option<Finding> {
    let access = audit.access;
    let mut queues: Vec<QueueGrant<'_>> = access.queue_grants(index).collect();
    queues.sort_by_key(|grant| (!grant.surest().is_always(), grant.queues.min()));
    let ways = Ways {
        principal: access.principals.get(index)?,
        queues,
        through_iam: granter.iam_grants(index),
    };
    if ways.queues.is_empty() && ways.through_iam.is_empty() {
        return None;
    }
    let principal = ways.principal;
    let account = access.account(principal.account)?;
    let subject = Entity::new(principal.kind, principal.arn.shared());
    let mut named = Named::default();
    named.add_through_iam(granter, index, &ways);
    named.add_queues(audit, prover, index, &ways);
    let is_sure = ways.are_sure();
    let mut conditions = Vec::new();
    if !is_sure {
        let grants = ways.queues.iter();
        conditions.extend(grants.flat_map(|grant| grant.surest().conditions()));
        conditions.sort();
        conditions.dedup();
    }
    let number = ways.targets().len() as u64 + ways.number_of_queues();
    let (title, detail) = (ways.title(&named.resources), ways.detail());
    named.resources.sort();
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity: ways.severity(),
        title,
        detail,
        account: account.id.clone(),
        region: "global".to_owned(),
        subject,
        principals: vec![principal_ref(principal)],
        more_resources: number.saturating_sub(named.resources.len() as u64),
        resources: named.resources.into(),
        certainty: if is_sure {
            Certainty::Allowed
        } else {
            Certainty::Conditional
        },
        conditions,
        evidence: named.evidence.into_iter().collect(),
        more_evidence: named.more_evidence,
        remedy: ways.remedy(),
    })
}

/// What a finding names, and what proves it.
#[derive(Default)]
struct Named {
    resources: Vec<ResourceRef>,
    evidence: BTreeSet<Evidence>,
    more_evidence: u64,
}

impl Named {
    fn add_through_iam(&mut self, granter: &SelfGranter<'_>, index: usize, ways: &Ways<'_>) {
        let targets = ways.targets();
        for target in targets.iter().take(MOST_RESOURCES) {
            self.resources.push(ResourceRef {
                entity: (*target).clone(),
                certainty: Certainty::Allowed,
                grade: None,
            });
        }
        let proved: BTreeSet<&Entity> = targets.into_iter().take(MOST_PROVED).collect();
        for grant in &ways.through_iam {
            if proved.contains(&grant.target) {
                let steps = granter.prove(index, grant);
                let named = steps.iter().take(MOST_STATEMENTS);
                self.evidence
                    .extend(named.map(|step| step_evidence(step, grant.action, &grant.target.arn)));
                self.more_evidence += steps.len().saturating_sub(MOST_STATEMENTS) as u64;
            }
        }
    }

    fn add_queues(
        &mut self,
        audit: &Audit<'_>,
        prover: &WritingProver<'_>,
        index: usize,
        ways: &Ways<'_>,
    ) {
        let mut number = 0;
        for grant in &ways.queues {
            let left = MOST_RESOURCES.saturating_sub(self.resources.len());
            for (queue, audited) in audit.access.queues_of(&grant.queues).take(left) {
                let arn = audited.queue.arn.shared();
                if number < MOST_PROVED {
                    number += 1;
                    let steps = prover.prove(index, grant, queue);
                    let named = steps.iter().take(MOST_STATEMENTS);
                    self.evidence.extend(
                        named.map(|step| step_evidence(step, "sqs:SetQueueAttributes", &arn)),
                    );
                    self.more_evidence += steps.len().saturating_sub(MOST_STATEMENTS) as u64;
                }
                self.resources.push(ResourceRef {
                    entity: Entity::new(Kind::Queue, arn),
                    certainty: Certainty::of(grant.surest()),
                    grade: None,
                });
            }
        }
    }
}

impl Ways<'_> {
    /// Whether one of them is open whatever the circumstances; those through IAM always are.
    fn are_sure(&self) -> bool {
        !self.through_iam.is_empty() || self.queues.iter().any(|grant| grant.surest().is_always())
    }

    /// What it changes in IAM, sorted.
    fn targets(&self) -> Vec<&Entity> {
        let mut targets: Vec<&Entity> =
            self.through_iam.iter().map(|grant| &grant.target).collect();
        targets.sort();
        targets.dedup();
        targets
    }

    fn number_of_queues(&self) -> u64 {
        self.queues.iter().map(|grant| grant.queues.len()).sum()
    }

    /// Who may change its own policies can have everything; who administers queues is mostly somebody who should.
    fn severity(&self) -> Severity {
        let runs_something =
            !self.principal.workloads.is_empty() || !self.principal.trust.services.is_empty();
        let base = if runs_something || !self.through_iam.is_empty() {
            Severity::Medium
        } else {
            Severity::Low
        };
        base.lowered(u8::from(!self.are_sure()))
    }

    /// What the queues' policies could give: `send to`, `receive from`, or both.
    fn gains(&self) -> &'static str {
        let gains = |capability| {
            let mut grants = self.queues.iter();
            grants.any(|grant| !grant.when(capability).is_never())
        };
        match (gains(Capability::Send), gains(Capability::Receive)) {
            (true, false) => "send to",
            (false, true) => "receive from",
            _ => "send to and receive from",
        }
    }

    /// `resources` are those that the finding names.
    fn title(&self, resources: &[ResourceRef]) -> String {
        let who = format!("{} {}", self.principal.kind, self.principal.arn.name());
        if self.queues.is_empty() {
            return format!("{who} can give itself rights on queues through IAM");
        }
        let can = if self.are_sure() {
            "can"
        } else {
            "can, under conditions,"
        };
        let mut queues = resources
            .iter()
            .filter(|resource| resource.entity.kind == Kind::Queue);
        let what = match (queues.next(), self.number_of_queues()) {
            (Some(only), 1) => short(&only.entity),
            (_, 1) => "one queue".to_owned(),
            (_, number) => format!("{number} queues"),
        };
        format!("{who} {can} let itself {} {what}", self.gains())
    }

    fn detail(&self) -> String {
        let mut sentences = Vec::new();
        match self.number_of_queues() {
            0 => {}
            1 => sentences.push(
                "It may change the attributes of the queue, policy and encryption among them, and nothing else stands before \
                 the right that it lacks."
                    .to_owned(),
            ),
            number => sentences.push(format!(
                "It may change the attributes of {number} queues, policy and encryption among them, and nothing else stands \
                 before the rights that it lacks."
            )),
        }
        let actions = |is_meant: &dyn Fn(&IamGrant) -> bool| -> String {
            let meant = self.through_iam.iter().filter(|grant| is_meant(grant));
            let actions: BTreeSet<String> = meant.map(|grant| grant.action.to_owned()).collect();
            list(&actions.into_iter().collect::<Vec<_>>())
        };
        let number = |is_meant: &dyn Fn(&IamGrant) -> bool| {
            let meant = self.through_iam.iter().filter(|grant| is_meant(grant));
            let targets: BTreeSet<&Entity> = meant.map(|grant| &grant.target).collect();
            targets.len()
        };
        let own = |grant: &IamGrant| *grant.target.arn == *self.principal.arn.as_str();
        if number(&own) > 0 {
            sentences.push(format!(
                "With {} it gives itself any policy.",
                actions(&own)
            ));
        }
        let groups = |grant: &IamGrant| grant.target.kind == Kind::Group;
        match number(&groups) {
            0 => {}
            1 => sentences.push(format!(
                "With {} it gives any policy to a group that it is in.",
                actions(&groups)
            )),
            more => sentences.push(format!(
                "With {} it gives any policy to {more} groups that it is in.",
                actions(&groups)
            )),
        }
        match number(&|grant| grant.target.kind == Kind::Policy) {
            0 => {}
            1 => sentences.push(
                "With iam:CreatePolicyVersion it rewrites a policy that it carries.".to_owned(),
            ),
            more => sentences.push(format!(
                "With iam:CreatePolicyVersion it rewrites {more} policies that it carries."
            )),
        }
        let roles = |grant: &IamGrant| grant.target.kind == Kind::Role && !own(grant);
        match number(&roles) {
            0 => {}
            1 => sentences.push(
                "With iam:UpdateAssumeRolePolicy it makes a role with rights that it lacks trust it."
                    .to_owned(),
            ),
            more => sentences.push(format!(
                "With iam:UpdateAssumeRolePolicy it makes {more} roles with rights that it lacks trust it."
            )),
        }
        sentences.join(" ")
    }

    fn remedy(&self) -> String {
        let of_queues = "Leave sqs:SetQueueAttributes to the pipeline that owns the queues, or deny it sending and receiving \
                         explicitly.";
        let of_iam = "Take the IAM actions away, or confine them with a permissions boundary and to resources other than \
                      itself.";
        match (self.queues.is_empty(), self.through_iam.is_empty()) {
            (false, true) => of_queues.to_owned(),
            (true, _) => of_iam.to_owned(),
            (false, false) => format!("{of_queues} {of_iam}"),
        }
    }
}
