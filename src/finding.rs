//! What a rule reports: one rule broken by one subject, with the proof and the way out.
//!
//! Findings are facts, already ordered and complete; how they look is decided in [`crate::report`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::arn::AccountId;
pub use crate::entity::{Certainty, Entity, Grade, Kind};

/// How much a finding matters. Ordered: `Info` is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing to do.
    Info,
    /// Worth mending when at it.
    Low,
    /// To be mended in time.
    Medium,
    /// To be mended soon.
    High,
    /// To be mended now.
    Critical,
}

impl Severity {
    /// Every severity, the gravest first.
    pub const ALL: [Self; 5] = [
        Self::Critical,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Info,
    ];

    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }

    /// `steps` severities less grave, never below `Info`.
    #[must_use]
    pub fn lowered(self, steps: u8) -> Self {
        (0..steps).fold(self, |severity, _| match severity {
            Self::Critical => Self::High,
            Self::High => Self::Medium,
            Self::Medium => Self::Low,
            Self::Low | Self::Info => Self::Info,
        })
    }
}

/// A word that names no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no severity `{0}`; use critical, high, medium, low or info")]
pub struct UnknownSeverity(String);

impl FromStr for Severity {
    type Err = UnknownSeverity;

    /// Reads a severity in any letter case.
    fn from_str(word: &str) -> Result<Self, UnknownSeverity> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownSeverity(word.to_owned()))
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A holder of access, with what runs as it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrincipalRef {
    /// The principal.
    pub entity: Entity,
    /// Functions and instances that run as it, sorted.
    pub workloads: Vec<Entity>,
}

/// A resource that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceRef {
    /// The resource.
    pub entity: Entity,
    /// How sure the access to it is.
    pub certainty: Certainty,
    /// For loops: how close it is to running.
    pub grade: Option<Grade>,
}

/// One statement (or attachment) that proves a finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// What the statement gives: `send`, `receive`, `delete`, `purge`, `administer`, or the action pattern.
    pub capability: Cow<'static, str>,
    /// The resource it is given on.
    pub resource: Arc<str>,
    /// The layer that the policy belongs to: `identity`, `resource`, `boundary`, `kms`.
    pub layer: &'static str,
    /// The policy: an ARN, or `inline policy NAME of role NAME`, or the queue's ARN.
    pub policy: Arc<str>,
    /// The statement's `Sid`, or `#index` counted from 1.
    pub statement: Arc<str>,
    /// `Allow` or `Deny`.
    pub effect: &'static str,
}

/// Resources that a finding names; the others are counted. Whoever may use ten thousand queues is one fact, not ten thousand.
pub const MOST_RESOURCES: usize = 100;

/// One rule broken by one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable over re-scans: a hash over rule, account and subject.
    pub id: String,
    /// The id of the rule.
    pub rule: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// One line: who breaks what.
    pub title: String,
    /// The facts in words.
    pub detail: String,
    /// The account of the subject.
    pub account: AccountId,
    /// The region of the subject, `global` for IAM.
    pub region: String,
    /// What one would change to mend it.
    pub subject: Entity,
    /// Who holds the access.
    pub principals: Vec<PrincipalRef>,
    /// The resources concerned, at most [`MOST_RESOURCES`]; findings that name the same can hold one list together.
    pub resources: Arc<[ResourceRef]>,
    /// How many resources there are besides.
    pub more_resources: u64,
    /// How sure the finding is.
    pub certainty: Certainty,
    /// The conditions that must hold, in words; empty when `Allowed`.
    pub conditions: Vec<String>,
    /// The statements that prove it; findings that rest on the same can hold one list together.
    pub evidence: Arc<[Evidence]>,
    /// How many statements there are besides, where a great many give the same.
    pub more_evidence: u64,
    /// How to mend it, in one or two sentences.
    pub remedy: String,
}

/// The stable id of a finding: rule, then 12 hex digits over rule, account and subject.
///
/// Severity, order, time and the list of queues stay out, so the id survives re-scans.
pub fn finding_id(rule: &str, account: &AccountId, subject: &Entity) -> String {
    use fmt::Write as _;

    let mut hash = Sha256::new();
    for part in [rule, account.as_str(), &subject.arn] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut id = format!("{rule}-");
    for byte in hash.finalize().iter().take(6) {
        // Writing to a `String` cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_rule_account_and_subject_only() {
        let account = AccountId::parse("111122223333").unwrap();
        let subject = Entity::new(Kind::Role, "arn:aws:iam::111122223333:role/app");
        let id = finding_id("queue-feedback-loop", &account, &subject);
        assert_eq!(id.len(), "queue-feedback-loop-".len() + 12);
        assert_eq!(id, finding_id("queue-feedback-loop", &account, &subject));
        assert_ne!(id, finding_id("overbroad-wildcard", &account, &subject));
        let other = Entity::new(Kind::Role, "arn:aws:iam::111122223333:role/app2");
        assert_ne!(id, finding_id("queue-feedback-loop", &account, &other));
    }

    #[test]
    fn severities_are_lowered_no_further_than_info() {
        assert_eq!(Severity::Critical.lowered(1), Severity::High);
        assert_eq!(Severity::Low.lowered(5), Severity::Info);
        assert!(Severity::Critical > Severity::High);
    }
}
