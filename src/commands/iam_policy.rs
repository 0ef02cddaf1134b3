//! `patscan iam-policy`: the least-privilege policy for a scan, made from the same table that the collectors call by.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Serialize;

use super::Outcome;
use crate::collect::CALLS;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: [Statement; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: &'static str,
}

pub(super) fn run() -> Result<Outcome> {
    let read: BTreeSet<&str> = CALLS.iter().filter_map(|call| call.iam_action).collect();
    let policy = Policy {
        version: "2012-10-17",
        statement: [
            Statement {
                sid: "PatscanReads",
                effect: "Allow",
                action: read.into_iter().collect(),
                resource: "*",
            },
            // Belt and braces for a role that may be given more one day: the auditor is no generator and no consumer.
            Statement {
                sid: "PatscanNeverTouchesMessages",
                effect: "Deny",
                action: vec![
                    "sqs:ChangeMessageVisibility",
                    "sqs:DeleteMessage",
                    "sqs:PurgeQueue",
                    "sqs:ReceiveMessage",
                    "sqs:SendMessage",
                ],
                resource: "*",
            },
        ],
    };
    let mut text = serde_json::to_vec_pretty(&policy)?;
    text.push(b'\n');
    super::write_stdout(&text)?;
    Ok(Outcome::Clean)
}
