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
use super::context::{
    AnyPrincipal, Caller, RequestContext, Target, WhateverQueue, WhateverSession,
};
use super::control::Controls;
use super::decide::Policy;
use super::extent::{Extent, Ground, Look};
use super::guard::{Guards, PassagesByClass};
use super::index::QueueSet;
use super::key::Lock;
use super::parallel::in_parallel;
use super::principal::Principal;
use super::rights::{Group, Groups, Row};
use super::sides::QueueSide;
use super::{Access, AuditedQueue};
use crate::entity::Kind;
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
    /// The extents of documents without variables, by their address: documents are shared by all who carry them.
    extents: HashMap<usize, Extent>,
    /// The control policies of all accounts, with their extent where it is the same for everyone.
    controls: Vec<(&'a Document, Option<Extent>)>,
}

/// What decides for a principal, sorted into what it shares and what it has for itself.
struct Plan<'p> {
    shared: SharedKey,
    /// Its identity policies that reach many queues.
    wide: Vec<&'p Policy>,
    /// What they reach, then what its boundary and control policies do.
    extents: Vec<Cow<'p, Extent>>,
    /// How many of the extents are of identity policies, and allow.
    giving: usize,
    /// Queues on which it is decided by itself.
    apart: QueueSet,
    /// The sets by which its narrow policies cut queues apart.
    cuts: Vec<QueueSet>,
    /// Queues of which each is decided by itself.
    singles: QueueSet,
    /// The keys of the queues' tags that its policies look at.
    tags: BTreeSet<String>,
    /// In how many ways it can come, as far as its wide policies tell them apart.
    ways: usize,
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
        let extents = measured(access, &ground);
        let controls = controls
            .into_iter()
            .map(|document| {
                let is_same = !ground.has_variables(document);
                (document, is_same.then(|| ground.extent(document, &NoKeys)))
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
            extents,
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
            wide: Vec::new(),
            extents: Vec::new(),
            giving: 0,
            apart: named_by.cloned().unwrap_or_default(),
            cuts: Vec::new(),
            singles: named_by.cloned().unwrap_or_default(),
            tags: BTreeSet::new(),
            ways: 0,
        };
        if let Some(queues) = self.named_by_key.get(&index) {
            plan.apart |= queues;
        }
        let narrow = NARROW.min(self.ground.index.all().len() / NARROW_PART);
        let carried: Vec<(&Policy, Cow<'_, Extent>)> = principal
            .policies
            .iter()
            .map(|policy| (policy, self.extent(principal, &policy.document)))
            .collect();
        // Where something may be allowed besides what narrow policies about queues allow.
        let mut domain = self.open_to_many.clone();
        for (_, extent) in &carried {
            if extent.keys || extent.touches.len() > narrow {
                domain |= &extent.allows;
            }
        }
        let locked = domain & &self.ground.locked;
        for (policy, extent) in carried {
            plan.tags.extend(extent.tags.iter().cloned());
            // What is said about keys matters on encrypted queues only, and there only where messages can be reached at all.
            let reaches_keys = extent.keys && locked.len() > narrow;
            if extent.touches.len() <= narrow && !reaches_keys {
                plan.apart |= &extent.touches;
                if extent.keys {
                    plan.apart |= &locked;
                }
                plan.cuts.extend(extent.cuts.iter().cloned());
                plan.singles |= &extent.singles;
            } else {
                let looks = self.ground.looks(&policy.document);
                plan.wide.push(policy);
                plan.shared.policies.push(CarriedKey {
                    document: document_key(policy),
                    looked_at: self.looked_at(index, principal, &looks),
                    keys: extent.keys,
                });
                plan.extents.push(extent);
            }
        }
        plan.giving = plan.extents.len();
        if let Some(boundary) = &principal.boundary {
            let extent = self.extent(principal, &boundary.document);
            plan.extents.push(extent);
        }
        for (control, extent) in &self.controls {
            plan.extents.push(match extent {
                Some(extent) => Cow::Borrowed(extent),
                None => Cow::Owned(self.personal_extent(principal, control)),
            });
        }
        for extent in plan.extents.iter().skip(plan.giving) {
            plan.tags.extend(extent.tags.iter().cloned());
        }
        plan.ways = self
            .access
            .callers(principal, plan.wide.iter().copied())
            .len();
        Some(plan)
    }

    fn standing(&self, index: usize, principal: &Principal<'_>) -> Standing {
        let mut looked_at = self.looked_at(index, principal, &self.looks);
        if let Some(boundary) = &principal.boundary {
            let looks = self.ground.looks(&boundary.document);
            looked_at += &self.looked_at(index, principal, &looks);
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

    /// The extent of a document that the principal carries.
    fn extent(&self, principal: &Principal<'_>, document: &Arc<Document>) -> Cow<'_, Extent> {
        match self.extents.get(&address(document)) {
            Some(extent) => Cow::Borrowed(extent),
            None => Cow::Owned(self.personal_extent(principal, document)),
        }
    }

    /// The extent of a document whose variables the principal fills.
    fn personal_extent(&self, principal: &Principal<'_>, document: &Document) -> Extent {
        let caller = match principal.kind {
            Kind::User => Caller::UserWithKey(principal),
            _ => Caller::Role(principal),
        };
        let Some(keys) = self.whatever_queue(principal.account, caller) else {
            return Extent::default();
        };
        self.ground.extent(document, &WhateverSession(keys))
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
        for extent in plan.extents.iter().take(plan.giving) {
            domain |= &extent.allows;
        }
        let mut singles = QueueSet::new();
        for extent in &plan.extents {
            singles |= &extent.singles;
        }
        let cuts = plan.extents.iter().flat_map(|extent| &extent.cuts);
        let parts = cut(&domain, profiles, cuts, &singles);
        let policies = plan.wide.iter().copied();
        let who = Asking::new(self.access, &self.asker, principal, policies);
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
        let policies = plan.wide.iter().copied();
        let who = Asking::new(self.access, &self.asker, principal, policies);
        who.passages(&self.guards, &self.guards.guarded)
    }

    /// What a principal has on the queues that are its own matter.
    fn own_groups(&self, index: usize, plan: &Plan<'_>, profiles: &[u32]) -> Vec<Group> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        let mut singles = plan.singles.clone();
        for extent in &plan.extents {
            singles |= &extent.singles;
        }
        let shared_cuts = plan.extents.iter().flat_map(|extent| &extent.cuts);
        let cuts = plan.cuts.iter().chain(shared_cuts);
        let parts = cut(&plan.apart, profiles, cuts, &singles);
        let policies = &principal.policies;
        let who = Asking::new(self.access, &self.asker, principal, policies);
        let passages = who.passages(&self.guards, &plan.apart);
        let side_of = |queue| self.sides.get(queue as usize);
        who.groups(parts, side_of, &self.guards, &passages)
    }
}

/// Cuts the domain into parts: queues of one part have the same number, are in the same sets, and are none of the singles.
fn cut<'s>(
    domain: &QueueSet,
    numbers: &[u32],
    cuts: impl Iterator<Item = &'s QueueSet>,
    singles: &QueueSet,
) -> Vec<QueueSet> {
    let members: Vec<u32> = domain.iter().collect();
    let mut parts = Parts::default();
    parts.of_member = members
        .iter()
        .map(|member| numbers.get(*member as usize).copied().unwrap_or(0))
        .collect();
    parts.count = numbers.iter().max().map_or(0, |most| *most as usize + 1);
    for cut in cuts {
        let inside = domain & cut;
        if inside.is_empty() || inside.len() == domain.len() {
            continue;
        }
        parts.split(places(&members, &inside), false);
    }
    parts.split(places(&members, &(domain & singles)), true);
    let mut sets: Vec<Vec<u32>> = vec![Vec::new(); parts.count];
    for (member, part) in members.iter().zip(&parts.of_member) {
        if let Some(set) = sets.get_mut(*part as usize) {
            set.push(*member);
        }
    }
    let filled = sets.into_iter().filter(|set| !set.is_empty());
    filled.map(QueueSet::from_iter).collect()
}

/// Where the members of a subset stand among those of a set, both in order.
fn places(members: &[u32], subset: &QueueSet) -> Vec<usize> {
    let mut members = members.iter().enumerate();
    subset
        .iter()
        .filter_map(|wanted| {
            let found = members.find(|(_, member)| **member == wanted);
            found.map(|(place, _)| place)
        })
        .collect()
}

/// The part that each member of a domain belongs to.
#[derive(Default)]
struct Parts {
    of_member: Vec<u32>,
    count: usize,
}

impl Parts {
    /// Splits each part into the members at these places and the others; with `singly` each of them is a part.
    fn split(&mut self, places: Vec<usize>, singly: bool) {
        let mut split: Vec<Option<u32>> = vec![None; self.count];
        for place in places {
            let Some(part) = self.of_member.get_mut(place) else {
                continue;
            };
            let Some(to) = split.get_mut(*part as usize) else {
                continue;
            };
            let next = u32::try_from(self.count).unwrap_or(u32::MAX);
            if singly || to.is_none() {
                *to = Some(next);
                self.count += 1;
            }
            *part = to.unwrap_or(next);
        }
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

/// The extents of all documents of principals that are the same for everyone who carries them.
fn measured(access: &Access<'_>, ground: &Ground<'_>) -> HashMap<usize, Extent> {
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
    let extents = in_parallel(&documents, |(address, document)| {
        (*address, ground.extent(document, &NoKeys))
    });
    extents.into_iter().collect()
}

/// No key is known; for documents that have no variable to fill.
struct NoKeys;

impl ContextKeys for NoKeys {
    fn lookup(&self, _: &str) -> Lookup<'_> {
        Lookup::Absent
    }
}
