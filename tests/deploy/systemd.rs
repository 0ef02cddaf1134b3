//! The service: run as systemd would, twice, with its folder of state in between.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{deployed, scan, text};
use crate::emulator::Moto;
use crate::patscan::{Patscan, Run};

/// The settings of a section of a unit, in order.
fn settings(unit: &str, section: &str) -> Vec<(String, String)> {
    let text = text(unit);
    let mut within = "";
    let mut settings = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            within = name.trim_end_matches(']');
        } else if within == section
            && !line.starts_with('#')
            && let Some((key, value)) = line.split_once('=')
        {
            settings.push((key.to_owned(), value.to_owned()));
        }
    }
    settings
}

fn of_service(key: &str) -> Vec<String> {
    settings("systemd/patscan.service", "Service")
        .into_iter()
        .filter(|(name, _)| name == key)
        .map(|(_, value)| value)
        .collect()
}

/// The variables of an environment file.
fn variables(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The words of a command, as systemd takes them apart.
fn words(command: &str, state: &Path) -> Vec<String> {
    let environment = variables(&text("systemd/environment"));
    let words = command
        .split(' ')
        .flat_map(|word| match word.strip_prefix('$') {
            Some(name) => environment[name].split(' ').collect(),
            None => vec![word],
        });
    words.map(|word| here(word, state)).collect()
}

/// A path of the host on this machine.
fn here(text: &str, state: &Path) -> String {
    let state = state.to_str().unwrap();
    text.replace("%S/patscan", state)
        .replace("/var/lib/patscan", state)
        .replace("/etc/patscan", deployed("systemd").to_str().unwrap())
}

/// A host on which the service is installed: `/etc/patscan` is the folder of the examples, the folder of state is a new one.
struct Host {
    state: tempfile::TempDir,
    moto: Moto,
}

impl Host {
    fn new() -> Self {
        Self {
            state: tempfile::tempdir().unwrap(),
            moto: Moto::start(),
        }
    }

    /// Starts the service: what it scanned, and whether the unit ended well.
    fn start(&self) -> (Run, bool) {
        let [command] = &of_service("ExecStart")[..] else {
            panic!("one command");
        };
        let command = words(command, self.state.path());
        assert_eq!(command[0], "/usr/local/bin/patscan");
        let mut patscan = Patscan::new(&command[1..])
            .with_credentials()
            .args(["--endpoint-url", &self.moto.url(), "--region", "eu-west-1"])
            .current_dir(self.state.path());
        for file in of_service("EnvironmentFile") {
            let path = here(file.strip_prefix('-').unwrap_or(&file), self.state.path());
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    for (name, value) in variables(&text) {
                        patscan = patscan.env(&name, here(&value, self.state.path()));
                    }
                }
                Err(error) => assert!(file.starts_with('-'), "{path}: {error}"),
            }
        }
        let run = patscan.run();
        let fine = run.code == 0
            || of_service("SuccessExitStatus")
                .iter()
                .any(|codes| codes.split(' ').any(|code| code == run.code.to_string()));
        if fine {
            for command in of_service("ExecStartPost") {
                let command = words(&command, self.state.path());
                // Where programs stand differs between systems.
                let program = Path::new(&command[0]).file_name().unwrap();
                let status = Command::new(program).args(&command[1..]).status();
                assert!(status.unwrap().success(), "{command:?}");
            }
        }
        (run, fine)
    }

    fn holds(&self, name: &str) -> bool {
        self.state.path().join(name).exists()
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_first_run_finds_and_the_second_finds_nothing_new() {
    let host = Host::new();
    host.moto.seed("violations.py");
    host.moto.seed("results.py");
    let (first, fine) = host.start();
    assert!(fine && first.code == 1, "{first:?}");
    assert!(host.holds("baseline.json") && host.holds("sent.json"));
    assert!(!host.holds("report.json"), "it became the baseline");

    let found = json(&host.state.path().join("baseline.json"));
    assert!(!found["findings"].as_array().unwrap().is_empty());
    let (second, fine) = host.start();
    assert!(fine && second.code == 0, "{second:?}");
    let found = json(&host.state.path().join("baseline.json"));
    for finding in found["findings"].as_array().unwrap() {
        assert_eq!(finding["change"], "unchanged", "{finding}");
    }
}

#[test]
fn a_run_that_could_not_publish_fails_and_leaves_the_baseline_alone() {
    let host = Host::new();
    host.moto.seed("violations.py");
    // There is no bucket.
    let (run, fine) = host.start();
    assert!(!fine && run.code == 2, "{run:?}");
    assert!(host.holds("report.json") && !host.holds("baseline.json"));
    assert!(!host.holds("baseline.env"));
}

#[test]
fn an_incomplete_run_fails_and_leaves_the_baseline_alone() {
    let host = Host::new();
    host.moto.seed("violations.py");
    host.moto.seed("results.py");
    host.moto.seed("unreadable.py");
    let (run, fine) = host.start();
    assert!(!fine && run.code == 3, "{run:?}");
    assert!(host.holds("report.json") && !host.holds("baseline.json"));
}

#[test]
fn the_service_and_its_examples_are_understood() {
    let command = words(&of_service("ExecStart")[0], Path::new("/var/lib/patscan"));
    let scan = scan(&command[1..]);
    assert_eq!(scan.publishing.publish.len(), 3);
    assert!(!scan.output.allow_incomplete && !scan.output.exit_zero);
    let config = deployed("systemd/patscan.toml");
    let demo = Patscan::new(["demo", "--config"]).arg(config).run();
    assert_eq!((demo.code, demo.stderr.contains("error")), (1, false));
}

#[test]
fn the_service_is_confined() {
    let service: BTreeMap<String, String> = settings("systemd/patscan.service", "Service")
        .into_iter()
        .collect();
    for (key, value) in [
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("CapabilityBoundingSet", ""),
        ("StateDirectory", "patscan"),
        ("StateDirectoryMode", "0700"),
        ("UMask", "0077"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
    ] {
        assert_eq!(service[key], value, "{key}");
    }
    assert_eq!(
        of_service("SystemCallFilter"),
        ["@system-service", "~@privileged @resources"]
    );
    for command in of_service("ExecStartPost") {
        assert!(command.starts_with('/') && !command.contains("/sh"));
    }
}

#[test]
fn the_timer_makes_up_for_what_it_missed() {
    let timer: BTreeMap<String, String> = settings("systemd/patscan.timer", "Timer")
        .into_iter()
        .collect();
    assert_eq!(timer["Persistent"], "yes");
    assert!(timer.contains_key("OnCalendar") && timer.contains_key("RandomizedDelaySec"));
    let install = settings("systemd/patscan.timer", "Install");
    assert_eq!(
        install,
        [("WantedBy".to_owned(), "timers.target".to_owned())]
    );
}
