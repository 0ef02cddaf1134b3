//! Random plans of faults. Whatever they mix, a scan ends, and loses nothing in silence.
//!
//! Plans are tried for a while; `PATSCAN_FAULT_PLANS` sets their number instead. Plans are numbered from a seed on, which
//! `PATSCAN_SEED` sets: a plan that failed is repeated alone by its own number as the seed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use patscan::collect::CALLS;

use super::oracle::Truth;
use super::trial::trial;
use super::{FIRST, SECOND};
use crate::emulator::{Fault, Request, Seen};

/// For how long plans are tried where nobody says how many.
const WHILE: Duration = Duration::from_secs(45);

static ONE_REGION: LazyLock<Truth> =
    LazyLock::new(|| Truth::of(trial(&[FIRST], |_, _| None).outcome.unwrap()));
static EVERY_REGION: LazyLock<Truth> =
    LazyLock::new(|| Truth::of(trial(&[], |_, _| None).outcome.unwrap()));

/// `SplitMix64`: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let number = u64::try_from(choices.len()).unwrap();
        choices[usize::try_from(self.next() % number).unwrap()]
    }
}

/// Whom faults befall.
#[derive(Debug, Clone, Copy)]
enum Whom {
    Everyone,
    Service(&'static str),
    Call(&'static str, &'static str),
    Region(&'static str),
    ServiceOfRegion(&'static str, &'static str),
}

impl Whom {
    fn includes(self, request: &Request) -> bool {
        match self {
            Self::Everyone => true,
            Self::Service(service) => request.service == service,
            Self::Call(service, operation) => {
                request.service == service && request.operation == operation
            }
            Self::Region(region) => request.region == region,
            Self::ServiceOfRegion(service, region) => {
                request.service == service && request.region == region
            }
        }
    }
}

/// One sort of trouble.
#[derive(Debug, Clone)]
struct Trouble {
    fault: Fault,
    whom: Whom,
    /// How many of a hundred calls.
    percent: u64,
    /// Attempts after which the same request gets through.
    attempts: usize,
    /// Calls that get through first.
    later: usize,
}

impl Trouble {
    fn random(random: &mut Random) -> Self {
        let fault = random.one_of(&Fault::ALL);
        let call = random.one_of(&CALLS.iter().collect::<Vec<_>>());
        let region = random.one_of(&[FIRST, SECOND, "us-east-1"]);
        let narrow = Whom::Call(call.service, call.operation);
        let whom = random.one_of(&[
            Whom::Everyone,
            Whom::Service(call.service),
            narrow,
            narrow,
            Whom::Region(region),
            Whom::ServiceOfRegion(call.service, region),
        ]);
        Self {
            fault,
            // An endless answer costs as much as fits into one.
            whom: if fault == Fault::EndlessBody {
                narrow
            } else {
                whom
            },
            percent: random.one_of(&[3, 10, 30, 50, 90, 100]),
            attempts: random.one_of(&[1, 2, 4, usize::MAX]),
            later: random.one_of(&[0, 0, 0, 5, 40]),
        }
    }

    fn befalls(&self, request: &Request, seen: Seen, seed: u64) -> bool {
        // Decided by the request itself: calls that are made at once come in any order.
        let mut hasher = DefaultHasher::new();
        (request, seen.attempts, seed).hash(&mut hasher);
        self.whom.includes(request)
            && seen.attempts < self.attempts
            && seen.all >= self.later
            && hasher.finish() % 100 < self.percent
    }
}

#[derive(Debug, Clone)]
struct Plan {
    regions: &'static [&'static str],
    troubles: Vec<Trouble>,
}

impl Plan {
    fn random(seed: u64) -> Self {
        let mut random = Random(seed);
        let regions: [&'static [&'static str]; 3] = [&[FIRST], &[FIRST], &[]];
        let number = random.one_of(&[1, 1, 2, 3]);
        Self {
            regions: random.one_of(&regions),
            troubles: (0..number).map(|_| Trouble::random(&mut random)).collect(),
        }
    }

    fn fault(&self, request: &Request, seen: Seen, seed: u64) -> Option<Fault> {
        let mut troubles = self.troubles.iter().zip(seed..);
        troubles
            .find(|(trouble, seed)| trouble.befalls(request, seen, *seed))
            .map(|(trouble, _)| trouble.fault)
    }
}

/// How plans went.
#[derive(Debug, Default)]
struct Tally {
    plans: AtomicU64,
    untouched: AtomicU64,
    complete: AtomicU64,
    incomplete: AtomicU64,
    ended: AtomicU64,
    calls: AtomicU64,
    faults: AtomicU64,
}

impl Tally {
    fn try_plan(&self, seed: u64) {
        let plan = Plan::random(seed);
        let count = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
        let truth = match plan.regions {
            [] => &EVERY_REGION,
            _ => &ONE_REGION,
        };
        let result = std::panic::catch_unwind(|| {
            let own = plan.clone();
            trial(plan.regions, move |request, seen| {
                own.fault(request, seen, seed)
            })
        });
        let repeat = format!("PATSCAN_SEED={seed} PATSCAN_FAULT_PLANS=1 repeats it: {plan:#?}");
        let Ok(trial) = result else {
            panic!("{repeat}");
        };
        let objections = truth.objections(&trial.outcome, &trial.records);
        assert!(objections.is_empty(), "{}\n{repeat}", objections.join("\n"));
        count(&self.plans);
        let faults = trial.records.iter().filter(|record| record.fault.is_some());
        let faults = u64::try_from(faults.count()).unwrap();
        self.faults.fetch_add(faults, Ordering::Relaxed);
        let calls = u64::try_from(trial.records.len()).unwrap();
        self.calls.fetch_add(calls, Ordering::Relaxed);
        count(match trial.outcome {
            Ok(_) if faults == 0 => &self.untouched,
            Ok(account) if account.coverage.is_complete() => &self.complete,
            Ok(_) => &self.incomplete,
            Err(_) => &self.ended,
        });
    }
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a whole number"))
}

#[test]
fn random_faults_lose_nothing_in_silence() {
    let seed = number_in("PATSCAN_SEED")
        .unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() << 20);
    let number = number_in("PATSCAN_FAULT_PLANS");
    eprintln!("PATSCAN_SEED={seed}");
    // Before the clock runs.
    LazyLock::force(&ONE_REGION);
    LazyLock::force(&EVERY_REGION);
    let (next, tally) = (AtomicU64::new(0), Tally::default());
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get().min(4));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let plan = next.fetch_add(1, Ordering::Relaxed);
                    match number {
                        Some(number) if plan >= number => break,
                        None if begun.elapsed() > WHILE => break,
                        _ => tally.try_plan(seed + plan),
                    }
                }
            });
        }
    });
    eprintln!("PATSCAN_SEED={seed}: {tally:?} in {:?}", begun.elapsed());
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    // A plan that troubles nobody, and one that stops everything, prove nothing.
    if count(&tally.plans) >= 100 {
        assert!(
            count(&tally.complete) > 5 && count(&tally.incomplete) > 20,
            "{tally:?}"
        );
    }
}
