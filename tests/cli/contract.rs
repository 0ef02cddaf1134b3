//! The JSON outputs, read back through types that know the contract and nothing of the writer.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::without_time;
use crate::patscan::{Patscan, fixture, fixtures};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) schema: String,
    pub(crate) tool: Tool,
    pub(crate) generated_at: String,
    pub(crate) accounts: Vec<Account>,
    pub(crate) coverage: Coverage,
    pub(crate) summary: Summary,
    #[serde(default)]
    pub(crate) rules_off: Vec<String>,
    #[serde(default)]
    pub(crate) causes: Vec<Cause>,
    #[serde(default)]
    pub(crate) waiver_notes: Option<Vec<WaiverNote>>,
    #[serde(default)]
    pub(crate) baseline: Option<Baseline>,
    pub(crate) findings: Vec<Finding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) alias: Option<String>,
    pub(crate) partition: String,
    pub(crate) regions: Vec<String>,
    pub(crate) scanned_at: String,
    pub(crate) counts: Counts,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    pub(crate) users: usize,
    pub(crate) groups: usize,
    pub(crate) roles: usize,
    pub(crate) queues: usize,
    pub(crate) functions: usize,
    pub(crate) instances: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coverage {
    pub(crate) complete: bool,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) notes: Vec<Note>,
    pub(crate) skipped: Vec<Skipped>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gap {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) resource: Option<String>,
    pub(crate) error: String,
    pub(crate) effect: Effect,
    pub(crate) detail: String,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Effect {
    MayHide,
    MayOverstate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is read is what is checked")]
pub(crate) struct Note {
    account: String,
    region: String,
    service: String,
    resource: Option<String>,
    detail: String,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skipped {
    pub(crate) account: String,
    pub(crate) service: String,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
    info: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finding {
    pub(crate) id: String,
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) subject: Entity,
    pub(crate) principals: Vec<Principal>,
    pub(crate) resources: Vec<Resource>,
    #[serde(default)]
    pub(crate) more_resources: u64,
    pub(crate) verdict: Verdict,
    pub(crate) conditions: Vec<String>,
    pub(crate) evidence: Vec<Evidence>,
    #[serde(default)]
    pub(crate) more_evidence: u64,
    pub(crate) remedy: Remedy,
    pub(crate) fingerprint: String,
    #[serde(default)]
    pub(crate) audience: Option<String>,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) waiver: Option<Waiver>,
    pub(crate) change: String,
    #[serde(default)]
    pub(crate) first_seen: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiver {
    pub(crate) standing: String,
    pub(crate) owner: String,
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) expires: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cause {
    pub(crate) policy: String,
    pub(crate) statement: String,
    pub(crate) principals: usize,
    pub(crate) most_queues: u64,
    pub(crate) findings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaiverNote {
    pub(crate) waiver: usize,
    pub(crate) alarm: bool,
    pub(crate) text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    pub(crate) generated_at: String,
    pub(crate) gone: Vec<OldFinding>,
    pub(crate) not_covered: Vec<OldFinding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is read is what is checked")]
pub(crate) struct OldFinding {
    pub(crate) id: String,
    rule: String,
    severity: String,
    title: String,
    account: String,
    region: String,
    subject: Entity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entity {
    pub(crate) kind: String,
    pub(crate) arn: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Principal {
    pub(crate) kind: String,
    pub(crate) arn: String,
    pub(crate) workloads: Vec<Entity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resource {
    pub(crate) kind: String,
    pub(crate) arn: String,
    pub(crate) verdict: Verdict,
    pub(crate) grade: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Allowed,
    Conditional,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evidence {
    pub(crate) capability: String,
    pub(crate) resource: String,
    pub(crate) layer: String,
    pub(crate) policy: String,
    pub(crate) statement: String,
    pub(crate) effect: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remedy {
    pub(crate) summary: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Graph {
    schema: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    loops: Vec<Loop>,
    #[serde(default)]
    more: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    id: String,
    kind: String,
    label: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edge {
    from: String,
    to: String,
    kind: String,
    verdict: Verdict,
    conditions: Vec<String>,
    #[serde(default)]
    ways: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Loop {
    grade: String,
    path: Vec<String>,
}

/// Reads a report by the contract.
pub(crate) fn report(text: &str) -> Report {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn scenarios() -> Vec<String> {
    std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The severities of the contract, the gravest first.
const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "info"];

fn check_finding(finding: &Finding) {
    let context = &finding.id;
    assert!(SEVERITIES.contains(&&*finding.severity), "{context}");
    let hash = finding.id.strip_prefix(&format!("{}-", finding.rule));
    let hash = hash.unwrap_or_else(|| panic!("{context}"));
    assert!(
        hash.len() == 12 && hash.bytes().all(|byte| b"0123456789abcdef".contains(&byte)),
        "{context}"
    );
    for text in [&finding.title, &finding.detail, &finding.remedy.summary] {
        assert!(!text.is_empty(), "{context}");
    }
    assert_eq!(finding.account.len(), 12, "{context}");
    assert!(!finding.region.is_empty(), "{context}");
    assert!(!finding.subject.kind.is_empty() && !finding.subject.arn.is_empty());
    assert_eq!(finding.fingerprint.len(), 16, "{context}");
    assert!(
        finding
            .audience
            .as_deref()
            .is_none_or(|word| word == "auditor")
    );
    assert_eq!((&*finding.status, &*finding.change), ("open", "new"));
    assert_eq!(
        finding.verdict == Verdict::Conditional,
        !finding.conditions.is_empty(),
        "{context}: conditions and verdict belong together"
    );
    for principal in &finding.principals {
        assert!(!principal.kind.is_empty() && !principal.arn.is_empty());
        let kinds = [
            "auto-scaling-group",
            "crawler",
            "ecs-service",
            "function",
            "instance",
            "pipe",
            "pod-identity",
            "schedule",
            "service-account",
            "state-machine",
            "task",
        ];
        let known = |workload: &Entity| kinds.contains(&&*workload.kind);
        assert!(principal.workloads.iter().all(known), "{context}");
    }
    for resource in &finding.resources {
        assert!(
            !resource.kind.is_empty() && resource.arn.starts_with("arn:"),
            "{context}"
        );
        if resource.verdict == Verdict::Conditional {
            assert_ne!(resource.grade.as_deref(), Some("permitted"), "{context}");
        }
        let grades = [None, Some("wired"), Some("permitted"), Some("conditional")];
        assert!(grades.contains(&resource.grade.as_deref()), "{context}");
        assert_eq!(
            resource.grade.is_some(),
            ["queue-feedback-loop", "message-cycle"].contains(&&*finding.rule),
            "{context}: loops have a grade, and nothing else has"
        );
    }
    // What is only worth knowing has no statement to point to.
    assert!(
        finding.severity == "info" || !finding.evidence.is_empty(),
        "{context} has no proof"
    );
    for evidence in &finding.evidence {
        let layers = [
            "identity", "resource", "boundary", "scp", "rcp", "kms", "delivery",
        ];
        assert!(
            layers.contains(&&*evidence.layer),
            "{context}: {}",
            evidence.layer
        );
        assert!(["Allow", "Deny"].contains(&&*evidence.effect), "{context}");
        for text in [
            &evidence.capability,
            &evidence.resource,
            &evidence.policy,
            &evidence.statement,
        ] {
            assert!(!text.is_empty(), "{context}");
        }
    }
}

#[test]
fn every_report_keeps_the_contract() {
    for scenario in scenarios() {
        let run = Patscan::new(["analyze", "-f", "json"])
            .arg(fixture(&scenario))
            .run();
        let report = report(&run.stdout);
        assert_eq!(report.schema, "patscan.report/v1");
        assert_eq!(report.tool.name, "patscan");
        assert_eq!(report.tool.version, env!("CARGO_PKG_VERSION"));
        for time in [&report.generated_at, &report.accounts[0].scanned_at] {
            assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
        }
        let count = |severity: &str| {
            let of = |finding: &&Finding| finding.severity == severity;
            report.findings.iter().filter(of).count()
        };
        let [critical, high, medium, low, info] = SEVERITIES.map(count);
        let summary = Summary {
            critical,
            high,
            medium,
            low,
            info,
        };
        assert_eq!(report.summary, summary, "{scenario}");
        let ids: BTreeSet<_> = report.findings.iter().map(|one| &one.id).collect();
        assert_eq!(
            ids.len(),
            report.findings.len(),
            "{scenario}: ids are unique"
        );
        report.findings.iter().for_each(check_finding);
        assert!(report.rules_off.is_empty());
        for cause in &report.causes {
            assert!(!cause.policy.is_empty() && !cause.statement.is_empty());
            assert!(cause.findings.len() >= 3 && cause.findings.iter().all(|id| ids.contains(id)));
            assert!(cause.principals > 0 && cause.most_queues > 0, "{scenario}");
        }
        assert!(report.waiver_notes.is_none() && report.baseline.is_none());
        for gap in &report.coverage.gaps {
            for text in [
                &gap.account,
                &gap.region,
                &gap.service,
                &gap.operation,
                &gap.error,
                &gap.detail,
            ] {
                assert!(!text.is_empty(), "{scenario}");
            }
        }
        let hides = |gap: &Gap| gap.effect == Effect::MayHide;
        assert_eq!(
            report.coverage.complete,
            !report.coverage.gaps.iter().any(hides)
        );
    }
}

#[test]
fn the_demo_says_what_it_looked_at() {
    let run = Patscan::new(["demo", "-f", "json"]).run();
    let report = report(&run.stdout);
    let account = &report.accounts[0];
    assert_eq!((&*account.id, &*account.partition), ("111122223333", "aws"));
    assert_eq!(account.alias.as_deref(), Some("acme-shop"));
    let counts = Counts {
        users: 2,
        groups: 1,
        roles: 9,
        queues: 6,
        functions: 3,
        instances: 2,
    };
    assert_eq!(account.counts, counts);
}

#[test]
fn two_runs_over_one_snapshot_differ_in_their_time_only() {
    for scenario in scenarios() {
        let run = || {
            let arguments = ["analyze", "-f", "json"];
            Patscan::new(arguments).arg(fixture(&scenario)).run().stdout
        };
        let (first, second) = (run(), run());
        assert_eq!(without_time(&first), without_time(&second));
        assert!(first.lines().count() - without_time(&first).lines().count() == 1);
    }
}

#[test]
fn every_graph_keeps_the_contract() {
    for scenario in scenarios() {
        let run = Patscan::new(["graph", "--snapshot"])
            .arg(fixture(&scenario))
            .run();
        let graph: Graph = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(graph.schema, "patscan.graph/v1");
        let ids: BTreeSet<_> = graph.nodes.iter().map(|node| &node.id).collect();
        assert_eq!(ids.len(), graph.nodes.len(), "{scenario}: nodes are unique");
        for node in &graph.nodes {
            assert!(
                !node.kind.is_empty() && !node.label.is_empty(),
                "{}",
                node.id
            );
        }
        for edge in &graph.edges {
            assert!(ids.contains(&edge.from) && ids.contains(&edge.to));
            let kinds = [
                "send",
                "receive",
                "delete",
                "purge",
                "administer",
                "runs-as",
                "assumes",
                "escalates",
                "delivers",
                "redrives",
                "publish",
                "put-object",
                "put-events",
                "put-record",
                "invoke",
                "start",
            ];
            assert!(kinds.contains(&&*edge.kind), "{}", edge.kind);
            assert_eq!(edge.kind == "escalates", !edge.ways.is_empty());
            assert_eq!(
                edge.verdict == Verdict::Conditional,
                !edge.conditions.is_empty()
            );
        }
        assert!(
            graph.more.is_empty(),
            "{scenario}: nothing is left out of small graphs"
        );
        for found in &graph.loops {
            assert!(["wired", "permitted", "conditional"].contains(&&*found.grade));
            assert_eq!(found.path.first(), found.path.last());
            assert!(
                found.path.iter().all(|id| ids.contains(id)),
                "{:?}",
                found.path
            );
        }
    }
}

#[test]
fn a_graph_is_the_same_on_standard_output_and_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graph.json");
    let graph = || Patscan::new(["graph", "--snapshot"]).arg(fixture("feedback-loop"));
    let printed = graph().run();
    let written = graph()
        .arg("-f")
        .arg(format!("json={}", file.display()))
        .run();
    assert_eq!((printed.code, written.code), (0, 0));
    assert_eq!(written.stdout, "");
    assert_eq!(std::fs::read_to_string(file).unwrap(), printed.stdout);
}

#[test]
fn services_left_out_are_named_and_leave_the_report_complete() {
    let aws = crate::emulator::Canned::start(|_| None);
    let services = [
        "apigateway",
        "autoscaling",
        "ec2",
        "ecs",
        "eks",
        "events",
        "glue",
        "iot",
        "kms",
        "lambda",
        "organizations",
        "pipes",
        "s3",
        "scheduler",
        "sns",
        "states",
    ];
    // Letter case does not matter.
    let skip = services.map(|service| ["--skip".to_owned(), service.to_uppercase()]);
    let run = Patscan::new(["-f", "json", "--endpoint-url", aws.url()])
        .with_credentials()
        .args(skip.iter().flatten())
        .run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let coverage = report(&run.stdout).coverage;
    assert!(coverage.complete);
    assert!(coverage.notes.is_empty());
    let skipped = services.map(|service| Skipped {
        account: crate::emulator::ACCOUNT.to_owned(),
        service: service.to_owned(),
    });
    assert_eq!(coverage.skipped, skipped);
}
