//! Principals as policies name them, and requesters as they come. Implements "AWS JSON policy elements: Principal".

use std::sync::Arc;

use crate::arn::Arn;

/// One entry of a `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrincipalEntry {
    /// `*`, in either of its spellings.
    Everyone,
    /// An account: delegation to it, not only its root user.
    Account {
        /// The partition, when the ARN form was used.
        partition: Option<String>,
        /// The account id.
        account: String,
    },
    /// An IAM user.
    User(Arn),
    /// An IAM role, and so every session of it.
    Role(Arn),
    /// One named session of a role.
    Session(RoleSession),
    /// A `GetFederationToken` session.
    FederatedUser(Arn),
    /// The unique id left behind by a deleted user or role.
    UniqueId(String),
    /// An AWS service.
    Service(String),
    /// An identity provider; trust policies only.
    Federated(String),
    /// Something that names no requester: a pattern, a group, an S3 canonical user.
    Unmatchable(String),
}

/// The parts of `arn:…:sts::account:assumed-role/Role/session`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSession {
    /// The partition.
    pub partition: String,
    /// The account of the role.
    pub account: String,
    /// The role's name, without a path.
    pub role: String,
    /// The session's name.
    pub session: String,
}

impl RoleSession {
    /// Takes an `assumed-role` ARN apart.
    pub fn parse(arn: &Arn) -> Option<Self> {
        let rest = arn.resource().strip_prefix("assumed-role/")?;
        let (role, session) = rest.split_once('/')?;
        (arn.service() == "sts").then(|| Self {
            partition: arn.partition().to_owned(),
            account: arn.account().to_owned(),
            role: role.to_owned(),
            session: session.to_owned(),
        })
    }
}

impl PrincipalEntry {
    /// Reads an entry under the key `AWS`.
    pub(super) fn aws(text: &str) -> Self {
        if text == "*" {
            return Self::Everyone;
        }
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Account {
                partition: None,
                account: text.to_owned(),
            };
        }
        // P1: no partial wildcards. A text with one is a literal that matches nothing.
        if text.contains(['*', '?']) {
            return Self::Unmatchable(text.to_owned());
        }
        let Ok(arn) = Arn::parse(text) else {
            let is_unique_id = text.len() > 8
                && (text.starts_with("AIDA") || text.starts_with("AROA"))
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            return if is_unique_id {
                Self::UniqueId(text.to_owned())
            } else {
                Self::Unmatchable(text.to_owned())
            };
        };
        let kind = arn.resource().split('/').next().unwrap_or_default();
        match (arn.service(), kind) {
            ("iam", "root") => Self::Account {
                partition: Some(arn.partition().to_owned()),
                account: arn.account().to_owned(),
            },
            ("iam", "user") => Self::User(arn),
            ("iam", "role") => Self::Role(arn),
            ("sts", "assumed-role") => match RoleSession::parse(&arn) {
                Some(session) => Self::Session(session),
                None => Self::Unmatchable(text.to_owned()),
            },
            ("sts", "federated-user") => Self::FederatedUser(arn),
            _ => Self::Unmatchable(text.to_owned()),
        }
    }

    /// The account that the entry names, when it names one.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Account { account, .. } => Some(account),
            Self::User(arn) | Self::Role(arn) | Self::FederatedUser(arn) => Some(arn.account()),
            Self::Session(session) => Some(&session.account),
            Self::Everyone
            | Self::UniqueId(_)
            | Self::Service(_)
            | Self::Federated(_)
            | Self::Unmatchable(_) => None,
        }
    }
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    /// What sort of requester.
    pub kind: RequesterKind,
    /// The partition of its credentials; empty for anonymous callers and services.
    pub partition: Arc<str>,
    /// The account of its credentials; none for anonymous callers and services.
    pub account: Option<Arc<str>>,
    /// The unique id of the user or role (`AIDA…`, `AROA…`), when known.
    pub unique_id: Option<String>,
    /// Whether the user or role has a permissions boundary (rule P10).
    pub has_boundary: bool,
}

/// The sorts of requesters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequesterKind {
    /// An IAM user.
    User(Arn),
    /// A session of a role.
    Role {
        /// The role's name, without a path.
        name: String,
        /// The session's name; none when it is any session.
        session: Option<String>,
        /// Whether the role is linked to a service: no control policy applies to it.
        service_linked: bool,
    },
    /// A `GetFederationToken` session of a user.
    FederatedUser {
        /// The session's ARN.
        arn: Arn,
    },
    /// The root user of an account, which holds whatever the account is granted.
    Root,
    /// An AWS service on its own behalf.
    Service(String),
    /// A session that an identity provider vouches for, before it has a role.
    Federated(String),
    /// A request without credentials.
    Anonymous,
}

/// How an entry matches a requester: what a grant to it then bypasses differs (section B.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryMatch {
    No,
    /// The requester itself.
    Direct,
    /// The requester itself, if its session has this name.
    DirectForSession,
    /// The role or user behind the session.
    Entity,
    /// The account.
    Account,
}

impl Requester {
    pub(super) fn matched_by(&self, entry: &PrincipalEntry) -> EntryMatch {
        let same_account = |partition: Option<&str>, account: &str| {
            self.account.as_deref() == Some(account)
                && partition.is_none_or(|partition| *partition == *self.partition)
        };
        match (entry, &self.kind) {
            (PrincipalEntry::Everyone, _) => EntryMatch::Direct,
            (PrincipalEntry::Service(entry), RequesterKind::Service(name)) if entry == name => {
                EntryMatch::Direct
            }
            (PrincipalEntry::Federated(entry), RequesterKind::Federated(name)) if entry == name => {
                EntryMatch::Direct
            }
            (
                _,
                RequesterKind::Service(_) | RequesterKind::Federated(_) | RequesterKind::Anonymous,
            ) => EntryMatch::No,
            (PrincipalEntry::Account { partition, account }, _) => {
                if same_account(partition.as_deref(), account) {
                    EntryMatch::Account
                } else {
                    EntryMatch::No
                }
            }
            (PrincipalEntry::User(entry), RequesterKind::User(arn)) if entry == arn => {
                EntryMatch::Direct
            }
            (PrincipalEntry::User(entry), RequesterKind::FederatedUser { arn })
                if same_account(Some(entry.partition()), entry.account())
                    && entry.name() == arn.name() =>
            {
                EntryMatch::Entity
            }
            (PrincipalEntry::Role(entry), RequesterKind::Role { name, .. })
                if same_account(Some(entry.partition()), entry.account())
                    && entry.name() == name =>
            {
                EntryMatch::Entity
            }
            (PrincipalEntry::Session(entry), RequesterKind::Role { name, session, .. })
                if same_account(Some(&entry.partition), &entry.account) && entry.role == *name =>
            {
                match session {
                    Some(session) if *session == entry.session => EntryMatch::Direct,
                    Some(_) => EntryMatch::No,
                    None => EntryMatch::DirectForSession,
                }
            }
            (PrincipalEntry::FederatedUser(entry), RequesterKind::FederatedUser { arn })
                if entry == arn =>
            {
                EntryMatch::Direct
            }
            (PrincipalEntry::UniqueId(entry), kind) if self.unique_id.as_ref() == Some(entry) => {
                match kind {
                    RequesterKind::User(_) => EntryMatch::Direct,
                    RequesterKind::Role { .. } | RequesterKind::FederatedUser { .. } => {
                        EntryMatch::Entity
                    }
                    _ => EntryMatch::No,
                }
            }
            _ => EntryMatch::No,
        }
    }
}
