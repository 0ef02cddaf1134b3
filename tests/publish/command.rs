//! `patscan publish` as a command: what it takes, what it refuses, and in which words.

use super::{Workshop, post};
use crate::emulator::Canned;
use crate::patscan::{Patscan, audit, fixture, fixtures};
use patscan::report::{Format, Style, write};

#[test]
fn what_is_no_report_is_told_with_what_to_do() {
    let workshop = Workshop::new();
    let snapshot = fixture("demo");
    let run = post(&snapshot, "https://example.com/", &[]).run();
    assert!(
        run.failure()
            .ends_with("--publish DEST` audits and publishes it"),
        "{run:?}"
    );
    let text = workshop.path("text");
    std::fs::write(&text, "no report").unwrap();
    let run = post(&text, "https://example.com/", &[]).run();
    assert!(
        run.failure().ends_with("make one with `-f json=FILE`"),
        "{run:?}"
    );
    let run = post(&workshop.path("missing"), "https://example.com/", &[]).run();
    assert!(run.failure().ends_with("check the path"), "{run:?}");
    let newer = workshop.edited(&workshop.report("report.json"), "newer.json", |report| {
        report["findings"][0]["rule"] = "from-tomorrow".into();
    });
    let run = post(&newer, "https://example.com/", &[]).run();
    assert!(
        run.failure()
            .contains("the rule `from-tomorrow`, which this version of patscan does not know")
    );
}

#[test]
fn the_report_on_any_account_can_be_read_back() {
    for folder in std::fs::read_dir(fixtures()).unwrap() {
        let scenario = folder.unwrap().file_name().into_string().unwrap();
        if !fixture(&scenario).is_file() {
            continue;
        }
        let written = audit(&scenario);
        let report = patscan::report::read(written.to_string().as_bytes());
        let report = report.unwrap_or_else(|error| panic!("{scenario}: {error}"));
        let mut again = Vec::new();
        write(&report, Format::Json, Style::default(), &mut again).unwrap();
        let again: serde_json::Value = serde_json::from_slice(&again).unwrap();
        assert_eq!(again, written, "{scenario}");
    }
}

#[test]
fn calls_are_logged_without_what_they_say() {
    let aws = Canned::start(|_| None);
    let workshop = Workshop::new();
    let run = super::publish(
        &workshop.report("report.json"),
        "eventbridge:audit",
        aws.url(),
        &["-vv"],
    );
    assert_eq!(run.code, 2);
    let line = run
        .stderr
        .lines()
        .find(|line| line.contains("PutEvents"))
        .unwrap();
    assert!(
        line.contains("us-east-1") && line.contains("InvalidAction"),
        "{line}"
    );
    assert!(
        !run.stderr.contains("message_id") && !run.stderr.contains("secret"),
        "{run:?}"
    );
}

#[test]
fn a_report_comes_from_standard_input_too() {
    let workshop = Workshop::new();
    let report = std::fs::read(workshop.report("report.json")).unwrap();
    let receiver = super::receiver::Receiver::start();
    let run = Patscan::new(["publish", "-", "--to", &receiver.url("/")])
        .stdin(&report)
        .run();
    assert_eq!((run.code, receiver.posted().len()), (0, 1), "{run:?}");
}

#[test]
fn mistakes_are_told_before_a_scan_begins() {
    let workshop = Workshop::new();
    let snapshot = workshop.snapshot("snapshot.json", |_| {});
    let state = workshop.path("not-a-list.json");
    std::fs::write(&state, "{}").unwrap();
    let state = state.to_str().unwrap();
    let snapshot_text = snapshot.to_str().unwrap();
    for (arguments, told) in [
        (
            &["--publish", "ftp://x"][..],
            "there is no such destination",
        ),
        (&["--publish", "http://example.com/token"], "TLS only"),
        (&["--publish", "env:NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
        (
            &[
                "--publish",
                "https://example.com/token",
                "--publish-min-severity",
                "urgent",
            ],
            "no severity `urgent`",
        ),
        (
            &[
                "--publish",
                "https://example.com/token",
                "--publish-state",
                state,
            ],
            "does not list what was published",
        ),
        (
            &[
                "--publish",
                "https://example.com/token",
                "--publish-state",
                snapshot_text,
            ],
            "would take the place of",
        ),
        (
            &[
                "--publish",
                "https://example.com/token",
                "--publish-state",
                "/nonexistent/x",
            ],
            "its folder does not exist",
        ),
        (
            &[
                "--publish",
                "https://example.com/token",
                "--webhook-secret-file",
                "/nonexistent/x",
            ],
            "check the path",
        ),
        (
            &[
                "--publish",
                "https://example.com/token",
                "--webhook-secret-file",
                "/dev/null",
            ],
            "is empty",
        ),
    ] {
        let run = Patscan::new(["analyze"])
            .arg(&snapshot)
            .args(arguments)
            .run();
        let failure = run.failure();
        assert!(failure.contains(told), "{arguments:?}: {failure}");
        assert!(!failure.contains("token"), "{failure}");
    }
    let run = Patscan::new(["analyze"])
        .arg(&snapshot)
        .args(["--publish-state", "x"])
        .run();
    assert_eq!(run.code, 2, "it means nothing without --publish");
}

#[test]
fn a_scan_that_was_not_asked_to_publish_calls_nothing_to_publish_with() {
    let aws = Canned::start(|_| None);
    let run = Patscan::new(["--endpoint-url", aws.url(), "--region", "eu-west-1", "-q"])
        .with_credentials()
        .run();
    assert!(matches!(run.code, 0 | 1 | 3), "{run:?}");
    for request in aws.received() {
        let call = request.call();
        assert!(
            !patscan::publish::CALLS
                .iter()
                .any(|publishing| publishing.operation == call),
            "{call}"
        );
    }
    assert!(!aws.received().is_empty());
}

#[test]
fn credentials_that_are_missing_keep_no_webhook_from_being_told() {
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let receiver = super::receiver::Receiver::start();
    let run = post(&report, "s3://audits", &["--to", &receiver.url("/"), "-q"]).run();
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .starts_with("error: s3://audits/: no AWS credentials were found; "),
        "{run:?}"
    );
    assert_eq!(receiver.posted().len(), 1);
}

#[test]
fn the_help_names_every_destination() {
    let run = Patscan::new(["publish", "--help"]).run();
    assert_eq!(run.code, 0);
    for word in [
        "securityhub",
        "s3://",
        "arn:aws:sns:",
        "eventbridge:",
        "https://",
        "slack+https://",
        "env:",
        "file:",
    ] {
        assert!(run.stdout.contains(word), "{word}");
    }
}
