//! Random policies and requests in the words of `patscan simulate`, for the laws of `properties` and for the emulator that
//! gives a second opinion. A [`Vocabulary`] says what they speak of.

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Map, Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:orders";

/// What the values of a context key are, which decides the operators that suit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Text,
    Bytes,
    Number,
    Date,
    Bool,
    Address,
    Arn,
    /// Several texts.
    Texts,
}

impl Sort {
    fn operators(self) -> &'static [&'static str] {
        match self {
            Self::Text | Self::Texts => &[
                "StringEquals",
                "StringNotEquals",
                "StringEqualsIgnoreCase",
                "StringNotEqualsIgnoreCase",
                "StringLike",
                "StringNotLike",
            ],
            Self::Bytes => &["BinaryEquals"],
            Self::Number => &[
                "NumericEquals",
                "NumericNotEquals",
                "NumericLessThan",
                "NumericLessThanEquals",
                "NumericGreaterThan",
                "NumericGreaterThanEquals",
            ],
            Self::Date => &[
                "DateEquals",
                "DateNotEquals",
                "DateLessThan",
                "DateLessThanEquals",
                "DateGreaterThan",
                "DateGreaterThanEquals",
            ],
            Self::Bool => &["Bool"],
            Self::Address => &["IpAddress", "NotIpAddress"],
            Self::Arn => &["ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"],
        }
    }
}

/// A context key, the values that requests carry and those that policies ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) sort: Sort,
    pub(crate) values: &'static [&'static str],
    pub(crate) wanted: &'static [&'static str],
}

/// What random policies may speak of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vocabulary {
    pub(crate) keys: &'static [Key],
    pub(crate) actions: &'static [&'static str],
    pub(crate) resources: &'static [&'static str],
    /// JSON of `Principal` elements.
    pub(crate) principals: &'static [&'static str],
    /// JSON of `NotPrincipal` elements for Deny statements; may be empty.
    pub(crate) not_principals: &'static [&'static str],
    /// Whether only what AWS documents the outcome of is said: multivalued keys come with a set operator (S6).
    pub(crate) documented: bool,
}

fn of(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(choices)
}

fn one_or_more(choices: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec(of(choices), 1..=3).prop_map(|mut texts| {
        texts.dedup();
        match texts.as_slice() {
            [only] => json!(only),
            several => json!(several),
        }
    })
}

/// One operator with one key.
fn clause(vocabulary: Vocabulary) -> impl Strategy<Value = (String, &'static str, Value)> {
    prop::sample::select(vocabulary.keys).prop_flat_map(move |key| {
        (
            of(key.sort.operators()),
            prop::sample::select(vec!["", "", "", "ForAllValues:", "ForAnyValue:"]),
            prop::sample::select(vec!["", "", "IfExists"]),
            one_or_more(key.wanted),
            prop::option::weighted(0.1, of(&["true", "false"])),
        )
            .prop_map(move |(operator, prefix, suffix, wanted, absent)| {
                if let Some(absent) = absent {
                    return ("Null".to_owned(), key.name, json!(absent));
                }
                let prefix =
                    if key.sort == Sort::Texts && prefix.is_empty() && vocabulary.documented {
                        "ForAnyValue:"
                    } else {
                        prefix
                    };
                (format!("{prefix}{operator}{suffix}"), key.name, wanted)
            })
    })
}

fn condition(vocabulary: Vocabulary) -> impl Strategy<Value = Value> {
    prop::collection::vec(clause(vocabulary), 1..=2).prop_map(|clauses| {
        let mut condition = Map::new();
        for (operator, key, values) in clauses {
            condition.entry(operator).or_insert_with(|| json!({}))[key] = values;
        }
        Value::Object(condition)
    })
}

/// Whose policy a statement is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A principal: no statement names one.
    Principal,
    /// A resource or an endpoint: every statement names principals.
    Resource,
    /// An organization's resource policies, which name everyone.
    Everyone,
}

pub(crate) fn statement(
    vocabulary: Vocabulary,
    owner: Owner,
    effects: &'static [&'static str],
) -> impl Strategy<Value = Value> {
    let not_principal = if vocabulary.not_principals.is_empty() {
        Just(None).boxed()
    } else {
        prop::option::weighted(0.15, of(vocabulary.not_principals)).boxed()
    };
    (
        of(effects),
        (prop::bool::weighted(0.85), one_or_more(vocabulary.actions)),
        (
            prop::bool::weighted(0.85),
            one_or_more(vocabulary.resources),
        ),
        prop::option::weighted(0.5, condition(vocabulary)),
        of(vocabulary.principals),
        not_principal,
    )
        .prop_map(
            move |(effect, action, resource, condition, principal, not_principal)| {
                let mut statement = json!({"Effect": effect});
                statement[if action.0 { "Action" } else { "NotAction" }] = action.1;
                statement[if resource.0 {
                    "Resource"
                } else {
                    "NotResource"
                }] = resource.1;
                if let Some(condition) = condition {
                    statement["Condition"] = condition;
                }
                let element = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                match (owner, not_principal) {
                    (Owner::Principal, _) => {}
                    (Owner::Everyone, _) => statement["Principal"] = json!("*"),
                    (Owner::Resource, Some(text)) if effect == "Deny" => {
                        statement["NotPrincipal"] = element(text);
                    }
                    (Owner::Resource, _) => statement["Principal"] = element(principal),
                }
                statement
            },
        )
}

pub(crate) fn policy(
    vocabulary: Vocabulary,
    owner: Owner,
    effects: &'static [&'static str],
) -> BoxedStrategy<Value> {
    prop::collection::vec(statement(vocabulary, owner, effects), 1..4)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
        .boxed()
}

/// Mostly what grants.
pub(crate) const BOTH: &[&str] = &["Allow", "Allow", "Allow", "Deny"];

/// The layers of a request, by their member, and whose their policies are.
pub(crate) const LAYERS: [(&str, Owner); 7] = [
    ("identity_policies", Owner::Principal),
    ("permissions_boundaries", Owner::Principal),
    ("session_policies", Owner::Principal),
    ("resource_policy", Owner::Resource),
    ("scps", Owner::Principal),
    ("rcps", Owner::Everyone),
    ("endpoint_policies", Owner::Resource),
];

/// Every policy of a request, to be looked at or changed.
pub(crate) fn policies(request: &mut Value) -> Vec<&mut Value> {
    let mut found = Vec::new();
    for (layer, value) in request.as_object_mut().unwrap() {
        match layer.as_str() {
            "resource_policy" => found.push(value),
            "scps" | "rcps" => found.extend(
                value
                    .as_array_mut()
                    .unwrap()
                    .iter_mut()
                    .flat_map(|level| level.as_array_mut().unwrap()),
            ),
            _ if layer.ends_with("_policies") || layer.ends_with("_boundaries") => {
                found.extend(value.as_array_mut().unwrap());
            }
            _ => {}
        }
    }
    found
}

/// Adds a policy to a layer of a request: to what is there, or as all there is.
pub(crate) fn add(request: &mut Value, layer: &str, policy: &Value) {
    match layer {
        "resource_policy" if request[layer].is_object() => {
            let more = policy["Statement"].as_array().unwrap().clone();
            request[layer]["Statement"]
                .as_array_mut()
                .unwrap()
                .extend(more);
        }
        "resource_policy" => request[layer] = policy.clone(),
        "scps" | "rcps" => {
            if !request[layer].is_array() {
                request[layer] = json!([[]]);
            }
            let levels = request[layer].as_array_mut().unwrap();
            levels[0].as_array_mut().unwrap().push(policy.clone());
        }
        _ => {
            if !request[layer].is_array() {
                request[layer] = json!([]);
            }
            request[layer].as_array_mut().unwrap().push(policy.clone());
        }
    }
}

/// How many cases a law is tried on, and where the seed of one that fails is kept.
pub(crate) fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("PATSCAN_CASES").map_or(200, |cases| cases.parse().unwrap()),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}
