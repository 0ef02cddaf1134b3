//! Mistakes on the command line: each is answered by what would be right, before anything else happens.

use std::path::Path;

use crate::emulator::Canned;
use crate::patscan::{Patscan, fixture};

fn demo() -> String {
    fixture("demo").to_str().unwrap().to_owned()
}

/// Runs each command line and compares what is said of it.
fn answers(cases: &[(&[&str], &str)]) {
    for (arguments, message) in cases {
        let run = Patscan::new(*arguments).run();
        assert_eq!(run.failure(), *message, "{arguments:?}");
    }
}

/// What clap itself refuses may take several lines.
fn refused_by_the_parser(arguments: &[&str]) -> String {
    let run = Patscan::new(arguments).run();
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    assert!(run.stderr.contains("--help"), "{}", run.stderr);
    assert!(!run.stderr.contains("panicked"));
    run.stderr
}

#[test]
fn words_that_do_not_exist_are_answered_with_those_that_do() {
    answers(&[
        (
            &["demo", "-f", "xml"],
            "there is no format `xml`; choose `table`, `json`, `jsonl`, `csv`, `junit`, `markdown`, `sarif`, `ocsf`, `asff` or `html`",
        ),
        (
            &["graph", "-f", "png"],
            "there is no graph format `png`; choose `json`, `dot`, `mermaid`, `svg` or `html`",
        ),
        (
            &["graph", "-f", "svg="],
            "`svg=` names no file; write `-f svg=PATH`",
        ),
        (
            &["demo", "--fail-on", "urgent"],
            "there is no severity `urgent`; use critical, high, medium, low or info",
        ),
        (
            &["--skip", "rds"],
            "`rds` cannot be skipped: a scan does not read it; --skip takes apigateway, autoscaling, ec2, ecs, eks, events, glue, iot, kms, lambda, organizations, pipes, s3, scheduler, sns or states",
        ),
        (
            &["--skip", "sqs"],
            "`sqs` cannot be skipped: without it there is nothing to audit; --skip takes apigateway, autoscaling, ec2, ecs, eks, events, glue, iot, kms, lambda, organizations, pipes, s3, scheduler, sns or states",
        ),
        (
            &["rules", "queue-feedback-lop"],
            "there is no rule `queue-feedback-lop`; did you mean `queue-feedback-loop`? `patscan rules` lists them",
        ),
        (
            &["demo", "--trusted-account", "1234"],
            "--trusted-account takes an account id, and `1234` is none; an account id has twelve digits",
        ),
        (
            &["--external-id", "42"],
            "an external id belongs to a role that is assumed; give the role with --assume-role ARN",
        ),
        (
            &["--assume-role", "auditor"],
            "`auditor` is not the ARN of a role; write it as `arn:aws:iam::ACCOUNT:role/NAME`",
        ),
    ]);
}

#[test]
fn severities_are_read_in_any_case() {
    assert_eq!(Patscan::new(["demo", "--fail-on", "HIGH"]).run().code, 1);
}

#[test]
fn two_reports_for_one_place_are_refused() {
    answers(&[
        (
            &["demo", "-f", "json", "-f", "table"],
            "two formats go to standard output; give one of them a path of its own with `-f FORMAT=PATH`",
        ),
        (
            &["demo", "-f", "json=same", "-f", "table=./same"],
            "two formats go to `./same`; give one of them a path of its own with `-f FORMAT=PATH`",
        ),
        (
            &["demo", "-f", "json="],
            "`json=` names no file; write `-f FORMAT=PATH`, or `-f FORMAT` for standard output",
        ),
        (
            &["--save-snapshot", "same", "-f", "json=same"],
            "a report and the snapshot both go to `same`; give one of them a path of its own",
        ),
    ]);
    assert!(!Path::new("same").exists());
}

#[test]
fn nothing_takes_the_place_of_the_snapshot_that_it_is_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let snapshot = path("a.json");
    std::fs::copy(demo(), &snapshot).unwrap();
    std::fs::create_dir(path("sub")).unwrap();
    let mut other_names = vec![snapshot.clone(), path("./a.json"), path("sub/../a.json")];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path(), path("linked")).unwrap();
        std::os::unix::fs::symlink(&snapshot, path("link.json")).unwrap();
        other_names.extend([path("linked/a.json"), path("link.json")]);
    }
    for place in other_names {
        let output = format!("json={place}");
        let message = format!(
            "what comes out would take the place of `{place}`, which it is made from; give it a path of its own"
        );
        for arguments in [
            &["graph", "--snapshot", &snapshot, "-f", &output][..],
            &["analyze", &snapshot, "-f", &output],
            &["analyze", &demo(), &snapshot, "-f", "table", "-f", &output],
            &["scan", "--snapshot", &snapshot, "-f", &output],
            &[
                "who-can",
                "send",
                "orders",
                "--snapshot",
                &snapshot,
                "-f",
                &output,
            ],
        ] {
            let run = Patscan::new(arguments).run();
            assert_eq!(run.code, 2, "{arguments:?}");
            assert_eq!(run.failure(), message, "{arguments:?}");
        }
        assert_eq!(
            std::fs::read(&snapshot).unwrap(),
            std::fs::read(demo()).unwrap()
        );
    }
    let elsewhere = format!("json={}", path("b.json"));
    assert_eq!(
        Patscan::new(["graph", "--snapshot", &snapshot, "-f", &elsewhere])
            .run()
            .code,
        0
    );
}

#[test]
fn what_the_parser_refuses_exits_2_and_names_the_help() {
    for (arguments, named) in [
        (&["demo", "--colour"][..], "--colour"),
        (&["audit"], "audit"),
        (
            &["--snapshot", "a.json", "--profile", "production"],
            "--profile",
        ),
        (
            &["--snapshot", "a.json", "--save-snapshot", "b.json"],
            "--save-snapshot",
        ),
        (
            &["--snapshot", "a.json", "--region", "eu-west-1"],
            "--region",
        ),
        (&["analyze"], "<FILE>"),
        (&["demo", "-q", "-v"], "--verbose"),
        (&["demo", "--fail-on"], "--fail-on"),
        (
            &["graph", "--queue", "orders", "--principal", "app"],
            "--principal",
        ),
        (&["graph", "--depth", "2"], "--queue"),
        (&["graph", "--queue", "orders", "--depth", "-1"], "-1"),
    ] {
        let said = refused_by_the_parser(arguments);
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn an_unwritable_path_is_said_before_aws_is_called() {
    let aws = Canned::start(|_| None);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("file"), "").unwrap();
    let (missing, below_file, a_folder) = (path("missing/out"), path("file/out"), path(""));
    let cases = [
        (
            &missing,
            "its folder does not exist; create it, or choose another path",
        ),
        (
            &below_file,
            "what it names as a folder is a file; choose another path",
        ),
        (&a_folder, "it is a folder; name a file in it"),
    ];
    for (path, advice) in cases {
        let expected = format!("cannot write `{path}`: {advice}");
        for arguments in [
            &["-f", &format!("json={path}")][..],
            &["-f", &format!("table={path}")],
            &["--save-snapshot", path],
            &["graph", "-f", &format!("json={path}")],
        ] {
            let run = Patscan::new(arguments)
                .env("AWS_ENDPOINT_URL", aws.url())
                .with_credentials()
                .run();
            assert_eq!(run.failure(), expected, "{arguments:?}");
        }
    }
    assert!(aws.received().is_empty());
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no file is left behind"
    );
}

#[test]
fn a_mistake_is_said_before_aws_is_called() {
    let aws = Canned::start(|_| None);
    for arguments in [
        &["-f", "xml"][..],
        &["--fail-on", "urgent"],
        &["--skip", "rds"],
        &["graph", "-f", "png"],
    ] {
        let run = Patscan::new(arguments)
            .env("AWS_ENDPOINT_URL", aws.url())
            .with_credentials()
            .run();
        run.failure();
    }
    assert!(aws.received().is_empty());
}

#[test]
fn two_snapshots_of_one_account_are_refused() {
    let snapshot = demo();
    for arguments in [
        ["analyze", &snapshot, &snapshot, "-q"],
        ["--snapshot", &snapshot, "--snapshot", &snapshot],
    ] {
        assert_eq!(
            Patscan::new(arguments).run().failure(),
            format!(
                "`{snapshot}` and `{snapshot}` are both of account 111122223333; give one snapshot for each account"
            )
        );
    }
}

#[test]
fn a_simulation_without_its_file_names_the_other_way() {
    let folder = tempfile::tempdir().unwrap();
    for path in [&folder.path().join("missing"), folder.path()] {
        let run = Patscan::new(["simulate"]).arg(path).run();
        let error = run.failure();
        assert!(
            error.starts_with(&format!("cannot read `{}`: ", path.display())),
            "{error}"
        );
        assert!(
            error.ends_with("; give a file of JSON Lines, or `-` for standard input"),
            "{error}"
        );
    }
}
