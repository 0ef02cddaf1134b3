//! Faults of a kind that whole regions, services or credentials have, and what throttling costs.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use patscan::collect::{CALLS, CollectError};

use super::account::answers;
use super::oracle::Truth;
use super::trial::{Trial, trial, trial_of};
use super::{FIRST, SECOND, large};
use crate::emulator::{Fault, Request, Seen};

const BOTH: &[&str] = &[FIRST, SECOND];

static TRUTH: LazyLock<Truth> =
    LazyLock::new(|| Truth::of(trial(BOTH, |_, _| None).outcome.unwrap()));

/// Whether a fault befalls a request, of which so many of a hundred are hit.
fn befalls(percent: u64, request: &Request, seen: Seen) -> bool {
    let mut hasher = DefaultHasher::new();
    (request, seen.attempts).hash(&mut hasher);
    hasher.finish() % 100 < percent
}

fn without_objections(trial: &Trial) {
    let objections = TRUTH.objections(&trial.outcome, &trial.records);
    assert!(objections.is_empty(), "{}", objections.join("\n"));
}

/// The regions of the gaps.
fn troubled_regions(trial: &Trial) -> BTreeSet<Option<&str>> {
    let account = trial.outcome.as_ref().unwrap();
    let gaps = account.coverage.gaps.iter();
    gaps.map(|gap| gap.region.as_deref()).collect()
}

#[test]
fn throttling_takes_time_and_nothing_else() {
    for percent in [10, 30] {
        let trial = trial(BOTH, move |request, seen| {
            befalls(percent, request, seen).then_some(Fault::Throttled)
        });
        without_objections(&trial);
        assert_eq!(troubled_regions(&trial), BTreeSet::new());
    }
}

/// In a large account the calls are what takes time: one for each queue.
#[test]
fn throttling_of_a_third_makes_a_scan_no_more_than_three_times_as_long() {
    const SIZE: usize = 2_000;
    let scan = |percent| {
        let plan = move |request: &Request, seen| {
            befalls(percent, request, seen).then_some(Fault::Throttled)
        };
        let account = |request: &Request| large::answers(SIZE, request);
        let trial = trial_of(account, &[FIRST], plan, |options| options);
        let account = trial.outcome.unwrap();
        assert_eq!(account.coverage.gaps, []);
        assert_eq!((account.roles.len(), account.queues.len()), (SIZE, SIZE));
        assert!(
            account
                .queues
                .iter()
                .all(|queue| queue.attributes.is_some())
        );
        (trial.records.len(), trial.took)
    };
    let (untroubled, throttled) = (scan(0), scan(30));
    eprintln!("{SIZE} queues: {untroubled:?}, with 30 % of calls throttled {throttled:?}");
    assert!(
        throttled.0 * 10 > untroubled.0 * 13,
        "{untroubled:?} {throttled:?}"
    );
    assert!(
        throttled.1 <= 3 * untroubled.1,
        "{untroubled:?} {throttled:?}"
    );
}

#[test]
fn half_of_all_calls_may_fail_in_any_way() {
    for fault in Fault::ALL {
        if fault == Fault::EndlessBody {
            continue;
        }
        for percent in [10, 50] {
            let trial = trial(BOTH, move |request, seen| {
                // Whose account it is has to be known.
                (request.service != "sts" && befalls(percent, request, seen)).then_some(fault)
            });
            eprintln!(
                "{fault:?} {percent} %: {:?}, {} calls, {:?}",
                trial.took,
                trial.records.len(),
                trial
                    .outcome
                    .as_ref()
                    .map(|account| account.coverage.gaps.len())
            );
            without_objections(&trial);
        }
    }
}

#[test]
fn a_region_that_is_cut_off_is_given_up_alone() {
    for fault in [Fault::Unreachable, Fault::Silence, Fault::ResetBefore] {
        let trial = trial(BOTH, move |request, _| {
            (request.region == SECOND).then_some(fault)
        });
        without_objections(&trial);
        assert_eq!(troubled_regions(&trial), [Some(SECOND)].into(), "{fault:?}");
        let queues = &trial.outcome.as_ref().unwrap().queues;
        assert_eq!(queues.len(), 2);
        eprintln!("{fault:?}: {:?}", trial.took);
        assert!(
            trial.took < Duration::from_mins(3),
            "{fault:?}: {:?}",
            trial.took
        );
    }
}

#[test]
fn a_service_that_is_denied_is_missing_alone() {
    let services: BTreeSet<&str> = CALLS.iter().map(|call| call.service).collect();
    for service in services {
        if service == "sts" {
            continue;
        }
        let trial = trial(BOTH, move |request, _| {
            (request.service == service).then_some(Fault::Denied)
        });
        without_objections(&trial);
        let account = trial.outcome.unwrap();
        assert!(!account.coverage.gaps.is_empty(), "{service}");
        assert!(
            account
                .coverage
                .gaps
                .iter()
                .all(|gap| gap.service == service),
            "{service}: {:?}",
            account.coverage.gaps
        );
    }
}

#[test]
fn credentials_that_run_out_end_the_scan_or_are_said_in_every_gap() {
    for calls in [1, 5, 30, 90] {
        let trial = trial(BOTH, move |_, seen| {
            (seen.all >= calls).then_some(Fault::Expired)
        });
        without_objections(&trial);
        match &trial.outcome {
            Err(error) => assert!(
                matches!(error, CollectError::ExpiredCredentials { .. }),
                "{error}"
            ),
            Ok(account) => {
                assert!(!account.coverage.is_complete());
                for gap in &account.coverage.gaps {
                    assert!(
                        gap.detail.ends_with("log in again and repeat the scan"),
                        "{gap:?}"
                    );
                }
            }
        }
    }
}

/// Credentials that are always about to run out, and then others.
#[derive(Debug)]
struct Rotating(Arc<AtomicUsize>);

impl ProvideCredentials for Rotating {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let key = format!("AKID{}", self.0.load(Ordering::Relaxed));
        let soon = SystemTime::now() + Duration::from_secs(1);
        future::ProvideCredentials::ready(Ok(Credentials::new(
            key,
            "secret",
            Some("token".to_owned()),
            Some(soon),
            "test",
        )))
    }
}

#[test]
fn credentials_that_are_refreshed_carry_the_scan_on() {
    let current = Arc::new(AtomicUsize::new(0));
    let provider = SharedCredentialsProvider::new(Rotating(Arc::clone(&current)));
    let trial = trial_of(
        answers,
        BOTH,
        move |request, seen| {
            current.store(seen.all / 50, Ordering::Relaxed);
            let number: usize = request
                .access_key
                .strip_prefix("AKID")
                .unwrap()
                .parse()
                .unwrap();
            // Old credentials work for a while beside the new ones.
            (seen.all >= number * 50 + 100).then_some(Fault::Expired)
        },
        |mut options| {
            let config = options.sdk_config.take().unwrap().into_builder();
            options.sdk_config = Some(config.credentials_provider(provider).build());
            options
        },
    );
    without_objections(&trial);
    assert_eq!(troubled_regions(&trial), BTreeSet::new());
    let keys: BTreeSet<&str> = trial
        .records
        .iter()
        .map(|record| record.request.access_key.as_str())
        .collect();
    assert!(keys.len() > 2, "{keys:?}");
}
