//! How long one question may take, counted in work rather than in time: a decision must not depend on the machine.

/// Units of work for one question; a unit is about one character of a pattern looked at, a few nanoseconds. Questions of
/// real policies take some thousands.
const LARGEST_QUESTION: u32 = 400_000;

/// The work left for a question.
pub(super) struct Budget {
    left: u32,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            left: LARGEST_QUESTION,
        }
    }

    /// Takes the work out of the budget; false once it is used up, and from then on.
    #[must_use]
    pub(super) fn spend(&mut self, work: usize) -> bool {
        let work = u32::try_from(work).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(work);
        self.left > 0
    }
}
