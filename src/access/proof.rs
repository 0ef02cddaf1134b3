//! The statements behind an answer.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::Access;
use super::action::Capability;
use super::asker::{Asker, Comer};
use super::context::Caller;
use super::decide::{Layer, Matched};
use super::principal::Principal;
use super::rights::{Decided, Row};
use super::sides::{QueueSide, RequesterSide};
use crate::memo::Memo;
use crate::policy::{Effect, Formula};

/// A statement that takes part in giving a capability.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proof {
    /// The capability.
    pub capability: Capability,
    /// The layer of the statement.
    pub layer: Layer,
    /// The policy's name.
    pub policy: Arc<str>,
    /// The statement's `Sid` or `#index`.
    pub statement: Arc<str>,
    /// Allow, or a Deny that may take it away.
    pub effect: Effect,
}

impl Proof {
    pub(super) fn new(capability: Capability, matched: &Matched<'_>) -> Self {
        Self {
            capability,
            layer: matched.layer,
            policy: Arc::clone(&matched.policy.name),
            statement: Arc::clone(&matched.statement.label),
            effect: matched.statement.effect,
        }
    }
}

/// Proves what one principal may do, queue by queue.
pub struct Prover<'a> {
    access: &'a Access<'a>,
    asker: &'a Asker<'a>,
    /// The index of the principal.
    index: usize,
    principal: &'a Principal<'a>,
    /// The queue that was asked about last, nearly always that of the next question, with who has a say there.
    last: RefCell<Option<(usize, Rc<Sides<'a>>)>>,
    /// What others prove with it.
    shared: Option<&'a Shared>,
}

/// The statements of a principal and of a queue that may be about requests of the one to the other.
struct Sides<'a> {
    requester: RequesterSide<'a>,
    queue: QueueSide<'a>,
}

/// Proves what principals may do, one after the other.
pub struct Provers<'a> {
    access: &'a Access<'a>,
    asker: Asker<'a>,
    /// For each principal the place of what it shares with others.
    places: Vec<Option<usize>>,
    shared: Vec<Shared>,
}

/// What was proved for one of those whose rights rest on the same statements, wherever they share their rights: when a capability is
/// there on a queue, by its index, and the statements behind it.
type Shared = Memo<(usize, Capability), Answer>;

type Answer = (Formula, Arc<[Proof]>);

/// What principals have in common for whom the same statements prove what they share: the answer, which tells that the same
/// documents gave it, and the names under which they carry those.
#[derive(PartialEq, Eq, Hash)]
struct SharedKey<'a> {
    answer: *const Decided,
    policies: Vec<&'a str>,
    boundary: Option<&'a str>,
}

fn shared_key<'a>(principal: &'a Principal<'_>, row: &Row) -> SharedKey<'a> {
    let policies = row.shared_by.iter();
    SharedKey {
        answer: Arc::as_ptr(&row.shared),
        policies: policies
            .filter_map(|place| principal.policies.get(*place))
            .map(|policy| &*policy.name)
            .collect(),
        boundary: principal.boundary.as_ref().map(|policy| &*policy.name),
    }
}

impl Access<'_> {
    /// What proves rights.
    pub fn provers(&self) -> Provers<'_> {
        let mut places = Vec::with_capacity(self.principals.len());
        let mut known: HashMap<SharedKey<'_>, usize> = HashMap::new();
        for (principal, row) in self.principals.iter().zip(&self.rows) {
            // Only where somebody else holds the same answer is anything to be shared.
            places.push((Arc::strong_count(&row.shared) > 1).then(|| {
                let next = known.len();
                *known.entry(shared_key(principal, row)).or_insert(next)
            }));
        }
        let shared = known.iter().map(|_| Shared::default()).collect();
        Provers {
            access: self,
            asker: Asker::new(self),
            places,
            shared,
        }
    }
}

impl Provers<'_> {
    /// What proves the rights of a principal; none when there is no such principal.
    pub fn of(&self, index: usize) -> Option<Prover<'_>> {
        let access = self.access;
        let principal = access.principals.get(index)?;
        let place = self.places.get(index).copied().flatten();
        Some(Prover {
            access,
            asker: &self.asker,
            index,
            principal,
            last: RefCell::default(),
            shared: place.and_then(|place| self.shared.get(place)),
        })
    }
}

impl<'a> Prover<'a> {
    /// The statements that give the principal a capability on a queue: the Allow statements that match, and conditional
    /// Deny statements that may take it away. Each once, in the order of the layers. Where one workload has the capability
    /// more surely than other sessions, those of its session.
    pub fn prove(&self, queue: usize, capability: Capability) -> Arc<[Proof]> {
        let session = self
            .access
            .rights_on(self.index, queue)
            .and_then(|rights| rights.surest(capability).workload);
        self.prove_as(session, queue, capability)
    }

    /// The same for the session of one workload, by its place among the principal's; for any session when it is none.
    pub fn prove_as(
        &self,
        workload: Option<usize>,
        queue: usize,
        capability: Capability,
    ) -> Arc<[Proof]> {
        self.answer(workload, queue, capability).1
    }

    fn answer(&self, workload: Option<usize>, queue: usize, capability: Capability) -> Answer {
        let alone = || {
            let sides = self.sides_on(queue);
            let (when, proofs) = self.decide(sides.as_deref(), workload, queue, capability);
            (when, proofs.into())
        };
        match self.shared {
            Some(shared) if workload.is_none() && !self.is_apart(queue) => {
                shared.of((queue, capability), |_| alone())
            }
            _ => alone(),
        }
    }

    /// Whether the queue is the principal's own matter, so that no other's proof can stand for its own.
    fn is_apart(&self, queue: usize) -> bool {
        let row = self.access.rows.get(self.index);
        row.zip(u32::try_from(queue).ok())
            .is_none_or(|(row, queue)| row.apart.contains(queue))
    }

    /// The same as [`Prover::when_alone`] and [`Prover::prove_as`] of any session, without asking what was found for others,
    /// and with every statement compared: what those must equal.
    #[doc(hidden)]
    pub fn answer_alone(&self, queue: usize, capability: Capability) -> (Formula, Vec<Proof>) {
        let tags_matter = self.access.tags_matter;
        let policies = self.principal.policies.iter();
        let sides = self.access.queues.get(queue).map(|audited| Sides {
            requester: RequesterSide::of(self.principal, &policies, tags_matter),
            queue: QueueSide::of(audited, tags_matter),
        });
        let (when, proofs) = self.decide(sides.as_ref(), None, queue, capability);
        (when.settled(), proofs)
    }

    /// When any session may do what the capability takes, even if nothing comes of it: deleting without receiving lacks the
    /// receipt of a message, and counts as no right elsewhere (C.2).
    pub fn when_alone(&self, queue: usize, capability: Capability) -> Formula {
        self.answer(None, queue, capability).0.settled()
    }

    fn sides_on(&self, queue: usize) -> Option<Rc<Sides<'a>>> {
        let mut last = self.last.borrow_mut();
        if let Some((_, sides)) = last.as_ref().filter(|(known, _)| *known == queue) {
            return Some(Rc::clone(sides));
        }
        let access = self.access;
        let audited = access.queues.get(queue)?;
        let (listed, about) = (access.listed(), (queue, audited.queue.arn.as_str()));
        let sides = Rc::new(Sides {
            requester: RequesterSide::on_queue(self.principal, listed, about, access.tags_matter),
            queue: QueueSide::of(audited, access.tags_matter),
        });
        *last = Some((queue, Rc::clone(&sides)));
        Some(sides)
    }

    fn decide(
        &self,
        sides: Option<&Sides<'a>>,
        workload: Option<usize>,
        queue: usize,
        capability: Capability,
    ) -> (Formula, Vec<Proof>) {
        let (Some(sides), Some(audited)) = (sides, self.access.queues.get(queue)) else {
            return (Formula::Never, Vec::new());
        };
        let workload = workload.and_then(|place| self.principal.workloads.get(place));
        let (requester, callers) = match workload {
            Some(workload) => (
                self.principal.requester_as(workload),
                vec![Caller::Workload {
                    role: self.principal,
                    workload,
                }],
            ),
            None => (
                self.principal.requester.clone(),
                self.access
                    .callers(self.principal, &self.principal.policies),
            ),
        };
        let mut any = Formula::Never;
        let mut matched = Vec::new();
        for caller in callers {
            let comer = Comer {
                requester: &requester,
                caller,
                account: Some(self.principal.account),
            };
            let mut of_caller = Vec::new();
            let when = self.asker.when(
                comer,
                &sides.requester,
                audited,
                &sides.queue,
                capability,
                Some(&mut of_caller),
            );
            if !when.is_never() {
                matched.extend(of_caller);
            }
            any = any.or(when);
        }
        (any, proofs(capability, &matched))
    }
}

/// What matched as proofs, each once.
pub(super) fn proofs(capability: Capability, matched: &[Matched<'_>]) -> Vec<Proof> {
    let mut seen = HashSet::with_capacity(matched.len());
    matched
        .iter()
        .map(|statement| Proof::new(capability, statement))
        .filter(|proof| seen.insert(proof.clone()))
        .collect()
}
