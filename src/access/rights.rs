//! What each principal can do with each queue, kept as sets: queues on which a principal fares alike are one group, and what
//! many principals share is kept once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use roaring::MultiOps;

use super::action::Capability;
use super::index::QueueSet;
use super::queue_grant::{Grant, QueueGrant};
use crate::entity::Certainty;
use crate::policy::Formula;

/// When a session has each capability, in the order of [`Capability::ALL`].
pub(super) type Formulas = [Formula; Capability::ALL.len()];

/// What a principal can do with some queues, on all of which it fares alike.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) queues: QueueSet,
    /// What any session can do.
    any: Formulas,
    /// The workloads whose rights differ from that, by their place among the principal's.
    workloads: Vec<(usize, Formulas)>,
    /// When any session can both send and receive, once it was asked for: everyone who shares the group asks.
    both: OnceLock<Option<Formula>>,
}

impl Group {
    pub(super) fn new(queues: QueueSet, any: Formulas, workloads: Vec<(usize, Formulas)>) -> Self {
        Self {
            queues,
            any,
            workloads,
            both: OnceLock::new(),
        }
    }
}

/// What was decided of somebody on some queues.
#[derive(Debug, Clone, Default)]
pub(super) struct Decided {
    /// What it can do.
    pub(super) groups: Vec<Group>,
    /// What it could give itself besides.
    pub(super) grants: Vec<Grant>,
}

/// The rights of one principal on queues. Queues without any right are in no group.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// What it shares with others.
    pub(super) shared: Arc<Decided>,
    /// The policies that give it, by their place among the principal's.
    pub(super) shared_by: Vec<usize>,
    /// The queues on which its own groups tell everything.
    pub(super) apart: QueueSet,
    /// What it has for itself.
    pub(super) own: Decided,
}

/// Groups under construction: those on which a principal fares alike become one.
#[derive(Debug, Default)]
pub(super) struct Groups(Vec<(Group, Vec<QueueSet>)>);

/// Groups that are compared with a new one. Most groups are plain and come first; what differs by its words differs anyway.
const MOST_COMPARED: usize = 64;

impl Groups {
    /// Adds queues with the same rights.
    fn add(&mut self, group: Group) {
        let like = self
            .0
            .iter_mut()
            .take(MOST_COMPARED)
            .find(|(known, _)| known.any == group.any && known.workloads == group.workloads);
        match like {
            Some((_, more)) => more.push(group.queues),
            None => self.0.push((group, Vec::new())),
        }
    }

    pub(super) fn into_vec(self) -> Vec<Group> {
        // All queues of a group at once: to add a few to thousands, part after part, goes through the thousands each time.
        let groups = self.0.into_iter().map(|(mut group, more)| {
            if !more.is_empty() {
                group.queues = more.iter().chain([&group.queues]).union();
            }
            group
        });
        groups.collect()
    }
}

impl Extend<Group> for Groups {
    fn extend<I: IntoIterator<Item = Group>>(&mut self, groups: I) {
        for group in groups {
            self.add(group);
        }
    }
}

impl Row {
    /// The rights that it shares with nobody, group by group.
    pub(super) fn own_rights(&self) -> impl Iterator<Item = Rights<'_>> {
        self.own.groups.iter().map(|group| Rights {
            queues: Cow::Borrowed(&group.queues),
            group,
            apart: None,
        })
    }

    /// What it shares with others.
    pub(super) fn shared_rights(&self) -> SharedRights<'_> {
        SharedRights {
            decided: &self.shared,
            with_others: Arc::strong_count(&self.shared) > 1,
            apart: &self.apart,
        }
    }

    /// The rights that are wanted, group by group.
    pub(super) fn rights(
        &self,
        is_wanted: impl Fn(SessionsOn<'_>) -> bool + Copy,
    ) -> impl Iterator<Item = Rights<'_>> {
        let own = self
            .own_rights()
            .filter(move |rights| is_wanted(rights.on_each()));
        let shared = self.shared.groups.iter();
        // Asked first: to take out the queues of a group that are apart is most of the work.
        let wanted = shared.filter(move |group| is_wanted(SessionsOn(group)));
        let shared = wanted.filter_map(|group| {
            let queues = self.shared_queues(&group.queues)?;
            let apart = matches!(queues, Cow::Owned(_)).then_some(&self.apart);
            Some(Rights {
                queues,
                group,
                apart,
            })
        });
        own.chain(shared)
    }

    /// What the principal could give itself, grant by grant.
    pub(super) fn grants(&self) -> impl Iterator<Item = QueueGrant<'_>> {
        let own = self.own.grants.iter().map(|grant| QueueGrant {
            queues: Cow::Borrowed(&grant.queues),
            grant,
            shared: None,
        });
        let shared = self.shared.grants.iter().filter_map(|grant| {
            Some(QueueGrant {
                queues: self.shared_queues(&grant.queues)?,
                grant,
                shared: Some(Arc::as_ptr(&self.shared).addr()),
            })
        });
        own.chain(shared)
    }

    /// Of these queues those on which what is shared holds; none where it does on none.
    fn shared_queues<'s>(&self, queues: &'s QueueSet) -> Option<Cow<'s, QueueSet>> {
        let queues = if queues.is_disjoint(&self.apart) {
            Cow::Borrowed(queues)
        } else {
            Cow::Owned(queues - &self.apart)
        };
        (!queues.is_empty()).then_some(queues)
    }

    /// The rights on one queue.
    pub(super) fn on(&self, queue: u32) -> Option<SessionsOn<'_>> {
        let groups = if self.apart.contains(queue) {
            &self.own.groups
        } else {
            &self.shared.groups
        };
        groups
            .iter()
            .find(|group| group.queues.contains(queue))
            .map(SessionsOn)
    }
}

/// Rights on queues, to be found with principals of whom many share what they have.
pub(super) struct Wanted<'w> {
    /// The capabilities, each with its queues.
    rights: Vec<(Capability, &'w QueueSet)>,
    /// Of the queues those on which everyone has one of the rights who shares an answer, by its address.
    shared: HashMap<usize, QueueSet>,
}

impl<'w> Wanted<'w> {
    pub(super) fn new(rights: Vec<(Capability, &'w QueueSet)>) -> Self {
        Self {
            rights,
            shared: HashMap::new(),
        }
    }

    /// Whether the principal of the row surely has one of them.
    pub(super) fn is_one_held_by(&mut self, row: &Row) -> bool {
        if !self.held(&row.own.groups).is_empty() {
            return true;
        }
        let address = Arc::as_ptr(&row.shared).addr();
        let held = match self.shared.remove(&address) {
            Some(held) => held,
            None => self.held(&row.shared.groups),
        };
        let is_held = !held.is_subset(&row.apart);
        self.shared.insert(address, held);
        is_held
    }

    fn held(&self, groups: &[Group]) -> QueueSet {
        let mut held = QueueSet::new();
        for group in groups {
            for (capability, wanted) in &self.rights {
                if SessionsOn(group).when(*capability).is_always() {
                    held |= &group.queues & *wanted;
                }
            }
        }
        held
    }
}

/// What a principal shares with others, as it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SharedRights<'a> {
    decided: &'a Decided,
    /// Whether anybody else has it.
    pub(crate) with_others: bool,
    /// The queues on which the principal does not fare as the others do.
    pub(crate) apart: &'a QueueSet,
}

impl<'a> SharedRights<'a> {
    /// Equal for those who share the same.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self.decided).addr()
    }

    /// The queues of each group, those apart among them, with what everyone can do there who shares it.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&'a QueueSet, SessionsOn<'a>)> + use<'a> {
        let groups = self.decided.groups.iter();
        groups.map(|group| (&group.queues, SessionsOn(group)))
    }
}

/// What one principal can do with some queues, on all of which it fares alike.
#[derive(Debug, Clone)]
pub struct Rights<'a> {
    /// The queues.
    pub queues: Cow<'a, QueueSet>,
    group: &'a Group,
    /// The queues on which the principal does not fare as the others of the group do.
    apart: Option<&'a QueueSet>,
}

impl<'a> Rights<'a> {
    /// The queues as they are kept: those of everyone who shares the rights, and, where some are among them, those on which
    /// this principal fares otherwise.
    pub(crate) fn shared_queues(&self) -> (&'a QueueSet, Option<&'a QueueSet>) {
        (&self.group.queues, self.apart)
    }

    /// What the sessions of the principal can do with each of the queues.
    pub fn on_each(&self) -> SessionsOn<'a> {
        SessionsOn(self.group)
    }
}

/// What the sessions of one principal can do with one queue.
#[derive(Debug, Clone, Copy)]
pub struct SessionsOn<'a>(&'a Group);

/// What one sort of session of a principal can do with one queue.
#[derive(Debug, Clone, Copy)]
pub struct SessionRights<'a> {
    /// The place of the workload among the principal's, when the session is that of one; any session otherwise.
    pub workload: Option<usize>,
    formulas: &'a Formulas,
    /// Where [`SessionRights::both`] is kept.
    both: Option<&'a OnceLock<Option<Formula>>>,
}

impl<'a> SessionRights<'a> {
    /// When the session has the capability.
    pub fn when(&self, capability: Capability) -> &'a Formula {
        self.formulas
            .get(capability as usize)
            .unwrap_or(&Formula::Never)
    }

    /// How sure the capability is; none when it is denied.
    pub fn certainty(&self, capability: Capability) -> Option<Certainty> {
        match self.when(capability) {
            Formula::Never => None,
            when => Some(Certainty::of(when)),
        }
    }

    /// When the session can both send and receive; none when it never can, or when nothing that was read says so.
    pub fn both(&self) -> Option<Cow<'a, Formula>> {
        match self.both {
            Some(known) => known
                .get_or_init(|| self.send_and_receive())
                .as_ref()
                .map(Cow::Borrowed),
            None => self.send_and_receive().map(Cow::Owned),
        }
    }

    fn send_and_receive(&self) -> Option<Formula> {
        let send = self.when(Capability::Send);
        let receive = self.when(Capability::Receive);
        if !send.rests_on_what_was_read() || !receive.rests_on_what_was_read() {
            return None;
        }
        let both = send.clone().and(receive.clone());
        both.is_satisfiable().then_some(both)
    }
}

impl<'a> SessionsOn<'a> {
    /// What any session can do, then what the workloads can whose sessions differ from that.
    ///
    /// Rights that must hold together are asked of one session at a time: two workloads of one role are two processes.
    pub fn sessions(self) -> impl Iterator<Item = SessionRights<'a>> {
        let workloads = self
            .0
            .workloads
            .iter()
            .map(|(workload, formulas)| SessionRights {
                workload: Some(*workload),
                formulas,
                both: None,
            });
        std::iter::once(self.any_session()).chain(workloads)
    }

    /// What the session of one workload can do, by its place among the principal's.
    pub fn of_workload(self, workload: usize) -> SessionRights<'a> {
        self.sessions()
            .find(|session| session.workload == Some(workload))
            .unwrap_or_else(|| self.any_session())
    }

    fn any_session(self) -> SessionRights<'a> {
        SessionRights {
            workload: None,
            formulas: &self.0.any,
            both: Some(&self.0.both),
        }
    }

    /// When the principal has the capability: always, when one of its workloads does.
    pub fn when(self, capability: Capability) -> &'a Formula {
        self.surest(capability).when(capability)
    }

    /// The session that has the capability most surely.
    pub fn surest(self, capability: Capability) -> SessionRights<'a> {
        self.sessions()
            .find(|session| session.when(capability).is_always())
            .unwrap_or_else(|| self.any_session())
    }

    /// Whether every capability is there, whatever the circumstances.
    pub fn are_complete(self) -> bool {
        self.0.any.iter().all(Formula::is_always)
    }

    /// How sure the capability is; none when it is denied.
    pub fn certainty(self, capability: Capability) -> Option<Certainty> {
        self.surest(capability).certainty(capability)
    }
}
