//! How the rights of one principal are worked out: what it shares with others, so that one answer stands for all of them, and
//! what it has for itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::Matrix;
use crate::access::compiled::{Compiled, Look};
use crate::access::context::{Caller, RequestContext, Target, WhateverQueue, WhateverSession};
use crate::access::decide::Policy;
use crate::access::documents::address;
use crate::access::index::QueueSet;
use crate::access::principal::Principal;
use crate::entity::Kind;
use crate::policy::{Assumptions, ContextKeys, Document, Formula, Lookup};

/// Queues that a policy may reach to be one principal's own matter, at most.
const NARROW: u64 = 64;
/// The same as a part of all queues, so that a small account is decided in the same ways as a large one.
const NARROW_PART: u64 = 8;

/// What decides for a principal, sorted into what it shares and what it has for itself.
pub(super) struct Plan<'p> {
    pub(super) shared: SharedKey,
    /// Its identity policies.
    pub(super) carried: Vec<Carried<'p>>,
    /// Its boundary and the control policies, which allow nothing by themselves.
    pub(super) limits: Vec<Arc<Compiled<'p>>>,
    /// Queues on which it is decided by itself.
    pub(super) apart: QueueSet,
    /// Queues of which each is decided by itself.
    pub(super) singles: QueueSet,
    /// The keys of the queues' tags that its policies look at.
    pub(super) tags: BTreeSet<String>,
    /// In how many ways it can come, as far as its wide policies tell them apart.
    ways: usize,
}

/// A policy that a principal carries.
pub(super) struct Carried<'p> {
    pub(super) policy: &'p Policy,
    pub(super) compiled: Arc<Compiled<'p>>,
    /// Whether it reaches many queues, so that others who carry it share the answer.
    wide: bool,
}

impl<'p> Plan<'p> {
    pub(super) fn wide(&self) -> impl Iterator<Item = &Carried<'p>> {
        self.carried.iter().filter(|carried| carried.wide)
    }

    /// The places of the same among the policies that the principal carries.
    pub(super) fn wide_places(&self) -> impl Iterator<Item = usize> {
        let carried = self.carried.iter().enumerate();
        carried
            .filter(|(_, carried)| carried.wide)
            .map(|(place, _)| place)
    }
}

/// What two principals have in common that share their answer on all queues but their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SharedKey {
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
pub(super) struct PassageKey<'p> {
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

impl Plan<'_> {
    pub(super) fn passage_key(&self) -> PassageKey<'_> {
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

impl Matrix<'_> {
    pub(super) fn plan(&self, index: usize) -> Option<Plan<'_>> {
        let principal = self.access.principals.get(index)?;
        let named_by = self.named_by.get(&index);
        let boundary = principal
            .boundary
            .as_ref()
            .map(|boundary| self.compiled(principal, &boundary.document));
        let mut plan = Plan {
            shared: SharedKey {
                standing: self.standing(index, principal, boundary.as_deref()),
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
            if !compiled.locked.is_empty() || compiled.touches.len() > narrow {
                domain |= &compiled.allows;
            }
        }
        for (policy, compiled) in carried {
            plan.tags.extend(compiled.tags.iter().cloned());
            // What is said about a key matters on the queues that it guards, and there only where messages can be reached at all.
            let locked = &domain & &compiled.locked;
            let wide = compiled.touches.len() > narrow || locked.len() > narrow;
            if wide {
                plan.shared.policies.push(CarriedKey {
                    document: document_key(policy),
                    looked_at: self.looked_at(index, principal, &compiled.looks),
                    keys: !compiled.locked.is_empty(),
                });
            } else {
                plan.apart |= &compiled.touches;
                plan.apart |= &locked;
                plan.singles |= &compiled.singles;
            }
            plan.carried.push(Carried {
                policy,
                compiled,
                wide,
            });
        }
        plan.limits.extend(boundary);
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

    fn standing(
        &self,
        index: usize,
        principal: &Principal<'_>,
        boundary: Option<&Compiled<'_>>,
    ) -> Standing {
        let mut looked_at = self.looked_at(index, principal, &self.looks);
        if let Some(boundary) = boundary {
            looked_at += &self.looked_at(index, principal, &boundary.looks);
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
}
