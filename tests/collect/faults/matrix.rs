//! Each kind of fault at each call of the table.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Instant;

use patscan::collect::CALLS;

use super::oracle::Truth;
use super::trial::trial;
use super::{FIRST, SECOND};
use crate::emulator::{Fault, Request};

static TRUTH: LazyLock<Truth> =
    LazyLock::new(|| Truth::of(trial(&[FIRST], |_, _| None).outcome.unwrap()));

#[test]
fn every_call_of_the_table_is_made_in_the_account() {
    let untroubled = trial(&[FIRST, SECOND], |_, _| None);
    let made: BTreeSet<String> = untroubled
        .records
        .iter()
        .map(|record| record.request.call())
        .collect();
    let table = CALLS
        .iter()
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect();
    assert_eq!(made, table);
    let account = untroubled.outcome.unwrap();
    assert_eq!(account.coverage.gaps, []);
    let here = account
        .queues
        .iter()
        .filter(|queue| queue.arn.region() == FIRST);
    assert_eq!((account.queues.len(), here.count()), (4, 2));
}

/// What a second attempt, or what is left of an answer, makes good.
const HEALED: [Fault; 13] = [
    Fault::Throttled,
    Fault::Server(500),
    Fault::Server(502),
    Fault::Server(503),
    Fault::ResetBefore,
    Fault::ResetWithin,
    Fault::ShortBody,
    Fault::CutBody,
    Fault::Drip,
    Fault::Unreachable,
    Fault::Captive,
    Fault::DuplicatedPage,
    Fault::EmptyPage,
];

/// Lets a fault befall the first attempt of every call at once.
fn at_each_first_attempt(fault: Fault) {
    let trial = trial(&[FIRST], move |request, seen| {
        // Whose account it is has to be known.
        (request.service != "sts" && seen.attempts == 0).then_some(fault)
    });
    let objections = TRUTH.objections(&trial.outcome, &trial.records);
    assert!(
        objections.is_empty(),
        "{fault:?}:\n{}",
        objections.join("\n")
    );
    if HEALED.contains(&fault) {
        assert_eq!(trial.outcome.unwrap().coverage.gaps, [], "{fault:?}");
    }
}

/// Lets a fault befall each call of the table in turn.
fn at_each_call(fault: Fault) {
    let begun = Instant::now();
    let mut wrong = Vec::new();
    for call in CALLS {
        let name = format!("{}:{}", call.service, call.operation);
        let plan = {
            let name = name.clone();
            move |request: &Request, _| (request.call() == name).then_some(fault)
        };
        let trial = trial(&[FIRST], plan);
        let hit = trial.records.iter().any(|record| record.fault.is_some());
        // Regions that are named do not depend on their list, but it is asked for.
        assert!(hit, "{name} is not called");
        let objections = TRUTH.objections(&trial.outcome, &trial.records);
        if !objections.is_empty() {
            wrong.push(format!(
                "{fault:?} at {name}:\n  {}",
                objections.join("\n  ")
            ));
        }
    }
    eprintln!("{fault:?}: {:?}", begun.elapsed());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

macro_rules! faults {
    ($($name:ident: $fault:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn at_every_call() {
                at_each_call($fault);
            }

            #[test]
            fn at_first() {
                at_each_first_attempt($fault);
            }
        })*

        #[test]
        fn every_fault_is_in_the_matrix() {
            assert_eq!([$($fault),*], Fault::ALL);
        }
    };
}

faults! {
    throttled: Fault::Throttled;
    internal_failure: Fault::Server(500);
    bad_gateway: Fault::Server(502);
    unavailable: Fault::Server(503);
    denied: Fault::Denied;
    expired: Fault::Expired;
    reset_before: Fault::ResetBefore;
    reset_within: Fault::ResetWithin;
    short_body: Fault::ShortBody;
    cut_body: Fault::CutBody;
    drip: Fault::Drip;
    silence: Fault::Silence;
    unreachable: Fault::Unreachable;
    endless_body: Fault::EndlessBody;
    captive: Fault::Captive;
    redirect: Fault::Redirect;
    repeated_token: Fault::RepeatedToken;
    cycled_tokens: Fault::CycledTokens;
    duplicated_page: Fault::DuplicatedPage;
    empty_page: Fault::EmptyPage;
}
