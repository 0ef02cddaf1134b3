//! How much AWS is asked, and how fast.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::emulator::{Answer, Canned};
use crate::patscan::Patscan;

fn scan(aws: &Canned, arguments: &[&str]) -> Patscan {
    Patscan::new(["--endpoint-url", aws.url(), "--region", "eu-west-1"])
        .args(arguments)
        .with_credentials()
}

#[test]
fn verbose_runs_say_what_was_sent_by_service() {
    let calls = AtomicUsize::new(0);
    let aws = Canned::start(move |request| {
        let is_early =
            request.operation == "ListFunctions" && calls.fetch_add(1, Ordering::Relaxed) < 2;
        is_early.then(|| Answer::error(request, 429, "TooManyRequestsException"))
    });
    let run = scan(&aws, &["-v"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    let (_, table) = run
        .stderr
        .split_once("requests to AWS, by service:\n")
        .unwrap();
    let row = |service: &str| -> Vec<&str> {
        let mut rows = table.lines().map(|line| line.split_whitespace().collect());
        rows.find(|row: &Vec<&str>| row.first() == Some(&service))
            .unwrap()
    };
    // Functions and event source mappings; the first was asked three times.
    assert_eq!(row("lambda")[1..5], ["2", "2", "2", "0"]);
    assert_eq!(row("sts")[1..5], ["1", "0", "0", "0"]);
    assert!(!table.contains("queue"), "{table}");
    let quiet = scan(&aws, &[]).run();
    assert!(
        !quiet.stderr.contains("requests to AWS"),
        "{}",
        quiet.stderr
    );
}

#[test]
fn a_rate_that_is_asked_for_is_kept() {
    let queues = 12;
    let aws = Canned::start(move |request| {
        (request.operation == "ListQueues").then(|| {
            let urls: Vec<String> = (0..queues)
                .map(|number| format!("https://sqs.eu-west-1.amazonaws.com/123456789012/q{number}"))
                .collect();
            Answer::ok(serde_json::json!({"QueueUrls": urls}).to_string())
        })
    });
    let begun = Instant::now();
    let run = scan(&aws, &["--max-rate", "5", "--skip", "kms"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    // Ten may leave at once; the others, and what comes after the queues, at five in a second.
    assert!(begun.elapsed().as_secs_f64() > 0.5, "{:?}", begun.elapsed());
}

#[test]
fn a_rate_that_cannot_be_kept_is_refused() {
    for rate in ["0", "fast", "5000"] {
        let run = Patscan::new(["--max-rate", rate]).run();
        assert_eq!(
            run.failure(),
            format!("--max-rate: `{rate}` is no number of requests in a second from 0.2 to 1000")
        );
    }
    let run = Patscan::new(["demo"]).env("PATSCAN_MAX_RATE", "0").run();
    assert!(
        run.failure()
            .starts_with("PATSCAN_MAX_RATE: `0` is no number"),
        "{run:?}"
    );
}
