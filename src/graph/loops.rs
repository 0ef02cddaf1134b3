//! Loops of one principal over one queue: it can put in what it takes out.

use std::borrow::Cow;
use std::sync::Arc;

use super::Graph;
use crate::access::{Capability, QueueSet, SessionsOn};
use crate::entity::{Certainty, Grade};
use crate::parallel::in_parallel;
use crate::policy::Formula;

/// A principal that can both send to and receive from queues, on all of which it fares alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop<'g> {
    /// The index of the principal.
    pub principal: usize,
    /// The queues.
    pub queues: Cow<'g, QueueSet>,
    /// The workload whose session shows it, by its place among the principal's; any session when none.
    pub workload: Option<usize>,
    /// How close it is to running.
    pub grade: Grade,
    /// Whether the two rights hold whatever the circumstances.
    pub certainty: Certainty,
    /// How sure the principal can delete what it received; none when it cannot.
    pub deletes: Option<Certainty>,
    /// When both rights hold together.
    pub when: Formula,
    /// The workloads that can loop, by their place among the principal's.
    pub workloads: Vec<usize>,
}

impl Graph<'_> {
    /// Every loop of one principal over one queue, sorted by principal: the gravest that one of its sessions has.
    ///
    /// Administrators could loop over every queue, which says nothing about any; theirs are told only where a delivery
    /// wires one. Rights that rest on nothing but an unreadable policy are no loop: the gap says that they are unknown.
    pub fn loops(&self) -> impl Iterator<Item = Loop<'_>> + '_ {
        let principals = 0..self.access.principals.len();
        principals.flat_map(|principal| self.loops_of(principal))
    }

    /// What `make` makes of the loops of each principal that has any, on every processor. Where everybody can loop over
    /// everything the loops of all together would fill the memory.
    pub fn each_with_loops<R: Send>(&self, make: impl Fn(Vec<Loop<'_>>) -> R + Sync) -> Vec<R> {
        let principals: Vec<usize> = (0..self.access.principals.len()).collect();
        let results = in_parallel(&principals, |principal| {
            let loops = self.loops_of(*principal);
            (!loops.is_empty()).then(|| make(loops))
        });
        results.into_iter().flatten().collect()
    }

    /// For each principal the queues over which it has a loop: what [`Graph::loops`] tells of queues, and no more.
    pub fn looped(&self) -> &[Arc<QueueSet>] {
        self.looped.get_or_init(|| {
            let principals: Vec<usize> = (0..self.access.principals.len()).collect();
            let with_loops = self.access.picked(has_loop);
            in_parallel(&principals, |principal| {
                self.looped_by(*principal, |principal| with_loops.of(principal))
            })
        })
    }

    fn looped_by(
        &self,
        principal: usize,
        with_loops: impl Fn(usize) -> Arc<QueueSet>,
    ) -> Arc<QueueSet> {
        let wired = self.wired.get(&principal);
        match (self.is_administrator(principal), wired) {
            (true, None) => Arc::default(),
            (true, Some(wired)) => Arc::new(&*with_loops(principal) & wired),
            (false, _) => with_loops(principal),
        }
    }

    fn loops_of(&self, principal: usize) -> Vec<Loop<'_>> {
        let wired = self.wired.get(&principal);
        let mut loops = Vec::new();
        for rights in self.access.rights_where(principal, has_loop) {
            let sessions = rights.on_each();
            let wired = wired.map_or_else(QueueSet::new, |wired| &*rights.queues & wired);
            for queue in &wired {
                let functions: Vec<usize> = self.wired_workloads(principal, queue).collect();
                let queues = Cow::Owned(QueueSet::from_iter([queue]));
                loops.extend(self.gravest_loop(principal, queues, sessions, &functions));
            }
            if !self.is_administrator(principal) {
                // Nearly always all of them: then they stay where they are kept.
                let others = if wired.is_empty() {
                    rights.queues
                } else {
                    Cow::Owned(&*rights.queues - &wired)
                };
                loops.extend(self.gravest_loop(principal, others, sessions, &[]));
            }
        }
        loops
    }

    /// The gravest loop over queues that deliver to these functions of the principal.
    fn gravest_loop<'g>(
        &self,
        principal: usize,
        queues: Cow<'g, QueueSet>,
        sessions: SessionsOn<'_>,
        wired: &[usize],
    ) -> Option<Loop<'g>> {
        if queues.is_empty() {
            return None;
        }
        let of_wired = wired
            .iter()
            .map(|place| (sessions.of_workload(*place), Some(*place), true));
        let of_any = sessions
            .sessions()
            .map(|session| (session, session.workload, false));
        let mut gravest: Option<Loop<'_>> = None;
        for (session, workload, wired) in of_wired.chain(of_any) {
            let Some(when) = session.both() else {
                continue;
            };
            let (grade, certainty) = match (when.is_always(), wired) {
                (true, true) => (Grade::Wired, Certainty::Allowed),
                (true, false) => (Grade::Permitted, Certainty::Allowed),
                (false, _) => (Grade::Conditional, Certainty::Conditional),
            };
            if gravest.as_ref().is_none_or(|known| known.grade < grade) {
                gravest = Some(Loop {
                    principal,
                    queues: Cow::Owned(QueueSet::new()),
                    workload,
                    grade,
                    certainty,
                    deletes: session.certainty(Capability::Delete),
                    when: when.into_owned(),
                    workloads: Vec::new(),
                });
            }
        }
        let mut gravest = gravest?;
        let workloads = self.access.principals.get(principal)?.workloads.len();
        gravest.workloads = (0..workloads)
            .filter(|place| sessions.of_workload(*place).both().is_some())
            .collect();
        gravest.queues = queues;
        Some(gravest)
    }
}

/// Whether some session of those with these rights can both send and receive.
fn has_loop(on_each: SessionsOn<'_>) -> bool {
    let mut sessions = on_each.sessions();
    sessions.any(|session| session.both().is_some())
}
