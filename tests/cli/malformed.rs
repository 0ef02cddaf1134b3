//! Documents that cannot be read: gaps that name them, and everything else audited as ever.

use super::contract::{Effect, report};
use crate::patscan::{Patscan, fixture};

#[test]
fn a_malformed_document_is_a_gap_that_names_it_and_the_rest_is_audited() {
    let run = Patscan::new(["analyze", "-f", "json"])
        .arg(fixture("malformed"))
        .run();
    assert_eq!(run.code, 3);
    let report = report(&run.stdout);
    assert!(!report.coverage.complete);
    let named = |resource: &str, document: &str| {
        let gap = report
            .coverage
            .gaps
            .iter()
            .find(|gap| gap.resource.as_deref() == Some(resource))
            .unwrap_or_else(|| panic!("no gap names {resource}"));
        assert_eq!(gap.effect, Effect::MayHide);
        assert!(gap.detail.contains(document), "{}", gap.detail);
    };
    named("arn:aws:iam::111122223333:role/mystery-worker", "Mystery");
    named("arn:aws:sqs:eu-west-1:111122223333:torn", "own policy");
    let rules: Vec<_> = report
        .findings
        .iter()
        .map(|finding| finding.rule.as_str())
        .collect();
    for rule in ["direct-user-policy", "public-queue", "queue-feedback-loop"] {
        assert!(rules.contains(&rule), "{rules:?}");
    }
}

#[test]
fn the_table_names_a_malformed_document_too() {
    let run = Patscan::new(["analyze"]).arg(fixture("malformed")).run();
    assert!(run.stdout.contains("INCOMPLETE"));
    assert!(run.stdout.contains("Mystery"), "{}", run.stdout);
    assert!(run.stdout.contains("eu-west-1/torn"), "{}", run.stdout);
}
