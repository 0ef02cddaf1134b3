//! `shared-role`: a role under which both something that empties queues and something that does not is run, with rights to fill
//! queues as well.

use std::collections::{BTreeMap, BTreeSet};

use super::{Audit, count, evidence, list, short};
use crate::access::{Access, Capability, Principal, Provers, QueueSet, Stop};
use crate::finding::{
    Certainty, Entity, Finding, Kind, MOST_RESOURCES, PrincipalRef, ResourceRef, Severity,
    finding_id,
};
use crate::graph::Graph;

const RULE: &str = "shared-role";
/// Workloads that are named in words.
const MOST_NAMED: usize = 3;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let provers = audit.access.provers();
    consumers(audit.graph)
        .iter()
        .filter(|(role, _)| !audit.graph.is_administrator(**role))
        .filter_map(|(role, consumers)| finding(audit, &provers, *role, consumers))
        .collect()
}

/// For each role the workloads that AWS empties queues into, by their place, with those queues.
fn consumers(graph: &Graph<'_>) -> BTreeMap<usize, BTreeMap<usize, QueueSet>> {
    let mut consumers: BTreeMap<usize, BTreeMap<usize, QueueSet>> = BTreeMap::new();
    for wire in graph.flowing_wires() {
        let Some(Stop::Workload(place)) = wire.target else {
            continue;
        };
        let queues = wire.sources.iter().filter_map(|source| match source {
            Stop::Queue(queue) => u32::try_from(*queue).ok(),
            Stop::Inlet(_) | Stop::Workload(_) => None,
        });
        let of_role = consumers.entry(place.principal).or_default();
        of_role.entry(place.workload).or_default().extend(queues);
    }
    consumers
}

/// The two sides that share a role.
#[derive(Debug)]
pub(crate) struct SharedSides {
    /// The places of the workloads that AWS empties queues into.
    pub(crate) consumers: BTreeSet<usize>,
    /// The places of those that can send and are fed by no queue.
    pub(crate) generators: BTreeSet<usize>,
    /// The queues to which those can send.
    pub(crate) filled: QueueSet,
}

/// The two sides that share a role, by its index; none where they do not.
pub(crate) fn sides(graph: &Graph<'_>, role: usize) -> Option<SharedSides> {
    let mut all = consumers(graph);
    let of_role = all.remove(&role)?;
    let principal = graph.access.principals.get(role)?;
    let filling = filling(graph.access, principal, role, &of_role);
    Some(SharedSides {
        consumers: of_role.into_keys().collect(),
        generators: filling.generators,
        filled: filling.filled,
    })
}

fn finding(
    audit: &Audit<'_>,
    provers: &Provers<'_>,
    index: usize,
    consumers: &BTreeMap<usize, QueueSet>,
) -> Option<Finding> {
    let access = audit.access;
    let role = access.principals.get(index)?;
    let account = access.account(role.account)?;
    let Filling {
        generators,
        filled,
        surely,
        mut conditions,
    } = filling(access, role, index, consumers);
    let generator = generators.first().copied()?;
    let (certainty, first_queue) = match surely.min() {
        Some(queue) => {
            conditions.clear();
            (Certainty::Allowed, queue)
        }
        None => (Certainty::Conditional, filled.min()?),
    };
    let subject = Entity::new(role.kind, role.arn.shared());
    let emptied = consumers
        .values()
        .fold(QueueSet::new(), |all, queues| all | queues);
    let prover = provers.of(index)?;
    let mut proofs = Vec::new();
    for (queue, capability, workload) in [
        (Some(first_queue), Capability::Send, Some(generator)),
        (
            emptied.min(),
            Capability::Receive,
            consumers.keys().next().copied(),
        ),
    ] {
        let Some((queue, audited)) =
            queue.and_then(|queue| Some((queue as usize, access.queues.get(queue as usize)?)))
        else {
            continue;
        };
        let arn = audited.queue.arn.shared();
        let of_queue = prover.prove_as(workload, queue, capability);
        proofs.extend(of_queue.iter().map(|proof| evidence(proof, &arn)));
    }
    proofs.sort();
    proofs.dedup();
    let queues = &filled | &emptied;
    let is_sure = |queue: usize| {
        u32::try_from(queue).is_ok_and(|queue| emptied.contains(queue) || surely.contains(queue))
    };
    let resources: Vec<ResourceRef> = access
        .queues_of(&queues)
        .take(MOST_RESOURCES)
        .map(|(queue, audited)| ResourceRef {
            entity: Entity::new(Kind::Queue, audited.queue.arn.shared()),
            certainty: if is_sure(queue) {
                Certainty::Allowed
            } else {
                Certainty::Conditional
            },
            grade: None,
        })
        .collect();
    let named = |places: &mut dyn Iterator<Item = usize>| {
        let all: Vec<usize> = places.collect();
        let mut names: Vec<String> = all
            .iter()
            .take(MOST_NAMED)
            .filter_map(|place| role.workloads.get(*place))
            .map(short)
            .collect();
        if all.len() > MOST_NAMED {
            names.push(count(all.len() - MOST_NAMED, "other"));
        }
        list(&names)
    };
    let consuming = named(&mut consumers.keys().copied());
    let generating = named(&mut generators.iter().copied());
    let name = role.arn.name();
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity: Severity::Medium.lowered(u8::from(certainty == Certainty::Conditional)),
        title: format!("role {name} is shared by a consumer and what can generate messages"),
        detail: format!(
            "AWS empties queues into {consuming}; under the same role run, with rights to send, {generating}."
        ),
        account: account.id.clone(),
        region: "global".to_owned(),
        subject: subject.clone(),
        principals: vec![PrincipalRef {
            entity: subject,
            workloads: role.workloads.clone(),
        }],
        more_resources: queues.len().saturating_sub(resources.len() as u64),
        resources: resources.into(),
        certainty,
        conditions: conditions.into_iter().collect(),
        evidence: proofs.into(),
        more_evidence: 0,
        remedy: "Give generators and consumers a role each, with the rights of their one side."
            .to_owned(),
    })
}

/// What those workloads of a role may fill that empty no queue.
#[derive(Default)]
struct Filling {
    generators: BTreeSet<usize>,
    filled: QueueSet,
    /// Those of the filled for which no condition must hold.
    surely: QueueSet,
    /// What must hold for the others.
    conditions: BTreeSet<String>,
}

/// Each workload in a session of its own.
fn filling(
    access: &Access<'_>,
    role: &Principal<'_>,
    index: usize,
    consumers: &BTreeMap<usize, QueueSet>,
) -> Filling {
    let others: Vec<usize> = (0..role.workloads.len())
        .filter(|place| !consumers.contains_key(place))
        .filter(|place| runs_code(role, *place))
        .collect();
    let mut all = Filling::default();
    for rights in access.rights(index) {
        let sessions = rights.on_each();
        for place in &others {
            let session = sessions.of_workload(*place);
            let when = session.when(Capability::Send);
            if when.is_never() || !when.rests_on_what_was_read() {
                continue;
            }
            all.generators.insert(*place);
            all.filled |= &*rights.queues;
            if when.is_always() {
                all.surely |= &*rights.queues;
            } else {
                all.conditions.extend(when.conditions());
            }
        }
    }
    all
}

/// Whether the workload is code that may use any right of its role: pipes, schedules and crawlers do what is configured.
fn runs_code(role: &Principal<'_>, place: usize) -> bool {
    role.workloads.get(place).is_some_and(|workload| {
        !matches!(workload.kind, Kind::Pipe | Kind::Schedule | Kind::Crawler)
    })
}
