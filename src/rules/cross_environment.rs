//! `cross-environment`: a principal of one environment can send to or receive from a queue of another.
//!
//! The subject is the principal; where a queue's policy lets everyone in, it is the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::{NamedKind, Names, given_name};
use super::{Audit, Parameter, count, evidence, list, principal_ref, region, short};
use crate::access::{AuditedQueue, Capability, Principal, Provers, QueueSet};
use crate::finding::{
    Certainty, Entity, Finding, Kind, MOST_RESOURCES, ResourceRef, Severity, finding_id,
};
use crate::parallel::in_parallel;
use crate::policy::{Effect, PrincipalEntry};

const RULE: &str = "cross-environment";

pub(super) const ONE_BY_ONE: Parameter = Parameter {
    name: "one-by-one",
    meaning: "principals that are told one by one where a queue's policy lets everyone in; more are one finding of the queue",
    usual: 20,
};

/// Queues whose rights are statements statement by statement; the others are alike.
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
    let provers = audit.access.provers();
    let principals: Vec<usize> = (0..audit.access.principals.len())
        .filter(|principal| !audit.graph.is_administrator(*principal))
        .collect();
    let crossings = in_parallel(&principals, |index| {
        let own = environment_of(audit.access.principals.get(*index)?, names)?;
        let crossing = Crossing::of(audit, (*index, own), &others(&queues, own));
        (!crossing.queues.is_empty()).then_some(crossing)
    });
    let crossings: Vec<Crossing<'_>> = crossings.into_iter().flatten().collect();
    let most = audit.settings.parameter(RULE, &ONE_BY_ONE);
    let crowded = crowded(audit, &crossings, most);
    let of_queues: Vec<Finding> = audit
        .access
        .queues_of(&crowded)
        .filter_map(|(queue, _)| of_queue(audit, &provers, names, queue, &crossings))
        .collect();
    let findings = in_parallel(&crossings, |crossing| {
        if crossing.queues.is_disjoint(&crowded) {
            return crossing.finding(audit, &provers, &queues);
        }
        let own = crossing.own;
        let uncrowded = others(&queues, own) - &crowded;
        Crossing::of(audit, (crossing.principal, own), &uncrowded).finding(audit, &provers, &queues)
    });
    findings.into_iter().flatten().chain(of_queues).collect()
}

/// The queues whose policy lets everyone in, and that more principals of other environments can use than are told
/// one by one: one would change the policy and not each of them.
fn crowded(audit: &Audit<'_>, crossings: &[Crossing<'_>], most: u64) -> QueueSet {
    let lets_everyone_in = |audited: &AuditedQueue<'_>| {
        let policy = audited.policy.iter();
        let mut statements = policy.flat_map(|policy| policy.document.statements());
        statements.any(|statement| {
            statement.effect == Effect::Allow
                && CAPABILITIES.iter().any(|capability| {
                    let actions = capability.actions(false);
                    actions
                        .iter()
                        .any(|action| statement.actions.contains(action))
                })
                && statement.principal.as_ref().is_some_and(|principal| {
                    principal.negated || principal.entries.contains(&PrincipalEntry::Everyone)
                })
        })
    };
    let wide: QueueSet = audit
        .access
        .queues
        .iter()
        .zip(0..)
        .filter(|(audited, _)| lets_everyone_in(audited))
        .map(|(_, number)| number)
        .collect();
    let mut users: BTreeMap<u32, u64> = BTreeMap::new();
    for crossing in crossings {
        for queue in &(&crossing.queues & &wide) {
            *users.entry(queue).or_default() += 1;
        }
    }
    users
        .into_iter()
        .filter(|(_, number)| *number > most)
        .map(|(queue, _)| queue)
        .collect()
}

/// The finding of a queue that many principals of other environments can use by its own policy.
fn of_queue(
    audit: &Audit<'_>,
    provers: &Provers<'_>,
    names: &Names,
    queue: usize,
    crossings: &[Crossing<'_>],
) -> Option<Finding> {
    let number = u32::try_from(queue).ok()?;
    let audited = audit.access.queues.get(queue)?;
    let account = audit.access.account(audited.account)?;
    let name = given_name(NamedKind::Queue, &audited.queue.arn)?;
    let own = names.environment(name)?;
    let users: Vec<&Crossing<'_>> = crossings
        .iter()
        .filter(|crossing| crossing.queues.contains(number))
        .collect();
    let certainty = if users.iter().any(|user| user.surely.contains(number)) {
        Certainty::Allowed
    } else {
        Certainty::Conditional
    };
    let arn = audited.queue.arn.shared();
    let mut proofs = Vec::new();
    for user in users.iter().take(MOST_PROVED) {
        let holder = provers.of(user.principal)?;
        for capability in CAPABILITIES {
            let statements = holder.prove(queue, capability);
            let shown = statements.iter().take(MOST_STATEMENTS);
            proofs.extend(shown.map(|proof| evidence(proof, &arn)));
        }
    }
    proofs.sort();
    proofs.dedup();
    let mut conditions = BTreeSet::new();
    if certainty == Certainty::Conditional {
        let rights = users
            .iter()
            .filter_map(|user| audit.access.rights_on(user.principal, queue));
        for rights in rights {
            for capability in CAPABILITIES {
                conditions.extend(rights.when(capability).conditions());
            }
        }
    }
    let principals = users
        .iter()
        .filter_map(|user| audit.access.principals.get(user.principal));
    let subject = Entity::new(Kind::Queue, arn);
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity: Severity::Medium.lowered(u8::from(certainty == Certainty::Conditional)),
        title: format!(
            "queue {name} of {own} can be used by {} of other environments",
            count(users.len(), "principal")
        ),
        detail:
            "A statement of the queue's policy is for everyone; of those who can use it the first hundred are named."
                .to_owned(),
        account: account.id.clone(),
        region: region(&subject.arn),
        principals: principals.take(MOST_RESOURCES).map(principal_ref).collect(),
        resources: Arc::new([ResourceRef {
            entity: subject.clone(),
            certainty,
            grade: None,
        }]),
        more_resources: 0,
        certainty,
        conditions: conditions.into_iter().collect(),
        evidence: proofs.into(),
        more_evidence: 0,
        remedy: format!("Name the roles of {own} in the policy of the queue instead of everyone."),
        subject,
    })
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

/// The queues of every environment but one.
fn others(by_environment: &BTreeMap<&str, QueueSet>, own: &str) -> QueueSet {
    let mut others = QueueSet::new();
    for (environment, queues) in by_environment {
        if *environment != own {
            others |= queues;
        }
    }
    others
}

fn environment_of<'n>(principal: &Principal<'_>, names: &'n Names) -> Option<&'n str> {
    let kind = match principal.kind {
        Kind::User => NamedKind::User,
        _ => NamedKind::Role,
    };
    names.environment(given_name(kind, principal.arn)?)
}

/// What a principal may do with queues of other environments.
struct Crossing<'n> {
    /// Its index.
    principal: usize,
    /// Its own environment.
    own: &'n str,
    queues: QueueSet,
    /// Those of them on which something holds whatever the circumstances.
    surely: QueueSet,
    capabilities: BTreeSet<Capability>,
    conditions: BTreeSet<String>,
}

impl<'n> Crossing<'n> {
    fn of(audit: &Audit<'_>, (principal, own): (usize, &'n str), others: &QueueSet) -> Self {
        let mut crossing = Self {
            principal,
            own,
            queues: QueueSet::new(),
            surely: QueueSet::new(),
            capabilities: BTreeSet::new(),
            conditions: BTreeSet::new(),
        };
        for rights in audit.access.rights(principal) {
            if rights.queues.is_disjoint(others) {
                continue;
            }
            let crossed = &*rights.queues & others;
            for capability in CAPABILITIES {
                let when = rights.on_each().when(capability);
                if !when.rests_on_what_was_read() {
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
        &self,
        audit: &Audit<'_>,
        provers: &Provers<'_>,
        by_environment: &BTreeMap<&str, QueueSet>,
    ) -> Option<Finding> {
        if self.queues.is_empty() {
            return None;
        }
        let own = self.own;
        let principal = audit.access.principals.get(self.principal)?;
        let account = audit.access.account(principal.account)?;
        let holder = provers.of(self.principal)?;
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
                    let statements = holder.prove(queue, capability);
                    let shown = statements.iter().take(MOST_STATEMENTS);
                    proofs.extend(shown.map(|proof| evidence(proof, &arn)));
                    more_evidence += statements.len().saturating_sub(MOST_STATEMENTS) as u64;
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
            resources: resources.into(),
            certainty,
            conditions: match certainty {
                Certainty::Allowed => Vec::new(),
                Certainty::Conditional => self.conditions.iter().cloned().collect(),
            },
            evidence: proofs.into(),
            more_evidence,
            remedy: format!(
                "Confine its statements to queues of {own}. What is meant to cross environments gets a role of its own, named \
                 in `exceptions` in [names] of patscan.toml."
            ),
        })
    }
}
