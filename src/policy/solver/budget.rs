//! How long one question may take, counted in work rather than in time: a decision must not depend on the machine.

/// Units of work for a question about a whole decision; a unit is about one character of a pattern looked at, some ten
/// nanoseconds. Questions of real policies take a few hundred; a scan asks some for every principal and queue, so this is
/// what a hostile policy can cost each of them.
const OF_A_DECISION: u32 = 100_000;
/// The same for what such a question asks about one key, and for a condition by itself, of which a policy can have a hundred.
const OF_A_KEY: u32 = 20_000;

/// The work left for a question.
pub(in super::super) struct Budget {
    left: u32,
}

impl Budget {
    pub(in super::super) fn of_a_decision() -> Self {
        Self {
            left: OF_A_DECISION,
        }
    }

    pub(in super::super) fn of_a_condition() -> Self {
        Self { left: OF_A_KEY }
    }

    pub(super) fn of_a_key() -> Self {
        Self { left: OF_A_KEY }
    }

    /// The work taken out of a budget for one key.
    pub(super) fn spent_of_a_key(&self) -> u32 {
        OF_A_KEY.saturating_sub(self.left)
    }

    /// Takes the work out of the budget; false once it is used up, and from then on.
    #[must_use]
    pub(super) fn spend(&mut self, work: usize) -> bool {
        let work = u32::try_from(work).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(work);
        self.left > 0
    }
}
