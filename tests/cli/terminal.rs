//! How the program behaves between a terminal, pipes and files.

use std::fs::File;
use std::process::Command;

use crate::emulator::Canned;
use crate::patscan::{Patscan, broken_pipe, fixture};

#[test]
fn the_demo_at_80_columns() {
    let run = Patscan::new(["demo"]).run();
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80));
    insta::with_settings!({
        snapshot_path => "../snapshots",
        prepend_module_to_snapshot => false,
        filters => vec![(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "[time]")],
    }, {
        insta::assert_snapshot!("demo", run.stdout);
    });
}

#[test]
fn whoever_has_read_enough_may_go() {
    let demo = fixture("demo");
    let snapshot = demo.to_str().unwrap();
    for (arguments, code) in [
        (&["demo", "--exit-zero"][..], 0),
        (&["demo", "--exit-zero", "-f", "json"], 0),
        (&["analyze", snapshot], 1),
        (&["graph", "--snapshot", snapshot], 0),
        (&["rules"], 0),
        (&["rules", "public-queue"], 0),
        (&["iam-policy"], 0),
        (&["--help"], 0),
    ] {
        let run = Patscan::new(arguments).stdout(broken_pipe()).run();
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(
            !run.stderr.contains("error"),
            "{arguments:?}: {}",
            run.stderr
        );
        assert!(
            !run.stderr.contains("panicked"),
            "{arguments:?}: {}",
            run.stderr
        );
    }
}

#[test]
fn the_files_are_written_even_when_nobody_reads_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let output = format!("json={}", file.display());
    let run = Patscan::new(["demo", "-f", "table", "-f", &output])
        .stdout(broken_pipe())
        .run();
    assert_eq!(run.code, 1);
    assert!(std::fs::read_to_string(file).unwrap().ends_with("}\n"));
}

#[test]
fn nobody_reading_standard_error_changes_nothing() {
    let run = Patscan::new(["demo"]).stderr(broken_pipe()).run();
    assert_eq!(run.code, 1);
    assert_eq!(run.stdout, Patscan::new(["demo"]).run().stdout);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_standard_output_is_an_error() {
    for arguments in [&["demo"][..], &["rules"], &["iam-policy"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let run = Patscan::new(arguments).stdout(full).run();
        let error = run.failure();
        assert!(
            error.starts_with("cannot write to standard output: "),
            "{error}"
        );
        assert!(error.contains("No space left"), "{error}");
        assert!(
            error.ends_with("; check where it is redirected to"),
            "{error}"
        );
    }
}

#[test]
fn a_scan_shows_no_progress_where_there_is_no_terminal() {
    let aws = Canned::start(|_| None);
    let run = Patscan::new(["--endpoint-url", aws.url()])
        .with_credentials()
        .run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn every_call_can_be_logged_and_no_secret_with_it() {
    let aws = Canned::start(|_| None);
    let run = Patscan::new(["-vv", "--endpoint-url", aws.url()])
        .with_credentials()
        .env("AWS_SECRET_ACCESS_KEY", "hunter2")
        .run();
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("GetCallerIdentity"), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}

#[test]
fn nothing_is_coloured_off_a_terminal() {
    let run = Patscan::new(["demo"]).env("TERM", "xterm-256color").run();
    assert!(!run.stdout.contains('\u{1b}'));
}

/// What `patscan demo` prints on a terminal, made by util-linux's `script`.
#[cfg(target_os = "linux")]
fn on_a_terminal(variables: &[(&str, &str)]) -> String {
    let binary = env!("CARGO_BIN_EXE_patscan");
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(format!("'{binary}' demo --exit-zero"))
        .arg("/dev/null")
        .env_clear()
        .env("TERM", "xterm-256color")
        .env("PATH", "/usr/bin:/bin")
        .envs(variables.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_gets_colours_unless_it_does_not_want_them() {
    assert!(on_a_terminal(&[]).contains('\u{1b}'));
    assert!(
        on_a_terminal(&[("NO_COLOR", "")]).contains('\u{1b}'),
        "an empty value is none"
    );
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = on_a_terminal(&[variable]);
        assert!(
            shown.contains("CRITICAL") && !shown.contains('\u{1b}'),
            "{variable:?}"
        );
    }
}

#[test]
fn help_names_every_command_and_the_version_is_the_package_s() {
    let help = Patscan::new(["--help"]).run();
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for command in [
        "scan",
        "analyze",
        "demo",
        "graph",
        "simulate",
        "rules",
        "doctor",
        "iam-policy",
    ] {
        assert!(
            help.stdout.contains(&format!("\n  {command}")),
            "{}",
            help.stdout
        );
    }
    let version = Patscan::new(["--version"]).run();
    assert_eq!(
        version.stdout,
        concat!("patscan ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
