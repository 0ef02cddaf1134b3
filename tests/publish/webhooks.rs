//! Webhooks and Slack: signed, repeated where it helps, never redirected, and nothing of the address told.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};

use super::receiver::{Posted, Receiver, Reply};
use super::{Workshop, json, post};
use crate::patscan::Patscan;

fn notifications(posted: &Posted) -> Vec<Value> {
    let body: Value = serde_json::from_str(&posted.body).unwrap();
    assert_eq!(body["schema"], "patscan.notifications/v1");
    body["notifications"].as_array().unwrap().clone()
}

/// The ids of the findings that were told of.
fn told(posted: &[Posted]) -> BTreeSet<String> {
    let all = posted.iter().flat_map(notifications);
    all.map(|one| one["finding"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn open_findings_from_medium_on_are_posted_as_json() {
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let receiver = Receiver::start();
    let run = post(&report, &receiver.url("/hooks/token"), &[]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr
            .contains("webhook 127.0.0.1: told of 6 findings, not signed")
    );
    assert!(run.stderr.contains("every finding counts as new"));
    assert!(!run.stderr.contains("token") && run.stdout.is_empty());
    let posted = receiver.posted();
    assert_eq!(posted.len(), 1);
    assert_eq!(
        (posted[0].method.as_str(), posted[0].path.as_str()),
        ("POST", "/hooks/token")
    );
    assert_eq!(posted[0].headers["content-type"], "application/json");
    let findings = json(&report)["findings"].clone();
    for notification in notifications(&posted[0]) {
        assert_eq!(notification["schema"], "patscan.notification/v1");
        assert_eq!(
            (&notification["change"], &notification["complete"]),
            (&json!("new"), &json!(true))
        );
        let told = &notification["finding"];
        assert!(["critical", "high", "medium"].contains(&told["severity"].as_str().unwrap()));
        // The words are those of the JSON report.
        let reported = findings
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["id"] == told["id"]);
        for (name, value) in reported.unwrap().as_object().unwrap() {
            assert_eq!(&told[name], value, "{name}");
        }
    }
    let all = Receiver::start();
    post(&report, &all.url("/"), &["--min-severity", "info"]).run();
    assert_eq!(
        notifications(&all.posted()[0]).len(),
        findings.as_array().unwrap().len()
    );
}

#[test]
fn the_signature_is_checked_as_the_documentation_says() {
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let key = workshop.path("key");
    std::fs::write(&key, "a secret key\n").unwrap();
    let receiver = Receiver::start();
    let from_file = ["--webhook-secret-file", key.to_str().unwrap()];
    let run = post(&report, &receiver.url("/"), &from_file).run();
    assert!(run.stderr.contains(", signed"), "{run:?}");
    let run = post(&report, &receiver.url("/"), &[])
        .env("PATSCAN_WEBHOOK_SECRET", "a secret key")
        .run();
    assert_eq!(run.code, 0);
    assert!(!run.stderr.contains("a secret key"));
    // The receiver of the module's documentation, with what was posted.
    let source = include_str!("../../src/publish/webhook.rs");
    let (_, example) = source.split_once("//! ```python\n").unwrap();
    let (example, _) = example.split_once("//! ```").unwrap();
    let lines = example
        .lines()
        .map(|line| line.strip_prefix("//! ").unwrap());
    let example = lines.collect::<Vec<_>>().join("\n") + "\n";
    let readme = include_str!("../../README.md");
    for line in example.lines() {
        assert!(
            readme.contains(line),
            "the README checks signatures otherwise: {line}"
        );
    }
    for posted in receiver.posted() {
        let judge = format!(
            "import hashlib, hmac, json, sys, time\n{example}\
             headers, body = json.load(sys.stdin)\n\
             headers = {{name.title(): value for name, value in headers.items()}}\n\
             print(is_genuine(headers, body.encode(), b'a secret key'), \
                   is_genuine(headers, body.encode() + b' ', b'a secret key'), \
                   is_genuine(headers, body.encode(), b'another key'))"
        );
        let input = workshop.path("posted.json");
        std::fs::write(&input, json!([posted.headers, posted.body]).to_string()).unwrap();
        let output = Command::new("python3")
            .args(["-c", &judge])
            .stdin(std::fs::File::open(&input).unwrap())
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            "True False False",
            "{output:?}"
        );
    }
}

#[test]
fn what_fails_for_now_is_posted_again() {
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let receiver = Receiver::with(|number| match number {
        0 => Reply(503, Vec::new()),
        1 => Reply(429, vec![("retry-after", "1".to_owned())]),
        _ => Reply(204, Vec::new()),
    });
    let begun = std::time::Instant::now();
    let run = post(&report, &receiver.url("/"), &[]).run();
    assert_eq!(run.code, 0, "{run:?}");
    let posted = receiver.posted();
    assert_eq!(posted.len(), 3);
    assert!(
        begun.elapsed().as_millis() >= 1500,
        "the answers asked to wait"
    );
    let deliveries: BTreeSet<_> = posted
        .iter()
        .map(|one| &one.headers["x-patscan-delivery"])
        .collect();
    assert_eq!(
        deliveries.len(),
        1,
        "a receiver can tell that it is the same"
    );
}

#[test]
fn what_fails_for_good_is_told_and_exits_2() {
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    for (status, headers, posts, words) in [
        (404, Vec::new(), 1, "it answers 404, and says: no"),
        (
            429,
            vec![("retry-after", "3600".to_owned())],
            1,
            "asks to wait 3600 seconds",
        ),
        (
            302,
            vec![("location", "http://127.0.0.1:9/elsewhere".to_owned())],
            1,
            "which is not followed",
        ),
    ] {
        let receiver = Receiver::with(move |_| Reply(status, headers.clone()));
        let run = post(&report, &receiver.url("/token"), &["-q"]).run();
        assert_eq!(run.code, 2);
        assert!(
            run.stderr
                .starts_with("error: webhook 127.0.0.1: 6 findings not taken: "),
            "{run:?}"
        );
        assert!(run.stderr.contains(words), "{run:?}");
        assert!(!run.stderr.contains("token"));
        assert_eq!(receiver.posted().len(), posts);
    }
}

#[test]
fn a_receiver_that_takes_nothing_is_not_asked_for_every_run() {
    let workshop = Workshop::new();
    let report = workshop.edited(&workshop.report("report.json"), "many.json", |report| {
        let first = report["findings"][0].clone();
        let finding = |number: usize| {
            let mut finding = first.clone();
            finding["id"] = json!(format!("overbroad-wildcard-{number:012x}"));
            finding
        };
        report["findings"] = (0..250).map(finding).collect();
    });
    for (status, posts, told) in [
        (302, 1, "250 findings not taken"),
        (413, 3, "50 findings not taken"),
    ] {
        let receiver = Receiver::with(move |_| Reply(status, Vec::new()));
        let run = post(&report, &receiver.url("/"), &["-q"]).run();
        assert_eq!((run.code, receiver.posted().len()), (2, posts), "{run:?}");
        assert!(run.stderr.contains(told), "{run:?}");
    }
}

#[test]
fn one_destination_that_fails_keeps_no_other_from_being_told() {
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let (bad, good) = (
        Receiver::with(|_| Reply(400, Vec::new())),
        Receiver::start(),
    );
    let run = post(&report, &bad.url("/"), &["--to", &good.url("/")]).run();
    assert_eq!(run.code, 2);
    assert_eq!(good.posted().len(), 1);
}

#[test]
fn with_a_list_of_what_was_sent_the_same_is_told_once() {
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let receiver = Receiver::with(|number| Reply(if number == 0 { 400 } else { 200 }, Vec::new()));
    let state = workshop.path("sent.json");
    let publish = |report: &std::path::Path| {
        let run = post(
            report,
            &receiver.url("/token"),
            &["--state", state.to_str().unwrap()],
        )
        .run();
        (run.code, receiver.posted().len())
    };
    // What did not arrive is not taken for sent.
    assert_eq!(publish(&report), (2, 1));
    assert_eq!(publish(&report), (0, 2));
    let kept = std::fs::read_to_string(&state).unwrap();
    let mode = std::fs::metadata(&state).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!kept.contains("token"), "{kept}");
    assert_eq!(publish(&report), (0, 2), "nothing is new");
    assert_eq!(std::fs::read_to_string(&state).unwrap(), kept);
    // One finding changes, another is accepted.
    let changed = workshop.edited(&report, "changed.json", |report| {
        report["findings"][0]["fingerprint"] = json!("0123456789abcdef");
        report["findings"][1]["status"] = json!("waived");
    });
    assert_eq!(publish(&changed), (0, 3));
    let news = notifications(&receiver.posted()[2]);
    assert_eq!(news.len(), 1);
    assert_eq!(news[0]["change"], "changed");
    // What was accepted and is not any more is told of again, and what was as it is now comes back.
    assert_eq!(publish(&report), (0, 4));
    let again: Vec<_> = notifications(&receiver.posted()[3])
        .iter()
        .map(|one| one["change"].clone())
        .collect();
    assert_eq!(again, ["changed", "new"]);
}

#[test]
fn by_a_baseline_only_what_changed_since_is_told() {
    let workshop = Workshop::new();
    let before = workshop.snapshot("before.json", |_| {});
    // A queue that anyone could read is gone, and with it what was found of it.
    let after = workshop.snapshot("after.json", |account| {
        let queues = account["queues"].as_array_mut().unwrap();
        for queue in queues
            .iter_mut()
            .filter(|queue| queue["arn"].as_str().unwrap().ends_with("price-updates"))
        {
            queue["attributes"]["policy"] = Value::Null;
        }
    });
    let old = workshop.report_on("old.json", &before, &[]);
    let baseline = ["--baseline", old.to_str().unwrap()];
    let new = workshop.report_on("new.json", &after, &baseline);
    let receiver = Receiver::start();
    let run = post(&new, &receiver.url("/"), &[]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.stderr.contains("counts as new"));
    let gone: Vec<_> = notifications(&receiver.posted()[0])
        .into_iter()
        .filter(|one| one["change"] == "gone")
        .map(|one| one["finding"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert!(gone[0].starts_with("public-queue-"));
    // A channel that is new does not hear of the past, and hears of what is gone once.
    let state = workshop.path("sent.json");
    let arguments = ["--state", state.to_str().unwrap()];
    let channel = Receiver::start();
    for posts in [1, 1] {
        post(&new, &channel.url("/"), &arguments).run();
        assert_eq!(channel.posted().len(), posts);
    }
    assert_eq!(told(&channel.posted()), told(&receiver.posted()));
    let same = workshop.report_on("same.json", &before, &baseline);
    let silent = Receiver::start();
    post(&same, &silent.url("/"), &[]).run();
    assert!(silent.posted().is_empty());
}

#[test]
fn a_scan_publishes_when_its_report_is_written() {
    let workshop = Workshop::new();
    let snapshot = workshop.snapshot("snapshot.json", |_| {});
    let output = workshop.path("out.json");
    let format = format!("json={}", output.display());
    let run = |url: &str| {
        Patscan::new(["analyze", "-f", &format, "--publish", url])
            .arg(&snapshot)
            .run()
    };
    let receiver = Receiver::start();
    let good = run(&receiver.url("/"));
    assert_eq!(good.code, 1, "findings are findings: {good:?}");
    assert_eq!(receiver.posted().len(), 1);
    std::fs::remove_file(&output).unwrap();
    let bad = run(&Receiver::with(|_| Reply(400, Vec::new())).url("/"));
    assert_eq!(bad.code, 2);
    assert!(
        bad.stderr.ends_with(
            "exit 2: not everything was published; the report itself would have been exit 1: 6 findings at or above medium \
             (--fail-on, --exit-zero)\n"
        ),
        "{bad:?}"
    );
    assert_eq!(
        json(&output)["findings"].as_array().unwrap().len(),
        9,
        "nothing that was found is lost"
    );
}

#[test]
fn an_incomplete_report_says_so_wherever_it_goes() {
    let workshop = Workshop::new();
    let snapshot = workshop.snapshot("snapshot.json", |account| {
        account["coverage"]["gaps"] = json!([{"region": "eu-west-1", "service": "sqs", "operation": "ListQueues",
            "error": "AccessDenied", "effect": "may-hide", "detail": "queues are unknown"}]);
    });
    let report = workshop.report_on("report.json", &snapshot, &[]);
    let receiver = Receiver::start();
    let slack = format!("slack+{}", receiver.url("/"));
    let run = post(&report, &receiver.url("/"), &["--to", &slack]).run();
    assert_eq!(run.code, 3, "{run:?}");
    for said in [
        "the report is incomplete, and says so wherever it goes",
        "exit 3: the report is incomplete (--allow-incomplete lifts this)",
    ] {
        assert!(run.stderr.contains(said), "{run:?}");
    }
    let allowed = post(&report, &receiver.url("/"), &["--allow-incomplete"]).run();
    assert_eq!(allowed.code, 0, "{allowed:?}");
    let posted = receiver.posted();
    assert!(
        notifications(&posted[0])
            .iter()
            .all(|one| one["complete"] == false)
    );
    assert!(posted[1].body.contains("The scan is incomplete"));
}

#[test]
fn slack_gets_one_message_that_no_name_can_turn_into_markup() {
    let workshop = Workshop::new();
    let evil = "<!channel> <https://example.com|click> & *bold* \u{202e}";
    let report = workshop.edited(&workshop.report("report.json"), "evil.json", |report| {
        report["accounts"][0]["alias"] = json!(evil);
        let findings = report["findings"].as_array_mut().unwrap();
        let first = findings[0].clone();
        findings.extend((0..60).map(|number| {
            let mut finding = first.clone();
            finding["id"] = json!(format!("overbroad-wildcard-{number:012x}"));
            finding["title"] = json!(format!("{evil}{}", "x".repeat(5000)));
            finding
        }));
    });
    let receiver = Receiver::start();
    let address = workshop.path("address");
    std::fs::write(
        &address,
        format!("slack+{}\n", receiver.url("/services/T/B/token")),
    )
    .unwrap();
    let run = post(&report, &format!("file:{}", address.display()), &[]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        run.stderr.lines().last().unwrap(),
        "Slack 127.0.0.1: told of 66 findings"
    );
    let posted = receiver.posted();
    assert_eq!(posted.len(), 1);
    let message: Value = serde_json::from_str(&posted[0].body).unwrap();
    let text = message["text"].as_str().unwrap();
    assert!(
        text.contains("&lt;!channel&gt;") && !text.contains('<'),
        "{text}"
    );
    let blocks = message["blocks"].as_array().unwrap();
    assert!((20..=50).contains(&blocks.len()));
    for block in blocks {
        assert_eq!(block["text"]["type"], "plain_text");
        let length = block["text"]["text"].as_str().unwrap().chars().count();
        assert!((1..=3000).contains(&length), "{length}");
    }
    assert!(
        blocks.last().unwrap()["text"]["text"]
            .as_str()
            .unwrap()
            .contains("46 more findings")
    );
    // Nothing new, no message.
    let waived = workshop.edited(&report, "waived.json", |report| {
        for finding in report["findings"].as_array_mut().unwrap() {
            finding["status"] = json!("waived");
        }
    });
    let run = post(&waived, &format!("slack+{}", receiver.url("/")), &[]).run();
    assert_eq!((run.code, receiver.posted().len()), (0, 1));
}
