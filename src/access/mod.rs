//! Who may do what: accounts and their policies in, verdicts out.
//!
//! [`decide`] answers one request over all layers. [`Access`] knows every principal's rights on every queue of the audited
//! accounts, and those of whom queue policies name besides ([`Outsider`]): it asks [`decide`] once for queues on which a
//! principal fares alike (`matrix`), keeps what is not denied, and can prove each answer by the statements behind it. What
//! the decisions lacked is told as gaps. [`Channels`] knows what messages pass through besides queues, and what AWS delivers.

mod action;
mod apart;
mod asker;
mod asking;
mod assume;
mod candidates;
mod channel;
mod choices;
mod compiled;
mod context;
mod control;
mod decide;
mod documents;
mod gaps;
mod guard;
mod holder;
mod iam_request;
mod index;
mod key;
mod listed;
mod matrix;
mod outsider;
mod parts;
mod picked;
mod principal;
mod proof;
mod queue_grant;
mod redrive;
mod rights;
mod self_grant;
mod sides;
mod tags;
mod takeover;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use foldhash::fast::FixedState;

pub use action::{
    Capability, SQS_ACTIONS, SqsAction, authorized_as, has_resource, needs_resource_policy,
    never_works_across_accounts,
};
pub use assume::{Becoming, Path, Step, StepProof};
pub use candidates::Candidates;
pub use channel::{
    Channels, Inlet, InletRight, InletRights, InletSet, Place, Stop, Wire, WireKind,
    read_event_pattern,
};
pub use decide::{Decision, Denial, Layer, Layers, Matched, Policy, Verdict, decide};
pub(crate) use documents::ByDocument;
pub use holder::Holder;
pub use index::QueueSet;
pub(crate) use index::held_together;
pub use outsider::{Outsider, Who};
pub use principal::{Principal, Trust, inline_name, inline_policies};
pub use proof::{Proof, Prover, Provers};
pub use queue_grant::{QueueGrant, WritingProver};
pub(crate) use rights::SharedRights;
pub use rights::{Rights, SessionRights, SessionsOn};
pub use self_grant::{IamGrant, SelfGranter};
pub use takeover::{Takeover, TakeoverFinder, TakeoverStep, Way};

pub(crate) use key::of_queue as key_of_queue;

use self::asker::Asker;
use self::context::{Caller, is_of_session};
use self::control::Controls;
use self::index::QueueIndex;
use self::key::{AuditedKey, Lock, NamedKeys};
use self::listed::Listed;
use self::rights::Row;
use crate::account::{Account, Organization, Queue};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::parallel::in_parallel;
use crate::policy::{Document, PolicyKind, ResourcePattern, Statement};

/// Access to the queues of the audited accounts.
#[derive(Debug)]
pub struct Access<'a> {
    /// The accounts, in the order given.
    pub accounts: &'a [Account],
    /// Users and roles of all accounts, sorted by account and ARN.
    pub principals: Vec<Principal<'a>>,
    /// Queues of all accounts, sorted by ARN: the first of many are the same in whatever order the accounts come.
    pub queues: Vec<AuditedQueue<'a>>,
    /// The customer managed keys of all accounts whose policies were read.
    keys: Vec<AuditedKey<'a>>,
    /// For each account what binds it from above.
    controls: Vec<Controls>,
    /// Which queues a pattern reaches.
    index: QueueIndex<'a>,
    /// For each principal its rights on queues.
    rows: Vec<Row>,
    tags_matter: bool,
    /// Whether anything but identity policies looks at a key in which a user's access key and session differ.
    sessions_matter: bool,
    /// Whether some policy tells messages under one key apart by the queue that they were sent to.
    contexts_matter: bool,
    /// The statements of each document by action, once that was asked for.
    listed: OnceLock<ByDocument<Option<Listed>>>,
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
        let mut access = Self::prepare(accounts);
        access.decide();
        access
    }

    /// Decides for everybody: for benches, which time it by itself.
    #[doc(hidden)]
    pub fn decide(&mut self) {
        self.rows = matrix::rows(self);
        self.decide_outsiders(0..self.queues.len());
    }

    /// Everything that decides, and nothing decided.
    #[doc(hidden)]
    pub fn prepare(accounts: &'a [Account]) -> Self {
        // Of several that are alike the first is told: it must not hang on the order in which the accounts come.
        let mut by_id: Vec<(usize, &Account)> = accounts.iter().enumerate().collect();
        by_id.sort_by_key(|(_, account)| &account.id);
        let mut principals = Vec::new();
        for (index, account) in by_id {
            principals.extend(principal::principals(account, index));
        }
        let keys = key::audited_keys(accounts);
        let queues = audited_queues(accounts, &NamedKeys::new(accounts, &keys));
        let arns = queues.iter().map(|audited| audited.queue.arn.as_str());
        let mut access = Self {
            accounts,
            principals,
            index: QueueIndex::new(&arns.collect::<Vec<_>>()),
            queues,
            keys,
            controls: accounts.iter().map(Controls::of).collect(),
            rows: Vec::new(),
            tags_matter: false,
            sessions_matter: false,
            contexts_matter: false,
            listed: OnceLock::new(),
        };
        let documents: Vec<&Document> = access.every_document().collect();
        let any_looks_at = |prefix: &str| {
            let looks = |key: &str| key.starts_with(prefix);
            in_parallel(&documents, |document| looks_at(document, looks)).contains(&true)
        };
        let tags_matter = any_looks_at("aws:resourcetag/");
        let contexts_matter = any_looks_at("kms:encryptioncontext:");
        let sessions_matter = access
            .shared_documents()
            .any(|document| looks_at(document, is_of_session));
        access.tags_matter = tags_matter;
        access.sessions_matter = sessions_matter;
        access.contexts_matter = contexts_matter;
        access
    }

    /// The same, pair by pair instead of from structure: for tests, which compare the two.
    #[doc(hidden)]
    pub fn compute_pair_by_pair(accounts: &'a [Account]) -> Self {
        let mut access = Self::prepare(accounts);
        access.rows = matrix::rows_pair_by_pair(&access, &access.every_queue());
        access.decide_outsiders(0..access.queues.len());
        access
    }

    /// Decides every principal and capability on the one queue that `choose` finds among all of them; on the others nobody
    /// has any right then.
    ///
    /// # Errors
    /// Those of `choose`.
    pub fn of_one_queue<E>(
        accounts: &'a [Account],
        choose: impl FnOnce(&Self) -> Result<usize, E>,
    ) -> Result<(Self, usize), E> {
        let mut access = Self::prepare(accounts);
        let queue = choose(&access)?;
        let only = access.every_queue().iter().skip(queue).take(1).collect();
        access.rows = matrix::rows_pair_by_pair(&access, &only);
        access.decide_outsiders(queue..queue + 1);
        Ok((access, queue))
    }

    fn every_queue(&self) -> QueueSet {
        self.queues
            .iter()
            .zip(0..)
            .map(|(_, number)| number)
            .collect()
    }

    fn decide_outsiders(&mut self, queues: Range<usize>) {
        let queues: Vec<usize> = queues.collect();
        let decided: Vec<Vec<Outsider>> = {
            let asker = Asker::new(self);
            in_parallel(&queues, |index| outsider::of_queue(self, &asker, *index))
        };
        for (index, outsiders) in queues.into_iter().zip(decided) {
            if let Some(audited) = self.queues.get_mut(index) {
                audited.outsiders = outsiders;
            }
        }
    }

    /// The rights of a principal on queues, those without any left out: a group for queues on which it fares alike.
    pub fn rights(&self, principal: usize) -> impl Iterator<Item = Rights<'_>> {
        self.rights_where(principal, |_| true)
    }

    /// Those of them that are wanted, by what can be done with each of the queues.
    pub(crate) fn rights_where(
        &self,
        principal: usize,
        is_wanted: impl Fn(SessionsOn<'_>) -> bool + Copy,
    ) -> impl Iterator<Item = Rights<'_>> {
        let row = self.rows.get(principal).into_iter();
        row.flat_map(move |row| row.rights(is_wanted))
    }

    /// The rights of a principal that it shares with nobody.
    pub(crate) fn own_rights(&self, principal: usize) -> impl Iterator<Item = Rights<'_>> {
        let row = self.rows.get(principal);
        row.into_iter().flat_map(Row::own_rights)
    }

    /// The statements of each document that principals carry, by action.
    fn listed(&self) -> &ByDocument<Option<Listed>> {
        self.listed
            .get_or_init(|| self.by_document(|document| Listed::of(document, self.tags_matter)))
    }

    /// The rights of a principal that it shares with others.
    pub(crate) fn shared_rights(&self, principal: usize) -> Option<SharedRights<'_>> {
        self.rows.get(principal).map(Row::shared_rights)
    }

    /// The rights of a principal on one queue; none when it has none.
    pub fn rights_on(&self, principal: usize, queue: usize) -> Option<SessionsOn<'_>> {
        self.rows.get(principal)?.on(u32::try_from(queue).ok()?)
    }

    /// What a principal lacks and could give itself in the policies of queues of its account: a grant for queues on which it
    /// could give itself the same.
    pub fn queue_grants(&self, principal: usize) -> impl Iterator<Item = QueueGrant<'_>> {
        self.rows.get(principal).into_iter().flat_map(Row::grants)
    }

    /// The queues of a set, with their index.
    pub fn queues_of(&self, set: &QueueSet) -> impl Iterator<Item = (usize, &AuditedQueue<'a>)> {
        set.iter().filter_map(|number| {
            let index = number as usize;
            Some((index, self.queues.get(index)?))
        })
    }

    /// The queues that a pattern of an identity policy could reach, whatever its variables hold.
    pub fn reached_by(&self, pattern: &ResourcePattern) -> QueueSet {
        let reached = self
            .index
            .reached(&pattern.widest_reach(PolicyKind::Identity));
        reached.surely | reached.perhaps
    }

    /// Whether such a pattern could reach any queue.
    pub(crate) fn reaches_any(&self, pattern: &ResourcePattern) -> bool {
        let reach = pattern.widest_reach(PolicyKind::Identity);
        self.index.reaches_any(&reach)
    }

    /// The account of a queue or principal index.
    pub fn account(&self, index: usize) -> Option<&'a Account> {
        self.accounts.get(index)
    }

    fn organization(&self, account: usize) -> Option<&Organization> {
        self.accounts.get(account)?.organization.as_ref()
    }

    /// The moment for which conditions on time are decided.
    fn scanned_at(&self, account: usize) -> DateTime<Utc> {
        self.accounts
            .get(account)
            .map_or(DateTime::UNIX_EPOCH, |account| account.scanned_at)
    }

    /// The ways in which a principal can come. A user chooses between access key and session; what either may do, the user
    /// may (E.3).
    fn callers<'p>(
        &self,
        principal: &'p Principal<'p>,
        policies: impl IntoIterator<Item = &'p Policy>,
    ) -> Vec<Caller<'p>> {
        if principal.kind != Kind::User {
            return vec![Caller::Role(principal)];
        }
        let mut callers = vec![Caller::UserWithKey(principal)];
        let own = policies.into_iter().chain(&principal.boundary);
        if self.sessions_matter
            || own
                .into_iter()
                .any(|policy| looks_at(&policy.document, is_of_session))
        {
            callers.push(Caller::UserWithSession(principal));
        }
        callers
    }

    /// Every document that takes part but trust policies, once however many carry it.
    fn every_document(&self) -> impl Iterator<Item = &Document> {
        let mut seen: HashSet<*const Document, FixedState> = HashSet::default();
        self.principals
            .iter()
            .flat_map(|principal| principal.policies.iter().chain(&principal.boundary))
            .map(|policy| &*policy.document)
            .filter(move |document| seen.insert(std::ptr::from_ref(*document)))
            .chain(self.shared_documents())
    }

    /// The keys of queue tags that some document looks at, in lower case.
    fn looked_at_tags(&self) -> BTreeSet<String> {
        let documents: Vec<&Document> = self.every_document().collect();
        let looked_at = in_parallel(&documents, |document| {
            let statements = document.readings.iter().flatten();
            let keys = statements.flat_map(Statement::context_keys);
            keys.filter_map(|key| key.strip_prefix("aws:resourcetag/"))
                .map(str::to_owned)
                .collect::<Vec<String>>()
        });
        looked_at.into_iter().flatten().collect()
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

fn audited_queues<'a>(accounts: &'a [Account], keys: &NamedKeys<'_>) -> Vec<AuditedQueue<'a>> {
    let mut all: Vec<(usize, &Queue)> = accounts
        .iter()
        .enumerate()
        .flat_map(|(index, account)| account.queues.iter().map(move |queue| (index, queue)))
        .collect();
    all.sort_by_key(|(_, queue)| &queue.arn);
    let read = in_parallel(&all, |(_, queue)| {
        (queue_policy(queue), key::lock(queue, keys))
    });
    let mut queues: Vec<AuditedQueue<'a>> = all
        .into_iter()
        .zip(read)
        .map(|((account, queue), (policy, lock))| AuditedQueue {
            queue,
            policy,
            outsiders: Vec::new(),
            account,
            lock,
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

/// Whether some condition or variable of the document is about such a key.
fn looks_at(document: &Document, is_wanted: impl Fn(&str) -> bool) -> bool {
    document
        .readings
        .iter()
        .flatten()
        .flat_map(Statement::context_keys)
        .any(is_wanted)
}
