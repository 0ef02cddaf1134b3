//! Credentials and endpoint from the environment and the config files.
//!
//! A process has one environment, so each of these scans in a child: this test binary, told to run [`in_the_child`] only.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use patscan::collect::{Options, collect};

use super::REGION;
use crate::emulator::Canned;

const PROFILE: &str = "TEST_PROFILE";
const ENDPOINT: &str = "TEST_ENDPOINT";
const IN_CHILD: &str = "TEST_IN_CHILD";

#[tokio::test]
#[ignore = "the other tests run it in a child process"]
async fn in_the_child() {
    if std::env::var_os(IN_CHILD).is_none() {
        return;
    }
    let options = Options {
        profile: std::env::var(PROFILE).ok(),
        endpoint_url: std::env::var(ENDPOINT).ok(),
        regions: vec![REGION.to_owned()],
        ..Options::default()
    };
    let outcome = match collect(&options, &()).await {
        Ok(account) => format!("account {}", account.id),
        Err(error) => error.to_string(),
    };
    writeln!(std::io::stderr(), "outcome: {outcome}").unwrap();
}

/// Scans with this environment and nothing of ours; gives the account or the error message.
fn scan_with(files: &Path, variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "collect::environment::in_the_child"])
        .args(["--ignored", "--nocapture"])
        .env_clear()
        .env(IN_CHILD, "1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", files.join("config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", files.join("credentials"))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let outcome = stderr
        .lines()
        .find_map(|line| line.strip_prefix("outcome: "));
    outcome
        .unwrap_or_else(|| panic!("no outcome:\n{stderr}"))
        .to_owned()
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

#[test]
fn a_profile_on_the_command_line_outranks_keys_in_the_environment() {
    let aws = Canned::start(|_| None);
    let files = config_files();
    let outcome = scan_with(
        files.path(),
        &[
            (PROFILE, "production"),
            ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", aws.url()),
        ],
    );
    assert_eq!(outcome, "account 123456789012");
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
    scan_with(
        files.path(),
        &[
            ("AWS_PROFILE", "production"),
            ("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL", aws.url()),
        ],
    );
    assert!(
        aws.received()
            .iter()
            .all(|request| request.access_key == "AKIAENVIRONMENT")
    );
}

#[test]
fn a_profile_that_does_not_exist_is_answered_with_those_that_do() {
    let files = config_files();
    for variable in [PROFILE, "AWS_PROFILE"] {
        assert_eq!(
            scan_with(files.path(), &[(variable, "prodution")]),
            "there is no profile `prodution`; choose one of `production`, `broken`"
        );
    }
}

#[test]
fn without_credentials_the_ways_to_get_some_are_named() {
    let files = tempfile::tempdir().unwrap();
    let outcome = scan_with(files.path(), &[]);
    assert!(
        outcome.starts_with("no AWS credentials were found; run `aws configure`"),
        "{outcome}"
    );
}

#[test]
fn a_profile_that_cannot_work_is_explained() {
    let files = config_files();
    let outcome = scan_with(files.path(), &[(PROFILE, "broken")]);
    assert!(
        outcome.starts_with("the profile `broken` gives no AWS credentials: "),
        "{outcome}"
    );
    assert!(outcome.contains("`missing`"), "{outcome}");
}

#[test]
fn a_wrong_number_of_attempts_is_an_error_and_no_panic() {
    let files = config_files();
    let outcome = scan_with(files.path(), &[("AWS_MAX_ATTEMPTS", "0")]);
    assert!(
        outcome.starts_with("`AWS_MAX_ATTEMPTS` is `0`"),
        "{outcome}"
    );
}

#[test]
fn an_endpoint_or_region_that_cannot_be_one_is_named() {
    let files = config_files();
    for (variable, value) in [
        ("AWS_ENDPOINT_URL", "::nonsense::"),
        ("AWS_REGION", "not a region"),
    ] {
        let outcome = scan_with(files.path(), &[(PROFILE, "production"), (variable, value)]);
        assert!(outcome.contains(&format!("`{value}`")), "{outcome}");
    }
}

#[test]
fn the_endpoint_of_the_command_line_outranks_those_of_the_environment() {
    let (named, configured) = (Canned::start(|_| None), Canned::start(|_| None));
    let files = config_files();
    let outcome = scan_with(
        files.path(),
        &[
            (PROFILE, "production"),
            (ENDPOINT, named.url()),
            ("AWS_ENDPOINT_URL", configured.url()),
            ("AWS_ENDPOINT_URL_SQS", configured.url()),
        ],
    );
    assert_eq!(outcome, "account 123456789012");
    assert_eq!(named.count("sqs:ListQueues"), 1);
    assert!(configured.received().is_empty());
}

#[test]
fn an_endpoint_for_one_service_is_used_for_that_service() {
    let (all, queues) = (Canned::start(|_| None), Canned::start(|_| None));
    let files = config_files();
    scan_with(
        files.path(),
        &[
            (PROFILE, "production"),
            ("AWS_ENDPOINT_URL", all.url()),
            ("AWS_ENDPOINT_URL_SQS", queues.url()),
        ],
    );
    assert_eq!(queues.count("sqs:ListQueues"), 1);
    assert_eq!(all.count("sqs:ListQueues"), 0);
}

#[test]
fn requests_go_through_the_proxy_of_the_environment() {
    let proxy = Canned::start(|_| None);
    let files = config_files();
    let outcome = scan_with(
        files.path(),
        &[
            (PROFILE, "production"),
            ("AWS_ENDPOINT_URL", "http://aws.invalid"),
            ("HTTP_PROXY", proxy.url()),
        ],
    );
    assert_eq!(outcome, "account 123456789012");
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
    let outcome = scan_with(files.path(), &[("AWS_CA_BUNDLE", bundle.to_str().unwrap())]);
    assert!(
        outcome.contains("a certificate in it is malformed"),
        "{outcome}"
    );
}
