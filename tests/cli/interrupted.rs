//! A scan that ends before its end says what is missing, and another goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::emulator::{ACCOUNT, Answer, Canned, Request};
use crate::patscan::{Patscan, Run};

/// At how many moments a scan is killed.
const KILLS: u32 = 20;
const QUEUES: usize = 6;
/// How long the account takes for each answer, so that there are moments to be killed at.
const DELAY: Duration = Duration::from_millis(4);
const PATIENCE: Duration = Duration::from_mins(1);

/// An account in which one role feeds itself from the queues of two regions.
fn account(request: &Request) -> Option<Answer> {
    sleep(DELAY);
    match request.call().as_str() {
        "iam:GetAccountAuthorizationDetails" => {
            let encoded = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                    .to_string()
            };
            let trust = encoded(
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}"#,
            );
            let document = encoded(
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}}"#,
            );
            Some(Answer::authorization_details(
                &format!(
                    "<RoleDetailList><member><RoleName>worker</RoleName><RoleId>AROA</RoleId><Arn>arn:aws:iam::{ACCOUNT}:role/worker</Arn>\
                     <AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument><RolePolicyList><member><PolicyName>own</PolicyName>\
                     <PolicyDocument>{document}</PolicyDocument></member></RolePolicyList></member></RoleDetailList>"
                ),
                None,
            ))
        }
        "sqs:ListQueues" => {
            let urls: Vec<String> = (0..QUEUES)
                .map(|number| {
                    format!(
                        "https://sqs.{}.amazonaws.com/{ACCOUNT}/queue-{number}",
                        request.region
                    )
                })
                .collect();
            Some(Answer::ok(
                serde_json::json!({"QueueUrls": urls}).to_string(),
            ))
        }
        "sqs:ListQueueTags" => Some(Answer::ok(r#"{"Tags":{"team":"a"}}"#)),
        _ => None,
    }
}

/// A place for a snapshot of an account behind an endpoint.
struct Scan {
    folder: tempfile::TempDir,
    url: String,
}

impl Scan {
    fn of(aws: &Canned) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            url: aws.url().to_owned(),
        }
    }

    fn snapshot(&self) -> PathBuf {
        self.folder.path().join("account.json")
    }

    fn parts(&self) -> PathBuf {
        self.folder.path().join("account.json.parts")
    }

    fn patscan(&self, arguments: &[&str]) -> Patscan {
        Patscan::new(["-f", "json", "--endpoint-url", &self.url])
            .arg("--save-snapshot")
            .arg(self.snapshot())
            .args(arguments)
            .with_credentials()
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.patscan(arguments).run()
    }
}

/// A report without the times at which it was made and the account was read.
fn timeless(run: &Run) -> Value {
    let mut report = run.json();
    report["generated_at"] = Value::Null;
    report["accounts"][0]["scanned_at"] = Value::Null;
    report
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(1));
    }
}

/// Presses Ctrl-C, or what `signal` says instead.
fn press(child: &Child, signal: &str) {
    let status = std::process::Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

fn ended(child: Child) -> Run {
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_scan_killed_at_any_moment_is_gone_on_with_to_the_same_report() {
    let aws = Canned::start(account);
    let whole = Scan::of(&aws);
    let begun = Instant::now();
    let run = whole.run(&[]);
    let duration = begun.elapsed();
    assert_eq!(run.code, 1, "{run:?}");
    assert!(!whole.parts().exists());
    let (report, calls) = (timeless(&run), aws.received().len());
    assert_eq!(report["coverage"]["complete"], true);
    for kill in 1..=KILLS {
        let scan = Scan::of(&aws);
        let mut child = scan.patscan(&["-q"]).start();
        sleep(duration * kill / (KILLS + 1));
        child.kill().unwrap();
        child.wait().unwrap();
        let before = aws.received().len();
        let run = scan.run(&["--resume", "-q"]);
        assert_eq!(
            timeless(&run),
            report,
            "killed after {kill} of {}",
            KILLS + 1
        );
        assert_eq!(run.code, 1);
        assert!(!scan.parts().exists());
        assert!(aws.received().len() - before <= calls);
    }
}

#[test]
fn a_scan_killed_again_and_again_gets_to_its_end() {
    let aws = Canned::start(account);
    let scan = Scan::of(&aws);
    let calls = |aws: &Canned| aws.received().len();
    let mut read = 0;
    // Each run is let go on until something new is kept.
    let kept = || fs::read_to_string(scan.parts()).map_or(0, |text| text.lines().count());
    for round in 0..8 {
        let mut child = scan.patscan(&["--resume", "-q"]).start();
        wait_until("nothing more is kept", || {
            kept() > read.max(1) || child.try_wait().unwrap().is_some()
        });
        child.kill().ok();
        assert!(
            !child.wait().unwrap().success(),
            "it ended in round {round}"
        );
        if !scan.parts().exists() {
            break;
        }
        read = kept();
    }
    let before = calls(&aws);
    let run = scan.run(&["--resume"]);
    assert_eq!(run.code, 1, "{run:?}");
    let report = timeless(&run);
    let asked = calls(&aws) - before;
    let whole = Scan::of(&aws);
    let before = calls(&aws);
    assert_eq!(timeless(&whole.run(&[])), report);
    assert!(asked < calls(&aws) - before, "{asked} calls");
}

#[test]
fn what_was_read_is_not_asked_again_unless_it_is_too_old() {
    let aws = Canned::start({
        let refused = AtomicBool::new(true);
        move |request| match request.call().as_str() {
            "lambda:ListFunctions" if request.region == "us-east-1" => refused
                .swap(false, Ordering::Relaxed)
                .then(|| Answer::denied(request)),
            _ => account(request),
        }
    });
    let scan = Scan::of(&aws);
    let first = scan.run(&[]);
    assert_eq!(first.code, 3, "{first:?}");
    assert!(
        first
            .stderr
            .contains("run it again with --resume to ask only for what is missing"),
        "{}",
        first.stderr
    );
    let queues = aws.count("sqs:GetQueueAttributes");
    let functions = aws.count("lambda:ListFunctions");
    let again = scan.run(&["--resume"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert_eq!(aws.count("sqs:GetQueueAttributes"), queues);
    assert_eq!(aws.count("lambda:ListFunctions"), functions + 1);
    assert!(
        again.stderr.contains("going on with an interrupted scan: "),
        "{}",
        again.stderr
    );
    let snapshot: Value =
        serde_json::from_str(&fs::read_to_string(scan.snapshot()).unwrap()).unwrap();
    let parts = snapshot["account"]["coverage"]["parts"].as_array().unwrap();
    let scanned_at = snapshot["account"]["scanned_at"].as_str().unwrap();
    let oldest = parts.iter().map(|part| part["read_at"].as_str().unwrap());
    assert_eq!(oldest.min(), Some(scanned_at));

    let scan = Scan::of(&aws);
    fs::write(scan.parts(), "").unwrap();
    assert!(scan.run(&[]).failure().contains("is in the way"));
}

#[test]
fn parts_older_than_asked_for_are_read_again() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "lambda:ListFunctions" => Some(Answer::denied(request)),
        _ => account(request),
    });
    let scan = Scan::of(&aws);
    assert_eq!(scan.run(&[]).code, 3);
    let queues = aws.count("sqs:ListQueues");
    let run = scan.run(&["--resume", "--max-age", "0s"]);
    assert_eq!(aws.count("sqs:ListQueues"), queues * 2, "{run:?}");
    for (age, wrong) in [("yesterday", true), ("1h 30m", false)] {
        let run = scan.run(&["--resume", "--max-age", age]);
        if wrong {
            assert_eq!(
                run.failure(),
                "--max-age: `yesterday` is no length of time; write it as `30m`, `6h` or `2days`"
            );
        } else {
            assert_eq!(run.code, 3);
        }
    }
}

/// An account whose queues in one region do not answer before they are let.
fn stuck() -> (Canned, Arc<AtomicBool>) {
    let open = Arc::new(AtomicBool::new(false));
    let door = Arc::clone(&open);
    let aws = Canned::start(move |request| {
        if request.call() == "sqs:GetQueueAttributes" && request.region == "eu-west-1" {
            wait_until("nobody opens", || door.load(Ordering::Relaxed));
        }
        account(request)
    });
    (aws, open)
}

#[test]
fn ctrl_c_ends_a_scan_with_what_is_there() {
    for signal in ["-INT", "-TERM"] {
        let (aws, open) = stuck();
        let scan = Scan::of(&aws);
        let child = scan.patscan(&[]).start();
        wait_until("the other region is not read", || {
            aws.count("sqs:GetQueueAttributes") > QUEUES
                && fs::read_to_string(scan.parts())
                    .is_ok_and(|parts| parts.contains(r#""name":"sqs","region":"us-east-1""#))
        });
        press(&child, signal);
        let run = ended(child);
        open.store(true, Ordering::Relaxed);
        assert_eq!(run.code, 3, "{run:?}");
        assert!(
            run.stderr
                .contains("stopping; what was read so far is reported")
        );
        let report = run.json();
        assert_eq!(report["coverage"]["complete"], false);
        let gaps = report["coverage"]["gaps"].as_array().unwrap();
        assert!(gaps.iter().any(|gap| {
            gap["service"] == "sqs"
                && gap["region"] == "eu-west-1"
                && gap["error"] == "Interrupted"
                && gap["effect"] == "may-hide"
        }));
        assert!(
            gaps.iter().all(|gap| gap["error"] == "Interrupted"),
            "{gaps:?}"
        );
        assert_eq!(report["accounts"][0]["counts"]["roles"], 1);

        let run = scan.run(&["--resume"]);
        assert_eq!(run.code, 1, "{run:?}");
        let whole = Scan::of(&aws);
        assert_eq!(timeless(&run), timeless(&whole.run(&[])));
    }
}

#[test]
fn ctrl_c_twice_ends_the_program() {
    let (aws, open) = stuck();
    let scan = Scan::of(&aws);
    // Nobody reads what it has to say, so that it cannot end by itself in between.
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = scan.patscan(&["-vv"]).stderr(writer).start();
    wait_until("nothing is asked", || {
        aws.count("sqs:GetQueueAttributes") > 0
    });
    press(&child, "-INT");
    press(&child, "-INT");
    wait_until("it goes on", || {
        press_if_running(&mut child);
        child.try_wait().unwrap().is_some()
    });
    drop(reader);
    open.store(true, Ordering::Relaxed);
    // It may have been done with the report before it heard of the second.
    assert!(matches!(child.wait().unwrap().code(), Some(130 | 3)));
}

fn press_if_running(child: &mut Child) {
    if child.try_wait().unwrap().is_none() {
        press(child, "-INT");
    }
}

#[test]
fn ctrl_c_before_anything_is_read_is_an_error() {
    let aws = Canned::start(|request| {
        if request.service == "sts" {
            sleep(Duration::from_secs(5));
        }
        None
    });
    let scan = Scan::of(&aws);
    let child = scan.patscan(&["-q"]).start();
    wait_until("nothing is asked", || !aws.received().is_empty());
    press(&child, "-INT");
    assert_eq!(
        ended(child).failure(),
        "stopped before anything was read; run it again"
    );
    assert!(!scan.snapshot().exists());
}

#[test]
fn credentials_that_run_out_end_a_scan_that_can_be_gone_on_with() {
    let expired = Arc::new(AtomicBool::new(true));
    let asked = Arc::new(AtomicUsize::new(0));
    let aws = Canned::start({
        let (expired, asked) = (Arc::clone(&expired), Arc::clone(&asked));
        move |request| {
            let is_late = expired.load(Ordering::Relaxed)
                && request.call() == "sqs:GetQueueAttributes"
                && asked.fetch_add(1, Ordering::Relaxed) >= QUEUES;
            if is_late {
                return Some(Answer::error(request, 403, "ExpiredToken"));
            }
            account(request)
        }
    });
    let scan = Scan::of(&aws);
    let run = scan.run(&[]);
    assert_eq!(run.code, 3, "{run:?}");
    let report = run.json();
    let gaps = report["coverage"]["gaps"].as_array().unwrap();
    assert!(!gaps.is_empty());
    for gap in gaps {
        assert_eq!(gap["error"], "ExpiredToken", "{gap}");
        let detail = gap["detail"].as_str().unwrap();
        assert!(
            detail.ends_with("log in again and repeat the scan"),
            "{detail}"
        );
    }
    expired.store(false, Ordering::Relaxed);
    let whole = Scan::of(&aws);
    assert_eq!(
        timeless(&scan.run(&["--resume"])),
        timeless(&whole.run(&[]))
    );
}

#[test]
fn what_is_kept_of_another_account_is_not_mixed_in() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "lambda:ListFunctions" => Some(Answer::denied(request)),
        _ => account(request),
    });
    let scan = Scan::of(&aws);
    assert_eq!(scan.run(&[]).code, 3);
    let other = Canned::start(|request| match request.call().as_str() {
        "sts:GetCallerIdentity" => Some(Answer::caller("444455556666")),
        _ => account(request),
    });
    let scan = Scan {
        url: other.url().to_owned(),
        ..scan
    };
    let parts = fs::read(scan.parts()).unwrap();
    let run = scan.run(&["--resume"]);
    let error = run.failure();
    assert!(
        error.contains(&format!(
            "account {ACCOUNT}, and these credentials are for 444455556666"
        )),
        "{error}"
    );
    assert_eq!(fs::read(scan.parts()).unwrap(), parts);
}

#[test]
fn a_report_does_not_take_the_place_of_what_is_kept() {
    let aws = Canned::start(account);
    let scan = Scan::of(&aws);
    let parts = format!("csv={}", scan.parts().display());
    assert!(scan.run(&["-f", &parts]).failure().contains("both go to"));
    let there = |path: &Path| path.exists();
    assert!(!there(&scan.parts()) && !there(&scan.snapshot()));
}
