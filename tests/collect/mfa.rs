//! Profiles that ask for a second factor: on a terminal, and where there is none.

use super::credentials::{Home, assert_scanned_with, session};
use crate::emulator::{Answer, Canned};
use crate::patscan::Run;

const DEVICE: &str = "arn:aws:iam::123456789012:mfa/me";

/// A role behind a second factor, and another behind that role.
fn home() -> Home {
    Home::new(&format!(
        "[profile me]\naws_access_key_id = AKIAME\naws_secret_access_key = secret\n\
         [profile audit]\nrole_arn = arn:aws:iam::123456789012:role/audit\nsource_profile = me\nmfa_serial = {DEVICE}\n\
         external_id = x-1\nrole_session_name = me-auditing\nduration_seconds = 7200\n\
         [profile behind]\nrole_arn = arn:aws:iam::123456789012:role/behind\nsource_profile = audit\n\
         [default]\nrole_arn = arn:aws:iam::123456789012:role/audit\nsource_profile = me\nmfa_serial = {DEVICE}\n"
    ))
}

/// STS, which takes the code 123456 and no other.
fn aws() -> Canned {
    Canned::start(|request| {
        if request.operation != "AssumeRole" {
            return None;
        }
        Some(if request.mentions("role%2Fbehind") {
            session("AssumeRole", "ASIABEHIND")
        } else if request.mentions("TokenCode=123456") {
            session("AssumeRole", "ASIAAUDIT")
        } else {
            Answer::error(request, 403, "AccessDenied")
        })
    })
}

fn assert_has_no_panic(run: &Run) {
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
}

#[test]
fn on_a_terminal_the_code_is_asked_for_and_given_to_sts() {
    let aws = aws();
    let run = home()
        .scan(&aws)
        .args(["-q", "--profile", "audit"])
        .run_on_a_terminal(&["123456"]);
    assert!(
        run.stderr.starts_with(&format!("MFA code for {DEVICE}: ")),
        "{}",
        run.stderr
    );
    assert_scanned_with(&run, &aws, "ASIAAUDIT");
    let calls = aws.received();
    let assumed: Vec<_> = calls
        .iter()
        .filter(|call| call.operation == "AssumeRole")
        .collect();
    let [assumed] = assumed.as_slice() else {
        panic!("{assumed:?}");
    };
    assert_eq!(assumed.access_key, "AKIAME");
    for given in [
        "SerialNumber=arn%3Aaws%3Aiam%3A%3A123456789012%3Amfa%2Fme",
        "TokenCode=123456",
        "ExternalId=x-1",
        "RoleSessionName=me-auditing",
        "DurationSeconds=7200",
    ] {
        assert!(assumed.mentions(given), "{given}: {assumed:?}");
    }
}

#[test]
fn the_default_profile_and_roles_behind_the_role_ask_too() {
    for (arguments, key) in [
        (&["-q"][..], "ASIAAUDIT"),
        (&["-q", "--profile", "behind"][..], "ASIABEHIND"),
    ] {
        let aws = aws();
        let run = home()
            .scan(&aws)
            .args(arguments)
            .run_on_a_terminal(&["123456"]);
        assert_scanned_with(&run, &aws, key);
    }
}

#[test]
fn keys_in_the_environment_need_no_code_of_the_profile_beside_them() {
    let aws = aws();
    let run = home()
        .scan(&aws)
        .env("AWS_PROFILE", "audit")
        .with_credentials()
        .run();
    assert_scanned_with(&run, &aws, "AKIAIOSFODNN7EXAMPLE");
}

#[test]
fn a_wrong_code_is_an_error_that_says_so() {
    let aws = aws();
    let run = home()
        .scan(&aws)
        .args(["-q", "--profile", "audit"])
        .run_on_a_terminal(&["654321"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert_has_no_panic(&run);
    assert!(
        run.stderr.contains(
            "cannot assume the role `arn:aws:iam::123456789012:role/audit` with this MFA code"
        ),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("wait for the next code"));
}

#[test]
fn what_is_no_code_is_asked_for_again_and_never_sent() {
    let aws = aws();
    let run = home()
        .scan(&aws)
        .args(["-q", "--profile", "audit"])
        .run_on_a_terminal(&["12345", "12345a", "123456"]);
    assert_scanned_with(&run, &aws, "ASIAAUDIT");
    assert_eq!(aws.count("sts:AssumeRole"), 1);

    let aws = self::aws();
    let run = home()
        .scan(&aws)
        .args(["-q", "--profile", "audit"])
        .run_on_a_terminal(&["1", "2", "3"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("no MFA code was given"),
        "{}",
        run.stderr
    );
    assert!(aws.received().is_empty());
}

#[test]
fn whoever_ends_the_input_has_given_no_code() {
    let aws = aws();
    let run = home()
        .scan(&aws)
        .args(["-q", "--profile", "audit"])
        .run_on_a_terminal(&["^D"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.stderr.contains("no MFA code was given"),
        "{}",
        run.stderr
    );
    assert!(aws.received().is_empty());
}

#[test]
fn away_from_a_terminal_nothing_is_called_and_the_way_out_is_named() {
    for (arguments, profile) in [
        (&["--profile", "audit"][..], "audit"),
        (&["--profile", "behind"][..], "behind"),
        (&[][..], "default"),
    ] {
        let aws = aws();
        let run = home().scan(&aws).args(arguments).run();
        assert_eq!(
            run.failure(),
            format!(
                "the profile `{profile}` needs an MFA code, which is asked for on a terminal only; elsewhere start a session \
                 first: `eval \"$(aws configure export-credentials --profile {profile} --format env)\"`, then run without \
                 `--profile`"
            )
        );
        assert!(aws.received().is_empty());
    }
}

#[test]
fn a_code_is_in_no_log() {
    let aws = aws();
    let run = home()
        .scan(&aws)
        .args(["-vv", "--profile", "behind"])
        .run_on_a_terminal(&["123456"]);
    assert_eq!(run.code, 0, "{run:?}");
    // The terminal itself shows what is typed on it, once.
    assert_eq!(run.stderr.matches("123456\r").count(), 1, "{}", run.stderr);
    let calls = run.stderr.replace("123456789012", "");
    assert_eq!(calls.matches("123456").count(), 1, "{calls}");
}

#[test]
fn a_snapshot_needs_no_code() {
    let home = home();
    let run = crate::patscan::Patscan::new(["analyze", "--exit-zero", "-q"])
        .arg(crate::patscan::fixture("demo"))
        .env("AWS_PROFILE", "audit")
        .env("AWS_CONFIG_FILE", home.path().join(".aws/config"))
        .run_on_a_terminal(&[]);
    assert_eq!(run.code, 0);
    assert!(!run.stderr.contains("MFA"), "{}", run.stderr);
}

#[test]
fn what_publishes_after_the_scan_asks_for_no_second_code() {
    let aws = aws();
    let run = home()
        .scan(&aws)
        .args([
            "-q",
            "--profile",
            "audit",
            "--publish",
            "eventbridge:default",
        ])
        .run_on_a_terminal(&["123456"]);
    assert_eq!(
        run.stderr.matches("MFA code for").count(),
        1,
        "{}",
        run.stderr
    );
    assert_eq!(aws.count("sts:AssumeRole"), 1);
}
