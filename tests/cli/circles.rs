//! Circles of messages in an account of an emulator, audited live.

use std::collections::BTreeSet;

use super::contract::report;
use crate::emulator::Moto;
use crate::patscan::Patscan;

#[test]
fn exactly_the_circles_of_an_account_are_shown_each_with_its_path() {
    let moto = Moto::start();
    moto.seed("circles.py");
    let run = Patscan::new(["--region", "eu-west-1", "-f", "json", "--endpoint-url"])
        .arg(moto.url())
        .with_credentials()
        .run();
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report = report(&run.stdout);
    assert!(report.coverage.complete);
    let circles: BTreeSet<(&str, &str)> = report
        .findings
        .iter()
        .filter(|finding| finding.rule == "message-cycle")
        .map(|finding| (finding.severity.as_str(), finding.detail.as_str()))
        .collect();
    assert_eq!(
        circles,
        BTreeSet::from([
            (
                "high",
                "queue images → function resizer → topic image-events → queue images."
            ),
            (
                "high",
                "queue ping → function ping → queue pong → function pong → queue ping."
            ),
            (
                "high",
                "queue uploads → function thumbnailer → bucket example-uploads → queue uploads."
            ),
        ])
    );
    let others: BTreeSet<&str> = report
        .findings
        .iter()
        .map(|finding| finding.rule.as_str())
        .filter(|rule| {
            !matches!(
                *rule,
                "message-cycle" | "queue-without-generator" | "queue-without-consumer"
            )
        })
        .collect();
    assert_eq!(others, BTreeSet::new());
}
