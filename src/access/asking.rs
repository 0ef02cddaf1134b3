//! One principal, asked about its rights queue by queue: every way in which it can come, and each of its workloads.

use super::Access;
use super::asker::{Asker, Comer, needing_receipt};
use super::context::{Caller, is_settled_by_session};
use super::decide::Policy;
use super::index::QueueSet;
use super::principal::Principal;
use super::rights::{Formulas, Group, Groups};
use super::sides::{QueueSide, RequesterSide};
use crate::policy::{Atom, Formula, OpenReason, Requester};

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

    /// The rights on every part, queues of one part faring alike; `side_of` gives the side of the queue that stands for a
    /// part.
    pub(super) fn groups(
        &self,
        parts: Vec<QueueSet>,
        side_of: impl Fn(u32) -> Option<&'s QueueSide<'s>>,
    ) -> Vec<Group> {
        let mut groups = Groups::default();
        for part in parts {
            let Some(queue) = part.min() else { continue };
            if let Some(group) = side_of(queue).and_then(|side| self.group(part, queue, side)) {
                groups.add(group);
            }
        }
        groups.into_vec()
    }

    fn group(&self, queues: QueueSet, queue: u32, queue_side: &'s QueueSide<'s>) -> Option<Group> {
        let audited = self.access.queues.get(queue as usize)?;
        if self.side.allows_nothing && queue_side.allows_nothing {
            return None;
        }
        let ask = |requester: &Requester, caller: Caller<'_>| {
            let comer = Comer {
                requester,
                caller,
                account: Some(self.principal.account),
            };
            self.asker.formulas(comer, &self.side, audited, queue_side)
        };
        let any = self
            .callers
            .iter()
            .map(|caller| ask(&self.principal.requester, *caller))
            .reduce(either)
            .map(needing_receipt)?;
        let mut workloads = Vec::new();
        if any.iter().any(depends_on_session) {
            for (place, workload) in self.principal.workloads.iter().enumerate() {
                let caller = Caller::Workload {
                    role: self.principal,
                    workload,
                };
                let requester = self.principal.requester_as(workload);
                let formulas = needing_receipt(ask(&requester, caller));
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
