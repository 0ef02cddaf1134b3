//! The organization above the account: everything is allowed at each level, and little is denied.

use patscan::account::{ControlLevel, ControlPolicy, Membership, Organization, PolicyText};
use serde_json::json;

use super::document::{Statement, text};
use super::{ACCOUNT, MANAGEMENT, ORGANIZATION, REGIONS};

pub(super) fn organization() -> Organization {
    let levels = ["r-ab12", "ou-ab12-workload", ACCOUNT];
    let full =
        |id: &str, name: &str| policy(id, name, text(&[Statement::allow(&["*"]).on(&["*"])]));
    let service_controls = levels.map(|target| {
        let mut policies = vec![full("p-FullAWSAccess", "FullAWSAccess")];
        match target {
            "r-ab12" => policies.push(policy("p-regions1", "regions", regions())),
            "ou-ab12-workload" => policies.push(policy("p-guard001", "guard", guard())),
            _ => {}
        }
        level(target, policies)
    });
    let resource_controls = levels.map(|target| {
        let everyone = Statement::allow(&["*"])
            .on(&["*"])
            .for_principal(json!("*"));
        let full = policy("p-RCPFullAWSAccess", "RCPFullAWSAccess", text(&[everyone]));
        level(target, vec![full])
    });
    Organization::Member(Membership {
        id: ORGANIZATION.to_owned(),
        management_account: super::account_id(MANAGEMENT),
        path: Some(format!("{ORGANIZATION}/r-ab12/ou-ab12-workload/")),
        service_controls: Some(service_controls.into()),
        resource_controls: Some(resource_controls.into()),
    })
}

fn level(target: &str, policies: Vec<ControlPolicy>) -> ControlLevel {
    ControlLevel {
        target: target.to_owned(),
        policies,
    }
}

fn policy(id: &str, name: &str, document: PolicyText) -> ControlPolicy {
    ControlPolicy {
        id: id.to_owned(),
        name: name.to_owned(),
        document: Some(document),
    }
}

/// Nothing outside the company's regions, the global services excepted.
fn regions() -> PolicyText {
    let global = [
        "cloudfront:*",
        "iam:*",
        "organizations:*",
        "route53:*",
        "sts:*",
        "support:*",
    ];
    text(&[Statement::deny(&[])
        .but(&global)
        .sid("OtherRegions")
        .on(&["*"])
        .when(json!({"StringNotEquals": {"aws:RequestedRegion": REGIONS}}))])
}

/// What only the deployment may do.
fn guard() -> PolicyText {
    text(&[
        Statement::deny(&[
            "cloudtrail:DeleteTrail",
            "cloudtrail:StopLogging",
            "organizations:LeaveOrganization",
        ])
        .sid("Trail")
        .on(&["*"]),
        Statement::deny(&["sqs:AddPermission", "sqs:RemovePermission"])
            .sid("QueuePolicies")
            .on(&["*"])
            .when(json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deploy/*"}})),
    ])
}
