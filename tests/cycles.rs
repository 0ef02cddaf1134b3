//! The circles that the flow of messages shows are those that trying every step by itself gives, on random accounts; and what
//! they cost stays small where nearly everything belongs to one.

use std::collections::BTreeSet;

use patscan::access::{Access, Capability, SessionRights};
use patscan::account::{Account, from_slice};
use patscan::entity::Grade;
use patscan::graph::Graph;
use patscan::policy::Formula;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::generated::cases;
use crate::random_account::accounts;

/// Steps that one process can take from queue to queue: those that always hold, and all.
#[derive(Default)]
struct Steps {
    sure: BTreeSet<(usize, usize)>,
    all: BTreeSet<(usize, usize)>,
}

fn usable(when: &Formula) -> bool {
    !when.is_never() && when.rests_on_what_was_read()
}

impl Steps {
    /// Adds the steps of one process: every pair of a queue that it can receive from and one that it can send to, but for those
    /// over both of which it loops.
    fn add(&mut self, on: &[Option<SessionRights<'_>>]) {
        let loops = |rights: &SessionRights<'_>| {
            let (send, receive) = (
                rights.when(Capability::Send),
                rights.when(Capability::Receive),
            );
            let both = send.clone().and(receive.clone());
            (usable(send) && usable(receive) && both.is_satisfiable()).then_some(both)
        };
        for (from, receiver) in on.iter().enumerate() {
            for (to, sender) in on.iter().enumerate() {
                let (Some(receiver), Some(sender)) = (receiver, sender) else {
                    continue;
                };
                let receive = receiver.when(Capability::Receive);
                let send = sender.when(Capability::Send);
                let together = receive.clone().and(send.clone());
                if !usable(receive) || !usable(send) || !together.is_satisfiable() {
                    continue;
                }
                let both = [loops(receiver), loops(sender)];
                let sure = receive.is_always() && send.is_always();
                let told = if sure {
                    both.iter()
                        .all(|both| matches!(both, Some(Formula::Always)))
                } else {
                    both.iter().all(Option::is_some)
                };
                if told {
                    continue;
                }
                self.all.insert((from, to));
                if sure {
                    self.sure.insert((from, to));
                }
            }
        }
    }
}

/// The queues from which steps lead back to them over another one.
fn on_circles(steps: &BTreeSet<(usize, usize)>, queues: usize) -> BTreeSet<usize> {
    let mut reaches = vec![vec![false; queues]; queues];
    for (from, to) in steps {
        reaches[*from][*to] = true;
    }
    for middle in 0..queues {
        for from in 0..queues {
            for to in 0..queues {
                reaches[from][to] |= reaches[from][middle] && reaches[middle][to];
            }
        }
    }
    (0..queues)
        .filter(|queue| reaches[*queue][*queue])
        .collect()
}

fn check(mut accounts: Vec<Account>) -> Result<(), TestCaseError> {
    for account in &mut accounts {
        // Functions can be invoked, which leads round over no queue.
        account.functions.clear();
        account.event_source_mappings.clear();
    }
    let access = Access::compute(&accounts);
    let graph = Graph::new(&access);
    let mut steps = Steps::default();
    for (index, principal) in access.principals.iter().enumerate() {
        if graph.is_administrator(index) {
            continue;
        }
        let sessions = std::iter::once(None).chain((0..principal.workloads.len()).map(Some));
        for workload in sessions {
            let on: Vec<Option<SessionRights<'_>>> = (0..access.queues.len())
                .map(|queue| {
                    let sessions = access.rights_on(index, queue)?;
                    match workload {
                        Some(place) => Some(sessions.of_workload(place)),
                        None => sessions.sessions().next(),
                    }
                })
                .collect();
            steps.add(&on);
        }
    }
    let found = graph.message_cycles();
    let told = |grades: &[Grade]| -> BTreeSet<usize> {
        let cycles = found.iter().filter(|cycle| grades.contains(&cycle.grade));
        cycles
            .flat_map(|cycle| cycle.queues.iter().map(|queue| queue as usize))
            .collect()
    };
    let sure = on_circles(&steps.sure, access.queues.len());
    let all = on_circles(&steps.all, access.queues.len());
    prop_assert_eq!(told(&[Grade::Wired, Grade::Permitted]), sure);
    prop_assert_eq!(
        told(&[Grade::Wired, Grade::Permitted, Grade::Conditional]),
        all
    );
    Ok(())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_flow_shows_what_trying_every_step_shows(accounts in accounts()) {
        check(accounts)?;
    }
}

/// An account of `number` queues and what `role` makes of each number.
fn account(number: usize, role: impl Fn(usize) -> Value) -> Account {
    let queues: Vec<Value> = (0..number)
        .map(|number| {
            json!({
                "arn": format!("arn:aws:sqs:eu-west-1:111122223333:q{number:04}"),
                "url": format!("https://sqs.eu-west-1.amazonaws.com/111122223333/q{number:04}"),
                "attributes": {},
            })
        })
        .collect();
    let roles: Vec<Value> = (0..number).map(role).collect();
    let snapshot = json!({
        "schema": "patscan.snapshot/v1",
        "account": {
            "id": "111122223333", "partition": "aws", "regions": ["eu-west-1"],
            "scanned_at": "2026-11-01T08:00:00Z", "organization": {"membership": "none"},
            "queues": queues, "roles": roles,
        },
    });
    from_slice(snapshot.to_string().as_bytes(), "generated".as_ref()).unwrap()
}

/// A role that receives from some queues and sends to others.
fn role(number: usize, from: &[String], to: &[String]) -> Value {
    let arns = |names: &[String]| -> Vec<String> {
        let arn = |name: &String| format!("arn:aws:sqs:eu-west-1:111122223333:{name}");
        names.iter().map(arn).collect()
    };
    json!({
        "arn": format!("arn:aws:iam::111122223333:role/r{number:04}"),
        "id": format!("AROAEXAMPLE{number:04}"),
        "trust": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
        "inline": [{"name": "Rights", "document": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"], "Resource": arns(from)},
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arns(to)},
        ]}}],
    })
}

#[test]
fn a_ring_of_a_thousand_queues_is_one_circle() {
    let ring = [account(1000, |number| {
        let next = (number + 1) % 1000;
        role(number, &[format!("q{number:04}")], &[format!("q{next:04}")])
    })];
    let access = Access::compute(&ring);
    let graph = Graph::new(&access);
    let found = graph.message_cycles();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].queues.len(), 1000);
    assert_eq!(found[0].processes.len(), 1000);
    assert_eq!(found[0].witnesses.len(), 1);
    assert_eq!(found[0].witnesses[0].len(), 2000);
}

#[test]
fn where_everybody_sends_everywhere_a_handful_of_ways_is_told() {
    // Each role takes from its own queue and may fill all the others.
    let number = 200;
    let mesh = [account(number, |own| {
        let others: Vec<String> = (0..number)
            .filter(|other| *other != own)
            .map(|other| format!("q{other:04}"))
            .collect();
        role(own, &[format!("q{own:04}")], &others)
    })];
    let access = Access::compute(&mesh);
    let graph = Graph::new(&access);
    let found = graph.message_cycles();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].queues.len(), number as u64);
    assert_eq!(found[0].witnesses.len(), 3);
    assert!(found[0].witnesses.iter().all(|way| way.len() == 4));
}

#[test]
fn whoever_loops_over_every_queue_ties_none_together() {
    let wide = [account(20, |number| {
        let all: Vec<String> = (0..20).map(|number| format!("q{number:04}")).collect();
        role(number, &all, &all)
    })];
    let access = Access::compute(&wide);
    let graph = Graph::new(&access);
    assert_eq!(graph.loops().count(), 20);
    assert_eq!(graph.message_cycles(), []);
}
