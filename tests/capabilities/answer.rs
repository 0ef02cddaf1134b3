//! `patscan.who-can/v1`, read back through types that know the contract and nothing of the writer.

use std::collections::BTreeSet;

use patscan::access::{Access, Capability, Holder};
use patscan::entity::Certainty;
use serde::Deserialize;

use crate::cli::contract::{Coverage, Verdict};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) schema: String,
    pub(crate) queue: String,
    pub(crate) capability: String,
    pub(crate) principals: Vec<Principal>,
    pub(crate) coverage: Coverage,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Principal {
    pub(crate) arn: String,
    pub(crate) kind: Kind,
    pub(crate) verdict: Verdict,
    pub(crate) conditions: Vec<String>,
    pub(crate) workloads: Vec<String>,
    pub(crate) because: Vec<Proof>,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Role,
    User,
    Service,
    Account,
    Anyone,
}

#[derive(Debug, Clone, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proof {
    pub(crate) layer: Layer,
    pub(crate) policy: String,
    pub(crate) statement: String,
    pub(crate) effect: Effect,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    Identity,
    Resource,
    Boundary,
    Scp,
    Rcp,
    Kms,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// Reads an answer by the contract, and checks what holds of every one.
pub(crate) fn answer(text: &str) -> Answer {
    let answer: Answer =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(answer.schema, "patscan.who-can/v1");
    assert!(answer.queue.starts_with("arn:"), "{}", answer.queue);
    for principal in &answer.principals {
        let name = &principal.arn;
        assert_eq!(
            principal.verdict == Verdict::Conditional,
            !principal.conditions.is_empty(),
            "{name}: conditions and verdict belong together"
        );
        assert!(!principal.because.is_empty(), "{name} has no proof");
        let named_once: BTreeSet<_> = principal.because.iter().collect();
        assert_eq!(named_once.len(), principal.because.len(), "{name}");
        for statement in &principal.because {
            assert!(!statement.policy.is_empty() && !statement.statement.is_empty());
        }
        assert!(principal.workloads.is_sorted(), "{name}");
        assert!(principal.kind == Kind::Role || principal.workloads.is_empty());
    }
    let hides = answer
        .coverage
        .gaps
        .iter()
        .any(|gap| gap.effect == crate::cli::contract::Effect::MayHide);
    assert_eq!(answer.coverage.complete, !hides);
    answer
}

/// What the library answers, in the words of the contract.
pub(super) fn of_library(access: &Access<'_>, queue: &str, capability: &str) -> Vec<Principal> {
    let queue = queue_index(access, queue);
    let capability = Capability::ALL
        .into_iter()
        .find(|known| known.as_str() == capability)
        .unwrap_or_else(|| panic!("there is no capability `{capability}`"));
    let holders = access.holders(queue, capability);
    holders.iter().map(Principal::of).collect()
}

pub(super) fn queue_index(access: &Access<'_>, arn: &str) -> usize {
    let mut queues = access.queues.iter();
    queues
        .position(|audited| audited.queue.arn.as_str() == arn)
        .unwrap_or_else(|| panic!("there is no queue `{arn}`"))
}

/// A word of the contract.
fn word<T: for<'de> Deserialize<'de>>(text: &str) -> T {
    serde_json::from_value(text.into()).unwrap_or_else(|error| panic!("{error}"))
}

impl Principal {
    fn of(holder: &Holder) -> Self {
        Self {
            arn: holder.entity.arn.to_string(),
            kind: word(holder.entity.kind.as_str()),
            verdict: word(Certainty::of(&holder.when).as_str()),
            conditions: holder.when.conditions(),
            workloads: holder
                .workloads
                .iter()
                .map(|workload| workload.arn.to_string())
                .collect(),
            because: holder
                .because
                .iter()
                .map(|proof| Proof {
                    layer: word(proof.layer.as_str()),
                    policy: proof.policy.to_string(),
                    statement: proof.statement.to_string(),
                    effect: word(proof.effect.as_str()),
                })
                .collect(),
        }
    }
}
