//! Credentials in every way in which people have them: each from real files and variables, against servers on this machine.

use std::path::Path;

use super::REGION;
use crate::emulator::{ACCOUNT, Answer, Canned, Request};
use crate::patscan::{Patscan, Run};

/// Somebody's home, with these config files in it.
pub(super) struct Home(tempfile::TempDir);

impl Home {
    pub(super) fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.write(".aws/config", config);
        home
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A scan of one region, in this home and with what the server answers.
    pub(super) fn scan(&self, aws: &Canned) -> Patscan {
        Patscan::new(["--region", REGION, "--format", "json"])
            .env("HOME", self.path())
            .env("AWS_CONFIG_FILE", self.path().join(".aws/config"))
            .env(
                "AWS_SHARED_CREDENTIALS_FILE",
                self.path().join(".aws/credentials"),
            )
            .env("AWS_ENDPOINT_URL", aws.url())
    }
}

/// Keys that an `sts:AssumeRole*` call gives out.
pub(super) fn session(operation: &str, access_key: &str) -> Answer {
    Answer::ok(format!(
        "<{operation}Response><{operation}Result><Credentials><AccessKeyId>{access_key}</AccessKeyId>\
         <SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId>\
         <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/r/s</Arn></AssumedRoleUser></{operation}Result></{operation}Response>"
    ))
}

/// Keys as the instance metadata service and container agents give them out.
fn keys_as_json(access_key: &str) -> Answer {
    Answer::ok(
        serde_json::json!({
            "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": access_key, "SecretAccessKey": "secret",
            "Token": "token", "Expiration": "2099-01-01T00:00:00Z", "LastUpdated": "2026-01-01T00:00:00Z"
        })
        .to_string(),
    )
}

/// The scan went through, and whatever it asked AWS was signed with this key.
pub(super) fn assert_scanned_with(run: &Run, aws: &Canned, access_key: &str) {
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()["accounts"][0]["id"], ACCOUNT);
    let calls = aws.received();
    let scanning: Vec<&Request> = calls
        .iter()
        .filter(|call| !call.service.is_empty() && call.operation != "AssumeRole")
        .collect();
    assert!(scanning.iter().any(|call| call.service == "sqs"));
    for call in scanning {
        assert_eq!(call.access_key, access_key, "{call:?}");
    }
}

#[test]
fn keys_of_the_default_profile() {
    let aws = Canned::start(|_| None);
    let home = Home::new("[default]\nregion = eu-west-1\n");
    home.write(
        ".aws/credentials",
        "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = secret\n",
    );
    assert_scanned_with(&home.scan(&aws).run(), &aws, "AKIADEFAULT");
}

#[test]
fn what_a_credential_process_prints() {
    let aws = Canned::start(|_| None);
    let home = Home::new("");
    home.write(
        "keys.json",
        r#"{"Version": 1, "AccessKeyId": "ASIAPROCESS", "SecretAccessKey": "secret", "SessionToken": "token", "Expiration": "2099-01-01T00:00:00Z"}"#,
    );
    let config = format!(
        "[profile p]\ncredential_process = /bin/cat \"{}\"\n",
        home.path().join("keys.json").display()
    );
    home.write(".aws/config", &config);
    let run = home.scan(&aws).args(["--profile", "p"]).run();
    assert_scanned_with(&run, &aws, "ASIAPROCESS");
}

#[test]
fn a_credential_process_that_fails_is_named_and_what_it_printed_is_not() {
    let aws = Canned::start(|_| None);
    let home = Home::new(
        "[profile p]\ncredential_process = /bin/sh -c \"echo hunter2-on-stdout; exit 3\"\n\
         [profile q]\ncredential_process = /bin/echo hunter2-no-json\n",
    );
    for profile in ["p", "q"] {
        let run = home.scan(&aws).args(["-vv", "--profile", profile]).run();
        assert_eq!(run.code, 2, "{run:?}");
        assert!(!run.stderr.contains("hunter2-on-stdout"), "{}", run.stderr);
        assert!(
            run.stderr
                .contains("error: the AWS credentials could not be loaded")
        );
    }
}

#[test]
fn a_chain_of_roles_over_two_profiles() {
    let aws = Canned::start(|request| {
        (request.operation == "AssumeRole").then(|| {
            let first = request.mentions("role%2Ffirst");
            session("AssumeRole", if first { "ASIAFIRST" } else { "ASIASECOND" })
        })
    });
    let home = Home::new(
        "[profile second]\nrole_arn = arn:aws:iam::123456789012:role/second\nsource_profile = first\nexternal_id = x-1\n\
         [profile first]\nrole_arn = arn:aws:iam::123456789012:role/first\nsource_profile = me\n\
         [profile me]\naws_access_key_id = AKIAME\naws_secret_access_key = secret\n",
    );
    let run = home.scan(&aws).args(["--profile", "second"]).run();
    assert_scanned_with(&run, &aws, "ASIASECOND");
    let assumed: Vec<_> = aws
        .received()
        .into_iter()
        .filter(|request| request.operation == "AssumeRole")
        .collect();
    let [first, second] = assumed.as_slice() else {
        panic!("{assumed:?}");
    };
    assert_eq!(
        (&*first.access_key, &*second.access_key),
        ("AKIAME", "ASIAFIRST")
    );
    assert!(second.mentions("ExternalId=x-1"));
}

#[test]
fn a_role_whose_source_is_the_environment() {
    let aws = Canned::start(|request| {
        (request.operation == "AssumeRole").then(|| session("AssumeRole", "ASIAROLE"))
    });
    let home = Home::new(
        "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Environment\n",
    );
    let run = home
        .scan(&aws)
        .args(["--profile", "r"])
        .with_credentials()
        .run();
    assert_scanned_with(&run, &aws, "ASIAROLE");
    assert_eq!(aws.count("sts:AssumeRole"), 1);
}

#[test]
fn a_web_identity_token() {
    let aws = Canned::start(|request| {
        request
            .mentions("Action=AssumeRoleWithWebIdentity")
            .then(|| session("AssumeRoleWithWebIdentity", "ASIAWEB"))
    });
    let home = Home::new("");
    home.write("token", "a.web.token");
    let run = home
        .scan(&aws)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", home.path().join("token"))
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod")
        .env("AWS_ROLE_SESSION_NAME", "pod-1")
        .run();
    assert_scanned_with(&run, &aws, "ASIAWEB");
    let calls = aws.received();
    let asked = calls.iter().find(|call| call.service.is_empty()).unwrap();
    assert!(asked.mentions("WebIdentityToken=a.web.token"));
    assert!(asked.mentions("RoleSessionName=pod-1"));
}

#[test]
fn the_agent_of_a_container() {
    let aws = Canned::start(|_| None);
    let agent = Canned::start(|_| Some(keys_as_json("ASIACONTAINER")));
    let home = Home::new("");
    home.write("token", "agent-token");
    let run = home
        .scan(&aws)
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("{}/v1/credentials", agent.url()),
        )
        .env(
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            home.path().join("token"),
        )
        .run();
    assert_scanned_with(&run, &aws, "ASIACONTAINER");
    let asked = agent.received();
    assert_eq!(asked[0].path, "/v1/credentials");
    assert_eq!(asked[0].header("authorization"), "agent-token");
}

#[test]
fn what_a_container_agent_is_asked_goes_through_no_proxy() {
    let proxy = Canned::start(|_| Some(keys_as_json("ASIAPROXY")));
    let home = Home::new("");
    // Where EKS listens; on this machine nobody does.
    let run = home
        .scan(&proxy)
        .env("HTTP_PROXY", proxy.url())
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://169.254.170.23/v1/credentials",
        )
        .env("AWS_MAX_ATTEMPTS", "1")
        .run();
    assert!(!run.failure().is_empty());
    assert!(proxy.received().is_empty(), "{:?}", proxy.received());
}

/// The instance metadata service, in its second version only.
fn metadata_service() -> Canned {
    Canned::start(|request| {
        let path = request.path.trim_end_matches('/');
        if path == "/latest/api/token" {
            let seconds = request.header("x-aws-ec2-metadata-token-ttl-seconds");
            assert!(!seconds.is_empty());
            return Some(
                Answer::ok("metadata-token").with("x-aws-ec2-metadata-token-ttl-seconds", seconds),
            );
        }
        if request.header("x-aws-ec2-metadata-token") != "metadata-token" {
            return Some(Answer::error(request, 401, "Unauthorized"));
        }
        Some(match path {
            "/latest/meta-data/iam/security-credentials" => Answer::ok("audit"),
            "/latest/meta-data/iam/security-credentials/audit" => keys_as_json("ASIAINSTANCE"),
            _ => Answer::error(request, 404, "NotFound"),
        })
    })
}

#[test]
fn the_metadata_of_an_instance() {
    let (aws, metadata) = (Canned::start(|_| None), metadata_service());
    let home = Home::new("");
    let run = home
        .scan(&aws)
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url())
        .run();
    assert_scanned_with(&run, &aws, "ASIAINSTANCE");
}

#[test]
fn a_role_whose_source_is_the_instance() {
    let metadata = metadata_service();
    let aws = Canned::start(|request| {
        (request.operation == "AssumeRole").then(|| session("AssumeRole", "ASIAROLE"))
    });
    let home = Home::new(
        "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Ec2InstanceMetadata\n",
    );
    let run = home
        .scan(&aws)
        .args(["--profile", "r"])
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url())
        .run();
    assert_scanned_with(&run, &aws, "ASIAROLE");
    let calls = aws.received();
    let assumed = calls.iter().find(|call| call.operation == "AssumeRole");
    assert_eq!(assumed.unwrap().access_key, "ASIAINSTANCE");
}

/// The SHA-1 of `people`, under which the AWS CLI keeps the token of the session of that name.
const TOKEN_OF_PEOPLE: &str = ".aws/sso/cache/ab3ccc8dba2a0cf7a1ce4d830bb8a6238ff03833.json";

fn sso_home(expires: &str) -> Home {
    let home = Home::new(
        "[profile sso]\nsso_session = people\nsso_account_id = 123456789012\nsso_role_name = Audit\n\
         [sso-session people]\nsso_region = eu-west-1\nsso_start_url = https://people.awsapps.com/start\n",
    );
    home.write(
        TOKEN_OF_PEOPLE,
        &format!(
            r#"{{"accessToken": "sso-token", "expiresAt": "{expires}", "region": "eu-west-1", "startUrl": "https://people.awsapps.com/start"}}"#
        ),
    );
    home
}

#[test]
fn a_single_sign_on() {
    let aws = Canned::start(|request| {
        (request.path == "/federation/credentials").then(|| {
            Answer::ok(
                r#"{"roleCredentials": {"accessKeyId": "ASIASSO", "secretAccessKey": "secret", "sessionToken": "token", "expiration": 4070908800000}}"#,
            )
        })
    });
    let home = sso_home("2099-01-01T00:00:00Z");
    let run = home.scan(&aws).args(["--profile", "sso"]).run();
    assert_scanned_with(&run, &aws, "ASIASSO");
    let calls = aws.received();
    let asked = calls.iter().find(|call| call.service.is_empty()).unwrap();
    assert_eq!(asked.header("x-amz-sso_bearer_token"), "sso-token");
    assert!(asked.mentions("role_name=Audit") && asked.mentions("account_id=123456789012"));
}

#[test]
fn a_single_sign_on_that_has_run_out_says_how_to_sign_on_again() {
    let aws = Canned::start(|_| None);
    let home = sso_home("2020-01-01T00:00:00Z");
    let run = home.scan(&aws).args(["--profile", "sso"]).run();
    let error = run.failure();
    assert!(error.contains("`aws sso login --profile"), "{error}");
    assert!(aws.received().is_empty());
}

#[test]
fn a_session_of_aws_login() {
    let aws = Canned::start(|_| None);
    let home = Home::new("[profile console]\nlogin_session = arn:aws:iam::123456789012:user/me\n");
    // The SHA-256 of the session's ARN.
    home.write(
        ".aws/login/cache/286187707741fc2ccb93cf9e56dbd0ee0a16208feed5fbc8ae1baa86d44c283f.json",
        r#"{"accessToken": {"accessKeyId": "ASIALOGIN", "secretAccessKey": "secret", "sessionToken": "token",
            "accountId": "123456789012", "expiresAt": "2099-01-01T00:00:00Z"},
            "tokenType": "aws_sigv4", "refreshToken": "refresh", "idToken": "id",
            "clientId": "arn:aws:signin:::devtools/same-device", "dpopKey": "unused until it is refreshed"}"#,
    );
    let run = home.scan(&aws).args(["--profile", "console"]).run();
    assert_scanned_with(&run, &aws, "ASIALOGIN");
}

#[test]
fn what_is_broken_in_a_file_of_tokens_is_an_error() {
    let aws = Canned::start(|_| None);
    let home = sso_home("2099-01-01T00:00:00Z");
    for content in [
        "",
        "{",
        "[]",
        "{\"accessToken\": 1}",
        "\u{0}",
        "{\"accessToken\": \"hunter2\"",
    ] {
        home.write(TOKEN_OF_PEOPLE, content);
        let run = home.scan(&aws).args(["--profile", "sso"]).run();
        assert!(!run.failure().contains("hunter2"), "{content:?}: {run:?}");
    }
}
