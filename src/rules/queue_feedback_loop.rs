//! `queue-feedback-loop`: one principal can put into a queue what it takes out of it.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::lists::{Lists, Proved};
use super::{Audit, count, evidence, principal_ref, short};
use crate::access::{AuditedQueue, Capability, Principal, Provers, QueueSet};
use crate::account::Account;
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Grade, Kind, MOST_RESOURCES, PrincipalRef, ResourceRef,
    Severity, finding_id,
};
use crate::graph::Loop;

const RULE: &str = "queue-feedback-loop";
/// Queues of one principal whose loop is proved statement by statement; the others are alike.
const MOST_PROVED: usize = 20;
/// Statements that are named of those which give one capability on one queue.
const MOST_STATEMENTS: usize = 3;
/// Statements after which no further queue is proved: some policies are made of nothing but wildcards.
const ENOUGH_STATEMENTS: usize = 60;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let provers = audit.access.provers();
    let lists = LoopLists::default();
    let found = audit
        .graph
        .each_with_loops(|loops| finding(audit, &provers, &lists, &loops));
    let mut findings: Vec<Finding> = found.into_iter().flatten().collect();
    findings.extend(
        audit
            .accounts
            .iter()
            .enumerate()
            .filter_map(|(index, account)| administrators(audit, index, account)),
    );
    findings
}

fn severity(principal: &Principal<'_>, found: &Loop<'_>) -> Severity {
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

/// What the findings of principals who fare alike have in common.
#[derive(Default)]
struct LoopLists {
    /// By the queues.
    resources: Lists<Vec<(usize, Certainty, Grade)>, ResourceRef>,
    /// By what was proved of queues.
    evidence: Lists<Vec<(usize, Proved)>, Evidence>,
}

fn finding(
    audit: &Audit<'_>,
    provers: &Provers<'_>,
    lists: &LoopLists,
    loops: &[Loop<'_>],
) -> Option<Finding> {
    let index = loops.first()?.principal;
    let principal = audit.access.principals.get(index)?;
    let account = audit.access.account(principal.account)?;
    let rights = provers.of(index)?;
    let subject = Entity::new(principal.kind, principal.arn.shared());
    let gravest = loops.iter().map(|found| severity(principal, found)).max()?;
    let certainty = loops.iter().map(|found| found.certainty).max()?;
    let mut proved = Vec::new();
    let mut statements = 0;
    let mut more_evidence = 0;
    let mut conditions = Vec::new();
    let number: u64 = loops.iter().map(|found| found.queues.len()).sum();
    if certainty == Certainty::Conditional {
        conditions.extend(loops.iter().flat_map(|found| found.when.conditions()));
    }
    let named = named(audit, loops);
    for (index, _, found) in named.iter().take(MOST_PROVED) {
        if statements >= ENOUGH_STATEMENTS {
            break;
        }
        for capability in [Capability::Send, Capability::Receive, Capability::Delete] {
            if capability == Capability::Delete && found.deletes.is_none() {
                continue;
            }
            let proofs = rights.prove_as(found.workload, *index, capability);
            statements += proofs.len();
            more_evidence += proofs.len().saturating_sub(MOST_STATEMENTS) as u64;
            proved.push((*index, Proved(proofs)));
        }
    }
    let evidence = lists.evidence(audit, proved);
    let resources = lists.resources(&named);
    conditions.sort();
    conditions.dedup();
    let more_resources = number.saturating_sub(resources.len() as u64);
    let (title, detail) = words(principal, loops, &resources, number, certainty);
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
        more_resources,
        certainty,
        conditions,
        evidence,
        more_evidence,
        remedy: remedy(principal),
    })
}

impl LoopLists {
    fn resources(&self, named: &[Named<'_>]) -> Arc<[ResourceRef]> {
        let key = named
            .iter()
            .map(|(index, _, found)| (*index, found.certainty, found.grade));
        self.resources.of(key.collect(), |_| {
            let mut resources: Vec<ResourceRef> = named
                .iter()
                .map(|(_, audited, found)| ResourceRef {
                    entity: Entity::new(Kind::Queue, audited.queue.arn.shared()),
                    certainty: found.certainty,
                    grade: Some(found.grade),
                })
                .collect();
            resources.sort();
            resources.into()
        })
    }

    fn evidence(&self, audit: &Audit<'_>, proved: Vec<(usize, Proved)>) -> Arc<[Evidence]> {
        let queues = &audit.access.queues;
        let list = |proved: &Vec<(usize, Proved)>| -> Arc<[Evidence]> {
            let mut all: Vec<Evidence> = proved
                .iter()
                .filter_map(|(index, proofs)| {
                    Some((queues.get(*index)?.queue.arn.shared(), proofs))
                })
                .flat_map(|(queue, Proved(proofs))| {
                    let named = proofs.iter().take(MOST_STATEMENTS);
                    named.map(move |proof| evidence(proof, &queue))
                })
                .collect();
            all.sort();
            all.dedup();
            all.into()
        };
        if proved.iter().all(|(_, proofs)| proofs.is_shared()) {
            self.evidence.of(proved, list)
        } else {
            list(&proved)
        }
    }
}

/// A queue that a finding names, by index, with the loop over it.
type Named<'a> = (usize, &'a AuditedQueue<'a>, &'a Loop<'a>);

/// The queues that a finding names, with the loop over each: the gravest, and of those the first.
fn named<'a>(audit: &Audit<'a>, loops: &'a [Loop<'a>]) -> Vec<Named<'a>> {
    let mut named: Vec<_> = loops
        .iter()
        .flat_map(|found| {
            let queues = audit.access.queues_of(&found.queues).take(MOST_RESOURCES);
            queues.map(move |(index, audited)| (index, audited, found))
        })
        .collect();
    let rank = |(index, _, found): &(usize, _, &Loop<'_>)| (Reverse(found.grade), *index);
    // Of many only those that are kept are put in order.
    if named.len() > MOST_RESOURCES {
        named.select_nth_unstable_by_key(MOST_RESOURCES, rank);
        named.truncate(MOST_RESOURCES);
    }
    named.sort_by_key(rank);
    named
}

/// The workloads that can loop over any of the queues, sorted.
fn workloads(principal: &Principal<'_>, loops: &[Loop<'_>]) -> Vec<Entity> {
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
    loops: &[Loop<'_>],
    resources: &[ResourceRef],
    number: u64,
    certainty: Certainty,
) -> (String, String) {
    let kind = principal.kind;
    let name = principal.arn.name();
    let queues = match resources {
        [only] => short(&only.entity),
        _ => format!("{number} queues"),
    };
    let may = match certainty {
        Certainty::Allowed => "can both send to and receive from",
        Certainty::Conditional => "can, under conditions, both send to and receive from",
    };
    let queues_of = |is_meant: fn(&Loop<'_>) -> bool| -> u64 {
        let meant = loops.iter().filter(|found| is_meant(found));
        meant.map(|found| found.queues.len()).sum()
    };
    let wired = queues_of(|found| found.grade == Grade::Wired);
    let mut detail = format!("Messages that {kind} {name} takes out it can put back in");
    if wired > 0 {
        let queues = if wired == 1 {
            "one queue".to_owned()
        } else {
            format!("{wired} queues")
        };
        detail += "; for ";
        detail += &queues;
        detail += " an event source mapping starts it by itself";
    }
    let peeking = queues_of(|found| found.deletes != Some(Certainty::Allowed));
    if peeking == number {
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
    let mut reached = QueueSet::new();
    let queues = audit.access.queues.iter().zip(0..);
    let own: QueueSet = queues
        .filter(|(audited, _)| audited.account == index)
        .map(|(_, number)| number)
        .collect();
    for administrator in audit.graph.administrators() {
        let Some(principal) = audit.access.principals.get(administrator) else {
            continue;
        };
        if principal.account != index {
            continue;
        }
        let mut queues = QueueSet::new();
        for rights in audit.access.rights(administrator) {
            let sessions = rights.on_each();
            let both = [Capability::Send, Capability::Receive];
            if both
                .into_iter()
                .all(|capability| sessions.when(capability).is_always())
            {
                queues |= &*rights.queues;
            }
        }
        queues &= &own;
        if !queues.is_empty() {
            reached |= queues;
            holders.push(principal_ref(principal));
        }
    }
    if holders.is_empty() {
        return None;
    }
    let queues = if reached == own {
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
        resources: [].into(),
        more_resources: 0,
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
        evidence: [].into(),
        more_evidence: 0,
        remedy: "Keep administrators few and run no workload as one.".to_owned(),
    })
}
