//! One scan of the account with a plan of faults, on a clock that jumps over every wait.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use patscan::account::Account;
use patscan::collect::{CollectError, Options, collect};
use tokio::time::Instant;

use super::account::{answers, options};
use crate::emulator::{Answer, Fault, Memory, Record, Request, Seen};

/// How long a scan may take at most, on its own clock.
const DEADLINE: Duration = Duration::from_mins(30);
/// How long it may take on ours: it is a matter of milliseconds.
const PATIENCE: Duration = Duration::from_mins(2);
const STACK: usize = 16 << 20;

/// What became of a scan.
pub(super) struct Trial {
    pub(super) outcome: Result<Account, CollectError>,
    pub(super) records: Vec<Record>,
    /// On its own clock.
    pub(super) took: Duration,
}

/// Scans these regions, or every one. Fails when the scan panics or does not end.
pub(super) fn trial(
    regions: &'static [&'static str],
    plan: impl Fn(&Request, Seen) -> Option<Fault> + Send + Sync + 'static,
) -> Trial {
    trial_of(answers, regions, plan, |options| options)
}

/// The same for another account, and with other options.
pub(super) fn trial_of(
    account: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
    regions: &'static [&'static str],
    plan: impl Fn(&Request, Seen) -> Option<Fault> + Send + Sync + 'static,
    change: impl FnOnce(Options) -> Options + Send + 'static,
) -> Trial {
    let (tell, told) = channel();
    let scan = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let trial = runtime.block_on(Box::pin(async move {
            let aws = Memory::new(account, plan);
            let options = change(options(&aws, regions).await);
            let begun = Instant::now();
            let outcome = Box::pin(collect(&options, &()));
            Trial {
                outcome: tokio::time::timeout(DEADLINE, outcome)
                    .await
                    .expect("the scan ends before its deadline"),
                records: aws.records(),
                took: begun.elapsed(),
            }
        }));
        tell.send(trial).ok();
    };
    // A thread of its own: a scan that hangs cannot be ended, but it can be told. Unoptimised, its state is large.
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(scan)
        .unwrap();
    told.recv_timeout(PATIENCE)
        .unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => panic!("the scan hangs"),
            RecvTimeoutError::Disconnected => panic!("the scan panicked or passed its deadline"),
        })
}
