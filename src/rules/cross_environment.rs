//! `cross-environment`: a principal of one environment can send to or receive from a queue of another.

use std::collections::{BTreeMap, BTreeSet};

use super::exposure::open_queues;
use super::names::{NamedKind, Names, given_name};
use super::{Audit, count, evidence, list, principal_ref, short};
use crate::access::{Capability, Principal, Provers, QueueSet};
use crate::finding::{
    Certainty, Entity, Finding, Kind, MOST_RESOURCES, ResourceRef, Severity, finding_id,
};
use crate::parallel::in_parallel;

const RULE: &str = "cross-environment";
/// Queues whose rights are proved statement by statement; the others are alike.
const MOST_PROVED: usize = 5;
/// Statements that are named of those which give one capability on one queue.
const MOST_STATEMENTS: usize = 3;
/// What moves messages from one environment to another.
const CAPABILITIES: [Capability; 2] = [Capability::Send, Capability::Receive];

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let Some(names) = &audit.settings.names else {
        return Vec::new();
    };
    let queues = by_environment(audit, names);
    if queues.is_empty() {
        return Vec::new();
    }
    let open = CAPABILITIES.map(|capability| open_queues(audit, capability));
    let provers = audit.access.provers();
    let principals: Vec<usize> = (0..audit.access.principals.len())
        .filter(|principal| !audit.graph.is_administrator(*principal))
        .collect();
    let findings = in_parallel(&principals, |index| {
        let principal = audit.access.principals.get(*index)?;
        let own = environment_of(principal, names)?;
        let mut others = QueueSet::new();
        for (environment, queues) in &queues {
            if *environment != own {
                others |= queues;
            }
        }
        let crossing = Crossing::of(audit, *index, &others, &open);
        crossing.finding(audit, &provers, *index, own, &queues)
    });
    findings.into_iter().flatten().collect()
}

/// The queues of each environment.
fn by_environment<'n>(audit: &Audit<'_>, names: &'n Names) -> BTreeMap<&'n str, QueueSet> {
    let mut queues: BTreeMap<&str, QueueSet> = BTreeMap::new();
    for (audited, number) in audit.access.queues.iter().zip(0..) {
        let name = given_name(NamedKind::Queue, &audited.queue.arn);
        if let Some(environment) = name.and_then(|name| names.environment(name)) {
            queues.entry(environment).or_default().insert(number);
        }
    }
    queues
}

fn environment_of<'n>(principal: &Principal<'_>, names: &'n Names) -> Option<&'n str> {
    let kind = match principal.kind {
        Kind::User => NamedKind::User,
        _ => NamedKind::Role,
    };
    names.environment(given_name(kind, principal.arn)?)
}

/// What a principal may do with queues of other environments.
#[derive(Default)]
struct Crossing {
    queues: QueueSet,
    /// Those of them on which something holds whatever the circumstances.
    surely: QueueSet,
    capabilities: BTreeSet<Capability>,
    conditions: BTreeSet<String>,
}

impl Crossing {
    /// Where anyone may do the same, nobody crosses by a right of its own: `open` are those queues, for each of
    /// [`CAPABILITIES`].
    fn of(audit: &Audit<'_>, index: usize, others: &QueueSet, open: &[QueueSet; 2]) -> Self {
        let mut crossing = Self::default();
        for rights in audit.access.rights(index) {
            if rights.queues.is_disjoint(others) {
                continue;
            }
            let crossed = &*rights.queues & others;
            for (capability, open) in CAPABILITIES.into_iter().zip(open) {
                let when = rights.on_each().when(capability);
                let crossed = &crossed - open;
                if crossed.is_empty() || !when.rests_on_what_was_read() {
                    continue;
                }
                crossing.capabilities.insert(capability);
                crossing.queues |= &crossed;
                if when.is_always() {
                    crossing.surely |= &crossed;
                } else {
                    crossing.conditions.extend(when.conditions());
                }
            }
        }
        crossing
    }

    fn finding(
        self,
        audit: &Audit<'_>,
        provers: &Provers<'_>,
        index: usize,
        own: &str,
        by_environment: &BTreeMap<&str, QueueSet>,
    ) -> Option<Finding> {
        if self.queues.is_empty() {
            return None;
        }
        let principal = audit.access.principals.get(index)?;
        let account = audit.access.account(principal.account)?;
        let prover = provers.of(index)?;
        let certainty = if self.surely.is_empty() {
            Certainty::Conditional
        } else {
            Certainty::Allowed
        };
        let mut resources: Vec<ResourceRef> = Vec::new();
        let mut proofs = Vec::new();
        let mut more_evidence = 0;
        for (queue, audited) in audit.access.queues_of(&self.queues).take(MOST_RESOURCES) {
            let arn = audited.queue.arn.shared();
            if resources.len() < MOST_PROVED {
                for capability in CAPABILITIES {
                    let proved = prover.prove(queue, capability);
                    let named = proved.iter().take(MOST_STATEMENTS);
                    proofs.extend(named.map(|proof| evidence(proof, &arn)));
                    more_evidence += proved.len().saturating_sub(MOST_STATEMENTS) as u64;
                }
            }
            let is_sure = u32::try_from(queue).is_ok_and(|number| self.surely.contains(number));
            resources.push(ResourceRef {
                entity: Entity::new(Kind::Queue, arn),
                certainty: if is_sure {
                    Certainty::Allowed
                } else {
                    Certainty::Conditional
                },
                grade: None,
            });
        }
        proofs.sort();
        proofs.dedup();
        let reached: Vec<String> = by_environment
            .iter()
            .filter(|(environment, queues)| {
                **environment != own && !queues.is_disjoint(&self.queues)
            })
            .map(|(environment, queues)| {
                let number = queues.intersection_len(&self.queues);
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                format!("{} of {environment}", count(number, "queue"))
            })
            .collect();
        let does: Vec<String> = self
            .capabilities
            .iter()
            .map(|capability| match capability {
                Capability::Send => "send to".to_owned(),
                _ => "receive from".to_owned(),
            })
            .collect();
        let queues = match resources.as_slice() {
            [only] => short(&only.entity),
            _ => list(&reached),
        };
        let can = match certainty {
            Certainty::Allowed => "can",
            Certainty::Conditional => "can, under conditions,",
        };
        let subject = Entity::new(principal.kind, principal.arn.shared());
        Some(Finding {
            id: finding_id(RULE, &account.id, &subject),
            rule: RULE,
            severity: Severity::Medium.lowered(u8::from(certainty == Certainty::Conditional)),
            title: format!(
                "{} {} of {own} {can} {} {queues}",
                principal.kind,
                principal.arn.name(),
                does.join(" and ")
            ),
            detail: format!(
                "By its name the {} belongs to {own}; it reaches {}.",
                principal.kind,
                list(&reached)
            ),
            account: account.id.clone(),
            region: "global".to_owned(),
            subject,
            principals: vec![principal_ref(principal)],
            more_resources: self.queues.len().saturating_sub(resources.len() as u64),
            resources,
            certainty,
            conditions: match certainty {
                Certainty::Allowed => Vec::new(),
                Certainty::Conditional => self.conditions.into_iter().collect(),
            },
            evidence: proofs,
            more_evidence,
            remedy: format!(
                "Confine its statements to queues of {own}. What is meant to cross environments gets a role of its own, named \
                 in `exceptions` in [names] of patscan.toml."
            ),
        })
    }
}
