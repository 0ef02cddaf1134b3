//! An earlier report to compare with: what is new since, what changed, what is gone.
//!
//! A finding is gone only where this run looked: its account was scanned, its region too, its rule was checked and nothing that
//! may hide it was left unread. Elsewhere it is not known.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use chrono::SecondsFormat;
use serde::Deserialize;

use super::{Change, Triaged};
use crate::account::{self, Account};
use crate::finding::{Finding, Kind, PrincipalRef, ResourceRef};

/// The schema of the reports that can be compared with.
const SCHEMA: &str = "patscan.report/v1";

/// A report that cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The file cannot be read.
    #[error("cannot read the baseline `{}`: {source}; check the path", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is something else.
    #[error("`{}` is no JSON report: {why}; make one with `-f json=FILE`", .path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// What it is, or where reading it ended.
        why: String,
    },
}

/// An earlier report, as far as it is compared.
#[derive(Debug, Clone, Deserialize)]
pub struct Baseline {
    schema: String,
    generated_at: String,
    accounts: Vec<OldAccount>,
    coverage: OldCoverage,
    findings: Vec<OldFinding>,
}

#[derive(Debug, Clone, Deserialize)]
struct OldCoverage {
    skipped: Vec<Skipped>,
}

/// A service of an account that was left out on purpose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Skipped {
    /// The account.
    pub account: String,
    /// The service namespace.
    pub service: String,
}

#[derive(Debug, Clone, Deserialize)]
struct OldAccount {
    id: String,
    regions: Vec<String>,
    scanned_at: String,
}

/// A finding of an earlier report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OldFinding {
    /// Its id.
    pub id: String,
    /// The id of its rule.
    pub rule: String,
    /// Its severity, as the word of the contract.
    pub severity: String,
    /// What it said in a line.
    pub title: String,
    /// Its account.
    pub account: String,
    /// Its region, `global` for IAM.
    pub region: String,
    /// What one would have changed to mend it.
    pub subject: OldEntity,
    principals: Vec<OldPrincipal>,
    resources: Vec<OldResource>,
    #[serde(default)]
    more_resources: u64,
    verdict: String,
    conditions: Vec<String>,
    fingerprint: Option<String>,
    first_seen: Option<String>,
}

/// A thing of an earlier report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct OldEntity {
    /// What it was.
    pub kind: String,
    /// Its ARN.
    pub arn: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct OldPrincipal {
    kind: String,
    arn: String,
    workloads: Vec<OldEntity>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct OldResource {
    kind: String,
    arn: String,
    verdict: String,
    grade: Option<String>,
}

/// What a comparison tells besides of each finding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinceBaseline {
    /// When the earlier report was made, as it says.
    pub made_at: String,
    /// Findings that are no more, sorted by id.
    pub gone: Vec<OldFinding>,
    /// Findings that this run could not have found again, sorted by id.
    pub not_covered: Vec<OldFinding>,
}

impl Baseline {
    /// Reads a report.
    ///
    /// # Errors
    /// [`BaselineError`] tells a file that cannot be read from one that is something else.
    pub fn read(path: &Path) -> Result<Self, BaselineError> {
        let text = std::fs::read(path).map_err(|source| BaselineError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let not_a_report = |why: String| BaselineError::NotAReport {
            path: path.to_owned(),
            why,
        };
        let report: Self = serde_json::from_slice(&text).map_err(|error| {
            not_a_report(if account::from_slice(&text, path).is_ok() {
                "it is a snapshot, which `patscan diff` compares".to_owned()
            } else {
                error.to_string()
            })
        })?;
        if report.schema != SCHEMA {
            return Err(not_a_report(format!("its schema is `{}`", report.schema)));
        }
        Ok(report)
    }

    /// Marks findings as new, changed or unchanged, and says which are gone.
    pub fn compare(&self, findings: &mut [Triaged], scope: &Scope<'_>) -> SinceBaseline {
        let old: HashMap<&str, &OldFinding> = self
            .findings
            .iter()
            .map(|finding| (finding.id.as_str(), finding))
            .collect();
        let scanned: BTreeMap<&str, &str> = self
            .accounts
            .iter()
            .map(|account| (account.id.as_str(), account.scanned_at.as_str()))
            .collect();
        for finding in findings.iter_mut() {
            let known = old.get(finding.id.as_str());
            finding.change = match known {
                None => Change::New,
                Some(known) if known.says_the_same_as(finding) => Change::Unchanged,
                Some(_) => Change::Changed,
            };
            finding.first_seen = Some(match known {
                Some(known) => {
                    let at = known.first_seen.as_deref();
                    let at = at.or_else(|| scanned.get(known.account.as_str()).copied());
                    at.unwrap_or(&self.generated_at).to_owned()
                }
                None => scope
                    .accounts
                    .iter()
                    .find(|account| account.id == finding.account)
                    .map_or_else(String::new, |account| {
                        account
                            .scanned_at
                            .to_rfc3339_opts(SecondsFormat::Secs, true)
                    }),
            });
        }
        let now: HashSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
        let mut absent: Vec<&OldFinding> = self
            .findings
            .iter()
            .filter(|finding| !now.contains(finding.id.as_str()))
            .collect();
        absent.sort_by(|a, b| a.id.cmp(&b.id));
        let (gone, not_covered) = absent
            .into_iter()
            .cloned()
            .partition(|finding| scope.covers(finding, self));
        SinceBaseline {
            made_at: self.generated_at.clone(),
            gone,
            not_covered,
        }
    }
}

/// Where a run looked.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The accounts.
    pub accounts: &'a [Account],
    /// Ids of accounts of which something that may hide findings is unknown.
    pub unread: BTreeSet<&'a str>,
    /// Services that were left out on purpose.
    pub skipped: BTreeSet<Skipped>,
    /// Ids of rules that were not checked.
    pub rules_off: &'a [&'static str],
}

impl Scope<'_> {
    /// Whether the run would have found a finding of `then` again.
    fn covers(&self, finding: &OldFinding, then: &Baseline) -> bool {
        let account = self
            .accounts
            .iter()
            .find(|account| account.id.as_str() == finding.account);
        let Some(account) = account else {
            return false;
        };
        // A finding of IAM may be about queues of regions that were not asked this time; where it does not name them all, they
        // may be in any region that was asked then.
        let mut asked: BTreeSet<&str> = finding
            .resources
            .iter()
            .filter(|one| one.kind == Kind::Queue.as_str())
            .filter_map(|queue| queue.arn.split(':').nth(3))
            .chain([finding.region.as_str()])
            .filter(|region| !region.is_empty() && *region != "global")
            .collect();
        if asked.is_empty() || finding.more_resources > 0 {
            let accounts = then.accounts.iter();
            let same = accounts.filter(|account| account.id == finding.account);
            asked.extend(same.flat_map(|account| account.regions.iter().map(String::as_str)));
        }
        let mut left_out = self
            .skipped
            .iter()
            .filter(|one| one.account == finding.account);
        asked
            .iter()
            .all(|region| account.regions.iter().any(|known| known == region))
            && left_out.all(|one| then.coverage.skipped.contains(one))
            && !self.unread.contains(finding.account.as_str())
            && !self.rules_off.contains(&finding.rule.as_str())
    }
}

impl OldFinding {
    /// Whether nothing changed but words: what it rests on, whom and what it reaches, how sure and how grave it is.
    fn says_the_same_as(&self, now: &Triaged) -> bool {
        let Finding {
            severity,
            principals,
            resources,
            more_resources,
            certainty,
            conditions,
            ..
        } = &now.finding;
        let fingerprint = now.fingerprint.to_string();
        self.severity == severity.as_str()
            && self.verdict == certainty.as_str()
            && self.conditions == *conditions
            && self.more_resources == *more_resources
            && self
                .fingerprint
                .as_ref()
                .is_none_or(|known| *known == fingerprint)
            && self.principals.len() == principals.len()
            && self.resources.len() == resources.len()
            && self.principals.iter().zip(principals).all(same_principal)
            && self.resources.iter().zip(resources).all(same_resource)
    }
}

fn same_principal((old, now): (&OldPrincipal, &PrincipalRef)) -> bool {
    let workloads = old.workloads.iter().zip(&now.workloads);
    *old.arn == *now.entity.arn
        && old.kind == now.entity.kind.as_str()
        && old.workloads.len() == now.workloads.len()
        && workloads.into_iter().all(|(old, now)| *old.arn == *now.arn)
}

fn same_resource((old, now): (&OldResource, &ResourceRef)) -> bool {
    *old.arn == *now.entity.arn
        && old.kind == now.entity.kind.as_str()
        && old.verdict == now.certainty.as_str()
        && old.grade.as_deref() == now.grade.map(crate::finding::Grade::as_str)
}
