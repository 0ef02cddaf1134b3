//! Who may do what: accounts and their policies in, verdicts out.
//!
//! [`decide`] answers one request over all layers. [`Access`] asks it for every principal, queue and capability of the
//! audited accounts, and for whom queue policies name besides ([`Outsider`]); it keeps what is not denied and can prove
//! each answer by the statements behind it.

mod action;
mod asker;
mod context;
mod control;
mod decide;
mod gaps;
mod holder;
mod key;
mod outsider;
mod principal;
mod proof;
mod redrive;
mod rights;
mod sides;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub use action::{
    Capability, SQS_ACTIONS, SqsAction, authorized_as, has_resource, needs_resource_policy,
    never_works_across_accounts,
};
pub use decide::{Candidates, Decision, Denial, Layer, Layers, Matched, Policy, Verdict, decide};
pub use holder::Holder;
pub use outsider::{Outsider, Who};
pub use principal::{Principal, Trust, inline_name, inline_policies};
pub use proof::{Proof, Prover};
pub use rights::{Rights, SessionRights};

use self::asker::{Asker, Comer, needing_receipt};
use self::context::Caller;
use self::control::Controls;
use self::key::{AuditedKey, Lock};
use self::rights::{Formulas, Row};
use self::sides::{QueueSide, RequesterSide};
use crate::account::{Account, Queue};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::{Atom, Document, Formula, OpenReason, PolicyKind, Requester};

/// Access to the queues of the audited accounts.
#[derive(Debug)]
pub struct Access<'a> {
    /// The accounts, in the order given.
    pub accounts: &'a [Account],
    /// Users and roles of all accounts, sorted by account and ARN.
    pub principals: Vec<Principal<'a>>,
    /// Queues of all accounts, sorted by account and ARN.
    pub queues: Vec<AuditedQueue<'a>>,
    /// The customer managed keys of all accounts whose policies were read.
    keys: Vec<AuditedKey<'a>>,
    /// For each account what binds it from above.
    controls: Vec<Controls>,
    /// For each principal its rights on queues.
    rows: Vec<Row>,
    tags_matter: bool,
    /// Whether anything but identity policies looks at a key in which a user's access key and session differ.
    sessions_matter: bool,
    /// Whether some policy tells messages under one key apart by the queue that they were sent to.
    contexts_matter: bool,
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
    /// What encrypts its messages.
    lock: Lock,
    /// The queues whose messages SQS moves here after too many receives, by index.
    moved_from: Vec<usize>,
    /// Those, and the queues whose messages come here by way of them.
    sent_to: Vec<usize>,
}

impl<'a> Access<'a> {
    /// Decides every principal, queue and capability.
    pub fn compute(accounts: &'a [Account]) -> Self {
        let mut principals = Vec::new();
        for (index, account) in accounts.iter().enumerate() {
            principals.extend(principal::principals(account, index));
        }
        let keys = key::audited_keys(accounts);
        let mut access = Self {
            accounts,
            principals,
            queues: audited_queues(accounts, &keys),
            keys,
            controls: accounts.iter().map(Controls::of).collect(),
            rows: Vec::new(),
            tags_matter: false,
            sessions_matter: false,
            contexts_matter: false,
        };
        let tags_matter = access
            .every_document()
            .any(|document| looks_at(document, |key| key.starts_with("aws:resourcetag/")));
        let sessions_matter = access
            .shared_documents()
            .any(|document| looks_at(document, is_of_session));
        let contexts_matter = access
            .every_document()
            .any(|document| looks_at(document, |key| key.starts_with("kms:encryptioncontext:")));
        access.tags_matter = tags_matter;
        access.sessions_matter = sessions_matter;
        access.contexts_matter = contexts_matter;
        access.rows = access.decide_all();
        let outsiders: Vec<Vec<Outsider>> = {
            let asker = Asker::new(&access);
            (0..access.queues.len())
                .map(|index| outsider::of_queue(&access, &asker, index))
                .collect()
        };
        for (audited, outsiders) in access.queues.iter_mut().zip(outsiders) {
            audited.outsiders = outsiders;
        }
        access
    }

    /// The rights of a principal on queues, those without any left out, sorted by queue.
    pub fn rights(&self, principal: usize) -> impl Iterator<Item = Rights<'_>> {
        self.rows.get(principal).into_iter().flat_map(Row::rights)
    }

    /// The rights of a principal on one queue; none when it has none.
    pub fn rights_on(&self, principal: usize, queue: usize) -> Option<Rights<'_>> {
        self.rows.get(principal)?.on(queue)
    }

    /// The account of a queue or principal index.
    pub fn account(&self, index: usize) -> Option<&'a Account> {
        self.accounts.get(index)
    }

    fn decide_all(&self) -> Vec<Row> {
        let asker = Asker::new(self);
        let queue_sides: Vec<QueueSide<'_>> = self
            .queues
            .iter()
            .map(|audited| QueueSide::of(audited, self.tags_matter))
            .collect();
        self.principals
            .iter()
            .map(|principal| self.decide_row(&asker, principal, &queue_sides))
            .collect()
    }

    fn decide_row<'s>(
        &'s self,
        asker: &'s Asker<'s>,
        principal: &'s Principal<'s>,
        queue_sides: &'s [QueueSide<'s>],
    ) -> Row {
        let mut row = Row::default();
        let side = RequesterSide::of(principal, self.tags_matter);
        let callers = self.callers(principal);
        for (index, (audited, queue_side)) in self.queues.iter().zip(queue_sides).enumerate() {
            if side.allows_nothing && queue_side.allows_nothing {
                continue;
            }
            let ask = |requester: &Requester, caller: Caller<'_>| {
                let comer = Comer {
                    requester,
                    caller,
                    account: Some(principal.account),
                };
                asker.formulas(comer, &side, audited, queue_side)
            };
            let any = callers
                .iter()
                .map(|caller| ask(&principal.requester, *caller))
                .reduce(either)
                .map(needing_receipt);
            let Some(any) = any.filter(|any| !any.iter().all(Formula::is_never)) else {
                continue;
            };
            let mut differing = Vec::new();
            if any.iter().any(depends_on_session) {
                for (place, workload) in principal.workloads.iter().enumerate() {
                    let caller = Caller::Workload {
                        role: principal,
                        workload,
                    };
                    let formulas = needing_receipt(ask(&principal.requester_as(workload), caller));
                    if formulas != any {
                        differing.push((place, formulas));
                    }
                }
            }
            row.push(index, any, differing);
        }
        row
    }

    /// The ways in which a principal can come. A user chooses between access key and session; what either may do, the user
    /// may (E.3).
    fn callers<'p>(&self, principal: &'p Principal<'p>) -> Vec<Caller<'p>> {
        if principal.kind != Kind::User {
            return vec![Caller::Role(principal)];
        }
        let mut callers = vec![Caller::UserWithKey(principal)];
        let own = principal.policies.iter().chain(&principal.boundary);
        if self.sessions_matter
            || own
                .into_iter()
                .any(|policy| looks_at(&policy.document, is_of_session))
        {
            callers.push(Caller::UserWithSession(principal));
        }
        callers
    }

    /// Every document that takes part but trust policies.
    fn every_document(&self) -> impl Iterator<Item = &Document> {
        self.principals
            .iter()
            .flat_map(|principal| principal.policies.iter().chain(&principal.boundary))
            .map(|policy| &*policy.document)
            .chain(self.shared_documents())
    }

    /// The documents that do not belong to one principal.
    fn shared_documents(&self) -> impl Iterator<Item = &Document> {
        let queues = self
            .queues
            .iter()
            .filter_map(|audited| audited.policy.as_ref());
        let keys = self.keys.iter().flat_map(|audited| &audited.policies);
        let controls = self.controls.iter().flat_map(Controls::policies);
        queues
            .chain(keys)
            .chain(controls)
            .map(|policy| &*policy.document)
    }
}

/// What is there in either way.
fn either(one: Formulas, other: Formulas) -> Formulas {
    let mut others = other.into_iter();
    one.map(
        |formula| match (formula, others.next().unwrap_or(Formula::Never)) {
            (Formula::Always, _) => Formula::Always,
            (formula, other) => formula.or(other).settled(),
        },
    )
}

fn audited_queues<'a>(accounts: &'a [Account], keys: &[AuditedKey<'_>]) -> Vec<AuditedQueue<'a>> {
    let mut queues: Vec<AuditedQueue<'a>> = accounts
        .iter()
        .enumerate()
        .flat_map(|(index, account)| account.queues.iter().map(move |queue| (index, queue)))
        .map(|(account, queue)| AuditedQueue {
            queue,
            policy: queue_policy(queue),
            outsiders: Vec::new(),
            account,
            lock: key::lock(queue, accounts, keys),
            moved_from: Vec::new(),
            sent_to: Vec::new(),
        })
        .collect();
    let places: HashMap<&Arn, usize> = queues
        .iter()
        .enumerate()
        .map(|(index, audited)| (&audited.queue.arn, index))
        .collect();
    let moves: Vec<(usize, usize)> = queues
        .iter()
        .enumerate()
        .filter_map(|(source, audited)| {
            let redrive = audited.queue.attributes.as_ref()?.redrive.as_ref()?;
            let target = *places.get(&redrive.dead_letter_queue)?;
            let dead_letters = queues.get(target)?.queue;
            redrive::moves(audited.queue, dead_letters).then_some((source, target))
        })
        .collect();
    for (source, target) in moves {
        if let Some(audited) = queues.get_mut(target) {
            audited.moved_from.push(source);
        }
    }
    let sent_to: Vec<Vec<usize>> = (0..queues.len())
        .map(|queue| sent_to(&queues, queue))
        .collect();
    for (audited, sent_to) in queues.iter_mut().zip(sent_to) {
        audited.sent_to = sent_to;
    }
    queues
}

/// The queues to which messages were sent that are now in another: a dead-letter queue can have one of its own, and two
/// queues can be each other's.
fn sent_to(queues: &[AuditedQueue<'_>], queue: usize) -> Vec<usize> {
    let sources = |queue: usize| {
        queues
            .get(queue)
            .map_or(&[][..], |audited| &audited.moved_from)
    };
    let mut found = Vec::new();
    let mut seen = HashSet::from([queue]);
    let mut next = sources(queue).to_vec();
    while let Some(source) = next.pop() {
        if seen.insert(source) {
            found.push(source);
            next.extend(sources(source));
        }
    }
    found.sort_unstable();
    found
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

/// Whether some condition of the document is about such a key.
fn looks_at(document: &Document, is_wanted: impl Fn(&str) -> bool) -> bool {
    document
        .readings
        .iter()
        .flatten()
        .flat_map(|statement| &statement.conditions)
        .any(|clause| is_wanted(clause.key_lower()))
}

/// Keys in which a user's access key and session differ.
fn is_of_session(key: &str) -> bool {
    key == "aws:tokenissuetime" || key.starts_with("aws:multifactorauth")
}

/// Whether the answer could be another for the session of one workload: what is open is not only about networks and times,
/// which no workload settles.
fn depends_on_session(formula: &Formula) -> bool {
    let mut depends = false;
    formula.each_literal(&mut |literal| {
        depends |= match &*literal.atom {
            Atom::Test(test) => context::is_settled_by_session(&test.key()),
            Atom::Open { reason, .. } => *reason == OpenReason::Variable,
        };
    });
    depends
}
