//! Who a queue policy names besides the users and roles of the audited accounts: everyone, services, other accounts.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::action::Capability;
use super::asker::{Asker, Comer};
use super::candidates::Candidates;
use super::context::{ANY_SERVICE, Caller};
use super::proof::proofs;
use super::sides::{QueueSide, RequesterSide};
use super::{Access, AuditedQueue, Proof};
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::policy::{
    Clause, Document, Effect, Formula, OpenReason, PrincipalEntry, Requester, RequesterKind,
    Statement,
};

/// One requester from outside, with what the queue policy gives it.
#[derive(Debug, Clone)]
pub struct Outsider {
    /// Who it is.
    pub who: Who,
    /// When it has each capability, in the order of [`Capability::ALL`].
    rights: [Formula; Capability::ALL.len()],
    /// The statements that give them.
    pub proofs: Vec<Proof>,
}

/// The requesters that a queue policy can mean besides users and roles of the audited accounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A caller without credentials.
    Anonymous,
    /// Some user or role of an account that nothing is known of.
    AnyPrincipal,
    /// Another account, whose administrator hands the right on.
    Account(String),
    /// A user, role or session of another account.
    Principal(Arn),
    /// An AWS service.
    Service(String),
}

impl Who {
    /// Some AWS service, where a policy admits services without naming one.
    fn any_service() -> Self {
        Self::Service(ANY_SERVICE.to_owned())
    }

    /// Whether it is a service that the policy admits without naming one.
    pub fn is_any_service(&self) -> bool {
        matches!(self, Self::Service(name) if name == ANY_SERVICE)
    }

    /// The requester as a node or a row.
    pub fn entity(&self) -> Entity {
        match self {
            Self::Anonymous | Self::AnyPrincipal => Entity::new(Kind::Anyone, "*"),
            Self::Account(id) => Entity::new(Kind::Account, id.as_str()),
            Self::Principal(arn) => {
                let is_role = arn.resource().starts_with("role/");
                Entity::new(if is_role { Kind::Role } else { Kind::User }, arn.shared())
            }
            Self::Service(name) => Entity::new(Kind::Service, name.as_str()),
        }
    }
}

impl Outsider {
    /// When it has the capability. Deleting is told even where receiving is not given: a receipt handle can leak.
    pub fn when(&self, capability: Capability) -> &Formula {
        self.rights
            .get(capability as usize)
            .unwrap_or(&Formula::Never)
    }
}

/// The outsiders of one queue that have any right on it, sorted.
pub(super) fn of_queue<'s>(
    access: &'s Access<'_>,
    asker: &'s Asker<'s>,
    index: usize,
) -> Vec<Outsider> {
    let Some(audited) = access.queues.get(index) else {
        return Vec::new();
    };
    let Some(policy) = &audited.policy else {
        return Vec::new();
    };
    let queue_side = QueueSide::of(audited, access.tags_matter);
    let mut outsiders: Vec<Outsider> = named(access, audited, &policy.document)
        .into_iter()
        .filter_map(|who| decide_outsider(access, asker, audited, &queue_side, who))
        .collect();
    // Where everyone is let in, that services are too tells nothing more.
    let open_to_all: Vec<Capability> = outsiders
        .iter()
        .filter(|outsider| outsider.who == Who::Anonymous)
        .flat_map(|anyone| {
            Capability::ALL
                .into_iter()
                .filter(|capability| anyone.when(*capability).is_always())
        })
        .collect();
    outsiders.retain(|outsider| {
        !outsider.who.is_any_service()
            || Capability::ALL.into_iter().any(|capability| {
                !outsider.when(capability).is_never() && !open_to_all.contains(&capability)
            })
    });
    outsiders
}

/// Whom the Allow statements of a queue policy name.
fn named(access: &Access<'_>, audited: &AuditedQueue<'_>, document: &Document) -> BTreeSet<Who> {
    let own = audited.queue.arn.account();
    let mut named = BTreeSet::new();
    let allows = document
        .readings
        .iter()
        .flatten()
        .filter(|statement| statement.effect == Effect::Allow);
    for statement in allows {
        let Some(principal) = &statement.principal else {
            continue;
        };
        if principal.negated {
            named.extend(everyone(statement, document, own));
            continue;
        }
        for entry in &principal.entries {
            match entry {
                PrincipalEntry::Everyone => named.extend(everyone(statement, document, own)),
                PrincipalEntry::Service(name) => {
                    named.insert(Who::Service(name.clone()));
                }
                PrincipalEntry::Account { account, .. } if account != own => {
                    named.insert(Who::Account(account.clone()));
                }
                PrincipalEntry::FederatedUser(arn) if arn.account() != own => {
                    named.insert(Who::Principal(arn.clone()));
                }
                PrincipalEntry::User(arn) | PrincipalEntry::Role(arn)
                    if arn.account() != own
                        && !access.principals.iter().any(|known| known.arn == arn) =>
                {
                    named.insert(Who::Principal(arn.clone()));
                }
                PrincipalEntry::Session(session) if session.account != own => {
                    let role = format!(
                        "arn:{}:iam::{}:role/{}",
                        session.partition, session.account, session.role
                    );
                    let known = access.principals.iter().any(|known| {
                        known.arn.account() == session.account
                            && known.kind == Kind::Role
                            && known.arn.name() == session.role
                    });
                    if !known && let Ok(arn) = Arn::parse(&role) {
                        named.insert(Who::Principal(arn));
                    }
                }
                _ => {}
            }
        }
    }
    named
}

/// Whom a statement for everyone may mean: callers without credentials, principals of any account, those of the accounts
/// that the policy's conditions name, and services. Who of them gets in is decided one by one.
fn everyone(statement: &Statement, document: &Document, own: &str) -> Vec<Who> {
    let mut everyone = vec![Who::Anonymous, Who::AnyPrincipal];
    // A Deny unless the account is one of a list lets that list in, too.
    everyone.extend(
        document
            .readings
            .iter()
            .flatten()
            .flat_map(|statement| accounts_in_conditions(statement, own)),
    );
    let services = services_in_conditions(statement);
    if services.is_empty() {
        everyone.push(Who::any_service());
    }
    everyone.extend(services);
    everyone
}

/// Accounts that a statement's conditions name.
fn accounts_in_conditions<'s>(
    statement: &'s Statement,
    own: &'s str,
) -> impl Iterator<Item = Who> + 's {
    statement
        .conditions
        .iter()
        .filter(|clause| {
            matches!(
                clause.key_lower(),
                "aws:principalaccount" | "aws:principalarn"
            )
        })
        .flat_map(Clause::values)
        .filter_map(move |value| {
            let account =
                Arn::parse(value).map_or_else(|_| value.to_owned(), |arn| arn.account().to_owned());
            let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            (is_account && account != own).then_some(Who::Account(account))
        })
}

/// Services that a statement's conditions name, by their own name or by the sources they act for.
fn services_in_conditions(statement: &Statement) -> Vec<Who> {
    statement
        .conditions
        .iter()
        .flat_map(|clause| {
            clause
                .values()
                .filter_map(|value| match clause.key_lower() {
                    "aws:principalservicename"
                        if value.ends_with(".amazonaws.com")
                            || value.ends_with(".amazonaws.com.cn") =>
                    {
                        Some(value.to_owned())
                    }
                    "aws:sourcearn" => value
                        .split(':')
                        .nth(2)
                        .filter(|service| matches!(*service, "sns" | "s3" | "events"))
                        .map(|service| format!("{service}.amazonaws.com")),
                    _ => None,
                })
        })
        .map(Who::Service)
        .collect()
}

/// An outsider as a request knows it: the requester, its context, and what is known of its own policies.
fn as_caller<'w>(who: &'w Who, partition: &'w str) -> (Requester, Caller<'w>, Candidates<'w>) {
    let root_of = |account: Option<&'w str>| {
        (
            requester(RequesterKind::Root, partition, account),
            Caller::Outsider {
                partition,
                account,
                arn: None,
            },
            Candidates::default(),
        )
    };
    match who {
        Who::Anonymous => (
            requester(RequesterKind::Anonymous, "", None),
            Caller::Anonymous,
            Candidates::default(),
        ),
        Who::AnyPrincipal => root_of(None),
        Who::Account(account) => root_of(Some(account)),
        Who::Principal(arn) => {
            let kind = if arn.resource().starts_with("user/") {
                RequesterKind::User(arn.clone())
            } else if arn.resource().starts_with("federated-user/") {
                RequesterKind::FederatedUser { arn: arn.clone() }
            } else {
                RequesterKind::Role {
                    name: arn.name().to_owned(),
                    session: None,
                    service_linked: false,
                }
            };
            let allowed = Formula::open(
                OpenReason::OtherAccount,
                format!("the policies of account {} allow it as well", arn.account()),
            );
            (
                requester(kind, arn.partition(), Some(arn.account())),
                Caller::Outsider {
                    partition,
                    account: Some(arn.account()),
                    arn: Some(arn.as_str()),
                },
                Candidates::open(allowed),
            )
        }
        Who::Service(name) => (
            requester(RequesterKind::Service(name.clone()), "", None),
            Caller::Service { name, source: None },
            Candidates::default(),
        ),
    }
}

fn decide_outsider<'s>(
    access: &'s Access<'_>,
    asker: &'s Asker<'s>,
    audited: &'s AuditedQueue<'_>,
    queue_side: &'s QueueSide<'s>,
    who: Who,
) -> Option<Outsider> {
    let (requester, caller, identity) = as_caller(&who, audited.queue.arn.partition());
    // A federated session has rights through a session policy only, which is as unknown as the rest.
    let is_federated = matches!(requester.kind, RequesterKind::FederatedUser { .. });
    let session = is_federated.then_some(&identity);
    let side = RequesterSide::unknown(access.tags_matter, &identity, session);
    let account = requester.account.as_deref().and_then(|id| {
        let mut accounts = access.accounts.iter();
        accounts.position(|account| account.id.as_str() == id)
    });
    let comer = Comer {
        requester: &requester,
        caller,
        account,
    };
    let mut found = Vec::new();
    let rights = Capability::ALL.map(|capability| {
        let mut matched = Vec::new();
        let record = Some(&mut matched);
        let when = asker.when(comer, &side, audited, queue_side, capability, record);
        if !when.is_never() {
            found.extend(proofs(capability, &matched));
        }
        when
    });
    if rights.iter().all(Formula::is_never) {
        return None;
    }
    Some(Outsider {
        who,
        rights,
        proofs: found,
    })
}

fn requester(kind: RequesterKind, partition: &str, account: Option<&str>) -> Requester {
    Requester {
        kind,
        partition: Arc::from(partition),
        account: account.map(Arc::from),
        unique_id: None,
        has_boundary: false,
    }
}
