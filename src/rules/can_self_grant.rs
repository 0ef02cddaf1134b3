//! `can-self-grant`: a principal can give itself rights on queues that it lacks.

use super::{Audit, count, list, principal_ref, short, step_evidence};
use crate::access::{Capability, IamGrant, Principal, QueueGrant, SelfGranter};
use crate::finding::{
    Certainty, Entity, Finding, Kind, MOST_RESOURCES, ResourceRef, Severity, finding_id,
};

const RULE: &str = "can-self-grant";
/// Things of one principal that are proved statement by statement; the others are alike.
const MOST_PROVED: usize = 20;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let granter = audit.access.self_granter();
    (0..audit.access.principals.len())
        .filter(|principal| !audit.graph.is_administrator(*principal))
        .filter_map(|principal| finding(audit, &granter, principal))
        .collect()
}

fn finding(audit: &Audit<'_>, granter: &SelfGranter<'_>, index: usize) -> Option<Finding> {
    let access = audit.access;
    let principal = access.principals.get(index)?;
    let account = access.account(principal.account)?;
    let queues = granter.queue_grants(index);
    let through_iam = granter.iam_grants(index);
    if queues.is_empty() && through_iam.is_empty() {
        return None;
    }
    let subject = Entity::new(principal.kind, principal.arn.shared());
    let is_sure = !through_iam.is_empty() || queues.iter().any(|grant| grant.when.is_always());
    let (mut resources, mut proofs) = (Vec::new(), Vec::new());
    for grant in &through_iam {
        let resource = ResourceRef {
            entity: grant.target.clone(),
            certainty: Certainty::Allowed,
            grade: None,
        };
        if resources.contains(&resource) || resources.len() < MOST_PROVED {
            let steps = grant.proofs.iter();
            proofs.extend(steps.map(|step| step_evidence(step, grant.action, &grant.target.arn)));
        }
        if resources.len() < MOST_RESOURCES && !resources.contains(&resource) {
            resources.push(resource);
        }
    }
    let mut surest_first: Vec<&QueueGrant> = queues.iter().collect();
    surest_first.sort_by_key(|grant| (!grant.when.is_always(), grant.queue));
    let left = MOST_RESOURCES.saturating_sub(resources.len());
    for (place, grant) in surest_first.into_iter().take(left).enumerate() {
        let queue = access.queues.get(grant.queue)?.queue.arn.shared();
        if place < MOST_PROVED {
            let steps = granter.prove_queue(index, grant.queue);
            proofs.extend(
                steps
                    .iter()
                    .map(|step| step_evidence(step, "sqs:SetQueueAttributes", &queue)),
            );
        }
        resources.push(ResourceRef {
            entity: Entity::new(Kind::Queue, queue),
            certainty: Certainty::of(&grant.when),
            grade: None,
        });
    }
    resources.sort();
    proofs.sort();
    proofs.dedup();
    let mut conditions: Vec<String> = Vec::new();
    if !is_sure {
        conditions.extend(queues.iter().flat_map(|grant| grant.when.conditions()));
        conditions.sort();
        conditions.dedup();
    }
    let mut targets: Vec<&Entity> = through_iam.iter().map(|grant| &grant.target).collect();
    targets.sort();
    targets.dedup();
    let more = (targets.len() + queues.len()).saturating_sub(resources.len());
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity: severity(principal, &through_iam, is_sure),
        title: title(audit, principal, &queues, is_sure),
        detail: detail(principal, &queues, &through_iam),
        account: account.id.clone(),
        region: "global".to_owned(),
        subject,
        principals: vec![principal_ref(principal)],
        resources,
        more_resources: more as u64,
        certainty: if is_sure {
            Certainty::Allowed
        } else {
            Certainty::Conditional
        },
        conditions,
        evidence: proofs,
        more_evidence: 0,
        remedy: remedy(&queues, &through_iam),
    })
}

/// Who may change its own policies can have everything; who administers queues is mostly somebody who should.
fn severity(principal: &Principal<'_>, through_iam: &[IamGrant], is_sure: bool) -> Severity {
    let runs_something = !principal.workloads.is_empty() || !principal.trust.services.is_empty();
    let base = if runs_something || !through_iam.is_empty() {
        Severity::Medium
    } else {
        Severity::Low
    };
    base.lowered(u8::from(!is_sure))
}

/// What the queues' policies could give: `send to`, `receive from`, or both.
fn gains(queues: &[QueueGrant]) -> &'static str {
    let gains = |capability| queues.iter().any(|grant| grant.gains.contains(&capability));
    match (gains(Capability::Send), gains(Capability::Receive)) {
        (true, false) => "send to",
        (false, true) => "receive from",
        _ => "send to and receive from",
    }
}

fn title(
    audit: &Audit<'_>,
    principal: &Principal<'_>,
    queues: &[QueueGrant],
    is_sure: bool,
) -> String {
    let who = format!("{} {}", principal.kind, principal.arn.name());
    let can = if is_sure {
        "can"
    } else {
        "can, under conditions,"
    };
    let what = match queues {
        [] => return format!("{who} can grant itself rights on queues through IAM"),
        [only] => audit
            .access
            .queues
            .get(only.queue)
            .map(|audited| short(&Entity::new(Kind::Queue, audited.queue.arn.shared())))
            .unwrap_or_default(),
        several => count(several.len(), "queue"),
    };
    format!("{who} {can} let itself {} {what}", gains(queues))
}

fn detail(principal: &Principal<'_>, queues: &[QueueGrant], through_iam: &[IamGrant]) -> String {
    let mut sentences = Vec::new();
    if !queues.is_empty() {
        sentences.push(format!(
            "It may change the attributes of {}, policy and encryption among them, and nothing else stands before the right \
             that it lacks.",
            count(queues.len(), "queue")
        ));
    }
    let targets = |is_meant: &dyn Fn(&IamGrant) -> bool| -> Vec<&IamGrant> {
        through_iam.iter().filter(|grant| is_meant(grant)).collect()
    };
    let own = targets(&|grant| *grant.target.arn == *principal.arn.as_str());
    if !own.is_empty() {
        let actions: Vec<String> = own.iter().map(|grant| grant.action.to_owned()).collect();
        sentences.push(format!(
            "With {} it gives itself any policy.",
            list(&actions)
        ));
    }
    let policies = targets(&|grant| grant.target.kind == Kind::Policy).len();
    if policies > 0 {
        sentences.push(format!(
            "With iam:CreatePolicyVersion it rewrites {} that it carries.",
            match policies {
                1 => "one policy".to_owned(),
                more => format!("{more} policies"),
            }
        ));
    }
    let roles = targets(&|grant| grant.action == "iam:UpdateAssumeRolePolicy").len();
    if roles > 0 {
        sentences.push(format!(
            "With iam:UpdateAssumeRolePolicy it makes {} with rights that it lacks trust it.",
            count(roles, "role")
        ));
    }
    sentences.join(" ")
}

fn remedy(queues: &[QueueGrant], through_iam: &[IamGrant]) -> String {
    let of_queues = "Leave sqs:SetQueueAttributes to the pipeline that owns the queues, or deny it sending and receiving \
                     explicitly.";
    let of_iam = "Take the IAM actions away, or confine them with a permissions boundary and to resources other than itself.";
    match (queues.is_empty(), through_iam.is_empty()) {
        (false, true) => of_queues.to_owned(),
        (true, _) => of_iam.to_owned(),
        (false, false) => format!("{of_queues} {of_iam}"),
    }
}
