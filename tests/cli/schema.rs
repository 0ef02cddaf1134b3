//! `patscan schema`: what it prints is what is shipped, and what every fixture gives is as it says.

use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::patscan::{Patscan, fixture, fixtures};

/// The formats and where their schemas are shipped.
const SHIPPED: [(&str, &str); 5] = [
    ("report", "src/report/json/report.schema.json"),
    ("snapshot", "src/account/snapshot.schema.json"),
    ("graph", "src/report/graph/graph.schema.json"),
    ("config", "src/config/patscan.schema.json"),
    ("waivers", "src/triage/waivers.schema.json"),
];

fn printed(of: &str) -> String {
    let run = Patscan::new(["schema", of]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{of}");
    run.stdout
}

/// A schema that is ready to be asked.
struct Asked {
    schemas: Schemas,
    schema: SchemaIndex,
}

impl Asked {
    fn of(format: &str) -> Self {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        // Dates are checked, not only said.
        compiler.enable_format_assertions();
        let schema = serde_json::from_str(&printed(format)).unwrap();
        compiler.add_resource("own.json", schema).unwrap();
        let schema = compiler.compile("own.json", &mut schemas).unwrap();
        Self { schemas, schema }
    }

    fn takes(&self, value: &Value) -> bool {
        self.schemas.validate(value, self.schema).is_ok()
    }

    fn check(&self, value: &Value, whose: &str) {
        if let Err(error) = self.schemas.validate(value, self.schema) {
            panic!("{whose}: {error:#}");
        }
    }
}

fn scenarios() -> Vec<String> {
    let entries = std::fs::read_dir(fixtures()).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// A report with everything that is only sometimes in one: waivers, an earlier report, causes, rules that are off.
fn full_report() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let demo = fixture("demo");
    let mut earlier = Patscan::new(["analyze", "-q", "-f", "json"])
        .arg(&demo)
        .run()
        .json();
    let findings = earlier["findings"].as_array_mut().unwrap();
    let mut gone = findings[0].clone();
    gone["id"] = json!("public-queue-000000000000");
    findings.push(gone);
    std::fs::write(at("earlier.json"), earlier.to_string()).unwrap();
    std::fs::write(
        at("waivers.toml"),
        "[[waiver]]\nrule = \"queue-feedback-loop\"\nsubject = \"*\"\nowner = \"o\"\nreason = \"r\"\nexpires = 2999-01-01\n\
         [[waiver]]\nrule = \"public-queue\"\nsubject = \"nobody\"\nowner = \"o\"\nreason = \"r\"\nexpires = 2999-01-01\n",
    )
    .unwrap();
    std::fs::write(
        at("patscan.toml"),
        "[rules.unused-wildcard]\nenabled = false\n",
    )
    .unwrap();
    let run = Patscan::new(["analyze", "-q", "-f", "json", "--persona", "auditor"])
        .args([
            "--baseline",
            "earlier.json",
            "--waivers",
            "waivers.toml",
            "--config",
            "patscan.toml",
        ])
        .arg(demo)
        .current_dir(folder.path())
        .run();
    let report = run.json();
    for optional in ["rules_off", "waiver_notes", "baseline"] {
        assert!(!report[optional].is_null(), "{optional}: {}", run.stderr);
    }
    report
}

#[test]
fn every_shipped_schema_is_what_the_command_prints() {
    for (format, file) in SHIPPED {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let printed = printed(format);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&file, &printed).unwrap();
        }
        let shipped = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            shipped == printed,
            "set UPDATE_SCHEMAS=1 and run this test to write {}",
            file.display()
        );
        let schema: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
    }
}

#[test]
fn reports_graphs_and_snapshots_of_every_fixture_are_as_their_schemas_say() {
    let [report, snapshot, graph] = ["report", "snapshot", "graph"].map(Asked::of);
    for scenario in scenarios() {
        let file = fixture(&scenario);
        let run = Patscan::new(["analyze", "-q", "-f", "json"])
            .arg(&file)
            .run();
        report.check(&run.json(), &scenario);
        let run = Patscan::new(["graph", "-q", "--snapshot"]).arg(&file).run();
        graph.check(&run.json(), &scenario);
        let text = std::fs::read(&file).unwrap();
        snapshot.check(&serde_json::from_slice(&text).unwrap(), &scenario);
    }
    report.check(&full_report(), "with everything that is known");
    // Ways to act as somebody else are drawn with their actions.
    let graphs = "fixtures/graphs/ways-back.json";
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(graphs);
    let run = Patscan::new(["graph", "-q", "--snapshot"]).arg(file).run();
    graph.check(&run.json(), graphs);
}

#[test]
fn what_is_written_tomorrow_is_taken_today_and_what_is_wrong_is_not() {
    let asked = Asked::of("report");
    let report = full_report();
    let spoiled = |pointer: &str, value: Value| {
        let mut spoiled = report.clone();
        *spoiled.pointer_mut(pointer).unwrap() = value;
        !asked.takes(&spoiled)
    };
    assert!(spoiled("/schema", json!("patscan.report/v2")));
    assert!(spoiled("/findings/0/severity", json!("grave")));
    assert!(spoiled("/findings/0/principals", json!({})));
    assert!(spoiled("/findings/0/resources/0/verdict", json!("denied")));
    assert!(spoiled("/coverage/complete", json!("yes")));
    assert!(spoiled("/accounts/0", json!({"id": "111122223333"})));
    let mut newer = report.clone();
    for place in [
        "",
        "/accounts/0",
        "/coverage",
        "/findings/0",
        "/findings/0/subject",
    ] {
        let object = newer.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.insert("added_later".to_owned(), json!({"a": [1]}));
    }
    newer["findings"][0]["subject"]["kind"] = json!("mainframe");
    asked.check(&newer, "a newer report");

    let asked = Asked::of("snapshot");
    let mut snapshot: Value =
        serde_json::from_slice(&std::fs::read(fixture("demo")).unwrap()).unwrap();
    snapshot["account"]["roles"][0]["added_later"] = json!(true);
    asked.check(&snapshot, "a newer snapshot");
    snapshot["account"]["id"] = json!("12");
    assert!(!asked.takes(&snapshot));
}

#[test]
fn a_schema_that_does_not_exist_is_answered_by_the_nearest() {
    let run = Patscan::new(["schema", "reports"]).run();
    assert_eq!(
        run.failure(),
        "there is no schema of `reports`; did you mean `report`? There are report, snapshot, graph, config and waivers"
    );
}
