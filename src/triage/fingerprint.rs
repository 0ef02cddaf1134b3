//! What a finding rests on, as one short word that changes when it does.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::PolicyTexts;
use crate::finding::Finding;

/// 16 hex digits over what a finding rests on: its statements, the whole text of every policy that they stand in, whether it
/// holds without conditions, and those conditions.
///
/// Of statements that a finding only counts the number stands in. Whom and what the finding reaches stays out: a queue more under the same statement is the same thing, accepted or not.
/// Where no statement proves a finding, its holders stand in for the statements.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// The fingerprint of a finding.
    pub fn of(finding: &Finding, policies: &PolicyTexts<'_>) -> Self {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        };
        add(finding.certainty.as_str().as_bytes());
        for condition in &finding.conditions {
            add(condition.as_bytes());
        }
        // A statement counts once, whatever number of queues it is evidence for.
        let mut statements: Vec<_> = finding
            .evidence
            .iter()
            .map(|one| (one.layer, &one.policy, &one.statement, one.effect))
            .collect();
        statements.sort();
        statements.dedup();
        let mut last = None;
        for (layer, policy, statement, effect) in statements {
            for part in [layer, policy, statement, effect] {
                add(part.as_bytes());
            }
            if last != Some(policy) {
                add(policies
                    .digest(policy, &finding.account)
                    .map_or(&[], <[u8; 32]>::as_slice));
                last = Some(policy);
            }
        }
        // Statements that are counted only: one more or less is something else as well.
        if finding.more_evidence > 0 {
            add(&finding.more_evidence.to_be_bytes());
        }
        if finding.evidence.is_empty() {
            for holder in &finding.principals {
                add(holder.entity.arn.as_bytes());
            }
        }
        let mut short = [0; 8];
        for (to, from) in short.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        Self(short)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no fingerprint of evidence, which has 16 hexadecimal digits; `patscan explain FINDING` shows it"
)]
pub struct NotAFingerprint(String);

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number
            .map(|number| Self(number.to_be_bytes()))
            .ok_or_else(|| NotAFingerprint(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let fingerprint = Fingerprint([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(fingerprint.to_string(), "00010203fcfdfeff");
        assert_eq!("00010203fcfdfeff".parse(), Ok(fingerprint));
        for wrong in ["", "00010203fcfdfef", "+0010203fcfdfeff", "xyz"] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }
}
