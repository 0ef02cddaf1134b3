//! Waivers: findings that somebody accepts, for a while and for a reason.
//!
//! A waiver never hides more than was accepted. It holds until its last day; it holds for what the finding rested on when it
//! was written; one that names queues holds for findings about no others.

use std::collections::{BTreeSet, HashMap};

use chrono::{Days, NaiveDate};

use super::{Fingerprint, Status, Triaged};
use crate::finding::Kind;
use crate::policy::Glob;

/// One waiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// Its place in the file, counted from 1.
    pub number: usize,
    /// What it accepts.
    pub selector: Selector,
    /// What the findings rested on when they were accepted; nothing said leaves the waiver unbound.
    pub evidence: Vec<Fingerprint>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Option<NaiveDate>,
}

/// What a waiver accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The finding with an id.
    Finding(String),
    /// The findings of a rule whose subject, and all of whose queues, fit the patterns.
    Rule {
        /// The id of the rule.
        rule: &'static str,
        /// The subject: its name, or its ARN where the pattern has a colon.
        subject: Option<String>,
        /// Every queue: likewise.
        queue: Option<String>,
    },
}

/// What a waiver says of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It accepts the finding.
    Holds,
    /// Its last day is over.
    Expired,
    /// What the finding rests on is no longer what was accepted.
    Lapsed,
    /// The finding is about other queues as well.
    Partial,
}

impl Standing {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Expired => "expired",
            Self::Lapsed => "lapsed",
            Self::Partial => "partial",
        }
    }
}

/// What the waiver of a finding says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaivedBy {
    /// Whether it holds.
    pub standing: Standing,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Option<NaiveDate>,
}

/// Something about a waiver that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaiverNote {
    /// The waiver's place in the file, counted from 1.
    pub number: usize,
    /// Whether it should not wait: the waiver no longer does what was meant.
    pub is_alarm: bool,
    /// What is the matter, and what to do.
    pub text: String,
}

/// Marks the findings that waivers accept, and tells what is the matter with waivers. `warn_days` is how long before its last
/// day a waiver is told of.
pub fn waive(
    findings: &mut [Triaged],
    waivers: &[Waiver],
    today: NaiveDate,
    warn_days: u64,
) -> Vec<WaiverNote> {
    let mut by_id: HashMap<String, usize> = HashMap::new();
    for (place, finding) in findings.iter().enumerate() {
        by_id.insert(finding.id.clone(), place);
    }
    let mut notes = Vec::new();
    for waiver in waivers {
        let chosen: Vec<usize> = match &waiver.selector {
            Selector::Finding(id) => by_id.get(id).copied().into_iter().collect(),
            Selector::Rule { rule, subject, .. } => findings
                .iter()
                .enumerate()
                .filter(|(_, finding)| finding.rule == *rule)
                .filter(|(_, finding)| {
                    let pattern = subject.as_deref();
                    pattern.is_none_or(|pattern| fits(pattern, &finding.subject.arn))
                })
                .map(|(place, _)| place)
                .collect(),
        };
        let mut standings: Vec<(Standing, String, Fingerprint)> = Vec::new();
        for place in chosen {
            let Some(finding) = findings.get_mut(place) else {
                continue;
            };
            let Some(standing) = waiver.standing(finding, today) else {
                continue;
            };
            standings.push((standing, finding.id.clone(), finding.fingerprint));
            let said = finding.waiver.as_ref().map(|known| known.standing);
            // Of several waivers one that holds counts.
            if said.is_none_or(|said| standing < said) {
                finding.waiver = Some(WaivedBy {
                    standing,
                    owner: waiver.owner.clone(),
                    reason: waiver.reason.clone(),
                    expires: waiver.expires,
                });
            }
            if standing == Standing::Holds {
                finding.status = Status::Waived;
            }
        }
        notes.extend(waiver.notes(&standings, today, warn_days));
    }
    notes.sort();
    notes
}

impl Waiver {
    /// What the waiver says of a finding that its id, or its rule and subject, choose; nothing when it names other queues.
    fn standing(&self, finding: &Triaged, today: NaiveDate) -> Option<Standing> {
        if let Selector::Rule {
            queue: Some(pattern),
            ..
        } = &self.selector
        {
            let queues: Vec<bool> = finding
                .resources
                .iter()
                .map(|one| &one.entity)
                .chain([&finding.subject])
                .filter(|one| one.kind == Kind::Queue)
                .map(|queue| fits(pattern, &queue.arn))
                .collect();
            if !queues.contains(&true) {
                return None;
            }
            if queues.contains(&false) || finding.more_resources > 0 {
                return Some(Standing::Partial);
            }
        }
        Some(if self.expires.is_some_and(|last| last < today) {
            Standing::Expired
        } else if self.evidence.is_empty() || self.evidence.contains(&finding.fingerprint) {
            Standing::Holds
        } else {
            Standing::Lapsed
        })
    }

    fn notes(
        &self,
        standings: &[(Standing, String, Fingerprint)],
        today: NaiveDate,
        warn_days: u64,
    ) -> Vec<WaiverNote> {
        let note = |is_alarm: bool, text: String| WaiverNote {
            number: self.number,
            is_alarm,
            text,
        };
        let (what, owner) = (self.selector.words(), &self.owner);
        if standings.is_empty() {
            return vec![note(
                false,
                format!("the waiver of {what} (owner {owner}) matches no finding; remove it"),
            )];
        }
        let ids = |meant: Standing| -> BTreeSet<&str> {
            let of = standings.iter().filter(|(standing, ..)| *standing == meant);
            of.map(|(_, id, _)| id.as_str()).collect()
        };
        let mut notes = Vec::new();
        if let Some(last) = self.expires {
            let expired = ids(Standing::Expired);
            if !expired.is_empty() {
                notes.push(note(
                    true,
                    format!(
                        "the waiver of {what} (owner {owner}) expired on {last}: {} open again; mend what it accepted, or \
                         accept it anew",
                        open(&expired)
                    ),
                ));
            } else if last <= today + Days::new(warn_days.min(36_500)) {
                let left = (last - today).num_days();
                let when = match left {
                    0 => "today".to_owned(),
                    1 => "tomorrow".to_owned(),
                    _ => format!("in {left} days, on {last}"),
                };
                notes.push(note(
                    false,
                    format!("the waiver of {what} (owner {owner}) expires {when}"),
                ));
            }
        }
        let lapsed = ids(Standing::Lapsed);
        if !lapsed.is_empty() {
            notes.push(note(
                true,
                format!(
                    "the waiver of {what} (owner {owner}) lapsed, as the policies behind the finding changed: {} open again; \
                     look at `patscan explain`, and accept it anew if it is still meant",
                    open(&lapsed)
                ),
            ));
        }
        let partial = ids(Standing::Partial);
        if !partial.is_empty() {
            notes.push(note(
                false,
                format!(
                    "the waiver of {what} (owner {owner}) leaves {} open, which concern other queues too",
                    open(&partial)
                ),
            ));
        }
        if self.evidence.is_empty() && !ids(Standing::Holds).is_empty() {
            let found: BTreeSet<String> = standings
                .iter()
                .map(|(.., fingerprint)| format!("\"{fingerprint}\""))
                .collect();
            let found: Vec<String> = found.into_iter().collect();
            let evidence = match found.as_slice() {
                [only] => only.clone(),
                many => format!("[{}]", many.join(", ")),
            };
            notes.push(note(
                false,
                format!(
                    "the waiver of {what} (owner {owner}) is not bound to what it accepts and would outlive a change of the \
                     policies; add `evidence = {evidence}`"
                ),
            ));
        }
        notes
    }
}

/// `a-1f is`, `a-1f and b-2e are`, `12 findings are`.
fn open(ids: &BTreeSet<&str>) -> String {
    let ids: Vec<&str> = ids.iter().copied().collect();
    match ids.as_slice() {
        [only] => format!("{only} is"),
        [first, second] => format!("{first} and {second} are"),
        many => format!("{} findings are", many.len()),
    }
}

impl Selector {
    /// The selector in words.
    pub fn words(&self) -> String {
        match self {
            Self::Finding(id) => id.clone(),
            Self::Rule {
                rule,
                subject,
                queue,
            } => {
                let part = |key: &str, pattern: &Option<String>| {
                    let pattern = pattern.as_ref();
                    pattern.map_or(String::new(), |pattern| format!(" {key} {pattern}"))
                };
                format!("{rule}{}{}", part("subject", subject), part("queue", queue))
            }
        }
    }
}

/// Whether a pattern is meant for an ARN: the whole of it where the pattern has a colon, its last name otherwise.
fn fits(pattern: &str, arn: &str) -> bool {
    let text = if pattern.contains(':') {
        arn
    } else {
        arn.rsplit(['/', ':']).next().unwrap_or(arn)
    };
    Glob::new(pattern).matches(text)
}
