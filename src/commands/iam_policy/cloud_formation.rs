//! A `CloudFormation` template, fit for a stack set: the same role and policy for every account of an organization.

use anyhow::Result;
use serde_json::{Value, json};

use super::{IN_OPEN_PARTITION, Policy, ROLE_DESCRIPTION, ROLE_NAME};

pub(super) fn template(policy: &Policy) -> Result<Vec<u8>> {
    let mut document = serde_json::to_value(policy)?;
    let statements = document.get_mut("Statement").and_then(Value::as_array_mut);
    for statement in statements.into_iter().flatten() {
        let resources = statement.get_mut("Resource").and_then(Value::as_array_mut);
        for resource in resources.into_iter().flatten() {
            in_partition(resource);
        }
    }
    let with_external_id = json!({"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}});
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "PatscanIsAssumed",
            "Effect": "Allow",
            "Principal": {"AWS": {"Ref": "TrustedPrincipal"}},
            "Action": "sts:AssumeRole",
            "Condition": {"Fn::If": ["AsksForExternalId", with_external_id, {"Ref": "AWS::NoValue"}]},
        }],
    });
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "A role that patscan --assume-role reads an account with: made by patscan iam-policy -f cloudformation. It has a name of its own and takes CAPABILITY_NAMED_IAM.",
        "Parameters": {
            "TrustedPrincipal": {
                "Description": "Who may assume the role: the ARN of a role or user, or the id of an account, which then decides who of its own may.",
                "Type": "String",
                "AllowedPattern": "[0-9]{12}|arn:[a-z-]+:iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9+=,.@_/-]+)",
                "ConstraintDescription": "must be an account id, or the ARN of a role, a user or an account root",
            },
            "ExternalId": {
                "Description": "What has to be given with --external-id to assume the role; empty asks for none.",
                "Type": "String",
                "Default": "",
                "MaxLength": 1224,
                "AllowedPattern": "([A-Za-z0-9_+=,.@:/-]{2,})?",
                "ConstraintDescription": "must be empty, or two or more letters, digits and _+=,.@:/-",
            },
            "RoleName": {
                "Description": "What the role is called.",
                "Type": "String",
                "Default": ROLE_NAME,
                "MaxLength": 64,
                "AllowedPattern": "[A-Za-z0-9_+=,.@-]+",
                "ConstraintDescription": "must be letters, digits and _+=,.@-",
            },
        },
        "Conditions": {
            "AsksForExternalId": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ExternalId"}, ""]}]},
        },
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": {"Ref": "RoleName"},
                    "Description": ROLE_DESCRIPTION,
                    "AssumeRolePolicyDocument": trust,
                    "Policies": [{"PolicyName": "patscan", "PolicyDocument": document}],
                },
            },
        },
        "Outputs": {
            "RoleArn": {
                "Description": "What patscan --assume-role takes.",
                "Value": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
    });
    let mut text = serde_json::to_vec_pretty(&template)?;
    text.push(b'\n');
    Ok(text)
}

/// Has an ARN begin with the partition of the stack. What `Fn::Sub` would take for a variable besides is kept as it is.
fn in_partition(resource: &mut Value) {
    let rest = resource
        .as_str()
        .and_then(|arn| arn.strip_prefix(IN_OPEN_PARTITION));
    if let Some(rest) = rest {
        let rest = rest.replace("${", "${!");
        *resource = json!({"Fn::Sub": format!("arn:${{AWS::Partition}}:{rest}")});
    }
}
