//! `user-without-group`: a user who can do something is in no group.

use super::user_as_service::{self, active_keys, users};
use super::{Audit, count, direct_user_policy, evidence, holder, list};
use crate::access::{Capability, Provers};
use crate::account::User;
use crate::finding::{Certainty, Entity, Evidence, Finding, Kind, Severity, finding_id};

const RULE: &str = "user-without-group";

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let provers = audit.access.provers();
    users(audit)
        .filter(|(_, user)| user.groups.is_empty())
        // A service is no person: what it takes is a role and not a group.
        .filter(|(index, user)| !user_as_service::is_told(audit, *index, user))
        .filter_map(|(index, user)| finding(audit, &provers, index, user))
        .collect()
}

fn finding(audit: &Audit<'_>, provers: &Provers<'_>, index: usize, user: &User) -> Option<Finding> {
    let account = audit
        .access
        .account(audit.access.principals.get(index)?.account)?;
    let held = held(audit, index, user)?;
    let evidence = proof(audit, provers, index, user);
    let subject = Entity::new(Kind::User, user.arn.shared());
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        // A key that opens nothing is only worth knowing.
        severity: if evidence.is_empty() {
            Severity::Info
        } else {
            Severity::Low
        },
        title: format!("user {} is in no group", user.arn.name()),
        detail: format!(
            "The user has {held}. What every holder of a task is given, denied or required to do (a Deny without MFA, say) is \
             said once in a group, and does not reach this user."
        ),
        account: account.id.clone(),
        region: "global".to_owned(),
        principals: vec![holder(subject.clone())],
        resources: [].into(),
        more_resources: 0,
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
        evidence: evidence.into(),
        more_evidence: 0,
        remedy: "Add the user to the group of the task, and take back what it holds alone; delete the user if nobody works as it."
            .to_owned(),
        subject,
    })
}

/// What the user can do something with; none when that is nothing, or when nothing of it is known.
fn held(audit: &Audit<'_>, index: usize, user: &User) -> Option<String> {
    let mut held = Vec::new();
    match user.inline.len() + user.attached.len() {
        0 => {}
        1 => held.push("a policy of its own".to_owned()),
        number => held.push(format!("{number} policies of its own")),
    }
    if held.is_empty() && has_rights(audit, index) {
        held.push("rights that policies of queues give it".to_owned());
    }
    if let Some(keys) = active_keys(user) {
        held.push(format!(
            "{} that can be used",
            count(keys.active as usize, "access key")
        ));
    }
    (!held.is_empty()).then(|| list(&held))
}

fn has_rights(audit: &Audit<'_>, index: usize) -> bool {
    some_right(audit, index).is_some()
}

/// The first right on the first queue, where there are any.
fn some_right(audit: &Audit<'_>, index: usize) -> Option<(u32, Capability)> {
    let first = audit.access.rights(index).filter_map(|rights| {
        let has = |capability: &Capability| {
            let when = rights.on_each().when(*capability);
            when.rests_on_what_was_read()
        };
        let capability = Capability::ALL.into_iter().find(has)?;
        Some((rights.queues.min()?, capability))
    });
    first.min()
}

/// The statements of the user's own policies; without any, those that give one of the rights on queues.
fn proof(audit: &Audit<'_>, provers: &Provers<'_>, index: usize, user: &User) -> Vec<Evidence> {
    if !user.inline.is_empty() || !user.attached.is_empty() {
        let principal = audit.access.principals.get(index);
        return principal.map_or_else(Vec::new, |principal| {
            direct_user_policy::proof(&principal.policies)
        });
    }
    let proved = || {
        let (queue, capability) = some_right(audit, index)?;
        let arn = audit.access.queues.get(queue as usize)?.queue.arn.shared();
        let proofs = provers.of(index)?.prove(queue as usize, capability);
        Some(proofs.iter().map(|proof| evidence(proof, &arn)).collect())
    };
    let mut proofs: Vec<Evidence> = proved().unwrap_or_default();
    proofs.sort();
    proofs
}
