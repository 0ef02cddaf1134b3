//! One principal, asked about its rights queue by queue: every way in which it can come, and each of its workloads.

use std::collections::HashMap;

use super::action::Capability;
use super::asker::{Asker, Comer, KnownUses, both, needing_receipt};
use super::compiled::{Compiled, Plain, PlainOn};
use super::context::{Caller, is_settled_by_session};
use super::decide::Policy;
use super::guard::{Guards, Passage, Passages, PassagesByClass};
use super::index::QueueSet;
use super::principal::Principal;
use super::queue_grant::{Grant, Grants, MESSAGES};
use super::rights::{Decided, Formulas, Group, Groups};
use super::sides::{QueueSide, RequesterSide};
use super::{Access, AuditedQueue};
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
    ) -> Decided {
        let mut groups = Groups::default();
        let mut grants = Grants::default();
        let mut sides: HashMap<PlainOn, RequesterSide<'_>> = HashMap::new();
        for part in parts {
            let Some((queue, queue_side)) =
                part.min().and_then(|queue| Some((queue, side_of(queue)?)))
            else {
                continue;
            };
            let plain = self.plain.on(queue);
            let side = sides.entry(plain).or_insert_with(|| self.side.with(plain));
            let sides = (&*side, queue_side);
            groups.extend(self.part(part, sides, guards, passages, &mut grants));
        }
        Decided {
            groups: groups.into_vec(),
            grants: grants.into_vec(),
        }
    }

    /// The rights on one part, which its keys may divide.
    fn part(
        &self,
        part: QueueSet,
        sides: Sides<'_>,
        guards: &Guards,
        passages: &PassagesByClass,
        grants: &mut Grants,
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
        grants.extend(self.grant(&part, audited, sides, &ways));
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

    /// What the principal could give itself on one queue, decided without any structure.
    pub(super) fn grant_on(&self, queue: u32, side: &'s QueueSide<'s>) -> Option<Grant> {
        let audited = self.access.queues.get(queue as usize)?;
        let ways = self.comers().map(|comer| {
            self.asker
                .formulas_without_key(comer, &self.side, audited, side)
        });
        self.grant(
            &QueueSet::from_iter([queue]),
            audited,
            (&self.side, side),
            &ways.collect::<Vec<_>>(),
        )
    }

    /// What the principal could give itself in the policies of queues on which it fares alike; `ways` is what it can do there
    /// in each way in which it can come, but for keys.
    fn grant(
        &self,
        queues: &QueueSet,
        audited: &AuditedQueue<'_>,
        (side, queue_side): Sides<'_>,
        ways: &[Formulas],
    ) -> Option<Grant> {
        // Nobody changes a queue of another account (C.1).
        if audited.account != self.principal.account {
            return None;
        }
        let is_lacking = |capability: Capability| {
            ways.iter()
                .all(|way| way.get(capability as usize).is_none_or(Formula::is_never))
        };
        if is_lacking(Capability::Administer) || !MESSAGES.into_iter().any(is_lacking) {
            return None;
        }
        let mut gains = [Formula::Never, Formula::Never];
        for comer in self.comers() {
            let may_write = self
                .asker
                .may_write_policy(comer, side, audited, queue_side);
            if may_write.is_never() {
                continue;
            }
            for (capability, gain) in MESSAGES.into_iter().zip(&mut gains) {
                if is_lacking(capability) {
                    let then = self
                        .asker
                        .when_policy_is_open(comer, side, audited, capability);
                    let known = std::mem::replace(gain, Formula::Never);
                    *gain = known.or(may_write.clone().and(then));
                }
            }
        }
        let gains = gains.map(|gain| {
            if gain.rests_on_what_was_read() {
                gain.settled()
            } else {
                Formula::Never
            }
        });
        gains.iter().any(|gain| !gain.is_never()).then(|| Grant {
            queues: queues.clone(),
            gains,
        })
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
