//! Everything behind one finding, for somebody who has to mend it: the story, the way round, the statements, what else was
//! looked at, and the way out.
//!
//! Nothing is decided here: rules find, [`crate::access`] decides, [`crate::remedy`] proves. This tells it.

mod layers;
mod path;
mod quote;

use chrono::{DateTime, Days, NaiveDate, Utc};

pub use self::quote::{Gives, Line, Quote};

use crate::account::Account;
use crate::entity::Entity;
use crate::remedy::{Ground, Remedy, remedy};
use crate::report::Coverage;
use crate::rules::RULES;
use crate::triage::{Change, PolicyTexts, Triaged};

/// For how long a waiver is proposed.
const WAIVED_FOR: Days = Days::new(90);
/// Sentences of the rule's page that say why it matters.
const SENTENCES: usize = 2;

/// Everything behind one finding.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The finding.
    pub finding: Triaged,
    /// Since when it is there; none where nothing is known of earlier audits.
    pub age: Option<Age>,
    /// Why it matters, from the page of its rule.
    pub why: String,
    /// The way that messages or rights take, step by step; empty where there is none.
    pub path: Vec<String>,
    /// The statements that give the access, and those that deny it under conditions, as they stand in their policies.
    pub statements: Vec<Quote>,
    /// What else has a say and was found not to change anything, in sentences.
    pub checked: Vec<String>,
    /// What runs as those who hold the access, each once, with whom it runs as.
    pub workloads: Vec<(Entity, Entity)>,
    /// The way out.
    pub remedy: Remedy,
    /// A day on which a waiver that is written today could end.
    pub waiver_ends: NaiveDate,
    /// What could not be read.
    pub coverage: Coverage,
}

/// Since when a finding is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// The baseline does not have it.
    New,
    /// It was first seen at a time.
    Since(DateTime<Utc>),
}

/// Explains one finding. `policies` are the texts of every policy of the accounts.
pub fn explain(
    ground: &Ground<'_>,
    finding: &Triaged,
    policies: &PolicyTexts<'_>,
    coverage: Coverage,
) -> Explanation {
    let accounts = ground.access.accounts;
    let scanned_at = accounts
        .iter()
        .find(|account| account.id == finding.account)
        .map_or(DateTime::UNIX_EPOCH, |account: &Account| account.scanned_at);
    let day = scanned_at.date_naive();
    let mut workloads: Vec<(Entity, Entity)> = finding
        .principals
        .iter()
        .flat_map(|holder| {
            let of_holder = holder.workloads.iter();
            of_holder.map(|workload| (workload.clone(), holder.entity.clone()))
        })
        .collect();
    workloads.sort();
    workloads.dedup();
    Explanation {
        age: age(finding),
        why: why(finding.rule),
        path: path::path(finding),
        statements: quote::quotes(finding, policies),
        checked: layers::checked(ground, finding),
        workloads,
        remedy: remedy(ground, finding),
        waiver_ends: day.checked_add_days(WAIVED_FOR).unwrap_or(day),
        coverage,
        finding: finding.clone(),
    }
}

impl Explanation {
    /// The lines of a waiver for the finding, to be pasted into a file of waivers: owner and reason are left to be filled in.
    pub fn waiver(&self) -> [String; 6] {
        [
            "[[waiver]]".to_owned(),
            format!("id = \"{}\"", self.finding.id),
            format!("evidence = \"{}\"", self.finding.fingerprint),
            "owner = \"\"".to_owned(),
            "reason = \"\"".to_owned(),
            format!("expires = {}", self.waiver_ends),
        ]
    }
}

/// Since when a finding is there, as far as a baseline tells.
fn age(finding: &Triaged) -> Option<Age> {
    let first_seen = finding.first_seen.as_deref()?;
    if finding.change == Change::New {
        return Some(Age::New);
    }
    let time = DateTime::parse_from_rfc3339(first_seen).ok()?;
    Some(Age::Since(time.to_utc()))
}

/// The first sentences of what the page of a rule says about why it matters.
fn why(rule: &str) -> String {
    let page = RULES.iter().find(|known| known.id == rule);
    let section = page
        .and_then(|page| page.text().split_once("## Why it matters"))
        .map_or("", |(_, section)| section.trim_start());
    let paragraph = section.split("\n\n").next().unwrap_or_default();
    let paragraph = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    sentences(&paragraph, SENTENCES)
}

/// The first sentences of a text: they end with a stop before a capital letter.
fn sentences(text: &str, most: usize) -> String {
    let mut sentences = Vec::new();
    let mut rest = text;
    while sentences.len() < most && !rest.is_empty() {
        let end = rest
            .match_indices(". ")
            .map(|(place, _)| rest.split_at(place + 1))
            .find(|(_, after)| after.trim_start().starts_with(char::is_uppercase));
        let (sentence, after) = end.unwrap_or((rest, ""));
        sentences.push(sentence.trim());
        rest = after.trim_start();
    }
    sentences.join(" ").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_says_in_a_sentence_or_two_why_it_matters() {
        for rule in RULES {
            let why = why(rule.id);
            assert!(why.ends_with('.') && why.len() < 500, "{}: {why}", rule.id);
        }
    }

    #[test]
    fn a_sentence_ends_before_a_capital_letter() {
        assert_eq!(sentences("A b. c d. E f. G.", 2), "A b. c d. E f.");
        assert_eq!(sentences("One only", 2), "One only");
    }
}
