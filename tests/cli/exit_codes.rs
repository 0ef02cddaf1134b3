//! What the exit code says, and what standard error says of it.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::json;

use crate::patscan::{Patscan, Run, fixture};

fn analyze(scenario: &str, arguments: &[&str]) -> Run {
    analyze_file(&fixture(scenario), arguments)
}

fn analyze_file(snapshot: &Path, arguments: &[&str]) -> Run {
    let command = [OsStr::new("analyze"), snapshot.as_os_str()];
    Patscan::new(command.into_iter().chain(arguments.iter().map(OsStr::new))).run()
}

/// An account without findings in which one read failed.
fn incomplete_without_findings(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("incomplete.json");
    let snapshot = json!({"schema": "patscan.snapshot/v1", "account": {
        "id": "111122223333", "partition": "aws", "regions": ["eu-west-1"], "scanned_at": "2026-01-31T08:00:00Z",
        "coverage": {"gaps": [{"region": "eu-west-1", "service": "sqs", "operation": "ListQueues",
            "error": "AccessDenied", "effect": "may-hide", "detail": "queues are unknown"}]}}});
    std::fs::write(&file, snapshot.to_string()).unwrap();
    file
}

const INCOMPLETE: &str = "exit 3: the scan is incomplete (--allow-incomplete lifts this)\n";

#[test]
fn a_clean_account_exits_0_and_says_nothing_on_standard_error() {
    let run = analyze("clean", &[]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(!run.stdout.is_empty());
}

#[test]
fn findings_at_or_above_the_threshold_exit_1() {
    for (threshold, findings) in [
        ("critical", "2 findings"),
        ("high", "5 findings"),
        ("medium", "6 findings"),
        ("low", "8 findings"),
        ("info", "9 findings"),
    ] {
        let run = Patscan::new(["demo", "--fail-on", threshold]).run();
        assert_eq!(run.code, 1);
        let line = format!("exit 1: {findings} at or above {threshold} (--fail-on, --exit-zero)\n");
        assert_eq!(run.stderr, line);
    }
}

#[test]
fn findings_below_the_threshold_exit_0() {
    let run = analyze(
        "malformed",
        &["--allow-incomplete", "--fail-on", "critical"],
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        run.stdout.contains("direct-user-policy"),
        "but they are shown"
    );
}

#[test]
fn exit_zero_takes_findings_out_of_the_exit_code_and_leaves_them_in_the_report() {
    let shown = Patscan::new(["demo"]).run();
    let run = Patscan::new(["demo", "--exit-zero"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(run.stdout, shown.stdout);
}

#[test]
fn an_incomplete_scan_exits_3_also_when_there_are_findings() {
    let run = analyze("malformed", &[]);
    assert_eq!((run.code, run.stderr.as_str()), (3, INCOMPLETE));
    assert!(run.stdout.contains("queue-feedback-loop"));
}

#[test]
fn exit_zero_never_hides_that_a_scan_is_incomplete() {
    let run = analyze("malformed", &["--exit-zero"]);
    assert_eq!((run.code, run.stderr.as_str()), (3, INCOMPLETE));
}

#[test]
fn allow_incomplete_gives_way_to_findings() {
    let run = analyze("malformed", &["--allow-incomplete"]);
    assert_eq!(run.code, 1);
    let run = analyze("malformed", &["--allow-incomplete", "--exit-zero"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        run.stdout.contains("INCOMPLETE"),
        "the report still says it"
    );
}

#[test]
fn an_incomplete_scan_without_findings_never_looks_clean() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = incomplete_without_findings(folder.path());
    let run = analyze_file(&snapshot, &[]);
    assert_eq!((run.code, run.stderr.as_str()), (3, INCOMPLETE));
    assert!(run.stdout.contains("INCOMPLETE"), "{}", run.stdout);
    let run = analyze_file(&snapshot, &["--allow-incomplete"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn a_format_without_a_place_for_gaps_says_so_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let snapshot = incomplete_without_findings(folder.path());
    for (format, says) in [
        ("csv", true),
        ("jsonl", true),
        ("json", false),
        ("junit", false),
    ] {
        let run = analyze_file(&snapshot, &["-f", format]);
        assert_eq!(run.code, 3);
        let said = run.stderr.contains("has no place in it");
        assert_eq!(said, says, "{format}: {}", run.stderr);
    }
}

#[test]
fn quiet_changes_neither_the_exit_code_nor_the_report() {
    for (scenario, code) in [("clean", 0), ("demo", 1), ("malformed", 3)] {
        let run = analyze(scenario, &["--quiet"]);
        assert_eq!((run.code, run.stderr.as_str()), (code, ""));
        assert_eq!(run.stdout, analyze(scenario, &[]).stdout);
    }
}

#[test]
fn quiet_does_not_silence_errors() {
    let run = Patscan::new(["analyze", "-q", "nowhere.json"]).run();
    assert!(run.failure().contains("`nowhere.json`"));
}

#[test]
fn verbose_adds_the_causes_of_an_error() {
    let run = Patscan::new(["-v"]).run();
    assert_eq!(run.code, 2);
    let lines: Vec<_> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("error: no AWS credentials were found; "));
    assert!(lines.len() > 1, "{lines:?}");
    assert!(
        lines[1..]
            .iter()
            .all(|line| line.starts_with("  caused by: ")),
        "{lines:?}"
    );
}

#[test]
fn a_trusted_account_is_no_finding() {
    let external = |arguments: &[&str]| {
        let run = analyze("open-queues", arguments);
        run.stdout.matches("external-access").count()
    };
    assert!(external(&[]) > external(&["--trusted-account", "444455556666"]));
}

#[test]
fn a_graph_of_an_incomplete_account_exits_3_and_says_why() {
    let graph = || Patscan::new(["graph", "--snapshot"]).arg(fixture("malformed"));
    let run = graph().run();
    assert_eq!(run.code, 3);
    assert_eq!(
        run.stderr,
        "exit 3: the graph is incomplete (an audit of the same source says what is missing; --allow-incomplete lifts \
         this)\n"
    );
    let run = graph().arg("-q").run();
    assert_eq!((run.code, run.stderr.as_str()), (3, ""));
    let run = graph().arg("--allow-incomplete").run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}
