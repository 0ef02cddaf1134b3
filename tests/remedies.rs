//! Remedies: each that is offered for a fixture account or a random one passes its proof or says why not, and what it writes can be
//! read by what it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use patscan::access::{Access, Capability};
use patscan::account::{self, Account};
use patscan::finding::Finding;
use patscan::graph::Graph;
use patscan::policy::{Document, Formula, PolicyKind};
use patscan::remedy::{Change, Ground, Moved, Plan, Proof, Remedy, applied, remedy};
use patscan::rules::{self, Audit, Settings};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::generated::cases;
use crate::patscan::{fixture, fixtures};
use crate::random_account::accounts;

fn read(scenario: &str) -> Vec<Account> {
    vec![account::read(&fixture(scenario)).unwrap()]
}

fn scenarios() -> Vec<String> {
    let mut scenarios: Vec<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    scenarios.sort();
    scenarios
}

fn findings(accounts: &[Account]) -> Vec<Finding> {
    let access = Access::compute(accounts);
    rules::check_all(&Audit {
        accounts,
        access: &access,
        graph: &Graph::new(&access),
        settings: &Settings::default(),
    })
}

/// The findings of some accounts that `wanted` chooses, each with its remedy.
fn remedies(accounts: &[Account], wanted: impl Fn(&Finding) -> bool) -> Vec<(Finding, Remedy)> {
    let access = Access::compute(accounts);
    let graph = Graph::new(&access);
    let settings = Settings::default();
    let findings = findings(accounts);
    let ground = Ground {
        access: &access,
        graph: &graph,
        settings: &settings,
        findings: &findings,
    };
    let chosen = findings.iter().filter(|finding| wanted(finding));
    chosen
        .map(|finding| (finding.clone(), remedy(&ground, finding)))
        .collect()
}

fn after(accounts: &[Account], plan: &Plan) -> Vec<Account> {
    accounts
        .iter()
        .map(|account| applied(account, &plan.changes))
        .collect()
}

/// What the own policies of a role say of actions that a remedy for a loop must leave alone: by action and resource the effects,
/// each with its conditions.
fn own_statements(
    accounts: &[Account],
    role: &str,
) -> BTreeMap<(&'static str, String), BTreeSet<String>> {
    let access = Access::compute(accounts);
    let mut principals = access.principals.iter();
    let principal = principals.find(|one| one.arn.as_str() == role).unwrap();
    let queues = access.queues.iter();
    let mut resources: Vec<String> = queues.map(|one| one.queue.arn.to_string()).collect();
    resources.extend(
        [
            "arn:aws:s3:::bucket/key",
            ROLE,
            "arn:aws:sqs:eu-west-1:111122223333:later",
        ]
        .map(str::to_owned),
    );
    let mut said: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for action in [
        "s3:getobject",
        "kms:decrypt",
        "sts:assumerole",
        "sqs:receivemessage",
        "sqs:deletemessage",
        "sqs:changemessagevisibility",
        "sqs:getqueueattributes",
        "sqs:listqueues",
    ] {
        for resource in &resources {
            let policies = principal.policies.iter();
            for statement in policies.flat_map(|policy| policy.document.readings.iter().flatten()) {
                let Some(set) = &statement.resources else {
                    continue;
                };
                let mut patterns = set.patterns.iter();
                let named = patterns.any(|one| one.could_match(resource, PolicyKind::Identity));
                if statement.actions.contains(action) && named != set.negated {
                    let conditions: BTreeSet<String> = statement
                        .conditions
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    let of_pair = said.entry((action, resource.clone())).or_default();
                    of_pair.insert(format!("{:?} {conditions:?}", statement.effect));
                }
            }
        }
    }
    said
}

/// What is wrong with a remedy; nothing where all is well.
fn fault(accounts: &[Account], finding: &Finding, remedy: &Remedy) -> Option<String> {
    let (Proof::Proved(sentences) | Proof::Unproved(sentences)) = &remedy.proof;
    if sentences.is_empty() || sentences.iter().any(String::is_empty) {
        return Some("it says nothing of what was shown".to_owned());
    }
    let Some(plan) = &remedy.plan else {
        return remedy
            .proof
            .is_proved()
            .then(|| "nothing is proved".to_owned());
    };
    for written in plan.documents() {
        let kind = match written.title.split(' ').next() {
            Some("trust") => continue,
            Some("policy") if written.owner.contains(":iam:") => PolicyKind::Identity,
            Some("policy") => PolicyKind::Resource,
            _ => PolicyKind::Identity,
        };
        if !Document::parse(&written.text, kind).readable {
            return Some(format!("{} is no policy: {}", written.title, written.text));
        }
    }
    if plan.commands().len() != plan.changes.len() {
        return Some("a change has no command".to_owned());
    }
    if remedy.proof.is_proved() {
        if finding.rule == "queue-feedback-loop" && finding.subject.arn.contains(":role/") {
            let (was, is) = (accounts, &after(accounts, plan)[..]);
            let role = &finding.subject.arn;
            if own_statements(was, role) != own_statements(is, role) {
                return Some("what is not about sending is not what it was".to_owned());
            }
        }
        if let Some(fault) = fault_of_flow(accounts, finding, plan) {
            return Some(fault);
        }
        let left = findings(&after(accounts, plan));
        if left.iter().any(|one| one.id == finding.id) {
            return Some("the finding is still there".to_owned());
        }
    }
    None
}

/// What is wrong with a remedy for how messages travel or who becomes whom, looked at without the means of the proof.
fn fault_of_flow(accounts: &[Account], finding: &Finding, plan: &Plan) -> Option<String> {
    let changed = after(accounts, plan);
    let (was, is) = (Access::compute(accounts), Access::compute(&changed));
    let steps = |access: &Access<'_>| -> BTreeSet<(String, String)> {
        let becoming = access.becoming();
        let name = |index: usize| access.principals[index].arn.to_string();
        let all = 0..access.principals.len();
        all.flat_map(|from| {
            let steps = becoming.steps_pair_by_pair(from);
            steps
                .into_iter()
                .map(move |step| (name(from), name(step.role)))
        })
        .collect()
    };
    match finding.rule {
        "message-cycle" => {
            let places: BTreeSet<&str> = finding
                .resources
                .iter()
                .map(|one| &*one.entity.arn)
                .collect();
            let graph = Graph::new(&is);
            let back = graph.message_cycles().into_iter().any(|cycle| {
                let mut queues = is.queues_of(&cycle.queues);
                queues.any(|(_, audited)| places.contains(audited.queue.arn.as_str()))
            });
            back.then(|| "messages still come back".to_owned())
        }
        "assumable-loop" => {
            let (was, is) = (steps(&was), steps(&is));
            let lost = was.difference(&is).count();
            (!is.is_subset(&was) || lost == 0 || lost > 2).then(|| format!("{lost} steps are lost"))
        }
        "shared-role" => {
            let role = &finding.subject.arn;
            let moved: Vec<&Moved> = plan
                .changes
                .iter()
                .filter_map(|change| match change {
                    Change::Move(moved) => Some(moved),
                    _ => None,
                })
                .collect();
            let stays = |access: &Access<'_>| {
                let principal = access
                    .principals
                    .iter()
                    .find(|one| one.arn.as_str() == &**role);
                principal.map_or(0, |principal| principal.workloads.len())
            };
            (moved.is_empty() || stays(&was) != stays(&is) + moved.len())
                .then(|| "what runs as which role is not what it says".to_owned())
        }
        _ => None,
    }
}

#[test]
fn every_remedy_for_a_fixture_is_proved_or_says_why_not() {
    let mut proved: BTreeMap<&str, usize> = BTreeMap::new();
    for scenario in scenarios() {
        let accounts = read(&scenario);
        for (finding, remedy) in remedies(&accounts, |_| true) {
            let fault = fault(&accounts, &finding, &remedy);
            assert_eq!(fault, None, "{scenario}: {}", finding.title);
            *proved.entry(finding.rule).or_default() += usize::from(remedy.proof.is_proved());
        }
    }
    for (rule, least) in [
        ("queue-feedback-loop", 10),
        ("direct-user-policy", 3),
        ("overbroad-wildcard", 15),
        ("can-self-grant", 3),
        ("shared-role", 2),
        ("message-cycle", 17),
        ("assumable-loop", 5),
    ] {
        assert!(proved[rule] >= least, "{rule}: {proved:?}");
    }
    assert!(
        proved.len() > 8 && proved["public-queue"] == 0,
        "{proved:?}"
    );
}

/// The finding of a rule about a subject of a fixture account, with its remedy.
fn remedy_of(scenario: &str, rule: &str, subject: &str) -> (Vec<Account>, Remedy) {
    let accounts = read(scenario);
    let mut found = remedies(&accounts, |finding| {
        finding.rule == rule && finding.subject.arn.ends_with(subject)
    });
    assert_eq!(found.len(), 1, "{rule} of {subject}");
    (accounts, found.remove(0).1)
}

#[test]
fn the_generators_of_a_shared_role_move_to_one_of_their_own() {
    let (accounts, remedy) = remedy_of("shared-role", "shared-role", "role/shop");
    assert!(remedy.proof.is_proved(), "{:?}", remedy.proof);
    let after = after(&accounts, &remedy.plan.unwrap());
    let runs_as = |function: &str| {
        let mut functions = after[0].functions.iter();
        let ends = format!(":{function}");
        let function = functions
            .find(|one| one.arn.as_str().ends_with(&ends))
            .unwrap();
        function.role.name().to_owned()
    };
    assert_eq!(runs_as("orders-worker"), "shop");
    assert_eq!(runs_as("shop-api"), "shop-generator");
}

#[test]
fn a_circle_is_cut_at_a_right_where_that_is_enough() {
    for (queue, changed) in [
        ("ping", "inline"),
        ("uploads", "inline"),
        ("east", "inline"),
    ] {
        let (_, remedy) = remedy_of("message-cycles", "message-cycle", &format!(":{queue}"));
        assert!(remedy.proof.is_proved(), "{queue}: {:?}", remedy.proof);
        let changes = remedy.plan.unwrap().changes;
        let words: Vec<String> = changes.iter().map(Change::words).collect();
        assert!(
            words.iter().all(|words| words.contains(changed)),
            "{words:?}"
        );
    }
}

#[test]
fn whether_a_right_is_needed_only_the_team_knows() {
    for (finding, remedy) in remedies(&read("message-cycles"), |one| one.rule == "message-cycle") {
        let notes = remedy.plan.unwrap().notes;
        let told = notes
            .iter()
            .any(|note| note.contains("only the team knows"));
        assert!(told, "{}: {notes:?}", finding.title);
    }
}

#[test]
fn where_only_deliveries_make_a_circle_one_goes_and_that_is_its_owners_decision() {
    let arn =
        |service: &str, name: &str| format!("arn:aws:{service}:eu-west-1:111122223333:{name}");
    let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    let (mut roles, mut queues, mut workloads, mut deliveries) = (vec![], vec![], vec![], vec![]);
    for (from, to) in [("left", "right"), ("right", "left")] {
        let (name, pipe) = (
            format!("from-{from}"),
            arn("pipes", &format!("pipe/from-{from}")),
        );
        roles.push(json!({"arn": role(&name), "id": format!("AROA{from}"),
            "trust": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
            "inline": inline(&json!([
                {"Sid": "Take", "Effect": "Allow", "Resource": arn("sqs", from),
                    "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]},
                {"Sid": "Put", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn("sqs", to)}]))}));
        queues.push(json!({"arn": arn("sqs", from), "url": format!("https://sqs.eu-west-1.amazonaws.com/111122223333/{from}"),
            "attributes": {}}));
        workloads.push(json!({"kind": "pipe", "arn": pipe, "runs_as": role(&name)}));
        for (from, to) in [
            (arn("sqs", from), pipe.clone()),
            (pipe.clone(), arn("sqs", to)),
        ] {
            deliveries.push(
                json!({"kind": "pipe", "configured_by": pipe, "from": from, "to": to,
                "sender": {"role": role(&name)}}),
            );
        }
    }
    let snapshot = json!({"schema": "patscan.snapshot/v1", "account": {"id": "111122223333", "partition": "aws",
        "regions": ["eu-west-1"], "scanned_at": "2026-01-31T08:00:00Z", "organization": {"membership": "none"},
        "roles": roles, "queues": queues, "workloads": workloads, "deliveries": deliveries}});
    let text = serde_json::to_vec(&snapshot).unwrap();
    let accounts = vec![account::from_slice(&text, std::path::Path::new("test")).unwrap()];
    let mut found = remedies(&accounts, |finding| finding.rule == "message-cycle");
    assert_eq!(found.len(), 1);
    let (finding, remedy) = found.remove(0);
    assert!(remedy.proof.is_proved(), "{:?}", remedy.proof);
    assert_eq!(fault(&accounts, &finding, &remedy), None);
    let plan = remedy.plan.unwrap();
    let removes = |change: &Change| matches!(change, Change::RemoveDelivery(_));
    assert!(plan.changes.iter().all(removes), "{:?}", plan.changes);
    let told = |note: &String| note.contains("a decision of whoever owns it");
    assert!(plan.notes.iter().any(told), "{:?}", plan.notes);
}

#[test]
fn a_user_who_can_both_send_and_receive_becomes_a_member_of_one_of_two_groups() {
    let mut told = 0;
    for scenario in scenarios() {
        let accounts = read(&scenario);
        let loops = remedies(&accounts, |finding| {
            finding.rule == "queue-feedback-loop" && finding.subject.arn.contains(":user/")
        });
        for (finding, remedy) in loops {
            let Some(plan) = &remedy.plan else { continue };
            if let Proof::Unproved(reasons) = &remedy.proof {
                // Who no longer sends itself may still become somebody who does: that is a finding of its own, and is said.
                let other = |reason: &String| reason.contains("it would bring a finding of");
                assert!(reasons.iter().all(other), "{scenario}: {reasons:?}");
                continue;
            }
            let groups = plan.changes.iter();
            let groups = groups
                .filter(|change| matches!(change, Change::AddGroup(_)))
                .count();
            assert_eq!(groups, 2, "{scenario}: {}", finding.title);
            told += 1;
        }
    }
    assert!(told > 2, "{told}");
}

#[test]
fn both_loops_of_the_demo_have_proved_remedies() {
    let loops = remedies(&read("demo"), |finding| {
        finding.rule == "queue-feedback-loop" && finding.subject.arn.contains(":role/")
    });
    assert_eq!(loops.len(), 2);
    for (finding, remedy) in loops {
        assert!(
            remedy.proof.is_proved(),
            "{}: {:?}",
            finding.title,
            remedy.proof
        );
    }
}

/// An account with one role of these policies, and one queue.
fn account_of(role: &Value, queue: &Value, keys: &Value) -> Vec<Account> {
    let mut queue_of_account = json!({"arn": QUEUE, "url": "https://sqs.eu-west-1.amazonaws.com/111122223333/orders", "attributes": queue});
    queue_of_account["tags"] = json!([]);
    let mut app = json!({"arn": ROLE, "id": "AROA1", "trust": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}});
    for (key, value) in role.as_object().unwrap() {
        app[key] = value.clone();
    }
    let snapshot = json!({"schema": "patscan.snapshot/v1", "account": {"id": "111122223333", "partition": "aws",
        "regions": ["eu-west-1"], "scanned_at": "2026-01-31T08:00:00Z", "organization": {"membership": "none"},
        "roles": [app], "queues": [queue_of_account], "keys": keys,
        "policies": [{"arn": "arn:aws:iam::aws:policy/AmazonSQSFullAccess", "document": {"Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}}]}});
    let text = serde_json::to_vec(&snapshot).unwrap();
    vec![account::from_slice(&text, std::path::Path::new("test")).unwrap()]
}

const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:orders";
const ROLE: &str = "arn:aws:iam::111122223333:role/app";

fn inline(statements: &Value) -> Value {
    json!([{"name": "Own", "document": {"Version": "2012-10-17", "Statement": statements}}])
}

fn receive() -> Value {
    json!({"Sid": "Take", "Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"], "Resource": QUEUE})
}

/// The only loop of an account, with its remedy.
fn of_loop(accounts: &[Account]) -> Remedy {
    let mut loops = remedies(accounts, |finding| finding.rule == "queue-feedback-loop");
    assert_eq!(loops.len(), 1);
    loops.remove(0).1
}

/// When a role of some accounts has a capability on their first queue.
fn can(accounts: &[Account], role: &str, capability: Capability) -> Formula {
    let access = Access::compute(accounts);
    let mut principals = access.principals.iter();
    let index = principals.position(|one| one.arn.as_str() == role).unwrap();
    let rights = access.rights_on(index, 0);
    rights.map_or(Formula::Never, |rights| rights.when(capability).clone())
}

#[test]
fn conditions_go_over_to_the_new_role() {
    let condition = json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}});
    let accounts = account_of(
        &json!({"inline": inline(&json!([receive(),
            {"Sid": "Put", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", "Condition": condition}]))}),
        &json!({}),
        &json!([]),
    );
    let remedy = of_loop(&accounts);
    assert!(remedy.proof.is_proved(), "{:?}", remedy.proof);
    let after = after(&accounts, &remedy.plan.unwrap());
    let heir = format!("{ROLE}-generator");
    let (was, is) = (
        can(&accounts, ROLE, Capability::Send),
        can(&after, &heir, Capability::Send),
    );
    assert!(!was.is_always() && was == is, "{was:?} {is:?}");
    assert!(can(&after, ROLE, Capability::Send).is_never());
    assert!(can(&after, ROLE, Capability::Receive).is_always());
    assert!(can(&after, &heir, Capability::Receive).is_never());
}

#[test]
fn a_queue_policy_that_names_the_role_is_part_of_the_remedy() {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "App", "Effect": "Allow", "Principal": {"AWS": [ROLE, "arn:aws:iam::444455556666:root"]},
            "Action": ["sqs:SendMessage", "sqs:GetQueueUrl"], "Resource": QUEUE}]});
    let accounts = account_of(
        &json!({"inline": inline(&json!([receive()]))}),
        &json!({"policy": policy}),
        &json!([]),
    );
    let remedy = of_loop(&accounts);
    assert!(remedy.proof.is_proved(), "{:?}", remedy.proof);
    let plan = remedy.plan.unwrap();
    assert!(
        plan.changes
            .iter()
            .any(|change| matches!(change, Change::SetQueuePolicy { .. }))
    );
    let after = after(&accounts, &plan);
    assert!(can(&after, &format!("{ROLE}-generator"), Capability::Send).is_always());
    assert!(can(&after, ROLE, Capability::Send).is_never());
}

#[test]
fn a_queue_that_lets_everybody_send_needs_a_deny() {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": QUEUE}]});
    let accounts = account_of(
        &json!({"inline": inline(&json!([receive()]))}),
        &json!({"policy": policy}),
        &json!([]),
    );
    let remedy = of_loop(&accounts);
    assert!(remedy.proof.is_proved(), "{:?}", remedy.proof);
    let plan = remedy.plan.unwrap();
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("without naming it"))
    );
    assert!(can(&after(&accounts, &plan), ROLE, Capability::Send).is_never());
}

#[test]
fn a_customer_key_lets_the_new_role_in() {
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
    let keys = json!([{"arn": key, "aliases": [], "manager": "customer", "state": "Enabled", "grants": [],
        "policy": {"Version": "2012-10-17", "Statement": [{"Sid": "App", "Effect": "Allow", "Principal": {"AWS": ROLE},
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"}]}}]);
    let send =
        json!({"Sid": "Put", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE});
    let accounts = account_of(
        &json!({"inline": inline(&json!([receive(), send]))}),
        &json!({"encryption": {"mode": "kms", "key": key}}),
        &keys,
    );
    let remedy = of_loop(&accounts);
    assert!(remedy.proof.is_proved(), "{:?}", remedy.proof);
    let plan = remedy.plan.unwrap();
    assert!(
        plan.changes
            .iter()
            .any(|change| matches!(change, Change::SetKeyPolicy { .. }))
    );
}

#[test]
fn a_policy_of_aws_is_replaced_by_a_copy_without_what_neither_side_needs() {
    let accounts = account_of(
        &json!({"attached": ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"]}),
        &json!({}),
        &json!([]),
    );
    let remedy = of_loop(&accounts);
    assert!(remedy.proof.is_proved(), "{:?}", remedy.proof);
    let plan = remedy.plan.unwrap();
    assert!(
        plan.changes
            .iter()
            .any(|change| matches!(change, Change::Detach { .. }))
    );
    let after = after(&accounts, &plan);
    assert!(can(&after, ROLE, Capability::Delete).is_always());
    assert!(can(&after, ROLE, Capability::Administer).is_never());
}

#[test]
fn what_would_not_help_is_not_called_proved() {
    // The role may change its own policies, and so could take everything back.
    let all = json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/none": "x"}}});
    let iam = json!({"Sid": "Iam", "Effect": "Allow", "Action": "iam:*", "Resource": "*"});
    let send =
        json!({"Sid": "Put", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE});
    let accounts = account_of(
        &json!({"inline": inline(&json!([receive(), send, iam, all]))}),
        &json!({}),
        &json!([]),
    );
    let remedy = of_loop(&accounts);
    let Proof::Unproved(reasons) = &remedy.proof else {
        panic!("{:?}", remedy.proof);
    };
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("can-self-grant")),
        "{reasons:?}"
    );
}

/// What Terraform says of a configuration; nothing where it is not at hand.
fn formatted(configuration: &str) -> Option<Result<String, String>> {
    let mut terraform = Command::new("terraform")
        .args(["fmt", "-"])
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = terraform.stdin.take()?;
    stdin.write_all(configuration.as_bytes()).ok()?;
    drop(stdin);
    let output = terraform.wait_with_output().ok()?;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some(if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    })
}

#[test]
fn every_configuration_is_hcl_and_in_the_style_of_terraform_where_that_is_at_hand() {
    let hostile = json!({"Sid": "Put", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE,
        "Condition": {"StringNotEquals": {"aws:PrincipalTag/a b": ["${aws:username}", "%{ for x }", "a\"b\\\n$${"]}}});
    let hostile = account_of(
        &json!({"inline": inline(&json!([receive(), hostile])), "tags": [{"key": "a\"b", "value": "${x}\n"}]}),
        &json!({}),
        &json!([]),
    );
    let mut all = vec![hostile];
    all.extend(scenarios().iter().map(|scenario| read(scenario)));
    let mut written = 0;
    for accounts in all {
        for (finding, remedy) in remedies(&accounts, |_| true) {
            let Some(plan) = remedy.plan else { continue };
            let configuration = plan.terraform();
            if let Err(error) = configuration.parse::<hcl_edit::structure::Body>() {
                panic!("{}: {error}\n{configuration}", finding.title);
            }
            match formatted(&configuration) {
                Some(Ok(formatted)) => assert_eq!(configuration, formatted, "{}", finding.title),
                Some(Err(error)) => panic!("{}: {error}\n{configuration}", finding.title),
                None => {}
            }
            written += 1;
        }
    }
    assert!(written > 60, "{written}");
}

proptest! {
    // Each remedy decides an account again.
    #![proptest_config(ProptestConfig { cases: cases().cases / 8, ..cases() })]

    #[test]
    fn a_proved_remedy_removes_the_finding_of_any_account(accounts in accounts()) {
        let rules = [
            "queue-feedback-loop", "shared-role", "message-cycle", "assumable-loop", "direct-user-policy", "overbroad-wildcard",
            "can-self-grant",
        ];
        let wanted = |finding: &Finding| rules.contains(&finding.rule);
        for (finding, remedy) in remedies(&accounts, wanted) {
            prop_assert_eq!(fault(&accounts, &finding, &remedy), None, "{}", finding.title);
        }
    }
}

#[test]
fn random_accounts_have_loops_of_which_some_have_proved_remedies() {
    let mut runner = TestRunner::deterministic();
    let (mut proved, mut told) = (0, 0);
    for _ in 0..80 {
        let accounts = accounts().new_tree(&mut runner).unwrap().current();
        let loops = remedies(&accounts, |finding| {
            finding.rule == "queue-feedback-loop" && finding.subject.arn.contains(":role/")
        });
        told += loops.len();
        let is_proved = |(_, remedy): &&(Finding, Remedy)| remedy.proof.is_proved();
        proved += loops.iter().filter(is_proved).count();
    }
    assert!(proved > 4, "{proved} of {told}");
}
