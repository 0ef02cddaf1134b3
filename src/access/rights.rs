//! What each principal can do with each queue, kept small: most principals share few answers, and most answers are plain.

use super::action::Capability;
use crate::entity::Certainty;
use crate::policy::Formula;

/// The rights of one principal on queues.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Sorted by queue; queues without any right are left out.
    cells: Vec<Cell>,
    /// The formulas of conditional answers, each kept once.
    formulas: Vec<Formula>,
}

#[derive(Debug)]
struct Cell {
    queue: usize,
    answers: Answers,
    /// The workloads whose rights differ from those of any session, by their place among the principal's workloads.
    workloads: Vec<(usize, Answers)>,
}

type Answers = [Answer; Capability::ALL.len()];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Denied,
    Allowed,
    /// An index into the row's formulas.
    Conditional(u32),
}

/// When a session has each capability, in the order of [`Capability::ALL`].
pub(super) type Formulas = [Formula; Capability::ALL.len()];

impl Row {
    /// Adds the rights on a queue, later than those added before. `workloads` are those whose rights differ from `any`.
    pub(super) fn push(&mut self, queue: usize, any: Formulas, workloads: Vec<(usize, Formulas)>) {
        let answers = self.answers(any);
        let workloads = workloads
            .into_iter()
            .map(|(workload, formulas)| (workload, self.answers(formulas)))
            .collect();
        self.cells.push(Cell {
            queue,
            answers,
            workloads,
        });
    }

    /// The rights, sorted by queue.
    pub(super) fn rights(&self) -> impl Iterator<Item = Rights<'_>> {
        self.cells.iter().map(|cell| Rights {
            queue: cell.queue,
            cell,
            formulas: &self.formulas,
        })
    }

    /// The rights on one queue.
    pub(super) fn on(&self, queue: usize) -> Option<Rights<'_>> {
        let index = self
            .cells
            .binary_search_by_key(&queue, |cell| cell.queue)
            .ok()?;
        self.cells.get(index).map(|cell| Rights {
            queue,
            cell,
            formulas: &self.formulas,
        })
    }

    fn answers(&mut self, formulas: Formulas) -> Answers {
        formulas.map(|formula| match formula {
            Formula::Never => Answer::Denied,
            Formula::Always => Answer::Allowed,
            conditional => {
                let known = self.formulas.iter().position(|known| *known == conditional);
                let index = known.unwrap_or_else(|| {
                    self.formulas.push(conditional);
                    self.formulas.len() - 1
                });
                u32::try_from(index).map_or(Answer::Denied, Answer::Conditional)
            }
        })
    }
}

/// What one principal can do with one queue.
#[derive(Debug, Clone, Copy)]
pub struct Rights<'a> {
    /// The index of the queue in [`super::Access::queues`].
    pub queue: usize,
    cell: &'a Cell,
    formulas: &'a [Formula],
}

/// What one sort of session of a principal can do with one queue.
#[derive(Debug, Clone, Copy)]
pub struct SessionRights<'a> {
    /// The place of the workload among the principal's, when the session is that of one; any session otherwise.
    pub workload: Option<usize>,
    answers: &'a Answers,
    formulas: &'a [Formula],
}

impl<'a> SessionRights<'a> {
    /// When the session has the capability.
    pub fn when(&self, capability: Capability) -> &'a Formula {
        match self.answers.get(capability as usize) {
            None | Some(Answer::Denied) => &Formula::Never,
            Some(Answer::Allowed) => &Formula::Always,
            Some(Answer::Conditional(index)) => self
                .formulas
                .get(*index as usize)
                .unwrap_or(&Formula::Never),
        }
    }

    /// How sure the capability is; none when it is denied.
    pub fn certainty(&self, capability: Capability) -> Option<Certainty> {
        match self.when(capability) {
            Formula::Never => None,
            Formula::Always => Some(Certainty::Allowed),
            _ => Some(Certainty::Conditional),
        }
    }
}

impl<'a> Rights<'a> {
    /// What any session can do, then what the workloads can whose sessions differ from that.
    ///
    /// Rights that must hold together are asked of one session at a time: two workloads of one role are two processes.
    pub fn sessions(&self) -> impl Iterator<Item = SessionRights<'a>> + use<'a> {
        let formulas = self.formulas;
        let workloads = self
            .cell
            .workloads
            .iter()
            .map(move |(workload, answers)| SessionRights {
                workload: Some(*workload),
                answers,
                formulas,
            });
        std::iter::once(self.any_session()).chain(workloads)
    }

    /// What the session of one workload can do, by its place among the principal's.
    pub fn of_workload(&self, workload: usize) -> SessionRights<'a> {
        self.sessions()
            .find(|session| session.workload == Some(workload))
            .unwrap_or_else(|| self.any_session())
    }

    fn any_session(&self) -> SessionRights<'a> {
        SessionRights {
            workload: None,
            answers: &self.cell.answers,
            formulas: self.formulas,
        }
    }

    /// When the principal has the capability: always, when one of its workloads does.
    pub fn when(&self, capability: Capability) -> &'a Formula {
        self.surest(capability).when(capability)
    }

    /// The session that has the capability most surely.
    pub fn surest(&self, capability: Capability) -> SessionRights<'a> {
        self.sessions()
            .find(|session| session.when(capability).is_always())
            .unwrap_or_else(|| self.any_session())
    }

    /// Whether every capability is there, whatever the circumstances.
    pub fn are_complete(&self) -> bool {
        Capability::ALL
            .into_iter()
            .all(|capability| self.any_session().when(capability).is_always())
    }

    /// How sure the capability is; none when it is denied.
    pub fn certainty(&self, capability: Capability) -> Option<Certainty> {
        self.surest(capability).certainty(capability)
    }
}
