//! Whether a formula can hold at all.
//!
//! The formula is opened branch by branch; the literals of one branch are grouped by context key and each group is solved on
//! its own: exactly for texts and ARNs with wildcards (by walking the patterns as automata side by side), numbers, dates,
//! addresses, `Bool` and `Null`. Different keys are taken as independent, and a search that grows past its bound answers
//! "yes": a formula that this module calls unsatisfiable never holds.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::net::IpAddr;

use super::condition::{Base, Matcher, Test};
use super::context::is_multivalued;
use super::formula::{Atom, Formula, Literal};
use super::glob::{Glob, Token};

/// Branches opened before giving up on a formula.
const LARGEST_SEARCH: u32 = 10_000;
/// Literals and branches held at once before giving up; bounds the stack.
const DEEPEST_SEARCH: u32 = 1_000;
/// Automaton states visited before giving up on one key.
const LARGEST_WALK: usize = 20_000;

pub(super) fn is_satisfiable(formula: &Formula) -> bool {
    let mut search = Search {
        steps: 0,
        depth: 0,
        chosen: Vec::new(),
    };
    search.holds(&mut vec![formula])
}

struct Search<'a> {
    steps: u32,
    depth: u32,
    chosen: Vec<&'a Literal>,
}

impl<'a> Search<'a> {
    /// Whether the chosen literals and all pending formulas can hold together. Leaves `pending` and `chosen` as they were.
    fn holds(&mut self, pending: &mut Vec<&'a Formula>) -> bool {
        self.steps += 1;
        if self.steps > LARGEST_SEARCH || self.depth > DEEPEST_SEARCH {
            return true;
        }
        let Some(formula) = pending.pop() else {
            return true;
        };
        self.depth += 1;
        let holds = match formula {
            Formula::Always => self.holds(pending),
            Formula::Never => false,
            Formula::Literal(literal) => {
                self.chosen.push(literal);
                let holds = self.newest_fits() && self.holds(pending);
                self.chosen.pop();
                holds
            }
            Formula::All(parts) => {
                let length = pending.len();
                // Literals last, so that they are taken first and cut branches early.
                pending.extend(parts.iter().filter(|part| !is_literal(part)));
                pending.extend(parts.iter().filter(|part| is_literal(part)));
                let holds = self.holds(pending);
                pending.truncate(length);
                holds
            }
            Formula::Any(parts) => parts.iter().any(|part| {
                pending.push(part);
                let holds = self.holds(pending);
                pending.pop();
                holds
            }),
        };
        self.depth -= 1;
        pending.push(formula);
        holds
    }

    /// Whether the literal chosen last can hold together with those before it.
    fn newest_fits(&self) -> bool {
        let Some((newest, earlier)) = self.chosen.split_last() else {
            return true;
        };
        if earlier
            .iter()
            .any(|literal| literal.atom == newest.atom && literal.holds != newest.holds)
        {
            return false;
        }
        let Atom::Test(test) = &*newest.atom else {
            return true;
        };
        let key = test.key();
        let mut group = vec![(test, newest.holds)];
        group.extend(earlier.iter().filter_map(|literal| match &*literal.atom {
            Atom::Test(other) if other.key() == key => Some((other, literal.holds)),
            _ => None,
        }));
        group_is_satisfiable(&key, &group)
    }
}

fn is_literal(formula: &Formula) -> bool {
    matches!(formula, Formula::Literal(_))
}

/// Tests with the outcome that each must have.
type Wanted<'a> = Vec<(&'a Test, bool)>;

/// Whether one key can satisfy every test with its wanted outcome.
fn group_is_satisfiable(key: &str, group: &[(&Test, bool)]) -> bool {
    let may_be_absent = group.iter().all(|(test, _)| test.domain.may_be_absent);
    if may_be_absent
        && group
            .iter()
            .all(|(test, wanted)| test.holds_when_absent() == *wanted)
    {
        return true;
    }
    // Tests of presence are settled once the key is present.
    let (presence, values): (Wanted<'_>, Wanted<'_>) = group
        .iter()
        .copied()
        .partition(|(test, _)| test.operator.base == Base::Null);
    if presence
        .iter()
        .any(|(test, wanted)| test.holds_for("") != *wanted)
    {
        return false;
    }
    if values.is_empty() || is_multivalued(key) {
        return true;
    }
    let shapes: Vec<&Glob> = group
        .iter()
        .filter_map(|(test, _)| test.domain.shape.as_ref())
        .collect();
    if values.iter().all(|(test, _)| is_text(test.operator.base)) {
        return some_text_fits(&values, &shapes);
    }
    let kind = |base: Base| std::mem::discriminant(&base);
    let same_kind = values.windows(2).all(|pair| match pair {
        [(left, _), (right, _)] => kind(left.operator.base) == kind(right.operator.base),
        _ => true,
    });
    if !same_kind || !shapes.is_empty() {
        return true;
    }
    // Outcomes change at the bounds only: one point at, before and behind each bound stands for all others.
    let candidates: Vec<String> = match values.first().map(|(test, _)| test.operator.base) {
        Some(Base::Numeric(_)) => numbers(&values),
        Some(Base::Date(_)) => instants(&values),
        Some(Base::IpAddress) => addresses(&values),
        _ => return true,
    };
    candidates.iter().any(|candidate| {
        values
            .iter()
            .all(|(test, wanted)| test.holds_for(candidate) == *wanted)
    })
}

fn is_text(base: Base) -> bool {
    matches!(
        base,
        Base::StringEquals
            | Base::StringEqualsIgnoreCase
            | Base::StringLike
            | Base::Arn
            | Base::Bool
            | Base::Binary
    )
}

fn matchers<'a>(values: &'a [(&'a Test, bool)]) -> impl Iterator<Item = &'a Matcher> {
    values
        .iter()
        .flat_map(|(test, _)| test.values.iter().map(|value| &value.matcher))
}

fn numbers(values: &[(&Test, bool)]) -> Vec<String> {
    let mut bounds: Vec<f64> = matchers(values)
        .filter_map(|matcher| match matcher {
            Matcher::Number(bound) => Some(*bound),
            _ => None,
        })
        .collect();
    bounds.sort_by(f64::total_cmp);
    let mut candidates = vec![0.0];
    if let (Some(first), Some(last)) = (bounds.first(), bounds.last()) {
        candidates.extend([first - 1.0, last + 1.0]);
    }
    candidates.extend(bounds.windows(2).filter_map(|pair| match pair {
        [left, right] => Some(f64::midpoint(*left, *right)),
        _ => None,
    }));
    candidates.extend(bounds);
    candidates.iter().map(f64::to_string).collect()
}

fn instants(values: &[(&Test, bool)]) -> Vec<String> {
    let mut candidates = vec![0];
    for matcher in matchers(values) {
        if let Matcher::Instant(bound) = matcher {
            candidates.extend([bound.saturating_sub(1), *bound, bound.saturating_add(1)]);
        }
    }
    candidates
        .into_iter()
        .filter_map(chrono::DateTime::from_timestamp_millis)
        .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
        .collect()
}

fn addresses(values: &[(&Test, bool)]) -> Vec<String> {
    let neighbour = |address: IpAddr, forward: bool| -> Option<IpAddr> {
        Some(match (address, forward) {
            (IpAddr::V4(v4), true) => IpAddr::V4(u32::from(v4).checked_add(1)?.into()),
            (IpAddr::V4(v4), false) => IpAddr::V4(u32::from(v4).checked_sub(1)?.into()),
            (IpAddr::V6(v6), true) => IpAddr::V6(u128::from(v6).checked_add(1)?.into()),
            (IpAddr::V6(v6), false) => IpAddr::V6(u128::from(v6).checked_sub(1)?.into()),
        })
    };
    let mut candidates = vec![
        IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
    ];
    for matcher in matchers(values) {
        if let Matcher::Range(range) = matcher {
            candidates.extend([range.first, range.last]);
            candidates.extend(neighbour(range.first, false));
            candidates.extend(neighbour(range.last, true));
        }
    }
    candidates.iter().map(ToString::to_string).collect()
}

/// Whether some text gives every test its wanted outcome and has every shape.
fn some_text_fits(values: &[(&Test, bool)], shapes: &[&Glob]) -> bool {
    let fits = |text: &str| {
        shapes.iter().all(|shape| shape.matches(text))
            && values
                .iter()
                .all(|(test, wanted)| test.holds_for(text) == *wanted)
    };
    // A test that asks for one of a few texts leaves only these to try.
    for (test, wanted) in values {
        if *wanted != test.operator.negated
            && let Some(texts) = only_texts(test)
        {
            return texts.iter().any(|text| fits(text));
        }
    }
    if values
        .iter()
        .any(|(test, _)| test.operator.base == Base::Bool)
    {
        return fits("true") || fits("false");
    }
    let constraints: Vec<Constraint> = values
        .iter()
        .map(|(test, wanted)| Constraint {
            automata: test
                .values
                .iter()
                .filter_map(|value| Automaton::of(&value.matcher))
                .collect(),
            wanted: *wanted != test.operator.negated,
        })
        .chain(shapes.iter().map(|shape| Constraint {
            automata: vec![Automaton::of_glob(shape)],
            wanted: true,
        }))
        .collect();
    walk(&constraints)
}

/// The texts of a test all of whose values are plain texts, compared with regard to letter case.
fn only_texts(test: &Test) -> Option<Vec<String>> {
    test.values
        .iter()
        .map(|value| match &value.matcher {
            Matcher::Text(glob) => glob.as_literal().map(str::to_owned),
            Matcher::Arn(fields) => fields
                .iter()
                .map(|field| field.as_literal())
                .collect::<Option<Vec<_>>>()
                .map(|fields| fields.join(":")),
            Matcher::Bool(value) => Some(value.to_string()),
            Matcher::Nothing => Some(String::new()),
            _ => None,
        })
        .collect()
}

/// A pattern as a nondeterministic automaton; state `n` means that the first `n` symbols are matched.
struct Automaton {
    symbols: Vec<Symbol>,
}

#[derive(Clone, Copy)]
struct Symbol {
    token: Token,
    /// In the first five fields of an ARN a wildcard never takes a colon (O3).
    no_colon: bool,
    ignore_case: bool,
}

impl Automaton {
    fn of(matcher: &Matcher) -> Option<Self> {
        match matcher {
            Matcher::Text(glob) => Some(Self::of_glob(glob)),
            Matcher::TextIgnoringCase(text) => Some(Self {
                symbols: text
                    .chars()
                    .map(|character| Symbol {
                        token: Token::Char(character),
                        no_colon: false,
                        ignore_case: true,
                    })
                    .collect(),
            }),
            Matcher::Arn(fields) => {
                let mut symbols = Vec::new();
                let last = fields.len().saturating_sub(1);
                for (index, field) in fields.iter().enumerate() {
                    symbols.extend(field.tokens().into_iter().map(|token| Symbol {
                        token,
                        no_colon: index < last,
                        ignore_case: false,
                    }));
                    if index < last {
                        symbols.push(Symbol {
                            token: Token::Char(':'),
                            no_colon: false,
                            ignore_case: false,
                        });
                    }
                }
                Some(Self { symbols })
            }
            Matcher::Binary(text) => Some(Self::of_glob(&Glob::literal(text))),
            Matcher::Number(_)
            | Matcher::Instant(_)
            | Matcher::Bool(_)
            | Matcher::Range(_)
            | Matcher::Nothing => None,
        }
    }

    fn of_glob(glob: &Glob) -> Self {
        Self {
            symbols: glob
                .tokens()
                .into_iter()
                .map(|token| Symbol {
                    token,
                    no_colon: false,
                    ignore_case: false,
                })
                .collect(),
        }
    }

    /// The states reached without reading: a run may be empty.
    fn closure(&self, states: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut reached = Vec::new();
        for mut state in states {
            reached.push(state);
            while let Some(symbol) = self.symbols.get(state)
                && symbol.token == Token::Run
            {
                state += 1;
                reached.push(state);
            }
        }
        reached.sort_unstable();
        reached.dedup();
        reached
    }

    fn step(&self, states: &[usize], character: char) -> Vec<usize> {
        let next = states.iter().filter_map(|&state| {
            let symbol = self.symbols.get(state)?;
            let blocked = symbol.no_colon && character == ':';
            match symbol.token {
                Token::Char(expected) if expected == character => Some(state + 1),
                Token::Char(expected)
                    if symbol.ignore_case && character.to_lowercase().eq([expected]) =>
                {
                    Some(state + 1)
                }
                Token::One if !blocked => Some(state + 1),
                Token::Run if !blocked => Some(state),
                _ => None,
            }
        });
        self.closure(next.collect::<Vec<_>>())
    }

    fn accepts(&self, states: &[usize]) -> bool {
        states.last() == Some(&self.symbols.len())
    }
}

/// A union of patterns of which one must match, or none may.
struct Constraint {
    automata: Vec<Automaton>,
    wanted: bool,
}

/// Breadth-first search over the automata side by side for a text that every constraint accepts.
fn walk(constraints: &[Constraint]) -> bool {
    let automata: Vec<&Automaton> = constraints
        .iter()
        .flat_map(|constraint| &constraint.automata)
        .collect();
    // Characters that no pattern names behave alike: one stands for all.
    let mut alphabet = BTreeSet::from([':', '\u{e000}']);
    for symbol in automata.iter().flat_map(|automaton| &automaton.symbols) {
        if let Token::Char(character) = symbol.token {
            alphabet.insert(character);
        }
    }
    let accepted = |states: &[Vec<usize>]| {
        let mut states = automata.iter().zip(states);
        constraints.iter().all(|constraint| {
            let matched = constraint
                .automata
                .iter()
                .map(|_| {
                    states
                        .next()
                        .is_some_and(|(automaton, states)| automaton.accepts(states))
                })
                .fold(false, |any, accepts| any | accepts);
            matched == constraint.wanted
        })
    };
    let start: Vec<Vec<usize>> = automata
        .iter()
        .map(|automaton| automaton.closure([0]))
        .collect();
    let mut seen = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    while let Some(states) = queue.pop_front() {
        if accepted(&states) {
            return true;
        }
        if seen.len() > LARGEST_WALK {
            return true;
        }
        for character in &alphabet {
            let next: Vec<Vec<usize>> = automata
                .iter()
                .zip(&states)
                .map(|(automaton, states)| automaton.step(states, *character))
                .collect();
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::Assumptions;
    use super::super::clause::Clause;
    use super::super::context::{ContextKeys, Domain, Lookup};
    use super::super::document::Version;
    use super::*;

    struct Unknown;
    impl ContextKeys for Unknown {
        fn lookup(&self, _: &str) -> Lookup<'_> {
            Lookup::Open(Domain::ANYTHING)
        }
    }

    fn when(operator: &str, key: &str, values: &[&str]) -> Formula {
        Clause::new(
            operator,
            key,
            values.iter().map(|value| (*value).to_owned()).collect(),
            Version::V2012,
        )
        .evaluate(&Unknown, &mut Assumptions::default())
    }

    fn together(formulas: &[Formula]) -> bool {
        formulas
            .iter()
            .cloned()
            .fold(Formula::Always, Formula::and)
            .is_satisfiable()
    }

    #[test]
    fn two_different_literals_for_one_key_cannot_hold_together() {
        let a = when("StringEquals", "aws:SourceVpce", &["vpce-a"]);
        let b = when("StringEquals", "AWS:sourcevpce", &["vpce-b"]);
        assert!(!together(&[a.clone(), b.clone()]));
        assert!(a.or(b).is_satisfiable());
    }

    #[test]
    fn different_keys_do_not_disturb_each_other() {
        assert!(together(&[
            when("StringEquals", "aws:SourceVpce", &["vpce-a"]),
            when("StringEquals", "aws:SourceVpc", &["vpc-b"]),
        ]));
    }

    #[test]
    fn patterns_are_intersected() {
        let like = |pattern: &str| when("StringLike", "aws:userid", &[pattern]);
        assert!(together(&[like("a*"), like("*b")]));
        assert!(!together(&[like("a*"), like("b*")]));
        assert!(!together(&[like("a?c"), like("a*d")]));
        assert!(together(&[like("*x*y*"), like("y*x")]));
        assert!(!together(&[
            like("a*"),
            when("StringNotLike", "aws:userid", &["a*"])
        ]));
        assert!(together(&[
            like("a*"),
            when("StringNotLike", "aws:userid", &["ab*", "ac*"])
        ]));
        assert!(!together(&[
            like("??"),
            when("StringNotLike", "aws:userid", &["?*"])
        ]));
    }

    #[test]
    fn stars_in_arn_fields_do_not_cross_colons() {
        let arn = |pattern: &str| when("ArnLike", "aws:SourceArn", &[pattern]);
        assert!(together(&[
            arn("arn:aws:sns:*:111122223333:*"),
            arn("arn:aws:sns:eu-west-1:*:orders"),
        ]));
        assert!(!together(&[
            arn("arn:aws:sns:*:111122223333:*"),
            arn("arn:aws:sns:*:444455556666:*"),
        ]));
    }

    #[test]
    fn absence_is_one_more_possibility() {
        let absent = when("Null", "aws:SourceVpce", &["true"]);
        assert!(!together(&[
            absent.clone(),
            when("StringEquals", "aws:SourceVpce", &["vpce-a"])
        ]));
        assert!(together(&[
            absent.clone(),
            when("StringNotEquals", "aws:SourceVpce", &["vpce-a"])
        ]));
        assert!(together(&[
            absent,
            when("StringEqualsIfExists", "aws:SourceVpce", &["vpce-a"])
        ]));
    }

    #[test]
    fn numbers_dates_and_addresses_are_solved_as_ranges() {
        let age = |operator: &str, bound: &str| when(operator, "aws:MultiFactorAuthAge", &[bound]);
        assert!(together(&[
            age("NumericGreaterThan", "3"),
            age("NumericLessThan", "4")
        ]));
        assert!(!together(&[
            age("NumericGreaterThan", "4"),
            age("NumericLessThan", "4")
        ]));
        assert!(together(&[
            age("NumericGreaterThanEquals", "4"),
            age("NumericLessThanEquals", "4")
        ]));
        let time = |operator: &str, bound: &str| when(operator, "aws:TokenIssueTime", &[bound]);
        assert!(!together(&[
            time("DateLessThan", "2020-01-01"),
            time("DateGreaterThan", "2021-01-01")
        ]));
        let from = |operator: &str, range: &str| when(operator, "aws:SourceIp", &[range]);
        assert!(!together(&[
            from("IpAddress", "10.0.0.0/24"),
            from("IpAddress", "10.0.1.0/24")
        ]));
        assert!(together(&[
            from("IpAddress", "10.0.0.0/16"),
            from("NotIpAddress", "10.0.1.0/24")
        ]));
        assert!(!together(&[
            from("IpAddress", "10.0.1.0/24"),
            from("NotIpAddress", "10.0.0.0/16")
        ]));
    }

    #[test]
    fn booleans_have_two_values() {
        let mfa =
            |operator: &str, value: &str| when(operator, "aws:MultiFactorAuthPresent", &[value]);
        assert!(!together(&[mfa("Bool", "true"), mfa("Bool", "false")]));
        assert!(together(&[
            mfa("Bool", "true"),
            mfa("BoolIfExists", "true")
        ]));
        let not_false = mfa("BoolIfExists", "false").negated();
        assert!(together(&[not_false.clone(), mfa("Bool", "true")]));
        assert!(!together(&[not_false, mfa("Bool", "false")]));
    }

    #[test]
    fn a_case_insensitive_value_meets_its_other_spelling() {
        let exact = when("StringEquals", "aws:userid", &["Prod"]);
        assert!(together(&[
            exact.clone(),
            when("StringEqualsIgnoreCase", "aws:userid", &["PROD"])
        ]));
        assert!(!together(&[
            exact,
            when("StringEqualsIgnoreCase", "aws:userid", &["PRO"])
        ]));
    }

    #[test]
    fn patterns_full_of_stars_end_in_bounded_time() {
        let many = "*a*b*c*d*e*f*g*h*".repeat(20);
        assert!(together(&[
            when("StringLike", "aws:userid", &[&many]),
            when("StringNotLike", "aws:userid", &["*z*"]),
        ]));
    }
}
