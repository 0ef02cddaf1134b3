//! What a team knows of a finding: whether it is new, whether it is accepted, and for whom it is.
//!
//! Rules find; this tells what became of what they found, what many findings come from, and what differs between two readings of
//! an account. It never changes a finding and never drops one.

mod audience;
mod baseline;
mod cause;
mod changes;
mod difference;
mod fingerprint;
mod policies;
mod waiver;
mod waiver_file;

use std::ops::Deref;

use crate::account::Account;
use crate::finding::Finding;
use crate::parallel::in_parallel;

pub use self::audience::{Audience, UnknownAudience};
pub use self::baseline::{
    Baseline, BaselineError, FindingsDifference, OldEntity, OldFinding, Scanned, Scope,
    SinceBaseline, Skipped,
};
pub use self::cause::{Cause, causes};
pub use self::changes::{AccountChange, How, changes};
pub use self::difference::{AccessChange, Turn, access_changes};
pub use self::fingerprint::Fingerprint;
pub use self::policies::PolicyTexts;
pub use self::waiver::{Selector, Standing, WaivedBy, Waiver, WaiverNote, waive};
#[doc(hidden)]
pub use self::waiver_file::parse_waivers;
pub use self::waiver_file::{WaiverError, read_waivers, waiver_schema};

/// A finding with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triaged {
    /// What the rule found.
    pub finding: Finding,
    /// What the finding rests on; it changes when that does.
    pub fingerprint: Fingerprint,
    /// Whether it is accepted.
    pub status: Status,
    /// What the waiver that is meant for it says, whether or not it holds.
    pub waiver: Option<WaivedBy>,
    /// What became of it since the baseline; new without one.
    pub change: Change,
    /// When the account was scanned in which it was first seen, RFC 3339; none without a baseline.
    pub first_seen: Option<String>,
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

/// What is known of findings before a run.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What is accepted; none without a file of waivers.
    pub waivers: Option<Vec<Waiver>>,
    /// Days before its last day from which on a waiver is told of.
    pub warn_days: u64,
    /// An earlier report.
    pub baseline: Option<Baseline>,
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
            waiver: None,
            change: Change::New,
            first_seen: None,
            audience: Audience::of(&finding),
            finding,
        })
        .collect()
}
