//! `direct-user-policy`: a user holds a policy of its own instead of getting rights from a group.

use std::sync::Arc;

use super::{Audit, count, holder, list};
use crate::access::{Layer, Policy};
use crate::account::User;
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Kind, ResourceRef, Severity, finding_id,
};
use crate::policy::{Effect, ResourcePattern};

const RULE: &str = "direct-user-policy";

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    audit
        .accounts
        .iter()
        .flat_map(|account| account.users.iter().map(move |user| (account, user)))
        .filter(|(_, user)| !user.inline.is_empty() || !user.attached.is_empty())
        .map(|(account, user)| {
            let subject = Entity::new(Kind::User, user.arn.shared());
            let own = policies(audit, user);
            let grants_everything =
                own.iter().any(|policy| {
                    policy.document.statements().iter().any(|statement| {
                        statement.effect == Effect::Allow && statement.is_unlimited()
                    })
                });
            let everything = if grants_everything {
                ", which grants everything"
            } else {
                ""
            };
            Finding {
                id: finding_id(RULE, &account.id, &subject),
                rule: RULE,
                severity: if grants_everything {
                    Severity::High
                } else {
                    Severity::Medium
                },
                title: format!(
                    "user {} holds {} itself, not through a group",
                    user.arn.name(),
                    held(user)
                ),
                detail: format!(
                    "The user holds {}{everything}. {}.",
                    held(user),
                    membership(user)
                ),
                account: account.id.clone(),
                region: "global".to_owned(),
                principals: vec![holder(subject.clone())],
                resources: user
                    .attached
                    .iter()
                    .map(|arn| ResourceRef {
                        entity: Entity::new(Kind::Policy, arn.shared()),
                        certainty: Certainty::Allowed,
                        grade: None,
                    })
                    .collect(),
                more_resources: 0,
                certainty: Certainty::Allowed,
                conditions: Vec::new(),
                evidence: proof(&own).into(),
                more_evidence: 0,
                remedy: remedy(user),
                subject,
            }
        })
        .collect()
}

/// The parsed policies that the user holds directly.
fn policies(audit: &Audit<'_>, user: &User) -> Vec<Policy> {
    let principal = audit
        .access
        .principals
        .iter()
        .find(|principal| *principal.arn == user.arn);
    let own = |policy: &&Policy| {
        *policy.owner == *user.arn.as_str()
            || user
                .attached
                .iter()
                .any(|arn| *policy.owner == *arn.as_str())
    };
    principal
        .map(|principal| principal.policies.iter().filter(own).cloned().collect())
        .unwrap_or_default()
}

/// The policies in words: "inline policy a and attached policies b and c".
fn held(user: &User) -> String {
    let part = |how: &str, names: Vec<String>| match names.len() {
        0 => None,
        1 => Some(format!("{how} policy {}", list(&names))),
        _ => Some(format!("{how} policies {}", list(&names))),
    };
    let inline = user.inline.iter().map(|policy| policy.name.clone());
    let attached = user.attached.iter().map(|arn| arn.name().to_owned());
    let parts: Vec<String> = [
        part("inline", inline.collect()),
        part("attached", attached.collect()),
    ]
    .into_iter()
    .flatten()
    .collect();
    list(&parts)
}

fn membership(user: &User) -> String {
    if user.groups.is_empty() {
        "The user is in no group".to_owned()
    } else {
        format!(
            "The user is in {}: {}",
            count(user.groups.len(), "group"),
            list(&user.groups)
        )
    }
}

fn remedy(user: &User) -> String {
    let group = match user.groups.as_slice() {
        [] => "a group that stands for the user's task".to_owned(),
        [only] => format!("the group {only}, if all its members need them"),
        groups => format!(
            "the one of the groups {} whose members need them",
            list(groups)
        ),
    };
    format!(
        "Give the rights to {group}, and take them from the user. A service gets a role instead."
    )
}

/// The statements of the policies, each with its actions and resources as written.
pub(super) fn proof(policies: &[Policy]) -> Vec<Evidence> {
    let mut all: Vec<Evidence> = policies
        .iter()
        .flat_map(|policy| {
            policy.document.statements().iter().map(|statement| {
                let resources: Vec<&str> = statement
                    .resources
                    .iter()
                    .flat_map(|resources| &resources.patterns)
                    .map(ResourcePattern::text)
                    .collect();
                Evidence {
                    capability: statement.actions.texts.join(", ").into(),
                    resource: Arc::from(resources.join(", ")),
                    layer: Layer::Identity.as_str(),
                    policy: Arc::clone(&policy.name),
                    statement: Arc::clone(&statement.label),
                    effect: statement.effect.as_str(),
                }
            })
        })
        .collect();
    all.sort();
    all
}
