//! One thing to change in an account: applied to a copy of it in memory, and told in words, as a command and as Terraform.
//!
//! What is told is what is applied, so that what was decided with the changes in place is about what people are asked to do.
//! Nothing here calls AWS.

use super::document;
use super::moved::{Moved, Removed, add_profile};
use crate::account::{Account, Group, InlinePolicy, PolicyText, Role};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::Json;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A role that does not exist yet, without policies.
    AddRole(Box<Role>),
    /// A group that does not exist yet, without policies.
    AddGroup(Group),
    /// An inline policy of a user, group or role: a new one, or a new text of one.
    PutInline {
        /// Whose it is.
        owner: Owner,
        /// The policy.
        policy: InlinePolicy,
        /// Whether one of the name is there already.
        replaces: bool,
    },
    /// An inline policy that goes.
    DeleteInline {
        /// Whose it is.
        owner: Owner,
        /// The name of the policy.
        name: String,
    },
    /// A managed policy that is attached.
    Attach {
        /// To whom.
        owner: Owner,
        /// The policy.
        policy: Arn,
    },
    /// A managed policy that is detached.
    Detach {
        /// From whom.
        owner: Owner,
        /// The policy.
        policy: Arn,
    },
    /// A new text of a managed policy.
    SetManaged {
        /// The policy.
        policy: Arn,
        /// The text.
        document: PolicyText,
    },
    /// A user who joins a group.
    AddMember {
        /// The user.
        user: Arn,
        /// The name of the group.
        group: String,
    },
    /// A new text of a queue policy.
    SetQueuePolicy {
        /// The queue.
        queue: Arn,
        /// Its URL.
        url: String,
        /// The text.
        document: PolicyText,
    },
    /// A new text of a key policy.
    SetKeyPolicy {
        /// The key.
        key: Arn,
        /// The text.
        document: PolicyText,
    },
    /// A new text of the trust policy of a role.
    SetTrust {
        /// The role.
        role: Arn,
        /// The text.
        document: PolicyText,
    },
    /// An instance profile that does not exist yet, for a role.
    AddProfile {
        /// The profile.
        profile: Arn,
        /// The role.
        role: Arn,
    },
    /// A workload that gets another role.
    Move(Moved),
    /// A delivery that goes.
    RemoveDelivery(Removed),
}

/// A user, group or role to which policies belong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// User, group or role.
    pub kind: Kind,
    /// Its ARN.
    pub arn: Arn,
}

impl Owner {
    /// `role app`.
    pub(super) fn words(&self) -> String {
        format!("{} {}", self.kind.words(), self.arn.name())
    }
}

/// A document that a change writes, under the name of the file that commands read it from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub file: String,
    /// What the document is.
    pub title: String,
    /// The ARN of what it belongs to.
    pub owner: String,
    /// The document.
    pub text: String,
}

/// The lists of policies of a user, group or role.
struct Lists<'a> {
    inline: &'a mut Vec<InlinePolicy>,
    attached: &'a mut Vec<Arn>,
}

fn lists<'a>(account: &'a mut Account, owner: &Owner) -> Option<Lists<'a>> {
    let (inline, attached) = match owner.kind {
        Kind::User => {
            let user = account
                .users
                .iter_mut()
                .find(|user| user.arn == owner.arn)?;
            (&mut user.inline, &mut user.attached)
        }
        Kind::Group => {
            let mut groups = account.groups.iter_mut();
            let group = groups.find(|group| group.arn == owner.arn)?;
            (&mut group.inline, &mut group.attached)
        }
        _ => {
            let role = account
                .roles
                .iter_mut()
                .find(|role| role.arn == owner.arn)?;
            (&mut role.inline, &mut role.attached)
        }
    };
    Some(Lists { inline, attached })
}

/// The account with the changes made.
pub fn applied(account: &Account, changes: &[Change]) -> Account {
    let mut copy = account.clone();
    for change in changes {
        change.apply(&mut copy);
    }
    copy.sort();
    copy
}

impl Change {
    /// Makes the change where what it is about belongs to the account.
    fn apply(&self, account: &mut Account) {
        match self {
            Self::AddRole(role) => {
                if role.arn.account() == account.id.as_str() {
                    account.roles.push((**role).clone());
                }
            }
            Self::AddGroup(group) => {
                if group.arn.account() == account.id.as_str() {
                    account.groups.push(group.clone());
                }
            }
            Self::PutInline { owner, policy, .. } => {
                if let Some(lists) = lists(account, owner) {
                    lists.inline.retain(|known| known.name != policy.name);
                    lists.inline.push(policy.clone());
                }
            }
            Self::DeleteInline { owner, name } => {
                if let Some(lists) = lists(account, owner) {
                    lists.inline.retain(|known| known.name != *name);
                }
            }
            Self::Attach { owner, policy } => {
                if let Some(lists) = lists(account, owner) {
                    lists.attached.push(policy.clone());
                }
            }
            Self::Detach { owner, policy } => {
                if let Some(lists) = lists(account, owner) {
                    lists.attached.retain(|known| known != policy);
                }
            }
            Self::SetManaged { policy, document } => {
                for known in &mut account.policies {
                    if known.arn == *policy {
                        known.document = Some(document.clone());
                    }
                }
            }
            Self::AddMember { user, group } => {
                for known in &mut account.users {
                    if known.arn == *user {
                        known.groups.push(group.clone());
                    }
                }
            }
            Self::SetQueuePolicy {
                queue, document, ..
            } => {
                for known in &mut account.queues {
                    if known.arn == *queue
                        && let Some(attributes) = &mut known.attributes
                    {
                        attributes.policy = Some(document.clone());
                    }
                }
            }
            Self::SetKeyPolicy { key, document } => {
                for known in &mut account.keys {
                    if known.arn == *key {
                        known.policy = Some(document.clone());
                    }
                }
            }
            Self::SetTrust { role, document } => {
                for known in &mut account.roles {
                    if known.arn == *role {
                        known.trust = document.clone();
                    }
                }
            }
            Self::AddProfile { profile, role } => add_profile(account, profile, role),
            Self::Move(moved) => moved.apply(account),
            Self::RemoveDelivery(removed) => removed.apply(account),
        }
    }

    /// What is to be done, as a sentence without its stop.
    pub fn words(&self) -> String {
        match self {
            Self::AddRole(role) => {
                let boundary = match &role.boundary {
                    Some(boundary) => format!(" and the boundary {}", boundary.name()),
                    None => String::new(),
                };
                format!(
                    "create role {} with the trust policy{boundary} of the old role",
                    role.arn.name()
                )
            }
            Self::AddGroup(group) => format!("create group {}", group.arn.name()),
            Self::PutInline {
                owner,
                policy,
                replaces,
            } => {
                let (verb, preposition) = if *replaces {
                    ("replace", "of")
                } else {
                    ("add", "to")
                };
                let owner = owner.words();
                format!("{verb} inline policy {} {preposition} {owner}", policy.name)
            }
            Self::DeleteInline { owner, name } => {
                format!("delete inline policy {name} of {}", owner.words())
            }
            Self::Attach { owner, policy } => {
                format!("attach policy {} to {}", policy.name(), owner.words())
            }
            Self::Detach { owner, policy } => {
                format!("detach policy {} from {}", policy.name(), owner.words())
            }
            Self::SetManaged { policy, .. } => {
                format!("make this the default version of policy {}", policy.name())
            }
            Self::AddMember { user, group } => {
                format!("make user {} a member of group {group}", user.name())
            }
            Self::SetQueuePolicy { queue, .. } => {
                format!("replace the policy of queue {}", queue.resource())
            }
            Self::SetKeyPolicy { key, .. } => {
                format!("replace the policy of key {}", key.name())
            }
            Self::SetTrust { role, .. } => {
                format!("replace the trust policy of role {}", role.name())
            }
            Self::AddProfile { profile, role } => format!(
                "create instance profile {} for role {}",
                profile.name(),
                role.name()
            ),
            Self::Move(moved) => moved.words(),
            Self::RemoveDelivery(removed) => removed.words(),
        }
    }

    /// The document that the change writes.
    pub fn written(&self) -> Option<Written> {
        let (parts, title, owner, text) = match self {
            Self::AddRole(role) => (
                vec![role.arn.name(), "trust"],
                format!("trust policy of role {}", role.arn.name()),
                role.arn.as_str(),
                role.trust.as_str(),
            ),
            Self::PutInline { owner, policy, .. } => (
                vec![owner.arn.name(), policy.name.as_str()],
                format!("inline policy {} of {}", policy.name, owner.words()),
                owner.arn.as_str(),
                policy.document.as_str(),
            ),
            Self::SetManaged { policy, document } => (
                vec![policy.name()],
                format!("policy {}", policy.name()),
                policy.as_str(),
                document.as_str(),
            ),
            Self::SetQueuePolicy {
                queue, document, ..
            } => (
                vec![queue.resource(), "queue-policy"],
                format!("policy of queue {}", queue.resource()),
                queue.as_str(),
                document.as_str(),
            ),
            Self::SetKeyPolicy { key, document } => (
                vec![key.name(), "key-policy"],
                format!("policy of key {}", key.name()),
                key.as_str(),
                document.as_str(),
            ),
            Self::SetTrust { role, document } => (
                vec![role.name(), "trust"],
                format!("trust policy of role {}", role.name()),
                role.as_str(),
                document.as_str(),
            ),
            Self::AddGroup(_)
            | Self::DeleteInline { .. }
            | Self::Attach { .. }
            | Self::Detach { .. }
            | Self::AddMember { .. }
            | Self::AddProfile { .. }
            | Self::Move(_)
            | Self::RemoveDelivery(_) => return None,
        };
        let parts: Vec<String> = parts.into_iter().map(file_name).collect();
        Some(Written {
            file: format!("{}.json", parts.join("-")),
            title,
            owner: owner.to_owned(),
            text: laid_out(text),
        })
    }
}

/// A document as people read it; one that is no JSON, or loses something by being read, as it is.
fn laid_out(text: &str) -> String {
    match Json::parse(text) {
        Ok(tree) if !tree.has_duplicate_keys() => document::text(&tree),
        _ => text.to_owned(),
    }
}

/// A name with nothing in it that means something to a shell or a file system.
pub(super) fn file_name(name: &str) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') {
            character
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(plain).collect();
    let name = name.trim_start_matches(['-', '.']);
    if name.is_empty() {
        "policy".to_owned()
    } else {
        name.to_owned()
    }
}
