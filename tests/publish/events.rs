//! SNS and EventBridge: a message for each finding that is new, with what filters and rules go by.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{Workshop, publish};
use crate::emulator::{ACCOUNT, Answer, Canned, Moto};

fn topic(name: &str) -> String {
    format!("arn:aws:sns:eu-west-1:{ACCOUNT}:{name}")
}

fn bus(name: &str) -> String {
    format!("arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/{name}")
}

/// What arrived in the queues behind topic and bus since the last time: all of the topic, the critical of the topic, and what a
/// rule for grave findings let through the bus.
fn arrived(moto: &Moto) -> Value {
    serde_json::from_str(&moto.seed("arrived.py")).unwrap()
}

#[test]
fn a_topic_gets_a_message_for_each_finding_that_filters_can_choose_by() {
    let moto = Moto::start();
    moto.seed("receivers.py");
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let state = workshop.path("sent.json");
    let arguments = ["--state", state.to_str().unwrap()];
    let run = publish(&report, &topic("findings"), &moto.url(), &arguments);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr
            .contains(&format!("{}: sent 6 messages\n", topic("findings"))),
        "{run:?}"
    );
    let messages = arrived(&moto);
    let all = messages["all"].as_array().unwrap();
    assert_eq!(all.len(), 6);
    for message in all {
        let body: Value = serde_json::from_str(message["Message"].as_str().unwrap()).unwrap();
        let attributes = &message["MessageAttributes"];
        let finding = &body["finding"];
        for name in ["severity", "rule", "account", "region"] {
            assert_eq!(attributes[name]["Value"], finding[name], "{name}");
        }
        for name in ["change", "message_id"] {
            assert_eq!(attributes[name]["Value"], body[name]);
        }
        let subject = message["Subject"].as_str().unwrap();
        assert!(
            subject.starts_with("patscan new ") && subject.len() < 100,
            "{subject}"
        );
    }
    let critical = messages["critical"].as_array().unwrap();
    assert_eq!(
        critical.len(),
        2,
        "the filter policy of a subscription works"
    );
    publish(&report, &topic("findings"), &moto.url(), &arguments);
    assert_eq!(
        arrived(&moto)["all"],
        json!([]),
        "the same again says nothing"
    );
}

#[test]
fn a_bus_gets_an_event_for_each_finding_that_rules_can_match() {
    let moto = Moto::start();
    moto.seed("receivers.py");
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let run = publish(
        &report,
        &bus("audit"),
        &moto.url(),
        &["--min-severity", "low"],
    );
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("put 8 events"), "{run:?}");
    let messages = arrived(&moto);
    let events = messages["events"].as_array().unwrap();
    assert_eq!(events.len(), 2, "the rule lets critical findings through");
    for event in events {
        assert_eq!(
            (&event["source"], &event["detail-type"]),
            (&json!("patscan"), &json!("patscan finding"))
        );
        assert_eq!(event["detail"]["schema"], "patscan.notification/v1");
        assert_eq!(event["detail"]["finding"]["severity"], "critical");
        assert_eq!(
            event["resources"][0],
            event["detail"]["finding"]["subject"]["arn"]
        );
    }
}

#[test]
fn entries_that_fail_are_put_again_or_told() {
    let calls = AtomicUsize::new(0);
    let aws = Canned::start(move |request| {
        let body: Value = serde_json::from_str(request.input.trim_start()).unwrap_or_default();
        (request.call() == "events:PutEvents").then(|| {
            let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
            let number = body["Entries"].as_array().unwrap().len();
            let entries: Vec<Value> = (0..number)
                .map(|place| match place {
                    0 if first => {
                        json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"})
                    }
                    1 if first => json!({"ErrorCode": "MalformedDetail", "ErrorMessage": "no"}),
                    _ => json!({"EventId": place.to_string()}),
                })
                .collect();
            let failed = if first { 2 } else { 0 };
            Answer::ok(json!({"FailedEntryCount": failed, "Entries": entries}).to_string())
        })
    });
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    let state = workshop.path("sent.json");
    let arguments = ["--state", state.to_str().unwrap()];
    let run = publish(&report, &bus("audit"), aws.url(), &arguments);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("put 5 events"), "{run:?}");
    assert!(run.stderr.contains(": MalformedDetail: no\n"), "{run:?}");
    // Only what failed is put the next time.
    let run = publish(&report, &bus("audit"), aws.url(), &arguments);
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("put 1 event in eu-west-1\n"), "{run:?}");
}

#[test]
fn calls_take_ten_messages_and_long_ones_lose_their_proof() {
    let aws = Canned::start(|request| {
        (request.call() == "events:PutEvents").then(|| {
            let body: Value = serde_json::from_str(request.input.trim_start()).unwrap();
            let entries = body["Entries"].as_array().unwrap();
            let entries: Vec<Value> = entries.iter().map(|_| json!({"EventId": "e"})).collect();
            Answer::ok(json!({"FailedEntryCount": 0, "Entries": entries}).to_string())
        })
    });
    let workshop = Workshop::new();
    let report = workshop.edited(&workshop.report("report.json"), "many.json", |report| {
        let first = report["findings"][0].clone();
        report["findings"] = (0..23)
            .map(|number| {
                let mut finding = first.clone();
                finding["id"] = json!(format!("overbroad-wildcard-{number:012x}"));
                if number == 0 {
                    let evidence = finding["evidence"][0].clone();
                    finding["evidence"] = json!(vec![evidence; 3000]);
                }
                finding
            })
            .collect();
    });
    let run = publish(&report, &bus("audit"), aws.url(), &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let mut sizes = Vec::new();
    let mut cut = 0;
    for request in aws.received() {
        assert!(request.input.len() < 256 * 1024);
        let body: Value = serde_json::from_str(request.input.trim_start()).unwrap();
        let entries = body["Entries"].as_array().unwrap();
        sizes.push(entries.len());
        for entry in entries {
            let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            if detail["left_out"] == json!(["evidence"]) {
                assert!(detail["finding"].get("evidence").is_none());
                cut += 1;
            }
        }
    }
    assert_eq!(
        (sizes.iter().sum::<usize>(), sizes.iter().max()),
        (23, Some(&10))
    );
    assert_eq!(cut, 1);
}

#[test]
fn a_fifo_topic_can_drop_what_comes_twice() {
    let aws = Canned::start(|request| {
        (request.call() == "sns:PublishBatch").then(|| {
            let places = (0..10).filter(|place| request.mentions(&format!(".Id={place}&")));
            let member = |place| format!("<member><Id>{place}</Id><MessageId>m</MessageId></member>");
            let members = places.map(member).collect::<Vec<_>>().concat();
            Answer::ok(format!(
                "<PublishBatchResponse><PublishBatchResult><Successful>{members}</Successful><Failed/></PublishBatchResult>\
                 </PublishBatchResponse>"
            ))
        })
    });
    let workshop = Workshop::new();
    let report = workshop.report("report.json");
    for _ in 0..2 {
        let run = publish(&report, &topic("findings.fifo"), aws.url(), &[]);
        assert_eq!(run.code, 0, "{run:?}");
    }
    let ids = |input: &str| -> Vec<String> {
        let pairs = input.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(name, _)| name.ends_with(".MessageDeduplicationId"))
            .map(|(_, value)| value.to_owned())
            .collect()
    };
    let received = aws.received();
    assert_eq!(received.len(), 2);
    let (one, other) = (ids(&received[0].input), ids(&received[1].input));
    assert_eq!(one.len(), 6);
    assert_eq!(one, other);
    assert!(received[0].mentions(&format!(".MessageGroupId={ACCOUNT}")));
}
