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

/// Lines that no reader of JSON Lines wishes for.
fn hostile() -> Vec<Vec<u8>> {
    let sound = request(7, "sqs:SendMessage");
    let with = |key: &str, value: &str| {
        let mut line: Value = serde_json::from_str(&sound).unwrap();
        line[key] = json!("HERE");
        line.to_string().replace("\"HERE\"", value).into_bytes()
    };
    let nested = |times: usize| "[".repeat(times) + &"]".repeat(times);
    let mut lines = vec![
        b"%PDF-1.7 garbage \x01\x02".to_vec(),
        sound.as_bytes()[..sound.len() / 2].to_vec(),
        Vec::new(),
        b" \t\r".to_vec(),
        b"\0\0\0".to_vec(),
        b"null".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        [sound.as_bytes(), b"\0"].concat(),
        [sound.as_bytes(), sound.as_bytes()].concat(),
        "[".repeat(1_000_000).into_bytes(),
        nested(1_000_000).into_bytes(),
        r#"{"id":"#.repeat(100_000).into_bytes(),
        // 10 MB
        with("principal", &format!("\"{}\"", "a".repeat(10_000_000))),
        vec![b'x'; 10_000_000],
        with("id", &nested(1_000_000)),
        with("context", &nested(1_000_000)),
        with("principal", r#""\ud800""#),
        with("context", r#"{"aws:UserAgent": "\udfff"}"#),
        with("resource_policy", r#""\ud800""#),
    ];
    for value in ["7", "null", "true", "[]", "{}", "[1]", "1e999999"] {
        lines.extend(
            ["principal", "action", "unknown", "scps"]
                .into_iter()
                .filter(|key| !["unknown", "scps"].contains(key) || value != "[]")
                .map(|key| with(key, value)),
        );
        if value != "{}" {
            lines.push(with("context", value));
        }
        lines.push(with(
            "context",
            &format!(r#"{{"aws:UserAgent": {{"a": {value}}}}}"#),
        ));
    }
    for byte in [b'\xff', b'\xc0', b'\xed', 0] {
        let mut line = sound.clone().into_bytes();
        let middle = line.len() / 2;
        line[middle] = byte;
        lines.push(line);
    }
    lines
}

#[test]
fn every_third_line_may_be_hostile_and_every_other_is_still_answered() {
    let lines = hostile();
    let mut input = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        for sound in [
            request(number, "sqs:SendMessage"),
            request(number, "sqs:ReceiveMessage"),
        ] {
            input.extend_from_slice(sound.as_bytes());
            input.push(b'\n');
        }
        input.extend_from_slice(line);
        input.push(b'\n');
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("requests.jsonl");
    std::fs::write(&file, &input).unwrap();
    for run in [
        Patscan::new(["simulate"]).arg(&file).run(),
        Patscan::new(["simulate"]).stdin(&input).run(),
    ] {
        assert_eq!(run.code, 2);
        let answers = answers(&run.stdout);
        assert_eq!(answers.len(), 3 * lines.len());
        for (number, three) in answers.chunks(3).enumerate() {
            assert_eq!(three[0]["decision"], "allowed");
            assert_eq!(three[1]["decision"], "denied");
            assert_eq!(
                (&three[0]["id"], &three[1]["id"]),
                (&json!(number), &json!(number))
            );
            let line = String::from_utf8_lossy(&lines[number][..lines[number].len().min(300)]);
            let error = three[2]["error"]
                .as_str()
                .unwrap_or_else(|| panic!("{line}"));
            assert!(
                error.starts_with("the request cannot be read: "),
                "{line}: {error}"
            );
            assert!(error.len() < 300, "{line}: {error}");
        }
        assert_eq!(
            run.stderr,
            format!(
                "exit 2: {} lines could not be read (their answers say why)\n",
                lines.len()
            )
        );
    }
}

#[test]
fn policies_that_cannot_be_read_leave_the_answer_open() {
    let complete: Value = serde_json::from_str(&request(1, "sqs:SendMessage")).unwrap();
    let nested = "[".repeat(100_000) + &"]".repeat(100_000);
    for policy in [
        "7",
        "null",
        "[]",
        r#""{""#,
        r#""\u0000""#,
        "1e999999",
        &nested,
    ] {
        let mut line = complete.clone();
        line["identity_policies"] = json!(["HERE"]);
        let line = line.to_string().replace("\"HERE\"", policy);
        let run = Patscan::new(["simulate"]).stdin(&line).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{policy:.20}");
        assert_eq!(run.json()["decision"], "conditional", "{policy:.20}");
    }
}

/// The shell's limit on memory is one that Linux keeps.
#[cfg(target_os = "linux")]
#[test]
fn neither_a_line_without_end_nor_ever_new_policies_grow_memory() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let mut child = Command::new("sh")
        .args(["-c", "ulimit -v 200000; exec \"$0\" simulate"])
        .arg(env!("CARGO_BIN_EXE_patscan"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        // Each twice, which is when a policy is kept, and with all that the largest policy may hold.
        for number in 0..2_000 {
            let sid = format!("S{number}{}", "x".repeat(20_000));
            let line =
                request(number, "sqs:SendMessage").replace("Send\"", &format!("{sid}\"")) + "\n";
            input.write_all(line.repeat(2).as_bytes()).unwrap();
        }
        let megabyte = vec![b'['; 1 << 20];
        for _ in 0..300 {
            input.write_all(&megabyte).unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.lines().count(), 4_001);
    assert_eq!(
        stdout.lines().last(),
        Some(r#"{"id":null,"error":"the request cannot be read: the line is longer than 8 MiB"}"#)
    );
    assert_eq!(output.status.code(), Some(2));
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
