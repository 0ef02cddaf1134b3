//! `patscan doctor`: what a scan would be able to read, and what it would not.

use std::collections::BTreeSet;

use patscan::collect::CALLS;
use serde_json::{Value, json};

use super::assert_harmless;
use crate::emulator::{ACCOUNT, Answer, Canned, Moto, Request};
use crate::patscan::{Patscan, Run};

/// An account of one queue, key, bucket, IoT rule and task definition, whose caller may do everything: what is asked about
/// nothing is not found.
fn permitted(request: &Request) -> Option<Answer> {
    let ok = |body: &Value| Some(Answer::ok(body.to_string()));
    let error = |status, code| Some(Answer::error(request, status, code));
    match request.call().as_str() {
        "iam:GetPolicy" | "iam:GetPolicyVersion" | "iam:ListAccessKeys" => {
            error(404, "NoSuchEntity")
        }
        "organizations:DescribeOrganization" => ok(&json!({"Organization": {"Id": "o-example"}})),
        "organizations:DescribePolicy" => error(400, "PolicyNotFoundException"),
        "sqs:ListQueues" => {
            let host = format!("https://sqs.{}.amazonaws.com", request.region);
            ok(&json!({"QueueUrls": [format!("{host}/{ACCOUNT}/orders")]}))
        }
        "kms:ListAliases" => ok(&json!({"Aliases": [
            {"AliasName": "alias/aws/sns", "TargetKeyId": "managed"},
            {"AliasName": "alias/orders", "TargetKeyId": "own"}]})),
        "kms:DescribeKey" => ok(&json!({"KeyMetadata": {"KeyId": "own"}})),
        "ec2:DescribeInstances" | "ec2:DescribeLaunchTemplateVersions" => {
            error(412, "DryRunOperation")
        }
        "states:DescribeStateMachine" => error(400, "StateMachineDoesNotExist"),
        "autoscaling:DescribeLaunchConfigurations" => Some(Answer::ok(
            "<DescribeLaunchConfigurationsResponse><DescribeLaunchConfigurationsResult><LaunchConfigurations/>\
             </DescribeLaunchConfigurationsResult></DescribeLaunchConfigurationsResponse>",
        )),
        "autoscaling:DescribeLifecycleHooks" => error(400, "ValidationError"),
        "ecs:ListTaskDefinitionFamilies" => ok(&json!({"families": ["worker"]})),
        "ecs:ListServices" | "ecs:DescribeServices" => error(400, "ClusterNotFoundException"),
        "eks:ListPodIdentityAssociations"
        | "eks:DescribePodIdentityAssociation"
        | "lambda:ListFunctionEventInvokeConfigs"
        | "scheduler:GetSchedule" => error(404, "ResourceNotFoundException"),
        "apigateway:GetResources" | "apigateway:GetIntegrations" | "pipes:DescribePipe" => {
            error(404, "NotFoundException")
        }
        "iot:ListTopicRules" => ok(&json!({"rules": [{"ruleName": "measured"}]})),
        "sns:GetSubscriptionAttributes" | "sns:GetTopicAttributes" => error(404, "NotFound"),
        "sqs:ListMessageMoveTasks" | "events:ListTargetsByRule" => {
            error(400, "ResourceNotFoundException")
        }
        "s3:ListBuckets" => Some(Answer::ok(
            "<ListAllMyBucketsResult><Buckets><Bucket><Name>inbox</Name></Bucket></Buckets></ListAllMyBucketsResult>",
        )),
        "s3:GetBucketLocation" => Some(Answer::ok("<LocationConstraint>EU</LocationConstraint>")),
        "organizations:ListRoots"
        | "organizations:ListParents"
        | "organizations:ListPoliciesForTarget"
        | "ecs:DescribeTaskDefinition"
        | "iot:GetTopicRule" => ok(&json!({})),
        _ => None,
    }
}

fn doctor(url: &str, arguments: &[&str]) -> Run {
    Patscan::new(["doctor", "--endpoint-url", url].iter().chain(arguments))
        .with_credentials()
        .run()
}

fn in_json(aws: &Canned, arguments: &[&str]) -> (i32, Value) {
    let run = doctor(aws.url(), &[&["-f", "json"], arguments].concat());
    (run.code, run.json())
}

/// The operations of a standing.
fn with(found: &Value, standing: &str) -> Vec<String> {
    found["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|permission| permission["standing"] == standing)
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap().to_owned();
            format!("{}:{}", text("service"), text("operation"))
        })
        .collect()
}

/// Everything is fine but the operations that get an answer here.
fn permitted_but(
    operation: &'static str,
    answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> Canned {
    Canned::start(move |request| {
        if request.call() == operation {
            return Some(answer(request));
        }
        permitted(request)
    })
}

#[test]
fn with_every_permission_a_scan_would_be_complete() {
    let aws = Canned::start(permitted);
    let (code, found) = in_json(&aws, &[]);
    for standing in ["denied", "unknown", "untried"] {
        assert_eq!(with(&found, standing), Vec::<String>::new(), "{standing}");
    }
    assert_eq!(code, 0);
    let table: Vec<String> = CALLS
        .iter()
        .map(|call| format!("{}:{}", call.service, call.operation))
        .collect();
    assert_eq!(with(&found, "allowed"), table);
    assert_eq!(found["schema"], "patscan.doctor/v1");
    assert_eq!(found["complete"], true);
    assert_eq!(found["caller"]["account"], ACCOUNT);
    assert_eq!(found["credentials"]["access_key"], "AKIA…MPLE");
    assert_eq!(
        found["credentials"]["origin"],
        json!(["keys in the environment"])
    );
    assert_eq!(found["credentials"]["expires_at"], Value::Null);
    assert_eq!(found["clock"]["verdict"], "unknown");
    assert_eq!(found["network"]["endpoint"], aws.url());
    let regions: Vec<&str> = found["regions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|region| region["name"].as_str().unwrap())
        .collect();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
    assert_eq!(found["asked_in"], "eu-west-1");

    // Nothing but the table is called, and each of it once: the list of queues in each region, aliases for a key to ask about.
    let called: BTreeSet<String> = aws.received().iter().map(Request::call).collect();
    assert_eq!(called, table.into_iter().collect());
    for call in &called {
        let most = match call.as_str() {
            "sqs:ListQueues" | "kms:ListAliases" => 2,
            _ => 1,
        };
        assert!(aws.count(call) <= most, "{call}");
    }
    // A key of the account's own rather than one that AWS manages.
    let about = |call: &str| {
        let received = aws.received();
        let request = received.iter().find(|request| request.call() == call);
        request.unwrap().clone()
    };
    assert!(about("kms:GetKeyPolicy").mentions("own"));
    assert_eq!(about("s3:GetBucketPolicy").region, "eu-west-1");
}

#[test]
fn a_missing_permission_says_what_a_scan_would_hide() {
    let aws = permitted_but("lambda:ListFunctions", Answer::denied);
    let (code, found) = in_json(&aws, &[]);
    assert_eq!(
        (code, with(&found, "denied")),
        (3, vec!["lambda:ListFunctions".to_owned()])
    );
    assert_eq!(found["complete"], false);
    let run = doctor(aws.url(), &[]);
    assert_eq!(run.code, 3);
    assert_eq!(run.stderr, "exit 3: a scan would be incomplete\n");
    assert!(
        run.stdout.contains("MISSING · 1 permission"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("lambda:ListFunctions: AccessDeniedException "),
        "{}",
        run.stdout
    );
    let words: Vec<&str> = run.stdout.split_whitespace().collect();
    let text = words.join(" ");
    assert!(
        text.contains("without functions are unknown: roles may look unused and loops through functions are not recognised"),
        "{text}"
    );
    assert!(text.contains("A scan would be incomplete"), "{text}");
    assert!(
        run.stdout.lines().all(|line| line.chars().count() <= 80),
        "{}",
        run.stdout
    );
    assert_eq!(doctor(aws.url(), &["-q"]).stderr, "");
}

#[test]
fn what_only_overstates_leaves_a_scan_complete() {
    let aws = permitted_but("kms:ListGrants", Answer::denied);
    let (code, found) = in_json(&aws, &[]);
    assert_eq!(
        (code, with(&found, "denied")),
        (0, vec!["kms:ListGrants".to_owned()])
    );
    let aws = permitted_but("iam:ListAccountAliases", Answer::denied);
    assert_eq!(in_json(&aws, &[]).0, 0);
}

#[test]
fn what_an_answer_does_not_tell_is_unknown() {
    let aws = permitted_but("events:ListRules", |request| {
        Answer::error(request, 500, "InternalException")
    });
    let (code, found) = in_json(&aws, &[]);
    assert_eq!(
        (code, with(&found, "unknown")),
        (3, vec!["events:ListRules".to_owned()])
    );
    // An error that says nothing of permissions proves none, whatever its status.
    let aws = permitted_but("pipes:DescribePipe", |request| {
        Answer::error(request, 400, "ValidationException")
    });
    let (_, found) = in_json(&aws, &[]);
    assert_eq!(with(&found, "unknown"), ["pipes:DescribePipe"]);
}

#[test]
fn without_anything_to_ask_about_permissions_are_untried_and_never_allowed() {
    let aws = Canned::start(|request| match request.call().as_str() {
        "sqs:ListQueues" => Some(Answer::ok("{}")),
        "s3:ListBuckets"
        | "kms:ListAliases"
        | "ecs:ListTaskDefinitionFamilies"
        | "iot:ListTopicRules"
        | "organizations:DescribeOrganization" => None,
        _ => permitted(request),
    });
    let (code, found) = in_json(&aws, &[]);
    assert_eq!(
        code, 0,
        "a scan of the account as it is would not ask either"
    );
    assert_eq!(
        with(&found, "untried"),
        [
            "organizations:ListRoots",
            "organizations:ListParents",
            "organizations:ListPoliciesForTarget",
            "organizations:DescribePolicy",
            "sqs:GetQueueAttributes",
            "kms:DescribeKey",
            "kms:GetKeyPolicy",
            "kms:ListGrants",
            "sqs:ListQueueTags",
            "sqs:ListMessageMoveTasks",
            "ecs:DescribeTaskDefinition",
            "iot:GetTopicRule",
            "s3:GetBucketLocation",
            "s3:GetBucketNotificationConfiguration",
            "s3:GetBucketPolicy",
            "s3:GetBucketEncryption",
        ]
    );
    let run = doctor(aws.url(), &[]);
    assert!(
        run.stdout.contains("Not tried · 16 permissions"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("complete, as far as can be told"),
        "{}",
        run.stdout
    );
}

#[test]
fn what_is_left_out_is_not_asked() {
    let aws = Canned::start(permitted);
    let (code, found) = in_json(
        &aws,
        &["--skip", "lambda", "--skip", "autoscaling", "--skip", "ec2"],
    );
    assert_eq!(code, 0);
    let untried = with(&found, "untried");
    assert_eq!(untried.len(), 4 + 4 + 1, "{untried:?}");
    assert!(
        aws.received()
            .iter()
            .all(|request| request.service != "lambda")
    );
    assert_eq!(aws.count("ec2:DescribeRegions"), 1);
}

#[test]
fn a_clock_that_is_off_is_told_from_wrong_credentials() {
    let aws = permitted_but("sts:GetCallerIdentity", |_| {
        Answer::caller(ACCOUNT).with("date", "Mon, 01 Jan 2001 00:00:00 GMT")
    });
    let (_, found) = in_json(&aws, &["--region", "eu-west-1"]);
    assert_eq!(found["clock"]["verdict"], "wrong");
    assert!(found["clock"]["seconds_ahead"].as_i64().unwrap() > 300);

    let aws = permitted_but("sts:GetCallerIdentity", |request| {
        Answer::error(request, 403, "SignatureDoesNotMatch")
            .with("date", "Mon, 01 Jan 2001 00:00:00 GMT")
    });
    let run = doctor(aws.url(), &[]);
    assert_eq!(run.code, 2);
    assert!(run.stdout.contains("WRONG: "), "{}", run.stdout);
    assert!(run.stdout.contains("set the"), "{}", run.stdout);
    assert!(
        run.stderr
            .starts_with("error: AWS rejected the credentials (`SignatureDoesNotMatch`)"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_region_that_does_not_answer_is_named_and_another_is_asked_for_the_rest() {
    let aws = Canned::start(|request| {
        if request.region == "eu-west-1" && request.service == "sqs" {
            return Some(Answer::ok(r#"{"QueueUrls":[]}"#).truncated());
        }
        permitted(request)
    });
    let (code, found) = in_json(&aws, &[]);
    assert_eq!(code, 3);
    let answer = |number: usize| {
        found["regions"][number]["answer"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (answer(0).as_str(), answer(1).as_str()),
        ("fails", "answers")
    );
    assert_eq!(with(&found, "denied"), Vec::<String>::new());
    assert_eq!(found["permissions"][13]["region"], "us-east-1");
    let run = doctor(aws.url(), &[]);
    assert!(
        run.stdout.contains("SILENT   eu-west-1 ("),
        "{}",
        run.stdout
    );
}

#[test]
fn a_region_where_queues_may_not_be_listed_is_named() {
    let aws = Canned::start(|request| {
        (request.region == "us-east-1" && request.service == "sqs")
            .then(|| Answer::denied(request))
            .or_else(|| permitted(request))
    });
    let (code, found) = in_json(&aws, &[]);
    assert_eq!(
        (code, with(&found, "denied")),
        (3, vec!["sqs:ListQueues".to_owned()])
    );
    assert_eq!(found["permissions"][12]["resource"], "us-east-1");
}

#[test]
fn the_way_to_the_credentials_is_told_step_by_step() {
    let aws = Canned::start(|request| match request.operation.as_str() {
        "AssumeRole" => Some(Answer::ok(
            "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAIOSFODNN7SESSION</AccessKeyId>\
             <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
             </Credentials></AssumeRoleResult></AssumeRoleResponse>",
        )),
        "GetCallerIdentity" if request.access_key.starts_with("ASIA") => Some(Answer::ok(format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><UserId>AROA:p</UserId><Account>{ACCOUNT}</Account>\
             <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/audit/p</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"
        ))),
        _ => permitted(request),
    });
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(
        &config,
        format!(
            "[profile base]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = s\n\
             [profile process]\ncredential_process = echo '{{\"Version\": 1, \"AccessKeyId\": \"AKIAIOSFODNN7PROCESS\", \"SecretAccessKey\": \"s\"}}'\n\
             [profile audit]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/audit\nsource_profile = base\n"
        ),
    )
    .unwrap();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/other");
    let assumed = format!("assumed role {role}");
    for (arguments, key, origin) in [
        (vec!["--profile", "base"], "AKIA…MPLE", vec!["profile base"]),
        (
            vec!["--profile", "process"],
            "AKIA…CESS",
            vec!["profile process", "credential_process"],
        ),
        (
            vec!["--profile", "audit"],
            "ASIA…SION",
            vec!["profile audit", "a session of role audit"],
        ),
        (
            vec!["--profile", "base", "--assume-role", &role],
            "ASIA…SION",
            vec![assumed.as_str()],
        ),
    ] {
        let run = Patscan::new(["doctor", "-f", "json"])
            .args(&arguments)
            .env("AWS_ENDPOINT_URL", aws.url())
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_REGION", "us-east-1")
            .env("PATH", "/usr/bin:/bin")
            .run();
        let found = run.json();
        let credentials = &found["credentials"];
        assert_eq!(credentials["access_key"], key, "{arguments:?}");
        assert_eq!(credentials["origin"], json!(origin), "{arguments:?}");
        let ends = !credentials["expires_at"].is_null();
        assert_eq!(ends, key.starts_with("ASIA"), "{arguments:?}");
    }
}

#[test]
fn without_credentials_there_is_nothing_to_examine() {
    let run = Patscan::new(["doctor"])
        .env("AWS_REGION", "us-east-1")
        .run();
    assert!(run.failure().starts_with("no AWS credentials were found"));
}

#[test]
fn no_secret_is_shown_and_nothing_acts_on_a_terminal() {
    let aws = permitted_but("sqs:ListQueues", |_| {
        Answer::ok(json!({"QueueUrls": ["https://x/\u{1b}[2J\u{202e}"]}).to_string())
    });
    for format in ["table", "json"] {
        let run = Patscan::new(["doctor", "-vv", "-f", format, "--endpoint-url", aws.url()])
            .with_credentials()
            .env("AWS_SECRET_ACCESS_KEY", "hunter2")
            .env("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1")
            .run();
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains("hunter2"), "{said}");
        assert!(!said.contains("AKIAIOSFODNN7EXAMPLE"), "{said}");
        assert!(said.contains("…@127.0.0.1:9"), "{said}");
        assert_harmless(&run.stdout);
    }
}

#[test]
fn an_emulator_without_policies_refuses_nothing() {
    let moto = Moto::start();
    moto.seed("messaging.py");
    let run = doctor(&moto.url(), &["-f", "json", "--region", "eu-west-1"]);
    assert!([0, 3].contains(&run.code), "{run:?}");
    let found = run.json();
    assert_eq!(with(&found, "denied"), Vec::<String>::new());
    assert_eq!(found["clock"]["verdict"], "right");
    assert!(with(&found, "allowed").len() > 45, "{found:#}");
    let regions = found["regions"].as_array().unwrap();
    let scanned: Vec<&Value> = regions
        .iter()
        .filter(|one| one["scanned"] == true)
        .collect();
    assert_eq!(scanned.len(), 1);
    assert_eq!(
        (&scanned[0]["name"], &scanned[0]["answer"]),
        (&json!("eu-west-1"), &json!("answers"))
    );
}
