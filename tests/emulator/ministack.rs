//! A second opinion that shares no code: the ministack emulator enforces IAM policies on real calls, and must let through
//! exactly what `patscan simulate` says is allowed.
//!
//! `PATSCAN_SEED` repeats a run. What ministack is known to decide otherwise than AWS documents is not asked:
//!
//! - policy variables: it compares `${…}` as plain text (AWS: "Variables and tags");
//! - `NotPrincipal`: it never matches such a statement;
//! - root users: it lets them do everything;
//! - `aws:PrincipalArn` and tags of role sessions: it gives the ARN of the session, and role tags are not reliable;
//! - `aws:PrincipalTag`, `aws:PrincipalType`, `aws:username`, `aws:MultiFactorAuthPresent` and the absence of `aws:TagKeys` in
//!   queue policies: SQS checks these a second time there, taking every caller for a root user without such keys;
//! - service and resource control policies: it knows none;
//! - a `*` that would have to stop at a colon of an ARN condition: it compares the whole text;
//!
//! One thing is asked and excused: [`has_star_within_limits`].

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::server::{Server, programs, script};
use crate::generated::{BOTH, Key, Owner, Sort, Vocabulary, policy};
use crate::patscan::Patscan;

const REQUIREMENT: &str = "ministack==1.5.33";
/// How long cases are asked; starting and comparing come on top.
const TIME: Duration = Duration::from_secs(30);
/// The first owns the queue.
const ACCOUNTS: [&str; 2] = ["123456789012", "210987654321"];
/// Stands for the queue of a case, each of which has its own.
const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders#";
const ACTIONS: [&str; 6] = [
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
    "GetQueueAttributes",
    "PurgeQueue",
];

const fn key(name: &'static str, sort: Sort, wanted: &'static [&'static str]) -> Key {
    Key {
        name,
        sort,
        values: &[],
        wanted,
    }
}

/// Those that ministack forgets when it judges a queue policy stand first.
const KEYS: [Key; 15] = [
    key(
        "aws:PrincipalTag/team",
        Sort::Text,
        &["a", "b1", "b*", "?", "*", "A"],
    ),
    key(
        "aws:PrincipalType",
        Sort::Text,
        &["User", "AssumedRole", "assumedrole", "*e*"],
    ),
    key("aws:username", Sort::Text, &["alice", "a*", "ALICE", "bob"]),
    key("aws:MultiFactorAuthPresent", Sort::Bool, &["true", "false"]),
    key("aws:TagKeys", Sort::Texts, &["a", "*"]),
    key(
        "aws:PrincipalAccount",
        Sort::Text,
        &["123456789012", "2109*", "*"],
    ),
    key(
        "AWS:requestedregion",
        Sort::Text,
        &["us-east-1", "us-*", "eu-west-1"],
    ),
    key(
        "aws:ResourceAccount",
        Sort::Text,
        &["123456789012", "210987654321"],
    ),
    key("aws:SourceVpce", Sort::Text, &["vpce-1", "*"]),
    key(
        "aws:SourceIp",
        Sort::Address,
        &[
            "127.0.0.1",
            "127.0.0.0/8",
            "10.0.0.0/8",
            "::/0",
            "0.0.0.0/0",
        ],
    ),
    key("aws:SecureTransport", Sort::Bool, &["true", "false"]),
    key("aws:EpochTime", Sort::Number, &["1577836800", "4070908800"]),
    key(
        "aws:CurrentTime",
        Sort::Date,
        &["2020-01-01T00:00:00Z", "2099-01-01", "4070908800"],
    ),
    key(
        "aws:SourceArn",
        Sort::Arn,
        &["arn:*:*:*:*:*", "arn:aws:sns:us-east-1:123456789012:t"],
    ),
    key("aws:PrincipalOrgPaths", Sort::Texts, &["o-1/*", "*"]),
];
const FORGOTTEN_ON_QUEUES: usize = 5;

const VOCABULARY: Vocabulary = Vocabulary {
    keys: &KEYS,
    actions: &[
        "*",
        "sqs:*",
        "sqs:SendMessage",
        "sqs:sendmessage",
        "sqs:Receive*",
        "sqs:*Message",
        "sqs:Get*",
        "sqs:?urgeQueue",
        "sqs:ChangeMessageVisibility",
        "s3:GetObject",
    ],
    resources: &[
        "*",
        QUEUE,
        "arn:aws:sqs:*:*:orders*",
        "arn:aws:sqs:us-east-1:123456789012:ord*",
        "arn:aws:sqs:us-east-?:*:*",
        "arn:aws:sqs:us-east-1:210987654321:orders",
        "arn:aws:sqs:us-east-1:123456789012:Orders*",
        "arn:aws:sns:*:*:*",
    ],
    principals: &[
        r#""*""#,
        r#"{"AWS": "*"}"#,
        r#"{"AWS": "123456789012"}"#,
        r#"{"AWS": "arn:aws:iam::123456789012:root"}"#,
        r#"{"AWS": ["210987654321", "arn:aws:iam::123456789012:user/bob"]}"#,
        r#"{"AWS": "arn:aws:iam::123456789012:user/alice"}"#,
        r#"{"AWS": "arn:aws:iam::210987654321:user/alice"}"#,
        r#"{"AWS": "arn:aws:iam::123456789012:role/app"}"#,
        r#"{"AWS": "arn:aws:iam::210987654321:role/app"}"#,
        r#"{"AWS": "arn:aws:sts::123456789012:assumed-role/app/s1"}"#,
        r#"{"AWS": "arn:aws:sts::123456789012:assumed-role/app/s2"}"#,
        r#"{"Service": "sns.amazonaws.com"}"#,
    ],
    not_principals: &[],
    documented: true,
};

const ON_QUEUES: Vocabulary = Vocabulary {
    keys: KEYS.split_at(FORGOTTEN_ON_QUEUES).1,
    ..VOCABULARY
};

fn case() -> impl Strategy<Value = Value> {
    let own =
        |weight: f64| prop::option::weighted(weight, policy(VOCABULARY, Owner::Principal, BOTH));
    (
        prop::sample::select(&[ACCOUNTS[0], ACCOUNTS[0], ACCOUNTS[1]][..]),
        any::<bool>(),
        prop::option::of(prop::sample::select(&["a", "b1"][..])),
        prop::collection::vec(policy(VOCABULARY, Owner::Principal, BOTH), 0..=2),
        own(0.3),
        own(0.4),
        prop::option::weighted(0.7, policy(ON_QUEUES, Owner::Resource, BOTH)),
    )
        .prop_map(
            |(account, role, team, identity, boundary, session, queue_policy)| {
                json!({
                    "account": account,
                    "role": role,
                    "tags": match team {
                        Some(team) if !role => json!({"team": team}),
                        _ => json!({}),
                    },
                    "identity": identity,
                    "boundary": boundary,
                    "session": session.filter(|_| role),
                    "queue_policy": queue_policy,
                    "actions": ACTIONS,
                })
            },
        )
}

/// Whether everyone is allowed by the queue policy and the caller has a boundary or a session policy: AWS lets such a grant
/// through whatever these lack ("How AWS enforcement code logic evaluates requests"; B.3), ministack does so only where the
/// user or the session is named.
fn has_star_within_limits(case: &Value) -> bool {
    let allows_everyone = case["queue_policy"]["Statement"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|statement| {
            let principal = &statement["Principal"];
            statement["Effect"] == "Allow" && (*principal == "*" || principal["AWS"] == "*")
        });
    allows_everyone && !(case["boundary"].is_null() && case["session"].is_null())
}

/// What `patscan simulate` is asked about a case: one request for each action.
fn requests(case: &Value) -> String {
    let account = case["account"].as_str().unwrap();
    let mut context = json!({
        "aws:PrincipalAccount": account,
        "aws:RequestedRegion": "us-east-1",
        "aws:ResourceAccount": ACCOUNTS[0],
        "aws:SourceIp": "127.0.0.1",
        "aws:SecureTransport": "false",
        "aws:EpochTime": "1800000000",
        "aws:CurrentTime": "2027-01-15T08:00:00Z",
    });
    let principal = if case["role"] == true {
        context["aws:PrincipalType"] = json!("AssumedRole");
        context["aws:MultiFactorAuthPresent"] = json!("false");
        format!("arn:aws:sts::{account}:assumed-role/app/s1")
    } else {
        context["aws:PrincipalType"] = json!("User");
        context["aws:username"] = json!("alice");
        if let Some(team) = case["tags"].get("team") {
            context["aws:PrincipalTag/team"] = team.clone();
        }
        format!("arn:aws:iam::{account}:user/alice")
    };
    let list = |policy: &Value| match policy {
        Value::Null => Value::Null,
        policy => json!([policy]),
    };
    ACTIONS
        .iter()
        .map(|action| {
            json!({
                "principal": principal,
                "action": format!("sqs:{action}"),
                "resource": format!("arn:aws:sqs:us-east-1:{}:{}", ACCOUNTS[0], case["queue"].as_str().unwrap()),
                "context": context,
                "identity_policies": case["identity"],
                "permissions_boundaries": list(&case["boundary"]),
                "session_policies": list(&case["session"]),
                "resource_policy": case["queue_policy"],
            })
            .to_string()
                + "\n"
        })
        .collect()
}

/// A running emulator with a state of its own.
pub(crate) struct Ministack {
    server: Server,
    bin: PathBuf,
}

impl Ministack {
    /// Starts an emulator without any resources, which refuses what no policy allows.
    pub(crate) fn start() -> Self {
        let bin = programs(REQUIREMENT);
        let server = Server::start(|port| {
            let mut command = Command::new(bin.join("ministack"));
            command.envs([
                ("GATEWAY_PORT", port.to_string().as_str()),
                ("BIND_HOST", "127.0.0.1"),
                ("IOT_MTLS_ENABLED", "0"),
                ("MINISTACK_ACCOUNT_ID", ACCOUNTS[0]),
                ("AUTH", "true"),
            ]);
            command
        });
        Self { server, bin }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// A Python script of `tests/emulator`, ready to run against the emulator; botocore is at hand.
    fn python(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join("python"));
        command.arg(script(name)).env_clear().envs([
            ("AWS_ENDPOINT_URL", self.url().as_str()),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]);
        command
    }

    /// Runs such a script; what it prints.
    pub(crate) fn seed(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.python(name).args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{name} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Asks the emulator about random cases until the time is over; the cases and its answers.
fn judged(seed: u64) -> Vec<(Value, Vec<bool>)> {
    let ministack = Ministack::start();
    let mut judge = ministack
        .python("judge.py")
        .env("ACCOUNTS", ACCOUNTS.join(","))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut questions = judge.stdin.take().unwrap();
    let mut answers = BufReader::new(judge.stdout.take().unwrap()).lines();

    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut judged = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < TIME {
        let mut case = case().new_tree(&mut runner).unwrap().current();
        let queue = format!("orders{}", judged.len());
        case["queue"] = json!(queue);
        let case: Value =
            serde_json::from_str(&case.to_string().replace("orders#", &queue)).unwrap();
        writeln!(questions, "{case}").unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        let allowed = answer["allowed"]
            .as_array()
            .unwrap_or_else(|| panic!("seed {seed}: {answer}\n{case}"))
            .iter()
            .map(|allowed| allowed.as_bool().unwrap())
            .collect();
        judged.push((case, allowed));
    }
    drop(questions);
    judge.wait().unwrap();
    judged
}

#[test]
fn an_emulator_that_enforces_policies_lets_through_what_simulate_allows() {
    let seed = std::env::var("PATSCAN_SEED").map_or_else(
        |_| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs(),
        |seed| seed.parse().unwrap(),
    );
    let judged = judged(seed);
    let input: String = judged.iter().map(|(case, _)| requests(case)).collect();
    let run = Patscan::new(["simulate"]).stdin(&input).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let decisions: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(decisions.len(), judged.len() * ACTIONS.len());

    let mut disagreements = Vec::new();
    let mut allowed_in_all = 0;
    for ((case, allowed), decisions) in judged.iter().zip(decisions.chunks(ACTIONS.len())) {
        for ((action, allowed), line) in ACTIONS.iter().zip(allowed).zip(decisions) {
            let decision: Value = serde_json::from_str(line).unwrap();
            allowed_in_all += usize::from(*allowed);
            let expected = if *allowed { "allowed" } else { "denied" };
            let excused =
                !allowed && decision["layer"] == "resource" && has_star_within_limits(case);
            if decision["decision"] != expected && !excused {
                disagreements.push(format!("{action}: ministack {allowed}, {line}\n{case}\n"));
            }
        }
    }
    // The shortest says most.
    disagreements.sort_by_key(String::len);
    assert!(
        disagreements.is_empty(),
        "PATSCAN_SEED={seed}: {} of {} decisions\n{}",
        disagreements.len(),
        decisions.len(),
        disagreements.iter().take(5).cloned().collect::<String>()
    );
    // Neither a stopped emulator nor a table of nothing but refusals is a second opinion.
    assert!(
        decisions.len() > 300 && allowed_in_all > decisions.len() / 50,
        "PATSCAN_SEED={seed}: {} decisions, {allowed_in_all} of them allowed",
        decisions.len()
    );
}
