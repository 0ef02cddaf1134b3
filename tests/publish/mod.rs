//! Publishing through the real binary: against an emulator that keeps what it gets, and against servers that fail by plan.

mod command;
mod events;
mod objects;
mod permissions;
mod receiver;
mod security_hub;
mod webhooks;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::emulator::ACCOUNT;
use crate::patscan::{Patscan, Run, fixture};

/// The account that the fixtures are of.
const FIXTURE_ACCOUNT: &str = "111122223333";

/// A folder with a report of the example account, moved into the account of the emulators.
struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The example account in the account of the emulators, changed as a test wants it.
    fn snapshot(&self, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let text = std::fs::read_to_string(fixture("demo")).unwrap();
        let mut snapshot: Value =
            serde_json::from_str(&text.replace(FIXTURE_ACCOUNT, ACCOUNT)).unwrap();
        change(&mut snapshot["account"]);
        let path = self.path(name);
        std::fs::write(&path, snapshot.to_string()).unwrap();
        path
    }

    /// The report on it.
    fn report(&self, name: &str) -> PathBuf {
        let snapshot = self.snapshot(&format!("{name}.snapshot"), |_| {});
        self.report_on(name, &snapshot, &[])
    }

    fn report_on(&self, name: &str, snapshot: &Path, arguments: &[&str]) -> PathBuf {
        let path = self.path(name);
        let run = Patscan::new(["analyze", "-q", "-f"])
            .arg(format!("json={}", path.display()))
            .arg(snapshot)
            .args(arguments)
            .run();
        assert!(matches!(run.code, 0 | 1 | 3), "{run:?}");
        path
    }

    /// A report with something about it changed.
    fn edited(&self, report: &Path, name: &str, edit: impl FnOnce(&mut Value)) -> PathBuf {
        let mut value = json(report);
        edit(&mut value);
        let path = self.path(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Publishes a report with credentials of the emulators.
fn publish(report: &Path, to: &str, endpoint: &str, arguments: &[&str]) -> Run {
    Patscan::new(["publish", "--to", to, "--endpoint-url", endpoint])
        .arg(report)
        .args(arguments)
        .with_credentials()
        .run()
}

/// Publishes a report to a webhook, with nothing of AWS.
fn post(report: &Path, to: &str, arguments: &[&str]) -> Patscan {
    Patscan::new(["publish", "--to", to])
        .arg(report)
        .args(arguments)
}

/// The ids of the findings of a report, sorted.
fn ids(report: &Path) -> Vec<String> {
    let report = json(report);
    let mut ids: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}
