//! The generated accounts that benches measure on: always the same, as large as asked, and read like any other.

#[path = "../examples/generate-account/account/mod.rs"]
mod account;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::DateTime;
use patscan::access::Access;
use patscan::account::{Account, Role, from_slice};
use patscan::audit;
use patscan::entity::Entity;
use patscan::graph::{EdgeKind, Edges, Extent, Graph};
use patscan::policy::{Document, PolicyKind};
use patscan::report::{self, Format, Style};
use patscan::rules::Settings;
use serde_json::json;

use self::account::{Generated, Size, generate};

fn of_seed(seed: u64) -> Generated {
    generate(&Size {
        roles: 240,
        users: 40,
        queues: 210,
        functions: 120,
        channels: 0,
        seed,
        hostile: false,
    })
}

fn bytes(account: &Account) -> Vec<u8> {
    serde_json::to_vec(&json!({"schema": "patscan.snapshot/v1", "account": account})).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_account_and_another_seed_another() {
    let first = bytes(&of_seed(1).account);
    assert_eq!(first, bytes(&of_seed(1).account));
    assert_ne!(first, bytes(&of_seed(2).account));
}

#[test]
fn an_account_has_what_was_asked_for_under_names_of_their_own() {
    for (roles, users, queues, functions) in [
        (240, 40, 210, 120),
        (1, 0, 0, 0),
        (0, 0, 0, 3),
        (0, 2, 1, 0),
    ] {
        let account = generate(&Size {
            roles,
            users,
            queues,
            functions,
            channels: 0,
            seed: 3,
            hostile: false,
        })
        .account;
        let count = |arns: BTreeSet<&str>| arns.len();
        assert_eq!(
            count(account.roles.iter().map(|role| role.arn.name()).collect()),
            roles
        );
        assert_eq!(
            count(account.users.iter().map(|user| user.arn.as_str()).collect()),
            users
        );
        assert_eq!(
            count(
                account
                    .queues
                    .iter()
                    .map(|queue| queue.arn.as_str())
                    .collect()
            ),
            queues
        );
        assert_eq!(
            count(
                account
                    .functions
                    .iter()
                    .map(|function| function.arn.as_str())
                    .collect()
            ),
            functions
        );
    }
}

#[test]
fn a_generated_account_reads_back_as_it_was() {
    let account = of_seed(1).account;
    let read = from_slice(&bytes(&account), Path::new("generated")).unwrap();
    assert!(read == account);
    assert!(account.coverage.is_complete());
}

#[test]
fn a_generated_account_has_the_same_report_when_every_pair_is_decided_by_itself() {
    for hostile in [false, true] {
        let accounts = [generate(&Size {
            roles: 90,
            users: 20,
            queues: 70,
            functions: 40,
            channels: 0,
            seed: 5,
            hostile,
        })
        .account];
        let written = |access: &Access<'_>| {
            let report = audit::report(access, &Settings::default(), DateTime::UNIX_EPOCH);
            let mut json = Vec::new();
            report::write(&report, Format::Json, Style::default(), &mut json).unwrap();
            String::from_utf8(json).unwrap()
        };
        assert!(
            written(&Access::compute(&accounts))
                == written(&Access::compute_pair_by_pair(&accounts)),
            "hostile: {hostile}"
        );
    }
}

#[test]
fn a_hostile_account_has_policies_as_long_as_they_may_be() {
    let account = generate(&Size {
        roles: 3,
        users: 2,
        queues: 3,
        functions: 0,
        channels: 0,
        seed: 1,
        hostile: true,
    })
    .account;
    let attached = |role: &Role| {
        let mut arns = role.attached.iter();
        arns.any(|arn| arn.name() == "wildcards")
    };
    assert!(account.roles.iter().all(attached));
    let policy = account
        .policies
        .iter()
        .find(|policy| policy.arn.name() == "wildcards")
        .unwrap();
    let length = policy.document.as_ref().unwrap().as_str().len();
    assert!((6_000..=6_144).contains(&length), "{length}");
    let statements: usize = account
        .groups
        .iter()
        .filter(|group| group.arn.name().starts_with("wildcards"))
        .flat_map(|group| &group.inline)
        .map(|policy| Document::parse(policy.document.as_str(), PolicyKind::Identity))
        .map(|document| document.statements().len())
        .sum();
    assert_eq!(statements, 1_000);
}

#[test]
fn every_document_of_a_generated_account_is_a_policy() {
    let account = of_seed(1).account;
    let identity = account
        .policies
        .iter()
        .filter_map(|policy| policy.document.as_ref())
        .chain(
            account
                .roles
                .iter()
                .flat_map(|role| &role.inline)
                .map(|inline| &inline.document),
        )
        .chain(
            account
                .users
                .iter()
                .flat_map(|user| &user.inline)
                .map(|inline| &inline.document),
        )
        .chain(
            account
                .groups
                .iter()
                .flat_map(|group| &group.inline)
                .map(|inline| &inline.document),
        )
        .map(|text| (text, PolicyKind::Identity));
    let trust = account
        .roles
        .iter()
        .map(|role| (&role.trust, PolicyKind::Trust));
    let of_queues = account
        .queues
        .iter()
        .filter_map(|queue| queue.attributes.as_ref()?.policy.as_ref())
        .chain(account.keys.iter().filter_map(|key| key.policy.as_ref()))
        .map(|text| (text, PolicyKind::Resource));
    for (text, kind) in identity.chain(trust).chain(of_queues) {
        let document = Document::parse(text.as_str(), kind);
        assert!(
            document.readable && document.problems.is_empty(),
            "{text:?}: {:?}",
            document.problems
        );
    }
}

#[test]
fn the_loops_that_were_put_in_are_found() {
    let generated = generate(&Size {
        roles: 600,
        users: 0,
        queues: 300,
        functions: 300,
        channels: 0,
        seed: 1,
        hostile: false,
    });
    let accounts = [generated.account];
    let access = Access::compute(&accounts);
    let graph = Graph::new(&access);
    let found: BTreeSet<&str> = graph
        .loops()
        .filter_map(|found| Some(access.principals.get(found.principal)?.arn.as_str()))
        .collect();
    assert!(generated.narrow_loops.len() >= 3);
    for role in &generated.narrow_loops {
        assert!(found.contains(role.as_str()), "{role} loops");
    }
}

/// An account with channels.
fn with_channels() -> Generated {
    generate(&Size {
        roles: 400,
        users: 10,
        queues: 300,
        functions: 250,
        channels: 150,
        seed: 4,
        hostile: false,
    })
}

#[test]
fn channels_change_nothing_else_and_are_the_same_for_the_same_seed() {
    let first = with_channels();
    assert_eq!(bytes(&first.account), bytes(&with_channels().account));
    let read = from_slice(&bytes(&first.account), Path::new("generated")).unwrap();
    assert!(read == first.account);
    let without = of_seed(1).account;
    assert!(without.channels.is_empty() && without.deliveries.is_empty());
    let kinds: BTreeSet<&str> = first
        .account
        .channels
        .iter()
        .map(|channel| channel.arn.service())
        .collect();
    assert!(
        kinds.is_superset(&BTreeSet::from(["sns", "s3", "events"])),
        "{kinds:?}"
    );
    let refused = first.account.deliveries.iter();
    assert!(refused.clone().any(|delivery| !delivery.enabled));
    assert!(refused.clone().any(|delivery| delivery.failures_only));
}

#[test]
fn the_ways_back_that_were_put_in_are_found() {
    let generated = with_channels();
    let accounts = [generated.account];
    let access = Access::compute(&accounts);
    let graph = Graph::new(&access);
    let cycles = graph.message_cycles();
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for cycle in &cycles {
        found.extend(
            access
                .queues_of(&cycle.queues)
                .map(|(_, queue)| queue.queue.arn.as_str()),
        );
        let inlets = cycle
            .inlets
            .iter()
            .map(|inlet| &graph.channels.inlets[*inlet]);
        found.extend(inlets.map(|inlet| &*inlet.entity.arn));
    }
    assert_eq!(generated.cycles.len(), 3);
    for place in &generated.cycles {
        assert!(found.contains(place.as_str()), "{place} is on no way back");
    }
}

#[test]
fn edges_that_are_left_out_are_counted() {
    let accounts = [with_channels().account];
    let access = Access::compute(&accounts);
    let graph = Graph::new(&access);
    let (nothing, no_cycles) = (BTreeSet::new(), []);
    let extent = |most: usize| Extent {
        most,
        chosen: &nothing,
        cycles: &no_cycles,
    };
    let number = |edges: &Edges| {
        let mut number: BTreeMap<(Entity, EdgeKind), u64> = BTreeMap::new();
        for edge in &edges.edges {
            *number.entry((edge.from.clone(), edge.kind)).or_default() += 1;
        }
        number
    };
    let all = graph.edges_of_principals(&extent(usize::MAX));
    assert!(all.undrawn.is_empty());
    let few = graph.edges_of_principals(&extent(2));
    let mut sum = number(&few);
    assert!(sum.values().all(|made| *made <= 2));
    assert!(few.undrawn.values().any(|left| *left > 1));
    for (edge, left) in few.undrawn {
        *sum.entry(edge).or_default() += left;
    }
    assert!(sum == number(&all));
    let one = all
        .edges
        .iter()
        .map(|edge| edge.to.arn.clone())
        .next()
        .unwrap();
    let chosen = BTreeSet::from([one.clone()]);
    let at_one = |edges: &Edges| edges.edges.iter().filter(|edge| edge.to.arn == one).count();
    let some = Extent {
        chosen: &chosen,
        ..extent(0)
    };
    assert_eq!(at_one(&graph.edges_of_principals(&some)), at_one(&all));
}
