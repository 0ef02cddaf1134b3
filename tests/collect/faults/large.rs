//! What a live scan of a large account holds in memory. Too long for every run: `benches/README.md` says how to run it, and
//! holds the figures.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::super::{attributes, encoded};
use super::FIRST;
use crate::emulator::{ACCOUNT, Answer, Canned, Request};

/// How many roles, and how many queues.
const SIZE: usize = 5_000;
const PAGE: usize = 1_000;
/// In MiB.
const MOST: u64 = 300;

/// The page that is asked for, of so many things, and the token of the next.
fn page(request: &Request, things: usize) -> (std::ops::Range<usize>, Option<String>) {
    let number = (1..things / PAGE)
        .rev()
        .find(|number| request.mentions(&format!("page-{number}-")))
        .unwrap_or(0);
    let first = number * PAGE;
    let next = (first + PAGE < things).then(|| format!("page-{}-", number + 1));
    (first..first + PAGE, next)
}

/// A role with a trust policy and two policies of its own, of the size that such have.
fn role(number: usize) -> String {
    let trust = encoded(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
    );
    let actions = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"];
    let statement = |sid: usize| {
        json!({"Sid": format!("Queue{sid}"), "Effect": "Allow", "Action": actions[(number + sid) % 3],
            "Resource": format!("arn:aws:sqs:{FIRST}:{ACCOUNT}:queue-{:05}", (number * 7 + sid) % SIZE),
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": format!("team-{}", number % 40)}}})
    };
    let policy = |name: &str, first: usize| {
        let statements: Vec<_> = (first..first + 5).map(statement).collect();
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        format!(
            "<member><PolicyName>{name}</PolicyName><PolicyDocument>{}</PolicyDocument></member>",
            encoded(&document)
        )
    };
    format!(
        "<member><RoleName>role-{number:05}</RoleName><RoleId>AROA{number:05}</RoleId>\
         <Arn>arn:aws:iam::{ACCOUNT}:role/service/role-{number:05}</Arn><Path>/service/</Path>\
         <AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument><RolePolicyList>{}{}</RolePolicyList>\
         <Tags><member><Key>team</Key><Value>team-{}</Value></member></Tags></member>",
        policy("messages", 0),
        policy("more", 5),
        number % 40
    )
}

/// The answers of an account with so many roles and so many queues.
pub(super) fn answers(size: usize, request: &Request) -> Option<Answer> {
    match request.call().as_str() {
        "iam:GetAccountAuthorizationDetails" => {
            let (numbers, next) = page(request, size);
            let roles: String = numbers.map(role).collect();
            Some(Answer::authorization_details(
                &format!("<RoleDetailList>{roles}</RoleDetailList>"),
                next.as_deref(),
            ))
        }
        "sqs:ListQueues" => {
            let (numbers, next) = page(request, size);
            let urls: Vec<_> = numbers
                .map(|number| {
                    format!("https://sqs.{FIRST}.amazonaws.com/{ACCOUNT}/queue-{number:05}")
                })
                .collect();
            Some(Answer::ok(
                json!({"QueueUrls": urls, "NextToken": next}).to_string(),
            ))
        }
        "sqs:GetQueueAttributes" => {
            let (_, name) = request.input.split_once("queue-")?;
            let name = format!("queue-{}", &name[..5]);
            let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Owner", "Effect": "Allow",
                "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sqs:*",
                "Resource": format!("arn:aws:sqs:{FIRST}:{ACCOUNT}:{name}")}]});
            Some(attributes(
                &name,
                json!({"Policy": policy.to_string(), "SqsManagedSseEnabled": "true"}),
            ))
        }
        _ => None,
    }
}

/// The most that a process has held so far, in MiB; none once it has ended.
fn most_held(process: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[test]
#[ignore = "takes two minutes, and means something with the release binary only: PATSCAN_BINARY names it"]
fn a_live_scan_of_a_large_account_stays_small() {
    let aws = Canned::start(|request| answers(SIZE, request));
    let binary = std::env::var("PATSCAN_BINARY").expect("PATSCAN_BINARY names the release binary");
    let mut scan = Command::new(binary)
        .args(["--region", FIRST, "-f", "json", "--exit-zero"])
        .env_clear()
        .envs([
            ("AWS_ENDPOINT_URL", aws.url()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_CONFIG_FILE", "/nonexistent/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    let mut most = 0;
    // Also while it audits and writes.
    let status = loop {
        most = most.max(most_held(&scan).unwrap_or(0));
        if let Some(status) = scan.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    eprintln!(
        "{SIZE} roles, {SIZE} queues: {most} MiB at most, {:?}, {} calls, {status}",
        begun.elapsed(),
        aws.received().len()
    );
    assert!(status.success(), "the scan is complete");
    assert_eq!(aws.count("sqs:GetQueueAttributes"), SIZE);
    assert!(most > 0 && most < MOST, "{most} MiB");
}
