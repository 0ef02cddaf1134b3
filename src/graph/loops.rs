//! Loops of one principal over one queue: it can put in what it takes out.

use super::Graph;
use crate::access::Capability;
use crate::entity::{Certainty, Grade};
use crate::policy::Formula;

/// A principal that can both send to and receive from a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// The index of the principal.
    pub principal: usize,
    /// The index of the queue.
    pub queue: usize,
    /// How close it is to running.
    pub grade: Grade,
    /// Whether the two rights hold whatever the circumstances.
    pub certainty: Certainty,
    /// How sure the principal can delete what it received; none when it cannot.
    pub deletes: Option<Certainty>,
    /// When both rights hold together.
    pub when: Formula,
}

impl Graph<'_> {
    /// Every loop of one principal over one queue, sorted by principal and queue.
    ///
    /// Administrators could loop over every queue, which says nothing about any; theirs are told only where a delivery
    /// wires one. Rights that rest on nothing but an unreadable policy are no loop: the gap says that they are unknown.
    pub fn loops(&self) -> impl Iterator<Item = Loop> + '_ {
        let access = self.access;
        (0..access.principals.len()).flat_map(move |principal| {
            access.rights(principal).filter_map(move |rights| {
                let wired = self.is_wired(principal, rights.queue);
                if self.is_administrator(principal) && !wired {
                    return None;
                }
                let send = rights.when(Capability::Send);
                let receive = rights.when(Capability::Receive);
                if send.is_never() || receive.is_never() {
                    return None;
                }
                if !send.rests_on_what_was_read() || !receive.rests_on_what_was_read() {
                    return None;
                }
                let both = send.clone().and(receive.clone());
                if !both.is_satisfiable() {
                    return None;
                }
                let (grade, certainty) = match (both.is_always(), wired) {
                    (true, true) => (Grade::Wired, Certainty::Allowed),
                    (true, false) => (Grade::Permitted, Certainty::Allowed),
                    (false, _) => (Grade::Conditional, Certainty::Conditional),
                };
                Some(Loop {
                    principal,
                    queue: rights.queue,
                    grade,
                    certainty,
                    deletes: rights.certainty(Capability::Delete),
                    when: both,
                })
            })
        })
    }
}
