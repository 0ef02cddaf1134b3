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
fn a_wrong_value_of_a_variable_is_an_error_that_names_it() {
    let files = config_files();
    for (variable, value) in [
        ("AWS_MAX_ATTEMPTS", "0"),
        ("AWS_MAX_ATTEMPTS", "-1"),
        ("AWS_MAX_ATTEMPTS", "many"),
        ("AWS_MAX_ATTEMPTS", "99999999999"),
        ("AWS_RETRY_MODE", "fast"),
        ("AWS_DEFAULTS_MODE", "outer-space"),
        ("AWS_USE_FIPS_ENDPOINT", "maybe"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "1"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "yes"),
        ("AWS_STS_REGIONAL_ENDPOINTS", "global"),
        ("AWS_EC2_METADATA_DISABLED", "1"),
        ("AWS_EC2_METADATA_V1_DISABLED", "no"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "169.254.169.254"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "nonsense"),
        (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "http://elsewhere/",
        ),
        ("AWS_ENDPOINT_URL", ""),
        ("AWS_ENDPOINT_URL_SQS", "localhost:4566"),
        ("AWS_ENDPOINT_URL_SSO", "http://"),
        ("AWS_SDK_UA_APP_ID", "a\nb"),
        ("AWS_EXECUTION_ENV", "a b"),
    ] {
        let run = scan_with(files.path(), &PRODUCTION, &[(variable, value)]);
        let shown = value.replace('\n', "\\n");
        let error = run.failure();
        assert!(
            error.starts_with(&format!("`{variable}` is `{shown}`; write ")),
            "{error}"
        );
        assert!(error.ends_with(", or take it out"), "{error}");
    }
}

#[test]
fn a_key_with_a_character_that_no_key_has_is_an_error_that_does_not_show_it() {
    let files = config_files();
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_SESSION_TOKEN", "hunter2"),
    ];
    for (wrong, _) in keys {
        for end in ["\r", "\nX-Other: header", "\u{e9}", " x"] {
            let variables = keys.map(|(name, value)| {
                let end = if name == wrong { end } else { "" };
                (name, format!("{value}{end}"))
            });
            let variables = variables.each_ref().map(|(name, value)| (*name, &**value));
            let run = scan_with(files.path(), &[], &variables);
            let error = run.failure();
            assert!(
                error.starts_with(&format!("`{wrong}` is not one word of ASCII characters")),
                "{error}"
            );
            assert!(!error.contains("hunter2") && !error.contains("AKIA"));
        }
    }
}

#[test]
fn a_key_that_is_none_from_elsewhere_is_an_error_and_no_panic() {
    let files = tempfile::tempdir().unwrap();
    let printed = files.path().join("printed");
    std::fs::write(
        &printed,
        r#"{"Version": 1, "AccessKeyId": "A\u000aB", "SecretAccessKey": "s"}"#,
    )
    .unwrap();
    let config = format!(
        "[profile printed]\ncredential_process = /bin/cat {}\n[profile chained]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = written\n[profile written]\naws_access_key_id = A\u{7f}B\naws_secret_access_key = s\n",
        printed.display()
    );
    std::fs::write(files.path().join("config"), config).unwrap();
    for profile in ["written", "chained"] {
        let run = scan_with(files.path(), &["--profile", profile], &[]);
        let error = run.failure();
        assert!(
            error.starts_with("`aws_access_key_id` of the profile `written` is not one word"),
            "{error}"
        );
    }
    // The SDK itself would panic at the first call. What stands in profiles that are not used is nobody's business.
    let run = scan_with(files.path(), &["--profile", "printed"], &[]);
    let error = run.failure();
    assert!(
        error.contains("holds a character that neither can have"),
        "{error}"
    );
}

#[test]
fn a_wrong_value_in_the_profile_is_an_error_that_names_the_key() {
    for (key, value) in [
        ("max_attempts", "0"),
        ("max_attempts", "-1"),
        ("retry_mode", "fast"),
        ("defaults_mode", "x"),
        ("use_fips_endpoint", "maybe"),
        ("use_dualstack_endpoint", "perhaps"),
        ("ignore_configured_endpoint_urls", "1"),
        ("endpoint_url", "localhost"),
        ("ec2_metadata_service_endpoint_mode", "x"),
        ("sts_regional_endpoints", "x"),
    ] {
        let files = config_files();
        let config = format!("[profile production]\nregion = eu-north-1\n{key} = {value}\n");
        std::fs::write(files.path().join("config"), config).unwrap();
        for (arguments, variables) in [
            (&PRODUCTION[..], &[][..]),
            (&[], &[("AWS_PROFILE", "production")]),
        ] {
            let run = scan_with(files.path(), arguments, variables);
            let error = run.failure();
            assert!(
                error.starts_with(&format!(
                    "`{key}` of the profile `production` is `{value}`; write "
                )),
                "{error}"
            );
        }
    }
}

#[test]
fn a_wrong_endpoint_of_one_service_in_the_profile_is_named() {
    let files = config_files();
    std::fs::write(
        files.path().join("config"),
        "[profile production]\nservices = mine\n[services mine]\nsqs =\n  endpoint_url = localhost:4566\n",
    )
    .unwrap();
    let run = scan_with(files.path(), &PRODUCTION, &[]);
    assert_eq!(
        run.failure(),
        "`endpoint_url` of `sqs` in the AWS config file is `localhost:4566`; write `http://HOST:PORT` or `https://HOST`, or take \
         it out"
    );
}

#[test]
fn how_often_a_call_is_tried_may_stand_in_the_profile() {
    let aws = Canned::start(|request| {
        (request.service == "sts")
            .then(|| crate::emulator::Answer::error(request, 503, "ServiceUnavailable"))
    });
    let files = config_files();
    let config = "[profile production]\nregion = eu-north-1\nmax_attempts = 2\n";
    std::fs::write(files.path().join("config"), config).unwrap();
    let run = scan_with(
        files.path(),
        &PRODUCTION,
        &[("AWS_ENDPOINT_URL", aws.url())],
    );
    run.failure();
    assert_eq!(aws.count("sts:GetCallerIdentity"), 2);
}

#[test]
fn a_proxy_that_cannot_be_used_is_an_error_and_is_not_gone_around() {
    let aws = Canned::start(|_| None);
    let files = config_files();
    for variable in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        for value in [
            "socks5://me:hunter2@proxy:1080",
            "::nonsense::",
            "http://",
            "a b",
        ] {
            let run = scan_with(
                files.path(),
                &PRODUCTION,
                &[("AWS_ENDPOINT_URL", aws.url()), (variable, value)],
            );
            let error = run.failure();
            assert!(
                error.starts_with(&format!("`{variable}` names no proxy")),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
    assert!(aws.received().is_empty());
}

#[test]
fn config_files_that_cannot_be_read_are_told_to_whoever_asked_for_them() {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let binary = files.path().join("binary");
    std::fs::write(&binary, b"[default]\nregion = \xff\n").unwrap();
    let huge = files.path().join("huge");
    std::fs::write(&huge, " ".repeat((8 << 20) + 1)).unwrap();
    let pipe = files.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for (file, why) in [
        (&folder, "is a folder"),
        (&binary, "is not text (UTF-8)"),
        (&huge, "is larger than 8 MB"),
        (&pipe, "is a pipe"),
    ] {
        for variable in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
            let run = scan_with(
                files.path(),
                &[],
                &[
                    (variable, file.to_str().unwrap()),
                    ("AWS_ACCESS_KEY_ID", "A"),
                ],
            );
            let error = run.failure();
            assert!(
                error.starts_with(&format!(
                    "the AWS config files cannot be read: `{}` {why}",
                    file.display()
                )),
                "{error}"
            );
        }
    }
}

#[test]
fn a_broken_config_file_that_nobody_asked_for_is_told_only_where_credentials_are_missing() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join(".aws/config")).unwrap();
    let aws = Canned::start(|_| None);
    let scan = || {
        Patscan::new(["--region", REGION, "--format", "json"])
            .without("AWS_CONFIG_FILE")
            .without("AWS_SHARED_CREDENTIALS_FILE")
            .env("HOME", home.path())
            .env("AWS_ENDPOINT_URL", aws.url())
    };
    let run = scan().run();
    assert!(
        run.failure().contains(".aws/config` is a folder"),
        "{run:?}"
    );
    assert_eq!(account(&scan().with_credentials().run()), ACCOUNT);

    std::fs::remove_dir(home.path().join(".aws/config")).unwrap();
    std::fs::write(home.path().join(".aws/config"), "[default\nregion").unwrap();
    let run = scan().run();
    assert!(
        run.failure()
            .starts_with("the AWS config files cannot be read"),
        "{run:?}"
    );
    assert_eq!(account(&scan().with_credentials().run()), ACCOUNT);
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
