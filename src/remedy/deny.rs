//! The way out of `can-self-grant`: an explicit Deny of the messages that the principal lacks, which no queue policy that it
//! writes can lift. The work it does on the queues themselves stays possible.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Change, Owner};
use super::document::{document, statement, written};
use super::proof::Claims;
use super::{Ground, Plan, Proposal, account, free_name, is_not_ours, queues_in_words};
use crate::access::Capability;
use crate::account::{InlinePolicy, PolicyText};
use crate::entity::Kind;
use crate::finding::Finding;
use crate::policy::Effect;

pub(super) fn propose(ground: &Ground<'_>, finding: &Finding) -> Result<Proposal, String> {
    let account = account(ground, finding)?;
    let access = ground.access;
    let found = access
        .principals
        .iter()
        .enumerate()
        .find(|(_, principal)| principal.arn.as_str() == &*finding.subject.arn);
    let (index, principal) =
        found.ok_or_else(|| "the principal is not among those that were read".to_owned())?;
    if let Some(reason) = is_not_ours(principal.arn) {
        return Err(reason);
    }
    if principal.kind == Kind::User {
        return Err(
            "a Deny would be one more policy of the user's own: take the right to change the queues from its group"
                .to_owned(),
        );
    }
    // What it could gain, by queue.
    let mut lacking: BTreeMap<Arc<str>, Vec<&'static str>> = BTreeMap::new();
    for grant in access.queue_grants(index) {
        for (_, audited) in access.queues_of(&grant.queues) {
            let denied = lacking.entry(audited.queue.arn.shared()).or_default();
            for (capability, actions) in [
                (Capability::Send, &["sqs:sendmessage"][..]),
                (Capability::Receive, &["sqs:receivemessage"][..]),
            ] {
                if !grant.when(capability).is_never() {
                    denied.extend(actions);
                }
            }
        }
    }
    if lacking.is_empty() {
        return Err(
            "it can change IAM policies, its own among them, and so could lift any Deny: take that right from it"
                .to_owned(),
        );
    }
    let mut by_actions: BTreeMap<Vec<&'static str>, Vec<Arc<str>>> = BTreeMap::new();
    for (queue, mut actions) in lacking.clone() {
        actions.sort_unstable();
        actions.dedup();
        by_actions.entry(actions).or_default().push(queue);
    }
    let statements = by_actions
        .iter()
        .zip(1..)
        .map(|((actions, queues), number)| {
            let sid = match by_actions.len() {
                1 => "KeepsOffMessages".to_owned(),
                _ => format!("KeepsOffMessages{number}"),
            };
            let actions = actions.iter().map(|action| written(action));
            let queues = queues.iter().map(ToString::to_string);
            statement(&sid, Effect::Deny, actions, queues, None)
        });
    let text = document(statements.collect());
    let owner = Owner {
        kind: principal.kind,
        arn: principal.arn.clone(),
    };
    let role = account.roles.iter().find(|role| role.arn == *principal.arn);
    let mut taken = role
        .into_iter()
        .flat_map(|role| role.inline.iter().map(|policy| policy.name.as_str()));
    let name = free_name("KeepsOffMessages", 128, &mut taken);
    let mut claims = Claims::default();
    claims.principals.insert(principal.arn.shared());
    let names: Vec<&str> = lacking
        .keys()
        .map(|queue| queue.rsplit(':').next().unwrap_or(queue))
        .collect();
    let words = owner.words();
    let queues = queues_in_words(&names);
    Ok(Proposal {
        plan: Plan {
            gist: String::new(),
            changes: vec![Change::PutInline {
                owner,
                policy: InlinePolicy {
                    name,
                    document: PolicyText::new(&text),
                },
                replaces: false,
            }],
            placements: Vec::new(),
            notes: vec![
                "Where it does not need to change queues at all, take sqs:SetQueueAttributes and sqs:AddPermission from it instead."
                    .to_owned(),
            ],
        },
        claims,
        promises: vec![
            format!("{words} cannot let itself send to or receive from {queues} any more, whatever queue policy it writes"),
            format!("{words} keeps every right on queues that it has"),
        ],
    })
}
