//! Whom principals could act as: every way with all of its actions, and none with one missing, denied, or passed to another
//! service; what hangs on conditions; who is quiet.

use std::collections::BTreeSet;
use std::path::Path;

use patscan::access::{Access, Way};
use patscan::account::{Account, from_slice};
use serde_json::{Value, json};

const A: &str = "111122223333";
const TARGET: &str = "arn:aws:iam::111122223333:role/target";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:orders";

/// A way as the documentation of each service has it: the service that a role is passed to, if any, the actions, and whether it
/// takes something besides that is not known of the account below.
#[derive(Clone, Copy)]
struct Known {
    service: Option<&'static str>,
    actions: &'static [&'static str],
    open: bool,
}

const fn passing(service: &'static str, actions: &'static [&'static str]) -> Known {
    Known {
        service: Some(service),
        actions,
        open: false,
    }
}

const fn changing(actions: &'static [&'static str]) -> Known {
    Known {
        service: None,
        actions,
        open: false,
    }
}

const fn open(known: Known) -> Known {
    Known {
        open: true,
        ..known
    }
}

const LAMBDA: &str = "lambda.amazonaws.com";
const EC2: &str = "ec2.amazonaws.com";
const TASKS: &str = "ecs-tasks.amazonaws.com";

const KNOWN: &[Known] = &[
    passing(LAMBDA, &["lambda:CreateFunction", "lambda:InvokeFunction"]),
    passing(
        LAMBDA,
        &["lambda:CreateFunction", "lambda:CreateEventSourceMapping"],
    ),
    passing(
        LAMBDA,
        &[
            "lambda:CreateFunction",
            "lambda:CreateFunctionUrlConfig",
            "lambda:AddPermission",
        ],
    ),
    changing(&["lambda:UpdateFunctionCode", "lambda:InvokeFunction"]),
    changing(&[
        "lambda:UpdateFunctionConfiguration",
        "lambda:InvokeFunction",
    ]),
    open(changing(&["lambda:UpdateFunctionCode"])),
    open(changing(&["lambda:UpdateFunctionConfiguration"])),
    passing(
        EC2,
        &[
            "ec2:RunInstances",
            "iam:CreateInstanceProfile",
            "iam:AddRoleToInstanceProfile",
        ],
    ),
    open(changing(&["ssm:SendCommand"])),
    open(changing(&["ssm:StartSession"])),
    changing(&[
        "ec2:ModifyInstanceAttribute",
        "ec2:StopInstances",
        "ec2:StartInstances",
    ]),
    open(changing(&["ec2-instance-connect:SendSSHPublicKey"])),
    passing(TASKS, &["ecs:RegisterTaskDefinition", "ecs:RunTask"]),
    open(passing(
        TASKS,
        &["ecs:RegisterTaskDefinition", "ecs:StartTask"],
    )),
    open(passing(
        TASKS,
        &["ecs:RegisterTaskDefinition", "ecs:UpdateService"],
    )),
    open(changing(&["ecs:ExecuteCommand"])),
    open(passing(
        TASKS,
        &["batch:RegisterJobDefinition", "batch:SubmitJob"],
    )),
    passing(
        "codebuild.amazonaws.com",
        &["codebuild:CreateProject", "codebuild:StartBuild"],
    ),
    open(passing(
        "codebuild.amazonaws.com",
        &["codebuild:UpdateProject", "codebuild:StartBuild"],
    )),
    passing(
        "glue.amazonaws.com",
        &["glue:CreateJob", "glue:StartJobRun"],
    ),
    open(passing(
        "glue.amazonaws.com",
        &["glue:UpdateJob", "glue:StartJobRun"],
    )),
    passing(
        "events.amazonaws.com",
        &["events:PutTargets", "events:PutRule"],
    ),
    passing(
        "tasks.apprunner.amazonaws.com",
        &["apprunner:CreateService"],
    ),
    passing("glue.amazonaws.com", &["glue:CreateDevEndpoint"]),
    passing(
        "glue.amazonaws.com",
        &["glue:CreateSession", "glue:RunStatement"],
    ),
    passing(
        "sagemaker.amazonaws.com",
        &[
            "sagemaker:CreateNotebookInstance",
            "sagemaker:CreatePresignedNotebookInstanceUrl",
        ],
    ),
    passing("sagemaker.amazonaws.com", &["sagemaker:CreateTrainingJob"]),
    passing(
        "sagemaker.amazonaws.com",
        &["sagemaker:CreateProcessingJob"],
    ),
    passing(
        "states.amazonaws.com",
        &["states:CreateStateMachine", "states:StartExecution"],
    ),
    changing(&["states:UpdateStateMachine", "states:StartExecution"]),
    open(changing(&["states:UpdateStateMachine"])),
    passing("scheduler.amazonaws.com", &["scheduler:CreateSchedule"]),
    open(passing("pipes.amazonaws.com", &["pipes:CreatePipe"])),
    open(passing(
        "pods.eks.amazonaws.com",
        &["eks:CreatePodIdentityAssociation"],
    )),
    changing(&["iam:CreateAccessKey"]),
    open(changing(&["iam:CreateLoginProfile"])),
    open(changing(&["iam:UpdateLoginProfile"])),
];

/// Ways that are not open to the role above: it stands in no instance profile, and is no administrator.
const OTHERS: &[Known] = &[
    passing(EC2, &["ec2:RunInstances"]),
    open(passing(EC2, &["ec2:AssociateIamInstanceProfile"])),
    open(passing(EC2, &["ec2:ReplaceIamInstanceProfileAssociation"])),
    passing(
        "cloudformation.amazonaws.com",
        &["cloudformation:CreateStack"],
    ),
    open(passing(
        "cloudformation.amazonaws.com",
        &["cloudformation:UpdateStack"],
    )),
    passing(
        "cloudformation.amazonaws.com",
        &[
            "cloudformation:CreateChangeSet",
            "cloudformation:ExecuteChangeSet",
        ],
    ),
];

fn statement(effect: &str, actions: &[&str], resource: &Value) -> Value {
    json!({"Effect": effect, "Action": actions, "Resource": resource})
}

fn allow(actions: &[&str]) -> Value {
    statement("Allow", actions, &json!("*"))
}

fn with_condition(mut statement: Value, condition: &Value) -> Value {
    statement["Condition"] = condition.clone();
    statement
}

fn policy(name: &str, statements: &[Value]) -> Value {
    json!({"name": name, "document": {"Version": "2012-10-17", "Statement": statements}})
}

/// An account in which `mallory` has these statements, and `target` and `victim` the rights on a queue. `target` trusts the
/// services and runs a function, an instance, a state machine and an ECS service, which nothing is known to start.
fn account(services: &[&str], statements: &[Value]) -> Value {
    let messages = allow(&["sqs:SendMessage", "sqs:ReceiveMessage"]);
    let trust: Vec<Value> = services
        .iter()
        .map(|service| json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}))
        .collect();
    let of = |kind: &str, name: &str| format!("arn:aws:{kind}:eu-west-1:{A}:{name}");
    json!({
        "id": A, "partition": "aws", "regions": ["eu-west-1"], "scanned_at": "2026-11-01T08:00:00Z",
        "organization": {"membership": "none"},
        "users": [
            {"arn": format!("arn:aws:iam::{A}:user/mallory"), "id": "AIDAMALLORY", "inline": [policy("own", statements)]},
            {"arn": format!("arn:aws:iam::{A}:user/victim"), "id": "AIDAVICTIM", "inline": [policy("own", std::slice::from_ref(&messages))]},
        ],
        "roles": [{
            "arn": TARGET, "id": "AROATARGET", "inline": [policy("own", &[messages])],
            "trust": {"Version": "2012-10-17", "Statement": trust},
            "instance_profiles": [],
        }],
        "queues": [{"arn": QUEUE, "url": "https://sqs.eu-west-1.amazonaws.com/111122223333/orders", "attributes": {"encryption": {"mode": "none"}}}],
        "functions": [{"arn": of("lambda", "function:worker"), "role": TARGET}],
        "workloads": [
            {"kind": "ecs-service", "arn": of("ecs", "service/cluster/worker"), "runs_as": TARGET},
            {"kind": "state-machine", "arn": of("states", "stateMachine:worker"), "runs_as": TARGET},
        ],
        "instances": [{"arn": of("ec2", "instance/i-0123"), "instance_profile": TARGET}],
    })
}

fn read(account: &Value) -> Account {
    let snapshot = json!({"schema": "patscan.snapshot/v1", "account": account});
    from_slice(snapshot.to_string().as_bytes(), Path::new("takeovers")).unwrap()
}

/// What `mallory` could do: `lambda:CreateFunction → target`, with ` if …` where that hangs on something.
fn ways_in(account: &Value) -> Vec<String> {
    let accounts = [read(account)];
    let access = Access::compute(&accounts);
    let finder = access.takeover_finder();
    let index = access
        .principals
        .iter()
        .position(|principal| principal.arn.name() == "mallory")
        .unwrap();
    let mut ways = Vec::new();
    for takeover in finder.takeovers(index) {
        for target in &takeover.targets {
            let target = target as usize;
            let name = access.principals[target].arn.name();
            let mut text = format!("{} → {name}", takeover.way.name());
            if !takeover.rights_are_sure {
                text += "?";
            }
            let conditions = takeover.when.conditions();
            if !conditions.is_empty() {
                text += " if ";
                text += &conditions.join(" and ");
            }
            ways.push(text);
            // What is told can be proved, action by action.
            let steps = finder.prove(index, &takeover, target);
            let proved: BTreeSet<&str> = steps
                .iter()
                .filter(|step| !step.proofs.is_empty())
                .map(|step| step.action)
                .collect();
            assert_eq!(proved, takeover.way.actions().collect(), "{ways:?}");
            let gains = finder.gains(&finder.lacking(index), &takeover, target);
            assert!(gains.iter().flatten().any(|queues| !queues.is_empty()));
        }
    }
    ways.sort();
    ways
}

fn ways(services: &[&str], statements: &[Value]) -> Vec<String> {
    ways_in(&account(services, statements))
}

/// Whom the way takes over.
fn target(known: &Known) -> &'static str {
    match known.actions {
        [action, ..] if action.starts_with("iam:") => "victim",
        _ => "target",
    }
}

/// The actions with passing the role.
fn all_of(known: &Known) -> Vec<&'static str> {
    let passes = known.service.map(|_| "iam:PassRole");
    known.actions.iter().copied().chain(passes).collect()
}

fn services(known: &Known) -> Vec<&'static str> {
    known.service.into_iter().collect()
}

#[test]
fn every_way_is_known_here_with_all_of_its_actions() {
    let set = |actions: &[&'static str], service: Option<&str>| {
        let passes = service.map(|_| "iam:PassRole");
        actions
            .iter()
            .copied()
            .chain(passes)
            .collect::<BTreeSet<&str>>()
    };
    let known: BTreeSet<BTreeSet<&str>> = KNOWN
        .iter()
        .chain(OTHERS)
        .map(|known| set(known.actions, known.service))
        .collect();
    let told: BTreeSet<BTreeSet<&str>> = Way::all()
        .iter()
        .map(|way| way.actions().collect())
        .collect();
    assert_eq!(told, known);
}

#[test]
fn with_every_action_the_way_is_open() {
    for known in KNOWN {
        let found = ways(&services(known), &[allow(&all_of(known))]);
        let name = format!("{} → {}", known.actions[0], target(known));
        let of_way: Vec<&String> = found.iter().filter(|way| way.starts_with(&name)).collect();
        let [only] = of_way.as_slice() else {
            panic!("{name}: {found:?}");
        };
        assert_eq!(only.contains(" if "), known.open, "{only}");
    }
}

#[test]
fn patterns_that_spell_out_the_right_services_open_every_way_and_others_none() {
    for known in KNOWN {
        let allow_on = |services: &[&str]| {
            let patterns = services
                .iter()
                .map(|service| json!(format!("arn:aws:{service}:*:*:*")));
            let resources = Value::Array(patterns.collect());
            ways(
                &self::services(known),
                &[statement("Allow", &all_of(known), &resources)],
            )
        };
        let mut services: BTreeSet<&str> = all_of(known)
            .iter()
            .filter_map(|action| action.split(':').next())
            .collect();
        // Commands, keys and files go to instances, which are of EC2.
        services.insert("ec2");
        let found = allow_on(&Vec::from_iter(services));
        let name = format!("{} → {}", known.actions[0], target(known));
        assert!(
            found.iter().any(|way| way.starts_with(&name)),
            "{name}: {found:?}"
        );
        assert_eq!(allow_on(&["sns", "s3"]), [""; 0]);
    }
}

#[test]
fn with_one_action_missing_it_is_closed() {
    for known in KNOWN {
        for missing in all_of(known) {
            let left: Vec<&str> = all_of(known)
                .into_iter()
                .filter(|action| *action != missing)
                .collect();
            let found = ways(&services(known), &[allow(&left)]);
            // Without starting it, what runs can still be changed and hope for somebody else to start it.
            let still = missing == "lambda:InvokeFunction" || missing == "states:StartExecution";
            let changes = known.service.is_none() && still;
            let sure: Vec<&String> = found.iter().filter(|way| !way.contains(" if ")).collect();
            assert!(sure.is_empty(), "without {missing}: {found:?}");
            assert_eq!(!found.is_empty(), changes, "without {missing}: {found:?}");
        }
    }
}

#[test]
fn with_one_action_denied_it_is_closed() {
    for known in KNOWN {
        for denied in all_of(known) {
            let deny = statement("Deny", &[denied], &json!("*"));
            let found = ways(&services(known), &[allow(&all_of(known)), deny]);
            let sure: Vec<&String> = found.iter().filter(|way| !way.contains(" if ")).collect();
            assert!(sure.is_empty(), "{denied}: {found:?}");
            let name = format!("{} →", known.actions[0]);
            let is_first = denied == known.actions[0] || denied == "iam:PassRole";
            assert!(
                !is_first || found.iter().all(|way| !way.starts_with(&name)),
                "{denied}: {found:?}"
            );
        }
    }
}

#[test]
fn with_one_action_under_a_condition_it_hangs_on_that() {
    let office = json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
    for known in KNOWN {
        for guarded in all_of(known) {
            let left: Vec<&str> = all_of(known)
                .into_iter()
                .filter(|action| *action != guarded)
                .collect();
            let mut statements = vec![with_condition(allow(&[guarded]), &office)];
            if !left.is_empty() {
                statements.push(allow(&left));
            }
            let found = ways(&services(known), &statements);
            let name = format!("{} → {}", known.actions[0], target(known));
            let of_way: Vec<&String> = found.iter().filter(|way| way.starts_with(&name)).collect();
            assert!(!of_way.is_empty(), "{guarded}: {found:?}");
            assert!(
                of_way.iter().all(|way| way.contains(" if ")),
                "{guarded}: {found:?}"
            );
        }
    }
}

#[test]
fn a_role_that_trusts_another_service_cannot_be_used() {
    for known in KNOWN.iter().filter(|known| known.service.is_some()) {
        let found = ways(&["iot.amazonaws.com"], &[allow(&all_of(known))]);
        assert_eq!(found, Vec::<String>::new(), "{:?}", known.actions);
    }
}

#[test]
fn passing_to_one_service_is_not_passing_to_another() {
    for known in KNOWN {
        let Some(service) = known.service else {
            continue;
        };
        let to = |service: &str| {
            let passed = json!({"StringEquals": {"iam:PassedToService": service}});
            let statements = [
                with_condition(allow(&["iam:PassRole"]), &passed),
                allow(known.actions),
            ];
            ways(&services(known), &statements)
        };
        let all = ways(&services(known), &[allow(&all_of(known))]);
        assert_eq!(to(service), all, "{:?}", known.actions);
        assert_eq!(to("iot.amazonaws.com"), Vec::<String>::new());
    }
}

#[test]
fn a_role_has_to_be_among_those_that_may_be_passed() {
    let known = &KNOWN[0];
    let pass = |role: &str| {
        let pass = statement("Allow", &["iam:PassRole"], &json!(role));
        ways(&services(known), &[pass, allow(known.actions)])
    };
    assert_eq!(pass(TARGET), ["lambda:CreateFunction → target"]);
    assert_eq!(
        pass("arn:aws:iam::111122223333:role/t*"),
        ["lambda:CreateFunction → target"]
    );
    assert!(pass("arn:aws:iam::111122223333:role/other").is_empty());
    assert!(pass("arn:aws:iam::444455556666:role/target").is_empty());
}

#[test]
fn what_is_made_and_what_is_started_must_be_able_to_have_one_name() {
    let on = |first: &str, second: &str| {
        let of = |action, name| {
            let arn = format!("arn:aws:lambda:*:111122223333:function:{name}");
            statement("Allow", &[action], &json!(arn))
        };
        let statements = [
            allow(&["iam:PassRole"]),
            of("lambda:CreateFunction", first),
            of("lambda:InvokeFunction", second),
        ];
        ways(&[LAMBDA], &statements)
    };
    assert_eq!(on("team-*", "team-*"), ["lambda:CreateFunction → target"]);
    assert_eq!(on("team-*", "team-a"), ["lambda:CreateFunction → target"]);
    assert!(on("team-*", "other-*").is_empty());
}

#[test]
fn a_region_in_which_it_is_allowed_is_enough() {
    let only = json!({"StringEquals": {"aws:RequestedRegion": "us-west-2"}});
    let with = |regions: &Value, region: &str| {
        let create = statement(
            "Allow",
            &["lambda:CreateFunction", "lambda:InvokeFunction"],
            &json!(format!("arn:aws:lambda:{region}:111122223333:function:*")),
        );
        let statements = [allow(&["iam:PassRole"]), with_condition(create, &only)];
        let mut account = account(&[LAMBDA], &statements);
        account["regions"] = regions.clone();
        ways_in(&account)
    };
    let both = json!(["eu-west-1", "us-west-2"]);
    assert_eq!(with(&both, "*"), ["lambda:CreateFunction → target"]);
    assert_eq!(
        with(&json!(["eu-west-1"]), "us-west-2"),
        ["lambda:CreateFunction → target"]
    );
    assert!(with(&both, "eu-west-1").is_empty());
}

#[test]
fn a_mapping_is_for_the_function_that_was_made() {
    let of = |function: &str| {
        let arn = format!("arn:aws:lambda:eu-west-1:111122223333:function:{function}");
        let mapped = json!({"ArnLike": {"lambda:FunctionArn": arn}});
        let made = json!("arn:aws:lambda:eu-west-1:111122223333:function:team-*");
        let statements = [
            allow(&["iam:PassRole"]),
            statement("Allow", &["lambda:CreateFunction"], &made),
            with_condition(allow(&["lambda:CreateEventSourceMapping"]), &mapped),
        ];
        ways(&[LAMBDA], &statements)
    };
    assert_eq!(of("team-*"), ["lambda:CreateFunction → target"]);
    assert!(of("prod-*").is_empty());
}

#[test]
fn an_instance_takes_everything_that_it_is_made_of() {
    let without = |left_out: &str| {
        let kinds = [
            "image",
            "instance",
            "network-interface",
            "security-group",
            "subnet",
            "volume",
        ];
        let resources: Vec<String> = kinds
            .iter()
            .filter(|kind| **kind != left_out)
            .map(|kind| format!("arn:aws:ec2:eu-west-1:*:{kind}/*"))
            .collect();
        let statements = [
            allow(&["iam:PassRole"]),
            // An image belongs to no account.
            statement("Allow", &["ec2:RunInstances"], &json!(resources)),
            statement(
                "Allow",
                &["ec2:RunInstances"],
                &json!(if left_out == "image" {
                    "arn:aws:ec2:eu-west-1::snapshot/*"
                } else {
                    "arn:aws:ec2:eu-west-1::image/*"
                }),
            ),
        ];
        let mut account = account(&[EC2], &statements);
        account["roles"][0]["instance_profiles"] =
            json!(["arn:aws:iam::111122223333:instance-profile/target"]);
        ways_in(&account)
    };
    assert_eq!(without("nothing"), ["ec2:RunInstances → target"]);
    for kind in [
        "image",
        "instance",
        "network-interface",
        "security-group",
        "subnet",
        "volume",
    ] {
        assert!(without(kind).is_empty(), "{kind}");
    }
}

#[test]
fn a_role_in_an_instance_profile_needs_none_to_be_made() {
    let run = [allow(&["iam:PassRole", "ec2:RunInstances"])];
    assert!(ways(&[EC2], &run).is_empty());
    let mut inside = account(&[EC2], &run);
    inside["roles"][0]["instance_profiles"] =
        json!(["arn:aws:iam::111122223333:instance-profile/target"]);
    assert_eq!(ways_in(&inside), ["ec2:RunInstances → target"]);
    for action in [
        "ec2:AssociateIamInstanceProfile",
        "ec2:ReplaceIamInstanceProfileAssociation",
    ] {
        inside["users"][0]["inline"] = json!([policy("own", &[allow(&["iam:PassRole", action])])]);
        let found = ways_in(&inside);
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{action} → target if an instance")),
            "{found:?}"
        );
    }
}

#[test]
fn a_command_takes_a_document_that_runs_it() {
    let instance = "arn:aws:ec2:*:*:instance/*";
    let with = |document: &str| {
        let resources = json!([instance, format!("arn:aws:ssm:*:*:document/{document}")]);
        ways(
            &[EC2],
            &[statement("Allow", &["ssm:SendCommand"], &resources)],
        )
    };
    assert_eq!(
        with("AWS-RunShellScript"),
        ["ssm:SendCommand → target if the instance is managed by Systems Manager"]
    );
    assert_eq!(with("AWS-Run*").len(), 1);
    assert!(with("AWS-ApplyPatchBaseline").is_empty());
}

#[test]
fn an_instance_that_may_register_is_taken_as_managed() {
    let mut account = account(&[EC2], &[allow(&["ssm:StartSession"])]);
    let inline = account["roles"][0]["inline"].as_array_mut().unwrap();
    inline.push(policy(
        "agent",
        &[allow(&["ssm:UpdateInstanceInformation"])],
    ));
    assert_eq!(ways_in(&account), ["ssm:StartSession → target"]);
}

#[test]
fn a_function_that_a_delivery_starts_needs_nobody_to_start_it() {
    let mut account = account(&[LAMBDA], &[allow(&["lambda:UpdateFunctionCode"])]);
    assert_eq!(
        ways_in(&account),
        ["lambda:UpdateFunctionCode → target if something starts it"]
    );
    account["event_source_mappings"] = json!([{
        "id": "1", "source": QUEUE, "function": "arn:aws:lambda:eu-west-1:111122223333:function:worker:live", "enabled": true,
    }]);
    assert_eq!(ways_in(&account), ["lambda:UpdateFunctionCode → target"]);
    account["event_source_mappings"][0]["enabled"] = json!(false);
    assert!(ways_in(&account)[0].ends_with("if something starts it"));
}

#[test]
fn other_functions_do_not_help() {
    let of = |name: &str| {
        let arn = format!("arn:aws:lambda:eu-west-1:111122223333:function:{name}");
        let actions = ["lambda:UpdateFunctionCode", "lambda:InvokeFunction"];
        ways(&[LAMBDA], &[statement("Allow", &actions, &json!(arn))])
    };
    assert_eq!(of("worker"), ["lambda:UpdateFunctionCode → target"]);
    assert!(of("other").is_empty());
}

#[test]
fn a_stack_helps_where_the_role_may_do_everything() {
    for known in OTHERS.iter().skip(3) {
        let statements = [allow(&all_of(known))];
        assert!(ways(&services(known), &statements).is_empty());
        let mut account = account(&services(known), &statements);
        account["roles"][0]["inline"] = json!([policy("own", &[allow(&["*"])])]);
        let found = ways_in(&account);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("{} → target", known.actions[0])));
        assert_eq!(found[0].contains(" if "), known.open, "{found:?}");
    }
}

#[test]
fn a_schedule_only_sends_and_a_pipe_only_receives() {
    let with = |service: &str, action: &str, right: &str| {
        let mut account = account(&[service], &[allow(&["iam:PassRole", action])]);
        account["roles"][0]["inline"] = json!([policy("own", &[allow(&[right])])]);
        ways_in(&account).len()
    };
    let (schedule, pipe) = ("scheduler.amazonaws.com", "pipes.amazonaws.com");
    assert_eq!(
        with(schedule, "scheduler:CreateSchedule", "sqs:SendMessage"),
        1
    );
    assert_eq!(
        with(schedule, "scheduler:CreateSchedule", "sqs:ReceiveMessage"),
        0
    );
    assert_eq!(with(pipe, "pipes:CreatePipe", "sqs:ReceiveMessage"), 1);
    assert_eq!(with(pipe, "pipes:CreatePipe", "sqs:SendMessage"), 0);
}

#[test]
fn a_mapping_starts_only_what_may_receive() {
    let with = |right: &str| {
        let actions = [
            "iam:PassRole",
            "lambda:CreateFunction",
            "lambda:CreateEventSourceMapping",
        ];
        let mut account = account(&[LAMBDA], &[allow(&actions)]);
        account["roles"][0]["inline"] = json!([policy("own", &[allow(&[right])])]);
        ways_in(&account).len()
    };
    assert_eq!(
        (with("sqs:ReceiveMessage"), with("sqs:SendMessage")),
        (1, 0)
    );
}

#[test]
fn a_right_under_conditions_is_not_sure_to_help() {
    let office = json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}});
    let mut account = account(&[LAMBDA], &[allow(&all_of(&KNOWN[0]))]);
    account["roles"][0]["inline"] = json!([policy(
        "own",
        &[with_condition(allow(&["sqs:SendMessage"]), &office)]
    )]);
    assert_eq!(ways_in(&account), ["lambda:CreateFunction → target?"]);
}

#[test]
fn what_the_caller_chooses_keeps_nobody_out() {
    let tagged = json!({"StringEquals": {"aws:RequestTag/team": "mallory"}, "StringLike": {"lambda:Layer": "arn:*"}});
    let statements = [
        allow(&["iam:PassRole", "lambda:InvokeFunction"]),
        with_condition(allow(&["lambda:CreateFunction"]), &tagged),
    ];
    assert_eq!(
        ways(&[LAMBDA], &statements),
        ["lambda:CreateFunction → target"]
    );
    // The tags of an instance that is there are another matter.
    let own = json!({"StringEquals": {"ssm:resourceTag/team": "mallory"}});
    let enter = [with_condition(allow(&["ssm:StartSession"]), &own)];
    let found = ways(&[EC2], &enter);
    assert!(
        found.len() == 1 && found[0].to_lowercase().contains("ssm:resourcetag/team"),
        "{found:?}"
    );
}

#[test]
fn the_source_that_a_trust_policy_names_decides() {
    let mut account = account(
        &["scheduler.amazonaws.com"],
        &[allow(&["iam:PassRole", "scheduler:CreateSchedule"])],
    );
    let statement = &mut account["roles"][0]["trust"]["Statement"][0];
    statement["Condition"] = json!({"StringEquals": {"aws:SourceAccount": A}});
    let found = ways_in(&account);
    assert!(
        found.len() == 1 && found[0].contains("aws:SourceAccount"),
        "{found:?}"
    );
    account["roles"][0]["trust"]["Statement"][0]["Condition"] =
        json!({"StringEquals": {"aws:SourceAccount": "444455556666"}});
    assert!(ways_in(&account).is_empty());
}

#[test]
fn a_boundary_and_a_control_policy_close_a_way() {
    let mut bound = account(&[LAMBDA], &[allow(&all_of(&KNOWN[0]))]);
    bound["users"][0]["boundary"] = json!("arn:aws:iam::111122223333:policy/Boundary");
    let boundary = |statements: &[Value]| {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        json!([{"arn": "arn:aws:iam::111122223333:policy/Boundary", "document": document}])
    };
    bound["policies"] = boundary(&[allow(&["lambda:*"])]);
    assert!(ways_in(&bound).is_empty());
    bound["policies"] = boundary(&[allow(&["lambda:*", "iam:PassRole"])]);
    assert_eq!(ways_in(&bound), ["lambda:CreateFunction → target"]);

    let controlled = |allowed: &[&str]| {
        let mut controlled = account(&[LAMBDA], &[allow(&all_of(&KNOWN[0]))]);
        let document = json!({"Version": "2012-10-17", "Statement": [allow(allowed)]});
        controlled["organization"] = json!({
            "membership": "member", "id": "o-example", "management_account": "999988887777",
            "service_controls": [{"target": "r-root", "policies": [{"id": "p-1", "name": "limits", "document": document}]}],
        });
        ways_in(&controlled)
    };
    assert!(controlled(&["lambda:*", "sqs:*"]).is_empty());
    assert_eq!(
        controlled(&["lambda:*", "sqs:*", "iam:*"]),
        ["lambda:CreateFunction → target"]
    );
}

#[test]
fn who_lacks_nothing_and_who_may_do_everything_is_quiet() {
    let way = allow(&all_of(&KNOWN[0]));
    let own = allow(&["sqs:SendMessage", "sqs:ReceiveMessage"]);
    assert!(ways(&[LAMBDA], &[way.clone(), own]).is_empty());
    assert!(ways(&[LAMBDA], &[allow(&["*"])]).is_empty());
    // Who writes its own policies needs nobody else.
    let itself = allow(&["iam:PutUserPolicy"]);
    assert!(ways(&[LAMBDA], &[way, itself]).is_empty());
}

#[test]
fn keys_of_its_own_give_a_user_nothing() {
    let own = statement(
        "Allow",
        &["iam:CreateAccessKey"],
        &json!("arn:aws:iam::*:user/${aws:username}"),
    );
    assert!(ways(&[], &[own]).is_empty());
    let other = statement(
        "Allow",
        &["iam:CreateAccessKey"],
        &json!("arn:aws:iam::*:user/vic*"),
    );
    assert_eq!(ways(&[], &[other]), ["iam:CreateAccessKey → victim"]);
}
