//! `overbroad-wildcard`: Allow statements that grant more than one could mean.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::breadth::{self, Breadth};
use super::carriers::{Carrier, carriers};
use super::{Audit, holder, list, region, short, unused_wildcard};
use crate::access::{Capability, Policy, QueueSet, SQS_ACTIONS};
use crate::account::{Account, Queue};
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Kind, MOST_RESOURCES, PrincipalRef, ResourceRef,
    Severity, finding_id,
};
use crate::policy::{Effect, PolicyKind, PrincipalEntry, ResourceSet, Statement};

const RULE: &str = "overbroad-wildcard";

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, account) in audit.accounts.iter().enumerate() {
        let view = AccountView::new(audit, index, account);
        let carriers = carriers(audit, index, account);
        findings.extend(
            carriers
                .iter()
                .filter_map(|carrier| view.of_carrier(carrier)),
        );
        findings.extend(view.queue_policies());
    }
    findings
}

/// A statement that is too wide, and where it stands.
struct Wide<'p> {
    policy: &'p Policy,
    statement: &'p Statement,
    breadth: Breadth,
}

/// One account.
struct AccountView<'a> {
    audit: &'a Audit<'a>,
    index: usize,
    account: &'a Account,
    /// The account's queues.
    queues: QueueSet,
}

/// The queues that statements reach, as they stand.
struct Reached {
    /// Without condition.
    allowed: QueueSet,
    /// Under conditions only.
    conditional: QueueSet,
}

impl Reached {
    fn all(&self) -> QueueSet {
        &self.allowed | &self.conditional
    }

    fn is_empty(&self) -> bool {
        self.allowed.is_empty() && self.conditional.is_empty()
    }
}

impl<'a> AccountView<'a> {
    fn new(audit: &'a Audit<'a>, index: usize, account: &'a Account) -> Self {
        Self {
            audit,
            index,
            account,
            queues: audit
                .access
                .queues
                .iter()
                .zip(0..)
                .filter(|(audited, _)| audited.account == index)
                .map(|(_, number)| number)
                .collect(),
        }
    }

    fn of_carrier(&self, carrier: &Carrier) -> Option<Finding> {
        let wide = self.wide_statements(&carrier.policies);
        self.finding(carrier, &wide)
    }

    fn wide_statements<'p>(&self, policies: impl IntoIterator<Item = &'p Policy>) -> Vec<Wide<'p>> {
        policies
            .into_iter()
            .flat_map(|policy| {
                policy
                    .document
                    .statements()
                    .iter()
                    .map(move |statement| (policy, statement))
            })
            .filter(|(_, statement)| statement.effect == Effect::Allow)
            .filter_map(|(policy, statement)| {
                let breadth = self.breadth(statement)?;
                Some(Wide {
                    policy,
                    statement,
                    breadth,
                })
            })
            .collect()
    }

    /// How wide a statement of an identity-based policy is; none where `unused-wildcard` tells all there is to say of it.
    fn breadth(&self, statement: &Statement) -> Option<Breadth> {
        let may_be_used = Cell::new(false);
        let breadth = breadth::of_identity_statement(statement, &|pattern| {
            let reached = self.audit.access.reached_by(pattern);
            let number = reached.intersection_len(&self.queues);
            if number == 0 && !unused_wildcard::is_unused(self.audit, pattern) {
                may_be_used.set(true);
            }
            number
        })?;
        (!breadth.on_no_queue || may_be_used.get()).then_some(breadth)
    }

    fn finding(&self, carrier: &Carrier, wide: &[Wide<'_>]) -> Option<Finding> {
        let widest = wide.iter().max_by_key(|wide| wide.breadth.severity)?;
        let reached = self.reached(wide);
        let dormant = self.is_dormant(wide, &carrier.holders, &reached);
        let severity = if dormant {
            Severity::Info
        } else {
            widest.breadth.severity
        };
        let reasons = reasons(wide);
        let blocked = if dormant {
            " Today a boundary or a Deny blocks all of it for everyone who carries it."
        } else {
            ""
        };
        Some(self.build(
            carrier.subject.clone(),
            carrier.principals(self.audit),
            wide,
            &reached,
            severity,
            &format!("{}.{blocked}", list(&reasons)),
        ))
    }

    /// The queues that the statements reach.
    fn reached(&self, wide: &[Wide<'_>]) -> Reached {
        let mut allowed = QueueSet::new();
        let mut conditional = QueueSet::new();
        for wide in wide {
            if !wide.breadth.about_queues || !gives_capability(wide.statement) {
                continue;
            }
            let set = match certainty(wide.statement) {
                Certainty::Allowed => &mut allowed,
                Certainty::Conditional => &mut conditional,
            };
            if let Some(resources) = &wide.statement.resources {
                *set |= self.queues_of(resources);
            }
        }
        conditional -= &allowed;
        Reached {
            allowed,
            conditional,
        }
    }

    /// The account's queues among the resources of an identity statement.
    fn queues_of(&self, resources: &ResourceSet) -> QueueSet {
        let mut named = QueueSet::new();
        for pattern in &resources.patterns {
            named |= self.audit.access.reached_by(pattern);
        }
        if resources.negated {
            &self.queues - named
        } else {
            &self.queues & named
        }
    }

    /// Whether nobody who carries the statements holds any right on the queues that they reach. Only asked where they are
    /// about queues alone.
    fn is_dormant(&self, wide: &[Wide<'_>], holders: &BTreeSet<usize>, reached: &Reached) -> bool {
        let only_queues = wide.iter().all(|wide| {
            wide.statement
                .actions
                .texts
                .iter()
                .all(|text| text.to_lowercase().starts_with("sqs:"))
                && !wide.statement.actions.negated
        });
        if !only_queues || reached.is_empty() || holders.is_empty() {
            return false;
        }
        let queues = reached.all();
        let gives: Vec<Capability> = Capability::ALL
            .into_iter()
            .filter(|capability| {
                wide.iter().any(|wide| {
                    capability
                        .actions(true)
                        .iter()
                        .any(|action| wide.statement.actions.contains(action))
                })
            })
            .collect();
        !holders.iter().any(|holder| {
            self.audit.access.rights(*holder).any(|rights| {
                !rights.queues.is_disjoint(&queues)
                    && gives
                        .iter()
                        .any(|capability| rights.on_each().certainty(*capability).is_some())
            })
        })
    }

    fn queue_policies(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (audited, number) in self.audit.access.queues.iter().zip(0..) {
            let Some(policy) = audited
                .policy
                .as_ref()
                .filter(|_| audited.account == self.index)
            else {
                continue;
            };
            let own = audited.queue.arn.account();
            let wide: Vec<Wide<'_>> = policy
                .document
                .statements()
                .iter()
                .filter(|statement| {
                    statement.effect == Effect::Allow
                        && grants_somebody(statement, own)
                        && is_about(statement, audited.queue)
                })
                .filter_map(|statement| {
                    Some(Wide {
                        policy,
                        statement,
                        breadth: breadth::of_queue_statement(statement)?,
                    })
                })
                .collect();
            let Some(severity) = wide.iter().map(|wide| wide.breadth.severity).max() else {
                continue;
            };
            let certainty = wide.iter().map(|wide| certainty(wide.statement)).max();
            let mut principals: Vec<PrincipalRef> = wide
                .iter()
                .flat_map(|wide| named(wide.statement))
                .map(holder)
                .collect();
            principals.sort();
            principals.dedup();
            let only = QueueSet::from_iter([number]);
            let (allowed, conditional) = match certainty {
                Some(Certainty::Conditional) => (QueueSet::new(), only),
                _ => (only, QueueSet::new()),
            };
            let reached = Reached {
                allowed,
                conditional,
            };
            let subject = Entity::new(Kind::Queue, audited.queue.arn.shared());
            let detail = format!("{}.", list(&reasons(&wide)));
            findings.push(self.build(subject, principals, &wide, &reached, severity, &detail));
        }
        findings
    }

    fn build(
        &self,
        subject: Entity,
        principals: Vec<PrincipalRef>,
        wide: &[Wide<'_>],
        reached: &Reached,
        severity: Severity,
        detail: &str,
    ) -> Finding {
        let certainty = wide
            .iter()
            .map(|wide| certainty(wide.statement))
            .max()
            .unwrap_or(Certainty::Allowed);
        let mut conditions: Vec<String> = match certainty {
            Certainty::Allowed => Vec::new(),
            Certainty::Conditional => wide
                .iter()
                .flat_map(|wide| &wide.statement.conditions)
                .map(ToString::to_string)
                .collect(),
        };
        conditions.sort();
        conditions.dedup();
        let mut evidence: Vec<Evidence> =
            wide.iter().flat_map(|wide| proof(wide, &subject)).collect();
        evidence.sort();
        evidence.dedup();
        let widest = wide
            .iter()
            .max_by_key(|wide| wide.breadth.severity)
            .and_then(|wide| wide.breadth.reasons.first())
            .map_or_else(String::new, |reason| reason.text.clone());
        let all = reached.all();
        let named = self.audit.access.queues_of(&all).take(MOST_RESOURCES);
        let resources: Vec<ResourceRef> = named
            .map(|(index, audited)| ResourceRef {
                entity: Entity::new(Kind::Queue, audited.queue.arn.shared()),
                certainty: match u32::try_from(index) {
                    Ok(number) if reached.allowed.contains(number) => Certainty::Allowed,
                    _ => Certainty::Conditional,
                },
                grade: None,
            })
            .collect();
        Finding {
            id: finding_id(RULE, &self.account.id, &subject),
            rule: RULE,
            severity,
            title: format!("{} is too wide: {widest}", short(&subject)),
            detail: format!("Too wide: {detail}"),
            account: self.account.id.clone(),
            region: region(&subject.arn),
            principals,
            more_resources: all.len().saturating_sub(resources.len() as u64),
            resources: resources.into(),
            certainty,
            conditions,
            evidence: evidence.into(),
            more_evidence: 0,
            remedy: remedy(wide, severity, !reached.is_empty()).to_owned(),
            subject,
        }
    }
}

fn remedy(wide: &[Wide<'_>], severity: Severity, reaches_queues: bool) -> &'static str {
    if wide.iter().any(|wide| wide.statement.is_unlimited()) {
        "Give each holder what its task needs instead; keep full rights for the few who administer the account."
    } else if severity == Severity::Info {
        "Write the names out, so that nothing is added unseen."
    } else if !reaches_queues {
        "Name the actions and the resources that are used."
    } else {
        "Name the actions and the resources that are used. A generator needs sqs:SendMessage; a consumer \
         sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes."
    }
}

/// The reasons of all statements, the gravest first, each once.
fn reasons(wide: &[Wide<'_>]) -> Vec<String> {
    let mut reasons: Vec<_> = wide.iter().flat_map(|wide| &wide.breadth.reasons).collect();
    reasons.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| a.text.cmp(&b.text))
    });
    let mut texts: Vec<String> = Vec::new();
    for reason in reasons {
        if !texts.contains(&reason.text) {
            texts.push(reason.text.clone());
        }
    }
    texts
}

fn certainty(statement: &Statement) -> Certainty {
    if statement.conditions.is_empty() {
        Certainty::Allowed
    } else {
        Certainty::Conditional
    }
}

/// Whether a statement gives some capability.
fn gives_capability(statement: &Statement) -> bool {
    SQS_ACTIONS.iter().any(|action| {
        action.capability.is_some() && statement.actions.contains(&action.name.to_lowercase())
    })
}

/// Whether the resources of a queue policy's statement include the queue.
fn is_about(statement: &Statement, queue: &Queue) -> bool {
    let includes = |resources: &ResourceSet| {
        let matched = resources
            .patterns
            .iter()
            .any(|pattern| pattern.could_match(queue.arn.as_str(), PolicyKind::Resource));
        matched != resources.negated
    };
    statement.resources.as_ref().is_some_and(includes)
}

/// Whether a queue policy's statement gives anybody anything: naming the own account delegates and grants nothing (B.3).
fn grants_somebody(statement: &Statement, own: &str) -> bool {
    statement.principal.as_ref().is_some_and(|principal| {
        principal.negated
            || principal.entries.iter().any(|entry| match entry {
                PrincipalEntry::Account { account, .. } => account != own,
                PrincipalEntry::UniqueId(_) | PrincipalEntry::Unmatchable(_) => false,
                _ => true,
            })
    })
}

/// Whom a queue policy's statement names.
fn named(statement: &Statement) -> Vec<Entity> {
    let Some(principal) = &statement.principal else {
        return Vec::new();
    };
    if principal.negated {
        return vec![Entity::new(Kind::Anyone, "*")];
    }
    principal
        .entries
        .iter()
        .filter_map(|entry| match entry {
            PrincipalEntry::Everyone => Some(Entity::new(Kind::Anyone, "*")),
            PrincipalEntry::Account { account, .. } => {
                Some(Entity::new(Kind::Account, account.as_str()))
            }
            PrincipalEntry::User(arn) | PrincipalEntry::FederatedUser(arn) => {
                Some(Entity::new(Kind::User, arn.shared()))
            }
            PrincipalEntry::Role(arn) => Some(Entity::new(Kind::Role, arn.shared())),
            PrincipalEntry::Session(session) => Some(Entity::new(
                Kind::Role,
                format!(
                    "arn:{}:sts::{}:assumed-role/{}/{}",
                    session.partition, session.account, session.role, session.session
                ),
            )),
            PrincipalEntry::Service(name) => Some(Entity::new(Kind::Service, name.as_str())),
            PrincipalEntry::UniqueId(_)
            | PrincipalEntry::Federated(_)
            | PrincipalEntry::Unmatchable(_) => None,
        })
        .collect()
}

/// One entry for each pair of action and resource pattern of a statement.
fn proof(wide: &Wide<'_>, subject: &Entity) -> Vec<Evidence> {
    let layer = if subject.kind == Kind::Queue {
        "resource"
    } else {
        "identity"
    };
    let resources: Vec<Arc<str>> = match &wide.statement.resources {
        Some(resources) if subject.kind != Kind::Queue => resources
            .patterns
            .iter()
            .map(|pattern| {
                let not = if resources.negated { "not " } else { "" };
                Arc::from(format!("{not}{}", pattern.text()))
            })
            .collect(),
        _ => vec![Arc::clone(&subject.arn)],
    };
    let not = if wide.statement.actions.negated {
        "not "
    } else {
        ""
    };
    wide.statement
        .actions
        .texts
        .iter()
        .flat_map(|action| {
            resources.iter().map(move |resource| Evidence {
                capability: format!("{not}{action}").into(),
                resource: Arc::clone(resource),
                layer,
                policy: Arc::clone(&wide.policy.name),
                statement: Arc::clone(&wide.statement.label),
                effect: wide.statement.effect.as_str(),
            })
        })
        .collect()
}
