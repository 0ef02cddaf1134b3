//! The action: its scripts run as GitHub runs them, with a patscan that ends as the test wants.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::{compiled_in, document, scan, text};

fn steps() -> Vec<Value> {
    let action = document("github/action.yml");
    action["runs"]["steps"].as_array().unwrap().clone()
}

fn step(name: &str) -> Value {
    let mut steps = steps().into_iter();
    steps
        .find(|step| step["name"] == name)
        .unwrap_or_else(|| panic!("no step `{name}`"))
}

/// A folder in which the scripts of steps run.
struct Runner {
    folder: tempfile::TempDir,
}

impl Runner {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A patscan that notes its arguments and ends with an exit code.
    fn patscan(&self, code: i32) -> PathBuf {
        let path = self.path("patscan");
        let noted = self.path("arguments");
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" > '{}'\nexit {code}\n",
            noted.display()
        );
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Runs the script of a step as `shell: bash` does; its exit code and what it put out.
    fn run(&self, step: &Value, environment: &[(&str, &str)]) -> (i32, BTreeMap<String, String>) {
        assert_eq!(step["shell"], "bash");
        let script = step["run"].as_str().unwrap();
        // What an expression holds could be a script as well.
        assert!(!script.contains("${{"), "{script}");
        let declared = step["env"].as_object().unwrap();
        for (name, _) in environment {
            assert!(declared.contains_key(*name), "{name}");
        }
        let (file, output) = (self.path("script"), self.path("output"));
        std::fs::write(&file, script).unwrap();
        std::fs::write(&output, "").unwrap();
        let run = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(file)
            .env("GITHUB_OUTPUT", &output)
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let put_out = std::fs::read_to_string(&output).unwrap();
        let put_out = put_out.lines().filter_map(|line| line.split_once('='));
        (
            run.status.code().unwrap(),
            put_out
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// Scans with a patscan that ends with a code: how the step ends, and what it puts out.
    fn scan(&self, code: i32, more: &[(&str, &str)]) -> (i32, BTreeMap<String, String>) {
        let binary = self.patscan(code);
        let sarif = self.path("patscan.sarif");
        let mut environment = vec![
            ("BINARY", binary.to_str().unwrap()),
            ("SARIF", sarif.to_str().unwrap()),
        ];
        environment.extend(more);
        self.run(&step("Scan"), &environment)
    }

    fn arguments(&self) -> Vec<String> {
        let noted = std::fs::read_to_string(self.path("arguments")).unwrap();
        noted.lines().map(str::to_owned).collect()
    }
}

#[test]
fn what_was_scanned_is_uploaded_and_judged_afterwards() {
    let runner = Runner::new();
    let sarif = runner.path("patscan.sarif").display().to_string();
    for code in [0, 1, 3] {
        let (ended, output) = runner.scan(code, &[]);
        assert_eq!(ended, 0, "the upload comes next");
        assert_eq!(output["exit-code"], code.to_string());
        assert_eq!(output["sarif"], sarif);
    }
    // There are no results to upload.
    let (ended, output) = runner.scan(2, &[]);
    assert_eq!((ended, output.contains_key("sarif")), (2, false));

    let judge = step("Judge");
    for (status, fail_on_findings, ends) in [
        ("0", "true", 0),
        ("1", "true", 1),
        ("1", "", 1),
        ("1", "false", 0),
        ("3", "true", 3),
        ("3", "false", 3),
    ] {
        let environment = [("STATUS", status), ("FAIL_ON_FINDINGS", fail_on_findings)];
        assert_eq!(
            runner.run(&judge, &environment).0,
            ends,
            "{status} {fail_on_findings}"
        );
    }
    // In this order.
    let names: Vec<String> = steps()
        .iter()
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        names.ends_with(&["Scan", "Upload the results", "Judge"].map(str::to_owned)),
        "{names:?}"
    );
}

#[test]
fn inputs_become_arguments_that_patscan_understands() {
    let runner = Runner::new();
    runner.scan(0, &[]);
    let plain = scan(&runner.arguments());
    assert!(plain.source.regions.is_empty());
    assert_eq!(plain.output.formats.len(), 1);
    assert!(!plain.output.exit_zero && !plain.output.allow_incomplete);

    runner.scan(
        0,
        &[
            ("REGIONS", "eu-west-1  us-east-1"),
            ("FAIL_ON", "high"),
            ("CONFIG", "a folder/patscan.toml; id"),
        ],
    );
    let arguments = runner.arguments();
    let all = scan(&arguments);
    assert_eq!(all.source.regions, ["eu-west-1", "us-east-1"]);
    assert_eq!(all.output.fail_on.as_deref(), Some("high"));
    assert!(
        arguments.contains(&"a folder/patscan.toml; id".to_owned()),
        "{arguments:?}"
    );
}

#[test]
fn what_others_wrote_is_pinned_by_commit() {
    let mut used = 0;
    let workflow = text("github/example-workflow.yml");
    for line in text("github/action.yml").lines().chain(workflow.lines()) {
        let Some((_, action)) = line.split_once("uses: ") else {
            continue;
        };
        if action.starts_with("OWNER/patscan/") {
            continue;
        }
        used += 1;
        let (_, commit) = action.split_once('@').unwrap();
        let (commit, version) = commit.split_once(" # v").unwrap();
        assert!(
            commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
            "{line}"
        );
        assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{line}");
    }
    assert_eq!(used, 4);
}

#[test]
fn the_example_asks_for_no_more_than_it_needs() {
    let workflow = document("github/example-workflow.yml");
    assert_eq!(workflow["permissions"], json!({}));
    let job = &workflow["jobs"]["scan"];
    let expected = json!({"contents": "read", "id-token": "write", "security-events": "write"});
    assert_eq!(job["permissions"], expected);
    let inputs = document("github/action.yml")["inputs"].clone();
    let given = job["steps"][1]["with"].as_object().unwrap();
    for name in given.keys() {
        assert!(inputs.get(name).is_some(), "{name}");
    }
    for (name, input) in inputs.as_object().unwrap() {
        assert!(
            input["required"] != true || given.contains_key(name),
            "{name}"
        );
    }
}

#[test]
fn it_is_built_from_all_that_is_compiled_in_with_the_oldest_rust_that_is_promised() {
    let kept = step("What patscan is built from");
    let script = kept["run"].as_str().unwrap();
    let build = step("Build patscan");
    let rust = format!("cargo +{}.", env!("CARGO_PKG_RUST_VERSION"));
    assert!(build["run"].as_str().unwrap().contains(&rust));
    let from: Vec<&str> = script
        .split("find ")
        .nth(1)
        .and_then(|rest| rest.split(" -type").next())
        .unwrap()
        .split(' ')
        .collect();
    assert!(from.contains(&"src") && from.contains(&"Cargo.lock"));
    let compiled = compiled_in();
    assert!(!compiled.is_empty());
    for path in compiled {
        let kept = from.iter().any(|start| path.starts_with(start));
        assert!(kept, "a change of {path} makes another binary");
    }
    // Credentials come after what is built.
    let names: Vec<Value> = steps().iter().map(|step| step["name"].clone()).collect();
    let place = |name: &str| names.iter().position(|one| one == name).unwrap();
    assert!(place("Build patscan") < place("Assume the role"));
}
