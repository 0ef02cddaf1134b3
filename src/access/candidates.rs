//! The statements of policies sorted out by action, before any request is asked.

use super::decide::Policy;
use crate::policy::{Assumptions, Effect, Formula, OpenReason, ResourceSet, Statement};

/// The statements of one layer that are about one action.
#[derive(Debug, Clone, Default)]
pub struct Candidates<'a> {
    pub(super) allows: Vec<Candidate<'a>>,
    pub(super) denies: Vec<Candidate<'a>>,
    /// Whether the action is allowed, and denied, whatever these statements say.
    pub(super) allowed: bool,
    pub(super) denied: bool,
    /// Rules without a public page that leaving statements out relied on.
    pub(super) assumed: Assumptions,
}

#[derive(Debug, Clone)]
pub(super) struct Candidate<'a> {
    /// None for what could not be read.
    pub(super) source: Option<(&'a Policy, &'a Statement)>,
    /// When the statement is really there: always, but for unreadable documents and double readings.
    pub(super) guard: Formula,
}

impl<'a> Candidates<'a> {
    /// The statements of `policies` about `action` (`service:name` in lower case).
    pub fn of(policies: impl IntoIterator<Item = &'a Policy>, action: &str) -> Self {
        Self::read(policies, action, OpenReason::UnreadablePolicy)
    }

    /// The statements of policies that grant nothing and only limit, such as a permissions boundary.
    pub fn limiting(policies: impl IntoIterator<Item = &'a Policy>, action: &str) -> Self {
        Self::read(policies, action, OpenReason::UnreadableLimit)
    }

    fn read(
        policies: impl IntoIterator<Item = &'a Policy>,
        action: &str,
        unreadable: OpenReason,
    ) -> Self {
        let mut candidates = Self::default();
        for policy in policies {
            candidates.read_from(policy, action, unreadable);
        }
        candidates
    }

    /// Adds the statements of one more policy.
    pub(super) fn add(&mut self, policy: &'a Policy, action: &str) {
        self.read_from(policy, action, OpenReason::UnreadablePolicy);
    }

    /// Adds one statement that is about the action.
    pub(super) fn add_statement(&mut self, policy: &'a Policy, statement: &'a Statement) {
        let list = match statement.effect {
            Effect::Allow => &mut self.allows,
            Effect::Deny => &mut self.denies,
        };
        list.push(Candidate {
            source: Some((policy, statement)),
            guard: Formula::Always,
        });
    }

    /// Adds the statements at these places of a document that can be read in one way.
    pub(super) fn add_statements_at(&mut self, policy: &'a Policy, places: &[u32]) {
        let statements = policy.document.statements();
        for place in places {
            if let Some(statement) = statements.get(*place as usize) {
                self.add_statement(policy, statement);
            }
        }
    }

    /// The same with statements that are known to match, or with none.
    pub(super) fn with(&self, allowed: bool, denied: bool) -> Self {
        Self {
            allowed,
            denied,
            ..self.clone()
        }
    }

    fn read_from(&mut self, policy: &'a Policy, action: &str, unreadable: OpenReason) {
        let document = &policy.document;
        if !document.readable {
            for (list, may) in [(&mut self.allows, "allows"), (&mut self.denies, "denies")] {
                list.push(Candidate {
                    source: None,
                    guard: Formula::open(
                        unreadable,
                        format!("{}, which could not be read, {may} it", policy.name),
                    ),
                });
            }
            return;
        }
        self.assumed.extend(document.assumed);
        let twice = document.readings.len() > 1;
        for (index, reading) in document.readings.iter().enumerate() {
            let guard = if twice {
                let last = Formula::open(
                    OpenReason::DuplicateKey,
                    format!(
                        "duplicate-key: AWS keeps the last of the elements that stand twice in {}",
                        policy.name
                    ),
                );
                if index == 0 { last.negated() } else { last }
            } else {
                Formula::Always
            };
            for statement in reading {
                if statement.actions.contains(action) {
                    let list = match statement.effect {
                        Effect::Allow => &mut self.allows,
                        Effect::Deny => &mut self.denies,
                    };
                    list.push(Candidate {
                        source: Some((policy, statement)),
                        guard: guard.clone(),
                    });
                } else if statement.actions.is_undocumented() {
                    self.assumed.extend(statement.assumed);
                }
            }
        }
    }

    /// Policies of which nothing is known but that they must allow the request.
    pub fn open(allowed: Formula) -> Self {
        Self {
            allows: vec![Candidate {
                source: None,
                guard: allowed,
            }],
            ..Self::default()
        }
    }

    /// Takes the request as allowed, whatever the statements say: for limits of which some could not be read.
    pub fn allow_everything(&mut self) {
        self.allows.push(Candidate {
            source: None,
            guard: Formula::Always,
        });
    }

    /// Leaves out the statements for which `is_about` does not hold, as they match nothing that will be asked.
    pub(super) fn keep(&mut self, is_about: impl Fn(&Statement) -> bool) {
        for list in [&mut self.allows, &mut self.denies] {
            list.retain(|candidate| {
                candidate
                    .source
                    .is_none_or(|(_, statement)| is_about(statement))
            });
        }
    }

    /// The statements, those that allow first.
    pub fn statements(&self) -> impl Iterator<Item = &'a Statement> {
        self.allows
            .iter()
            .chain(&self.denies)
            .filter_map(|candidate| candidate.source.map(|(_, statement)| statement))
    }

    /// Whether a statement without conditions allows the action on resources that `means` finds among its patterns, and no
    /// statement denies anything.
    pub(super) fn plainly_allows(&self, means: impl Fn(&ResourceSet) -> bool) -> bool {
        let is_plain = |candidate: &Candidate<'_>| {
            candidate.guard.is_always()
                && candidate.source.is_some_and(|(_, statement)| {
                    statement.valid
                        && statement.conditions.is_empty()
                        && statement
                            .resources
                            .as_ref()
                            .is_some_and(|resources| !resources.negated && means(resources))
                })
        };
        self.denies.is_empty() && !self.denied && self.allows.iter().any(is_plain)
    }

    /// Whether no statement allows the action.
    pub fn allows_nothing(&self) -> bool {
        self.allows.is_empty() && !self.allowed
    }
}
