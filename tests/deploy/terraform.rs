//! The Terraform module: applied to an emulator, and the account that comes of it audited.
//!
//! Applying takes about two minutes, because the provider waits for queues, and it needs Terraform and the AWS provider:
//! `cargo test --test main terraform -- --ignored`. The provider comes from the registry, or from the folder that
//! `PATSCAN_TERRAFORM_PLUGINS` names (`terraform init -plugin-dir`).

use std::path::Path;
use std::process::{Command, Output};

use patscan::cli::ScanArgs;
use serde_json::{Value, json};

use super::{deployed, scan, strings, text};
use crate::emulator::{ACCOUNT, Moto};
use crate::patscan::Patscan;

const IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/patscan@sha256:\
                     0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn the_scan_policy_is_what_the_command_prints() {
    let printed = Patscan::new(["iam-policy"]).run();
    assert_eq!(
        printed.stdout,
        text("terraform/scan-policy.json"),
        "run `cargo run -- iam-policy > deploy/terraform/scan-policy.json`"
    );
}

/// A folder in which Terraform works on an emulator.
struct Workshop {
    folder: tempfile::TempDir,
    moto: Moto,
}

impl Workshop {
    fn terraform(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("AWS_ENDPOINT_URL", self.moto.url())
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("CHECKPOINT_DISABLE", "1");
        command
            .output()
            .unwrap_or_else(|error| panic!("install Terraform to run this test: {error}"))
    }

    /// What a command prints that succeeds.
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.terraform(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Uses the module with some settings, which are JSON and so expressions of Terraform too.
    fn write(&self, settings: &Value) {
        let mut module = json!({"source": deployed("terraform")});
        module
            .as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let provider = json!({"region": "eu-west-1", "s3_use_path_style": true, "skip_credentials_validation": true,
                              "skip_metadata_api_check": true});
        let file = json!({"provider": {"aws": provider}, "module": {"patscan": module}});
        std::fs::write(self.folder.path().join("main.tf.json"), file.to_string()).unwrap();
    }

    /// Audits the emulator as whoever would be told of everything.
    fn audit(&self) -> Value {
        Patscan::new(["scan", "--format", "json", "--persona", "auditor"])
            .args(["--region", "eu-west-1", "--endpoint-url", &self.moto.url()])
            .with_credentials()
            .current_dir(self.folder.path())
            .run()
            .json()
    }
}

/// Decides requests by the policies of a role, which nobody else's policies have a say in.
fn decisions(requests: &[(Value, &str)]) {
    let lines: Vec<String> = requests
        .iter()
        .map(|(request, _)| request.to_string())
        .collect();
    let run = Patscan::new(["simulate"]).stdin(&lines.join("\n")).run();
    assert_eq!(run.code, 0, "{run:?}");
    let answers: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), requests.len());
    for ((request, expected), answer) in requests.iter().zip(answers) {
        assert_eq!(answer["decision"], *expected, "{request}: {answer}");
    }
}

#[test]
#[ignore = "takes two minutes and needs Terraform with its AWS provider"]
fn terraform_makes_a_job_that_patscan_finds_nothing_wrong_with() {
    let workshop = Workshop {
        folder: tempfile::tempdir().unwrap(),
        moto: Moto::start(),
    };
    let module = deployed("terraform");
    let formatted = workshop.terraform(&["fmt", "-check", "-recursive", module.to_str().unwrap()]);
    assert!(formatted.status.success(), "{formatted:?}");
    let network: Value = serde_json::from_str(&workshop.moto.seed("network.py")).unwrap();
    let least = json!({"image": IMAGE, "vpc_id": network["vpc"], "subnet_ids": network["subnets"]});
    let mut all = least.clone();
    all.as_object_mut().unwrap().extend(
        json!({"repository_arn": format!("arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/patscan"),
               "regions": ["eu-west-1", "us-east-1"], "trusted_accounts": ["444455556666"],
               "extra_arguments": ["--skip", "iot"], "kms_key_arn": network["key"], "security_hub": true,
               "failure_topic_arn": network["topic"], "dead_letter_readers": [network["reader"]],
               "tags": {"team": "security"}})
        .as_object()
        .unwrap()
        .clone(),
    );

    workshop.write(&least);
    let plugins = std::env::var("PATSCAN_TERRAFORM_PLUGINS").ok();
    let plugins = plugins.map(|folder| format!("-plugin-dir={folder}"));
    let mut init = vec!["init", "-input=false"];
    init.extend(plugins.as_deref());
    workshop.succeeds(&init);
    workshop.succeeds(&["validate"]);
    let plan = ["plan", "-input=false", "-no-color", "-detailed-exitcode"];
    assert_eq!(workshop.terraform(&plan).status.code(), Some(2));
    for (setting, wrong) in [
        ("image", json!("patscan:latest")),
        ("image", json!("patscan")),
        ("prefix", json!("/")),
        ("name", json!("A b")),
    ] {
        let mut settings = least.clone();
        settings[setting] = wrong;
        workshop.write(&settings);
        let plan = workshop.terraform(&plan);
        let said = String::from_utf8_lossy(&plan.stderr);
        assert!(
            said.contains("Invalid value for variable"),
            "{setting}: {said}"
        );
    }

    workshop.write(&all);
    workshop.succeeds(&["apply", "-input=false", "-no-color", "-auto-approve"]);
    assert_eq!(
        workshop.terraform(&plan).status.code(),
        Some(0),
        "what was applied is what was asked for"
    );
    let made: Value = serde_json::from_str(&workshop.moto.seed("scheduled.py")).unwrap();
    policies_are_the_least(&made, &network);
    the_bucket_and_the_queue_are_private(&made, &network);
    let arguments = the_task_is_confined(&made);

    let report = workshop.audit();
    assert_eq!(report["findings"], json!([]));
    assert_eq!(
        report["coverage"]["complete"], true,
        "{}",
        report["coverage"]
    );
    assert_eq!(report["accounts"][0]["counts"]["queues"], 1);

    the_scan_of_the_task_stores_its_results(&workshop, &arguments);

    // The same audit does find what is wrong.
    workshop.moto.seed("loosened.py");
    let findings = workshop.audit()["findings"].clone();
    let rules: Vec<&str> = findings
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect();
    assert!(rules.contains(&"queue-feedback-loop"), "{rules:?}");
}

fn policies_are_the_least(made: &Value, network: &Value) {
    let roles = &made["roles"];
    for role in roles.as_object().unwrap().values() {
        assert_eq!(role["attached"], json!([]));
    }
    let bucket = format!("s3://patscan-{ACCOUNT}-eu-west-1/patscan?owner={ACCOUNT}");
    let bucket = format!("{bucket}&kms-key={}", network["key"].as_str().unwrap());
    let hub = format!("securityhub?account={ACCOUNT}");
    let printed = Patscan::new(["iam-policy", "--with", &bucket, "--with", &hub]).run();
    assert_eq!(roles["patscan-scan"]["policies"], json!([printed.json()]));

    let schedule = &roles["patscan-schedule"];
    let arn = |rest: &str| format!("arn:aws:{rest}");
    let cluster = arn(&format!("ecs:eu-west-1:{ACCOUNT}:cluster/patscan"));
    let other = arn(&format!("ecs:eu-west-1:{ACCOUNT}:cluster/other"));
    let task = arn(&format!(
        "ecs:eu-west-1:{ACCOUNT}:task-definition/patscan-scan:7"
    ));
    let queue = arn(&format!("sqs:eu-west-1:{ACCOUNT}:patscan-not-started"));
    let by_schedule = |action: &str, resource: &str, context: Value| {
        json!({"id": 1, "principal": schedule["arn"], "action": action, "resource": resource,
               "resource_account": ACCOUNT, "context": context, "identity_policies": schedule["policies"]})
    };
    let passed = |role: &str, service: &str| {
        let context = json!({"iam:PassedToService": [service]});
        by_schedule(
            "iam:PassRole",
            roles[role]["arn"].as_str().unwrap(),
            context,
        )
    };
    let assumed = |role: &str, service: &str, account: &str, source: &str| {
        json!({"id": 1, "principal": service, "action": "sts:AssumeRole", "resource": roles[role]["arn"],
               "resource_account": ACCOUNT, "resource_policy": roles[role]["trust"],
               "context": {"aws:SourceAccount": [account], "aws:SourceArn": [source]}})
    };
    let group = arn(&format!(
        "scheduler:eu-west-1:{ACCOUNT}:schedule-group/patscan"
    ));
    let default = arn(&format!(
        "scheduler:eu-west-1:{ACCOUNT}:schedule-group/default"
    ));
    let running = arn(&format!("ecs:eu-west-1:{ACCOUNT}:task/patscan/1"));
    let tasks = "ecs-tasks.amazonaws.com";
    let scheduler = "scheduler.amazonaws.com";
    decisions(&[
        (
            by_schedule("ecs:RunTask", &task, json!({"ecs:cluster": [cluster]})),
            "allowed",
        ),
        (
            by_schedule("ecs:RunTask", &task, json!({"ecs:cluster": [other]})),
            "denied",
        ),
        (
            by_schedule(
                "ecs:RunTask",
                &task.replace("-scan", "-other"),
                json!({"ecs:cluster": [cluster]}),
            ),
            "denied",
        ),
        (passed("patscan-scan", tasks), "allowed"),
        (passed("patscan-execution", tasks), "allowed"),
        (passed("patscan-scan", "lambda.amazonaws.com"), "denied"),
        (passed("patscan-schedule", tasks), "denied"),
        (by_schedule("sqs:SendMessage", &queue, json!({})), "allowed"),
        (
            by_schedule("sqs:ReceiveMessage", &queue, json!({})),
            "denied",
        ),
        (
            assumed("patscan-schedule", scheduler, ACCOUNT, &group),
            "allowed",
        ),
        (
            assumed("patscan-schedule", scheduler, ACCOUNT, &default),
            "denied",
        ),
        (
            assumed("patscan-schedule", scheduler, "444455556666", &group),
            "denied",
        ),
        (assumed("patscan-scan", tasks, ACCOUNT, &running), "allowed"),
        (
            assumed("patscan-scan", tasks, "444455556666", &running),
            "denied",
        ),
        (
            assumed("patscan-scan", scheduler, ACCOUNT, &running),
            "denied",
        ),
    ]);

    let execution = &roles["patscan-execution"]["policies"][0]["Statement"];
    let log = arn(&format!(
        "logs:eu-west-1:{ACCOUNT}:log-group:/patscan/patscan:log-stream:*"
    ));
    let repository = arn(&format!("ecr:eu-west-1:{ACCOUNT}:repository/patscan"));
    assert_eq!(execution[0]["Resource"], json!([log]));
    assert_eq!(execution[1]["Resource"], json!([repository]));
    assert_eq!(execution[2]["Action"], json!(["ecr:GetAuthorizationToken"]));
    assert_eq!(execution.as_array().unwrap().len(), 3);
}

fn the_bucket_and_the_queue_are_private(made: &Value, network: &Value) {
    let bucket = &made["bucket"];
    assert_eq!(bucket["versioning"], "Enabled");
    for blocked in bucket["public"].as_object().unwrap().values() {
        assert_eq!(*blocked, true);
    }
    let encryption = &bucket["encryption"][0]["ApplyServerSideEncryptionByDefault"];
    assert_eq!(encryption["KMSMasterKeyID"], network["key"]);
    let task = made["roles"]["patscan-scan"]["arn"].clone();
    let object = format!("arn:aws:s3:::patscan-{ACCOUNT}-eu-west-1/patscan/reports/r.json");
    let everything = json!([{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]);
    let put = |principal: &Value, secure: &str| {
        json!({"id": 1, "principal": principal, "action": "s3:PutObject", "resource": object, "resource_account": ACCOUNT,
               "context": {"aws:SecureTransport": [secure], "aws:PrincipalArn": [principal]},
               "identity_policies": everything, "resource_policy": bucket["policy"]})
    };
    let administrator = json!(format!("arn:aws:iam::{ACCOUNT}:role/administrator"));
    let queue: Value = serde_json::from_str(made["queue"]["Policy"].as_str().unwrap()).unwrap();
    let send = |principal: &Value| {
        json!({"id": 1, "principal": principal, "action": "sqs:SendMessage",
               "resource": made["queue"]["QueueArn"], "resource_account": ACCOUNT,
               "context": {"aws:SecureTransport": ["true"], "aws:PrincipalArn": [principal]},
               "identity_policies": everything, "resource_policy": queue})
    };
    let schedule = &made["roles"]["patscan-schedule"]["arn"];
    decisions(&[
        (put(&task, "true"), "allowed"),
        (put(&task, "false"), "denied"),
        (put(&administrator, "true"), "denied"),
        (send(schedule), "allowed"),
        (send(&administrator), "denied"),
    ]);
}

/// The arguments that the task starts patscan with.
fn the_task_is_confined(made: &Value) -> Vec<String> {
    let task = &made["task"];
    assert_eq!(task["taskRoleArn"], made["roles"]["patscan-scan"]["arn"]);
    assert_eq!(
        task["executionRoleArn"],
        made["roles"]["patscan-execution"]["arn"]
    );
    let [container] = &task["containerDefinitions"].as_array().unwrap()[..] else {
        panic!("one container");
    };
    assert_eq!(container["user"], "65532:65532");
    assert_eq!(container["readonlyRootFilesystem"], true);
    assert_eq!(
        container["linuxParameters"]["capabilities"]["drop"],
        json!(["ALL"])
    );
    let target = &made["schedule"]["Target"];
    assert_eq!(target["RoleArn"], made["roles"]["patscan-schedule"]["arn"]);
    assert_eq!(
        target["EcsParameters"]["TaskDefinitionArn"],
        task["taskDefinitionArn"]
    );
    assert_eq!(target["DeadLetterConfig"]["Arn"], made["queue"]["QueueArn"]);
    let arguments: Vec<String> = strings(&container["command"])
        .into_iter()
        .map(str::to_owned)
        .collect();
    let ScanArgs {
        output,
        source,
        publishing,
    } = scan(&arguments);
    assert!(output.exit_zero && !output.allow_incomplete);
    assert_eq!(output.trusted_accounts, ["444455556666"]);
    assert_eq!(source.regions, ["eu-west-1", "us-east-1"]);
    assert_eq!(publishing.publish.len(), 2);
    arguments
}

fn the_scan_of_the_task_stores_its_results(workshop: &Workshop, arguments: &[String]) {
    let stored = || -> Vec<String> {
        serde_json::from_str(&workshop.moto.seed("stored_results.py")).unwrap()
    };
    assert_eq!(stored(), [""; 0]);
    let run = Patscan::new(arguments)
        .args(["--endpoint-url", &workshop.moto.url()])
        .with_credentials()
        .current_dir(Path::new("/"))
        .run();
    assert_eq!(run.code, 0, "{run:?}");
    // Without findings there is nothing to store but the report.
    let stored = stored();
    let start = format!("patscan/reports/account={ACCOUNT}/");
    assert!(
        matches!(&stored[..], [report] if report.starts_with(&start)),
        "{stored:?}"
    );
}
