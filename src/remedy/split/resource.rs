//! The policies of queues and keys that name the old role: the new one takes its place where they let it send, and stands beside
//! it where they let it use a key.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::change::Change;
use super::super::document::{
    Draft, Obstacle, Said, actions_without, as_text, member, texts, with, written,
};
use super::{KEY_USES, SEND, Split, contained, unneeded_by_pattern};
use crate::access::{Capability, Layer};
use crate::account::{PolicyText, Queue};
use crate::arn::Arn;
use crate::policy::{Effect, Json, PolicyKind, Statement};

impl<'a> Split<'a> {
    /// Whether the policy of a queue gives the role sending only where it names the role.
    pub(super) fn check_queue_policy(&self, queue: &'a Queue) -> Result<(), Obstacle> {
        let Some(text) = policy_of(queue) else {
            return Ok(());
        };
        let draft = Draft::read(text, PolicyKind::Resource).map_err(|obstacle| {
            format!(
                "the policy of queue {} cannot be changed: {obstacle}",
                queue.arn.resource()
            )
        })?;
        let giving = self.labels_that_give_sending(queue);
        for said in &draft.statements {
            if giving.contains(said.label.as_str()) && !self.names_role(said) {
                return Err(format!(
                    "statement {} of the policy of queue {} lets the role send without naming it",
                    said.label,
                    queue.arn.resource()
                ));
            }
            if self.names_role(said)
                && let Some(parsed) = said.parsed.as_ref().filter(|one| !one.actions.negated)
            {
                actions_without(said, parsed, &[SEND])?;
            }
        }
        Ok(())
    }

    /// The statements of a queue's policy that give the role sending.
    fn labels_that_give_sending(&self, queue: &Queue) -> BTreeSet<Arc<str>> {
        let provers = self.ground.access.provers();
        let Some(prover) = provers.of(self.index) else {
            return BTreeSet::new();
        };
        let mut known = self.queues.iter();
        let Some((index, _)) = known.find(|(_, known)| known.arn == queue.arn) else {
            return BTreeSet::new();
        };
        // Any session, then those of workloads.
        let sessions = 0..=self.principal.workloads.len();
        sessions
            .flat_map(|session| {
                let workload = session.checked_sub(1);
                prover.prove_as(workload, *index, Capability::Send).to_vec()
            })
            .filter(|proof| proof.layer == Layer::Resource && proof.effect == Effect::Allow)
            .map(|proof| proof.statement)
            .collect()
    }

    /// Whether a statement of a resource's policy allows something and names the role as a principal.
    fn names_role(&self, said: &Said<'_>) -> bool {
        said.parsed
            .as_ref()
            .is_some_and(|parsed| parsed.effect == Effect::Allow)
            && member(&said.json, "Principal")
                .and_then(|principal| member(principal, "AWS"))
                .is_some_and(|entries| entries_of(entries).any(|one| one == self.role.arn.as_str()))
    }

    /// The policies of queues that name the role for sending, with the new role in its place.
    pub(super) fn queue_policies(&self, by_deny: bool) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        for (_, queue) in &self.queues {
            let Some(text) = policy_of(queue) else {
                continue;
            };
            let name = queue.arn.resource();
            let draft = Draft::read(text, PolicyKind::Resource).map_err(|obstacle| {
                format!("the policy of queue {name} cannot be changed: {obstacle}")
            })?;
            let mut statements = Vec::new();
            let mut differs = false;
            for said in &draft.statements {
                let giving = said
                    .parsed
                    .as_ref()
                    .filter(|parsed| parsed.actions.contains(SEND) && self.names_role(said));
                let Some(parsed) = giving else {
                    statements.push(said.json.clone());
                    continue;
                };
                differs = true;
                if by_deny {
                    statements.push(said.json.clone());
                } else {
                    statements.extend(self.without_role(&said.json));
                    statements.extend(self.of_consumer(said, parsed)?);
                }
                statements.push(self.of_sender(said));
            }
            if differs {
                changes.push(Change::SetQueuePolicy {
                    queue: queue.arn.clone(),
                    url: queue.url.clone(),
                    document: PolicyText::new(&draft.write(statements)),
                });
            }
        }
        Ok(changes)
    }

    /// A statement of a queue's policy without the role among its principals; none where it names nobody else.
    fn without_role(&self, json: &Json<'a>) -> Option<Json<'a>> {
        let Some(Json::Object(kinds)) = member(json, "Principal") else {
            return Some(json.clone());
        };
        let kinds: Vec<(Cow<'a, str>, Json<'a>)> = kinds
            .iter()
            .filter_map(|(kind, entries)| {
                let others = entries_of(entries)
                    .filter(|entry| kind != "AWS" || *entry != self.role.arn.as_str());
                let others: Vec<String> = others.map(str::to_owned).collect();
                (!others.is_empty()).then(|| (kind.clone(), texts(others)))
            })
            .collect();
        (!kinds.is_empty()).then(|| with(json, "Principal", Some(Json::Object(kinds))))
    }

    /// What a statement of a queue's policy leaves to the old role.
    fn of_consumer(&self, said: &Said<'a>, parsed: &Statement) -> Result<Option<Json<'a>>, String> {
        let alone = with(&said.json, "Principal", Some(aws(&self.role.arn)));
        let name = Json::String(suffixed(said, "Consumer").into());
        let alone = with(&alone, "Sid", Some(name));
        if parsed.actions.negated {
            let others = parsed.actions.texts.iter().cloned().chain([written(SEND)]);
            return Ok(Some(with(&alone, "NotAction", Some(texts(others)))));
        }
        let unneeded: Vec<String> = unneeded_by_pattern(parsed)
            .iter()
            .map(|name| name.to_lowercase())
            .collect();
        let taken: Vec<&str> = std::iter::once(SEND)
            .chain(unneeded.iter().map(String::as_str))
            .collect();
        let actions = actions_without(said, parsed, &taken)?;
        Ok((!actions.is_empty()).then(|| with(&alone, "Action", Some(texts(actions)))))
    }

    /// What a statement of a queue's policy gives the new role.
    fn of_sender(&self, said: &Said<'a>) -> Json<'a> {
        let part = with(&self.of_heir(&said.json), "NotAction", None);
        let part = with(&part, "Action", Some(texts([written(SEND)])));
        let part = with(&part, "Principal", Some(aws(&self.heir)));
        let name = Json::String(suffixed(said, "Generator").into());
        with(&part, "Sid", Some(name))
    }

    /// The policies of keys that name the role, with the new role beside it. A policy that cannot be changed stays as it is,
    /// and the proof tells whether that matters.
    pub(super) fn key_policies(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for key in self.keys() {
            let Some(Ok(draft)) = key
                .policy
                .as_ref()
                .map(|text| Draft::read(text.as_str(), PolicyKind::Resource))
            else {
                continue;
            };
            let mut differs = false;
            let statements = draft.statements.iter().map(|said| {
                let is_meant = self.names_role(said)
                    && said
                        .parsed
                        .as_ref()
                        .is_some_and(|parsed| !contained(parsed, &KEY_USES).is_empty());
                if !is_meant {
                    return said.json.clone();
                }
                let Some(Json::Object(kinds)) = member(&said.json, "Principal") else {
                    return said.json.clone();
                };
                differs = true;
                let kinds = kinds.iter().map(|(kind, entries)| {
                    if kind != "AWS" {
                        return (kind.clone(), entries.clone());
                    }
                    let all = entries_of(entries).chain([self.heir.as_str()]);
                    (kind.clone(), texts(all.map(str::to_owned)))
                });
                let kinds = Json::Object(kinds.collect());
                with(&said.json, "Principal", Some(kinds))
            });
            let text = draft.write(statements.collect());
            if differs {
                changes.push(Change::SetKeyPolicy {
                    key: key.arn.clone(),
                    document: PolicyText::new(&text),
                });
            }
        }
        changes
    }
}

fn aws<'a>(role: &Arn) -> Json<'a> {
    Json::Object(vec![(
        "AWS".into(),
        Json::String(role.as_str().to_owned().into()),
    )])
}

/// The name of a part of a statement of a queue's policy.
fn suffixed(said: &Said<'_>, part: &str) -> String {
    let name = member(&said.json, "Sid").and_then(as_text);
    format!("{}{part}", name.unwrap_or_default())
}

fn entries_of<'j>(entries: &'j Json<'_>) -> impl Iterator<Item = &'j str> {
    let (one, many) = match entries {
        Json::Array(items) => (None, items.as_slice()),
        single => (as_text(single), &[][..]),
    };
    one.into_iter().chain(many.iter().filter_map(as_text))
}

fn policy_of(queue: &Queue) -> Option<&str> {
    Some(queue.attributes.as_ref()?.policy.as_ref()?.as_str())
}
