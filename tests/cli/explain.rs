//! `patscan explain`: its contract, how a finding is named, what is said of mistakes, and that nothing in it acts on a terminal.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::assert_harmless;
use super::contract::{Coverage, Entity, Evidence, Principal, Resource, Verdict};
use super::hostile::{hostile_account, hostile_file};
use crate::patscan::{Patscan, Run, audit, broken_pipe, fixture};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Explanation {
    schema: String,
    finding: Finding,
    why: String,
    path: Vec<String>,
    statements: Vec<Quote>,
    checked: Vec<String>,
    waiver: String,
    coverage: Coverage,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "that they are there, and nothing else is, is the contract"
)]
struct Finding {
    id: String,
    rule: String,
    severity: String,
    title: String,
    detail: String,
    account: String,
    region: String,
    subject: Entity,
    principals: Vec<Principal>,
    resources: Vec<Resource>,
    #[serde(default)]
    more_resources: u64,
    verdict: Verdict,
    conditions: Vec<String>,
    evidence: Vec<Evidence>,
    #[serde(default)]
    more_evidence: u64,
    remedy: Remedy,
    fingerprint: String,
    #[serde(default)]
    audience: Option<String>,
    status: String,
    change: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Remedy {
    summary: String,
    proved: bool,
    proof: Vec<String>,
    #[serde(default)]
    gist: String,
    #[serde(default)]
    steps: Vec<Step>,
    #[serde(default)]
    policies: Vec<Policy>,
    #[serde(default)]
    placements: Vec<Placement>,
    #[serde(default)]
    notes: Vec<String>,
    terraform: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    what: String,
    command: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    file: String,
    title: String,
    owner: String,
    document: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placement {
    workload: String,
    role: Option<String>,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quote {
    layer: String,
    policy: String,
    statement: String,
    effect: String,
    gives: Vec<Gives>,
    text: Option<String>,
    matched: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gives {
    capability: String,
    resources: Vec<String>,
}

fn explain(id: &str, snapshot: &Path) -> Patscan {
    Patscan::new(["explain", id, "--snapshot"]).arg(snapshot)
}

fn explained(id: &str, snapshot: &Path) -> Explanation {
    let run = explain(id, snapshot)
        .args(["-f", "json", "--allow-incomplete"])
        .run();
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{id}: {error}: {run:?}"))
}

fn ids(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let id = |finding: &Value| finding["id"].as_str().unwrap().to_owned();
    findings.map(id).collect()
}

fn demo(arguments: &[&str]) -> Run {
    Patscan::new(["explain"])
        .args(arguments)
        .arg("--demo")
        .run()
}

#[test]
fn every_finding_is_explained_as_the_contract_says() {
    let mut rules = BTreeSet::new();
    for scenario in ["demo", "message-cycles", "assumable-loop", "malformed"] {
        for id in ids(&audit(scenario)) {
            let told = explained(&id, &fixture(scenario));
            assert_eq!(told.schema, "patscan.explain/v1");
            assert_eq!(told.finding.id, id);
            assert!(!told.why.is_empty() && !told.finding.remedy.summary.is_empty());
            let remedy = &told.finding.remedy;
            assert!(
                remedy.gist.is_empty() || !remedy.steps.is_empty(),
                "{}",
                remedy.gist
            );
            assert_eq!(told.coverage.complete, scenario != "malformed");
            check_statements(&told);
            check_remedy(&told);
            check_waiver(&told);
            let has_way = matches!(
                told.finding.rule.as_str(),
                "message-cycle" | "assumable-loop"
            );
            assert!(!has_way || told.path.len() > 1, "{id}: {:?}", told.path);
            rules.insert(told.finding.rule);
        }
    }
    assert!(rules.len() > 6, "{rules:?}");
}

fn check_statements(told: &Explanation) {
    let id = &told.finding.id;
    for quote in &told.statements {
        let name = (&quote.policy, &quote.statement, &quote.layer, &quote.effect);
        assert!(!quote.gives.is_empty(), "{id}: {name:?}");
        for gives in &quote.gives {
            assert!(!gives.capability.is_empty() && !gives.resources.is_empty());
        }
        if quote.layer == "delivery" {
            continue;
        }
        let text = quote
            .text
            .as_ref()
            .unwrap_or_else(|| panic!("{id}: {name:?}"));
        let statement: Value = serde_json::from_str(text).unwrap();
        assert_eq!(statement["Effect"], quote.effect.as_str());
        assert!(!quote.matched.is_empty(), "{id}: {name:?} {text}");
        for part in &quote.matched {
            assert!(text.contains(part), "{id}: {part} in {text}");
        }
    }
    let sentences = told.path.iter().chain(&told.checked);
    for sentence in sentences {
        assert!(sentence.ends_with('.'), "{id}: {sentence}");
    }
}

fn check_remedy(told: &Explanation) {
    let remedy = &told.finding.remedy;
    assert!(!remedy.proof.is_empty());
    assert!(!remedy.proved || !remedy.steps.is_empty());
    assert_eq!(remedy.terraform.is_some(), !remedy.steps.is_empty());
    for step in &remedy.steps {
        // What no command of AWS does alone is a comment, which a shell passes over.
        assert!(!step.what.is_empty());
        assert!(step.command.starts_with("aws ") || step.command.starts_with("# "));
        assert!(!step.command.contains('\n'));
    }
    for policy in &remedy.policies {
        assert!(policy.document["Statement"].is_array() && policy.owner.starts_with("arn:"));
        assert!(!policy.title.is_empty());
        let reads = |step: &Step| step.command.contains(&policy.file);
        assert!(remedy.steps.iter().any(reads), "{}", policy.file);
    }
    for placement in &remedy.placements {
        assert!(placement.workload.starts_with("arn:") && !placement.why.is_empty());
        assert_ne!(placement.role.as_deref(), Some(""));
    }
    assert!(remedy.notes.iter().all(|note| note.ends_with('.')));
}

/// What is to be pasted is TOML, and names the finding and what it rests on.
fn check_waiver(told: &Explanation) {
    let file: toml::Table = told.waiver.parse().unwrap();
    let waiver = &file["waiver"][0];
    assert_eq!(waiver["id"].as_str(), Some(told.finding.id.as_str()));
    assert_eq!(
        waiver["evidence"].as_str(),
        Some(told.finding.fingerprint.as_str())
    );
    assert!(waiver["expires"].as_datetime().is_some());
    for blank in ["owner", "reason"] {
        assert_eq!(waiver[blank].as_str(), Some(""));
    }
}

#[test]
fn the_loop_of_the_demo_says_where_it_stands_and_what_to_do() {
    let told = explained("queue-feedback-loop-f4e8", &fixture("demo"));
    assert!(told.finding.remedy.proved);
    let marked: BTreeSet<&str> = told
        .statements
        .iter()
        .flat_map(|quote| &quote.matched)
        .map(String::as_str)
        .collect();
    let queue = "arn:aws:sqs:eu-west-1:111122223333:orders";
    let wanted = [
        "sqs:DeleteMessage",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        queue,
    ];
    assert_eq!(marked, BTreeSet::from(wanted));
    let placement = &told.finding.remedy.placements[0];
    assert_eq!(placement.role.as_deref(), Some("orders-processor"));
    assert_eq!(told.path.len(), 4);
    assert!(
        told.checked
            .iter()
            .any(|one| one.contains("NothingOutsideEurope"))
    );
}

#[test]
fn the_example_account_needs_no_snapshot() {
    let from_file = explain("queue-feedback-loop-f4e8", &fixture("demo")).run();
    let run = demo(&["queue-feedback-loop-f4e8"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, from_file.stdout);
    let both = demo(&["queue", "--profile", "prod"]);
    assert_eq!(both.code, 2, "{both:?}");
}

#[test]
fn an_id_that_is_none_is_answered_by_the_nearest() {
    let run = demo(&["queue-feedbak-loop-f4e8ccf2e7b3"]);
    let line = run.failure();
    assert!(
        line.contains("nearest ids are `queue-feedback-loop-f4e8ccf2e7b3`"),
        "{line}"
    );
    let run = demo(&["queue-feedback-loop"]);
    assert!(
        run.failure().contains("begins the ids of 3 findings"),
        "{run:?}"
    );
    let run = Patscan::new(["explain", "any", "--snapshot"])
        .arg(fixture("clean"))
        .run();
    assert!(run.failure().contains("finds nothing"), "{run:?}");
}

#[test]
fn an_incomplete_source_exits_3_unless_that_is_allowed() {
    let snapshot = fixture("malformed");
    let id = &ids(&audit("malformed"))[0];
    let run = explain(id, &snapshot).run();
    assert_eq!(run.code, 3);
    assert!(run.stdout.contains("INCOMPLETE"), "{}", run.stdout);
    assert_eq!(
        run.stderr,
        "exit 3: the source is incomplete (--allow-incomplete lifts this)\n"
    );
    let quiet = explain(id, &snapshot).arg("-q").run();
    assert_eq!((quiet.code, quiet.stderr.as_str()), (3, ""));
    assert_eq!(
        explain(id, &snapshot).arg("--allow-incomplete").run().code,
        0
    );
}

#[test]
fn files_and_broken_pipes_are_handled_as_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told.json");
    let mut format = OsStr::new("json=").to_owned();
    format.push(&file);
    let run = explain("queue-feedback-loop-f4e8", &fixture("demo"))
        .args([OsStr::new("-f"), &format])
        .run();
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
    let told: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(told["schema"], "patscan.explain/v1");
    let run = explain("queue-feedback-loop-f4e8", &fixture("demo"))
        .stdout(broken_pipe())
        .run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn hostile_names_are_harmless_in_every_explanation() {
    let (_folder, file) = hostile_file(&hostile_account());
    let report = Patscan::new(["analyze"])
        .arg(&file)
        .args(["-f", "json"])
        .run()
        .json();
    let ids = ids(&report);
    assert!(ids.len() > 3, "{ids:?}");
    for id in ids {
        let table = explain(&id, &file).arg("--allow-incomplete").run();
        assert_eq!(table.code, 0, "{table:?}");
        assert_harmless(&table.stdout);
        let json = explain(&id, &file)
            .args(["--allow-incomplete", "-f", "json"])
            .run();
        assert_harmless(&json.stdout);
        assert_eq!(json.json()["finding"]["id"], id.as_str());
    }
}

#[test]
fn what_was_checked_is_told_for_every_layer_and_what_was_not_read_as_well() {
    let queue = "arn:aws:sqs:eu-west-1:111122223333:orders";
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
    let boundary = "arn:aws:iam::111122223333:policy/Limit";
    let policy = |statements: Value| json!({"Version": "2012-10-17", "Statement": statements});
    let account = json!({"id": "111122223333", "partition": "aws", "regions": ["eu-west-1"],
        "scanned_at": "2026-01-31T08:00:00Z",
        "organization": {"membership": "member", "id": "o-1", "management_account": "999988887777",
            "service_controls": null, "resource_controls": []},
        "policies": [{"arn": boundary, "document": policy(json!([{"Sid": "Sqs", "Effect": "Allow",
            "Action": ["sqs:*", "kms:*"], "Resource": "*"}]))}],
        "roles": [{"arn": "arn:aws:iam::111122223333:role/app", "id": "AROA1", "boundary": boundary,
            "trust": policy(json!([{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole"}])),
            "inline": [{"name": "Own", "document": policy(json!([
                {"Sid": "Both", "Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
                    "Resource": queue},
                {"Sid": "Elsewhere", "Effect": "Deny", "Action": "sqs:SendMessage", "Resource": format!("{queue}-2")}]))}]}],
        "queues": [{"arn": queue, "url": "https://sqs.eu-west-1.amazonaws.com/111122223333/orders", "attributes": {
            "encryption": {"mode": "kms", "key": key},
            "policy": policy(json!([{"Sid": "Tls", "Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:role/other"},
                "Action": "sqs:*", "Resource": queue}]))}}],
        "keys": [{"arn": key, "aliases": [], "manager": "customer", "state": "Enabled", "grants": [],
            "policy": policy(json!([{"Sid": "Use", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"},
                "Action": "kms:*", "Resource": "*"}]))}]});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.json");
    let snapshot = json!({"schema": "patscan.snapshot/v1", "account": account});
    std::fs::write(&file, snapshot.to_string()).unwrap();
    let told = explained("queue-feedback-loop", &file);
    assert_eq!(
        told.checked,
        [
            "The permissions boundary Limit of role app allows it.",
            "No policy of role app denies any of these actions: the Deny Elsewhere of inline policy Own of role app concerns something else.",
            "The organization's service control policies could not be read: access can only be smaller than shown.",
            "The organization has no resource control policies in force.",
            "The policy of queue orders neither gives nor denies it: the Deny Tls concerns something else.",
            "The key of queue orders may be used as well, by the statements above.",
        ]
    );
    let layers: BTreeSet<&str> = told
        .statements
        .iter()
        .map(|one| one.layer.as_str())
        .collect();
    assert_eq!(layers, BTreeSet::from(["identity", "kms"]));
}

#[test]
fn a_baseline_tells_since_when_a_finding_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let report = Patscan::new(["demo", "-f", "json"]).run().stdout;
    std::fs::write(&file, report).unwrap();
    let run = Patscan::new([
        "explain",
        "queue-feedback-loop-f4e8",
        "--demo",
        "--baseline",
    ])
    .arg(&file)
    .run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stdout.contains("first seen 2026-11-01 08:00 UTC"),
        "{}",
        run.stdout
    );
    let run = Patscan::new([
        "explain",
        "queue-feedback-loop-f4e8",
        "--demo",
        "--baseline",
        "none.json",
    ])
    .run();
    assert!(run.failure().contains("none.json"), "{run:?}");
}

#[test]
fn a_waived_finding_says_who_accepts_it_until_when_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let waivers = folder.path().join("waivers.toml");
    let explain = |evidence: &str| {
        let text = format!(
            "[[waiver]]\nid = \"queue-feedback-loop-f4e8ccf2e7b3\"\nevidence = \"{evidence}\"\nowner = \"payments\"\n\
             reason = \"retries are bounded\"\nexpires = 2999-03-31\n"
        );
        std::fs::write(&waivers, text).unwrap();
        let run = Patscan::new(["explain", "--demo", "queue-feedback-loop-f4e8", "--waivers"])
            .arg(&waivers)
            .run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        run.stdout
    };
    let holds = explain("b0777ea3dfe7f7c1");
    let line = "  waived   until 2999-03-31, payments: retries are bounded\n";
    assert!(
        holds.contains(line) && !holds.contains("[[waiver]]"),
        "{holds}"
    );
    let lapsed = explain("0000000000000000");
    let line = "  waiver   lapsed: the policies behind this changed (owner payments)\n";
    assert!(
        lapsed.contains(line) && lapsed.contains("[[waiver]]"),
        "{lapsed}"
    );
    let missing = Patscan::new([
        "explain",
        "--demo",
        "queue-feedback-loop-f4e8",
        "--waivers",
        "nowhere.toml",
    ])
    .run();
    assert!(missing.failure().contains("`nowhere.toml`"));
}
