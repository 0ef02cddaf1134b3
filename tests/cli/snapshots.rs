//! Snapshot files that cannot be read: each says what is wrong with it and how to get a better one.

use std::fs;
use std::path::Path;

use crate::patscan::{Patscan, fixture};

const MAKE_ONE: &str = "make one with `patscan --save-snapshot FILE`";

/// What is said of a file with this content, its name left out. All commands that take snapshots say the same, and an
/// existing report stays.
fn said_of(content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.json");
    fs::write(&file, content).unwrap();
    said_of_file(&file)
}

fn said_of_file(file: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    fs::write(&report, "from the last run").unwrap();
    let output = format!("json={}", report.display());
    let said: Vec<String> = [
        Patscan::new(["analyze", "-f", &output]).arg(file),
        Patscan::new(["-f", &output, "--snapshot"]).arg(file),
        Patscan::new(["graph", "-f", &output, "--snapshot"]).arg(file),
    ]
    .into_iter()
    .map(|patscan| patscan.run().failure().to_owned())
    .collect();
    assert!(said.iter().all(|one| *one == said[0]), "{said:?}");
    assert_eq!(fs::read_to_string(&report).unwrap(), "from the last run");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let name = format!("`{}`", file.display());
    assert!(said[0].contains(&name), "{}", said[0]);
    said[0].replace(&name, "it")
}

fn demo() -> Vec<u8> {
    fs::read(fixture("demo")).unwrap()
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = said_of_file(&folder.path().join("account.json"));
    assert!(said.starts_with("cannot read it: "), "{said}");
    assert!(
        said.ends_with("; name a file made with `patscan --save-snapshot FILE`"),
        "{said}"
    );
}

#[test]
fn a_folder_is_no_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let said = said_of_file(folder.path());
    assert!(
        said.ends_with("; name a file made with `patscan --save-snapshot FILE`"),
        "{said}"
    );
}

#[test]
fn an_empty_file_is_no_snapshot() {
    for content in [&b""[..], b" \n"] {
        assert_eq!(
            said_of(content),
            format!("it is not a patscan snapshot: it is empty; {MAKE_ONE}")
        );
    }
}

#[test]
fn what_is_not_json_is_no_snapshot() {
    for content in [
        &b"Resources:\n  Queue:\n"[..],
        b"[1, 2]",
        b"\"text\"",
        b"\xff\xfe\x00",
        b"{\"a\": tru}",
    ] {
        let said = said_of(content);
        assert!(said.starts_with("it is not a patscan snapshot: "), "{said}");
        assert!(said.ends_with(MAKE_ONE), "{said}");
        assert!(!said.contains("struct"), "names a type of ours: {said}");
    }
}

#[test]
fn a_report_is_no_snapshot() {
    let report = Patscan::new(["demo", "-f", "json"]).run().stdout;
    assert_eq!(
        said_of(report.as_bytes()),
        format!("it is not a patscan snapshot: its format is `patscan.report/v1`; {MAKE_ONE}")
    );
    let other = said_of(b"{}");
    assert_eq!(
        other,
        format!("it is not a patscan snapshot: it names no `schema`; {MAKE_ONE}")
    );
}

#[test]
fn a_snapshot_that_is_cut_short_is_said_to_be() {
    let whole = demo();
    for length in [1, whole.len() / 2, whole.len() - 3] {
        let said = said_of(&whole[..length]);
        assert!(
            said.starts_with("it is cut short (it ends at line "),
            "{said}"
        );
        assert!(
            said.ends_with("; copy it again or make a new one with `patscan --save-snapshot FILE`"),
            "{said}"
        );
    }
}

#[test]
fn a_compressed_snapshot_that_is_cut_short_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.json.zst");
    let aws = crate::emulator::Canned::start(|_| None);
    let run = Patscan::new(["--endpoint-url", aws.url(), "--save-snapshot"])
        .arg(&file)
        .with_credentials()
        .run();
    assert_eq!(run.code, 0, "{run:?}");
    let whole = fs::read(&file).unwrap();
    for length in [whole.len() / 2, whole.len() - 1, 8] {
        assert_eq!(
            said_of(&whole[..length]),
            "it is cut short (the compressed data ends in the middle); copy it again or make a new one with `patscan \
             --save-snapshot FILE`"
        );
    }
    let mut damaged = whole.clone();
    damaged[12] ^= 0xff;
    let said = said_of(&damaged);
    assert!(
        said.contains("it is not a patscan snapshot: ") || said.contains("cut short"),
        "{said}"
    );
}

#[test]
fn a_snapshot_of_a_newer_version_asks_for_an_update() {
    let newer = String::from_utf8(demo())
        .unwrap()
        .replace("snapshot/v1", "snapshot/v2");
    assert_eq!(
        said_of(newer.as_bytes()),
        "it has the format `patscan.snapshot/v2`, which is newer than this patscan understands \
         (`patscan.snapshot/v1`); update patscan"
    );
}

#[test]
fn a_snapshot_that_lacks_what_every_account_has_is_refused() {
    let said = said_of(br#"{"schema": "patscan.snapshot/v1", "account": {"id": "12"}}"#);
    assert!(said.starts_with("it is not a patscan snapshot: "), "{said}");
    assert!(said.ends_with(MAKE_ONE), "{said}");
}

#[test]
fn what_a_newer_version_added_is_passed_over() {
    let mut snapshot: serde_json::Value = serde_json::from_slice(&demo()).unwrap();
    snapshot["account"]["something_new"] = serde_json::json!([1]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.json");
    fs::write(&file, snapshot.to_string()).unwrap();
    let run = Patscan::new(["analyze"]).arg(file).run();
    assert_eq!(run.stdout, Patscan::new(["demo"]).run().stdout);
}
