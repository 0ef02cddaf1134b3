//! Names chosen to act on the terminal of whoever audits them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::assert_harmless;
use super::contract::report;
use crate::emulator::{Answer, Canned, Request};
use crate::patscan::{Patscan, Run};

/// Clears the screen, sets the title, ends the line, turns the direction, hides, and does the same by C1 controls.
const EVIL: &str = "a\u{1b}[2J\u{1b}]0;t\u{7}\n\r\u{8}\u{202e}\u{2066}\u{200b}\u{feff}\u{9b}31m\u{9d}\u{85}\u{2028}\u{7f}z";

pub(super) fn evil(what: &str) -> String {
    format!("{what}{EVIL}")
}

fn arn(kind: &str) -> String {
    let start = format!("arn:aws:iam::111122223333:{kind}/{EVIL}");
    let fill = 512 - start.chars().count();
    format!("{start}{}", "x".repeat(fill))
}

/// The ARN of the one queue.
pub(super) fn hostile_queue() -> String {
    format!("arn:aws:sqs:eu-west-1:111122223333:{EVIL}")
}

pub(super) fn hostile_account() -> Value {
    let queue = hostile_queue();
    let function = format!("arn:aws:lambda:eu-west-1:111122223333:function:{EVIL}");
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let tags = json!([{"key": evil("key"), "value": evil("value")}]);
    let allow = |condition: Value| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Sid": evil("Sid"), "Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"],
             "Resource": "*", "Condition": condition}]})
    };
    json!({
        "id": "111122223333", "alias": evil("alias"), "partition": evil("aws"), "regions": [evil("region")],
        "scanned_at": "2026-01-31T08:00:00Z",
        "users": [{"arn": arn("user"), "id": evil("AIDA"), "tags": tags, "groups": [evil("group")],
                   "inline": [{"name": evil("inline"), "document": allow(json!({}))}]}],
        "groups": [{"arn": arn("group"), "inline": [{"name": evil("inline"), "document": "{ not JSON \u{1b}[31m"}]}],
        "roles": [
            {"arn": arn("role"), "id": evil("AROA"), "trust": trust, "tags": tags,
             "inline": [{"name": evil("inline"),
                         "document": allow(json!({"StringLike": {evil("aws:RequestTag/"): evil("*"), "aws:UserAgent": evil("a*")}}))}]},
            {"arn": arn("role/looping"), "id": "AROA2", "trust": trust,
             "inline": [{"name": evil("inline"), "document": allow(json!({}))}]}],
        "policies": [{"arn": arn("policy"), "document": evil("no document")}],
        "queues": [{"arn": queue, "url": evil("https://"), "tags": tags, "attributes": {
            "encryption": {"mode": "kms", "key": evil("alias/")},
            "policy": {"Version": "2012-10-17", "Statement": [
                {"Sid": evil("open"), "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"},
                {"Sid": evil("partner"), "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::444455556666:role/{EVIL}")},
                 "Action": "sqs:ReceiveMessage", "Resource": queue},
                {"Effect": "Allow", "Principal": {"Service": evil("sns.amazonaws.com")}, "Action": "sqs:*", "Resource": queue}]}}}],
        "functions": [{"arn": function, "role": arn("role/looping")}],
        "event_source_mappings": [{"id": evil("mapping"), "source": queue, "function": function, "enabled": true}],
        "instances": [{"arn": format!("arn:aws:ec2:eu-west-1:111122223333:instance/{EVIL}")}],
        "coverage": {
            "gaps": [{"region": evil("region"), "service": evil("sqs"), "operation": evil("GetQueueAttributes"),
                      "resource": evil("arn"), "error": evil("Denied"), "effect": "may-hide", "detail": evil("detail")}],
            "notes": [{"region": evil("region"), "service": evil("sqs"), "resource": evil("arn"), "detail": evil("note")}],
            "skipped": [evil("ec2")]}
    })
}

/// Names that mean something to whatever shows a report: a browser, a spreadsheet, a build, a chat.
pub(super) const MARKUP: [&str; 10] = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "=cmd()|' /C calc'!A0",
    "+1",
    "-1+cmd()",
    "]]></failure>",
    "@everyone #1 [a](b)",
    "`|`",
    "{0} ${x} %s",
    "\u{202e}\u{1b}[31mnimda",
];

/// Adds a role for each name, which is also the name of its policy and of its statement, and other things with these names.
pub(super) fn marked_up(account: &mut Value, names: &[&str]) {
    for (number, name) in names.iter().enumerate() {
        let role = json!({
            "arn": format!("arn:aws:iam::111122223333:role/{name}"), "id": format!("AROA{number}"),
            "trust": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
            "inline": [{"name": name, "document": {"Version": "2012-10-17", "Statement": [
                {"Sid": name, "Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:ReceiveMessage"], "Resource": "*"}]}}]
        });
        account["roles"].as_array_mut().unwrap().push(role);
    }
    let wide = json!({"Version": "2012-10-17", "Statement": [{"Sid": names[0], "Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]});
    let policy = format!("arn:aws:iam::111122223333:policy/{}", names[1]);
    let tags = json!([{"key": names[0], "value": names[1]}]);
    let policies = account["policies"].as_array_mut().unwrap();
    policies.push(json!({"arn": policy, "id": names[0], "document": wide}));
    account["roles"][1]["attached"] = json!([policy]);
    account["roles"][1]["tags"] = tags;
    account["alias"] = json!(names[0]);
    account["queues"].as_array_mut().unwrap().push(json!({
        "arn": format!("arn:aws:sqs:eu-west-1:111122223333:{}", names[0]), "url": "https://queue"
    }));
}

/// The account in a file whose own name is hostile.
pub(super) fn hostile_file(account: &Value) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a\u{1b}[31m\u{202e}\n.json");
    let snapshot = json!({"schema": "patscan.snapshot/v1", "account": account});
    std::fs::write(&file, snapshot.to_string()).unwrap();
    (folder, file)
}

fn assert_run_is_harmless(run: &Run) {
    assert_harmless(&run.stdout);
    assert_harmless(&run.stderr);
}

#[test]
fn nothing_hostile_reaches_the_terminal_from_an_account() {
    let (_folder, file) = hostile_file(&hostile_account());
    let table = Patscan::new(["analyze"]).arg(&file).run();
    assert_eq!(table.code, 3, "{}", table.stderr);
    assert!(
        table.stdout.contains(r"\u{1b}"),
        "what was there is shown as an escape"
    );
    assert_run_is_harmless(&table);
    for format in [
        "json", "jsonl", "csv", "junit", "markdown", "sarif", "ocsf", "asff", "html",
    ] {
        let written = Patscan::new(["analyze", "-f", format]).arg(&file).run();
        assert_eq!(written.code, 3, "{}", written.stderr);
        assert_run_is_harmless(&written);
    }
    for format in ["json", "dot", "mermaid", "svg", "html"] {
        let graph = Patscan::new(["graph", "-f", format, "--snapshot"])
            .arg(&file)
            .run();
        assert_eq!(graph.code, 3, "{}", graph.stderr);
        assert_run_is_harmless(&graph);
    }
}

#[test]
fn programs_get_hostile_names_as_they_are() {
    let (_folder, file) = hostile_file(&hostile_account());
    let run = Patscan::new(["analyze", "-f", "json"]).arg(&file).run();
    let report = report(&run.stdout);
    assert_eq!(report.accounts[0].alias, Some(evil("alias")));
    let subjects: Vec<_> = report
        .findings
        .iter()
        .map(|finding| &finding.subject.arn)
        .collect();
    assert!(subjects.contains(&&arn("role/looping")), "{subjects:?}");
}

#[test]
fn nothing_hostile_reaches_the_terminal_from_an_error() {
    let mut account = hostile_account();
    account["queues"][0]["arn"] = json!(EVIL);
    let (_folder, file) = hostile_file(&account);
    let run = Patscan::new(["analyze", "-v"]).arg(&file).run();
    assert_eq!(run.code, 2);
    assert_run_is_harmless(&run);
    let demo = crate::patscan::fixture("demo");
    for option in ["--queue", "--principal", "--finding", "-f"] {
        let run = Patscan::new(["graph", option, EVIL, "--snapshot"])
            .arg(&demo)
            .run();
        run.failure();
        assert_run_is_harmless(&run);
    }
    for arguments in [
        ["analyze", EVIL],
        ["rules", EVIL],
        ["simulate", EVIL],
        ["--endpoint-url", EVIL],
        ["--profile", EVIL],
        ["--skip", EVIL],
        ["--assume-role", EVIL],
    ] {
        let run = Patscan::new(arguments).with_credentials().run();
        run.failure();
        assert_run_is_harmless(&run);
    }
}

/// An account that answers with hostile codes and texts wherever it can, in the protocol of each service.
fn hostile_answers(request: &Request) -> Option<Answer> {
    let text = || {
        json!({"__type": evil("Denied"), "message": evil("no"), "Message": evil("no")}).to_string()
    };
    match request.service.as_str() {
        "sqs" if request.operation == "ListQueues" => Some(Answer::ok(
            json!({"QueueUrls": [evil("https://sqs.eu-west-1.amazonaws.com/123456789012/q")]})
                .to_string(),
        )),
        "sqs" | "lambda" | "ecs" | "events" | "states" | "pipes" | "scheduler" | "glue" | "eks"
        | "iot" | "organizations" | "kms" => Some(Answer::failing(400, text())),
        // XML has no place for most control characters; what it has, it has as references.
        "sns" | "autoscaling" => Some(Answer::failing(
            400,
            "<ErrorResponse><Error><Type>Sender</Type><Code>Bad&#x9b;31m&#x202e;&#10;fatal: x</Code>\
             <Message>no&#x9d;0;title&#x85;</Message></Error></ErrorResponse>",
        )),
        _ => None,
    }
}

#[test]
fn nothing_hostile_reaches_the_terminal_from_an_error_of_aws() {
    let aws = Canned::start(hostile_answers);
    let scan = |verbosity: &str, format: &str| {
        Patscan::new([verbosity, "--region", "eu-west-1", "-f", format])
            .args(["--endpoint-url", aws.url()])
            .with_credentials()
            .env("AWS_MAX_ATTEMPTS", "1")
            .run()
    };
    for format in [
        "table", "json", "jsonl", "csv", "junit", "markdown", "sarif", "ocsf", "asff", "html",
    ] {
        let run = scan("-vv", format);
        assert_eq!(run.code, 3, "{}", run.stderr);
        assert_run_is_harmless(&run);
    }
    let gaps = scan("-q", "json").json()["coverage"]["gaps"].clone();
    let gaps = gaps.as_array().unwrap();
    assert!(
        gaps.iter()
            .any(|gap| gap["error"].as_str().unwrap().contains('\u{1b}')),
        "programs get the code as it is: {gaps:?}"
    );
}

#[test]
fn a_line_of_the_log_stays_one_line() {
    let aws = Canned::start(hostile_answers);
    let run = Patscan::new(["-vv", "--region", "eu-west-1", "-f", "json"])
        .args(["--endpoint-url", aws.url()])
        .with_credentials()
        .env("AWS_MAX_ATTEMPTS", "1")
        .run();
    assert!(run.stderr.lines().count() > 10, "{}", run.stderr);
    for line in run.stderr.lines() {
        assert!(
            !line.starts_with("fatal: x") && !line.starts_with('z'),
            "{line:?}"
        );
    }
}

#[test]
fn an_error_of_sts_is_harmless_and_one_line() {
    let aws = Canned::start(|request| {
        (request.service == "sts").then(|| {
            Answer::failing(
                400,
                "<ErrorResponse><Error><Type>Sender</Type><Code>X&#x9b;2J&#10;error: y</Code>\
                 <Message>no&#x202e;&#x9d;&#13;&#10;error: z</Message></Error></ErrorResponse>",
            )
        })
    });
    let run = Patscan::new(["--region", "eu-west-1", "--endpoint-url", aws.url()])
        .with_credentials()
        .env("AWS_MAX_ATTEMPTS", "1")
        .run();
    run.failure();
    assert_run_is_harmless(&run);
}

#[test]
fn nothing_hostile_reaches_the_terminal_from_a_comparison() {
    let old = hostile_account();
    let mut new = hostile_account();
    marked_up(&mut new, &MARKUP);
    let (_old_folder, old) = hostile_file(&old);
    let (_new_folder, new) = hostile_file(&new);
    for format in ["table", "json"] {
        for (before, after) in [(&old, &new), (&new, &old)] {
            let run = Patscan::new(["diff", "-v", "-f", format])
                .arg(before)
                .arg(after)
                .run();
            assert!(matches!(run.code, 0 | 1 | 3), "{run:?}");
            assert_run_is_harmless(&run);
        }
    }
}

#[test]
fn a_hostile_name_of_a_file_is_harmless_in_every_error() {
    let name = "/nowhere/a\u{1b}[31m\u{202e}\nerror: x\u{9b}2J";
    let demo = crate::patscan::fixture("demo");
    let demo = demo.to_str().unwrap();
    let format = format!("json={name}");
    for arguments in [
        &["analyze", name][..],
        &["analyze", demo, "--baseline", name],
        &["analyze", demo, "--waivers", name],
        &["analyze", demo, "--config", name],
        &["analyze", demo, "-f", &format],
        &["diff", name, demo],
        &["publish", name, "--to", "https://127.0.0.1:9/"],
        &["explain", "x", "--snapshot", name],
        &["who-can", "send", "q", "--snapshot", name],
        &["graph", "--snapshot", name],
        &["simulate", name],
        &["--save-snapshot", name],
    ] {
        let run = Patscan::new(arguments).with_credentials().run();
        run.failure();
        assert_run_is_harmless(&run);
    }
    for variable in [
        "AWS_CA_BUNDLE",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "HTTPS_PROXY",
    ] {
        let run = Patscan::new(["--region", "eu-west-1"])
            .with_credentials()
            .env(variable, name)
            .run();
        run.failure();
        assert_run_is_harmless(&run);
    }
}
