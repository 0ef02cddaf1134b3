//! `patscan iam-policy` as Terraform and as `CloudFormation`: a role that holds exactly the policy that is printed as JSON.

use std::io::Write as _;
use std::process::{Command, Stdio};

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};
use serde_json::{Value, json};

use crate::patscan::Patscan;

const WITH: [&str; 4] = [
    "publish-securityhub",
    "publish-sns",
    "eventbridge:audit",
    "s3://audits/${x}/%{y}?kms-key=alias/audits",
];

fn printed(arguments: &[&str]) -> String {
    let run = Patscan::new(["iam-policy"]).args(arguments).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}");
    run.stdout
}

fn policy(with: &[&str]) -> Value {
    serde_json::from_str(&printed(with)).unwrap()
}

fn with_all() -> Vec<&'static str> {
    WITH.iter().flat_map(|what| ["--with", what]).collect()
}

fn with_format<'a>(with: &[&'a str], format: &'a str) -> Vec<&'a str> {
    let mut arguments = with.to_vec();
    arguments.extend(["-f", format]);
    arguments
}

fn block<'a>(body: &'a Body, kind: &str, labels: &[&str]) -> Option<&'a Block> {
    body.blocks().find(|block| {
        let own: Vec<&str> = block
            .labels
            .iter()
            .map(hcl_edit::structure::BlockLabel::as_str)
            .collect();
        block.ident.as_str() == kind && own == labels
    })
}

/// An expression of literals as JSON; a partition that Terraform looks up as `aws`.
fn as_json(expression: &Expression) -> Value {
    match expression {
        Expression::String(text) => json!(text.value()),
        Expression::StringTemplate(template) => {
            let text = template.to_string();
            let here = "${data.aws_partition.current.partition}";
            let text = text.trim().trim_matches('"').replace(here, "aws");
            assert!(
                !text.replace("$${", "").contains("${"),
                "{text} has something else to look up"
            );
            json!(text.replace("$${", "${").replace("%%{", "%{"))
        }
        Expression::Array(items) => items.iter().map(as_json).collect(),
        Expression::Object(members) => members
            .iter()
            .map(|(key, value)| {
                let key = match key {
                    hcl_edit::expr::ObjectKey::Ident(name) => name.as_str().to_owned(),
                    hcl_edit::expr::ObjectKey::Expression(key) => {
                        as_json(key).as_str().unwrap().to_owned()
                    }
                };
                (key, as_json(value.expr()))
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn argument<'a>(block: &'a Block, name: &str) -> &'a Expression {
    &block
        .body
        .attributes()
        .find(|attribute| attribute.key.as_str() == name)
        .unwrap_or_else(|| panic!("no {name}"))
        .value
}

#[test]
fn the_module_holds_the_printed_policy_in_a_role_for_whom_it_is_told() {
    for with in [Vec::new(), with_all()] {
        let module = printed(&with_format(&with, "terraform"));
        let body: Body = module.parse().unwrap();
        let policy_of_role = block(&body, "resource", &["aws_iam_role_policy", "patscan"]).unwrap();
        let Expression::FuncCall(encoded) = argument(policy_of_role, "policy") else {
            panic!("{module}");
        };
        assert_eq!(encoded.name.name.as_str(), "jsonencode");
        let document = as_json(encoded.args.iter().next().unwrap());
        assert_eq!(document, policy(&with));

        let role = block(&body, "resource", &["aws_iam_role", "patscan"]).unwrap();
        let trust = argument(role, "assume_role_policy").to_string();
        assert!(trust.contains("var.trusted_principals") && trust.contains("var.external_id"));
        for variable in ["trusted_principals", "external_id", "role_name"] {
            assert!(
                block(&body, "variable", &[variable]).is_some(),
                "{variable}"
            );
        }
        assert!(block(&body, "output", &["role_arn"]).is_some());
        // What needs no partition looks none up.
        let looked_up = block(&body, "data", &["aws_partition", "current"]);
        assert_eq!(looked_up.is_some(), !with.is_empty());
        assert!(!module.contains("arn:aws:"), "{module}");
    }
}

#[test]
fn the_module_is_in_the_style_of_terraform_where_that_is_at_hand() {
    for with in [Vec::new(), with_all()] {
        let module = printed(&with_format(&with, "terraform"));
        let terraform = Command::new("terraform")
            .args(["fmt", "-"])
            .env("CHECKPOINT_DISABLE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut terraform) = terraform else { return };
        let mut stdin = terraform.stdin.take().unwrap();
        stdin.write_all(module.as_bytes()).unwrap();
        drop(stdin);
        let formatted = terraform.wait_with_output().unwrap();
        assert!(formatted.status.success());
        assert_eq!(String::from_utf8(formatted.stdout).unwrap(), module);
    }
}

/// A value of a template in the commercial partition, with what its functions come to.
fn in_a_stack(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(in_a_stack).collect(),
        Value::Object(members) => {
            if let Some(text) = members.get("Fn::Sub").and_then(Value::as_str) {
                let text = text.replace("${AWS::Partition}", "aws");
                assert!(!text.replace("${!", "").contains("${"), "{text}");
                return json!(text.replace("${!", "${"));
            }
            members
                .iter()
                .map(|(key, value)| (key.clone(), in_a_stack(value)))
                .collect()
        }
        plain => plain.clone(),
    }
}

#[test]
fn the_template_holds_the_printed_policy_in_a_role_for_whom_it_is_told() {
    for with in [Vec::new(), with_all()] {
        let text = printed(&with_format(&with, "cloudformation"));
        assert!(!text.contains("arn:aws:"), "{text}");
        let template: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(template["AWSTemplateFormatVersion"], "2010-09-09");
        let role = &template["Resources"]["Role"];
        assert_eq!(role["Type"], "AWS::IAM::Role");
        let policies = &role["Properties"]["Policies"];
        assert_eq!(policies.as_array().unwrap().len(), 1);
        assert_eq!(in_a_stack(&policies[0]["PolicyDocument"]), policy(&with));

        let trust = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(trust.as_array().unwrap().len(), 1);
        assert_eq!(
            trust[0]["Principal"],
            json!({"AWS": {"Ref": "TrustedPrincipal"}})
        );
        assert_eq!(trust[0]["Action"], "sts:AssumeRole");
        assert_eq!(
            trust[0]["Condition"]["Fn::If"],
            json!([
                "AsksForExternalId",
                {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}},
                {"Ref": "AWS::NoValue"}
            ])
        );
        assert!(template["Conditions"]["AsksForExternalId"].is_object());
        let parameters = template["Parameters"].as_object().unwrap();
        let named: Vec<&String> = parameters.keys().collect();
        assert_eq!(named, ["ExternalId", "RoleName", "TrustedPrincipal"]);
        assert!(
            parameters["TrustedPrincipal"].get("Default").is_none(),
            "who may assume it is nothing to guess"
        );
        assert_eq!(
            template["Outputs"]["RoleArn"]["Value"],
            json!({"Fn::GetAtt": ["Role", "Arn"]})
        );
        // CloudFormation takes no longer template in a request, and IAM no longer inline policies.
        assert!(text.len() < 51_200);
        let solid: String = policy(&with).to_string();
        assert!(solid.len() < 10_240, "{}", solid.len());
    }
}

#[test]
fn a_stack_set_takes_a_template_and_a_file_takes_any_format() {
    let template = printed(&["-f", "cloudformation"]);
    assert_eq!(printed(&["-f", "stackset"]), template);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("role.json");
    let format = format!("cloudformation={}", file.display());
    assert_eq!(printed(&["-f", &format]), "");
    assert_eq!(std::fs::read_to_string(file).unwrap(), template);
    assert_eq!(printed(&["-f", "json"]), printed(&[]));
}

#[test]
fn a_format_that_no_policy_has_is_answered_with_those_that_it_has() {
    let run = Patscan::new(["iam-policy", "-f", "yaml"]).run();
    assert_eq!(
        run.failure(),
        "a policy is not written as `yaml`; choose `json`, `terraform` or `cloudformation`"
    );
}
