//! `patscan who-can`: its contract, how a queue is named, and what is said of mistakes. What the answers must be is in
//! `tests/capabilities`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::assert_harmless;
use super::contract::Verdict;
use super::hostile::{evil, hostile_account, hostile_file, hostile_queue};
use crate::capabilities::answer::{Answer, Effect, Kind, Layer, Principal, answer};
use crate::emulator::Moto;
use crate::patscan::{Patscan, Run, broken_pipe, fixture, fixtures};

const CAPABILITIES: [&str; 5] = ["send", "receive", "delete", "purge", "administer"];

fn who_can(capability: &str, queue: &str, snapshot: &Path) -> Patscan {
    Patscan::new(["who-can", capability, queue, "--snapshot"]).arg(snapshot)
}

fn ask(capability: &str, queue: &str, snapshot: &Path) -> Answer {
    let run = who_can(capability, queue, snapshot)
        .arg("-f")
        .arg("json")
        .run();
    answer(&run.stdout)
}

/// An account with these queues, which a user of its own may use in every way.
fn account(id: &str, queues: &[&str]) -> Value {
    let queue = |name: &&str| {
        let (region, name) = name.split_once('/').unwrap();
        json!({"arn": format!("arn:aws:sqs:{region}:{id}:{name}"), "attributes": {},
            "url": format!("https://sqs.{region}.amazonaws.com/{id}/{name}")})
    };
    json!({"id": id, "partition": "aws", "regions": ["eu-west-1"], "scanned_at": "2026-01-31T08:00:00Z",
        "queues": queues.iter().map(queue).collect::<Vec<_>>(), "organization": {"membership": "none"},
        "users": [{"arn": format!("arn:aws:iam::{id}:user/alice"), "id": "AIDA1", "inline": [
            {"name": "all", "document": {"Version": "2012-10-17", "Statement": [
                {"Sid": "Everything", "Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}}]}]})
}

fn save(folder: &Path, name: &str, account: &Value) -> PathBuf {
    let file = folder.join(name);
    let snapshot = json!({"schema": "patscan.snapshot/v1", "account": account});
    fs::write(&file, snapshot.to_string()).unwrap();
    file
}

fn saved(account: &Value) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = save(folder.path(), "account.json", account);
    (folder, file)
}

/// The ARNs of the queues of a fixture account.
fn queues(scenario: &str) -> Vec<String> {
    let text = fs::read_to_string(fixture(scenario)).unwrap();
    let snapshot: Value = serde_json::from_str(&text).unwrap();
    let queues = snapshot["account"]["queues"].as_array();
    queues
        .into_iter()
        .flatten()
        .map(|queue| queue["arn"].as_str().unwrap().to_owned())
        .collect()
}

fn scenarios() -> Vec<String> {
    fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_answer_keeps_the_contract() {
    let mut named = 0;
    for scenario in scenarios() {
        for queue in queues(&scenario) {
            for capability in CAPABILITIES {
                let answer = ask(capability, &queue, &fixture(&scenario));
                assert_eq!((&answer.queue, &*answer.capability), (&queue, capability));
                named += answer.principals.len();
            }
        }
    }
    assert!(named > 100, "only {named} principals were named");
}

#[test]
fn everyone_comes_first_then_who_surely_can() {
    for scenario in scenarios() {
        for queue in queues(&scenario) {
            let answer = ask("send", &queue, &fixture(&scenario));
            let order = |one: &Principal| {
                let is_open = one.verdict == Verdict::Conditional;
                (one.kind != Kind::Anyone, is_open)
            };
            assert!(answer.principals.is_sorted_by_key(order), "{queue}");
        }
    }
}

#[test]
fn two_answers_to_one_question_are_the_same() {
    let demo = fixture("demo");
    let ask = || {
        who_can("receive", "orders", &demo)
            .arg("-f")
            .arg("json")
            .run()
    };
    assert_eq!(ask().stdout, ask().stdout);
}

#[test]
fn no_table_is_wider_than_80_columns() {
    for scenario in scenarios() {
        for queue in queues(&scenario) {
            for capability in CAPABILITIES {
                let run = who_can(capability, &queue, &fixture(&scenario)).run();
                let widest = run.stdout.lines().map(|line| line.chars().count()).max();
                assert!(widest.unwrap() <= 80, "{}", run.stdout);
            }
        }
    }
}

#[test]
fn a_queue_is_named_by_name_region_address_or_arn() {
    let account = account(
        "111122223333",
        &["eu-west-1/orders", "us-east-1/mails.fifo"],
    );
    let (_folder, file) = saved(&account);
    for name in [
        "mails.fifo",
        "us-east-1/mails.fifo",
        "https://sqs.us-east-1.amazonaws.com/111122223333/mails.fifo",
        "https://queue.amazonaws.com/111122223333/mails.fifo",
        "arn:aws:sqs:us-east-1:111122223333:mails.fifo",
    ] {
        let answer = ask("send", name, &file);
        assert_eq!(
            answer.queue, "arn:aws:sqs:us-east-1:111122223333:mails.fifo",
            "{name}"
        );
        assert_eq!(
            answer.principals[0].arn,
            "arn:aws:iam::111122223333:user/alice"
        );
    }
}

#[test]
fn a_name_of_several_queues_is_answered_with_all_of_them() {
    let account = account("111122223333", &["eu-west-1/orders", "us-east-1/orders"]);
    let (_folder, file) = saved(&account);
    assert_eq!(
        who_can("send", "orders", &file).run().failure(),
        "`orders` is the name of 2 queues; name one by its ARN: `arn:aws:sqs:eu-west-1:111122223333:orders`, \
         `arn:aws:sqs:us-east-1:111122223333:orders`"
    );
    assert_eq!(
        ask("send", "us-east-1/orders", &file).queue,
        "arn:aws:sqs:us-east-1:111122223333:orders"
    );
}

#[test]
fn a_name_that_does_not_exist_is_answered_with_the_nearest() {
    let account = account(
        "111122223333",
        &["eu-west-1/orders", "eu-west-1/mails", "us-east-1/orders"],
    );
    let (_folder, file) = saved(&account);
    for (name, nearest) in [
        ("ordres", "`orders`, `mails`"),
        ("Orders", "`orders`, `mails`"),
        ("us-east-1/mail", "`mails`, `orders`"),
        (
            "arn:aws:sqs:us-east-1:111122223333:mails",
            "`mails`, `orders`",
        ),
        (
            "https://sqs.eu-west-1.amazonaws.com/111122223333/order",
            "`orders`, `mails`",
        ),
    ] {
        let run = who_can("send", name, &file).run();
        let message = format!("there is no queue `{name}`; the nearest names are {nearest}");
        assert_eq!(run.failure(), message);
    }
}

#[test]
fn an_account_without_queues_says_so() {
    let (_folder, file) = saved(&account("111122223333", &[]));
    let run = who_can("send", "orders", &file).run();
    assert!(
        run.failure()
            .starts_with("there is no queue at all in what was read; "),
        "{run:?}"
    );
}

#[test]
fn capability_and_queue_in_the_wrong_order_are_put_right() {
    let run = who_can("orders", "send", &fixture("demo")).run();
    assert_eq!(
        run.failure(),
        "the capability comes first; write `patscan who-can send orders`"
    );
}

#[test]
fn a_capability_that_does_not_exist_is_answered_with_those_that_do() {
    let run = who_can("recieve", "orders", &fixture("demo")).run();
    let message = run.failure();
    let known = message.strip_prefix("there is no capability `recieve`; use receive, ");
    let known = known.unwrap_or_else(|| panic!("{message}"));
    assert_eq!(known.split(", ").count(), CAPABILITIES.len());
}

/// Two queues of which one takes the dead letters of the other, and users who may do so much with them.
fn with_dead_letters() -> Value {
    let mut account = account(
        "111122223333",
        &["eu-west-1/orders", "eu-west-1/orders-dlq"],
    );
    account["queues"][0]["attributes"]["redrive"] = json!({
        "dead_letter_queue": "arn:aws:sqs:eu-west-1:111122223333:orders-dlq", "max_receive_count": 3});
    let dead = "arn:aws:sqs:eu-west-1:111122223333:orders-dlq";
    let source = "arn:aws:sqs:eu-west-1:111122223333:orders";
    let task = [
        "sqs:StartMessageMoveTask",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    ];
    let allow = |sid: &str, actions: &[&str], on: &str| json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": on});
    let user = |name: &str, statements: Vec<Value>| {
        json!({"arn": format!("arn:aws:iam::111122223333:user/{name}"), "id": format!("AIDA{name}"), "inline": [
            {"name": "own", "document": {"Version": "2012-10-17", "Statement": statements}}]})
    };
    let mut from_office = allow("Office", &task, dead);
    from_office["Condition"] = json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
    let back = || allow("Back", &["sqs:SendMessage"], source);
    account["users"] = json!([
        user("operator", vec![allow("Task", &task, dead), back()]),
        user("office", vec![from_office, back()]),
        user("reader", vec![allow("Task", &task[1..], dead), back()]),
        user("starter", vec![allow("Task", &task, dead)]),
        user(
            "halfway",
            vec![allow("Task", &[task[0], task[1], task[3]], dead), back()]
        ),
    ]);
    account
}

#[test]
fn who_can_redrive_needs_every_right_on_both_queues() {
    let (_folder, file) = saved(&with_dead_letters());
    let answer = ask("redrive", "orders-dlq", &file);
    assert_eq!(answer.capability, "redrive");
    let found: Vec<_> = answer
        .principals
        .iter()
        .map(|principal| (principal.arn.rsplit('/').next().unwrap(), principal.verdict))
        .collect();
    assert_eq!(
        found,
        [
            ("operator", Verdict::Allowed),
            ("office", Verdict::Conditional)
        ]
    );
    let because: Vec<_> = answer.principals[0]
        .because
        .iter()
        .map(|proof| proof.statement.as_str())
        .collect();
    assert_eq!(because, ["Task", "Back"]);
    let table = who_can("redrive", "orders-dlq", &file).run();
    assert_eq!(table.code, 0);
    assert!(
        table.stdout.contains("2 principals can redrive it"),
        "{}",
        table.stdout
    );
}

#[test]
fn only_a_dead_letter_queue_can_be_redriven() {
    let (_folder, file) = saved(&with_dead_letters());
    let run = who_can("redrive", "orders", &file).run();
    assert_eq!(
        run.failure(),
        "no queue of what was read moves its messages to `orders`, so that there is nothing to redrive; name a dead-letter queue"
    );
}

#[test]
fn capabilities_are_read_in_any_case() {
    let answer = ask("SEND", "orders", &fixture("demo"));
    assert_eq!(answer.capability, "send");
}

#[test]
fn the_answer_goes_to_a_file_when_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer.json");
    let into_file = format!("json={}", file.display());
    let demo = fixture("demo");
    let written = who_can("send", "orders", &demo)
        .arg("-f")
        .arg(&into_file)
        .run();
    assert_eq!((written.code, written.stdout.as_str()), (0, ""));
    let printed = who_can("send", "orders", &demo).arg("-f").arg("json").run();
    assert_eq!(fs::read_to_string(&file).unwrap(), printed.stdout);

    who_can("send", "no-such-queue", &demo)
        .arg("-f")
        .arg(&into_file)
        .run()
        .failure();
    let kept = fs::read_to_string(&file).unwrap();
    assert_eq!(kept, printed.stdout, "a mistake leaves what was there");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// An account of which something could not be read.
fn lacking(effect: &str) -> (tempfile::TempDir, PathBuf) {
    let mut account = account("111122223333", &["eu-west-1/orders"]);
    account["coverage"] = json!({"gaps": [{"region": "us-east-1", "service": "sqs", "operation": "ListQueues",
        "error": "AccessDenied", "effect": effect, "detail": "queues of us-east-1 are missing"}]});
    saved(&account)
}

#[test]
fn an_answer_that_may_lack_somebody_exits_3() {
    let (_folder, file) = lacking("may-hide");
    let run = who_can("send", "orders", &file).run();
    assert_eq!(run.code, 3);
    assert_eq!(
        run.stderr,
        "exit 3: the answer is incomplete (--allow-incomplete lifts this)\n"
    );
    assert!(run.stdout.contains("Somebody may be missing"));
    assert!(
        run.stdout
            .ends_with("At least 1 principal can send to it.\n"),
        "{}",
        run.stdout
    );

    let quiet = who_can("send", "orders", &file).arg("-q").run();
    assert_eq!((quiet.code, quiet.stderr.as_str()), (3, ""));
    let lifted = who_can("send", "orders", &file)
        .arg("--allow-incomplete")
        .run();
    assert_eq!((lifted.code, lifted.stderr.as_str()), (0, ""));
    assert_eq!(lifted.stdout, run.stdout);
    assert!(!ask("send", "orders", &file).coverage.complete);
}

#[test]
fn what_can_only_make_access_smaller_leaves_the_answer_complete() {
    let (_folder, file) = lacking("may-overstate");
    let run = who_can("send", "orders", &file).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(ask("send", "orders", &file).coverage.complete);
}

#[test]
fn a_queue_that_is_not_found_may_be_one_that_was_not_read() {
    let (_folder, file) = lacking("may-hide");
    let run = who_can("send", "mails", &file).run();
    assert_eq!(
        run.failure(),
        "there is no queue `mails` (not everything could be read); the nearest names are `orders`"
    );
}

#[test]
fn principals_of_another_snapshot_are_decided_by_their_own_policies() {
    let folder = tempfile::tempdir().unwrap();
    let mut ours = account("111122223333", &["eu-west-1/orders"]);
    ours["queues"][0]["attributes"]["policy"] = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Partner", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:user/alice"},
         "Action": "sqs:SendMessage", "Resource": "*"}]});
    let ours = save(folder.path(), "ours.json", &ours);
    let partner = account("444455556666", &["eu-west-1/orders"]);
    let theirs = save(folder.path(), "theirs.json", &partner);
    let queue = "arn:aws:sqs:eu-west-1:111122223333:orders";
    let partner = "arn:aws:iam::444455556666:user/alice";

    let verdict = |answer: &Answer| {
        let mut principals = answer.principals.iter();
        principals
            .find(|one| one.arn == partner)
            .map(|one| one.verdict)
    };
    let alone = ask("send", queue, &ours);
    assert_eq!(verdict(&alone), Some(Verdict::Conditional));
    let both = |files: [&Path; 2]| {
        who_can("send", queue, files[0])
            .arg("--snapshot")
            .arg(files[1])
            .arg("-f")
            .arg("json")
            .run()
            .stdout
    };
    let together = both([&ours, &theirs]);
    assert_eq!(verdict(&answer(&together)), Some(Verdict::Allowed));
    assert_eq!(together, both([&theirs, &ours]), "their order is nothing");

    let ambiguous = who_can("send", "orders", &ours)
        .arg("--snapshot")
        .arg(&theirs)
        .run();
    assert!(
        ambiguous
            .failure()
            .contains("`orders` is the name of 2 queues")
    );
    let twice = who_can("send", queue, &ours)
        .arg("--snapshot")
        .arg(&ours)
        .run();
    assert!(
        twice.failure().contains("both of account 111122223333"),
        "{twice:?}"
    );
}

#[test]
fn whoever_has_read_enough_of_an_answer_may_go() {
    for format in ["table", "json"] {
        let run = who_can("send", "orders", &fixture("demo"))
            .arg("-f")
            .arg(format)
            .stdout(broken_pipe())
            .run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{format}");
    }
}

fn assert_run_is_harmless(run: &Run) {
    assert_harmless(&run.stdout);
    assert_harmless(&run.stderr);
}

#[test]
fn nothing_hostile_reaches_the_terminal_from_an_answer() {
    let (_folder, file) = hostile_file(&hostile_account());
    for capability in CAPABILITIES {
        let table = who_can(capability, &hostile_queue(), &file).run();
        assert!(table.stdout.contains(r"\u{1b}"), "{table:?}");
        assert_run_is_harmless(&table);
        let json = who_can(capability, &hostile_queue(), &file)
            .arg("-f")
            .arg("json")
            .run();
        assert_run_is_harmless(&json);
    }
    for (capability, queue) in [
        ("send", evil("orders")),
        (&*evil("send"), "orders".to_owned()),
    ] {
        let run = who_can(capability, &queue, &file).run();
        run.failure();
        assert_run_is_harmless(&run);
    }
}

#[test]
fn programs_get_hostile_names_of_statements_as_they_are() {
    let (_folder, file) = hostile_file(&hostile_account());
    let answer = ask("send", &hostile_queue(), &file);
    let statements: Vec<&str> = answer
        .principals
        .iter()
        .flat_map(|principal| &principal.because)
        .map(|proof| &*proof.statement)
        .collect();
    for name in [evil("Sid"), evil("open")] {
        assert!(statements.contains(&&*name), "{statements:?}");
    }
}

/// A principal, its verdict, its workloads, and each statement as layer, effect, policy and name.
type Seen = (String, Verdict, Vec<String>, Vec<String>);

fn seen(principal: &Principal) -> Seen {
    let because = principal
        .because
        .iter()
        .map(|proof| {
            let layer = match proof.layer {
                Layer::Identity => "identity",
                Layer::Resource => "resource",
                Layer::Boundary => "boundary",
                Layer::Scp => "scp",
                Layer::Rcp => "rcp",
                Layer::Kms => "kms",
            };
            let effect = match proof.effect {
                Effect::Allow => "Allow",
                Effect::Deny => "Deny",
            };
            format!("{layer} {effect} {} in {}", proof.statement, proof.policy)
        })
        .collect();
    let workloads = principal.workloads.clone();
    (principal.arn.clone(), principal.verdict, workloads, because)
}

#[test]
fn an_account_in_an_emulator_is_explained_statement_by_statement() {
    let moto = Moto::start();
    let seeded: Value = serde_json::from_str(&moto.seed("encrypted.py")).unwrap();
    let text = |name: &str| seeded[name].as_str().unwrap();
    let (key, grant) = (text("key"), text("grant"));
    let run = Patscan::new([
        "who-can",
        "send",
        "orders",
        "-f",
        "json",
        "--region",
        "eu-west-1",
    ])
    .arg("--endpoint-url")
    .arg(moto.url())
    .with_credentials()
    .run();
    assert_eq!(run.code, 0, "{}", run.stderr);
    let answer = answer(&run.stdout);
    let iam = |name: &str| format!("arn:aws:iam::123456789012:{name}");
    let queue = "arn:aws:sqs:eu-west-1:123456789012:orders";
    assert_eq!(answer.queue, queue);
    let function = |name: &str| format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
    let expected: Vec<Seen> = vec![
        (
            iam("user/alice"),
            Verdict::Allowed,
            vec![],
            vec![
                "identity Allow Send in inline policy queues of group senders".to_owned(),
                format!("kms Allow Account in {key}"),
                format!("identity Allow Key in {}", iam("policy/use-key")),
            ],
        ),
        (
            iam("role/bounded"),
            Verdict::Allowed,
            vec![],
            vec![
                "identity Allow Send in inline policy queues of role bounded".to_owned(),
                format!("boundary Allow Limit in {}", iam("policy/limit")),
                format!("kms Allow Account in {key}"),
            ],
        ),
        (
            iam("role/generator"),
            Verdict::Allowed,
            vec![function("generator")],
            vec![
                "identity Allow Send in inline policy queues of role generator".to_owned(),
                format!("kms Allow Generators in {key}"),
            ],
        ),
        (
            iam("role/granted"),
            Verdict::Allowed,
            vec![],
            vec![
                format!("resource Allow Granted in {queue}"),
                format!("kms Allow {grant} in grants of {key}"),
            ],
        ),
        (
            "sns.amazonaws.com".to_owned(),
            Verdict::Conditional,
            vec![],
            vec![
                format!("resource Allow Topic in {queue}"),
                format!("kms Allow Topics in {key}"),
            ],
        ),
    ];
    let found: Vec<Seen> = answer.principals.iter().map(seen).collect();
    assert_eq!(found, expected, "{found:#?}");
    assert!(answer.coverage.complete);
}
