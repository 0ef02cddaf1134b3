//! Nothing secret is kept or told: what holds a secret in an account, and the secrets that a scan is given, appear nowhere.

use serde_json::json;

use super::REGION;
use super::credentials::{Home, session};
use crate::emulator::{ACCOUNT, Answer, Canned, Request};
use crate::patscan::Patscan;

/// In an environment, an input, a template, a script.
const HELD: &str = "hunter2-held-in-the-account";
const SECRET_KEY: &str = "hunter2-secret-access-key";
const TOKEN: &str = "hunter2-session-token";
const WEBHOOK: &str = "hunter2-webhook-secret";

/// An account in which everything that can hold a secret holds one.
fn of_secrets(request: &Request) -> Option<Answer> {
    let arn =
        |service: &str, resource: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}");
    let role = format!("arn:aws:iam::{ACCOUNT}:role/r");
    let queue = arn("sqs", "orders");
    if request.operation == "AssumeRole" {
        return Some(session("AssumeRole", "ASIAROLE"));
    }
    let value = match request.call().as_str() {
        "sqs:ListQueues" => {
            json!({"QueueUrls": [format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders")]})
        }
        "lambda:ListFunctions" => json!({"Functions": [{
            "FunctionName": "f", "FunctionArn": arn("lambda", "function:f"), "Role": role, "Description": HELD,
            "Environment": {"Variables": {"PASSWORD": HELD}}}]}),
        "states:ListStateMachines" => json!({"stateMachines": [{
            "stateMachineArn": arn("states", "stateMachine:m"), "name": "m", "type": "STANDARD", "creationDate": 1.0}]}),
        "states:DescribeStateMachine" => json!({
            "stateMachineArn": arn("states", "stateMachine:m"), "name": "m", "type": "STANDARD", "creationDate": 1.0,
            "roleArn": role, "definition": json!({"StartAt": "S", "States": {"S": {"Type": "Task", "End": true,
                "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {
                    "QueueUrl": format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/orders"),
                    "MessageBody": HELD}}}}).to_string()}),
        "events:ListRules" => {
            json!({"Rules": [{"Name": "r", "Arn": arn("events", "rule/r"), "State": "ENABLED",
            "EventPattern": r#"{"source": ["orders"]}"#, "Description": HELD}]})
        }
        "events:ListTargetsByRule" => {
            json!({"Targets": [{"Id": "1", "Arn": queue, "Input": format!("\"{HELD}\""),
            "InputTransformer": {"InputTemplate": HELD}}]})
        }
        "scheduler:ListSchedules" => json!({"Schedules": [{"Name": "s", "GroupName": "g",
            "Arn": arn("scheduler", "schedule/g/s"), "Target": {"Arn": queue}}]}),
        "scheduler:GetSchedule" => {
            json!({"Target": {"Arn": queue, "RoleArn": role, "Input": HELD}})
        }
        "pipes:ListPipes" => {
            json!({"Pipes": [{"Name": "p", "Arn": arn("pipes", "pipe/p"), "Source": queue, "Target": queue}]})
        }
        "pipes:DescribePipe" => {
            json!({"Source": queue, "Target": queue, "RoleArn": role, "Description": HELD,
            "TargetParameters": {"InputTemplate": HELD}})
        }
        "ecs:ListTaskDefinitionFamilies" => json!({"families": ["t"]}),
        "ecs:DescribeTaskDefinition" => json!({"taskDefinition": {
            "taskDefinitionArn": arn("ecs", "task-definition/t:1"), "taskRoleArn": role, "family": "t",
            "containerDefinitions": [{"name": "c", "environment": [{"name": "PASSWORD", "value": HELD}],
                "command": [HELD]}]}}),
        "ec2:DescribeLaunchTemplateVersions" => {
            return Some(Answer::ok(format!(
                "<DescribeLaunchTemplateVersionsResponse><launchTemplateVersionSet><item><launchTemplateId>lt-1</launchTemplateId>\
             <versionNumber>1</versionNumber><launchTemplateData><userData>{HELD}</userData><iamInstanceProfile><arn>{}</arn>\
             </iamInstanceProfile></launchTemplateData></item></launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>",
                format_args!("arn:aws:iam::{ACCOUNT}:instance-profile/p")
            )));
        }
        "autoscaling:DescribeAutoScalingGroups" => {
            return Some(Answer::ok(format!(
                "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
             <AutoScalingGroupName>g</AutoScalingGroupName><AutoScalingGroupARN>{}</AutoScalingGroupARN>\
             <LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId><Version>1</Version></LaunchTemplate>\
             </member></AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>",
                arn("autoscaling", "autoScalingGroup:u:autoScalingGroupName/g")
            )));
        }
        _ => return None,
    };
    Some(Answer::ok(value.to_string()))
}

#[test]
fn no_secret_of_the_account_or_of_the_scan_is_in_anything_that_comes_out() {
    let aws = Canned::start(of_secrets);
    let home = Home::new(&format!(
        "[profile r]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/r\nsource_profile = me\n\
         [profile me]\naws_access_key_id = AKIAME\naws_secret_access_key = {SECRET_KEY}\naws_session_token = {TOKEN}\n"
    ));
    let at = |name: &str| home.path().join(name);
    let mut scan = home
        .scan(&aws)
        .args([
            "-vv",
            "--profile",
            "r",
            "--exit-zero",
            "--allow-incomplete",
            "--save-snapshot",
        ])
        .arg(at("snapshot.json"))
        .args(["--publish", "https://127.0.0.1:9/hook"])
        .env("PATSCAN_WEBHOOK_SECRET", WEBHOOK)
        .env("AWS_MAX_ATTEMPTS", "1");
    for format in [
        "table", "jsonl", "csv", "junit", "markdown", "sarif", "ocsf", "asff", "html",
    ] {
        scan = scan
            .arg("-f")
            .arg(format!("{format}={}", at(format).display()));
    }
    let run = scan.run();
    for asked in [
        "lambda:ListFunctions",
        "states:DescribeStateMachine",
        "events:ListTargetsByRule",
        "scheduler:GetSchedule",
        "pipes:DescribePipe",
        "ecs:DescribeTaskDefinition",
        "ec2:DescribeLaunchTemplateVersions",
    ] {
        assert!(
            aws.count(asked) > 0,
            "{asked} was not asked: {}",
            run.stderr
        );
    }
    assert!(
        run.stderr.contains("GetCallerIdentity"),
        "every call is logged: {}",
        run.stderr
    );
    let mut written = vec![
        ("standard output".to_owned(), run.stdout.clone()),
        ("standard error".to_owned(), run.stderr.clone()),
    ];
    for entry in std::fs::read_dir(home.path()).unwrap().flatten() {
        if entry.file_type().unwrap().is_file() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            written.push((entry.file_name().into_string().unwrap(), text));
        }
    }
    assert!(written.len() >= 12, "a snapshot, nine reports, two streams");
    assert!(
        written
            .iter()
            .any(|(_, text)| text.contains("stateMachine:m"))
    );
    for (place, text) in &written {
        assert!(!text.contains("hunter2"), "a secret is in {place}: {text}");
    }
}

#[test]
fn the_secrets_of_a_single_sign_on_are_in_no_log() {
    const SSO: &str = "hunter2-sso-token";
    let aws = Canned::start(|request| {
        (request.path == "/federation/credentials").then(|| {
            assert_eq!(request.header("x-amz-sso_bearer_token"), SSO);
            Answer::ok(format!(
                r#"{{"roleCredentials": {{"accessKeyId": "ASIASSO", "secretAccessKey": "{SECRET_KEY}", "sessionToken": "{TOKEN}", "expiration": 4070908800000}}}}"#
            ))
        })
    });
    let home = Home::new(
        "[profile sso]\nsso_session = people\nsso_account_id = 123456789012\nsso_role_name = Audit\n\
         [sso-session people]\nsso_region = eu-west-1\nsso_start_url = https://people.awsapps.com/start\n",
    );
    home.write(
        ".aws/sso/cache/ab3ccc8dba2a0cf7a1ce4d830bb8a6238ff03833.json",
        &format!(
            r#"{{"accessToken": "{SSO}", "expiresAt": "2099-01-01T00:00:00Z", "refreshToken": "hunter2-refresh", "clientSecret": "hunter2-client"}}"#
        ),
    );
    let run = home.scan(&aws).args(["-vv", "--profile", "sso"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    for stream in [&run.stdout, &run.stderr] {
        assert!(!stream.contains("hunter2"), "{stream}");
    }
}

#[test]
fn what_a_broken_answer_with_secrets_holds_is_not_told() {
    let aws = Canned::start(|request| {
        if request.operation == "AssumeRole" {
            return Some(Answer::ok(format!(
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
                 <SessionToken>{TOKEN}</SessionToken>"
            )));
        }
        None
    });
    let home = Home::new(
        "[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = me\n\
         [profile me]\naws_access_key_id = AKIAME\naws_secret_access_key = secret\n",
    );
    let run = home.scan(&aws).args(["-vv", "--profile", "r"]).run();
    assert_eq!(run.code, 2, "{run:?}");
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    let run = Patscan::new(["-vv", "--assume-role", "arn:aws:iam::123456789012:role/r"])
        .args([
            "--external-id",
            "hunter2-external",
            "--endpoint-url",
            aws.url(),
        ])
        .with_credentials()
        .run();
    assert_eq!(run.code, 2, "{run:?}");
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}
