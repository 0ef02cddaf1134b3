//! Who carries which identity-based policy: managed policies, which many share, and the inline policies of one owner.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Audit, holder, principal_ref};
use crate::access::{Policy, inline_policies};
use crate::account::Account;
use crate::arn::Arn;
use crate::finding::{Entity, Kind, PrincipalRef};
use crate::policy::PolicyKind;

/// What one would change to change statements, and who has them.
pub(super) struct Carrier {
    /// A managed policy, or the user, role or group of inline policies.
    pub(super) subject: Entity,
    /// The policies.
    pub(super) policies: Vec<Policy>,
    /// The users and roles that have them, by index.
    pub(super) holders: BTreeSet<usize>,
    groups: Vec<PrincipalRef>,
}

impl Carrier {
    /// Everyone who has the policies: groups, users and roles, sorted.
    pub(super) fn principals(&self, audit: &Audit<'_>) -> Vec<PrincipalRef> {
        let holders = self.holders.iter();
        let mut principals = self.groups.clone();
        principals.extend(
            holders
                .filter_map(|index| audit.access.principals.get(*index))
                .map(principal_ref),
        );
        principals.sort();
        principals.dedup();
        principals
    }
}

/// The carriers of an account, by its index. Boundaries do not grant and do not count.
pub(super) fn carriers(audit: &Audit<'_>, index: usize, account: &Account) -> Vec<Carrier> {
    let mut carriers = managed(audit, index, account);
    carriers.extend(inline(audit, index, account));
    carriers
}

/// The indices of an account's principals, in order.
fn principals(audit: &Audit<'_>, account: usize) -> impl Iterator<Item = usize> {
    let all = audit.access.principals.iter().enumerate();
    all.filter(move |(_, principal)| principal.account == account)
        .map(|(index, _)| index)
}

fn managed(audit: &Audit<'_>, index: usize, account: &Account) -> Vec<Carrier> {
    #[derive(Default)]
    struct Carried<'p> {
        policy: Option<&'p Policy>,
        holders: BTreeSet<usize>,
        groups: Vec<PrincipalRef>,
    }

    let mut carried: BTreeMap<&str, Carried<'_>> = BTreeMap::new();
    for index in principals(audit, index) {
        let Some(principal) = audit.access.principals.get(index) else {
            continue;
        };
        for policy in &principal.policies {
            if policy.name == policy.owner {
                let carried = carried.entry(&policy.name).or_default();
                carried.policy = Some(policy);
                carried.holders.insert(index);
            }
        }
    }
    for group in &account.groups {
        for arn in &group.attached {
            let carried = carried.entry(arn.as_str()).or_default();
            carried
                .groups
                .push(holder(Entity::new(Kind::Group, group.arn.shared())));
        }
    }
    carried
        .into_iter()
        .filter_map(|(arn, carried)| {
            // One that is attached only to groups without members has no principal that has it parsed.
            let policy = match carried.policy {
                Some(policy) => policy.clone(),
                None => parse_managed(account, arn)?,
            };
            Some(Carrier {
                subject: Entity::new(Kind::Policy, arn),
                policies: vec![policy],
                holders: carried.holders,
                groups: carried.groups,
            })
        })
        .collect()
}

fn parse_managed(account: &Account, arn: &str) -> Option<Policy> {
    let policy = account
        .policies
        .iter()
        .find(|policy| policy.arn.as_str() == arn)?;
    Some(Policy::parse(
        arn,
        arn,
        policy.document.as_ref()?.as_str(),
        PolicyKind::Identity,
    ))
}

fn inline(audit: &Audit<'_>, index: usize, account: &Account) -> Vec<Carrier> {
    let mut carriers = Vec::new();
    let mut places: HashMap<&Arn, usize> = HashMap::new();
    for index in principals(audit, index) {
        let Some(principal) = audit.access.principals.get(index) else {
            continue;
        };
        places.insert(principal.arn, index);
        let own = principal
            .policies
            .iter()
            .filter(|policy| *policy.owner == *principal.arn.as_str());
        carriers.push(Carrier {
            subject: Entity::new(principal.kind, principal.arn.shared()),
            policies: own.cloned().collect(),
            holders: BTreeSet::from([index]),
            groups: Vec::new(),
        });
    }
    let mut members: HashMap<&str, BTreeSet<usize>> = HashMap::new();
    for user in &account.users {
        for group in &user.groups {
            let members = members.entry(group).or_default();
            members.extend(places.get(&user.arn));
        }
    }
    for group in &account.groups {
        let subject = Entity::new(Kind::Group, group.arn.shared());
        carriers.push(Carrier {
            policies: inline_policies(Kind::Group, &group.arn, &group.inline),
            holders: members.remove(group.arn.name()).unwrap_or_default(),
            groups: vec![holder(subject.clone())],
            subject,
        });
    }
    carriers
}
