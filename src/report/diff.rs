//! What changed between two readings: the answer of `patscan diff`, as a table and as `patscan.diff/v1`.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::json::write_value;
use super::table::write_difference;
use super::{Format, Style};
use crate::triage::{AccessChange, AccountChange, FindingsDifference, OldFinding, Scope};

const SCHEMA: &str = "patscan.diff/v1";

/// Everything that differs between two readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where the earlier run looked.
    pub old: Scope,
    /// Where the later run looked.
    pub new: Scope,
    /// Whether nothing was left unread, in either, that could hide something.
    pub complete: bool,
    /// What can be told of snapshots only; none between reports.
    pub accounts: Option<AccountsDifference>,
    /// What became of findings.
    pub findings: FindingsDifference,
}

/// What differs between accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountsDifference {
    /// What was changed, sorted.
    pub changes: Vec<AccountChange>,
    /// What that made of access, sorted.
    pub access: Vec<AccessChange>,
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        let FindingsDifference {
            appeared,
            changed,
            gone,
            not_covered,
        } = &self.findings;
        [appeared, changed, gone, not_covered]
            .iter()
            .all(|list| list.is_empty())
            && self
                .accounts
                .as_ref()
                .is_none_or(|one| one.changes.is_empty() && one.access.is_empty())
    }

    /// Writes the answer, buffered and flushed.
    ///
    /// # Errors
    /// Those of the writer, unchanged.
    pub fn write(&self, format: Format, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        match format {
            Format::Table => write_difference(self, style, &mut out)?,
            _ => write_value(&View::of(self), &mut out)?,
        }
        out.flush()
    }
}

#[derive(Serialize)]
struct View<'a> {
    schema: &'static str,
    complete: bool,
    old: Vec<ReadingView<'a>>,
    new: Vec<ReadingView<'a>>,
    /// Only between snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeView<'a>>>,
    /// Only between snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<Vec<AccessView<'a>>>,
    findings: FindingsView<'a>,
}

#[derive(Serialize)]
struct ReadingView<'a> {
    account: &'a str,
    scanned_at: &'a str,
    regions: &'a [String],
}

#[derive(Serialize)]
struct ChangeView<'a> {
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<EntityView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    text: String,
}

#[derive(Serialize)]
struct EntityView<'a> {
    kind: &'a str,
    arn: &'a str,
}

#[derive(Serialize)]
struct AccessView<'a> {
    principal: EntityView<'a>,
    capability: &'static str,
    change: &'static str,
    queues: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_queues: Option<u64>,
    causes: Vec<ChangeView<'a>>,
    certain: bool,
}

#[derive(Serialize)]
struct FindingsView<'a> {
    appeared: Vec<FindingView<'a>>,
    changed: Vec<FindingView<'a>>,
    gone: Vec<FindingView<'a>>,
    not_covered: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct FindingView<'a> {
    id: &'a str,
    rule: &'a str,
    severity: &'a str,
    title: &'a str,
    account: &'a str,
    region: &'a str,
    subject: EntityView<'a>,
}

impl<'a> View<'a> {
    fn of(difference: &'a Difference) -> Self {
        let accounts = difference.accounts.as_ref();
        Self {
            schema: SCHEMA,
            complete: difference.complete,
            old: readings(&difference.old),
            new: readings(&difference.new),
            changes: accounts.map(|one| one.changes.iter().map(ChangeView::of).collect()),
            access: accounts.map(|one| one.access.iter().map(AccessView::of).collect()),
            findings: FindingsView {
                appeared: findings(&difference.findings.appeared),
                changed: findings(&difference.findings.changed),
                gone: findings(&difference.findings.gone),
                not_covered: findings(&difference.findings.not_covered),
            },
        }
    }
}

fn readings(scope: &Scope) -> Vec<ReadingView<'_>> {
    let accounts = scope.accounts.iter();
    accounts
        .map(|(account, scanned)| ReadingView {
            account,
            scanned_at: &scanned.at,
            regions: &scanned.regions,
        })
        .collect()
}

fn findings(findings: &[OldFinding]) -> Vec<FindingView<'_>> {
    findings
        .iter()
        .map(|finding| FindingView {
            id: &finding.id,
            rule: &finding.rule,
            severity: &finding.severity,
            title: &finding.title,
            account: &finding.account,
            region: &finding.region,
            subject: EntityView {
                kind: &finding.subject.kind,
                arn: &finding.subject.arn,
            },
        })
        .collect()
}

impl<'a> ChangeView<'a> {
    fn of(change: &'a AccountChange) -> Self {
        let (policy, statement, group) = match change {
            AccountChange::Attached { policy, .. } | AccountChange::Detached { policy, .. } => {
                (Some(policy.as_str()), None, None)
            }
            AccountChange::Statement {
                policy, statement, ..
            } => (Some(policy.as_str()), Some(statement.as_str()), None),
            AccountChange::Joined { group, .. } | AccountChange::Left { group, .. } => {
                (None, None, Some(&*group.arn))
            }
            _ => (None, None, None),
        };
        Self {
            change: change.kind(),
            subject: change.subject().map(|subject| EntityView {
                kind: subject.kind.as_str(),
                arn: &subject.arn,
            }),
            policy,
            statement,
            group,
            text: change.to_string(),
        }
    }
}

impl<'a> AccessView<'a> {
    fn of(change: &'a AccessChange) -> Self {
        Self {
            principal: EntityView {
                kind: change.principal.kind.as_str(),
                arn: &change.principal.arn,
            },
            capability: change.capability.as_str(),
            change: change.turn.as_str(),
            queues: change.queues.iter().map(|queue| &**queue).collect(),
            more_queues: (change.more_queues > 0).then_some(change.more_queues),
            causes: change.causes.iter().map(ChangeView::of).collect(),
            certain: change.certain,
        }
    }
}
