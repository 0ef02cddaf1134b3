//! What else has a say in the access of a finding and was found not to change anything: boundaries, control policies, denies,
//! queue policies and keys. In sentences, so that nobody has to look again.

use std::collections::BTreeSet;

use super::path::name;
use crate::access::{Capability, Policy, Principal, key_of_queue};
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
    // What a policy says, whatever comes of it, was not decided: nothing was found to let it through.
    let is_decided = !matches!(finding.rule, "direct-user-policy" | "overbroad-wildcard");
    let actions = actions(finding);
    if actions.is_empty() || !is_decided {
        return Vec::new();
    }
    let looking = Looking {
        ground,
        finding,
        actions,
        is_proved_in_full: is_proved_in_full(finding),
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
    for account in &accounts {
        if let Some(account) = ground.access.account(*account) {
            told.extend(looking.organization(account, true));
        }
    }
    if accounts.is_empty() {
        let mut all = ground.access.accounts.iter();
        let of_finding = all.find(|account| account.id == finding.account);
        told.extend(of_finding.map_or_else(Vec::new, |one| looking.organization(one, false)));
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

/// Whether the evidence names every statement that has a part in it, so that one that is not named has none.
fn is_proved_in_full(finding: &Finding) -> bool {
    let mut queues = finding.resources.iter().map(|one| &one.entity.arn);
    matches!(
        finding.rule,
        "queue-feedback-loop" | "public-queue" | "external-access" | "unscoped-service"
    ) && finding.more_evidence == 0
        && finding.more_resources == 0
        && queues.all(|queue| finding.evidence.iter().any(|one| one.resource == *queue))
}

/// The actions, in lower case, that the finding is about.
fn actions(finding: &Finding) -> BTreeSet<String> {
    let mut actions = BTreeSet::new();
    for evidence in finding.evidence.iter() {
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
    is_proved_in_full: bool,
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
                let allows = self.evidence_of("boundary").next().is_some();
                if denies.is_empty() {
                    let does = if allows { "allows" } else { "does not stop" };
                    format!("The permissions boundary {boundary} of {who} {does} it.")
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
            told.push(format!(
                "No policy of {who}{groups} denies any of these actions."
            ));
        } else if !self.is_proved_in_full {
            told.push(format!(
                "What policies of {who}{groups} deny does not stop it."
            ));
        } else {
            told.push(format!(
                "No policy of {who}{groups} denies any of these actions: {} concerns something else.",
                some_of(&denies)
            ));
        }
        told
    }

    /// The control policies above an account: those for its own principals, where it is about these, and those for its queues.
    fn organization(&self, account: &Account, of_principals: bool) -> Vec<String> {
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
        let services = of_principals.then(|| {
            self.controls(
                "scp",
                "service control policies",
                membership.service_controls.as_deref(),
                PolicyKind::ServiceControl,
            )
        });
        let resources = self.controls(
            "rcp",
            "resource control policies",
            membership.resource_controls.as_deref(),
            PolicyKind::ResourceControl,
        );
        services.into_iter().chain([resources]).collect()
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
        match idle.as_slice() {
            [] => format!("The organization's {words} do not stop it: none of them denies it."),
            some if self.is_proved_in_full => format!(
                "The organization's {words} do not stop it: {} concerns something else.",
                some_of(some)
            ),
            _ => format!("The organization's {words} do not stop it."),
        }
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
        if takes_part || !self.is_proved_in_full {
            // What it gives or denies is quoted, or not all of it was looked up.
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
        let Encryption::Kms { .. } = &attributes.encryption else {
            return Some(format!(
                "{queue_name} is encrypted with no key of KMS: no key policy has a say."
            ));
        };
        let key: Option<&Key> = key_of_queue(self.ground.access.accounts, queue);
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
