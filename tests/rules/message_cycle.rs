//! What a finding of `message-cycle` tells: the way, its proof, its conditions.

use serde_json::{Value, json};

use crate::patscan::{Patscan, audit, fixture};

fn finding(report: &Value, queue: &str) -> Value {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| {
            finding["rule"] == "message-cycle"
                && finding["subject"]["arn"].as_str().unwrap().ends_with(queue)
        })
        .unwrap_or_else(|| panic!("nothing is told of {queue}"))
        .clone()
}

/// The evidence in short: `capability on resource by policy: statement`.
fn evidence(finding: &Value) -> Vec<String> {
    let last = |value: &Value| {
        let text = value.as_str().unwrap();
        text.rsplit(['/', ':']).next().unwrap().to_owned()
    };
    finding["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} on {} by {}: {}",
                one["capability"].as_str().unwrap(),
                last(&one["resource"]),
                last(&one["policy"]),
                one["statement"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn the_way_is_told_in_words() {
    let report = audit("message-cycles");
    let wired = "messages go round by themselves: ";
    for (queue, way) in [
        (
            ":images",
            "queue images → function resizer → topic image-events → queue images",
        ),
        (
            ":ping",
            "queue ping → function ping → queue pong → function pong → queue ping",
        ),
        (
            ":uploads",
            "queue uploads → function thumbnailer → bucket shop-uploads → queue uploads",
        ),
        (
            ":jobs",
            "queue jobs → function scheduler → event bus work → queue jobs",
        ),
        (
            ":cooked",
            "queue cooked → function taster → queue raw → pipe raw-to-cooked → queue cooked",
        ),
        (
            ":scans",
            "queue scans → function scanner → bucket shop-scans → queue scans",
        ),
        (
            ":tickets",
            "queue tickets → function ticketer → topic tickets-done → function follow-up → queue tickets",
        ),
        (
            ":orders",
            "queue orders → function starter → state machine fulfil → queue orders",
        ),
    ] {
        let found = finding(&report, queue);
        assert_eq!(found["title"], format!("{wired}{way}"));
        assert_eq!(found["detail"], format!("{way}."));
    }
    assert_eq!(
        finding(&report, ":answers")["title"],
        "messages can go round: queue answers → function mailer → queue complaints → user clara → queue answers"
    );
}

#[test]
fn every_step_is_proved() {
    let report = audit("message-cycles");
    assert_eq!(
        evidence(&finding(&report, ":uploads")),
        [
            "deliver on thumbnailer by 00000000-0000-4000-8000-000000000004: event source mapping",
            "deliver on uploads by shop-uploads: notification",
            "receive on uploads by inline policy Rights of role thumbnailer: Take",
            "s3:PutObject on shop-uploads by inline policy Rights of role thumbnailer: Store",
            "send on uploads by uploads: Bucket",
        ]
    );
}

#[test]
fn conditions_of_the_steps_are_told() {
    let report = audit("message-cycles");
    let found = finding(&report, ":left");
    assert_eq!(
        found["conditions"],
        json!(["aws:SourceIp IpAddress 203.0.113.0/24"])
    );
    assert_eq!(found["verdict"], "conditional");
}

/// The rules and subjects of the fixture's findings, once `change` was made to its account.
fn told(change: impl Fn(&mut Value)) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(fixture("message-cycles")).unwrap();
    let mut snapshot: Value = serde_json::from_str(&text).unwrap();
    change(&mut snapshot["account"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snapshot.json");
    std::fs::write(&file, snapshot.to_string()).unwrap();
    let report = Patscan::new(["analyze", "-f", "json", "--exit-zero"])
        .arg(&file)
        .run()
        .json();
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let arn = finding["subject"]["arn"].as_str().unwrap();
            let name = arn.rsplit([':', '/']).next().unwrap();
            let rule = finding["rule"].as_str().unwrap();
            (rule.to_owned(), name.to_owned())
        })
        .collect()
}

/// The deliveries of the account from or by something.
fn deliveries<'a>(account: &'a mut Value, name: &'a str) -> impl Iterator<Item = &'a mut Value> {
    let all = account["deliveries"].as_array_mut().unwrap();
    all.iter_mut()
        .filter(move |delivery| delivery["configured_by"].as_str().unwrap().ends_with(name))
}

fn cycle(queue: &str) -> (String, String) {
    ("message-cycle".to_owned(), queue.to_owned())
}

#[test]
fn what_is_switched_off_leads_nowhere() {
    assert!(told(|_| ()).contains(&cycle("jobs")));
    let told = told(|account| {
        for delivery in deliveries(account, "next-job") {
            delivery["enabled"] = json!(false);
        }
    });
    assert!(!told.contains(&cycle("jobs")), "{told:?}");
}

#[test]
fn what_policies_refuse_leads_nowhere_and_is_told_as_broken() {
    let told = told(|account| {
        for queue in account["queues"].as_array_mut().unwrap() {
            if queue["arn"].as_str().unwrap().ends_with(":uploads") {
                queue["attributes"]["policy"] = json!(null);
            }
        }
    });
    assert!(!told.contains(&cycle("uploads")), "{told:?}");
    assert!(told.contains(&("broken-delivery".to_owned(), "uploads".to_owned())));
}

#[test]
fn a_filter_on_keys_decides_whether_what_is_written_comes_back() {
    let with = |prefix: &str| {
        told(|account| {
            for delivery in deliveries(account, "shop-photos") {
                delivery["filter"]["prefix"] = json!(prefix);
            }
        })
    };
    assert!(!with("incoming/").contains(&cycle("photos")));
    assert!(with("done/small/").contains(&cycle("photos")));
    assert!(with("").contains(&cycle("photos")));
}

#[test]
fn a_rule_that_takes_any_event_takes_those_of_principals() {
    let told = told(|account| {
        for delivery in deliveries(account, "rule/boots") {
            delivery["filter"]["pattern"] = json!("{\"detail-type\": [{\"exists\": true}]}");
        }
    });
    assert!(told.contains(&cycle("boots")), "{told:?}");
}

#[test]
fn a_topic_whose_policy_was_not_read_is_published_to_all_the_same() {
    let told = told(|account| {
        for channel in account["channels"].as_array_mut().unwrap() {
            if channel["arn"].as_str().unwrap().ends_with(":image-events") {
                channel["policy_unread"] = json!(true);
            }
        }
    });
    assert!(told.contains(&cycle("images")), "{told:?}");
}

#[test]
fn a_lesser_circle_around_a_graver_one_has_an_id_of_its_own() {
    // ping and pong go round by themselves; over a third queue they can by what instances may do.
    let told = told(|account| {
        let arn = |queue: &str| format!("arn:aws:sqs:eu-west-1:111122223333:{queue}");
        account["queues"].as_array_mut().unwrap().push(json!({
            "arn": arn("pung"), "url": "https://sqs.eu-west-1.amazonaws.com/111122223333/pung", "attributes": {},
        }));
        for (name, from, to) in [("onward", "pong", "pung"), ("backward", "pung", "ping")] {
            account["roles"].as_array_mut().unwrap().push(json!({
                "arn": format!("arn:aws:iam::111122223333:role/{name}"), "id": format!("AROA{name}"),
                "trust": {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
                "inline": [{"name": "Rights", "document": {"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"], "Resource": arn(from)},
                    {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn(to)},
                ]}}],
            }));
        }
    });
    assert!(told.contains(&cycle("ping")), "{told:?}");
    assert!(told.contains(&cycle("pung")), "{told:?}");
    let mut once = told.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), told.len(), "{told:?}");
}

#[test]
fn a_topic_of_an_account_that_is_not_audited_may_let_somebody_publish() {
    let told = told(|account| {
        let text = account.to_string().replace(
            "sns:eu-west-1:111122223333:image-events",
            "sns:eu-west-1:444455556666:image-events",
        );
        *account = serde_json::from_str(&text).unwrap();
        let channels = account["channels"].as_array_mut().unwrap();
        channels.retain(|channel| !channel["arn"].as_str().unwrap().contains("444455556666"));
    });
    assert!(told.contains(&cycle("images")), "{told:?}");
}
