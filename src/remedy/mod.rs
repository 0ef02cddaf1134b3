//! The way out of a finding: what to change, and the proof that it helps and breaks nothing.
//!
//! A remedy is made of changes to the account ([`Change`]). They are made in memory, everything is decided again, and a remedy
//! is called proved when the finding is gone, no other comes in its place, and every right on queues is what it was, but for
//! those that are meant to go. What cannot be shown is said in words. Nothing is ever changed in AWS.

mod change;
mod command;
mod cycle;
mod deny;
mod document;
mod group;
mod moved;
mod narrow;
mod proof;
mod side_groups;
mod split;
mod switch;
mod taking;
mod terraform;

use std::collections::BTreeSet;

pub use self::change::{Change, Owner, Written, applied};
pub(crate) use self::document::{as_text, label};
pub use self::moved::{Moved, Removed};
pub(crate) use self::terraform::encoded as as_terraform;

use self::proof::Claims;
use crate::access::Access;
use crate::account::{Account, User};
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::finding::Finding;
use crate::graph::Graph;
use crate::rules::Settings;

/// What was found, and what it was found in.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Who may do what.
    pub access: &'a Access<'a>,
    /// How messages travel.
    pub graph: &'a Graph<'a>,
    /// What the rules are told from outside.
    pub settings: &'a Settings,
    /// Every finding.
    pub findings: &'a [Finding],
}

/// The way out of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// In one or two sentences.
    pub summary: String,
    /// What to change; none where nothing mechanical would be honest.
    pub plan: Option<Plan>,
    /// What was shown of the plan.
    pub proof: Proof,
}

/// What was shown of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// With the changes made the finding is gone and nothing needed is lost; what was compared, in sentences.
    Proved(Vec<String>),
    /// Something of that could not be shown: what, in words. Or why there is no plan.
    Unproved(Vec<String>),
}

impl Proof {
    /// Whether everything could be shown.
    pub fn is_proved(&self) -> bool {
        matches!(self, Self::Proved(_))
    }
}

/// What to change, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it comes to, in a sentence or two; empty where the summary says it.
    pub gist: String,
    /// The changes.
    pub changes: Vec<Change>,
    /// Which workload belongs to which side, where the finding is about what runs.
    pub placements: Vec<Placement>,
    /// What else to know before doing it, in sentences.
    pub notes: Vec<String>,
}

/// Where a workload belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The workload.
    pub workload: Entity,
    /// The name of the role as which it is to run; none where only the team knows.
    pub role: Option<String>,
    /// Why, in words.
    pub why: String,
}

impl Plan {
    /// The documents that the changes write, each once.
    pub fn documents(&self) -> Vec<Written> {
        self.changes.iter().filter_map(Change::written).collect()
    }

    /// The commands of the AWS CLI, one for each change.
    pub fn commands(&self) -> Vec<String> {
        self.changes.iter().map(command::command).collect()
    }

    /// The changes as Terraform.
    pub fn terraform(&self) -> String {
        terraform::configuration(&self.changes)
    }
}

/// A plan before it is proved.
struct Proposal {
    plan: Plan,
    claims: Claims,
    /// What the proof shows when it succeeds, in sentences.
    promises: Vec<String>,
}

/// The way out of a finding, proved where that can be.
pub fn remedy(ground: &Ground<'_>, finding: &Finding) -> Remedy {
    let one = |proposal: Result<Proposal, String>| proposal.map(|proposal| vec![proposal]);
    let proposed = match finding.rule {
        "queue-feedback-loop" => one(split::propose(ground, finding)),
        "shared-role" => one(split::propose_shared(ground, finding)),
        "message-cycle" => cycle::propose(ground, finding),
        "assumable-loop" => one(switch::propose(ground, finding)),
        "direct-user-policy" => one(group::propose(ground, finding)),
        "overbroad-wildcard" => one(narrow::propose(ground, finding)),
        "can-self-grant" => one(deny::propose(ground, finding)),
        _ => Err("which of the ways to mend it is meant, only the team knows".to_owned()),
    };
    let (plan, proof) = match proposed {
        Err(reason) => (None, Proof::Unproved(vec![reason])),
        Ok(proposals) => best(ground, finding, proposals),
    };
    Remedy {
        summary: finding.remedy.clone(),
        plan,
        proof,
    }
}

/// The first plan that is proved, or else the first.
fn best(ground: &Ground<'_>, finding: &Finding, proposals: Vec<Proposal>) -> (Option<Plan>, Proof) {
    let mut unproved = None;
    for proposal in proposals {
        let changes = &proposal.plan.changes;
        let misfits = misfits(ground.access.accounts, changes);
        let shown = if misfits.is_empty() {
            proof::prove(ground, finding, changes, &proposal.claims)
        } else {
            Err(misfits)
        };
        match shown {
            Ok(()) => return (Some(proposal.plan), Proof::Proved(proposal.promises)),
            Err(reasons) => {
                unproved.get_or_insert((Some(proposal.plan), Proof::Unproved(reasons)));
            }
        }
    }
    let nothing = || Proof::Unproved(vec!["there is nothing to change".to_owned()]);
    unproved.unwrap_or_else(|| (None, nothing()))
}

/// The account of a finding's subject.
fn account<'a>(ground: &Ground<'a>, finding: &Finding) -> Result<&'a Account, String> {
    let mut accounts = ground.access.accounts.iter();
    accounts
        .find(|account| account.id == finding.account)
        .ok_or_else(|| "the account of the finding is not among those that were read".to_owned())
}

/// Groups that a user can be a member of ("IAM and AWS STS quotas").
const MOST_GROUPS: usize = 10;

/// The user that a finding is about.
fn user<'a>(account: &'a Account, finding: &Finding) -> Result<&'a User, String> {
    let mut users = account.users.iter();
    users
        .find(|user| user.arn.as_str() == &*finding.subject.arn)
        .ok_or_else(|| "the user is not among those that were read".to_owned())
}

/// Why nobody in the account can change a role, where that is so.
fn is_not_ours(role: &Arn) -> Option<String> {
    let name = role.name();
    if role.resource().starts_with("role/aws-service-role/") {
        Some(format!(
            "role {name} belongs to an AWS service, and only AWS changes it"
        ))
    } else if name.starts_with("AWSReservedSSO_") {
        Some(format!(
            "role {name} is made by IAM Identity Center: change its permission set there"
        ))
    } else {
        None
    }
}

/// Where documents are larger than AWS takes ("IAM and AWS STS quotas"; 8 KiB for the attributes of a queue, 32 KiB for keys).
fn misfits(accounts: &[Account], changes: &[Change]) -> Vec<String> {
    let mut owners: BTreeSet<&Owner> = BTreeSet::new();
    let mut reasons = Vec::new();
    let mut check = |what: &str, size: usize, most: usize| {
        if size > most {
            reasons.push(format!(
                "{what} would have {size} characters, and AWS takes {most}"
            ));
        }
    };
    for change in changes {
        let (what, size, most) = match change {
            Change::PutInline { owner, .. } => {
                owners.insert(owner);
                continue;
            }
            Change::SetManaged { policy, document } => (
                format!("policy {}", policy.name()),
                document::size(document.as_str()),
                6144,
            ),
            Change::SetQueuePolicy {
                queue, document, ..
            } => (
                format!("the policy of queue {}", queue.resource()),
                document.as_str().len(),
                8192,
            ),
            Change::SetKeyPolicy { key, document } => (
                format!("the policy of key {}", key.name()),
                document.as_str().len(),
                32768,
            ),
            Change::SetTrust { role, document } => (
                format!("the trust policy of role {}", role.name()),
                document::size(document.as_str()),
                2048,
            ),
            _ => continue,
        };
        check(&what, size, most);
    }
    let after: Vec<Account> = accounts
        .iter()
        .filter(|account| {
            let mut owners = owners.iter();
            owners.any(|owner| owner.arn.account() == account.id.as_str())
        })
        .map(|account| applied(account, changes))
        .collect();
    for owner in owners {
        let inline = after.iter().find_map(|account| match owner.kind {
            Kind::User => {
                let mut users = account.users.iter();
                users
                    .find(|one| one.arn == owner.arn)
                    .map(|one| &one.inline)
            }
            Kind::Group => {
                let mut groups = account.groups.iter();
                groups
                    .find(|one| one.arn == owner.arn)
                    .map(|one| &one.inline)
            }
            _ => {
                let mut roles = account.roles.iter();
                roles
                    .find(|one| one.arn == owner.arn)
                    .map(|one| &one.inline)
            }
        });
        let sizes = inline.into_iter().flatten();
        let size = sizes
            .map(|policy| document::size(policy.document.as_str()))
            .sum();
        let most = match owner.kind {
            Kind::User => 2048,
            Kind::Group => 5120,
            _ => 10240,
        };
        check(
            &format!("the inline policies of {}", owner.words()),
            size,
            most,
        );
    }
    reasons
}

/// A name that none of those taken has, letter case aside, of at most this many characters.
fn free_name(wanted: &str, most: usize, taken: &mut dyn Iterator<Item = &str>) -> String {
    let taken: BTreeSet<String> = taken.map(str::to_lowercase).collect();
    let cut = |suffix: &str| -> String {
        let room = most.saturating_sub(suffix.len());
        let begin: String = wanted.chars().take(room).collect();
        format!("{begin}{suffix}")
    };
    let mut name = cut("");
    let mut number = 2;
    while taken.contains(&name.to_lowercase()) {
        name = cut(&format!("-{number}"));
        number += 1;
    }
    name
}

/// `queue a`, `queues a, b and c`, `20 queues`.
fn queues_in_words(names: &[&str]) -> String {
    const MOST_NAMED: usize = 3;
    match names {
        [only] => format!("queue {only}"),
        [start @ .., last] if names.len() <= MOST_NAMED => {
            format!("queues {} and {last}", start.join(", "))
        }
        _ => format!("{} queues", names.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_name_is_short_enough_and_taken_by_nobody() {
        let mut taken = ["App", "app-2"].into_iter();
        assert_eq!(free_name("app", 64, &mut taken), "app-3");
        let mut taken = ["abcd"].into_iter();
        assert_eq!(free_name("abcdef", 4, &mut taken), "ab-2");
    }
}
