//! The rights that are computed from structure are those that deciding every pair by itself gives, on random accounts and on
//! the fixtures.

use std::collections::BTreeSet;

use chrono::DateTime;
use patscan::access::{Access, Capability, SessionRights, SessionsOn};
use patscan::account::{self, Account};
use patscan::audit;
use patscan::policy::Formula;
use patscan::report::{self, Format, Style};
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

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn structure_gives_what_every_pair_by_itself_gives(accounts in accounts()) {
        check(&accounts)?;
    }
}

#[test]
fn the_fixtures_give_the_same_report_in_either_way() {
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let file = entry.unwrap().path().join("snapshot.json");
        let accounts = [account::read(&file).unwrap()];
        let written = |access: &Access<'_>| {
            let report = audit::report(access, &BTreeSet::new(), DateTime::UNIX_EPOCH);
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
