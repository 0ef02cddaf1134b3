//! Credentials and endpoint from the environment and the config files.

use std::path::Path;

use super::REGION;
use crate::emulator::{ACCOUNT, Canned};
use crate::patscan::{Patscan, Run};

/// Scans with these config files, this environment and nothing of ours.
fn scan_with(files: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let scan = ["--region", REGION, "--format", "json"];
    let patscan = Patscan::new(scan.iter().chain(arguments))
        .env("AWS_CONFIG_FILE", files.join("config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", files.join("credentials"));
    variables
        .iter()
        .fold(patscan, |patscan, (key, value)| patscan.env(key, value))
        .run()
}

/// The account that was scanned.
fn account(run: &Run) -> String {
    assert_eq!(run.code, 0, "{run:?}");
    run.json()["accounts"][0]["id"].as_str().unwrap().to_owned()
}

fn config_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("config"),
        "[profile production]\nregion = eu-north-1\n[profile broken]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = missing\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("credentials"),
        "[production]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = secret\n",
    )
    .unwrap();
    folder
}

const PRODUCTION: [&str; 2] = ["--profile", "production"];

#[test]
fn a_profile_on_the_command_line_outranks_keys_in_the_environment() {
    let aws = Canned::start(|_| None);
    let files = config_files();
    let run = scan_with(
        files.path(),
        &PRODUCTION,
        &[
            ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", aws.url()),
        ],
    );
    assert_eq!(account(&run), ACCOUNT);
    let received = aws.received();
    assert!(
        received
            .iter()
            .all(|request| request.access_key == "AKIAPROFILE")
    );
    assert_eq!(received[0].region, "eu-north-1");
}

#[test]
fn keys_in_the_environment_outrank_a_profile_in_the_environment() {
    let aws = Canned::start(|_| None);
    let files = config_files();
    let run = scan_with(
        files.path(),
        &[],
        &[
            ("AWS_PROFILE", "production"),
            ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", aws.url()),
        ],
    );
    assert_eq!(account(&run), ACCOUNT);
    assert!(
        aws.received()
            .iter()
            .all(|request| request.access_key == "AKIAENVIRONMENT")
    );
}

#[test]
fn a_profile_that_does_not_exist_is_answered_with_those_that_do() {
    let files = config_files();
    let wrong = "there is no profile `prodution`; choose one of `production`, `broken`";
    let run = scan_with(files.path(), &["--profile", "prodution"], &[]);
    assert_eq!(run.failure(), wrong);
    let run = scan_with(files.path(), &[], &[("AWS_PROFILE", "prodution")]);
    assert_eq!(run.failure(), wrong);
}

#[test]
fn without_credentials_the_ways_to_get_some_are_named() {
    let files = tempfile::tempdir().unwrap();
    let run = scan_with(files.path(), &[], &[]);
    assert_eq!(
        run.failure(),
        "no AWS credentials were found; run `aws configure` or `aws sso login --profile NAME`, or choose a profile with \
         `--profile NAME`"
    );
}

#[test]
fn a_profile_that_cannot_work_is_explained() {
    let files = config_files();
    let run = scan_with(files.path(), &["--profile", "broken"], &[]);
    let error = run.failure();
    assert!(
        error.starts_with("the profile `broken` gives no AWS credentials: "),
        "{error}"
    );
    assert!(error.contains("`missing`"), "{error}");
}

#[test]
fn a_wrong_number_of_attempts_is_an_error_and_no_panic() {
    let files = config_files();
    let run = scan_with(files.path(), &[], &[("AWS_MAX_ATTEMPTS", "0")]);
    let error = run.failure();
    assert!(error.starts_with("`AWS_MAX_ATTEMPTS` is `0`"), "{error}");
}

#[test]
fn an_endpoint_or_region_that_cannot_be_one_is_named() {
    let files = config_files();
    for (variable, value) in [
        ("AWS_ENDPOINT_URL", "::nonsense::"),
        ("AWS_REGION", "not a region"),
    ] {
        let run = scan_with(files.path(), &PRODUCTION, &[(variable, value)]);
        let error = run.failure();
        assert!(error.contains(&format!("`{value}`")), "{error}");
    }
}

#[test]
fn the_endpoint_of_the_command_line_outranks_those_of_the_environment() {
    let (named, configured) = (Canned::start(|_| None), Canned::start(|_| None));
    let files = config_files();
    let run = scan_with(
        files.path(),
        &["--profile", "production", "--endpoint-url", named.url()],
        &[
            ("AWS_ENDPOINT_URL", configured.url()),
            ("AWS_ENDPOINT_URL_SQS", configured.url()),
        ],
    );
    assert_eq!(account(&run), ACCOUNT);
    assert_eq!(named.count("sqs:ListQueues"), 1);
    assert!(configured.received().is_empty());
}

#[test]
fn an_endpoint_for_one_service_is_used_for_that_service() {
    let (all, queues) = (Canned::start(|_| None), Canned::start(|_| None));
    let files = config_files();
    let run = scan_with(
        files.path(),
        &PRODUCTION,
        &[
            ("AWS_ENDPOINT_URL", all.url()),
            ("AWS_ENDPOINT_URL_SQS", queues.url()),
        ],
    );
    assert_eq!(account(&run), ACCOUNT);
    assert_eq!(queues.count("sqs:ListQueues"), 1);
    assert_eq!(all.count("sqs:ListQueues"), 0);
}

#[test]
fn requests_go_through_the_proxy_of_the_environment() {
    let proxy = Canned::start(|_| None);
    let files = config_files();
    let run = scan_with(
        files.path(),
        &PRODUCTION,
        &[
            ("AWS_ENDPOINT_URL", "http://aws.invalid"),
            ("HTTP_PROXY", proxy.url()),
        ],
    );
    assert_eq!(account(&run), ACCOUNT);
    assert!(proxy.count("sqs:ListQueues") > 0);
}

#[test]
fn a_ca_bundle_without_a_usable_certificate_is_an_error() {
    let files = config_files();
    let bundle = files.path().join("bundle.pem");
    std::fs::write(
        &bundle,
        "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let run = scan_with(
        files.path(),
        &[],
        &[("AWS_CA_BUNDLE", bundle.to_str().unwrap())],
    );
    let error = run.failure();
    assert!(
        error.contains("a certificate in it is malformed"),
        "{error}"
    );
}
