//! Everybody's rights on every queue, from structure instead of pair by pair.
//!
//! For one principal, queues are cut apart by the sets that its statements reach and by what else tells them apart
//! ([`super::apart`]). Queues that nothing cuts apart fare alike, so one of them is decided for all. What principals have in
//! common (managed policies with wide patterns, boundaries, control policies) is decided once for all of them; each then adds
//! only the few queues that its own narrow policies reach, or whose policies name it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;
use std::hash::Hash;
use std::sync::Arc;

use super::apart::{Concern, Profiles, Roster, concern, concern_of_key};
use super::asker::Asker;
use super::asking::Asking;
use super::compiled::{Compiled, Ground, Look, Plain};
use super::context::{
    AnyPrincipal, Caller, RequestContext, Target, WhateverQueue, WhateverSession,
};
use super::control::Controls;
use super::decide::Policy;
use super::guard::{Guards, PassagesByClass};
use super::index::QueueSet;
use super::key::Lock;
use super::parts::cut;
use super::principal::Principal;
use super::rights::{Group, Groups, Row};
use super::sides::QueueSide;
use super::tags::TagIndex;
use super::{Access, AuditedQueue};
use crate::entity::Kind;
use crate::parallel::in_parallel;
use crate::policy::{Assumptions, ContextKeys, Document, Formula, Lookup};

/// Queues that a policy may reach to be one principal's own matter, at most.
const NARROW: u64 = 64;
/// The same as a part of all queues, so that a small account is decided in the same ways as a large one.
const NARROW_PART: u64 = 8;

/// The rights of every principal.
pub(super) fn rows(access: &Access<'_>) -> Vec<Row> {
    if access.queues.is_empty() {
        return access.principals.iter().map(|_| Row::default()).collect();
    }
    let matrix = Matrix::new(access);
    matrix.rows()
}

/// The rights of every principal on some queues, decided pair by pair: what [`rows`] must equal.
pub(super) fn rows_pair_by_pair(access: &Access<'_>, queues: &QueueSet) -> Vec<Row> {
    let asker = Asker::new(access);
    let sides: HashMap<u32, QueueSide<'_>> = queues
        .iter()
        .filter_map(|queue| {
            let audited = access.queues.get(queue as usize)?;
            Some((queue, QueueSide::of(audited, access.tags_matter)))
        })
        .collect();
    in_parallel(&access.principals, |principal| {
        let who = Asking::new(access, &asker, principal, &principal.policies);
        let rights = queues
            .iter()
            .filter_map(|queue| who.on(queue, sides.get(&queue)?));
        let mut groups = Groups::default();
        groups.extend(rights);
        Row {
            shared: Arc::new(groups.into_vec()),
            ..Row::default()
        }
    })
}

fn queue_sides<'s>(access: &'s Access<'_>) -> Vec<QueueSide<'s>> {
    access
        .queues
        .iter()
        .map(|audited| QueueSide::of(audited, access.tags_matter))
        .collect()
}

/// What is the same for every principal.
struct Matrix<'a> {
    access: &'a Access<'a>,
    asker: Asker<'a>,
    sides: Vec<QueueSide<'a>>,
    ground: Ground<'a>,
    concerns: Vec<Concern<'a>>,
    guards: Guards,
    /// The side of a queue whose policy concerns nobody.
    nobodys: QueueSide<'a>,
    /// Queues whose policy concerns principals that it does not name.
    broad: QueueSet,
    /// Those of them where it may allow something to such principals.
    open_to_many: QueueSet,
    /// For each principal the queues whose policies name it.
    named_by: HashMap<usize, QueueSet>,
    /// For each principal the queues whose keys name it.
    named_by_key: HashMap<usize, QueueSet>,
    /// What differs from principal to principal and is looked at whatever the own policies say.
    looks: Vec<Look<'a>>,
    /// Documents without variables, by their address: documents are shared by all who carry them.
    compiled: HashMap<usize, Arc<Compiled<'a>>>,
    /// The control policies of all accounts, ready where they are the same for everyone.
    controls: Vec<(&'a Document, Option<Arc<Compiled<'a>>>)>,
}

/// What decides for a principal, sorted into what it shares and what it has for itself.
struct Plan<'p> {
    shared: SharedKey,
    /// Its identity policies.
    carried: Vec<Carried<'p>>,
    /// Its boundary and the control policies, which allow nothing by themselves.
    limits: Vec<Arc<Compiled<'p>>>,
    /// Queues on which it is decided by itself.
    apart: QueueSet,
    /// Queues of which each is decided by itself.
    singles: QueueSet,
    /// The keys of the queues' tags that its policies look at.
    tags: BTreeSet<String>,
    /// In how many ways it can come, as far as its wide policies tell them apart.
    ways: usize,
}

/// A policy that a principal carries.
struct Carried<'p> {
    policy: &'p Policy,
    compiled: Arc<Compiled<'p>>,
    /// Whether it reaches many queues, so that others who carry it share the answer.
    wide: bool,
}

impl<'p> Plan<'p> {
    fn wide(&self) -> impl Iterator<Item = &Carried<'p>> {
        self.carried.iter().filter(|carried| carried.wide)
    }
}

/// What two principals have in common that share their answer on all queues but their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SharedKey {
    standing: Standing,
    policies: Vec<CarriedKey>,
}

/// What two principals have in common besides their identity policies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Standing {
    account: usize,
    is_user: bool,
    service_linked: bool,
    boundary: Option<DocumentKey>,
    /// What its boundary, and policies that are not its own, look at that differs from principal to principal, in words.
    looked_at: String,
    /// The principal itself, where one of those policies names it.
    named: Option<usize>,
}

/// A policy that principals carry, with what it looks at of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CarriedKey {
    document: DocumentKey,
    looked_at: String,
    /// Whether it says something about keys.
    keys: bool,
}

/// What two principals have in common whom keys let pass alike.
#[derive(PartialEq, Eq, Hash)]
struct PassageKey<'p> {
    standing: &'p Standing,
    /// In how many ways they can come.
    ways: usize,
    /// Those of the policies that say something about keys.
    policies: Vec<&'p CarriedKey>,
}

/// Tells documents apart, and those whose name comes up in what is open because of them by that name.
type DocumentKey = (usize, Option<Arc<str>>);

fn document_key(policy: &Policy) -> DocumentKey {
    let document = &policy.document;
    let is_named = !document.readable || document.readings.len() > 1;
    (
        address(document),
        is_named.then(|| Arc::clone(&policy.name)),
    )
}

/// Documents are shared by all who carry them, so that their address tells them apart.
fn address(document: &Arc<Document>) -> usize {
    Arc::as_ptr(document).addr()
}

impl Plan<'_> {
    fn passage_key(&self) -> PassageKey<'_> {
        PassageKey {
            standing: &self.shared.standing,
            ways: self.ways,
            policies: self
                .shared
                .policies
                .iter()
                .filter(|policy| policy.keys)
                .collect(),
        }
    }
}

impl<'a> Matrix<'a> {
    fn new(access: &'a Access<'a>) -> Self {
        let ground = Ground::new(
            &access.index,
            locked(access, |lock| matches!(lock, Lock::Key(_))),
            access.keys.iter().map(|key| key.key.arn.as_str()).collect(),
            TagIndex::new(access, access.looked_at_tags()),
            access.tags_matter,
        );
        let roster = Roster::new(access);
        let concerns: Vec<Concern<'a>> = access
            .queues
            .iter()
            .map(|audited| {
                let keys = AnyPrincipal {
                    queue: audited.queue,
                    now: access.scanned_at(audited.account),
                };
                concern(&ground, &roster, audited, &keys)
            })
            .collect();
        let mut broad = QueueSet::new();
        let mut open_to_many = QueueSet::new();
        let mut named_by: HashMap<usize, QueueSet> = HashMap::new();
        for (concern, number) in concerns.iter().zip(0..) {
            if concern.broad {
                broad.insert(number);
            }
            if concern.broad && concern.allows {
                open_to_many.insert(number);
            }
            for principal in &concern.named {
                named_by.entry(*principal).or_default().insert(number);
            }
        }
        let controls: Vec<&Document> = access
            .controls
            .iter()
            .flat_map(Controls::policies)
            .map(|policy| &*policy.document)
            .collect();
        let mut looks: Vec<Look<'_>> = controls
            .iter()
            .flat_map(|document| ground.looks(document))
            .collect();
        let mut named_by_key: HashMap<usize, QueueSet> = HashMap::new();
        for (index, key) in access.keys.iter().enumerate() {
            let concern = concern_of_key(&ground, &roster, key);
            let queues = locked(access, |lock| lock == Lock::Key(index));
            for principal in concern.named {
                *named_by_key.entry(principal).or_default() |= &queues;
            }
            looks.extend(concern.looks);
        }
        for concern in &concerns {
            looks.extend(&concern.looks);
        }
        // Many queues and keys look at the same.
        let mut seen = HashSet::new();
        looks.retain(|look| seen.insert(format!("{look:?}")));
        let compiled = compiled(access, &ground);
        let controls = controls
            .into_iter()
            .map(|document| {
                let is_same = !ground.has_variables(document);
                (
                    document,
                    is_same.then(|| Arc::new(ground.compile(document, &NoKeys))),
                )
            })
            .collect();
        Self {
            access,
            asker: Asker::new(access),
            sides: queue_sides(access),
            concerns,
            guards: Guards::new(access),
            nobodys: QueueSide::without_policy(access.tags_matter),
            ground,
            broad,
            open_to_many,
            named_by,
            named_by_key,
            looks,
            compiled,
            controls,
        }
    }

    fn rows(&self) -> Vec<Row> {
        let all: Vec<usize> = (0..self.access.principals.len()).collect();
        let plans: Vec<Option<Plan<'_>>> = in_parallel(&all, |index| self.plan(*index));
        // One of those who share an answer stands for all of them.
        let shared = Models::new(plans.iter().map(|plan| Some(&plan.as_ref()?.shared)));
        let passing = Models::new(plans.iter().map(|plan| Some(plan.as_ref()?.passage_key())));
        let profiles = Profiles::new(
            self.access,
            &self.concerns,
            plans.iter().flatten().map(|plan| &plan.tags),
        );
        let plan_of = |model: usize| plans.get(model).and_then(Option::as_ref);
        let passages = in_parallel(&passing.models, |model| {
            plan_of(*model).map_or_else(PassagesByClass::default, |plan| {
                self.shared_passages(*model, plan)
            })
        });
        let answers = in_parallel(&shared.models, |model| {
            let groups =
                plan_of(*model)
                    .zip(passing.answer(*model, &passages))
                    .map(|(plan, passages)| {
                        self.shared_groups(*model, plan, profiles.of(&plan.tags), passages)
                    });
            Arc::new(groups.unwrap_or_default())
        });
        in_parallel(&all, |index| {
            let Some(plan) = plan_of(*index) else {
                return Row::default();
            };
            Row {
                shared: shared.answer(*index, &answers).cloned().unwrap_or_default(),
                apart: plan.apart.clone(),
                own: self.own_groups(*index, plan, profiles.of(&plan.tags)),
            }
        })
    }

    fn plan(&self, index: usize) -> Option<Plan<'_>> {
        let principal = self.access.principals.get(index)?;
        let named_by = self.named_by.get(&index);
        let mut plan = Plan {
            shared: SharedKey {
                standing: self.standing(index, principal),
                policies: Vec::new(),
            },
            carried: Vec::new(),
            limits: Vec::new(),
            apart: named_by.cloned().unwrap_or_default(),
            singles: named_by.cloned().unwrap_or_default(),
            tags: BTreeSet::new(),
            ways: 0,
        };
        if let Some(queues) = self.named_by_key.get(&index) {
            plan.apart |= queues;
        }
        let narrow = NARROW.min(self.ground.index.all().len() / NARROW_PART);
        let carried: Vec<(&Policy, Arc<Compiled<'_>>)> = principal
            .policies
            .iter()
            .map(|policy| (policy, self.compiled(principal, &policy.document)))
            .collect();
        // Where something may be allowed besides what narrow policies about queues allow.
        let mut domain = self.open_to_many.clone();
        for (_, compiled) in &carried {
            if compiled.keys || compiled.touches.len() > narrow {
                domain |= &compiled.allows;
            }
        }
        let locked = domain & &self.ground.locked;
        for (policy, compiled) in carried {
            plan.tags.extend(compiled.tags.iter().cloned());
            // What is said about keys matters on encrypted queues only, and there only where messages can be reached at all.
            let reaches_keys = compiled.keys && locked.len() > narrow;
            let wide = compiled.touches.len() > narrow || reaches_keys;
            if wide {
                plan.shared.policies.push(CarriedKey {
                    document: document_key(policy),
                    looked_at: self.looked_at(index, principal, &compiled.looks),
                    keys: compiled.keys,
                });
            } else {
                plan.apart |= &compiled.touches;
                if compiled.keys {
                    plan.apart |= &locked;
                }
                plan.singles |= &compiled.singles;
            }
            plan.carried.push(Carried {
                policy,
                compiled,
                wide,
            });
        }
        if let Some(boundary) = &principal.boundary {
            plan.limits
                .push(self.compiled(principal, &boundary.document));
        }
        for (control, compiled) in &self.controls {
            plan.limits.push(match compiled {
                Some(compiled) => Arc::clone(compiled),
                None => self.compiled_for(principal, control),
            });
        }
        for limit in &plan.limits {
            plan.tags.extend(limit.tags.iter().cloned());
        }
        let wide = plan.wide().map(|carried| carried.policy);
        plan.ways = self.access.callers(principal, wide).len();
        Some(plan)
    }

    fn standing(&self, index: usize, principal: &Principal<'_>) -> Standing {
        let mut looked_at = self.looked_at(index, principal, &self.looks);
        if let Some(boundary) = &principal.boundary {
            let compiled = self.compiled(principal, &boundary.document);
            looked_at += &self.looked_at(index, principal, &compiled.looks);
        }
        let named_by = self.named_by.get(&index);
        let is_named = named_by.is_some_and(|named| !named.is_disjoint(&self.broad))
            || self.named_by_key.contains_key(&index);
        Standing {
            account: principal.account,
            is_user: principal.kind == Kind::User,
            service_linked: principal.is_service_linked(),
            boundary: principal.boundary.as_ref().map(document_key),
            looked_at,
            // Whom a policy names besides others has no answer there that those could share.
            named: is_named.then_some(index),
        }
    }

    fn asking<'s>(
        &'s self,
        principal: &'s Principal<'_>,
        carried: impl Iterator<Item = &'s Carried<'s>>,
        plain: Plain,
    ) -> Asking<'s> {
        let policies: Vec<(&Policy, &Compiled<'_>)> = carried
            .map(|carried| (carried.policy, &*carried.compiled))
            .collect();
        Asking::compiled(self.access, &self.asker, principal, &policies, plain)
    }

    /// A document that the principal carries.
    fn compiled<'p>(
        &'p self,
        principal: &'p Principal<'_>,
        document: &'p Arc<Document>,
    ) -> Arc<Compiled<'p>> {
        match self.compiled.get(&address(document)) {
            Some(compiled) => Arc::clone(compiled),
            None => self.compiled_for(principal, document),
        }
    }

    /// A document whose variables the principal fills.
    fn compiled_for<'p>(
        &'p self,
        principal: &'p Principal<'_>,
        document: &'p Document,
    ) -> Arc<Compiled<'p>> {
        let caller = match principal.kind {
            Kind::User => Caller::UserWithKey(principal),
            _ => Caller::Role(principal),
        };
        let Some(keys) = self.whatever_queue(principal.account, caller) else {
            return Arc::default();
        };
        Arc::new(self.ground.compile(document, &WhateverSession(keys)))
    }

    /// The keys of a caller's requests to some queue of the account.
    fn whatever_queue<'c>(
        &'c self,
        account: usize,
        caller: Caller<'c>,
    ) -> Option<WhateverQueue<'c>> {
        Some(WhateverQueue(RequestContext {
            caller,
            target: Target::Queue(self.access.queues.first()?.queue),
            callers_organization: self.access.organization(account),
            targets_organization: None,
            now: self.access.scanned_at(account),
            carries_tags: false,
        }))
    }

    /// What policies see of the principal that they see otherwise of another, in words: principals of whom they see the same
    /// fare alike.
    fn looked_at(&self, index: usize, principal: &Principal<'_>, looks: &[Look<'_>]) -> String {
        let mut seen = String::new();
        let callers = match principal.kind {
            Kind::User => vec![
                Caller::UserWithKey(principal),
                Caller::UserWithSession(principal),
            ],
            _ => vec![Caller::Role(principal)],
        };
        let mut is_open = false;
        for caller in callers {
            let Some(keys) = self.whatever_queue(principal.account, caller) else {
                continue;
            };
            for look in looks {
                let formula = match look {
                    Look::Outcome(clause) => clause.when(&keys),
                    Look::Exempt(statement) => statement
                        .matches_principal(&principal.requester, &mut Assumptions::default())
                        .any(),
                    Look::Value(key) => {
                        let value = keys.lookup(key);
                        is_open |= matches!(value, Lookup::Open(_));
                        // Writing to a `String` cannot fail.
                        let _ = write!(seen, "{value:?};");
                        continue;
                    }
                };
                match formula {
                    Formula::Always => seen.push('y'),
                    Formula::Never => seen.push('n'),
                    open => {
                        is_open = true;
                        let _ = write!(seen, "{open:?};");
                    }
                }
            }
        }
        // What is open for any session may be settled by the session of a workload, and those are the principal's own.
        if is_open && !principal.workloads.is_empty() {
            let _ = write!(seen, "{index}");
        }
        seen
    }

    /// What everyone has who shares the plan, on all queues.
    fn shared_groups(
        &self,
        model: usize,
        plan: &Plan<'_>,
        profiles: &[u32],
        passages: &PassagesByClass,
    ) -> Vec<Group> {
        let Some(principal) = self.access.principals.get(model) else {
            return Vec::new();
        };
        let mut domain = self.open_to_many.clone();
        let mut singles = QueueSet::new();
        for carried in plan.wide() {
            domain |= &carried.compiled.allows;
            singles |= &carried.compiled.singles;
        }
        let unconditional = Plain::of(plan.wide().map(|carried| &*carried.compiled), &domain);
        let parts = cut(
            &domain,
            profiles,
            &cuts(&unconditional, plan.wide(), &plan.limits),
            &(singles | singles_of(&plan.limits)),
        );
        let who = self.asking(principal, plan.wide(), unconditional);
        // A policy that concerns nobody but those whom it names is no policy to the others, and these are decided apart.
        let side_of = |queue| {
            if self.broad.contains(queue) {
                self.sides.get(queue as usize)
            } else {
                Some(&self.nobodys)
            }
        };
        who.groups(parts, side_of, &self.guards, passages)
    }

    /// What keys say to everyone who shares the standing and the policies about keys, on all queues.
    fn shared_passages(&self, model: usize, plan: &Plan<'_>) -> PassagesByClass {
        let Some(principal) = self.access.principals.get(model) else {
            return PassagesByClass::default();
        };
        let who = self.asking(principal, plan.wide(), Plain::default());
        who.passages(&self.guards, &self.guards.guarded)
    }

    /// What a principal has on the queues that are its own matter.
    fn own_groups(&self, index: usize, plan: &Plan<'_>, profiles: &[u32]) -> Vec<Group> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        if plan.apart.is_empty() {
            return Vec::new();
        }
        let mut singles = &plan.singles | &singles_of(&plan.limits);
        for carried in plan.wide() {
            singles |= &carried.compiled.singles;
        }
        let carried = || plan.carried.iter();
        let unconditional = Plain::of(carried().map(|carried| &*carried.compiled), &plan.apart);
        let cuts = cuts(&unconditional, carried(), &plan.limits);
        let parts = cut(&plan.apart, profiles, &cuts, &singles);
        let who = self.asking(principal, carried(), unconditional);
        let passages = who.passages(&self.guards, &plan.apart);
        let side_of = |queue| self.sides.get(queue as usize);
        who.groups(parts, side_of, &self.guards, &passages)
    }
}

/// Those who share an answer, with one of them that stands for all.
struct Models {
    models: Vec<usize>,
    /// For each of them all its place among the models.
    places: Vec<Option<usize>>,
}

impl Models {
    /// Those with equal keys share an answer; without a key there is none.
    fn new<K: Hash + Eq>(keys: impl Iterator<Item = Option<K>>) -> Self {
        let mut models = Vec::new();
        let mut known: HashMap<K, usize> = HashMap::new();
        let places = keys
            .enumerate()
            .map(|(index, key)| {
                let place = known.entry(key?).or_insert_with(|| {
                    models.push(index);
                    models.len() - 1
                });
                Some(*place)
            })
            .collect();
        Self { models, places }
    }

    /// The answer of the one that stands for `index`, `answers` being those of the models in their order.
    fn answer<'s, T>(&self, index: usize, answers: &'s [T]) -> Option<&'s T> {
        answers.get((*self.places.get(index)?)?)
    }
}

/// The queues whose messages such a lock guards, or guarded before they were moved there.
fn locked(access: &Access<'_>, is_such: impl Fn(Lock) -> bool) -> QueueSet {
    let has_key = |audited: &AuditedQueue<'_>| is_such(audited.lock);
    access
        .queues
        .iter()
        .zip(0..)
        .filter(|(audited, _)| {
            let mut sources = audited
                .sent_to
                .iter()
                .filter_map(|source| access.queues.get(*source));
            has_key(audited) || sources.any(has_key)
        })
        .map(|(_, number)| number)
        .collect()
}

/// All documents of principals that are the same for everyone who carries them.
fn compiled<'a>(access: &'a Access<'a>, ground: &Ground<'_>) -> HashMap<usize, Arc<Compiled<'a>>> {
    let mut documents: HashMap<usize, &Document> = HashMap::new();
    for principal in &access.principals {
        for policy in principal.policies.iter().chain(&principal.boundary) {
            documents.insert(address(&policy.document), &policy.document);
        }
    }
    let documents: Vec<(usize, &Document)> = documents
        .into_iter()
        .filter(|(_, document)| !ground.has_variables(document))
        .collect();
    let compiled = in_parallel(&documents, |(address, document)| {
        (*address, Arc::new(ground.compile(document, &NoKeys)))
    });
    compiled.into_iter().collect()
}

/// The queues that limits tell apart one by one.
fn singles_of(limits: &[Arc<Compiled<'_>>]) -> QueueSet {
    let mut singles = QueueSet::new();
    for limit in limits {
        singles |= &limit.singles;
    }
    singles
}

/// The sets by whose membership queues of a domain fare differently: by what plain statements say of them, by the other
/// statements, and by limits.
fn cuts<'c>(
    plain: &Plain,
    carried: impl Iterator<Item = &'c Carried<'c>>,
    limits: &'c [Arc<Compiled<'c>>],
) -> Vec<Cow<'c, QueueSet>> {
    let mut cuts: Vec<Cow<'_, QueueSet>> = Vec::new();
    cuts.extend(plain.cuts().into_iter().map(Cow::Owned));
    for carried in carried {
        let others = plain.other_cuts(&carried.compiled);
        cuts.extend(others.into_iter().map(Cow::Owned));
    }
    for limit in limits {
        cuts.extend(limit.cuts_alone().iter().map(Cow::Borrowed));
    }
    cuts
}

/// No key is known; for documents that have no variable to fill.
struct NoKeys;

impl ContextKeys for NoKeys {
    fn lookup(&self, _: &str) -> Lookup<'_> {
        Lookup::Absent
    }
}
