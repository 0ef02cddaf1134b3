//! What differs between two readings of an account: who came and went, what was attached, which statements changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::PolicyTexts;
use crate::access::inline_name;
use crate::account::{Account, Organization, PolicyText, Queue, Tag};
use crate::arn::Arn;
use crate::finding::{Entity, Kind};

/// One difference between two readings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountChange {
    /// Something exists that did not.
    Created(Entity),
    /// Something is no more.
    Deleted(Entity),
    /// A managed or inline policy was attached.
    Attached {
        /// The policy, as evidence names it.
        policy: String,
        /// The user, group or role.
        to: Entity,
    },
    /// A managed or inline policy was taken away.
    Detached {
        /// The policy, as evidence names it.
        policy: String,
        /// The user, group or role.
        from: Entity,
    },
    /// A user became a member of a group.
    Joined {
        /// The user.
        user: Entity,
        /// The group.
        group: Entity,
    },
    /// A user is a member of a group no longer.
    Left {
        /// The user.
        user: Entity,
        /// The group.
        group: Entity,
    },
    /// A statement of a policy that both readings have.
    Statement {
        /// The policy, as evidence names it.
        policy: String,
        /// Its `Sid`, or `#index` counted from 1.
        statement: String,
        /// What became of it.
        how: How,
    },
    /// The permissions boundary of a user or role.
    Boundary(Entity),
    /// The tags of a user, role or queue.
    Tags(Entity),
    /// How a queue is encrypted, or where its messages are moved.
    Settings(Entity),
    /// What runs as a role, or what starts by itself.
    Workloads(Entity),
    /// The organization around an account, or its control policies.
    Organization(Entity),
}

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// It was added.
    Added,
    /// It says something else.
    Changed,
    /// It was removed.
    Removed,
}

impl How {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

impl AccountChange {
    /// The word of the JSON contract.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Deleted(_) => "deleted",
            Self::Attached { .. } => "attached",
            Self::Detached { .. } => "detached",
            Self::Joined { .. } => "joined",
            Self::Left { .. } => "left",
            Self::Statement { how, .. } => match how {
                How::Added => "statement-added",
                How::Changed => "statement-changed",
                How::Removed => "statement-removed",
            },
            Self::Boundary(_) => "boundary",
            Self::Tags(_) => "tags",
            Self::Settings(_) => "settings",
            Self::Workloads(_) => "workloads",
            Self::Organization(_) => "organization",
        }
    }

    /// What changed itself; none where that is a policy.
    pub fn subject(&self) -> Option<&Entity> {
        match self {
            Self::Created(one)
            | Self::Deleted(one)
            | Self::Boundary(one)
            | Self::Tags(one)
            | Self::Settings(one)
            | Self::Workloads(one)
            | Self::Organization(one)
            | Self::Attached { to: one, .. }
            | Self::Detached { from: one, .. }
            | Self::Joined { user: one, .. }
            | Self::Left { user: one, .. } => Some(one),
            Self::Statement { .. } => None,
        }
    }
}

fn short(entity: &Entity) -> String {
    let name = entity.arn.rsplit(['/', ':']).next().unwrap_or(&entity.arn);
    format!("{} {name}", entity.kind.words())
}

impl fmt::Display for AccountChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(one) => write!(f, "{} was created", short(one)),
            Self::Deleted(one) => write!(f, "{} was deleted", short(one)),
            Self::Attached { policy, to } => write!(f, "{policy} was attached to {}", short(to)),
            Self::Detached { policy, from } => {
                write!(f, "{policy} was detached from {}", short(from))
            }
            Self::Joined { user, group } => write!(f, "{} joined {}", short(user), short(group)),
            Self::Left { user, group } => write!(f, "{} left {}", short(user), short(group)),
            Self::Statement {
                policy,
                statement,
                how,
            } => write!(f, "statement {statement} of {policy} was {}", how.as_str()),
            Self::Boundary(of) => write!(f, "the boundary of {} was changed", short(of)),
            Self::Tags(of) => write!(f, "the tags of {} were changed", short(of)),
            Self::Settings(of) => {
                write!(f, "the encryption or redrive of {} was changed", short(of))
            }
            Self::Workloads(of) => write!(f, "what runs as {} was changed", short(of)),
            Self::Organization(of) => {
                write!(
                    f,
                    "the organization of {} or its control policies were changed",
                    short(of)
                )
            }
        }
    }
}

/// What differs between two readings, sorted. Accounts that only one of them has are not compared.
pub fn changes(old: &[Account], new: &[Account]) -> BTreeSet<AccountChange> {
    let mut changes = BTreeSet::new();
    for now in new {
        let Some(then) = old.iter().find(|account| account.id == now.id) else {
            continue;
        };
        let (then, now) = (Reading::of(then), Reading::of(now));
        then.compare(&now, &mut changes);
    }
    let (then, now) = (PolicyTexts::of(old), PolicyTexts::of(new));
    for (policy, texts) in now.all() {
        let before = then.texts(policy);
        if !before.is_empty() && before != texts {
            statements(policy, before, texts, &mut changes);
        }
    }
    changes
}

/// One account, as it is compared.
struct Reading<'a> {
    account: &'a Account,
    /// Users, groups and roles.
    holders: BTreeMap<Entity, Holder<'a>>,
    queues: BTreeMap<Entity, &'a Queue>,
    /// What runs as a role, by role.
    workloads: BTreeMap<Entity, BTreeSet<String>>,
}

#[derive(Default)]
struct Holder<'a> {
    policies: BTreeSet<String>,
    groups: BTreeSet<Entity>,
    boundary: Option<&'a Arn>,
    tags: &'a [Tag],
}

impl<'a> Reading<'a> {
    fn of(account: &'a Account) -> Self {
        let groups: BTreeMap<&str, Entity> = account
            .groups
            .iter()
            .map(|group| {
                (
                    group.arn.name(),
                    Entity::new(Kind::Group, group.arn.shared()),
                )
            })
            .collect();
        let policies =
            |kind, arn: &Arn, inline: &[crate::account::InlinePolicy], attached: &[Arn]| {
                let inline = inline
                    .iter()
                    .map(|policy| inline_name(kind, arn, &policy.name));
                let attached = attached.iter().map(ToString::to_string);
                inline.chain(attached).collect::<BTreeSet<String>>()
            };
        let mut holders = BTreeMap::new();
        for user in &account.users {
            let holder = Holder {
                policies: policies(Kind::User, &user.arn, &user.inline, &user.attached),
                groups: user
                    .groups
                    .iter()
                    .filter_map(|name| groups.get(name.as_str()).cloned())
                    .collect(),
                boundary: user.boundary.as_ref(),
                tags: &user.tags,
            };
            holders.insert(Entity::new(Kind::User, user.arn.shared()), holder);
        }
        for group in &account.groups {
            let holder = Holder {
                policies: policies(Kind::Group, &group.arn, &group.inline, &group.attached),
                ..Holder::default()
            };
            holders.insert(Entity::new(Kind::Group, group.arn.shared()), holder);
        }
        for role in &account.roles {
            let holder = Holder {
                policies: policies(Kind::Role, &role.arn, &role.inline, &role.attached),
                boundary: role.boundary.as_ref(),
                tags: &role.tags,
                ..Holder::default()
            };
            holders.insert(Entity::new(Kind::Role, role.arn.shared()), holder);
        }
        let mut workloads: BTreeMap<Entity, BTreeSet<String>> = BTreeMap::new();
        for function in &account.functions {
            let role = Entity::new(Kind::Role, function.role.shared());
            let starts = account
                .event_source_mappings
                .iter()
                .filter(|mapping| mapping.function == function.arn)
                .map(|mapping| format!("{mapping:?}"));
            let of_role = workloads.entry(role).or_default();
            of_role.insert(function.arn.to_string());
            of_role.extend(starts);
        }
        for workload in &account.workloads {
            let role = Entity::new(Kind::Role, workload.runs_as.shared());
            let of_role = workloads.entry(role).or_default();
            of_role.insert(workload.arn.to_string());
        }
        Self {
            account,
            holders,
            queues: account
                .queues
                .iter()
                .map(|queue| (Entity::new(Kind::Queue, queue.arn.shared()), queue))
                .collect(),
            workloads,
        }
    }

    fn compare(&self, now: &Self, changes: &mut BTreeSet<AccountChange>) {
        come_and_gone(&self.holders, &now.holders, changes);
        come_and_gone(&self.queues, &now.queues, changes);
        for (entity, holder) in &now.holders {
            let Some(before) = self.holders.get(entity) else {
                continue;
            };
            let attached = holder.policies.difference(&before.policies);
            changes.extend(attached.map(|policy| AccountChange::Attached {
                policy: policy.clone(),
                to: entity.clone(),
            }));
            let detached = before.policies.difference(&holder.policies);
            changes.extend(detached.map(|policy| AccountChange::Detached {
                policy: policy.clone(),
                from: entity.clone(),
            }));
            let joined = holder.groups.difference(&before.groups);
            changes.extend(joined.map(|group| AccountChange::Joined {
                user: entity.clone(),
                group: group.clone(),
            }));
            let left = before.groups.difference(&holder.groups);
            changes.extend(left.map(|group| AccountChange::Left {
                user: entity.clone(),
                group: group.clone(),
            }));
            if holder.boundary != before.boundary {
                changes.insert(AccountChange::Boundary(entity.clone()));
            }
            if !same_tags(holder.tags, before.tags) {
                changes.insert(AccountChange::Tags(entity.clone()));
            }
            if entity.kind == Kind::Role && self.workloads.get(entity) != now.workloads.get(entity)
            {
                changes.insert(AccountChange::Workloads(entity.clone()));
            }
        }
        for (entity, queue) in &now.queues {
            if let Some(before) = self.queues.get(entity) {
                compare_queues(entity, before, queue, changes);
            }
        }
        if !same_organization(self.account, now.account) {
            let id = self.account.id.as_str();
            changes.insert(AccountChange::Organization(Entity::new(Kind::Account, id)));
        }
    }
}

fn come_and_gone<T>(
    old: &BTreeMap<Entity, T>,
    new: &BTreeMap<Entity, T>,
    changes: &mut BTreeSet<AccountChange>,
) {
    let created = new.keys().filter(|entity| !old.contains_key(entity));
    changes.extend(created.cloned().map(AccountChange::Created));
    let deleted = old.keys().filter(|entity| !new.contains_key(entity));
    changes.extend(deleted.cloned().map(AccountChange::Deleted));
}

fn compare_queues(
    entity: &Entity,
    old: &Queue,
    new: &Queue,
    changes: &mut BTreeSet<AccountChange>,
) {
    if old
        .tags
        .as_ref()
        .zip(new.tags.as_ref())
        .is_some_and(|(old, new)| !same_tags(old, new))
    {
        changes.insert(AccountChange::Tags(entity.clone()));
    }
    let (Some(old), Some(new)) = (&old.attributes, &new.attributes) else {
        return;
    };
    if old.encryption != new.encryption
        || old.redrive != new.redrive
        || old.redrive_allow != new.redrive_allow
    {
        changes.insert(AccountChange::Settings(entity.clone()));
    }
    // A policy that both have is compared statement by statement, with all others.
    let policy = entity.arn.to_string();
    match (&old.policy, &new.policy) {
        (None, Some(_)) => {
            changes.insert(AccountChange::Attached {
                policy,
                to: entity.clone(),
            });
        }
        (Some(_), None) => {
            changes.insert(AccountChange::Detached {
                policy,
                from: entity.clone(),
            });
        }
        _ => {}
    }
}

fn same_tags(old: &[Tag], new: &[Tag]) -> bool {
    let set = |tags: &[Tag]| tags.iter().cloned().collect::<BTreeSet<_>>();
    set(old) == set(new)
}

fn same_organization(old: &Account, new: &Account) -> bool {
    let texts = |organization: &Option<Organization>| {
        organization
            .as_ref()
            .map(|organization| format!("{organization:?}"))
    };
    texts(&old.organization) == texts(&new.organization)
}

/// The statements in which two readings of a policy differ. One that only moved, or that was laid out anew, is the same.
fn statements(policy: &str, old: &[&str], new: &[&str], changes: &mut BTreeSet<AccountChange>) {
    let (old, new) = (labelled(old), labelled(new));
    let contents = |statements: &[(String, String)]| -> BTreeSet<String> {
        statements
            .iter()
            .map(|(_, content)| content.clone())
            .collect()
    };
    let (before, now) = (contents(&old), contents(&new));
    let mut add = |statement: &str, how| {
        changes.insert(AccountChange::Statement {
            policy: policy.to_owned(),
            statement: statement.to_owned(),
            how,
        });
    };
    let removed: Vec<&str> = old
        .iter()
        .filter(|(_, content)| !now.contains(content))
        .map(|(label, _)| label.as_str())
        .collect();
    for (label, content) in &new {
        if !before.contains(content) {
            let is_changed = removed.contains(&label.as_str());
            add(label, if is_changed { How::Changed } else { How::Added });
        }
    }
    for label in removed {
        // Told already where another statement stands in its place.
        let is_replaced = new
            .iter()
            .any(|(other, content)| other == label && !before.contains(content));
        if !is_replaced {
            add(label, How::Removed);
        }
    }
}

/// The statements of documents, each with its label and its content in one layout. A text that is no document is one statement.
fn labelled(texts: &[&str]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for text in texts {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(text);
        let Ok(document) = parsed else {
            all.push(("#1".to_owned(), PolicyText::new(text).as_str().to_owned()));
            continue;
        };
        let list = match document.get("Statement") {
            Some(serde_json::Value::Array(items)) => items.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let version = document.get("Version").map(ToString::to_string);
        for (index, statement) in list.iter().enumerate() {
            let sid = statement.get("Sid").and_then(serde_json::Value::as_str);
            let sid = sid.filter(|sid| !sid.is_empty());
            let label = sid.map_or_else(|| format!("#{}", index + 1), str::to_owned);
            let content = format!("{}{statement}", version.as_deref().unwrap_or_default());
            all.push((label, content));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: &str, new: &str) -> Vec<String> {
        let mut changes = BTreeSet::new();
        statements("policy p", &[old], &[new], &mut changes);
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn statements_are_compared_by_what_they_say() {
        let a = r#"{"Sid": "A", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}"#;
        let b = r#"{"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}"#;
        let both = format!(r#"{{"Statement": [{a}, {b}]}}"#);
        let turned = format!(r#"{{ "Statement" : [{b},{a}] }}"#);
        assert_eq!(told(&both, &turned), [""; 0]);
        let only_a = format!(r#"{{"Statement": {a}}}"#);
        assert_eq!(
            told(&both, &only_a),
            ["statement #2 of policy p was removed"]
        );
        assert_eq!(told(&only_a, &both), ["statement #2 of policy p was added"]);
        let other = only_a.replace("SendMessage", "ReceiveMessage");
        assert_eq!(
            told(&only_a, &other),
            ["statement A of policy p was changed"]
        );
    }
}
