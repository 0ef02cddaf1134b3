//! `external-access`: a queue policy lets an account in that is neither the queue's own nor trusted.

use std::collections::BTreeSet;

use super::exposure::{self, Confinement, EXPOSED, Opening, Words};
use super::public_queue::{Reach, reach};
use super::{Audit, list, short};
use crate::access::{AuditedQueue, Capability, Outsider, Who};
use crate::finding::{Entity, Finding, Kind, Severity};
use crate::policy::{Atom, Formula};

const RULE: &str = "external-access";

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    audit
        .access
        .queues
        .iter()
        .filter_map(|audited| {
            let openings = openings(audit, audited);
            let name = audited.queue.arn.name();
            let can = exposure::capabilities(&openings);
            let who: BTreeSet<String> = openings.iter().map(|opening| label(&opening.who)).collect();
            let who = list(&who.into_iter().collect::<Vec<_>>());
            let words = Words {
                rule: RULE,
                title: format!("{who} can {can} queue {name}"),
                detail: format!(
                    "The policy of queue {name} lets {who} in, which is not among the trusted accounts."
                ),
                remedy: "Remove the grant, narrow it to the one role and action that need it, or list the account as \
                         trusted (--trusted-account ID) if it is yours."
                    .to_owned(),
            };
            exposure::finding(audit.access, audited, &openings, words)
        })
        .collect()
}

/// With the account where a name alone would not tell whose it is.
fn label(who: &Entity) -> String {
    match who.kind {
        Kind::Role | Kind::User => {
            let account = who.arn.split(':').nth(4).unwrap_or_default();
            format!("{} of account {account}", short(who))
        }
        _ => short(who),
    }
}

fn openings(audit: &Audit<'_>, audited: &AuditedQueue<'_>) -> Vec<Opening> {
    let own = audited.queue.arn.account();
    let is_trusted = |account: &str| {
        account == own
            || audit
                .settings
                .trusted
                .iter()
                .any(|id| id.as_str() == account)
    };
    let mut openings = Vec::new();
    for outsider in &audited.outsiders {
        for capability in EXPOSED {
            let when = outsider.when(capability);
            if when.is_never() || told_as_public(audited, outsider, capability) {
                continue;
            }
            let mut open = |who: Entity, severity: Severity| {
                openings.push(Opening::new(audited, outsider, who, capability, severity));
            };
            match &outsider.who {
                Who::Account(account) if !is_trusted(account) => {
                    open(outsider.who.entity(), named(capability));
                }
                Who::Principal(arn) if !is_trusted(arn.account()) => {
                    open(outsider.who.entity(), named(capability));
                }
                Who::AnyPrincipal => {
                    for id in unknown_ids(audit, when) {
                        open(Entity::new(Kind::User, id), named(capability));
                    }
                    for organization in organizations(when) {
                        let severity = named(capability).lowered(1);
                        open(Entity::new(Kind::Organization, organization), severity);
                    }
                }
                Who::Service(_) => {
                    for account in source_accounts(outsider, capability) {
                        if !is_trusted(&account) {
                            open(Entity::new(Kind::Account, account), Severity::Medium);
                        }
                    }
                }
                Who::Account(_) | Who::Principal(_) | Who::Anonymous => {}
            }
        }
    }
    openings
}

/// Whether `public-queue` tells already that the outsider gets in: where every principal does, or where it needs the network
/// that lets everyone in.
fn told_as_public(audited: &AuditedQueue<'_>, outsider: &Outsider, capability: Capability) -> bool {
    match reach(audited, capability) {
        Some(Reach::Anyone | Reach::AnyPrincipal) => true,
        Some(Reach::Network) => !exposure::open_to(outsider.when(capability), |confinement| {
            *confinement != Confinement::Network
        }),
        None => false,
    }
}

fn named(capability: Capability) -> Severity {
    match capability {
        Capability::Send => Severity::Medium,
        _ => Severity::High,
    }
}

/// Fixed user ids that the formula admits and that belong to nobody in the audited accounts.
fn unknown_ids(audit: &Audit<'_>, when: &Formula) -> BTreeSet<String> {
    let is_fixed_id = |confinement: &Confinement| matches!(confinement, Confinement::Accounts(accounts) if accounts.is_empty());
    let mut ids = BTreeSet::new();
    if exposure::open_to(when, is_fixed_id) {
        when.each_literal(&mut |literal| {
            if exposure::confinement(literal)
                .as_ref()
                .is_some_and(is_fixed_id)
                && let Atom::Test(test) = &*literal.atom
            {
                ids.extend(test.values().map(str::to_owned));
            }
        });
    }
    let belongs = |id: &str| {
        let unique_id = id.split(':').next().unwrap_or(id);
        audit
            .access
            .principals
            .iter()
            .any(|principal| principal.id == unique_id)
    };
    ids.retain(|id| !belongs(id));
    ids
}

/// The organizations that the formula admits.
fn organizations(when: &Formula) -> BTreeSet<String> {
    let admits = exposure::open_to(when, |confinement| {
        *confinement == Confinement::Organization
    });
    let mut organizations = BTreeSet::new();
    if admits {
        when.each_literal(&mut |literal| {
            if exposure::confinement(literal) == Some(Confinement::Organization)
                && let Atom::Test(test) = &*literal.atom
            {
                organizations.extend(
                    test.values()
                        .filter_map(|value| value.split('/').next())
                        .map(str::to_owned),
                );
            }
        });
    }
    organizations
}

/// The accounts of the sources on whose behalf a service may act.
fn source_accounts(outsider: &Outsider, capability: Capability) -> BTreeSet<String> {
    let mut accounts = BTreeSet::new();
    outsider.when(capability).each_literal(&mut |literal| {
        if let Some(Confinement::Source(named)) = exposure::confinement(literal) {
            accounts.extend(named);
        }
    });
    // Several tests must hold together: only accounts that all of them admit get through.
    accounts.retain(|account| {
        exposure::open_to(outsider.when(capability), |confinement| match confinement {
            Confinement::Source(named) => named.contains(account),
            _ => true,
        })
    });
    accounts
}
