//! Files made to fill the memory, the stack or the day: each ends soon, with an error or with an answer.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::contract::report;
use crate::patscan::{Patscan, Run};

/// Much more than any of it takes, even unoptimised and on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A snapshot with these roles and one queue.
    fn snapshot(&self, roles: &Value) -> PathBuf {
        let account = json!({
            "id": "111122223333", "partition": "aws", "regions": ["eu-west-1"], "scanned_at": "2026-01-31T08:00:00Z",
            "users": [], "groups": [], "roles": roles, "policies": [], "functions": [], "event_source_mappings": [],
            "instances": [],
            "queues": [{"arn": format!("arn:aws:sqs:eu-west-1:111122223333:{}", "a".repeat(80)), "url": "https://queue"}]
        });
        let snapshot = json!({"schema": "patscan.snapshot/v1", "account": account});
        self.file("snapshot.json", snapshot.to_string())
    }
}

fn role(document: &Value) -> Value {
    json!([{"arn": "arn:aws:iam::111122223333:role/r", "id": "AROA",
            "trust": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
            "inline": [{"name": "p", "document": document}]}])
}

fn allowing(statement: &Value) -> Value {
    role(&json!({"Version": "2012-10-17", "Statement": statement}))
}

fn soon(patscan: Patscan) -> Run {
    let begun = Instant::now();
    let run = patscan.run();
    assert!(begun.elapsed() < PATIENCE, "it took {:?}", begun.elapsed());
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(matches!(run.code, 0..=3), "{run:?}");
    run
}

fn analyze(file: &Path) -> Run {
    soon(Patscan::new(["analyze", "-f", "json"]).arg(file))
}

fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn a_snapshot_nested_without_end_is_an_error() {
    let folder = Folder::new();
    let arrays = nested("[", "]", 200_000);
    for text in [
        arrays.clone(),
        "{\"a\":".repeat(200_000),
        format!(r#"{{"schema": "patscan.snapshot/v1", "account": {arrays}}}"#),
        format!(r#"{{"schema": "patscan.snapshot/v1", "more": {arrays}, "account": {{}}}}"#),
        format!(r#"{{"schema": "patscan.snapshot/v1", "account": {{"roles": {arrays}}}}}"#),
    ] {
        let run = analyze(&folder.file("snapshot.json", text));
        assert!(run.failure().contains("snapshot.json"));
    }
}

#[test]
fn a_document_nested_without_end_is_a_gap_and_no_empty_policy() {
    let folder = Folder::new();
    for document in [
        json!(nested("[", "]", 200_000)),
        json!(format!(
            r#"{{"Version": "2012-10-17", "Statement": {}}}"#,
            nested("[", "]", 200_000)
        )),
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Resource": "*",
            "Action": serde_json::from_str::<Value>(&format!("{}\"sqs:*\"{}", "[".repeat(90), "]".repeat(90))).unwrap()}}),
    ] {
        let run = analyze(&folder.snapshot(&role(&document)));
        assert_eq!(run.code, 3, "{run:?}");
        assert!(!report(&run.stdout).coverage.complete);
    }
}

#[test]
fn patterns_that_would_take_for_ever_one_way_are_decided_another() {
    let folder = Folder::new();
    let stars = |text: &str, times: usize| text.repeat(times);
    for statement in [
        json!({"Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:ReceiveMessage"], "Resource": format!("arn:aws:sqs:{}b", stars("*a", 5_000))}),
        json!({"Effect": "Allow", "Action": format!("sqs:{}*", stars("*a", 5_000)), "Resource": "*"}),
        json!({"Effect": "Allow", "Action": "sqs:*", "Resource": stars("*?", 5_000)}),
        json!({"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": {"StringLike": {
            "aws:PrincipalTag/x": stars("*a", 5_000), "aws:UserAgent": [stars("*a?", 2_000), stars("*b", 2_000)]}}}),
        json!({"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": {"StringNotLike": {
            "aws:UserAgent": (0..200).map(|n| format!("{}{n}", stars("*a*b", 20))).collect::<Vec<_>>()}}}),
        json!({"Effect": "Allow", "Action": stars(":", 1_000_000), "Resource": stars(":", 1_000_000)}),
    ] {
        analyze(&folder.snapshot(&allowing(&statement)));
    }
}

#[test]
fn arns_of_a_million_colons_and_numbers_out_of_range_are_only_odd() {
    let folder = Folder::new();
    let mut roles = allowing(&json!([]));
    roles[0]["arn"] = json!(format!(
        "arn:aws:iam::111122223333:role/{}",
        ":".repeat(2_000_000)
    ));
    analyze(&folder.snapshot(&roles));
    let run = analyze(&folder.snapshot(&allowing(&json!({
        "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", "Condition": {
            "NumericLessThan": {"aws:MultiFactorAuthAge": ["1e999999999", "-1e-999999999", "9".repeat(100_000), 1e308]},
            "DateLessThan": {"aws:CurrentTime": ["999999999-01-01T00:00:00Z", "-99999999999999999999"]},
            "IpAddress": {"aws:SourceIp": ["0.0.0.0/999999999999", "::/-1", "1.2.3.4/0"]}}}))));
    assert!(matches!(run.code, 0 | 1 | 3), "{run:?}");
    let number = format!(
        r#"{{"schema": "patscan.snapshot/v1", "account": {{"id": {}}}}}"#,
        "9".repeat(1_000_000)
    );
    analyze(&folder.file("snapshot.json", number)).failure();
}

#[test]
fn half_a_character_is_an_error_in_a_snapshot_and_a_gap_in_a_document() {
    let folder = Folder::new();
    let plain = std::fs::read_to_string(folder.snapshot(&allowing(&json!([])))).unwrap();
    let alias = plain.replace(
        r#""id":"111122223333""#,
        r#""alias":"\ud800","id":"111122223333""#,
    );
    assert_ne!(alias, plain);
    analyze(&folder.file("snapshot.json", alias)).failure();
    let sid = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "\ud800", "Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}"#;
    let run = analyze(&folder.snapshot(&role(&json!(sid))));
    assert_eq!(run.code, 3, "{run:?}");
}

#[test]
fn a_file_packed_to_fill_the_memory_is_refused_and_one_packed_well_is_not() {
    let folder = Folder::new();
    let blanks = vec![b' '; 1 << 20];
    let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..512 {
        std::io::Write::write_all(&mut packed, &blanks).unwrap();
    }
    let bomb = folder.file("bomb.json.zst", packed.finish().unwrap());
    let error = analyze(&bomb).failure().to_owned();
    assert!(
        error.contains("it is packed more than 1000 times smaller than it is"),
        "{error}"
    );
    // As many roles that are all alike pack better than any real account.
    let alike: Vec<Value> = (0..20_000)
        .map(|number| {
            let mut one = allowing(&json!([]))[0].clone();
            one["arn"] = json!(format!("arn:aws:iam::111122223333:role/{number}"));
            one
        })
        .collect();
    let plain = std::fs::read(folder.snapshot(&json!(alike))).unwrap();
    let well = zstd::encode_all(&plain[..], 19).unwrap();
    let run = analyze(&folder.file("well.json.zst", well));
    assert_eq!(report(&run.stdout).accounts.len(), 1);
}

#[test]
fn blanks_are_no_snapshot_however_many() {
    let folder = Folder::new();
    let run = analyze(&folder.file("blanks.json", vec![b' '; 32 << 20]));
    assert!(run.failure().contains("it begins with nothing but blanks"));
}

#[test]
fn a_file_larger_than_any_of_its_kind_is_not_read() {
    let folder = Folder::new();
    let file = folder.0.path().join("huge");
    // It takes no room: nothing was written to it.
    std::fs::File::create(&file)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let huge = file.to_str().unwrap();
    let demo = crate::patscan::fixture("demo");
    let demo = demo.to_str().unwrap();
    for arguments in [
        &["analyze", huge][..],
        &["diff", huge, huge],
        &["analyze", demo, "--baseline", huge],
        &["analyze", demo, "--waivers", huge],
        &["analyze", demo, "--config", huge],
        &["publish", huge, "--to", "https://127.0.0.1:9/"],
        &["publish", demo, "--to", &format!("file:{huge}")],
        &[
            "publish",
            demo,
            "--to",
            "https://127.0.0.1:9/",
            "--webhook-secret-file",
            huge,
        ],
    ] {
        let run = soon(Patscan::new(arguments));
        assert_eq!(run.code, 2, "{arguments:?}: {run:?}");
        assert!(
            run.stderr.contains("larger than"),
            "{arguments:?}: {}",
            run.stderr
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_device_without_end_is_read_no_further_than_a_file_may_go() {
    let demo = crate::patscan::fixture("demo");
    let demo = demo.to_str().unwrap();
    for arguments in [
        &["analyze", demo, "--waivers", "/dev/zero"][..],
        &["analyze", demo, "--config", "/dev/zero"],
        &["publish", demo, "--to", "file:/dev/zero"],
    ] {
        let run = soon(Patscan::new(arguments));
        assert_eq!(run.code, 2, "{arguments:?}: {run:?}");
    }
}

#[test]
fn settings_and_waivers_nested_without_end_are_errors() {
    let folder = Folder::new();
    let demo = crate::patscan::fixture("demo");
    for text in [
        format!("a = {}", nested("[", "]", 100_000)),
        format!("[{}]", vec!["a"; 100_000].join(".")),
        format!("{} = 1", vec!["a"; 100_000].join(".")),
        format!("a = {}1{}", "{a = ".repeat(50_000), "}".repeat(50_000)),
    ] {
        let file = folder.file("settings.toml", text);
        for option in ["--waivers", "--config"] {
            let run = soon(Patscan::new(["analyze"]).arg(&demo).arg(option).arg(&file));
            assert!(run.failure().contains("settings.toml"), "{run:?}");
        }
    }
}

#[test]
fn lines_for_simulate_nested_without_end_are_answered_and_the_rest_is_decided() {
    let deep = nested("[", "]", 100_000);
    let lines = format!(
        "{{\"id\": {deep}}}\n{{\"id\": \"p\", \"principal\": \"*\", \"action\": \"sqs:SendMessage\", \"resource\": \"*\", \"identity_policies\": [{deep}]}}\n\
         {{\"id\": \"colons\", \"principal\": \"{}\", \"action\": \"{}\", \"resource\": \"{}\"}}\n\
         {{\"id\": \"last\", \"principal\": \"*\", \"action\": \"sqs:SendMessage\", \"resource\": \"arn:aws:sqs:eu-west-1:111122223333:q\"}}\n",
        ":".repeat(100_000),
        "*".repeat(100_000),
        ":".repeat(100_000)
    );
    let run = soon(Patscan::new(["simulate"]).stdin(&lines));
    assert_eq!(run.code, 2, "{run:?}");
    let answers: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(answers.len(), 4);
    // What stands in a line besides a request is passed over; a policy nested like this is none that can be read.
    assert!(
        !answers[1].contains(r#""decision":"allowed""#),
        "{}",
        answers[1]
    );
    assert!(
        answers[3].contains(r#""id":"last""#) && answers[3].contains("decision"),
        "{}",
        answers[3]
    );
}
