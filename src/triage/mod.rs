//! What a team knows of a finding: whether it is new, whether it is accepted, and for whom it is.
//!
//! Rules find; this tells what became of what they found. It never changes a finding and never drops one.

mod audience;
mod fingerprint;
mod policies;

use std::ops::Deref;

use crate::account::Account;
use crate::finding::Finding;
use crate::parallel::in_parallel;

pub use self::audience::Audience;
pub use self::fingerprint::Fingerprint;
pub use self::policies::PolicyTexts;

/// A finding with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triaged {
    /// What the rule found.
    pub finding: Finding,
    /// What the finding rests on; it changes when that does.
    pub fingerprint: Fingerprint,
    /// Whether it is accepted.
    pub status: Status,
    /// What became of it since the baseline; new without one.
    pub change: Change,
    /// Who can do something about it.
    pub audience: Audience,
}

/// Whether a finding is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It is to be mended.
    Open,
    /// Somebody has accepted it, for now.
    Waived,
}

impl Status {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waived => "waived",
        }
    }
}

/// What became of a finding since the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// The baseline does not have it.
    New,
    /// The baseline has it, and it says something else.
    Changed,
    /// The baseline has it as it is.
    Unchanged,
}

impl Change {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

impl Deref for Triaged {
    type Target = Finding;

    fn deref(&self) -> &Finding {
        &self.finding
    }
}

/// Findings as they are when nothing is known of them yet: open and new.
pub fn triage(accounts: &[Account], findings: Vec<Finding>) -> Vec<Triaged> {
    let policies = PolicyTexts::of(accounts);
    let fingerprints = in_parallel(&findings, |finding| Fingerprint::of(finding, &policies));
    findings
        .into_iter()
        .zip(fingerprints)
        .map(|(finding, fingerprint)| Triaged {
            fingerprint,
            status: Status::Open,
            change: Change::New,
            audience: Audience::of(&finding),
            finding,
        })
        .collect()
}
