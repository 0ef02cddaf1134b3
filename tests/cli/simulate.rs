//! `patscan simulate`: one answer for each line, whatever the line is.

use serde_json::{Value, json};

use super::assert_harmless;
use crate::patscan::{Patscan, broken_pipe};

fn request(id: usize, action: &str) -> String {
    json!({"id": id, "principal": "arn:aws:iam::111122223333:role/app", "action": action,
           "resource": "arn:aws:sqs:eu-west-1:111122223333:orders",
           "identity_policies": [{"Version": "2012-10-17", "Statement": [
               {"Sid": "Send", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}]})
    .to_string()
}

fn answers(output: &str) -> Vec<Value> {
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Lines that are no request, and the id that each has.
fn broken(id: usize) -> [(String, Value); 6] {
    let complete: Value = serde_json::from_str(&request(id, "sqs:SendMessage")).unwrap();
    let with = |key: &str, value: Value| {
        let mut line = complete.clone();
        line[key] = value;
        line.to_string()
    };
    [
        ("this is no JSON".to_owned(), Value::Null),
        (with("principle", json!("*")), json!(id)),
        (with("principal", json!("nobody")), json!(id)),
        (with("action", json!("SendMessage")), json!(id)),
        (with("context", json!([])), json!(id)),
        ("[1, 2, 3]".to_owned(), Value::Null),
    ]
}

#[test]
fn a_broken_line_is_answered_in_its_place_and_the_run_goes_on() {
    let mut input = String::new();
    let mut ids = Vec::new();
    for (number, (line, id)) in broken(42).into_iter().enumerate() {
        for (place, action) in ["sqs:SendMessage", "sqs:ReceiveMessage"]
            .into_iter()
            .enumerate()
        {
            let sound = number * 2 + place;
            input += &(request(sound, action) + "\n");
            ids.push(json!(sound));
        }
        input += &(line + "\n");
        ids.push(id);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.jsonl");
    std::fs::write(&file, &input).unwrap();
    for run in [
        Patscan::new(["simulate"]).arg(&file).run(),
        Patscan::new(["simulate", "-"]).stdin(&input).run(),
        Patscan::new(["simulate"]).stdin(&input).run(),
    ] {
        assert_eq!(run.code, 2);
        let answers = answers(&run.stdout);
        let answered: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
        assert_eq!(answered, ids);
        for three in answers.chunks(3) {
            assert_eq!(three[0]["decision"], "allowed");
            assert_eq!(three[1]["decision"], "denied");
            assert!(
                three[2]["error"]
                    .as_str()
                    .is_some_and(|error| !error.is_empty()),
                "{three:?}"
            );
            assert!(three[2].get("decision").is_none());
        }
        assert_eq!(
            run.stderr,
            "exit 2: 6 lines could not be read (their answers say why)\n"
        );
    }
}

#[test]
fn sound_lines_exit_0_whatever_is_decided() {
    let input = request(1, "sqs:ReceiveMessage") + "\r\n" + &request(2, "sqs:SendMessage");
    let run = Patscan::new(["simulate"]).stdin(&input).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let decisions: Vec<_> = answers(&run.stdout)
        .into_iter()
        .map(|answer| answer["decision"].clone())
        .collect();
    assert_eq!(decisions, ["denied", "allowed"]);
}

#[test]
fn an_empty_line_is_answered_in_its_place() {
    let input = request(1, "sqs:ReceiveMessage") + "\n\n" + &request(2, "sqs:SendMessage");
    let run = Patscan::new(["simulate"]).stdin(&input).run();
    assert_eq!(run.code, 2);
    let answers = answers(&run.stdout);
    assert_eq!(answers.len(), 3);
    assert!(answers[1]["error"].is_string());
    assert_eq!(answers[2]["decision"], "allowed");
}

#[test]
fn no_lines_give_no_answers() {
    let run = Patscan::new(["simulate"]).run();
    assert_eq!(
        (run.code, run.stdout.as_str(), run.stderr.as_str()),
        (0, "", "")
    );
}

#[test]
fn whoever_has_read_enough_decisions_may_go() {
    let input = (request(1, "sqs:SendMessage") + "\n").repeat(1000);
    let run = Patscan::new(["simulate"])
        .stdin(&input)
        .stdout(broken_pipe())
        .run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn nothing_from_a_request_reaches_the_terminal_raw() {
    let evil = "\u{1b}[31m\u{9b}2J\u{202e}\u{200b}\n";
    let sound = request(1, "sqs:SendMessage").replace(
        r#""Sid":"Send""#,
        &json!({"Sid": evil}).to_string()[1..].replace('}', ""),
    );
    let lines = [
        sound,
        json!({"id": evil, "principal": evil, "action": "a:b", "resource": "*"}).to_string(),
        json!({"id": 3, evil: 1}).to_string(),
    ];
    let run = Patscan::new(["simulate"]).stdin(&lines.join("\n")).run();
    assert_eq!(answers(&run.stdout).len(), 3);
    assert_harmless(&run.stdout);
    assert_harmless(&run.stderr);
    let first = &answers(&run.stdout)[0];
    assert_eq!(first["matched"][0]["statement"], evil);
}
