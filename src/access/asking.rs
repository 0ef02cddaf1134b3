//! One principal, asked about its rights queue by queue: every way in which it can come, and each of its workloads.

use super::Access;
use super::action::Capability;
use super::asker::{Asker, Comer, KnownUses, both, needing_receipt};
use super::context::{Caller, is_settled_by_session};
use super::decide::Policy;
use super::guard::{Guards, Passage, Passages, PassagesByClass};
use super::index::QueueSet;
use super::principal::Principal;
use super::rights::{Formulas, Group, Groups};
use super::sides::{QueueSide, RequesterSide};
use crate::policy::{Atom, Formula, OpenReason};

/// One principal with some of its policies, asked about queues.
pub(super) struct Asking<'s> {
    asker: &'s Asker<'s>,
    access: &'s Access<'s>,
    principal: &'s Principal<'s>,
    side: RequesterSide<'s>,
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
        for part in parts {
            let Some((queue, side)) = part.min().and_then(|queue| Some((queue, side_of(queue)?)))
            else {
                continue;
            };
            if self.side.allows_nothing && side.allows_nothing {
                continue;
            }
            let Some(audited) = self.access.queues.get(queue as usize) else {
                continue;
            };
            let ways: Vec<Formulas> = self
                .comers()
                .map(|comer| {
                    self.asker
                        .formulas_without_key(comer, &self.side, audited, side)
                })
                .collect();
            let guarded = if ways.iter().any(needs_key) {
                &part & &guards.guarded
            } else {
                QueueSet::new()
            };
            let mut free = part;
            free -= &guarded;
            if !free.is_empty() {
                groups.extend(self.group(free, side, ways.clone()));
            }
            for (queues, passages) in passages.divide(guards, &guarded) {
                let ways = ways.iter().cloned().zip(passages);
                let ways = ways.map(|(formulas, passage)| through(formulas, passage));
                groups.extend(self.group(queues, side, ways.collect()));
            }
        }
        groups.into_vec()
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
        self.group(QueueSet::from_iter([queue]), side, ways.collect())
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
        side: &'s QueueSide<'s>,
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
                let formulas = self.asker.formulas(comer, &self.side, audited, side);
                let formulas = needing_receipt(formulas);
                if formulas != any {
                    workloads.push((place, formulas));
                }
            }
        }
        Some(Group {
            queues,
            any,
            workloads,
        })
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
