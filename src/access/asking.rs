//! One principal, asked about its rights queue by queue: every way in which it can come, and each of its workloads.

use std::collections::HashMap;

use super::Access;
use super::action::Capability;
use super::asker::{Asker, Comer, KnownUses, both, needing_receipt};
use super::compiled::{Compiled, Plain, PlainOn};
use super::context::{Caller, is_settled_by_session};
use super::decide::Policy;
use super::guard::{Guards, Passage, Passages, PassagesByClass};
use super::index::QueueSet;
use super::principal::Principal;
use super::rights::{Formulas, Group, Groups};
use super::sides::{QueueSide, RequesterSide};
use crate::policy::{Atom, Formula, OpenReason};

/// What a principal and a queue bring to a decision.
type Sides<'t> = (&'t RequesterSide<'t>, &'t QueueSide<'t>);

/// One principal with some of its policies, asked about queues.
pub(super) struct Asking<'s> {
    asker: &'s Asker<'s>,
    access: &'s Access<'s>,
    principal: &'s Principal<'s>,
    side: RequesterSide<'s>,
    /// What its statements do that are not in `side`.
    plain: Plain,
    callers: Vec<Caller<'s>>,
}

impl<'s> Asking<'s> {
    pub(super) fn new(
        access: &'s Access<'s>,
        asker: &'s Asker<'s>,
        principal: &'s Principal<'s>,
        policies: impl IntoIterator<Item = &'s Policy, IntoIter: Clone>,
    ) -> Self {
        let policies = policies.into_iter();
        Self {
            asker,
            access,
            principal,
            callers: access.callers(principal, policies.clone()),
            side: RequesterSide::of(principal, &policies, access.tags_matter),
            plain: Plain::default(),
        }
    }

    /// The same with policies that are ready for many queues. `plain` is what their plain statements do where it will be
    /// asked.
    pub(super) fn compiled(
        access: &'s Access<'s>,
        asker: &'s Asker<'s>,
        principal: &'s Principal<'s>,
        policies: &[(&'s Policy, &Compiled<'s>)],
        plain: Plain,
    ) -> Self {
        Self {
            asker,
            access,
            principal,
            callers: access.callers(principal, policies.iter().map(|(policy, _)| *policy)),
            side: RequesterSide::of_compiled(principal, policies, access.tags_matter),
            plain,
        }
    }

    /// The rights on every part, queues of one part faring alike but for their keys; `side_of` gives the side of the queue
    /// that stands for a part, `passages` what keys say at each of them that is guarded.
    pub(super) fn groups(
        &self,
        parts: Vec<QueueSet>,
        side_of: impl Fn(u32) -> Option<&'s QueueSide<'s>>,
        guards: &Guards,
        passages: &PassagesByClass,
    ) -> Vec<Group> {
        let mut groups = Groups::default();
        let mut sides: HashMap<PlainOn, RequesterSide<'_>> = HashMap::new();
        for part in parts {
            let Some((queue, queue_side)) =
                part.min().and_then(|queue| Some((queue, side_of(queue)?)))
            else {
                continue;
            };
            let plain = self.plain.on(queue);
            let side = sides.entry(plain).or_insert_with(|| self.side.with(plain));
            groups.extend(self.part(part, (side, queue_side), guards, passages));
        }
        groups.into_vec()
    }

    /// The rights on one part, which its keys may divide.
    fn part(
        &self,
        part: QueueSet,
        sides: Sides<'_>,
        guards: &Guards,
        passages: &PassagesByClass,
    ) -> Vec<Group> {
        let (side, queue_side) = sides;
        let first = part
            .min()
            .and_then(|queue| self.access.queues.get(queue as usize));
        let Some(audited) = first else {
            return Vec::new();
        };
        if side.allows_nothing && queue_side.allows_nothing {
            return Vec::new();
        }
        let ways: Vec<Formulas> = self
            .comers()
            .map(|comer| {
                self.asker
                    .formulas_without_key(comer, side, audited, queue_side)
            })
            .collect();
        let guarded = if ways.iter().any(needs_key) {
            &part & &guards.guarded
        } else {
            QueueSet::new()
        };
        let mut free = part;
        free -= &guarded;
        let mut groups = Vec::new();
        for (queues, passages) in passages.divide(guards, &guarded) {
            let ways = ways.iter().cloned().zip(passages);
            let ways = ways.map(|(formulas, passage)| through(formulas, passage));
            groups.extend(self.group(queues, sides, ways.collect()));
        }
        if !free.is_empty() {
            groups.extend(self.group(free, sides, ways));
        }
        groups
    }

    /// What keys say at these queues.
    pub(super) fn passages(&self, guards: &Guards, queues: &QueueSet) -> PassagesByClass {
        let mut found = PassagesByClass::default();
        let mut known: Vec<KnownUses<'_>> = self.comers().map(|_| KnownUses::default()).collect();
        for queue in guards.models_of(queues) {
            let Some(audited) = self.access.queues.get(queue as usize) else {
                continue;
            };
            let passages: Passages = self
                .comers()
                .zip(&mut known)
                .map(|(comer, known)| {
                    let mut when = |capability| {
                        let side = &self.side;
                        self.asker
                            .when_unlocked(comer, side, audited, capability, known, &mut None)
                    };
                    Passage {
                        send: when(Capability::Send),
                        receive: when(Capability::Receive),
                    }
                })
                .collect();
            let alone = !self.principal.workloads.is_empty()
                && passages.iter().any(|passage| {
                    depends_on_session(&passage.send) || depends_on_session(&passage.receive)
                });
            found.add(guards, queue, passages, alone);
        }
        found
    }

    /// The rights on one queue, decided without any structure.
    pub(super) fn on(&self, queue: u32, side: &'s QueueSide<'s>) -> Option<Group> {
        let audited = self.access.queues.get(queue as usize)?;
        let ways = self
            .comers()
            .map(|comer| self.asker.formulas(comer, &self.side, audited, side));
        self.group(
            QueueSet::from_iter([queue]),
            (&self.side, side),
            ways.collect(),
        )
    }

    fn comers(&self) -> impl Iterator<Item = Comer<'_>> {
        self.callers.iter().map(|caller| Comer {
            requester: &self.principal.requester,
            caller: *caller,
            account: Some(self.principal.account),
        })
    }

    /// The rights on queues on which the principal fares alike in each way in which it can come. None without any.
    fn group(
        &self,
        queues: QueueSet,
        (side, queue_side): Sides<'_>,
        ways: Vec<Formulas>,
    ) -> Option<Group> {
        let any = ways.into_iter().reduce(either).map(needing_receipt)?;
        if any.iter().all(Formula::is_never) {
            return None;
        }
        let mut workloads = Vec::new();
        if any.iter().any(depends_on_session) {
            let audited = self.access.queues.get(queues.min()? as usize)?;
            for (place, workload) in self.principal.workloads.iter().enumerate() {
                let comer = Comer {
                    requester: &self.principal.requester_as(workload),
                    caller: Caller::Workload {
                        role: self.principal,
                        workload,
                    },
                    account: Some(self.principal.account),
                };
                let formulas = self.asker.formulas(comer, side, audited, queue_side);
                let formulas = needing_receipt(formulas);
                if formulas != any {
                    workloads.push((place, formulas));
                }
            }
        }
        Some(Group::new(queues, any, workloads))
    }
}

/// Whether keys have anything to say.
fn needs_key([send, receive, ..]: &Formulas) -> bool {
    !send.is_never() || !receive.is_never()
}

fn through(formulas: Formulas, passage: &Passage) -> Formulas {
    let [send, receive, others @ ..] = formulas;
    let [delete, purge, administer] = others;
    [
        both(send, passage.send.clone()),
        both(receive, passage.receive.clone()),
        delete,
        purge,
        administer,
    ]
}

/// Whether the answer could be another for the session of one workload: what is open is not only about networks and times,
/// which no workload settles.
fn depends_on_session(formula: &Formula) -> bool {
    let mut depends = false;
    formula.each_literal(&mut |literal| {
        depends |= match &*literal.atom {
            Atom::Test(test) => is_settled_by_session(&test.key()),
            Atom::Open { reason, .. } => *reason == OpenReason::Variable,
        };
    });
    depends
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
