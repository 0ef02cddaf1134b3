//! What stands in `deploy/`: that it runs what patscan understands, with no more rights than it says, and judges it rightly.
//!
//! Nobody can start a cluster or a host's service manager in a test. What is tested instead is what each of them would do: the
//! command that it would start, in the order and with the exit codes that it goes by.

mod container;
mod github;
mod kubernetes;
mod systemd;
mod terraform;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use patscan::cli::{self, Cli, ScanArgs};
use patscan::publish::Destination;
use serde_json::Value;

use crate::emulator::programs;

/// Checks documents of Kubernetes by the schemas of its API, and brings a reader of YAML.
const KUBERNETES_VALIDATE: &str = "kubernetes-validate==1.37.0";

/// A file of `deploy/`.
fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(deployed(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What some arguments mean to a scan; where it would be published has been understood as well.
fn scan<S: AsRef<str>>(arguments: &[S]) -> ScanArgs {
    let words = ["patscan"]
        .into_iter()
        .chain(arguments.iter().map(AsRef::as_ref));
    let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    let Some(cli::Command::Scan(scan)) = cli.command else {
        panic!("no scan: {:?}", cli.command);
    };
    for destination in &scan.publishing.publish {
        Destination::parse(destination).unwrap_or_else(|error| panic!("{error}"));
    }
    *scan
}

/// The documents of a YAML file.
fn documents(name: &str) -> Vec<Value> {
    let output = Command::new(programs(KUBERNETES_VALIDATE).join("python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/documents.py"))
        .arg(deployed(name))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut files: serde_json::Map<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    let file = Path::new(name).file_name().unwrap().to_str().unwrap();
    serde_json::from_value(files.remove(file).unwrap()).unwrap()
}

fn document(name: &str) -> Value {
    let mut documents = documents(name);
    assert_eq!(documents.len(), 1, "{name}");
    documents.remove(0)
}

fn strings(value: &Value) -> Vec<&str> {
    let list = value.as_array().unwrap_or_else(|| panic!("{value}"));
    list.iter().map(|one| one.as_str().unwrap()).collect()
}

/// Paths from the top of the repository that the source includes from outside itself; some are only the beginning of one.
fn compiled_in() -> Vec<String> {
    let mut paths = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let outside = text.split("\"../../").skip(1);
            paths.extend(outside.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
    paths
}
