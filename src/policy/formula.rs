//! Three-valued truth that keeps its reason: always, never, or a formula over what is not known.
//!
//! A formula is in negation normal form over literals. Building one simplifies what is plain to see; whether a formula can
//! hold at all, or always holds, is decided by [`Formula::is_satisfiable`] and [`Formula::is_valid`].

use std::fmt;
use std::sync::Arc;

use super::assumption::Assumption;
use super::condition::Test;
use super::solver::{self, Budget};

/// When something holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Formula {
    /// In no request.
    Never,
    /// In every request.
    Always,
    /// When one atom holds, or does not.
    Literal(Literal),
    /// When all parts hold.
    All(Vec<Formula>),
    /// When at least one part holds.
    Any(Vec<Formula>),
}

/// An atom or its negation.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// The atom.
    pub atom: Arc<Atom>,
    /// Whether it holds.
    pub holds: bool,
}

/// One thing that is not known at scan time.
#[derive(Debug, Clone, PartialEq)]
pub enum Atom {
    /// A test of one context key.
    Test(Test),
    /// Something that no context key decides.
    Open {
        /// What sort of thing.
        reason: OpenReason,
        /// What it is about, in words; with the reason it identifies the atom.
        text: String,
    },
}

/// Why something is open that no context key decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenReason {
    /// A policy document could not be read or parsed, so what it says is unknown.
    UnreadablePolicy,
    /// The same of a policy that only limits what others give, such as a permissions boundary.
    UnreadableLimit,
    /// A statement that AWS would not accept, whose effect is unknown.
    InvalidStatement,
    /// A document with duplicate keys, read either way.
    DuplicateKey,
    /// A policy variable whose value is unknown.
    Variable,
    /// A condition operator that is not known.
    UnknownOperator,
    /// The other account must allow as well, and its policies are not part of the audit.
    OtherAccount,
    /// It depends on which message it is.
    Message,
    /// It depends on something that patscan does not collect.
    NotCollected,
    /// An AWS behaviour that is not documented.
    Undocumented(Assumption),
}

impl Formula {
    /// A formula of one open atom.
    pub fn open(reason: OpenReason, text: impl Into<String>) -> Self {
        Self::Literal(Literal {
            atom: Arc::new(Atom::Open {
                reason,
                text: text.into(),
            }),
            holds: true,
        })
    }

    pub(super) fn test(test: Test) -> Self {
        Self::Literal(Literal {
            atom: Arc::new(Atom::Test(test)),
            holds: true,
        })
    }

    /// `Always` or `Never`.
    pub fn constant(value: bool) -> Self {
        if value { Self::Always } else { Self::Never }
    }

    /// Whether this is [`Formula::Always`].
    pub fn is_always(&self) -> bool {
        matches!(self, Self::Always)
    }

    /// Whether this is [`Formula::Never`].
    pub fn is_never(&self) -> bool {
        matches!(self, Self::Never)
    }

    /// Holds when both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::Always, formula) | (formula, Self::Always) => formula,
            (left, right) => {
                let mut parts = left.into_parts_of_all();
                for part in right.into_parts_of_all() {
                    if !parts.contains(&part) {
                        parts.push(part);
                    }
                }
                Self::single_or(parts, Self::All)
            }
        }
    }

    /// Holds when at least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Never, formula) | (formula, Self::Never) => formula,
            (left, right) => {
                let mut parts = left.into_parts_of_any();
                for part in right.into_parts_of_any() {
                    if !parts.contains(&part) {
                        parts.push(part);
                    }
                }
                Self::single_or(parts, Self::Any)
            }
        }
    }

    /// Holds exactly when this does not.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Never => Self::Always,
            Self::Always => Self::Never,
            Self::Literal(literal) => Self::Literal(Literal {
                atom: literal.atom,
                holds: !literal.holds,
            }),
            Self::All(parts) => parts
                .into_iter()
                .map(Self::negated)
                .fold(Self::Never, Self::or),
            Self::Any(parts) => parts
                .into_iter()
                .map(Self::negated)
                .fold(Self::Always, Self::and),
        }
    }

    fn into_parts_of_all(self) -> Vec<Self> {
        match self {
            Self::All(parts) => parts,
            other => vec![other],
        }
    }

    fn into_parts_of_any(self) -> Vec<Self> {
        match self {
            Self::Any(parts) => parts,
            other => vec![other],
        }
    }

    fn single_or(mut parts: Vec<Self>, many: fn(Vec<Self>) -> Self) -> Self {
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return only;
        }
        many(parts)
    }

    /// Whether some request can make it hold: literals over one key are solved exactly, keys are taken as independent.
    ///
    /// Where solving would take too long the answer is `true`, so what is open stays open.
    pub fn is_satisfiable(&self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            other => solver::is_satisfiable(other, Budget::of_a_decision()),
        }
    }

    /// Whether it holds in every request.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            other => !other.clone().negated().is_satisfiable(),
        }
    }

    /// The formula, or the constant that it amounts to.
    #[must_use]
    pub fn settled(self) -> Self {
        self.settled_within(Budget::of_a_decision)
    }

    /// The same for the formula of one condition.
    pub(super) fn settled_condition(self) -> Self {
        self.settled_within(Budget::of_a_condition)
    }

    fn settled_within(self, budget: fn() -> Budget) -> Self {
        if !solver::is_satisfiable(&self, budget()) {
            Self::Never
        } else if !solver::is_satisfiable(&self.clone().negated(), budget()) {
            Self::Always
        } else {
            self
        }
    }

    /// The formula with every literal replaced by what `replace` says of it; `None` keeps the literal.
    #[must_use]
    pub fn substituted(&self, replace: &impl Fn(&Literal) -> Option<Self>) -> Self {
        match self {
            Self::Never => Self::Never,
            Self::Always => Self::Always,
            Self::Literal(literal) => replace(literal).unwrap_or_else(|| self.clone()),
            Self::All(parts) => parts
                .iter()
                .map(|part| part.substituted(replace))
                .fold(Self::Always, Self::and),
            Self::Any(parts) => parts
                .iter()
                .map(|part| part.substituted(replace))
                .fold(Self::Never, Self::or),
        }
    }

    /// Whether something that was read gives it: it could hold even if unreadable policies allowed nothing and denied nothing.
    pub fn rests_on_what_was_read(&self) -> bool {
        self.substituted(&|literal| match &*literal.atom {
            Atom::Open {
                reason: OpenReason::UnreadablePolicy,
                ..
            } => Some(Self::constant(!literal.holds)),
            Atom::Open { .. } | Atom::Test(_) => None,
        })
        .is_satisfiable()
    }

    /// Calls `visit` with every literal.
    pub fn each_literal<'a>(&'a self, visit: &mut impl FnMut(&'a Literal)) {
        match self {
            Self::Never | Self::Always => {}
            Self::Literal(literal) => visit(literal),
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.each_literal(visit);
                }
            }
        }
    }

    /// The conditions in words, each of which must hold; empty for `Always`.
    pub fn conditions(&self) -> Vec<String> {
        match self {
            Self::Always => Vec::new(),
            Self::All(parts) => {
                let mut conditions: Vec<String> = parts.iter().map(ToString::to_string).collect();
                conditions.sort();
                conditions.dedup();
                conditions
            }
            other => vec![other.to_string()],
        }
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            let mut texts: Vec<String> = parts
                .iter()
                .map(|part| match part {
                    Self::All(_) | Self::Any(_) => format!("({part})"),
                    _ => part.to_string(),
                })
                .collect();
            texts.sort();
            texts.dedup();
            f.write_str(&texts.join(word))
        };
        match self {
            Self::Never => f.write_str("never"),
            Self::Always => f.write_str("always"),
            Self::Literal(literal) => literal.fmt(f),
            Self::All(parts) => join(f, parts, " and "),
            Self::Any(parts) => join(f, parts, " or "),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.atom, self.holds) {
            (Atom::Test(test), true) => test.fmt(f),
            (Atom::Test(test), false) => match test.inverse() {
                Some(inverse) => inverse.fmt(f),
                None => write!(f, "not ({test})"),
            },
            (Atom::Open { reason, text }, holds) => {
                if !holds {
                    f.write_str("not: ")?;
                }
                f.write_str(text)?;
                if let OpenReason::Undocumented(assumption) = reason {
                    write!(f, " (assumption:{})", assumption.id())?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(text: &str) -> Formula {
        Formula::open(OpenReason::Variable, text)
    }

    #[test]
    fn constants_vanish_and_equal_parts_are_kept_once() {
        let a = atom("a");
        assert_eq!(a.clone().and(Formula::Always), a);
        assert_eq!(a.clone().and(Formula::Never), Formula::Never);
        assert_eq!(a.clone().or(Formula::Always), Formula::Always);
        assert_eq!(a.clone().and(a.clone()), a);
    }

    #[test]
    fn a_formula_and_its_negation_cannot_both_hold() {
        let a = atom("a").and(atom("b").or(atom("c")));
        assert!(a.is_satisfiable());
        assert!(!a.is_valid());
        assert!(!a.clone().and(a.clone().negated()).is_satisfiable());
        assert!(a.clone().or(a.negated()).is_valid());
    }

    #[test]
    fn what_only_an_unreadable_policy_could_give_rests_on_nothing() {
        let unread = |text: &str| Formula::open(OpenReason::UnreadablePolicy, text);
        assert!(!unread("allows").rests_on_what_was_read());
        assert!(!unread("allows").and(atom("a")).rests_on_what_was_read());
        assert!(unread("denies").negated().rests_on_what_was_read());
        assert!(unread("allows").or(atom("a")).rests_on_what_was_read());
    }

    #[test]
    fn conditions_are_one_text_for_each_part_that_must_hold() {
        let formula = atom("b").and(atom("a")).and(atom("c").or(atom("d")));
        assert_eq!(formula.conditions(), ["a", "b", "c or d"]);
        assert!(Formula::Always.conditions().is_empty());
    }
}
