//! The solver against plain trial: for questions small enough to try every value, it must answer neither too much nor too
//! little.

use proptest::prelude::*;

use super::super::Assumptions;
use super::super::clause::Clause;
use super::super::condition::Test;
use super::super::context::{ContextKeys, Domain, Lookup};
use super::super::document::Version;
use super::super::formula::{Atom, Formula};

struct Present;
impl ContextKeys for Present {
    fn lookup(&self, _: &str) -> Lookup<'_> {
        Lookup::Open(Domain::PRESENT)
    }
}

/// A test of a key that is present with some unknown value; none when its outcome is the same for every value.
fn test(operator: &str, key: &str, values: &[String]) -> Option<(Formula, Test)> {
    let formula = Clause::new(operator, key, values.to_vec(), Version::V2008)
        .evaluate(&Present, &mut Assumptions::default());
    let Formula::Literal(literal) = &formula else {
        return None;
    };
    let Atom::Test(test) = &*literal.atom else {
        return None;
    };
    let test = test.clone();
    Some((formula, test))
}

/// An operator, its values, and the outcome that is wanted.
type Demand = (&'static str, Vec<String>, bool);

/// What the solver says of all demands together, and the tests with their wanted outcomes.
fn solved(key: &str, demands: &[Demand]) -> Option<(bool, Vec<(Test, bool)>)> {
    let mut all = Formula::Always;
    let mut tests = Vec::new();
    for (operator, values, wanted) in demands {
        let (formula, test) = test(operator, key, values)?;
        all = all.and(if *wanted { formula } else { formula.negated() });
        tests.push((test, *wanted));
    }
    Some((all.is_satisfiable(), tests))
}

fn one_fits<'a>(tests: &[(Test, bool)], mut candidates: impl Iterator<Item = &'a String>) -> bool {
    candidates.any(|value| {
        tests
            .iter()
            .all(|(test, wanted)| test.holds_for(value) == *wanted)
    })
}

/// Every text of at most this length over the characters that patterns use and one more.
fn texts(longest: usize) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut from = 0;
    for _ in 0..longest {
        let end = texts.len();
        for at in from..end {
            for character in ["a", "A", "*", "?", "z"] {
                let longer = texts[at].clone() + character;
                texts.push(longer);
            }
        }
        from = end;
    }
    texts
}

fn demands(
    operators: &'static [&'static str],
    value: impl Strategy<Value = String>,
    most: usize,
) -> impl Strategy<Value = Vec<Demand>> {
    let values = prop::collection::vec(value, 0..3);
    let demand = (prop::sample::select(operators), values, any::<bool>());
    prop::collection::vec(demand, 1..=most)
}

const TEXTS: &[&str] = &[
    "StringLike",
    "StringNotLike",
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
];
const SETS: &[&str] = &[
    "ForAnyValue:StringLike",
    "ForAllValues:StringLike",
    "ForAnyValue:StringNotLike",
    "ForAllValues:StringNotLike",
    "ForAllValues:StringEqualsIgnoreCase",
];
const NUMBERS: &[&str] = &[
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
];
const ADDRESSES: &[&str] = &["IpAddress", "NotIpAddress"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn patterns(demands in demands(TEXTS, "[aA*?]{0,4}", 3)) {
        if let Some((satisfiable, tests)) = solved("aws:userid", &demands) {
            prop_assert_eq!(satisfiable, one_fits(&tests, texts(5).iter()));
        }
    }

    #[test]
    fn sets(demands in demands(SETS, "[aA*?]{0,2}", 3)) {
        if let Some((satisfiable, tests)) = solved("aws:TagKeys", &demands) {
            let texts = texts(3);
            // A set is enough of values that tell the tests apart: keep one text for each way that the tests come out.
            let mut kinds: Vec<(Vec<bool>, &str)> = Vec::new();
            for text in &texts {
                let outcomes = tests.iter().map(|(test, _)| test.holds_for(text)).collect();
                if kinds.iter().all(|(known, _)| *known != outcomes) {
                    kinds.push((outcomes, text));
                }
            }
            let some_set = (1_u32..1 << kinds.len()).any(|members| {
                let set: Vec<&str> = kinds
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| members & (1 << index) != 0)
                    .map(|(_, (_, text))| *text)
                    .collect();
                tests.iter().all(|(test, wanted)| test.holds_for_all(&set) == *wanted)
            });
            prop_assert_eq!(satisfiable, some_set);
        }
    }

    #[test]
    fn numbers(demands in demands(NUMBERS, "-?[0-3]", 4)) {
        let halves: Vec<String> = (-8..=8)
            .map(|half| format!("{}", f64::from(half) / 2.0))
            .collect();
        if let Some((satisfiable, tests)) = solved("aws:MultiFactorAuthAge", &demands) {
            prop_assert_eq!(satisfiable, one_fits(&tests, halves.iter()));
        }
        if let Some((satisfiable, tests)) = solved("aws:PrincipalTag/level", &demands) {
            let any = halves.iter().chain([const { &String::new() }]);
            prop_assert_eq!(satisfiable, one_fits(&tests, any));
        }
    }

    #[test]
    fn addresses(demands in demands(ADDRESSES, "(10\\.0\\.0\\.[0-7]/(29|30|31|32))|(::fffe:ffff:ff[f0]0/(95|120|124))|(::/80)|(::ffff:10\\.0\\.0\\.4/127)", 4)) {
        let mut candidates: Vec<String> = (0..=8).map(|last| format!("10.0.0.{last}")).collect();
        candidates.extend((0..=0xff).map(|last| format!("::fffe:ffff:ff{last:02x}")));
        candidates.extend(["::1:0:0:0", "::", "::fffe:0:0", "::ffff:10.0.0.5"].map(str::to_owned));
        if let Some((satisfiable, tests)) = solved("aws:SourceIp", &demands) {
            prop_assert_eq!(satisfiable, one_fits(&tests, candidates.iter()));
        }
    }
}
