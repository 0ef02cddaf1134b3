//! Remedies: each that is offered for a fixture account passes its proof or says why not, and what it writes can be read.

use std::collections::BTreeMap;

use patscan::access::Access;
use patscan::account::{self, Account};
use patscan::finding::Finding;
use patscan::graph::Graph;
use patscan::policy::{Document, PolicyKind};
use patscan::remedy::{Change, Ground, Proof, Remedy, applied, remedy};
use patscan::rules::{self, Audit, Settings};

use crate::patscan::{fixture, fixtures};

fn read(scenario: &str) -> Vec<Account> {
    vec![account::read(&fixture(scenario)).unwrap()]
}

/// Every finding of some accounts with its remedy.
fn remedies(accounts: &[Account]) -> Vec<(Finding, Remedy)> {
    let access = Access::compute(accounts);
    let graph = Graph::new(&access);
    let settings = Settings::default();
    let findings = rules::check_all(&Audit {
        accounts,
        access: &access,
        graph: &graph,
        settings: &settings,
    });
    let ground = Ground {
        access: &access,
        graph: &graph,
        settings: &settings,
        findings: &findings,
    };
    let remedies: Vec<Remedy> = findings
        .iter()
        .map(|finding| remedy(&ground, finding))
        .collect();
    findings.into_iter().zip(remedies).collect()
}

#[test]
fn zz_show() {
    let mut scenarios: Vec<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    scenarios.sort();
    for scenario in scenarios {
        for (finding, remedy) in remedies(&read(&scenario)) {
            if remedy.plan.is_none() && !["queue-feedback-loop", "direct-user-policy", "overbroad-wildcard", "can-self-grant"].contains(&finding.rule) { continue; }
            println!("{scenario} {} [{}] {}", finding.rule, finding.severity, finding.title);
            match &remedy.proof {
                Proof::Proved(_) => println!("   PROVED"),
                Proof::Unproved(reasons) => println!("   {} {reasons:#?}", if remedy.plan.is_some() {"UNPROVED"} else {"none"}),
            }
        }
    }
}
