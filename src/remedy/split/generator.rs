//! What the new role gets of the old role's own policies.

use std::collections::BTreeMap;

use super::super::document::{Draft, Said, member, statement, texts, with, written};
use super::{KEY_USES, SEND, Split, contained};
use crate::policy::{Effect, Json, PolicyKind, ResourcePattern, ResourceSet, Statement};

impl<'a> Split<'a> {
    /// What the new role needs of what the old role's own policies say: sending to the queues and using their keys, under the
    /// same conditions, and whatever denies that.
    pub(super) fn of_generator(&self) -> Result<Vec<Json<'a>>, String> {
        let queues = self.arns();
        let keys = self.keys();
        let keys: Vec<&str> = keys.iter().map(|key| key.arn.as_str()).collect();
        let mut statements: Vec<Json<'a>> = Vec::new();
        let mut sids: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, text) in self.documents() {
            let draft = Draft::read(text, PolicyKind::Identity)
                .map_err(|obstacle| format!("policy {name} cannot be taken apart: {obstacle}"))?;
            if text.contains("${") && !draft.has_variables() {
                return Err(format!(
                    "policy {name} is written in the older version of the language, in which its variables mean nothing"
                ));
            }
            for said in &draft.statements {
                let Some(parsed) = said.parsed.as_ref().filter(|parsed| parsed.valid) else {
                    continue;
                };
                for (sid, actions, targets) in [
                    ("Send", &[SEND][..], &queues),
                    ("UseKey", &KEY_USES[..], &keys),
                ] {
                    let (sid, part) = match parsed.effect {
                        Effect::Allow => (sid, self.allowing(said, parsed, actions, targets)?),
                        Effect::Deny => ("Not", self.denying(said, parsed, actions, targets)),
                    };
                    let Some(part) = part.filter(|part| !is_among(part, &statements)) else {
                        continue;
                    };
                    let number = sids.entry(sid).or_default();
                    *number += 1;
                    let sid = match number {
                        1 => sid.to_owned(),
                        number => format!("{sid}{number}"),
                    };
                    statements.push(with(&part, "Sid", Some(Json::String(sid.into()))));
                }
            }
        }
        Ok(statements)
    }

    /// What an Allow statement gives of some actions on some resources, with the resources by name where that says the same.
    fn allowing(
        &self,
        said: &Said<'a>,
        parsed: &Statement,
        actions: &[&str],
        targets: &[&str],
    ) -> Result<Option<Json<'a>>, String> {
        let given: Vec<&str> = contained(parsed, actions);
        let Some(resources) = parsed.resources.as_ref().filter(|_| !given.is_empty()) else {
            return Ok(None);
        };
        let mut named: Vec<String> = Vec::new();
        if resources.negated {
            if parsed.has_variable_resources() {
                return Err(format!(
                    "statement {} leaves resources out by a variable",
                    said.label
                ));
            }
            let others = targets.iter().filter(|target| !is_named(resources, target));
            named.extend(others.map(|&target| target.to_owned()));
        } else {
            for target in targets {
                let mut reaching = resources.patterns.iter().filter(|one| reaches(one, target));
                let Some(first) = reaching.next() else {
                    continue;
                };
                let fixed = std::iter::once(first).chain(reaching);
                let variable = fixed
                    .map(|one| one.has_variables().then(|| one.text().to_owned()))
                    .collect::<Option<Vec<String>>>();
                match variable {
                    // What a variable stands for is known to the request only: the pattern stays.
                    Some(patterns) => named.extend(patterns),
                    None => named.push((*target).to_owned()),
                }
            }
        }
        named.sort();
        named.dedup();
        Ok((!named.is_empty()).then(|| {
            let condition = member(&said.json, "Condition");
            let condition = condition.map(|condition| self.of_heir(condition));
            let actions = given.iter().map(|action| written(action));
            statement("Send", Effect::Allow, actions, named, condition)
        }))
    }

    /// What a Deny statement takes of some actions where it may concern some resources; its resources stay as they are.
    fn denying(
        &self,
        said: &Said<'a>,
        parsed: &Statement,
        actions: &[&str],
        targets: &[&str],
    ) -> Option<Json<'a>> {
        let taken = contained(parsed, actions);
        let resources = parsed.resources.as_ref()?;
        let concerns = |target: &&str| {
            is_named(resources, target) != resources.negated || parsed.has_variable_resources()
        };
        if taken.is_empty() || !targets.iter().any(concerns) {
            return None;
        }
        let part = with(&self.of_heir(&said.json), "NotAction", None);
        let actions = texts(taken.iter().map(|action| written(action)));
        Some(with(&part, "Action", Some(actions)))
    }
}

fn reaches(pattern: &ResourcePattern, target: &str) -> bool {
    pattern.could_match(target, PolicyKind::Identity)
}

fn is_named(resources: &ResourceSet, target: &str) -> bool {
    resources.patterns.iter().any(|one| reaches(one, target))
}

/// Whether a statement says what another does already, names aside.
fn is_among(part: &Json<'_>, statements: &[Json<'_>]) -> bool {
    let nameless = with(part, "Sid", None);
    statements
        .iter()
        .any(|known| with(known, "Sid", None) == nameless)
}
