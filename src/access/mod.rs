//! Who may do what: accounts and their policies in, verdicts out.
//!
//! [`decide`] answers one request over all layers. [`Access`] asks it for every principal, queue and capability of the
//! audited accounts, and for whom queue policies name besides ([`Outsider`]); it keeps what is not denied and can prove
//! each answer by the statements behind it.

mod action;
mod context;
mod decide;
mod outsider;
mod principal;
mod proof;
mod unreadable;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use action::{
    Capability, SQS_ACTIONS, SqsAction, authorized_as, has_resource, needs_resource_policy,
    never_works_across_accounts,
};
pub use decide::{Candidates, Decision, Denial, Layer, Layers, Matched, Policy, Verdict, decide};
pub use outsider::{Outsider, Who};
pub use principal::{Principal, Trust, inline_name, inline_policies};
pub use proof::{Proof, Prover};

use self::context::{Caller, QueueContext};
use crate::account::{Account, Encryption, Queue};
use crate::entity::{Certainty, Kind};
use crate::policy::{Document, Formula, PolicyKind, Request, Statement};

/// Access to the queues of the audited accounts.
#[derive(Debug)]
pub struct Access<'a> {
    /// The accounts, in the order given.
    pub accounts: &'a [Account],
    /// Users and roles of all accounts, sorted by account and ARN.
    pub principals: Vec<Principal<'a>>,
    /// Queues of all accounts, sorted by account and ARN.
    pub queues: Vec<AuditedQueue<'a>>,
    /// For each principal its rights on queues, sorted by queue; queues without any are left out.
    rows: Vec<Row>,
    tags_matter: bool,
}

/// A queue with its policy parsed.
#[derive(Debug)]
pub struct AuditedQueue<'a> {
    /// The queue.
    pub queue: &'a Queue,
    /// Its policy, when it has one. Unreadable when its attributes could not be read.
    pub policy: Option<Policy>,
    /// Who the policy names besides users and roles of the audited accounts, with what they can do.
    pub outsiders: Vec<Outsider>,
    /// The index of its account among those audited.
    pub account: usize,
}

#[derive(Debug, Default)]
struct Row {
    cells: Vec<Cell>,
    /// The formulas of conditional answers, each kept once.
    formulas: Vec<Formula>,
}

#[derive(Debug)]
struct Cell {
    queue: usize,
    answers: [Answer; Capability::ALL.len()],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Denied,
    Allowed,
    /// An index into the row's formulas.
    Conditional(u32),
}

/// What one principal can do with one queue.
#[derive(Debug, Clone, Copy)]
pub struct Rights<'a> {
    /// The index of the queue in [`Access::queues`].
    pub queue: usize,
    cell: &'a Cell,
    formulas: &'a [Formula],
}

impl<'a> Rights<'a> {
    /// When the capability is there.
    pub fn when(&self, capability: Capability) -> &'a Formula {
        match self.answer(capability) {
            Answer::Denied => &Formula::Never,
            Answer::Allowed => &Formula::Always,
            Answer::Conditional(index) => {
                self.formulas.get(index as usize).unwrap_or(&Formula::Never)
            }
        }
    }

    /// How sure the capability is; none when it is denied.
    pub fn certainty(&self, capability: Capability) -> Option<Certainty> {
        match self.answer(capability) {
            Answer::Denied => None,
            Answer::Allowed => Some(Certainty::Allowed),
            Answer::Conditional(_) => Some(Certainty::Conditional),
        }
    }

    fn answer(&self, capability: Capability) -> Answer {
        self.cell
            .answers
            .get(capability as usize)
            .copied()
            .unwrap_or(Answer::Denied)
    }
}

impl<'a> Access<'a> {
    /// Decides every principal, queue and capability.
    pub fn compute(accounts: &'a [Account]) -> Self {
        let mut principals = Vec::new();
        let mut queues = Vec::new();
        for (index, account) in accounts.iter().enumerate() {
            principals.extend(principal::principals(account, index));
            queues.extend(account.queues.iter().map(|queue| AuditedQueue {
                queue,
                policy: queue_policy(queue),
                outsiders: Vec::new(),
                account: index,
            }));
        }
        let tags_matter = tags_matter(&principals, &queues);
        let mut access = Self {
            accounts,
            principals,
            queues,
            rows: Vec::new(),
            tags_matter,
        };
        access.rows = access.decide_all();
        for index in 0..access.queues.len() {
            let outsiders = outsider::of_queue(&access, index);
            if let Some(queue) = access.queues.get_mut(index) {
                queue.outsiders = outsiders;
            }
        }
        access
    }

    /// The rights of a principal on queues, those without any left out, sorted by queue.
    pub fn rights(&self, principal: usize) -> impl Iterator<Item = Rights<'_>> {
        self.rows.get(principal).into_iter().flat_map(|row| {
            row.cells.iter().map(|cell| Rights {
                queue: cell.queue,
                cell,
                formulas: &row.formulas,
            })
        })
    }

    /// The account of a queue or principal index.
    pub fn account(&self, index: usize) -> Option<&'a Account> {
        self.accounts.get(index)
    }

    fn decide_all(&self) -> Vec<Row> {
        let queue_side = QueueSide::prepare(&self.queues, self.tags_matter);
        self.principals
            .iter()
            .map(|principal| self.decide_row(principal, &queue_side))
            .collect()
    }

    fn decide_row(&self, principal: &Principal<'_>, queue_side: &[QueueSide<'_>]) -> Row {
        let mut row = Row::default();
        let by_action = PrincipalSide::prepare(principal, self.tags_matter);
        let has_identity_rights = by_action
            .iter()
            .flatten()
            .any(|side| !side.identity.allows_nothing());
        for (queue_index, (audited, queue_side)) in self.queues.iter().zip(queue_side).enumerate() {
            if !has_identity_rights && queue_side.allows_nothing {
                continue;
            }
            let mut formulas = [const { Formula::Never }; Capability::ALL.len()];
            for ((formula, sides), queue_actions) in formulas
                .iter_mut()
                .zip(&by_action)
                .zip(&queue_side.by_capability)
            {
                for (side, resource) in sides.iter().zip(queue_actions) {
                    let when = self.when(principal, side, audited, resource, &mut |_| {});
                    *formula = std::mem::replace(formula, Formula::Never).or(when);
                    if formula.is_always() {
                        break;
                    }
                }
            }
            let [_, receive, delete, ..] = &mut formulas;
            // Without receiving there is no receipt handle to delete with (C.2).
            if !delete.is_never() {
                *delete = std::mem::replace(delete, Formula::Never)
                    .and(receive.clone())
                    .settled();
            }
            if formulas.iter().all(Formula::is_never) {
                continue;
            }
            let answers = formulas.map(|formula| row.answer(formula));
            row.cells.push(Cell {
                queue: queue_index,
                answers,
            });
        }
        row
    }

    /// When a principal may do one action on a queue.
    fn when<'s>(
        &self,
        principal: &Principal<'_>,
        side: &'s PrincipalSide<'s>,
        audited: &AuditedQueue<'_>,
        resource: &'s Candidates<'s>,
        record: &mut dyn FnMut(Matched<'s>),
    ) -> Formula {
        if side.identity.allows_nothing() && resource.allows_nothing() {
            return Formula::Never;
        }
        let now = self
            .account(audited.account)
            .map_or(DateTime::<Utc>::UNIX_EPOCH, |account| account.scanned_at);
        let mut decide_as = |caller| {
            let context = QueueContext {
                caller,
                queue: audited.queue,
                now,
                carries_tags: side.action.contains("tagqueue") || side.action == "sqs:createqueue",
            };
            let request = Request {
                requester: &principal.requester,
                action: side.action,
                resource: audited.queue.arn.as_str(),
                keys: &context,
            };
            let layers = Layers {
                identity: &side.identity,
                boundary: side.boundary.as_ref(),
                session: None,
                resource,
                scps: &[],
                rcps: &[],
                endpoint: None,
            };
            decide(&request, audited.queue.arn.account(), &layers, record)
                .verdict
                .formula()
        };
        let formula = if principal.kind == Kind::User {
            // A user chooses between access key and session; what either may do, the user may (E.3).
            let with_key = decide_as(Caller::UserWithKey(principal));
            if with_key.is_always() || !principal_looks_at_sessions(side, resource) {
                with_key
            } else {
                with_key
                    .or(decide_as(Caller::UserWithSession(principal)))
                    .settled()
            }
        } else {
            decide_as(Caller::Role(principal))
        };
        let other_account = principal.arn.account() != audited.queue.arn.account();
        if other_account && needs_key(side.action) && has_aws_managed_key(audited.queue) {
            return Formula::Never;
        }
        formula
    }
}

impl Row {
    fn answer(&mut self, formula: Formula) -> Answer {
        match formula {
            Formula::Never => Answer::Denied,
            Formula::Always => Answer::Allowed,
            conditional => {
                let known = self.formulas.iter().position(|known| *known == conditional);
                let index = known.unwrap_or_else(|| {
                    self.formulas.push(conditional);
                    self.formulas.len() - 1
                });
                u32::try_from(index).map_or(Answer::Denied, Answer::Conditional)
            }
        }
    }
}

/// A principal's statements about one action.
struct PrincipalSide<'a> {
    action: &'static str,
    identity: Candidates<'a>,
    boundary: Option<Candidates<'a>>,
}

impl<'a> PrincipalSide<'a> {
    fn of(principal: &'a Principal<'_>, action: &'static str) -> Self {
        Self {
            action,
            identity: Candidates::of(&principal.policies, action),
            boundary: principal
                .boundary
                .as_ref()
                .map(|boundary| Candidates::limiting([boundary], action)),
        }
    }

    fn prepare(
        principal: &'a Principal<'_>,
        tags_matter: bool,
    ) -> [Vec<Self>; Capability::ALL.len()] {
        Capability::ALL.map(|capability| {
            capability
                .actions(tags_matter)
                .iter()
                .map(|action| Self::of(principal, action))
                .collect()
        })
    }
}

/// A queue policy's statements about each action.
struct QueueSide<'a> {
    by_capability: [Vec<Candidates<'a>>; Capability::ALL.len()],
    allows_nothing: bool,
}

impl<'a> QueueSide<'a> {
    fn prepare(queues: &'a [AuditedQueue<'_>], tags_matter: bool) -> Vec<Self> {
        queues
            .iter()
            .map(|audited| {
                let by_capability = Capability::ALL.map(|capability| {
                    capability
                        .actions(tags_matter)
                        .iter()
                        .map(|action| Candidates::of(&audited.policy, action))
                        .collect::<Vec<_>>()
                });
                let allows_nothing = by_capability
                    .iter()
                    .flatten()
                    .all(Candidates::allows_nothing);
                Self {
                    by_capability,
                    allows_nothing,
                }
            })
            .collect()
    }
}

fn queue_policy(queue: &Queue) -> Option<Policy> {
    let document = match &queue.attributes {
        None => Document::uncollected(PolicyKind::Resource),
        Some(attributes) => {
            Document::parse(attributes.policy.as_ref()?.as_str(), PolicyKind::Resource)
        }
    };
    Some(Policy {
        name: queue.arn.shared(),
        owner: queue.arn.shared(),
        document: Arc::new(document),
    })
}

/// Every document that takes part.
fn documents<'a>(
    principals: &'a [Principal<'_>],
    queues: &'a [AuditedQueue<'_>],
) -> impl Iterator<Item = &'a Document> {
    let identity = principals
        .iter()
        .flat_map(|principal| principal.policies.iter().chain(&principal.boundary));
    let resource = queues.iter().filter_map(|audited| audited.policy.as_ref());
    identity.chain(resource).map(|policy| &*policy.document)
}

fn statements(document: &Document) -> impl Iterator<Item = &Statement> {
    document.readings.iter().flatten()
}

/// Whether some policy looks at queue tags, so that tagging a queue changes access (C.2).
fn tags_matter(principals: &[Principal<'_>], queues: &[AuditedQueue<'_>]) -> bool {
    documents(principals, queues)
        .flat_map(statements)
        .flat_map(|statement| &statement.conditions)
        .any(|clause| clause.key_lower().starts_with("aws:resourcetag/"))
}

/// Whether some statement looks at a key in which a user's access key and session differ.
fn principal_looks_at_sessions(side: &PrincipalSide<'_>, resource: &Candidates<'_>) -> bool {
    side.identity
        .statements()
        .chain(side.boundary.iter().flat_map(Candidates::statements))
        .chain(resource.statements())
        .flat_map(|statement| &statement.conditions)
        .any(|clause| {
            clause.key_lower() == "aws:tokenissuetime"
                || clause.key_lower().starts_with("aws:multifactorauth")
        })
}

/// Whether an action on an encrypted queue needs its key (C.4); deleting and purging do not.
fn needs_key(action: &str) -> bool {
    matches!(action, "sqs:sendmessage" | "sqs:receivemessage")
}

/// Whether the queue's key keeps every caller of another account out: the AWS managed key does (C.4).
fn has_aws_managed_key(queue: &Queue) -> bool {
    queue
        .attributes
        .as_ref()
        .is_some_and(|attributes| attributes.encryption.is_aws_managed_key())
}

/// Whether messages are encrypted with a KMS key, so that no one without credentials can use the queue.
fn has_key(queue: &Queue) -> bool {
    queue
        .attributes
        .as_ref()
        .is_some_and(|attributes| matches!(attributes.encryption, Encryption::Kms { .. }))
}
