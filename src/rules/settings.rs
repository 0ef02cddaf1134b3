//! What rules are told from outside: which are checked, how grave their findings are, and the numbers that they go by.

use std::collections::{BTreeMap, BTreeSet};

use super::{Names, RULES, Rule};
use crate::arn::AccountId;
use crate::finding::{Finding, Severity};

/// A number that a rule goes by, which a configuration may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// The key of the configuration.
    pub name: &'static str,
    /// What it is in one line, with its unit.
    pub meaning: &'static str,
    /// The value when nothing is configured.
    pub usual: u64,
}

/// What rules are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Accounts that may have access to queues without being reported.
    pub trusted: BTreeSet<AccountId>,
    /// How things are named; nothing is said of names when none.
    pub names: Option<Names>,
    /// What was chosen for single rules, by id.
    pub choices: BTreeMap<String, Choice>,
}

/// What was chosen for one rule. Nothing chosen leaves it as its page says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Whether the rule is not checked.
    pub off: bool,
    /// The severity of each of its findings.
    pub severity: Option<Severity>,
    /// Its parameters, by name.
    pub parameters: BTreeMap<String, u64>,
}

impl Settings {
    /// The rules that are checked, sorted by id.
    pub fn on(&self) -> impl Iterator<Item = &'static Rule> + '_ {
        RULES.iter().filter(|rule| !self.is_off(rule.id))
    }

    /// The ids of the rules that are not checked, sorted.
    pub fn off(&self) -> Vec<&'static str> {
        let ids = RULES.iter().map(|rule| rule.id);
        ids.filter(|id| self.is_off(id)).collect()
    }

    fn is_off(&self, rule: &str) -> bool {
        self.choices.get(rule).is_some_and(|choice| choice.off)
    }

    /// The value of a rule's parameter.
    pub(super) fn parameter(&self, rule: &str, parameter: &Parameter) -> u64 {
        let chosen = self.choices.get(rule).map(|choice| &choice.parameters);
        let value = chosen.and_then(|chosen| chosen.get(parameter.name));
        value.copied().unwrap_or(parameter.usual)
    }

    /// Gives a rule's findings the severity that was chosen for them.
    pub(super) fn grade(&self, rule: &str, findings: &mut [Finding]) {
        let chosen = self.choices.get(rule).and_then(|choice| choice.severity);
        if let Some(severity) = chosen {
            for finding in findings {
                finding.severity = severity;
            }
        }
    }
}
