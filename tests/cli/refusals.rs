//! AWS says no, or nothing: one line, and what was there before stays.

use std::fs;
use std::path::Path;

use crate::emulator::{ACCOUNT, Answer, Canned};
use crate::patscan::{Patscan, Run};

fn scan(url: &str, arguments: &[&str]) -> Run {
    Patscan::new(["--endpoint-url", url].iter().chain(arguments))
        .with_credentials()
        .run()
}

fn expired() -> Canned {
    Canned::start(|request| Some(Answer::error(request, 403, "ExpiredToken")))
}

#[test]
fn expired_credentials_are_told_from_wrong_ones() {
    assert_eq!(
        scan(expired().url(), &[]).failure(),
        "the AWS credentials have expired (`ExpiredToken`); log in again, for example with `aws sso login --profile NAME`"
    );
    let aws = Canned::start(|request| Some(Answer::error(request, 403, "InvalidClientTokenId")));
    assert_eq!(
        scan(aws.url(), &[]).failure(),
        "AWS rejected the credentials (`InvalidClientTokenId`); check the keys and the clock of this machine, and outside \
         the commercial regions give `--region`"
    );
}

#[test]
fn who_may_read_nothing_is_told_what_to_attach() {
    let aws = Canned::start(|request| (request.service != "sts").then(|| Answer::denied(request)));
    assert_eq!(
        scan(aws.url(), &["--region", "eu-west-1"]).failure(),
        format!(
            "`arn:aws:iam::{ACCOUNT}:user/auditor` may read nothing in this account; attach the policy that `patscan \
             iam-policy` prints"
        )
    );
}

#[test]
fn who_may_not_even_ask_for_a_name_is_told_how_to_try() {
    let aws = Canned::start(|request| Some(Answer::denied(request)));
    let run = scan(aws.url(), &[]);
    let error = run.failure();
    assert!(error.contains("(`AccessDenied`)"), "{error}");
    assert!(
        error.ends_with("; try `aws sts get-caller-identity`"),
        "{error}"
    );
}

#[test]
fn an_endpoint_that_refuses_the_connection_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let run = Patscan::new(["--endpoint-url", &url])
        .with_credentials()
        .env("AWS_MAX_ATTEMPTS", "1")
        .run();
    let error = run.failure();
    assert!(
        error.starts_with(&format!("cannot reach `{url}` (sts, us-east-1): ")),
        "{error}"
    );
    assert!(
        error.ends_with("; check the network, the proxy settings, the region and `--endpoint-url`"),
        "{error}"
    );
}

#[test]
fn an_endpoint_that_is_no_url_is_answered_with_the_form() {
    assert_eq!(
        scan("localhost:4566", &[]).failure(),
        "`localhost:4566` is not an endpoint URL; write it as `http://HOST:PORT` or `https://HOST`"
    );
}

#[test]
fn a_role_that_cannot_be_assumed_is_named_with_what_to_check() {
    let aws = Canned::start(|request| {
        (request.operation == "AssumeRole").then(|| Answer::denied(request))
    });
    let role = format!("arn:aws:iam::{ACCOUNT}:role/audit");
    let run = scan(aws.url(), &["--assume-role", &role]);
    let error = run.failure();
    assert!(
        error.starts_with(&format!("cannot assume the role `{role}`: ")),
        "{error}"
    );
    assert!(
        error.ends_with("and that you are allowed `sts:AssumeRole`"),
        "{error}"
    );
}

#[test]
fn every_region_excluded_is_an_error() {
    let aws = Canned::start(|_| None);
    let run = scan(
        aws.url(),
        &["--region", "eu-west-1", "--exclude-region", "eu-west-1"],
    );
    assert_eq!(
        run.failure(),
        "no region is left to scan; take back an `--exclude-region`"
    );
}

#[test]
fn a_refused_read_is_a_gap_and_not_an_error() {
    let aws = Canned::start(|request| {
        (request.operation == "ListQueues").then(|| Answer::denied(request))
    });
    let run = scan(aws.url(), &["--region", "eu-west-1"]);
    assert_eq!(run.code, 3);
    assert!(
        run.stdout.contains("allow sqs:ListQueues"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_failed_scan_leaves_the_files_of_the_last_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let names = ["report.json", "report.txt", "account.json"];
    for name in names {
        fs::write(file(name), "from the last scan").unwrap();
    }
    let run = scan(
        expired().url(),
        &[
            "-f",
            &format!("json={}", file("report.json")),
            "-f",
            &format!("table={}", file("report.txt")),
            "--save-snapshot",
            &file("account.json"),
        ],
    );
    run.failure();
    for name in names {
        assert_eq!(
            fs::read_to_string(file(name)).unwrap(),
            "from the last scan"
        );
    }
    assert_eq!(
        files(folder.path()),
        names.len(),
        "no temporary file is left behind"
    );
}

#[test]
fn a_scan_that_works_replaces_the_files_of_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let aws = Canned::start(|_| None);
    let snapshot = folder.path().join("account.json");
    let report = folder.path().join("report.json");
    for file in [&snapshot, &report] {
        fs::write(file, "from the last scan").unwrap();
    }
    let run = scan(
        aws.url(),
        &[
            "-f",
            &format!("json={}", report.display()),
            "--save-snapshot",
            snapshot.to_str().unwrap(),
        ],
    );
    assert_eq!((run.code, run.stdout.as_str()), (0, ""));
    assert!(
        fs::read_to_string(snapshot)
            .unwrap()
            .contains("patscan.snapshot/v1")
    );
    assert!(
        fs::read_to_string(report)
            .unwrap()
            .contains("patscan.report/v1")
    );
    assert_eq!(files(folder.path()), 2);
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}
