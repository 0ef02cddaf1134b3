//! `patscan iam-policy`: the least-privilege policy for a scan, made from the same table that the collectors call by; and with
//! `--with` what publishing needs besides, in statements of its own, from the table that the publishers call by.

use std::collections::BTreeSet;

use anyhow::{Error, Result};
use serde::Serialize;

use super::Outcome;
use crate::cli::IamPolicyArgs;
use crate::collect::CALLS;
use crate::publish::{self, Permission, Statement};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

pub(super) fn run(args: &IamPolicyArgs) -> Result<Outcome> {
    let mut permissions = Vec::new();
    for text in &args.with {
        permissions.extend(Permission::parse(text).map_err(Error::msg)?);
    }
    let read: BTreeSet<&str> = CALLS.iter().filter_map(|call| call.iam_action).collect();
    let mut statement = vec![Statement::anywhere(
        "PatscanReads",
        "Allow",
        read.into_iter().collect(),
    )];
    statement.extend(publish::statements(&permissions));
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
    let policy = Policy {
        version: "2012-10-17",
        statement,
    };
    let mut text = serde_json::to_vec_pretty(&policy)?;
    text.push(b'\n');
    super::write_stdout(&text)?;
    Ok(Outcome::Clean)
}
