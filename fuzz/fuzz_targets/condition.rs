//! Small formulas over a few context keys: what the solver says of them against requests in which every key is known.
//!
//! A formula that is called unsatisfiable must not hold in any of these requests, one that is called valid must hold in all,
//! and a formula and its negation cannot both be impossible.

#![no_main]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use patscan::policy::{
    Assumptions, ContextKeys, Document, Domain, Formula, Glob, Lookup, PolicyKind, Request,
    Requester, RequesterKind, Statement, is_multivalued,
};
use serde_json::json;

const OPERATORS: [&str; 27] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnLike",
    "ArnNotEquals",
    "Null",
    "Null",
    "StringLike",
];

const BOOLEANS: [&str; 4] = ["true", "false", "True", "FALSE"];
const NUMBERS: [&str; 9] = [
    "0", "1", "-1", "1.5", "1e400", "-2e-400", "9007199254740993", "9007199254740992", "10",
];
const DATES: [&str; 8] = [
    "2020-01-01",
    "2020-01-01T00:00:00.001Z",
    "2021",
    "1577836800",
    "1577836801",
    "99999999999999",
    "-99999999999999999999",
    "9999-12-31T23:59:59Z",
];
const ADDRESSES: [&str; 11] = [
    "10.0.0.0",
    "10.0.0.255",
    "10.0.1.0",
    "255.255.255.255",
    "0.0.0.0",
    "::",
    "::ffff:10.0.0.1",
    "::1:0:0:0",
    "::fffe:ffff:ffff",
    "2001:db8::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
const RANGES: [&str; 9] = [
    "10.0.0.0/24",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "::ffff:10.0.0.0/104",
    "::fffe:0:0/95",
    "2001:db8::/32",
    "0.0.0.0/1",
    "128.0.0.0/1",
];
const TEXTS: [&str; 18] = [
    "", "a", "A", "ab", "b", "*", "a*", "*a", "?", "a?b*", "k", "\u{212a}", "\u{3a3}", "\u{3c2}",
    "YQ==", "YQ", ":", "o/a/*",
];
const ARNS: [&str; 7] = [
    "arn:aws:sns:eu-west-1:111122223333:orders",
    "arn:aws:sns:*:111122223333:*",
    "arn:aws:sns:eu-*:*:orders",
    "arn:*:*:*:*:*",
    "arn:aws:sns:::a:b",
    "arn:aws:s",
    "AROA1:session",
];
const EVERYTHING: [&[&str]; 7] = [
    &TEXTS, &ARNS, &NUMBERS, &DATES, &ADDRESSES, &BOOLEANS, &RANGES,
];

/// A key, with the lists of values that a request may hold in it.
struct Key {
    name: &'static str,
    domain: Domain,
    values: &'static [&'static [&'static str]],
}

/// The call is part of the name that the policy uses only here; see `lookup`.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let key = |name, domain, values| Key {
        name,
        domain,
        values,
    };
    vec![
        key("aws:PrincipalTag/a", Domain::ANYTHING, &EVERYTHING),
        key("aws:PrincipalTag/b", Domain::PRESENT, &EVERYTHING),
        key("aws:userid", Domain::like(Glob::new("A*:s*")), &EVERYTHING),
        key("aws:SourceIp", Domain::ANYTHING, &[&ADDRESSES]),
        key("aws:MultiFactorAuthAge", Domain::ANYTHING, &[&NUMBERS]),
        key("aws:CurrentTime", Domain::PRESENT, &[&DATES]),
        key("aws:SecureTransport", Domain::ANYTHING, &[&BOOLEANS]),
        key("aws:TagKeys", Domain::ANYTHING, &EVERYTHING),
        key("kms:GrantOperations", Domain::PRESENT, &EVERYTHING),
    ]
});

fn holds_several(name: &str) -> bool {
    is_multivalued(&name.to_lowercase()) || name.starts_with("kms:")
}

/// A test of one key, as one statement.
#[derive(Debug)]
struct Test {
    key: usize,
    in_call: bool,
    statement: Statement,
}

#[derive(Debug, Arbitrary)]
struct RawTest {
    key: u8,
    in_call: bool,
    operator: u8,
    quantifier: u8,
    if_exists: bool,
    values: [u8; 3],
    count: u8,
}

/// A formula over tests by their numbers.
#[derive(Debug, Arbitrary)]
enum Shape {
    Test(u8),
    Not(Box<Shape>),
    Both(Box<Shape>, Box<Shape>),
    Either(Box<Shape>, Box<Shape>),
}

impl Shape {
    fn size(&self) -> usize {
        match self {
            Self::Test(_) => 1,
            Self::Not(part) => 1 + part.size(),
            Self::Both(left, right) | Self::Either(left, right) => 1 + left.size() + right.size(),
        }
    }

    fn build(&self, tests: &[Formula]) -> Formula {
        match self {
            Self::Test(number) => tests[usize::from(*number) % tests.len()].clone(),
            Self::Not(part) => part.build(tests).negated(),
            Self::Both(left, right) => left.build(tests).and(right.build(tests)),
            Self::Either(left, right) => left.build(tests).or(right.build(tests)),
        }
    }
}

fn test(raw: &RawTest) -> Option<Test> {
    let key = usize::from(raw.key) % KEYS.len();
    let Key { name, values, .. } = &KEYS[key];
    let base = OPERATORS[usize::from(raw.operator) % OPERATORS.len()];
    let several = holds_several(name);
    let operator = if base == "Null" {
        base.to_owned()
    } else {
        // Without a set operator a multivalued key is not documented, and no formula.
        let prefix = match (raw.quantifier % 3, several) {
            (0, false) => "",
            (0 | 1, _) => "ForAllValues:",
            _ => "ForAnyValue:",
        };
        let suffix = if raw.if_exists { "IfExists" } else { "" };
        format!("{prefix}{base}{suffix}")
    };
    // Values that the operator can read, more often than not.
    let lists: &[&[&str]] = match base {
        "Null" => &[&BOOLEANS],
        _ if base.starts_with("Numeric") => &[&NUMBERS],
        _ if base.starts_with("Date") => &[&DATES],
        _ if base.ends_with("IpAddress") => &[&RANGES, &ADDRESSES],
        "Bool" => &[&BOOLEANS],
        _ if base.starts_with("Arn") => &[&ARNS],
        _ => values,
    };
    let list: Vec<&str> = lists.concat();
    let values: Vec<&str> = raw
        .values
        .iter()
        .take(usize::from(raw.count) % 4)
        .map(|value| list[usize::from(*value) % list.len()])
        .collect();
    let document = Document::parse(
        &json!({
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": { operator: { *name: values } },
            },
        })
        .to_string(),
        PolicyKind::Identity,
    );
    Some(Test {
        key,
        in_call: raw.in_call,
        statement: document.statements().first()?.clone(),
    })
}

/// Every key open, in the request itself or in a call.
struct Open {
    in_call: bool,
}

impl ContextKeys for Open {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        let found = KEYS.iter().find(|known| known.name.eq_ignore_ascii_case(key));
        let Some(key) = found else {
            return Lookup::Absent;
        };
        let domain = key.domain.clone();
        Lookup::Open(if self.in_call {
            domain.in_call_to("kms")
        } else {
            domain
        })
    }
}

/// One key known.
struct Known<'a> {
    values: &'a [&'static str],
    several: bool,
}

impl ContextKeys for Known<'_> {
    fn lookup(&self, _: &str) -> Lookup<'_> {
        match self.values {
            [] => Lookup::Absent,
            [value] if !self.several => Lookup::One(Cow::Borrowed(value)),
            values => Lookup::Many(values.iter().map(|value| Cow::Borrowed(*value)).collect()),
        }
    }
}

fn evaluate(statement: &Statement, keys: &dyn ContextKeys) -> Formula {
    static REQUESTER: LazyLock<Requester> = LazyLock::new(|| Requester {
        kind: RequesterKind::Anonymous,
        partition: Arc::from(""),
        account: None,
        unique_id: None,
        has_boundary: false,
    });
    let request = Request {
        requester: &REQUESTER,
        action: "sqs:sendmessage",
        resource: "arn:aws:sqs:eu-west-1:111122223333:orders",
        keys,
    };
    statement.matches(&request, PolicyKind::Identity, &mut Assumptions::default())
}

/// The values of one key in one request; `None` when the key cannot be so.
fn assignment(key: &Key, bytes: &mut Unstructured<'_>) -> Option<Vec<&'static str>> {
    let all: Vec<&'static str> = key.values.concat();
    let several = holds_several(key.name);
    let most = if several { 3 } else { 1 };
    let count = bytes.int_in_range(0..=most).ok()?;
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(*bytes.choose(&all).ok()?);
    }
    if values.is_empty() && !key.domain.may_be_absent {
        values.push("AROA1:session");
    }
    if let Some(shape) = &key.domain.shape {
        values.retain(|value| shape.matches(value));
    }
    let typed = !values.is_empty() && key.values.len() == 1;
    (!typed || values.iter().all(|value| all.contains(value)))
        .then_some(values)
        .filter(|values| key.domain.may_be_absent || !values.is_empty())
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    tests: [RawTest; 4],
    shape: Shape,
    assignments: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    if input.shape.size() > 64 {
        return;
    }
    let Some(tests) = input.tests.iter().map(test).collect::<Option<Vec<_>>>() else {
        return;
    };
    let open: Vec<Formula> = tests
        .iter()
        .map(|test| {
            evaluate(
                &test.statement,
                &Open {
                    in_call: test.in_call,
                },
            )
        })
        .collect();
    let formula = input.shape.build(&open);
    let satisfiable = formula.is_satisfiable();
    let valid = formula.is_valid();
    assert!(
        satisfiable || !valid,
        "{formula} can neither hold nor fail to"
    );

    let mut bytes = Unstructured::new(input.assignments);
    for round in 0..64 {
        if round > 0 && bytes.is_empty() {
            break;
        }
        let mut values: BTreeMap<(usize, bool), Vec<&'static str>> = BTreeMap::new();
        for test in &tests {
            let place = (test.key, test.in_call);
            if !values.contains_key(&place) {
                let Some(chosen) = assignment(&KEYS[test.key], &mut bytes) else {
                    return;
                };
                values.insert(place, chosen);
            }
        }
        let known: Vec<Formula> = tests
            .iter()
            .map(|test| {
                let keys = Known {
                    values: &values[&(test.key, test.in_call)],
                    several: holds_several(KEYS[test.key].name),
                };
                evaluate(&test.statement, &keys)
            })
            .collect();
        assert!(
            known.iter().all(|known| known.is_always() || known.is_never()),
            "{known:?} is open although every key is known"
        );
        for (open, known) in open.iter().zip(&known) {
            assert!(
                !(open.is_never() && known.is_always()) && !(open.is_always() && known.is_never()),
                "{open} is {known} with {values:?}"
            );
        }
        let holds = input.shape.build(&known).is_always();
        assert!(satisfiable || !holds, "{formula} holds with {values:?}");
        assert!(!valid || holds, "{formula} does not hold with {values:?}");
    }
});
