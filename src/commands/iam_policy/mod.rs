//! `patscan iam-policy`: the least-privilege policy for a scan, made from the same table that the collectors call by; and with
//! `--with` what publishing needs besides, in statements of its own, from the table that the publishers call by.
//!
//! One list of statements, in three formats: the policy alone, and a role that holds it for Terraform and for `CloudFormation`.

mod cloud_formation;
mod terraform;

use std::collections::BTreeSet;

use anyhow::{Error, Result};
use serde::Serialize;

use super::Outcome;
use crate::cli::IamPolicyArgs;
use crate::collect::CALLS;
use crate::config::{Output, PolicyFormat};
use crate::publish::{self, Permission, Statement};

/// Stands for a partition that is known only where the role is made. No partition of AWS is written like this.
const OPEN_PARTITION: &str = "PARTITION";
/// How ARNs in that partition begin.
const IN_OPEN_PARTITION: &str = "arn:PARTITION:";
/// What the role and its policy are called unless somebody says otherwise.
const ROLE_NAME: &str = "patscan";
const ROLE_DESCRIPTION: &str = "Lets patscan read who can send to and receive from the queues of this account. It changes nothing and reads no message.";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

pub(super) fn run(args: &IamPolicyArgs) -> Result<Outcome> {
    let output: Output<PolicyFormat> = args.format.parse()?;
    let mut permissions = Vec::new();
    for text in &args.with {
        permissions.extend(Permission::parse(text).map_err(Error::msg)?);
    }
    let file = output.path.as_deref().map(super::open_file).transpose()?;
    let text = match output.format {
        PolicyFormat::Json => {
            // Without a place to look the partition up in, that of the commercial regions.
            let mut text = serde_json::to_vec_pretty(&policy(&permissions, "aws"))?;
            text.push(b'\n');
            text
        }
        PolicyFormat::Terraform => terraform::module(&policy(&permissions, OPEN_PARTITION))?,
        PolicyFormat::CloudFormation => {
            cloud_formation::template(&policy(&permissions, OPEN_PARTITION))?
        }
    };
    super::write_to(file, output.path, &text)?;
    Ok(Outcome::Clean)
}

fn policy(permissions: &[Permission], partition: &str) -> Policy {
    let read: BTreeSet<&str> = CALLS.iter().filter_map(|call| call.iam_action).collect();
    let mut statement = vec![Statement::anywhere(
        "PatscanReads",
        "Allow",
        read.into_iter().collect(),
    )];
    statement.extend(publish::statements(permissions, partition));
    // Belt and braces for a role that may be given more one day: the auditor is no generator and no consumer.
    statement.push(Statement::anywhere(
        "PatscanNeverTouchesMessages",
        "Deny",
        vec![
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:PurgeQueue",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
        ],
    ));
    Policy {
        version: "2012-10-17",
        statement,
    }
}
