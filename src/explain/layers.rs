//! What else has a say in the access of a finding and was found not to change anything: boundaries, control policies, denies,
//! queue policies and keys. In sentences, so that nobody has to look again.

use std::collections::BTreeSet;

use super::path::name;
use crate::access::{Capability, Policy, Principal, names_key};
use crate::account::{Account, ControlLevel, Encryption, Key, KeyManager, Organization, Queue};
use crate::entity::{Entity, Kind};
use crate::finding::{Evidence, Finding};
use crate::policy::{Document, Effect, PolicyKind, Statement};
use crate::remedy::Ground;

/// Principals and queues of which it is told; the others are alike or too many to read.
const MOST_PRINCIPALS: usize = 3;
const MOST_QUEUES: usize = 3;
/// Statements that are named of those which deny something else.
const MOST_NAMED: usize = 3;

/// What was checked, in sentences.
pub(super) fn checked(ground: &Ground<'_>, finding: &Finding) -> Vec<String> {
    let actions = actions(finding);
    if actions.is_empty() {
        return Vec::new();
    }
    let looking = Looking {
        ground,
        finding,
        actions,
    };
    let mut told = Vec::new();
    let mut accounts: BTreeSet<usize> = BTreeSet::new();
    let holders: BTreeSet<&Entity> = finding.principals.iter().map(|one| &one.entity).collect();
    let principals =
        ground.access.principals.iter().filter(|principal| {
            holders.contains(&Entity::new(principal.kind, principal.arn.shared()))
        });
    for principal in principals.take(MOST_PRINCIPALS) {
        told.extend(looking.own_policies(principal));
        accounts.insert(principal.account);
    }
    for account in accounts {
        if let Some(account) = ground.access.account(account) {
            told.extend(looking.organization(account));
        }
    }
    let queues = ground.access.queues.iter().filter(|audited| {
        let mut resources = finding.resources.iter();
        resources.any(|one| *one.entity.arn == *audited.queue.arn.as_str())
    });
    for audited in queues.take(MOST_QUEUES) {
        told.extend(looking.queue_policy(audited.queue, audited.policy.as_ref()));
        told.extend(looking.key(audited.queue));
    }
    told
}

/// The actions, in lower case, that the finding is about.
fn actions(finding: &Finding) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for evidence in &finding.evidence {
        let capability = Capability::ALL
            .into_iter()
            .find(|capability| capability.as_str() == evidence.capability);
        match capability {
            Some(capability) => {
                let of_capability = capability.actions(true).iter();
                actions.extend(of_capability.map(|action| (*action).to_owned()));
            }
            None if evidence.capability.starts_with("sqs:")
                && !evidence.capability.contains(['*', '?', ',']) =>
            {
                actions.insert(evidence.capability.to_lowercase());
            }
            None => {}
        }
    }
    actions
}

struct Looking<'a> {
    ground: &'a Ground<'a>,
    finding: &'a Finding,
    actions: BTreeSet<String>,
}

impl Looking<'_> {
    fn evidence_of<'f>(&'f self, layer: &'f str) -> impl Iterator<Item = &'f Evidence> {
        let evidence = self.finding.evidence.iter();
        evidence.filter(move |one| one.layer == layer)
    }

    /// The statements that deny one of the actions, and are no evidence: they are about something else, or never hold.
    fn idle_denies<'d>(&self, policy: &str, statements: &'d [Statement]) -> Vec<&'d str> {
        let is_evidence = |statement: &Statement| {
            self.finding.evidence.iter().any(|one| {
                one.effect == "Deny" && *one.policy == *policy && one.statement == statement.label
            })
        };
        statements
            .iter()
            .filter(|statement| statement.effect == Effect::Deny)
            .filter(|statement| {
                self.actions
                    .iter()
                    .any(|action| statement.actions.contains(action))
            })
            .filter(|statement| !is_evidence(statement))
            .map(|statement| &*statement.label)
            .collect()
    }

    /// The boundary, and what the policies of a user or role deny.
    fn own_policies(&self, principal: &Principal<'_>) -> Vec<String> {
        let entity = Entity::new(principal.kind, principal.arn.shared());
        let who = name(&entity);
        let mut told = Vec::new();
        told.push(match &principal.boundary {
            None => format!("{who} has no permissions boundary."),
            Some(boundary) if !boundary.document.readable => format!(
                "The permissions boundary {} of {who} could not be read: access can only be smaller than shown.",
                last(&boundary.name)
            ),
            Some(boundary) => {
                let denies: Vec<&str> = self
                    .evidence_of("boundary")
                    .filter(|one| one.effect == "Deny")
                    .map(|one| &*one.statement)
                    .collect();
                let boundary = last(&boundary.name);
                if denies.is_empty() {
                    format!("The permissions boundary {boundary} of {who} allows it.")
                } else {
                    format!(
                        "The permissions boundary {boundary} of {who} denies it under conditions (statement {}).",
                        denies.join(", ")
                    )
                }
            }
        });
        let groups = if principal.kind == Kind::User {
            ", those of its groups included,"
        } else {
            ""
        };
        let denies: Vec<String> = principal
            .policies
            .iter()
            .flat_map(|policy| {
                let idle = self.idle_denies(&policy.name, policy.document.statements());
                let policy = last(&policy.name);
                idle.into_iter()
                    .map(move |label| format!("{label} of {policy}"))
            })
            .collect();
        let conditional: Vec<&str> = self
            .evidence_of("identity")
            .filter(|one| one.effect == "Deny")
            .map(|one| &*one.statement)
            .collect();
        if !conditional.is_empty() {
            told.push(format!(
                "A Deny in the policies of {who} takes it away under conditions (statement {}).",
                conditional.join(", ")
            ));
        } else if denies.is_empty() {
            told.push(format!("No policy of {who}{groups} denies it."));
        } else {
            told.push(format!(
                "No policy of {who}{groups} denies it: {} concerns something else.",
                some_of(&denies)
            ));
        }
        told
    }

    /// The control policies above an account.
    fn organization(&self, account: &Account) -> Vec<String> {
        let membership = match &account.organization {
            None => {
                return vec![
                    "The organization could not be read: its control policies can only make access smaller than shown."
                        .to_owned(),
                ];
            }
            Some(Organization::None) => {
                return vec![format!(
                    "Account {} belongs to no organization: no control policy stands above it.",
                    account.id
                )];
            }
            Some(Organization::Member(membership)) => membership,
        };
        if membership.management_account == account.id {
            return vec![format!(
                "Account {} is the management account, which control policies do not bind.",
                account.id
            )];
        }
        vec![
            self.controls(
                "scp",
                "service control policies",
                membership.service_controls.as_deref(),
                PolicyKind::ServiceControl,
            ),
            self.controls(
                "rcp",
                "resource control policies",
                membership.resource_controls.as_deref(),
                PolicyKind::ResourceControl,
            ),
        ]
    }

    fn controls(
        &self,
        layer: &str,
        words: &str,
        levels: Option<&[ControlLevel]>,
        kind: PolicyKind,
    ) -> String {
        let Some(levels) = levels else {
            return format!(
                "The organization's {words} could not be read: access can only be smaller than shown."
            );
        };
        let policies: Vec<_> = levels.iter().flat_map(|level| &level.policies).collect();
        if policies.is_empty() {
            return format!("The organization has no {words} in force.");
        }
        let unread = policies.iter().filter(|one| one.document.is_none()).count();
        if unread > 0 {
            return format!(
                "{unread} of the organization's {words} could not be read: access can only be smaller than shown."
            );
        }
        let conditional: Vec<&str> = self
            .evidence_of(layer)
            .filter(|one| one.effect == "Deny")
            .map(|one| &*one.statement)
            .collect();
        if !conditional.is_empty() {
            return format!(
                "The organization's {words} deny it under conditions (statement {}).",
                conditional.join(", ")
            );
        }
        let idle: BTreeSet<String> = policies
            .iter()
            .filter_map(|policy| Some((policy, policy.document.as_ref()?)))
            .flat_map(|(policy, text)| {
                let shown = format!("{} ({})", policy.name, policy.id);
                let document = Document::parse(text.as_str(), kind);
                let idle = self.idle_denies(&shown, document.statements());
                idle.into_iter()
                    .map(|label| format!("{label} of {}", policy.name))
                    .collect::<Vec<_>>()
            })
            .collect();
        let idle: Vec<String> = idle.into_iter().collect();
        let but = match idle.as_slice() {
            [] => "none of them denies it".to_owned(),
            some => format!("{} concerns something else", some_of(some)),
        };
        let allow = match layer {
            "scp" => "allow it",
            _ => "leave it alone",
        };
        format!("The organization's {words} {allow}: {but}.")
    }

    fn queue_policy(&self, queue: &Queue, policy: Option<&Policy>) -> Vec<String> {
        let queue_name = name(&Entity::new(Kind::Queue, queue.arn.shared()));
        if queue.attributes.is_none() {
            return vec![format!(
                "The attributes of {queue_name} could not be read: nothing is known of its policy."
            )];
        }
        let Some(policy) = policy else {
            return vec![format!("{queue_name} has no policy of its own.")];
        };
        let takes_part = self
            .evidence_of("resource")
            .any(|one| *one.policy == *policy.name);
        if takes_part {
            // What it gives or denies is quoted.
            return Vec::new();
        }
        let idle = self.idle_denies(&policy.name, policy.document.statements());
        let idle: Vec<String> = idle.into_iter().map(str::to_owned).collect();
        vec![match idle.as_slice() {
            [] => format!("The policy of {queue_name} neither gives nor denies it."),
            some => format!(
                "The policy of {queue_name} neither gives nor denies it: {} concerns something else.",
                some_of(some)
            ),
        }]
    }

    fn key(&self, queue: &Queue) -> Option<String> {
        let queue_name = name(&Entity::new(Kind::Queue, queue.arn.shared()));
        let attributes = queue.attributes.as_ref()?;
        let Encryption::Kms { key: setting } = &attributes.encryption else {
            return Some(format!(
                "{queue_name} is encrypted with no key of KMS: no key policy has a say."
            ));
        };
        let accounts = self.ground.access.accounts.iter();
        let key: Option<&Key> = accounts
            .flat_map(|account| &account.keys)
            .find(|key| names_key(setting, queue, key));
        let is_of_aws = attributes.encryption.is_aws_managed_key()
            || key.is_some_and(|key| key.manager == KeyManager::Aws);
        if is_of_aws {
            return Some(format!(
                "{queue_name} is encrypted with the key that AWS manages for SQS, which everybody in the account may use through it."
            ));
        }
        let is_read = key.is_some_and(|key| key.policy.is_some() && key.grants.is_some());
        if !is_read {
            return Some(format!(
                "The key of {queue_name} could not be read: access can only be smaller than shown."
            ));
        }
        let takes_part = self.evidence_of("kms").next().is_some();
        takes_part.then(|| {
            format!("The key of {queue_name} may be used as well, by the statements above.")
        })
    }
}

/// The last part of an ARN; other names as they are.
fn last(name: &str) -> &str {
    if name.starts_with("arn:") {
        name.rsplit(['/', ':']).next().unwrap_or(name)
    } else {
        name
    }
}

fn some_of(labels: &[String]) -> String {
    let named: Vec<&str> = labels.iter().take(MOST_NAMED).map(String::as_str).collect();
    let more = labels.len().saturating_sub(MOST_NAMED);
    let named = named.join(", ");
    match (labels.len(), more) {
        (1, _) => format!("the Deny {named}"),
        (_, 0) => format!("each of the Denies {named}"),
        (_, more) => format!("each of the Denies {named} and {more} more"),
    }
}
