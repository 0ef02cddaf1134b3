//! `patscan.toml` and `PATSCAN_*`: what they say, what outranks what, and how mistakes are answered.

use std::path::Path;

use patscan::config::ConfigFile;
use serde_json::Value;
use tempfile::TempDir;

use crate::patscan::{Patscan, fixture};

/// A folder with a `patscan.toml`.
fn folder(toml: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("patscan.toml"), toml).unwrap();
    folder
}

/// An audit of the demo account, run inside a folder.
fn analyze(folder: &Path) -> Patscan {
    Patscan::new(["analyze"])
        .arg(fixture("demo"))
        .current_dir(folder)
}

fn rules_of(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect()
}

#[test]
fn the_file_is_found_upwards_and_said_so() {
    let folder = folder("[output]\nfail-on = \"critical\"\nformats = [\"json\"]");
    let inside = folder.path().join("a/b");
    std::fs::create_dir_all(&inside).unwrap();
    let run = analyze(&inside).run();
    assert_eq!(run.code, 1);
    let path = folder.path().canonicalize().unwrap().join("patscan.toml");
    assert!(
        run.stderr
            .starts_with(&format!("using {}\n", path.display())),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("at or above critical"));
    assert!(run.json()["findings"].is_array());
}

#[test]
fn arguments_outrank_variables_and_those_the_file() {
    let folder = folder("[output]\nfail-on = \"low\"");
    let at = |run: Patscan| {
        let stderr = run.run().stderr;
        let (_, after) = stderr.split_once("at or above ").unwrap();
        after.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(at(analyze(folder.path())), "low");
    let with_variable = || analyze(folder.path()).env("PATSCAN_FAIL_ON", "high");
    assert_eq!(at(with_variable()), "high");
    let with_argument = with_variable().args(["--fail-on", "critical"]);
    assert_eq!(at(with_argument), "critical");
}

#[test]
fn rules_are_switched_off_and_graded() {
    let folder = folder(
        "[rules.queue-feedback-loop]\nenabled = false\n[rules.direct-user-policy]\nseverity = \"critical\"",
    );
    let run = analyze(folder.path()).args(["-f", "json"]).run();
    let report = run.json();
    assert!(!rules_of(&report).contains(&"queue-feedback-loop"));
    assert_eq!(
        report["rules_off"],
        serde_json::json!(["queue-feedback-loop"])
    );
    let findings = report["findings"].as_array().unwrap();
    let direct = findings
        .iter()
        .find(|finding| finding["rule"] == "direct-user-policy")
        .unwrap();
    assert_eq!(direct["severity"], "critical");
    let table = analyze(folder.path()).run().stdout;
    assert!(
        table.contains("Switched off in the configuration and not checked: queue-feedback-loop"),
        "{table}"
    );
}

#[test]
fn a_parameter_changes_the_number_that_a_rule_goes_by() {
    let told = |toml: &str| {
        let folder = folder(toml);
        let report = Patscan::new(["analyze"])
            .arg(fixture("abandoned-queues"))
            .args(["-f", "json"])
            .current_dir(folder.path())
            .run()
            .json();
        let rules = rules_of(&report);
        rules
            .into_iter()
            .filter(|rule| *rule == "queue-without-consumer")
            .count()
    };
    assert!(told("") > 1);
    assert_eq!(told("[rules.queue-without-consumer]\none-by-one = 1"), 1);
}

#[test]
fn trusted_accounts_are_not_reported() {
    let folder = folder("trusted-accounts = [\"444455556666\"]");
    let external = |run: Patscan| {
        let report = run.args(["-f", "json"]).run().json();
        let rules = rules_of(&report);
        rules
            .into_iter()
            .filter(|rule| *rule == "external-access")
            .count()
    };
    let analyze = || Patscan::new(["analyze"]).arg(fixture("open-queues"));
    assert!(external(analyze()) > external(analyze().current_dir(folder.path())));
}

#[test]
fn mistakes_are_told_by_line_with_the_nearest_name() {
    for (toml, said) in [
        (
            "[output]\nfail-onn = \"high\"",
            "line 2: there is no key `fail-onn` in [output]; did you mean `fail-on`? There are also formats",
        ),
        (
            "[rules.queue-feedbak-loop]\nenabled = false",
            "line 1: there is no key `queue-feedbak-loop` in [rules]; did you mean `queue-feedback-loop`?",
        ),
        (
            "[rules.queue-without-consumer]\nenabled = true\none-by-won = 3",
            "line 3: there is no key `one-by-won` in [rules.queue-without-consumer]; did you mean `one-by-one`?",
        ),
        (
            "[output]\n\nfail-on = \"urgent\"",
            "line 3: there is no severity `urgent`; use critical, high, medium, low or info",
        ),
        (
            "[source]\nskip = [\"rds\"]",
            "line 2: `rds` cannot be skipped",
        ),
        ("trusted-accounts = [\"12\"]", "line 1: "),
        ("[rules.public-queue]\nenabled = \"no\"", "line 2: "),
        ("[output", "line 1: "),
    ] {
        let folder = folder(toml);
        let run = analyze(folder.path()).run();
        let failure = run.failure();
        assert!(failure.contains(said), "{failure}");
        assert!(failure.contains("patscan.toml"), "{failure}");
    }
}

#[test]
fn a_file_that_is_named_must_exist() {
    let run = Patscan::new(["demo", "--config", "no-such.toml"]).run();
    assert_eq!(
        run.failure(),
        "cannot read `no-such.toml`: there is no such file; check the path"
    );
    let run = Patscan::new(["demo"])
        .env("PATSCAN_CONFIG", "no-such.toml")
        .run();
    assert!(run.failure().contains("no-such.toml"));
}

#[test]
fn variables_that_mean_nothing_are_told() {
    let run = Patscan::new(["demo"]).env("PATSCAN_FAILON", "low").run();
    assert!(
        run.stderr
            .contains("PATSCAN_FAILON means nothing; PATSCAN_FAIL_ON does"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_demo_takes_a_file_only_when_it_is_named() {
    let folder = folder("[rules.public-queue]\nenabled = false");
    let demo = || Patscan::new(["demo"]).current_dir(folder.path());
    assert!(!demo().run().stdout.contains("Switched off"));
    let named = demo().args(["--config", "patscan.toml"]).run();
    assert!(named.stdout.contains("Switched off"));
}

#[test]
fn paths_of_the_file_are_relative_to_its_folder() {
    let folder = folder("[output]\nformats = [\"json=report.json\"]");
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    analyze(&inside).run();
    assert!(folder.path().join("report.json").is_file());
    assert!(!inside.join("report.json").exists());
}

/// The schema that editors use is made from the types that read the file.
#[test]
fn the_shipped_schema_is_up_to_date() {
    let made = serde_json::to_string_pretty(&ConfigFile::schema()).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/patscan.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let shipped = std::fs::read_to_string(&path).unwrap();
    assert!(
        shipped == made,
        "set UPDATE_SCHEMAS=1 and run this test to write {}",
        path.display()
    );
}
