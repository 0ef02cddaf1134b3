//! Files that are written: for their owner only, and never where somebody else's link leads.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::emulator::Canned;
use crate::patscan::{Patscan, fixture};

/// Runs everything that can write a file at this path, and calls back after each.
fn every_writer(path: &Path, mut written: impl FnMut(&str)) {
    let demo = fixture("demo");
    let demo = demo.to_str().unwrap();
    let report = path.with_file_name("input-report.json");
    let made = Patscan::new(["analyze", "-q", "--exit-zero", demo, "-f"])
        .arg(format!("json={}", report.display()))
        .run();
    assert_eq!(made.code, 0, "{made:?}");
    let finding = serde_json::from_slice::<serde_json::Value>(&fs::read(&report).unwrap()).unwrap();
    let finding = finding["findings"][0]["id"].as_str().unwrap().to_owned();
    let queue = "arn:aws:sqs:eu-west-1:111122223333:orders";
    let mut runs: Vec<Vec<String>> = Vec::new();
    let to = |format: &str| format!("{format}={}", path.display());
    let line = |words: &[&str]| {
        words
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    };
    for format in [
        "table", "json", "jsonl", "csv", "junit", "markdown", "sarif", "ocsf", "asff", "html",
    ] {
        runs.push(line(&["analyze", "-q", demo, "-f", &to(format)]));
    }
    for format in ["json", "dot", "mermaid", "svg", "html"] {
        runs.push(line(&[
            "graph",
            "-q",
            "--snapshot",
            demo,
            "-f",
            &to(format),
        ]));
    }
    for format in ["table", "json"] {
        runs.push(line(&["diff", "-q", demo, demo, "-f", &to(format)]));
        runs.push(line(&["rules", "-f", &to(format)]));
        runs.push(line(&[
            "explain",
            "-q",
            &finding,
            "--snapshot",
            demo,
            "-f",
            &to(format),
        ]));
        runs.push(line(&[
            "who-can",
            "-q",
            "send",
            queue,
            "--snapshot",
            demo,
            "-f",
            &to(format),
        ]));
    }
    for arguments in runs {
        let run = Patscan::new(&arguments).run();
        assert!(matches!(run.code, 0 | 1 | 3), "{arguments:?}: {run:?}");
        written(&arguments.join(" "));
    }
    let aws = Canned::start(|_| None);
    let run = Patscan::new(["-q", "--region", "eu-west-1", "--endpoint-url", aws.url()])
        .with_credentials()
        .arg("--save-snapshot")
        .arg(path)
        .run();
    assert_eq!(run.code, 0, "{run:?}");
    written("--save-snapshot");
    let run = Patscan::new([
        "publish",
        "-q",
        "--to",
        "https://127.0.0.1:9/hook",
        "--allow-incomplete",
    ])
    .arg(&report)
    .arg("--sent")
    .arg(path)
    .env("AWS_MAX_ATTEMPTS", "1")
    .run();
    assert!(run.stderr.contains("--sent") || run.code == 2, "{run:?}");
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn every_file_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out");
    every_writer(&file, |writer| {
        assert_eq!(mode(&file), 0o600, "{writer}");
        // What everybody could read before is not left so.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    });
}

#[test]
fn a_link_at_the_place_of_a_file_is_replaced_and_what_it_leads_to_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (victim, link) = (folder.path().join("victim"), folder.path().join("out"));
    let dangling = folder.path().join("dangling");
    fs::write(&victim, "somebody's").unwrap();
    for target in [&victim, &dangling] {
        symlink(target, &link).unwrap();
        every_writer(&link, |writer| {
            assert!(fs::symlink_metadata(&link).unwrap().is_file(), "{writer}");
            assert_eq!(mode(&link), 0o600, "{writer}");
            assert_eq!(fs::read(&victim).unwrap(), b"somebody's", "{writer}");
            assert!(!dangling.exists(), "{writer}");
            fs::remove_file(&link).unwrap();
            symlink(target, &link).unwrap();
        });
        fs::remove_file(&link).unwrap();
    }
}

#[test]
fn a_link_to_a_pipe_is_replaced_too() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, link) = (folder.path().join("pipe"), folder.path().join("out"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    symlink(&pipe, &link).unwrap();
    let run = Patscan::new(["demo", "-q", "--exit-zero", "-f"])
        .arg(format!("json={}", link.display()))
        .run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(fs::symlink_metadata(&link).unwrap().is_file());
}

#[test]
fn a_folder_may_be_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (real, linked) = (folder.path().join("real"), folder.path().join("linked"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &linked).unwrap();
    let run = Patscan::new(["demo", "-q", "--exit-zero", "-f"])
        .arg(format!("json={}", linked.join("out").display()))
        .run();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(mode(&real.join("out")), 0o600);
}

#[test]
fn where_the_system_keeps_links_to_its_devices_they_are_followed() {
    let run = Patscan::new(["demo", "-q", "--exit-zero", "-f", "json=/dev/stdout"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()["schema"], "patscan.report/v1");
}
