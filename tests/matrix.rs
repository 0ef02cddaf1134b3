//! The rights that are computed from structure are those that deciding every pair by itself gives, on random accounts and on
//! the fixtures.

use chrono::DateTime;
use patscan::access::{Access, Capability, QueueSet, SessionRights, SessionsOn};
use patscan::account::{self, Account};
use patscan::audit;
use patscan::graph::Graph;
use patscan::policy::Formula;
use patscan::report::{self, Format, Style};
use patscan::rules::Settings;
use proptest::prelude::*;

use crate::generated::cases;
use crate::patscan::fixtures;
use crate::random_account::accounts;

/// What is told of a formula: whether it is plain, and its words.
fn told(when: &Formula) -> String {
    match when {
        Formula::Never => "never".to_owned(),
        Formula::Always => "always".to_owned(),
        conditional => conditional.conditions().join(" and "),
    }
}

fn rights_of(session: Option<SessionRights<'_>>) -> [String; 5] {
    Capability::ALL.map(|capability| {
        session.map_or_else(
            || "never".to_owned(),
            |session| told(session.when(capability)),
        )
    })
}

/// Where two ways of deciding differ, in words; nothing where they do not.
fn difference(fast: &Access<'_>, slow: &Access<'_>) -> Option<String> {
    for (index, principal) in fast.principals.iter().enumerate() {
        for (queue, audited) in fast.queues.iter().enumerate() {
            let (fast, slow) = (fast.rights_on(index, queue), slow.rights_on(index, queue));
            let any = |sessions: Option<SessionsOn<'_>>| {
                rights_of(sessions.and_then(|sessions| sessions.sessions().next()))
            };
            let mut pairs = vec![("any session".to_owned(), any(fast), any(slow))];
            for (place, workload) in principal.workloads.iter().enumerate() {
                let of = |sessions: Option<SessionsOn<'_>>| {
                    rights_of(sessions.map(|sessions| sessions.of_workload(place)))
                };
                pairs.push((workload.arn.to_string(), of(fast), of(slow)));
            }
            for (session, fast, slow) in pairs {
                if fast != slow {
                    return Some(format!(
                        "{} as {session} on {}: {fast:?} from structure, {slow:?} by itself",
                        principal.arn, audited.queue.arn
                    ));
                }
            }
        }
    }
    None
}

fn check(accounts: &[Account]) -> Result<(), TestCaseError> {
    let fast = Access::compute(accounts);
    let slow = Access::compute_pair_by_pair(accounts);
    match difference(&fast, &slow) {
        None => Ok(()),
        Some(difference) => Err(TestCaseError::fail(difference)),
    }
}

/// Where what proves a right differs from what proves it when nothing is taken over from others; nothing where it does not.
fn difference_of_proofs(access: &Access<'_>) -> Option<String> {
    let provers = access.provers();
    for (index, principal) in access.principals.iter().enumerate() {
        let prover = provers.of(index)?;
        for (queue, audited) in access.queues.iter().enumerate() {
            for capability in Capability::ALL {
                let proofs = prover.prove_as(None, queue, capability).to_vec();
                let shared = (prover.when_alone(queue, capability), proofs);
                let alone = prover.answer_alone(queue, capability);
                if shared != alone {
                    return Some(format!(
                        "{} may {} on {}: {shared:?} as for others, {alone:?} by itself",
                        principal.arn,
                        capability.as_str(),
                        audited.queue.arn
                    ));
                }
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn structure_gives_what_every_pair_by_itself_gives(accounts in accounts()) {
        check(&accounts)?;
    }

    #[test]
    fn what_proves_a_right_for_others_proves_it_for_each(accounts in accounts()) {
        let difference = difference_of_proofs(&Access::compute(&accounts));
        prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    }

    #[test]
    fn the_queues_with_loops_are_those_that_the_loops_tell(accounts in accounts()) {
        let access = Access::compute(&accounts);
        let graph = Graph::new(&access);
        let mut told = vec![QueueSet::new(); access.principals.len()];
        for found in graph.loops() {
            told[found.principal] |= &*found.queues;
        }
        let looped = graph.looped().iter().map(|queues| &**queues);
        prop_assert!(looped.eq(&told));
    }
}

#[test]
fn the_fixtures_give_the_same_report_in_either_way() {
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let file = entry.unwrap().path().join("snapshot.json");
        let accounts = [account::read(&file).unwrap()];
        let written = |access: &Access<'_>| {
            let report = audit::report(access, &Settings::default(), DateTime::UNIX_EPOCH);
            let mut json = Vec::new();
            report::write(&report, Format::Json, Style::default(), &mut json).unwrap();
            String::from_utf8(json).unwrap()
        };
        assert_eq!(
            written(&Access::compute(&accounts)),
            written(&Access::compute_pair_by_pair(&accounts)),
            "{}",
            file.display()
        );
    }
}
