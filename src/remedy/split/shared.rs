//! What moves to the new role: workloads that are known to be generators, and what the old role's policies say of other services.

use std::collections::BTreeSet;

use super::super::change::Change;
use super::super::document::{Draft, Said, document};
use super::super::moved::{Moved, names_a_profile};
use super::super::taking::owner;
use super::super::{Placement, free_name};
use super::Split;
use crate::account::{InlinePolicy, PolicyText};
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::policy::{Effect, PolicyKind, Statement};

/// Services whose actions decide about queues or about who may do what: of those the new role gets what it needs by name.
const NOT_CARRIED: [&str; 4] = ["sqs", "kms", "sts", "iam"];

/// What the new role gets of what the old one may do elsewhere.
#[derive(Default)]
pub(super) struct Carried {
    pub(super) changes: Vec<Change>,
    pub(super) notes: Vec<String>,
}

impl Split<'_> {
    pub(super) fn workloads(&self, places: &BTreeSet<usize>) -> impl Iterator<Item = &Entity> {
        let workloads = &self.principal.workloads;
        let places: Vec<usize> = places.iter().copied().collect();
        places.into_iter().filter_map(|place| workloads.get(place))
    }

    /// What the old role's policies say of other services, where something moves that may need it.
    pub(super) fn carried_over(&self) -> Carried {
        let mut carried = Carried::default();
        if self.generators.is_empty() {
            return carried;
        }
        let heir = owner(&self.heir);
        let mut left_out: Vec<String> = Vec::new();
        let mut names = vec!["Send".to_owned()];
        let mut copy = |name: &str, text: Option<&str>, attached: Option<&Arn>| {
            let draft = text.and_then(|text| Draft::read(text, PolicyKind::Identity).ok());
            let Some(draft) = draft else {
                left_out.push(name.to_owned());
                return;
            };
            let (other, own): (Vec<_>, Vec<_>) = draft
                .statements
                .iter()
                .partition(|said| said.parsed.as_ref().is_some_and(is_about_other_services));
            let gives = |said: &&Said<'_>| {
                said.parsed
                    .as_ref()
                    .is_some_and(|parsed| parsed.effect == Effect::Allow)
            };
            if own
                .iter()
                .any(|said| gives(said) && reaches_elsewhere(said))
            {
                left_out.push(name.to_owned());
            }
            if !other.iter().any(gives) {
                return;
            }
            if let Some(arn) = attached.filter(|_| own.is_empty()) {
                carried.changes.push(Change::Attach {
                    owner: heir.clone(),
                    policy: arn.clone(),
                });
                return;
            }
            let mut taken = names.iter().map(String::as_str);
            let name = free_name(name, 128, &mut taken);
            names.push(name.clone());
            let statements = other.iter().map(|said| self.of_heir(&said.json));
            carried.changes.push(Change::PutInline {
                owner: heir.clone(),
                policy: InlinePolicy {
                    name,
                    document: PolicyText::new(&document(statements.collect())),
                },
                replaces: false,
            });
        };
        for policy in &self.role.inline {
            copy(&policy.name, Some(policy.document.as_str()), None);
        }
        for arn in &self.role.attached {
            let mut policies = self.account.policies.iter();
            let known = policies.find(|policy| policy.arn == *arn);
            let text = known.and_then(|policy| policy.document.as_ref());
            copy(arn.name(), text.map(PolicyText::as_str), Some(arn));
        }
        if !left_out.is_empty() {
            carried.notes.push(format!(
                "What {} besides about IAM, STS, KMS or every service is not taken over to {}: give it what it needs of that.",
                match left_out.as_slice() {
                    [only] => format!("policy {only} says"),
                    several => format!("policies {} say", several.join(", ")),
                },
                self.heir.name()
            ));
        }
        carried
    }

    /// The workloads that get the new role, with an instance profile for it where they need one.
    pub(super) fn moves(&self) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        let mut profile: Option<Arn> = None;
        for workload in self.workloads(&self.generators) {
            if workload.kind == Kind::ServiceAccount {
                return Err(format!(
                    "service account {} enters the role by its token: name the new role in its annotation and there in the trust policy",
                    workload.arn
                ));
            }
            let needs_one = names_a_profile(workload.kind);
            if needs_one && profile.is_none() {
                let profiles = self.account.roles.iter();
                let profiles = profiles.flat_map(|role| &role.instance_profiles);
                let name = free_name(self.heir.name(), 128, &mut profiles.map(Arn::name));
                let built = Arn::build(
                    self.heir.partition(),
                    "iam",
                    "",
                    self.heir.account(),
                    &format!("instance-profile/{name}"),
                );
                let built =
                    built.map_err(|_| format!("`{name}` cannot name an instance profile"))?;
                changes.push(Change::AddProfile {
                    profile: built.clone(),
                    role: self.heir.clone(),
                });
                profile = Some(built);
            }
            changes.push(Change::Move(Moved {
                workload: workload.clone(),
                from: self.role.arn.clone(),
                to: self.heir.clone(),
                profile: profile.clone().filter(|_| needs_one),
            }));
        }
        Ok(changes)
    }

    /// Which workload belongs to which side.
    pub(super) fn places(&self) -> Vec<Placement> {
        let workloads = self.principal.workloads.iter().enumerate();
        workloads
            .map(|(place, workload)| {
                let (role, why) = if self.generators.contains(&place) {
                    (&self.heir, "it can send, and no queue is emptied into it")
                } else if self.consumers.contains(&place) {
                    (&self.role.arn, "AWS empties a queue into it")
                } else {
                    (
                        &self.role.arn,
                        "it cannot send, or does only what is configured",
                    )
                };
                Placement {
                    workload: workload.clone(),
                    role: Some(role.name().to_owned()),
                    why: why.to_owned(),
                }
            })
            .collect()
    }

    pub(super) fn notes_on_moving(&self) -> Vec<String> {
        let (old, new) = (self.role.arn.name(), self.heir.name());
        let queues = self.in_words();
        let mut notes = vec![
            format!(
                "What an account does not tell: whether a workload that moves also polls a queue itself. One that does stays with {old} and \
                 sends no more, or becomes two."
            ),
            format!(
                "If a consumer has to send on to {queues}, give it that back by name: to fill a queue that one does not empty makes no loop."
            ),
        ];
        if self.role.trust.as_str().contains("\"AWS\"") {
            notes.push(format!(
                "Whoever may become {old} may become {new} as well: name in its trust policy only what is to run as it."
            ));
        }
        notes
    }
}

/// Whether every action of a statement is one of a service that has nothing to do with queues or with who may do what.
fn is_about_other_services(parsed: &Statement) -> bool {
    let is_other = |text: &String| {
        text.split_once(':').is_some_and(|(service, _)| {
            let service = service.to_lowercase();
            !service.contains(['*', '?']) && !NOT_CARRIED.contains(&service.as_str())
        })
    };
    parsed.valid && !parsed.actions.negated && parsed.actions.texts.iter().all(is_other)
}

/// Whether a statement that is not carried over gives something beside actions of SQS.
fn reaches_elsewhere(said: &Said<'_>) -> bool {
    said.parsed.as_ref().is_some_and(|parsed| {
        let of_sqs = |text: &String| text.to_lowercase().starts_with("sqs:");
        parsed.actions.negated || !parsed.actions.texts.iter().all(of_sqs)
    })
}
