//! What sets queues apart for principals, besides names and keys: account, region, tags, and a policy that concerns them.
//!
//! Most queue policies concern no user or role at all: they admit services, name the own account, or deny what never
//! happens. Such a queue fares like one without a policy. Of the others many say the same, each of its own queue.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use super::compiled::{Ground, Look, looks_of, tags_of};
use super::context::AnyPrincipal;
use super::key::AuditedKey;
use super::{Access, AuditedQueue};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::{
    Assumptions, Effect, PolicyKind, PrincipalEntry, Request, Requester, RequesterKind, Statement,
};

/// Whom a queue policy concerns among the users and roles of the audited accounts.
#[derive(Debug, Clone, Default)]
pub(super) struct Concern<'d> {
    /// Whether it concerns principals that it does not name.
    pub(super) broad: bool,
    /// Whether it may allow something to such principals.
    pub(super) allows: bool,
    /// What it looks at that differs between such principals.
    pub(super) looks: Vec<Look<'d>>,
    /// The principals that it names, by index.
    pub(super) named: BTreeSet<usize>,
    /// What it says to principals that it does not name, in words that are equal where it says the same.
    said: String,
    /// Whether what it says may be another thing for each queue whatever the words.
    alone: bool,
    /// The keys of the queue's tags that it looks at, in lower case.
    tags: BTreeSet<&'d str>,
}

/// The principals by the names that policies have for them.
pub(super) struct Roster<'a> {
    by_arn: HashMap<&'a Arn, usize>,
    /// By account and name. Neither this nor an id is ever double in AWS, but it may be in a file.
    roles: HashMap<(&'a str, &'a str), Vec<usize>>,
    by_id: HashMap<&'a str, Vec<usize>>,
    accounts: BTreeSet<&'a str>,
}

impl<'a> Roster<'a> {
    pub(super) fn new(access: &'a Access<'_>) -> Self {
        let mut roster = Self {
            by_arn: HashMap::new(),
            roles: HashMap::new(),
            by_id: HashMap::new(),
            accounts: BTreeSet::new(),
        };
        for (index, principal) in access.principals.iter().enumerate() {
            let account = principal.arn.account();
            roster.by_arn.insert(principal.arn, index);
            roster.by_id.entry(principal.id).or_default().push(index);
            roster.accounts.insert(account);
            if principal.kind == Kind::Role {
                let name = (account, principal.arn.name());
                roster.roles.entry(name).or_default().push(index);
            }
        }
        roster
    }

    /// The user or role of an ARN.
    fn of_arn(&self, arn: &Arn) -> Option<usize> {
        self.by_arn.get(arn).copied()
    }

    /// The principals that an entry names one by one.
    fn named(&self, entry: &PrincipalEntry) -> Vec<usize> {
        match entry {
            PrincipalEntry::User(arn) => self.of_arn(arn).into_iter().collect(),
            PrincipalEntry::Role(arn) => self.role(arn.account(), arn.name()).to_vec(),
            PrincipalEntry::Session(session) => self.role(&session.account, &session.role).to_vec(),
            PrincipalEntry::UniqueId(id) => {
                self.by_id.get(id.as_str()).cloned().unwrap_or_default()
            }
            PrincipalEntry::Everyone
            | PrincipalEntry::Account { .. }
            | PrincipalEntry::FederatedUser(_)
            | PrincipalEntry::Service(_)
            | PrincipalEntry::Federated(_)
            | PrincipalEntry::Unmatchable(_) => Vec::new(),
        }
    }

    /// The role of an account by its name; names are unique without their path.
    fn role<'n>(&'n self, account: &'n str, name: &'n str) -> &'n [usize] {
        self.roles.get(&(account, name)).map_or(&[], Vec::as_slice)
    }
}

/// Whom the policy and the grants of a key name, and what they look at that differs between others.
pub(super) fn concern_of_key<'d>(
    ground: &Ground<'_>,
    roster: &Roster<'_>,
    audited: &'d AuditedKey<'_>,
) -> Concern<'d> {
    let mut concern = Concern::default();
    for policy in &audited.policies {
        for statement in policy.document.readings.iter().flatten() {
            if !ground.is_about_keys(statement) {
                continue;
            }
            concern.looks.extend(looks_of(statement));
            match &statement.principal {
                Some(element) if element.negated => concern.looks.push(Look::Exempt(statement)),
                element => {
                    for entry in element.iter().flat_map(|element| &element.entries) {
                        concern.named.extend(roster.named(entry));
                    }
                }
            }
        }
    }
    concern
}

/// Whom the policy of a queue concerns.
pub(super) fn concern<'d>(
    ground: &Ground<'_>,
    roster: &Roster<'_>,
    audited: &'d AuditedQueue<'_>,
    keys: &AnyPrincipal<'_>,
) -> Concern<'d> {
    let mut concern = Concern::default();
    let Some(policy) = &audited.policy else {
        return concern;
    };
    if !policy.document.readable {
        concern.broad = true;
        concern.allows = true;
        concern.alone = true;
        return concern;
    }
    for statement in policy.document.readings.iter().flatten() {
        if ground.is_about_queues(statement)
            && may_apply(statement, audited, policy.document.kind, keys)
        {
            concern.add(statement, roster, &audited.queue.arn);
        }
    }
    // What is open between two readings is put in words with the policy's name.
    concern.alone |= concern.broad && policy.document.readings.len() > 1;
    concern
}

/// Whether the statement applies to some request of some user or role.
fn may_apply(
    statement: &Statement,
    audited: &AuditedQueue<'_>,
    kind: PolicyKind,
    keys: &AnyPrincipal<'_>,
) -> bool {
    // Who asks matters to the principal element only, which is looked at by itself.
    let requester = Requester {
        kind: RequesterKind::Anonymous,
        partition: "".into(),
        account: None,
        unique_id: None,
        has_boundary: false,
    };
    let request = Request {
        requester: &requester,
        action: "",
        resource: audited.queue.arn.as_str(),
        keys,
    };
    !statement
        .matches(&request, kind, &mut Assumptions::default())
        .is_never()
}

impl<'d> Concern<'d> {
    fn add(&mut self, statement: &'d Statement, roster: &Roster<'_>, queue: &Arn) {
        let allows = statement.effect == Effect::Allow;
        let mut broad = false;
        match &statement.principal {
            None => broad = true,
            Some(element) if element.negated => {
                broad = true;
                self.looks.push(Look::Exempt(statement));
            }
            Some(element) => {
                for entry in &element.entries {
                    broad |= self.add_entry(entry, allows, roster, queue.account());
                }
            }
        }
        if broad {
            self.broad = true;
            self.allows |= allows;
            self.looks.extend(looks_of(statement));
            self.say(statement, queue);
        }
    }

    /// Notes what a statement says to principals that it does not name. On which resources does not matter where its own
    /// queue is surely one of them.
    fn say(&mut self, statement: &'d Statement, queue: &Arn) {
        let Statement {
            label,
            effect,
            principal,
            actions,
            resources,
            conditions,
            valid,
            assumed: _,
        } = statement;
        // Writing to a `String` cannot fail.
        let _ = write!(
            self.said,
            "{label} {effect:?} {principal:?} {actions:?} {conditions:?} {valid};"
        );
        self.tags.extend(tags_of(statement));
        self.alone |= resources.as_ref().is_some_and(|set| {
            let is_surely_meant = set.patterns.iter().any(|pattern| {
                let reach = pattern.widest_reach(PolicyKind::Resource);
                !pattern.has_variables() && reach.contains(queue.as_str()) == Some(true)
            });
            set.negated || !is_surely_meant
        });
    }

    /// Adds whom one entry names; the answer is whether it means principals without naming them.
    fn add_entry(
        &mut self,
        entry: &PrincipalEntry,
        allows: bool,
        roster: &Roster<'_>,
        own: &str,
    ) -> bool {
        match entry {
            PrincipalEntry::Everyone => true,
            // To its own account a queue policy allows nothing that the account's policies do not (B.3).
            PrincipalEntry::Account { account, .. } if account == own => !allows,
            PrincipalEntry::Account { account, .. } => roster.accounts.contains(account.as_str()),
            _ => {
                self.named.extend(roster.named(entry));
                false
            }
        }
    }
}

/// What two queues have in common that fare alike wherever the same statements reach them, but for their keys.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Likeness<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
    owner: usize,
    tags: Tags<'a>,
    /// What its policy says to principals that it does not name.
    said: &'a str,
    /// The queue itself, where it is like no other.
    only: Option<usize>,
}

/// The tags that matter of a queue; none of them when they are not known.
type Tags<'a> = Option<Vec<(String, &'a str)>>;

/// Numbers of queues, for policies that look at one set of tags or another.
pub(super) struct Profiles<'p> {
    by_tags: HashMap<&'p BTreeSet<String>, Vec<u32>>,
    /// Those for policies that look at any tags.
    any: Vec<u32>,
}

/// Sets of tags that are told apart, at most; with more, every tag matters to all.
const MOST_SETS_OF_TAGS: usize = 32;

impl<'p> Profiles<'p> {
    /// For the sets of tags that somebody's policies look at.
    pub(super) fn new(
        access: &Access<'_>,
        concerns: &[Concern<'_>],
        sets: impl Iterator<Item = &'p BTreeSet<String>>,
    ) -> Self {
        let sets: BTreeSet<&BTreeSet<String>> = sets.collect();
        let told_apart = sets.iter().filter(|_| sets.len() <= MOST_SETS_OF_TAGS);
        let by_tags = told_apart
            .map(|tags| (*tags, numbers(access, concerns, tags)))
            .collect();
        let all = sets.iter().copied().flatten().cloned().collect();
        Self {
            by_tags,
            any: numbers(access, concerns, &all),
        }
    }

    /// For each queue a number that is equal for queues that fare alike wherever the same statements reach them, but for
    /// their keys, and where those statements look at these tags.
    pub(super) fn of(&self, tags: &BTreeSet<String>) -> &[u32] {
        self.by_tags.get(tags).unwrap_or(&self.any)
    }
}

fn numbers(access: &Access<'_>, concerns: &[Concern<'_>], tags: &BTreeSet<String>) -> Vec<u32> {
    let mut numbers: BTreeMap<Likeness<'_>, u32> = BTreeMap::new();
    let profiles = access.queues.iter().zip(concerns).enumerate();
    profiles
        .map(|(index, (audited, concern))| {
            let arn = &audited.queue.arn;
            let matters = |key: &str| tags.contains(key) || concern.tags.contains(key);
            let likeness = Likeness {
                partition: arn.partition(),
                region: arn.region(),
                account: arn.account(),
                owner: audited.account,
                tags: relevant_tags(audited, &matters),
                said: &concern.said,
                only: concern.alone.then_some(index),
            };
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(likeness).or_insert(next)
        })
        .collect()
}

fn relevant_tags<'a>(audited: &AuditedQueue<'a>, matters: &dyn Fn(&str) -> bool) -> Tags<'a> {
    let tags = audited.queue.tags.as_ref()?;
    let mut relevant: Vec<(String, &str)> = tags
        .iter()
        .map(|tag| (tag.key.to_lowercase(), tag.value.as_str()))
        .filter(|(key, _)| matters(key))
        .collect();
    relevant.sort();
    Some(relevant)
}
