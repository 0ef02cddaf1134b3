//! `user-as-service`: a user with an active access key has rights on queues.

use std::collections::BTreeSet;

use roaring::MultiOps;

use super::{Audit, count, evidence, list, principal_ref, short};
use crate::access::{Capability, Principal, Provers, QueueSet};
use crate::account::{AccessKeys, User};
use crate::finding::{
    Certainty, Entity, Finding, Kind, MOST_RESOURCES, ResourceRef, Severity, finding_id,
};
use crate::parallel::in_parallel;

const RULE: &str = "user-as-service";
/// Queues whose rights are statements statement by statement; the others are alike.
const MOST_PROVED: usize = 5;
/// Statements that are named of those which give one capability on one queue.
const MOST_STATEMENTS: usize = 3;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let provers = audit.access.provers();
    let users: Vec<(usize, &User)> = users(audit).collect();
    let found = in_parallel(&users, |(index, user)| {
        finding(audit, &provers, *index, user)
    });
    found.into_iter().flatten().collect()
}

/// The users of all accounts, each with its index among the principals.
pub(super) fn users<'a>(audit: &Audit<'a>) -> impl Iterator<Item = (usize, &'a User)> {
    let (access, accounts) = (audit.access, audit.accounts);
    access
        .principals
        .iter()
        .enumerate()
        .filter(|(_, principal)| principal.kind == Kind::User)
        .filter_map(move |(index, principal)| {
            let users = &accounts.get(principal.account)?.users;
            let place = users.binary_search_by(|user| user.arn.cmp(principal.arn));
            Some((index, users.get(place.ok()?)?))
        })
}

/// The active access keys of a user; none when it has none, or when nothing is known of them.
pub(super) fn active_keys(user: &User) -> Option<&AccessKeys> {
    user.access_keys.as_ref().filter(|keys| keys.active > 0)
}

/// Whether the rule tells of a user.
pub(super) fn is_told(audit: &Audit<'_>, index: usize, user: &User) -> bool {
    active_keys(user).is_some()
        && !audit.graph.is_administrator(index)
        && !Held::by(audit, index).queues.is_empty()
}

/// What a user may do with queues.
#[derive(Default)]
struct Held {
    queues: QueueSet,
    /// Those of them on which something holds whatever the circumstances.
    surely: QueueSet,
    capabilities: BTreeSet<Capability>,
    conditions: BTreeSet<String>,
}

impl Held {
    fn by(audit: &Audit<'_>, index: usize) -> Self {
        let mut held = Self::default();
        let mut sets = Vec::new();
        for rights in audit.access.rights(index) {
            let sessions = rights.on_each();
            let (mut is_held, mut is_sure) = (false, false);
            for capability in Capability::ALL {
                let when = sessions.when(capability);
                if !when.rests_on_what_was_read() {
                    continue;
                }
                held.capabilities.insert(capability);
                is_held = true;
                if when.is_always() {
                    is_sure = true;
                } else {
                    held.conditions.extend(when.conditions());
                }
            }
            if is_held {
                sets.push((rights.queues, is_sure));
            }
        }
        // One after the other would go through what is held already for each of a thousand groups.
        held.queues = sets.iter().map(|(queues, _)| &**queues).union();
        let sure = sets.iter().filter(|(_, is_sure)| *is_sure);
        held.surely = sure.map(|(queues, _)| &**queues).union();
        held
    }

    fn certainty(&self) -> Certainty {
        if self.surely.is_empty() {
            Certainty::Conditional
        } else {
            Certainty::Allowed
        }
    }
}

fn finding(audit: &Audit<'_>, provers: &Provers<'_>, index: usize, user: &User) -> Option<Finding> {
    let keys = active_keys(user)?;
    // Who administers the account with a key is a matter of keys, not of queues.
    if audit.graph.is_administrator(index) {
        return None;
    }
    let held = Held::by(audit, index);
    if held.queues.is_empty() {
        return None;
    }
    let principal = audit.access.principals.get(index)?;
    let account = audit.access.account(principal.account)?;
    let holder = provers.of(index)?;
    let certainty = held.certainty();
    let mut resources: Vec<ResourceRef> = Vec::new();
    let mut proofs = Vec::new();
    let mut more_evidence = 0;
    for (queue, audited) in audit.access.queues_of(&held.queues).take(MOST_RESOURCES) {
        let arn = audited.queue.arn.shared();
        if resources.len() < MOST_PROVED {
            for capability in &held.capabilities {
                let statements = holder.prove(queue, *capability);
                let named = statements.iter().take(MOST_STATEMENTS);
                proofs.extend(named.map(|proof| evidence(proof, &arn)));
                more_evidence += statements.len().saturating_sub(MOST_STATEMENTS) as u64;
            }
        }
        let is_sure = u32::try_from(queue).is_ok_and(|number| held.surely.contains(number));
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
    // Members of groups are mostly people, whose keys are a lesser matter than a service without a role.
    let base = if user.groups.is_empty() {
        Severity::Medium
    } else {
        Severity::Low
    };
    let subject = Entity::new(Kind::User, user.arn.shared());
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity: base.lowered(u8::from(certainty == Certainty::Conditional)),
        title: title(principal, keys, &held, &resources),
        detail: detail(user, keys),
        account: account.id.clone(),
        region: "global".to_owned(),
        subject,
        principals: vec![principal_ref(principal)],
        more_resources: held.queues.len().saturating_sub(resources.len() as u64),
        resources: resources.into(),
        certainty,
        conditions: match certainty {
            Certainty::Allowed => Vec::new(),
            Certainty::Conditional => held.conditions.into_iter().collect(),
        },
        evidence: proofs.into(),
        more_evidence,
        remedy: "Give the service a role: that of its function, instance, task or pod, or one that it assumes with a federated \
                 identity where it runs outside AWS. Then delete the key. A person signs in through IAM Identity Center or a \
                 group instead."
            .to_owned(),
    })
}

fn title(
    principal: &Principal<'_>,
    keys: &AccessKeys,
    held: &Held,
    resources: &[ResourceRef],
) -> String {
    let may = match held.certainty() {
        Certainty::Allowed => "may",
        Certainty::Conditional => "may, under conditions,",
    };
    let does: Vec<String> = held
        .capabilities
        .iter()
        .map(|capability| capability.as_str().to_owned())
        .collect();
    let queues = match resources {
        [only] => short(&only.entity),
        _ => format!("{} queues", held.queues.len()),
    };
    format!(
        "user {} works with {} and {may} {} on {queues}",
        principal.arn.name(),
        count(keys.active as usize, "access key"),
        list(&does)
    )
}

fn detail(user: &User, keys: &AccessKeys) -> String {
    let made = match (keys.oldest, keys.newest) {
        (Some(oldest), Some(newest)) if oldest != newest => format!(
            ", made on {} and {}",
            oldest.format("%Y-%m-%d"),
            newest.format("%Y-%m-%d")
        ),
        (Some(made), _) => format!(", made on {}", made.format("%Y-%m-%d")),
        (None, _) => String::new(),
    };
    let active = match keys.active {
        1 => "An access key is active".to_owned(),
        number => format!("{} are active", count(number as usize, "access key")),
    };
    let (it, does, copy) = if keys.active == 1 {
        ("It", "does", "of it")
    } else {
        ("They", "do", "of one")
    };
    let groups = match user.groups.as_slice() {
        [] => "The user is in no group, as services are.".to_owned(),
        groups => format!(
            "The user is in {}, as people are: a person's key, or a service that borrows a person's rights.",
            list(groups)
        ),
    };
    let by_itself = if keys.active == 1 {
        "itself"
    } else {
        "themselves"
    };
    format!(
        "{active}{made}. {it} {does} not expire by {by_itself}, and whoever has a copy {copy} is the user. {groups}"
    )
}
