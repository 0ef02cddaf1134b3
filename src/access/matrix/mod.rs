//! Everybody's rights on every queue, from structure instead of pair by pair.
//!
//! For one principal, queues are cut apart by the sets that its statements reach and by what else tells them apart
//! ([`crate::access::apart`]). Queues that nothing cuts apart fare alike, so one of them is decided for all. What principals
//! have in common (managed policies with wide patterns, boundaries, control policies) is decided once for all of them; each
//! then adds only the few queues that its own narrow policies reach, or whose policies name it ([`plan`]).

mod plan;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;

use self::plan::{Carried, Plan};
use crate::access::Access;
use crate::access::apart::{Concern, Profiles, Roster, concern, concern_of_key};
use crate::access::asker::Asker;
use crate::access::asking::Asking;
use crate::access::compiled::{Compiled, Ground, Look, Plain};
use crate::access::context::AnyPrincipal;
use crate::access::control::Controls;
use crate::access::decide::Policy;
use crate::access::documents::{ByAddress, address, weight};
use crate::access::guard::{Guards, PassagesByClass};
use crate::access::index::QueueSet;
use crate::access::key::Lock;
use crate::access::parts::cut;
use crate::access::principal::Principal;
use crate::access::queue_grant::Grants;
use crate::access::rights::{Decided, Groups, Row};
use crate::access::sides::QueueSide;
use crate::access::tags::TagIndex;
use crate::parallel::{heaviest_first, in_parallel};
use crate::policy::{ContextKeys, Document, Lookup};

/// The rights of every principal.
pub(in crate::access) fn rows(access: &Access<'_>) -> Vec<Row> {
    if access.queues.is_empty() {
        return access.principals.iter().map(|_| Row::default()).collect();
    }
    let matrix = Matrix::new(access);
    matrix.rows()
}

/// The rights of every principal on some queues, decided pair by pair: what [`rows`] must equal.
pub(in crate::access) fn rows_pair_by_pair(access: &Access<'_>, queues: &QueueSet) -> Vec<Row> {
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
        let mut grants = Grants::default();
        grants.extend(
            queues
                .iter()
                .filter_map(|queue| who.grant_on(queue, sides.get(&queue)?)),
        );
        let decided = Decided {
            groups: groups.into_vec(),
            grants: grants.into_vec(),
        };
        Row {
            shared: Arc::new(decided),
            ..Row::default()
        }
    })
}

fn queue_sides<'s>(access: &'s Access<'_>) -> Vec<QueueSide<'s>> {
    in_parallel(&access.queues, |audited| {
        QueueSide::of(audited, access.tags_matter)
    })
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
    /// Documents without variables.
    compiled: ByAddress<Arc<Compiled<'a>>>,
    /// The control policies of all accounts, ready where they are the same for everyone.
    controls: Vec<(&'a Document, Option<Arc<Compiled<'a>>>)>,
}

impl<'a> Matrix<'a> {
    fn new(access: &'a Access<'a>) -> Self {
        let ground = Ground::new(
            &access.index,
            locked(access),
            TagIndex::new(access, access.looked_at_tags()),
            access.tags_matter,
        );
        let roster = Roster::new(access);
        let concerns: Vec<Concern<'a>> = in_parallel(&access.queues, |audited| {
            let keys = AnyPrincipal {
                queue: audited.queue,
                now: access.scanned_at(audited.account),
            };
            concern(&ground, &roster, audited, &keys)
        });
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
            for principal in concern.named {
                if let Some((_, queues)) = ground.keys.get(index) {
                    *named_by_key.entry(principal).or_default() |= queues;
                }
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
                shared_by: plan.wide_places().collect(),
                apart: plan.apart.clone(),
                own: self.own_groups(*index, plan, profiles.of(&plan.tags)),
            }
        })
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

    /// What everyone has who shares the plan, on all queues.
    fn shared_groups(
        &self,
        model: usize,
        plan: &Plan<'_>,
        profiles: &[u32],
        passages: &PassagesByClass,
    ) -> Decided {
        let Some(principal) = self.access.principals.get(model) else {
            return Decided::default();
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
            &cuts(&unconditional, &domain, plan.wide(), &plan.limits),
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
    fn own_groups(&self, index: usize, plan: &Plan<'_>, profiles: &[u32]) -> Decided {
        let Some(principal) = self.access.principals.get(index) else {
            return Decided::default();
        };
        if plan.apart.is_empty() {
            return Decided::default();
        }
        let mut singles = &plan.singles | &singles_of(&plan.limits);
        for carried in plan.wide() {
            singles |= &carried.compiled.singles;
        }
        let carried = || plan.carried.iter();
        let unconditional = Plain::of(carried().map(|carried| &*carried.compiled), &plan.apart);
        let cuts = cuts(&unconditional, &plan.apart, carried(), &plan.limits);
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
        let mut known: HashMap<K, usize, RandomState> = HashMap::default();
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

/// For each key its ARN and the queues whose messages it guards, or guarded before they were moved there.
fn locked<'a>(access: &'a Access<'_>) -> Vec<(&'a str, QueueSet)> {
    let keys = access.keys.iter();
    let mut locked: Vec<(&str, QueueSet)> = keys
        .map(|key| (key.key.arn.as_str(), QueueSet::new()))
        .collect();
    for (audited, number) in access.queues.iter().zip(0..) {
        let sources = audited.sent_to.iter();
        let sources = sources.filter_map(|source| access.queues.get(*source));
        for lock in sources.chain([audited]).map(|audited| audited.lock) {
            if let Lock::Key(key) = lock
                && let Some((_, queues)) = locked.get_mut(key)
            {
                queues.insert(number);
            }
        }
    }
    locked
}

/// All documents of principals that are the same for everyone who carries them.
fn compiled<'a>(access: &'a Access<'a>, ground: &Ground<'_>) -> ByAddress<Arc<Compiled<'a>>> {
    let mut documents: ByAddress<&Document> = ByAddress::default();
    for principal in &access.principals {
        for policy in principal.policies.iter().chain(&principal.boundary) {
            documents.insert(address(&policy.document), &policy.document);
        }
    }
    let documents = documents
        .into_iter()
        .filter(|(_, document)| !ground.has_variables(document));
    let compiled = heaviest_first(
        documents.collect(),
        |(_, document)| weight(document),
        |(address, document)| (*address, Arc::new(ground.compile(document, &NoKeys))),
    );
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
    domain: &QueueSet,
    carried: impl Iterator<Item = &'c Carried<'c>>,
    limits: &'c [Arc<Compiled<'c>>],
) -> Vec<Cow<'c, QueueSet>> {
    let mut cuts: Vec<Cow<'_, QueueSet>> = Vec::new();
    cuts.extend(plain.cuts().into_iter().map(Cow::Owned));
    for carried in carried {
        let others = plain.other_cuts(&carried.compiled, Some(domain));
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
