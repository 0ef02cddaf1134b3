//! Whether a formula can hold at all.
//!
//! The formula is opened branch by branch; the literals of one branch are grouped by what they ask about, a context key in one
//! of the calls that a request leads to, and each group is solved on its own ([`key`]). Different keys are taken as
//! independent, and a search that uses up its budget answers "yes": a formula that this module calls unsatisfiable never
//! holds.

mod budget;
#[cfg(test)]
mod by_trial;
mod key;
mod memory;
mod walk;

use super::condition::Test;
use super::formula::{Atom, Formula, Literal};
pub(super) use budget::Budget;

/// Formulas held at once before giving up; bounds the stack.
const DEEPEST_SEARCH: u32 = 1_000;

pub(super) fn is_satisfiable(formula: &Formula, budget: Budget) -> bool {
    let mut search = Search {
        budget,
        depth: 0,
        chosen: Vec::new(),
    };
    search.holds(&mut vec![formula])
}

struct Search<'a> {
    budget: Budget,
    depth: u32,
    chosen: Vec<Chosen<'a>>,
}

/// A literal that must hold on the branch.
struct Chosen<'a> {
    literal: &'a Literal,
    /// What it tests, unless it is an open atom.
    asked: Option<Asked<'a>>,
    /// The work of reading it, to compare it with another.
    size: usize,
}

/// A test, and the key that it asks about in lower case.
struct Asked<'a> {
    test: &'a Test,
    key: String,
}

impl<'a> Chosen<'a> {
    fn new(literal: &'a Literal) -> Self {
        let (asked, length) = match &*literal.atom {
            Atom::Test(test) => {
                let key = test.key();
                let length = test.values().map(|value| value.len() + 16).sum::<usize>() + key.len();
                (Some(Asked { test, key }), length)
            }
            Atom::Open { text, .. } => (None, text.len()),
        };
        Self {
            literal,
            asked,
            size: 1 + length / 32,
        }
    }
}

impl<'a> Search<'a> {
    /// Whether the chosen literals and all pending formulas can hold together. Leaves `pending` and `chosen` as they were.
    fn holds(&mut self, pending: &mut Vec<&'a Formula>) -> bool {
        if !self.budget.spend(1) || self.depth > DEEPEST_SEARCH {
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
                self.chosen.push(Chosen::new(literal));
                let holds = self.newest_fits() && self.holds(pending);
                self.chosen.pop();
                holds
            }
            Formula::All(parts) => {
                let length = pending.len();
                // Whether this ends the budget shows at the next step.
                let _ = self.budget.spend(parts.len());
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

    /// Whether the literal chosen last can hold together with those before it; also true when the budget ends.
    fn newest_fits(&mut self) -> bool {
        let Some((newest, earlier)) = self.chosen.split_last() else {
            return true;
        };
        let work = newest.size * (1 + earlier.len());
        if !self.budget.spend(work) {
            return true;
        }
        if earlier.iter().any(|chosen| {
            chosen.literal.holds != newest.literal.holds
                && chosen.literal.atom == newest.literal.atom
        }) {
            return false;
        }
        let Some(asked) = &newest.asked else {
            return true;
        };
        let mut group = vec![(asked.test, newest.literal.holds)];
        group.extend(earlier.iter().filter_map(|chosen| {
            let other = chosen.asked.as_ref()?;
            let same = other.key == asked.key && other.test.call() == asked.test.call();
            same.then_some((other.test, chosen.literal.holds))
        }));
        let answer = memory::can_satisfy(&asked.key, &group);
        !self.budget.spend(answer.work as usize) || answer.can_satisfy
    }
}

fn is_literal(formula: &Formula) -> bool {
    matches!(formula, Formula::Literal(_))
}

#[cfg(test)]
mod tests {
    use super::super::Assumptions;
    use super::super::clause::Clause;
    use super::super::context::{ContextKeys, Domain, Lookup};
    use super::super::document::Version;
    use super::super::glob::Glob;
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

    #[test]
    fn thousands_of_conditions_do_not_exhaust_the_stack() {
        let conditions = (0..3_000)
            .map(|number| when("Null", &format!("aws:PrincipalTag/{number}"), &["false"]))
            .collect();
        assert!(Formula::All(conditions).is_satisfiable());
    }

    // The next three take minutes without a budget.

    #[test]
    fn a_pair_of_patterns_that_is_too_hard_stays_open() {
        let ends = |letter: &str| {
            let pattern = format!("*{letter}{}", "?".repeat(30));
            when("StringLike", "aws:userid", &[&pattern])
        };
        assert!(together(&[ends("a"), ends("b")]));
    }

    #[test]
    fn a_condition_that_is_too_hard_by_itself_stays_open() {
        // Every text matches, but only a search through all texts of thirty characters shows it.
        let length = 30;
        let mut patterns: Vec<String> = (0..=length).map(|count| "?".repeat(count)).collect();
        patterns.push("?".repeat(length + 1) + "*");
        patterns.extend((0..length).map(|before| {
            let behind = length - 1 - before;
            format!("{}a{}", "?".repeat(before), "?".repeat(behind))
        }));
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let formula = when("StringLikeIfExists", "aws:userid", &patterns);
        assert!(matches!(formula, Formula::Literal(_)), "{formula}");
    }

    #[test]
    fn a_formula_with_too_many_branches_stays_open() {
        // Pigeons: each of twelve keys has one of eleven values, none of them the same.
        let holes = 0..11;
        let pigeons: Vec<Formula> = (0..12)
            .map(|pigeon| {
                holes
                    .clone()
                    .map(|hole| {
                        (0..12)
                            .filter(|other| *other != pigeon)
                            .map(|other| {
                                let key = format!("aws:PrincipalTag/{pigeon}-{other}");
                                let (low, high) = (pigeon.min(other), pigeon.max(other));
                                let shared = format!("aws:PrincipalTag/{low}-{high}-{hole}");
                                let mine = if pigeon < other { "low" } else { "high" };
                                when("Null", &key, &["false"]).and(when(
                                    "StringEquals",
                                    &shared,
                                    &[mine],
                                ))
                            })
                            .fold(Formula::Always, Formula::and)
                    })
                    .fold(Formula::Never, Formula::or)
            })
            .collect();
        assert!(together(&pigeons));
    }

    #[test]
    fn values_of_a_multivalued_key_are_free_of_each_other() {
        let paths =
            |operator: &str, values: &[&str]| when(operator, "aws:PrincipalOrgPaths", values);
        let some = |value| paths("ForAnyValue:StringLike", &[value]);
        assert!(together(&[some("o/a/*"), some("o/b/*")]));
        assert!(!together(&[
            some("o/a/*"),
            paths("ForAllValues:StringLike", &["o/b/*"])
        ]));
        assert!(together(&[
            some("o/a/*"),
            some("o/b/*"),
            paths("ForAllValues:StringLike", &["o/a/*", "o/b/*"]),
        ]));
        assert!(!together(&[some("o/a/*"), some("o/a/*").negated()]));
        assert!(!together(&[
            some("o/a/x/"),
            paths("ForAllValues:StringNotLike", &["o/a/*"])
        ]));
        // "Not every value" is "some value not".
        assert!(together(&[
            paths("ForAllValues:StringEquals", &["o/a/"]).negated(),
            some("o/a/"),
        ]));
        assert!(!together(&[
            paths("ForAllValues:StringLike", &["o/*"]).negated(),
            paths("ForAllValues:StringLike", &["o/a*"]),
        ]));
    }

    #[test]
    fn an_empty_set_is_absence() {
        let tags = |operator: &str, values: &[&str]| when(operator, "aws:TagKeys", values);
        let every = tags("ForAllValues:StringEquals", &["a"]);
        let none = tags("ForAllValues:StringNotEquals", &["a"]);
        let present = tags("Null", &["false"]);
        assert!(together(&[every.clone(), none.clone()]));
        assert!(!together(&[every.clone(), none, present.clone()]));
        assert!(together(&[every, present.clone()]));
        assert!(!together(&[
            tags("ForAnyValue:StringLike", &["*"]).negated(),
            present
        ]));
        assert!(
            tags("ForAnyValue:StringLike", &["*"])
                .negated()
                .or(tags("Null", &["false"]))
                .is_valid()
        );
    }

    #[test]
    fn a_single_valued_key_has_one_value_under_any_set_operator() {
        let some = |value: &str| when("ForAnyValue:StringEquals", "aws:SourceVpce", &[value]);
        assert!(!together(&[some("vpce-a"), some("vpce-b")]));
        // Whether a service's own key holds several values is not known here.
        let grants =
            |value: &str| when("ForAnyValue:StringEquals", "kms:GrantOperations", &[value]);
        assert!(together(&[grants("Encrypt"), grants("Decrypt")]));
    }

    struct InCall(Domain);
    impl ContextKeys for InCall {
        fn lookup(&self, _: &str) -> Lookup<'_> {
            Lookup::Open(self.0.clone())
        }
    }

    fn when_in(domain: Domain, operator: &str, key: &str, value: &str) -> Formula {
        Clause::new(operator, key, vec![value.to_owned()], Version::V2012)
            .evaluate(&InCall(domain), &mut Assumptions::default())
    }

    #[test]
    fn one_key_in_two_calls_is_two_unknowns() {
        let through =
            |domain, endpoint| when_in(domain, "StringEquals", "aws:SourceVpce", endpoint);
        let forwarded = || Domain::ANYTHING.in_call_to("kms");
        let to_sqs = through(Domain::ANYTHING, "vpce-1");
        let to_kms = through(forwarded(), "vpce-1");
        assert_ne!(to_sqs, to_kms);
        assert!(together(&[to_sqs.clone(), to_kms.clone().negated()]));
        assert!(together(&[to_sqs.clone(), through(forwarded(), "vpce-2")]));
        assert!(!together(&[to_kms.clone(), through(forwarded(), "vpce-2")]));
        assert_eq!(to_sqs.to_string(), "aws:SourceVpce StringEquals vpce-1");
        assert_eq!(
            to_kms.to_string(),
            "aws:SourceVpce StringEquals vpce-1 (in the call to KMS)"
        );
        assert_eq!(
            to_kms.negated().to_string(),
            "aws:SourceVpce StringNotEquals vpce-1 (in the call to KMS)"
        );
        let named = |domain| when_in(domain, "StringEquals", "aws:userid", "${aws:SourceVpce}");
        assert_ne!(named(Domain::ANYTHING), named(forwarded()));
    }

    #[test]
    fn texts_decide_what_other_operators_say_of_the_same_key() {
        let key = "aws:PrincipalTag/level";
        let text = |value: &str| when("StringEquals", key, &[value]);
        assert!(together(&[text("5"), when("NumericLessThan", key, &["6"])]));
        assert!(!together(&[
            text("5"),
            when("NumericLessThan", key, &["5"])
        ]));
        assert!(!together(&[text("5"), when("Bool", key, &["true"])]));
        assert!(together(&[text("True"), when("Bool", key, &["true"])]));
        assert!(together(&[
            when("StringLike", key, &["T*"]),
            when("Bool", key, &["true"])
        ]));
        assert!(!together(&[
            when("StringLike", key, &["f*"]),
            when("Bool", key, &["true"])
        ]));
        assert!(!together(&[
            when("NumericEquals", key, &["1"]),
            when("Bool", key, &["true"])
        ]));
        assert!(!together(&[
            when("NumericEquals", key, &["1"]),
            when("IpAddress", key, &["0.0.0.0/0"])
        ]));
        // A number of seconds is a number and a date.
        assert!(together(&[
            when("NumericGreaterThan", key, &["1"]),
            when("DateGreaterThan", key, &["2020-01-01"])
        ]));
        // One part is impossible by itself.
        assert!(!together(&[
            when("StringLike", key, &["*"]),
            when("NumericLessThan", key, &["1"]),
            when("NumericGreaterThan", key, &["1"]),
        ]));
    }

    #[test]
    fn a_shape_limits_every_operator() {
        let of_role = || Domain::like(Glob::new("AROA1:*"));
        assert_eq!(
            when_in(of_role(), "StringEquals", "aws:userid", "AROA2:x"),
            Formula::Never
        );
        assert_eq!(
            when_in(of_role(), "Bool", "aws:userid", "true"),
            Formula::Never
        );
        let exactly = || Domain::like(Glob::new("7"));
        assert_eq!(
            when_in(exactly(), "NumericLessThan", "aws:userid", "8"),
            Formula::Always
        );
        assert_eq!(
            when_in(exactly(), "NumericLessThan", "aws:userid", "7"),
            Formula::Never
        );
    }

    #[test]
    fn a_key_that_need_not_be_a_number_can_fail_both_comparisons() {
        let (less, more) = ("NumericLessThan", "NumericGreaterThanEquals");
        let neither = |key: &str| {
            let present = when("Null", key, &["false"]);
            together(&[
                present,
                when(less, key, &["5"]).negated(),
                when(more, key, &["5"]).negated(),
            ])
        };
        assert!(neither("aws:PrincipalTag/level"));
        assert!(!neither("aws:MultiFactorAuthAge"));
        let not_bool = |key: &str| {
            let present = when("Null", key, &["false"]);
            together(&[
                present,
                when("Bool", key, &["true"]).negated(),
                when("Bool", key, &["false"]).negated(),
            ])
        };
        assert!(not_bool("aws:PrincipalTag/level"));
        assert!(!not_bool("aws:SecureTransport"));
    }

    #[test]
    fn numbers_are_exact_at_any_size() {
        let age = |operator: &str, bound: &str| when(operator, "aws:MultiFactorAuthAge", &[bound]);
        assert!(!together(&[
            age("NumericEquals", "9007199254740993"),
            age("NumericEquals", "9007199254740992")
        ]));
        assert!(together(&[
            age("NumericGreaterThan", "9007199254740992"),
            age("NumericLessThan", "9007199254740993")
        ]));
        assert!(together(&[
            age("NumericGreaterThan", "1e400"),
            age("NumericLessThan", "1e401")
        ]));
        assert!(together(&[
            age("NumericGreaterThan", "-1e-400"),
            age("NumericLessThan", "0")
        ]));
        assert_eq!(age("NumericEquals", "NaN"), Formula::Never);
    }

    #[test]
    fn dates_beyond_the_calendar_are_still_ordered() {
        let time = |operator: &str, bound: &str| when(operator, "aws:PrincipalTag/until", &[bound]);
        assert!(together(&[
            time("DateGreaterThan", "9999-12-31T23:59:59Z"),
            time("DateLessThan", "99999999999999"),
        ]));
        assert!(together(&[
            time("DateGreaterThan", "99999999999999"),
            time("DateLessThan", "999999999999999999999999"),
        ]));
        assert!(!together(&[
            time("DateLessThan", "-99999999999999999999"),
            time("DateGreaterThan", "0000-01-01"),
        ]));
    }

    #[test]
    fn addresses_are_one_space_for_each_family() {
        let from = |operator: &str, ranges: &[&str]| when(operator, "aws:SourceIp", ranges);
        let mapped = from("IpAddress", &["::ffff:10.0.0.0/104"]);
        assert!(together(&[
            mapped.clone(),
            from("IpAddress", &["10.1.2.3"])
        ]));
        assert!(!together(&[mapped, from("IpAddress", &["::/0"])]));
        assert!(!together(&[
            from("IpAddress", &["0.0.0.0/0"]),
            from("IpAddress", &["::/0"])
        ]));
        let everywhere = from("IpAddress", &["0.0.0.0/0", "::/0"]);
        assert!(!together(&[
            everywhere.negated(),
            when("Null", "aws:SourceIp", &["false"])
        ]));
        assert!(together(&[
            from("IpAddress", &["::/0"]),
            from("NotIpAddress", &["::fffe:0:0/96", "::/96"]),
        ]));
    }

    #[test]
    fn a_letter_of_another_script_is_one_more_spelling() {
        let ignoring = |value: &str| when("StringEqualsIgnoreCase", "aws:userid", &[value]);
        let not = |values: &[&str]| when("StringNotEquals", "aws:userid", values);
        assert!(!together(&[ignoring("a"), not(&["a", "A"])]));
        assert!(together(&[ignoring("k"), not(&["k", "K"])]));
        assert!(!together(&[ignoring("k"), not(&["k", "K", "\u{212a}"])]));
        assert!(together(&[
            ignoring("ΣΑΣ"),
            when("StringLike", "aws:userid", &["σας"])
        ]));
    }

    #[test]
    fn the_empty_text_is_a_value() {
        let empty = when("StringEquals", "aws:userid", &[""]);
        assert!(together(&[
            empty.clone(),
            when("Null", "aws:userid", &["false"])
        ]));
        assert!(!together(&[
            empty.clone(),
            when("Null", "aws:userid", &["true"])
        ]));
        assert!(!together(&[
            empty,
            when("StringLike", "aws:userid", &["?*"])
        ]));
    }

    #[test]
    fn padding_of_base64_does_not_matter() {
        let bytes = when("BinaryEquals", "aws:userid", &["YQ=="]);
        assert!(together(&[
            bytes.clone(),
            when("StringLike", "aws:userid", &["*=="])
        ]));
        assert!(together(&[
            bytes.clone(),
            when("BinaryEquals", "aws:userid", &["YQ"])
        ]));
        assert!(!together(&[
            bytes,
            when("StringLike", "aws:userid", &["*=a"])
        ]));
    }
}
