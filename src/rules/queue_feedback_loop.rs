//! `queue-feedback-loop`: one principal can put into a queue what it takes out of it.

use std::collections::BTreeSet;

use super::{Audit, count, evidence, principal_ref, short};
use crate::access::{Capability, Principal};
use crate::account::Account;
use crate::finding::{
    Certainty, Entity, Finding, Grade, Kind, PrincipalRef, ResourceRef, Severity, finding_id,
};
use crate::graph::Loop;

const RULE: &str = "queue-feedback-loop";

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut loops = audit.graph.loops().peekable();
    while let Some(first) = loops.next() {
        let principal = first.principal;
        let mut of_principal = vec![first];
        while let Some(next) = loops.next_if(|next| next.principal == principal) {
            of_principal.push(next);
        }
        findings.extend(finding(audit, principal, &of_principal));
    }
    findings.extend(
        audit
            .accounts
            .iter()
            .enumerate()
            .filter_map(|(index, account)| administrators(audit, index, account)),
    );
    findings
}

fn severity(principal: &Principal<'_>, found: &Loop) -> Severity {
    if found.grade == Grade::Conditional {
        return Severity::Low;
    }
    let runs_something = !principal.workloads.is_empty() || !principal.trust.services.is_empty();
    let base = if principal.kind == Kind::Role && runs_something {
        Severity::High
    } else {
        Severity::Medium
    };
    base.lowered(u8::from(found.deletes != Some(Certainty::Allowed)))
}

fn finding(audit: &Audit<'_>, index: usize, loops: &[Loop]) -> Option<Finding> {
    let principal = audit.access.principals.get(index)?;
    let account = audit.access.account(principal.account)?;
    let rights = audit.access.prover(index)?;
    let subject = Entity::new(principal.kind, principal.arn.shared());
    let gravest = loops.iter().map(|found| severity(principal, found)).max()?;
    let certainty = loops.iter().map(|found| found.certainty).max()?;
    let mut resources = Vec::with_capacity(loops.len());
    let mut proofs = Vec::new();
    let mut conditions = Vec::new();
    for found in loops {
        let queue = audit.access.queues.get(found.queue)?.queue.arn.shared();
        for capability in [Capability::Send, Capability::Receive, Capability::Delete] {
            if capability == Capability::Delete && found.deletes.is_none() {
                continue;
            }
            let proved = rights.prove_as(found.workload, found.queue, capability);
            proofs.extend(proved.iter().map(|proof| evidence(proof, &queue)));
        }
        if certainty == Certainty::Conditional {
            conditions.extend(found.when.conditions());
        }
        resources.push(ResourceRef {
            entity: Entity::new(Kind::Queue, queue),
            certainty: found.certainty,
            grade: Some(found.grade),
        });
    }
    resources.sort();
    proofs.sort();
    proofs.dedup();
    conditions.sort();
    conditions.dedup();
    let (title, detail) = words(principal, loops, &resources, certainty);
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity: gravest,
        title,
        detail,
        account: account.id.clone(),
        region: "global".to_owned(),
        subject,
        principals: vec![PrincipalRef {
            entity: Entity::new(principal.kind, principal.arn.shared()),
            workloads: workloads(principal, loops),
        }],
        resources,
        certainty,
        conditions,
        evidence: proofs,
        remedy: remedy(principal),
    })
}

/// The workloads that can loop over any of the queues, sorted.
fn workloads(principal: &Principal<'_>, loops: &[Loop]) -> Vec<Entity> {
    let places: BTreeSet<usize> = loops
        .iter()
        .flat_map(|found| found.workloads.iter().copied())
        .collect();
    places
        .into_iter()
        .filter_map(|place| principal.workloads.get(place).cloned())
        .collect()
}

fn words(
    principal: &Principal<'_>,
    loops: &[Loop],
    resources: &[ResourceRef],
    certainty: Certainty,
) -> (String, String) {
    let kind = principal.kind;
    let name = principal.arn.name();
    let queues = match resources {
        [only] => short(&only.entity),
        several => count(several.len(), "queue"),
    };
    let may = match certainty {
        Certainty::Allowed => "can both send to and receive from",
        Certainty::Conditional => "can, under conditions, both send to and receive from",
    };
    let wired = loops
        .iter()
        .filter(|found| found.grade == Grade::Wired)
        .count();
    let mut detail = format!("Messages that {kind} {name} takes out it can put back in");
    if wired > 0 {
        let queues = count(wired, "queue");
        detail += "; for ";
        detail += &queues;
        detail += " an event source mapping starts it by itself";
    }
    let peeking = loops
        .iter()
        .filter(|found| found.deletes != Some(Certainty::Allowed))
        .count();
    if peeking == loops.len() {
        detail.push_str(
            "; it cannot surely delete what it received, so messages also come back by themselves",
        );
    }
    detail.push('.');
    (format!("{kind} {name} {may} {queues}"), detail)
}

fn remedy(principal: &Principal<'_>) -> String {
    match principal.kind {
        Kind::User => "Let the user send or receive, not both, and through a group."
            .to_owned(),
        _ if principal.workloads.len() > 1 => format!(
            "Split the role in two, a generator's and a consumer's, and give each of its {} workloads the one it needs.",
            principal.workloads.len()
        ),
        _ => "Let it send or receive, not both: what needs both becomes two processes with a role each.".to_owned(),
    }
}

/// One finding for the account names who has every action on every resource.
fn administrators(audit: &Audit<'_>, index: usize, account: &Account) -> Option<Finding> {
    let mut holders: Vec<PrincipalRef> = Vec::new();
    // What keeps one administrator out of a queue, such as its key, may let another in.
    let mut reached = BTreeSet::new();
    for administrator in audit.graph.administrators() {
        let Some(principal) = audit.access.principals.get(administrator) else {
            continue;
        };
        if principal.account != index {
            continue;
        }
        let own = audit.access.rights(administrator).filter(|rights| {
            let queue = audit.access.queues.get(rights.queue);
            let both = [Capability::Send, Capability::Receive];
            queue.is_some_and(|audited| audited.account == index)
                && both
                    .into_iter()
                    .all(|capability| rights.when(capability).is_always())
        });
        let queues: Vec<usize> = own.map(|rights| rights.queue).collect();
        if !queues.is_empty() {
            reached.extend(queues);
            holders.push(principal_ref(principal));
        }
    }
    if holders.is_empty() {
        return None;
    }
    let queues = if reached.len() == account.queues.len() {
        "every queue".to_owned()
    } else {
        format!(
            "{} of {}",
            reached.len(),
            count(account.queues.len(), "queue")
        )
    };
    let subject = Entity::new(
        Kind::Account,
        format!("arn:{}:iam::{}:root", account.partition, account.id),
    );
    let number = holders.len();
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity: Severity::Info,
        title: format!(
            "{} can send to and receive from {queues}",
            count(number, "administrator")
        ),
        detail:
            "Whoever has every action on every resource is named here once and not at each queue."
                .to_owned(),
        account: account.id.clone(),
        region: "global".to_owned(),
        subject,
        principals: holders,
        resources: Vec::new(),
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
        evidence: Vec::new(),
        remedy: "Keep administrators few and run no workload as one.".to_owned(),
    })
}
