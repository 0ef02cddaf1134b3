//! The formats of security teams, validated against the schemas that they are published with (`fixtures/schemas`).

use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::assert_harmless;
use super::hostile::{MARKUP, hostile_account, hostile_file, marked_up};
use crate::emulator::Moto;
use crate::patscan::{Patscan, fixture, fixtures};

/// The published schemas, ready to be asked.
struct Published {
    schemas: Schemas,
    sarif: SchemaIndex,
    compliance: SchemaIndex,
    detection: SchemaIndex,
}

impl Published {
    fn read() -> Self {
        let mut schemas = Schemas::new();
        let mut compile = |name: &str| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fixtures/schemas")
                .join(name);
            let schema = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            let mut compiler = Compiler::new();
            // Dates and addresses are checked, not only said.
            compiler.enable_format_assertions();
            compiler.add_resource(name, schema).unwrap();
            compiler.compile(name, &mut schemas).unwrap()
        };
        let sarif = compile("sarif-2.1.0.json");
        let compliance = compile("ocsf-1.6.0-compliance-finding.json");
        let detection = compile("ocsf-1.6.0-detection-finding.json");
        Self {
            schemas,
            sarif,
            compliance,
            detection,
        }
    }

    fn check(&self, value: &Value, schema: SchemaIndex, whose: &str) {
        if let Err(error) = self.schemas.validate(value, schema) {
            panic!("{whose}: {error:#}");
        }
    }
}

/// The exports of one audit.
struct Exports {
    report: Value,
    sarif: Value,
    compliance: Vec<Value>,
    detection: Vec<Value>,
    asff: Vec<Value>,
}

impl Exports {
    fn of(snapshot: &Path, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let to = |format: &str, name: &str| format!("{format}={}", place(name).display());
        let run = Patscan::new(["analyze", "-f", "json"])
            .args([
                "-f",
                &to("sarif", "s"),
                "-f",
                &to("ocsf", "o"),
                "-f",
                &to("asff", "a"),
            ])
            .args(arguments)
            .arg(snapshot)
            .run();
        let lines = Patscan::new(["analyze", "-q", "--ocsf-class", "detection"])
            .args(["-f", &to("ocsf", "o.jsonl")])
            .args(arguments)
            .arg(snapshot)
            .run();
        assert_eq!(run.code, lines.code, "{} {}", run.stderr, lines.stderr);
        let read = |name: &str| {
            let text = std::fs::read_to_string(place(name)).unwrap();
            assert_harmless(&text);
            text
        };
        let json = |name: &str| serde_json::from_str(&read(name)).unwrap();
        let list = |name: &str| serde_json::from_str(&read(name)).unwrap();
        Self {
            report: run.json(),
            sarif: json("s"),
            compliance: list("o"),
            detection: read("o.jsonl")
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
            asff: list("a"),
        }
    }

    /// Every finding is in every export, by its id, and every export is as its schema says.
    fn check(&self, published: &Published, whose: &str) {
        published.check(&self.sarif, published.sarif, whose);
        for event in &self.compliance {
            published.check(event, published.compliance, whose);
        }
        for event in &self.detection {
            published.check(event, published.detection, whose);
        }
        let gone = self.report["baseline"]["gone"].as_array().into_iter();
        let gone: Vec<&Value> = gone.flatten().map(|finding| &finding["id"]).collect();
        let found = self.report["findings"].as_array().unwrap().iter();
        let found: Vec<&Value> = found.map(|finding| &finding["id"]).collect();
        let all: Vec<&Value> = found.iter().chain(&gone).copied().collect();
        for events in [&self.compliance, &self.detection] {
            let ids: Vec<&Value> = events
                .iter()
                .map(|one| &one["finding_info"]["uid"])
                .collect();
            assert_eq!(ids, all, "{whose}");
        }
        let ids: Vec<&Value> = self.asff.iter().map(|one| &one["Id"]).collect();
        assert_eq!(ids, all, "{whose}");
        let ids: Vec<&Value> = self
            .results()
            .iter()
            .map(|one| &one["partialFingerprints"]["patscanFindingId/v1"])
            .collect();
        assert_eq!(ids, found, "{whose}");
        for result in self.results() {
            let uri = result.pointer("/locations/0/physicalLocation/artifactLocation/uri");
            let uri = uri.unwrap().as_str().unwrap();
            let inner = uri.strip_prefix("aws/111122223333/");
            assert!(
                inner.and_then(|uri| uri.strip_suffix(".json")).is_some(),
                "{uri}"
            );
            assert_eq!(uri.split('/').count(), 5, "{uri}");
        }
    }

    fn results(&self) -> &Vec<Value> {
        self.sarif["runs"][0]["results"].as_array().unwrap()
    }
}

fn written(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn exports_of_every_fixture_are_as_their_schemas_say() {
    let published = Published::read();
    let mut results = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let scenario = entry.unwrap().file_name().into_string().unwrap();
        let config = fixtures().join(&scenario).join("patscan.toml");
        let config = config.display().to_string();
        let arguments: &[&str] = if Path::new(&config).is_file() {
            &["--config", &config]
        } else {
            &[]
        };
        let exports = Exports::of(&fixture(&scenario), arguments);
        exports.check(&published, &scenario);
        results += exports.results().len();
    }
    assert!(results > 100, "{results}");
}

#[test]
fn a_schema_tells_what_is_wrong() {
    let published = Published::read();
    let mut exports = Exports::of(&fixture("demo"), &[]);
    let spoiled = |value: &Value, schema| published.schemas.validate(value, schema).is_err();
    exports.sarif["runs"][0]["invocations"][0]["endTimeUtc"] = json!("yesterday");
    assert!(spoiled(&exports.sarif, published.sarif));
    exports.compliance[0]["severity_id"] = json!(7);
    assert!(spoiled(&exports.compliance[0], published.compliance));
    exports.detection[0]["compliance"] = json!({});
    assert!(spoiled(&exports.detection[0], published.detection));
}

#[test]
fn names_that_act_on_readers_stay_text() {
    let published = Published::read();
    let (folder, snapshot) = hostile_file(&hostile_account());
    let exports = Exports::of(&snapshot, &[]);
    assert!(!exports.asff.is_empty());
    exports.check(&published, "hostile");

    let mut account = hostile_account();
    marked_up(&mut account, &MARKUP);
    let (_marked_up, snapshot) = hostile_file(&account);
    let exports = Exports::of(&snapshot, &[]);
    exports.check(&published, "marked up");
    for name in MARKUP {
        let arn = format!("arn:aws:iam::111122223333:role/{name}");
        let named = |events: &[Value], pointer: &str| {
            let mut events = events.iter();
            assert!(
                events.any(|one| one.pointer(pointer) == Some(&json!(arn))),
                "{name} at {pointer}"
            );
        };
        named(&exports.compliance, "/resources/0/uid");
        named(&exports.detection, "/resources/0/uid");
    }

    let name = "<img src=x onerror=alert(1)> [a](b) {0} | `c` =1+1";
    let demo = std::fs::read_to_string(fixture("demo")).unwrap();
    let snapshot = written(
        &folder,
        "markup.json",
        &demo.replace("orders-processor", name),
    );
    let exports = Exports::of(&snapshot, &[]);
    exports.check(&published, "markup");
    let about = |value: &&Value| value.to_string().contains("onerror");
    let result = exports.results().iter().find(about).unwrap();
    let text = result["message"]["text"].as_str().unwrap();
    assert!(text.contains("\\[a\\](b) {{0}}"), "{text}");
    let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert!(
        !uri.as_str().unwrap().contains(['<', '>', ' ', '(', '{']),
        "{uri}"
    );
    let event = exports.compliance.iter().find(about).unwrap();
    assert!(event["message"].as_str().unwrap().contains(name));
}

#[test]
fn what_is_known_of_findings_is_in_the_exports() {
    const LOOP: &str = "queue-feedback-loop-f4e8ccf2e7b3";
    let published = Published::read();
    let folder = tempfile::tempdir().unwrap();
    let demo = fixture("demo");
    let baseline = Patscan::new(["analyze", "-q", "-f", "json"])
        .arg(&demo)
        .run();
    let mut report = baseline.json();
    let findings = report["findings"].as_array_mut().unwrap();
    let mut gone = findings[0].clone();
    gone["id"] = json!("public-queue-000000000000");
    gone["first_seen"] = json!("2026-01-02T03:04:05Z");
    let new = findings.remove(0);
    findings.push(gone);
    let baseline = written(&folder, "baseline.json", &report.to_string());
    let waivers = format!(
        "[[waiver]]\nid = \"{LOOP}\"\nowner = \"orders\"\nreason = \"a <b>retry</b> queue\"\nexpires = 2999-01-01\n"
    );
    let waivers = written(&folder, "waivers.toml", &waivers);
    let [baseline, waivers] = [baseline, waivers].map(|path| path.display().to_string());
    let exports = Exports::of(&demo, &["--baseline", &baseline, "--waivers", &waivers]);
    exports.check(&published, "known");

    let states = exports.results().iter().map(|result| {
        let id = result["partialFingerprints"]["patscanFindingId/v1"].clone();
        (id, result["baselineState"].clone())
    });
    for (id, state) in states {
        let wanted = if id == new["id"] { "new" } else { "unchanged" };
        assert_eq!(state, wanted, "{id}");
    }
    let waived = exports
        .results()
        .iter()
        .filter(|one| one["suppressions"] != json!([]));
    let waived: Vec<&Value> = waived.collect();
    assert_eq!(waived.len(), 1);
    let justification = &waived[0]["suppressions"][0]["justification"];
    assert_eq!(
        justification,
        "orders: a <b>retry</b> queue (until 2999-01-01)"
    );

    let event = |id: &str| {
        let mut events = exports.compliance.iter();
        events.find(|one| one["finding_info"]["uid"] == id).unwrap()
    };
    assert_eq!(event(LOOP)["status_id"], 3);
    assert_eq!(event(LOOP)["type_uid"], 200_302);
    assert_eq!(event(new["id"].as_str().unwrap())["type_uid"], 200_301);
    let closed = event("public-queue-000000000000");
    assert_eq!(closed["type_uid"], 200_303);
    assert_eq!(closed["status_id"], 4);
    assert_eq!(
        closed["finding_info"]["first_seen_time"],
        1_767_323_045_000_i64
    );
    let archived = exports.asff.last().unwrap();
    assert_eq!(archived["RecordState"], "ARCHIVED");
    assert_eq!(archived["CreatedAt"], "2026-01-02T03:04:05Z");
}

#[test]
fn security_hub_takes_the_findings_as_they_are_written() {
    // What is said to whom must be a place of AWS; the rest may be anything.
    let mut account = hostile_account();
    account["partition"] = json!("aws");
    account["regions"] = json!(["us-east-1"]);
    let (folder, hostile) = hostile_file(&account);
    let moto = Moto::start();
    for snapshot in [fixture("demo"), fixture("message-cycles"), hostile] {
        let findings = Exports::of(&snapshot, &[]).asff;
        let file = written(&folder, "findings.json", &json!(findings).to_string());
        let kept: Value = serde_json::from_str(&moto.seed_from("findings.py", &file)).unwrap();
        let kept = kept.as_array().unwrap();
        for finding in &findings {
            let same = kept.iter().find(|one| one["Id"] == finding["Id"]).unwrap();
            for (name, value) in finding.as_object().unwrap() {
                assert_eq!(&same[name], value, "{name}");
            }
        }
    }
}

#[test]
fn a_class_that_does_not_exist_is_answered_with_those_that_do() {
    let wrong = Patscan::new(["demo", "-f", "ocsf", "--ocsf-class", "incident"]).run();
    assert_eq!(
        wrong.failure(),
        "there is no OCSF class `incident`; choose `compliance` or `detection`"
    );
    let folder = tempfile::tempdir().unwrap();
    let config = written(
        &folder,
        "patscan.toml",
        "[output]\nformats = [\"ocsf\"]\nocsf-class = \"detection\"\n",
    );
    let run = Patscan::new(["demo", "-q", "--config"]).arg(&config).run();
    assert_eq!(run.json()[0]["class_uid"], 2004);
    let run = Patscan::new(["demo", "-q", "--config"])
        .arg(&config)
        .env("PATSCAN_OCSF_CLASS", "compliance")
        .run();
    assert_eq!(run.json()[0]["class_uid"], 2003);
}
