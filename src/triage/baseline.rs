//! An earlier report to compare with: what is new since, what changed, what is gone.
//!
//! A finding is gone only where this run looked: its account was scanned, its region too, its rule was checked and nothing that
//! may hide it was left unread. Elsewhere it is not known.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Change, Status, Triaged};
use crate::account::{self, GapEffect};
use crate::finding::{Finding, Kind, PrincipalRef, ResourceRef};
use crate::input::{self, LARGEST_REPORT};

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
    #[serde(default)]
    rules_off: BTreeSet<String>,
    findings: Vec<OldFinding>,
}

#[derive(Debug, Clone, Deserialize)]
struct OldCoverage {
    complete: bool,
    gaps: Vec<OldGap>,
    skipped: BTreeSet<Skipped>,
}

#[derive(Debug, Clone, Deserialize)]
struct OldGap {
    account: String,
    effect: String,
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
    status: String,
    fingerprint: Option<String>,
    /// When it was first seen, as the report says; none in a report without a baseline of its own.
    pub first_seen: Option<String>,
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
        let text =
            input::read(path, LARGEST_REPORT).map_err(|source| BaselineError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        let not_a_report = |why: String| BaselineError::NotAReport {
            path: path.to_owned(),
            why,
        };
        Self::from_slice(&text).map_err(|why| {
            not_a_report(if account::from_slice(&text, path).is_ok() {
                "it is a snapshot, which `patscan diff` compares".to_owned()
            } else {
                why
            })
        })
    }

    /// Reads a report that is in memory.
    ///
    /// # Errors
    /// Why it is none.
    pub fn from_slice(text: &[u8]) -> Result<Self, String> {
        let report: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if report.schema != SCHEMA {
            return Err(format!("its schema is `{}`", report.schema));
        }
        Ok(report)
    }

    /// Where the run looked that made the report.
    pub fn scope(&self) -> Scope {
        let hiding = self
            .coverage
            .gaps
            .iter()
            .filter(|gap| gap.effect == GapEffect::MayHide.as_str());
        Scope {
            accounts: self
                .accounts
                .iter()
                .map(|account| {
                    let scanned = Scanned {
                        regions: account.regions.clone(),
                        at: account.scanned_at.clone(),
                    };
                    (account.id.clone(), scanned)
                })
                .collect(),
            unread: hiding.map(|gap| gap.account.clone()).collect(),
            skipped: self.coverage.skipped.clone(),
            rules_off: self.rules_off.clone(),
        }
    }

    /// Whether nothing was left unread that could hide a finding.
    pub fn is_complete(&self) -> bool {
        self.coverage.complete
    }

    /// What became of the findings of this report in a later one.
    pub fn against(&self, later: &Self) -> FindingsDifference {
        let old: HashMap<&str, &OldFinding> = self
            .findings
            .iter()
            .map(|finding| (finding.id.as_str(), finding))
            .collect();
        let mut difference = FindingsDifference::default();
        for finding in &later.findings {
            match old.get(finding.id.as_str()) {
                None => difference.appeared.push(finding.clone()),
                Some(known) if !known.is_like(finding) => difference.changed.push(finding.clone()),
                Some(_) => {}
            }
        }
        let ids = later.findings.iter().map(|finding| finding.id.as_str());
        (difference.gone, difference.not_covered) = self.absent(&ids.collect(), &later.scope());
        difference
    }

    /// The findings that are not among `ids`: those that a run with this scope would have found again, and the others.
    fn absent(&self, ids: &HashSet<&str>, scope: &Scope) -> (Vec<OldFinding>, Vec<OldFinding>) {
        let mut absent: Vec<&OldFinding> = self
            .findings
            .iter()
            .filter(|finding| !ids.contains(finding.id.as_str()))
            .collect();
        absent.sort_by(|a, b| a.id.cmp(&b.id));
        let then = self.scope();
        absent
            .into_iter()
            .cloned()
            .partition(|finding| scope.covers(finding, &then))
    }

    /// Marks findings as new, changed or unchanged, and says which are gone.
    pub fn compare(&self, findings: &mut [Triaged], scope: &Scope) -> SinceBaseline {
        let old: HashMap<&str, &OldFinding> = self
            .findings
            .iter()
            .map(|finding| (finding.id.as_str(), finding))
            .collect();
        let then = self.scope();
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
                    let scanned = then.accounts.get(&known.account);
                    let at = at.or_else(|| scanned.map(|scanned| scanned.at.as_str()));
                    at.unwrap_or(&self.generated_at).to_owned()
                }
                None => scope
                    .accounts
                    .get(finding.account.as_str())
                    .map_or_else(String::new, |scanned| scanned.at.clone()),
            });
        }
        let now = findings.iter().map(|finding| finding.id.as_str());
        let (gone, not_covered) = self.absent(&now.collect(), scope);
        SinceBaseline {
            made_at: self.generated_at.clone(),
            gone,
            not_covered,
        }
    }
}

/// Where a run looked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The accounts, by id.
    pub accounts: BTreeMap<String, Scanned>,
    /// Ids of accounts of which something that may hide findings is unknown.
    pub unread: BTreeSet<String>,
    /// Services that were left out on purpose.
    pub skipped: BTreeSet<Skipped>,
    /// Ids of rules that were not checked.
    pub rules_off: BTreeSet<String>,
}

/// How far an account was scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// The regions that were asked.
    pub regions: Vec<String>,
    /// When, RFC 3339.
    pub at: String,
}

impl Scope {
    /// Whether the run would have found a finding of the run with the scope `then` again.
    pub fn covers(&self, finding: &OldFinding, then: &Self) -> bool {
        let Some(scanned) = self.accounts.get(&finding.account) else {
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
            let regions = then.accounts.get(&finding.account);
            let regions = regions.map_or(&[][..], |then| &then.regions);
            asked.extend(regions.iter().map(String::as_str));
        }
        let mut left_out = self
            .skipped
            .iter()
            .filter(|one| one.account == finding.account);
        asked
            .iter()
            .all(|region| scanned.regions.iter().any(|known| known == region))
            && left_out.all(|one| then.skipped.contains(one))
            && !self.unread.contains(&finding.account)
            && !self.rules_off.contains(&finding.rule)
    }
}

/// What became of findings between two reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingsDifference {
    /// Those that only the later report has, in its order.
    pub appeared: Vec<OldFinding>,
    /// Those that say something else in the later one, as they stand there.
    pub changed: Vec<OldFinding>,
    /// Those that are no more, sorted by id.
    pub gone: Vec<OldFinding>,
    /// Those that the later run could not have found again, sorted by id.
    pub not_covered: Vec<OldFinding>,
}

impl OldFinding {
    /// A finding of which little more than the name is known.
    pub fn named(id: String, rule: String, account: String, subject: OldEntity) -> Self {
        Self {
            id,
            rule,
            severity: String::new(),
            title: String::new(),
            account,
            region: "global".to_owned(),
            subject,
            principals: Vec::new(),
            resources: Vec::new(),
            more_resources: 0,
            verdict: String::new(),
            conditions: Vec::new(),
            status: Status::Open.as_str().to_owned(),
            fingerprint: None,
            first_seen: None,
        }
    }

    /// The same finding, about queues that have these ARNs and so many besides.
    #[must_use]
    pub fn about_queues(self, arns: impl IntoIterator<Item = String>, more: u64) -> Self {
        let arns = arns.into_iter();
        Self {
            resources: arns
                .map(|arn| OldResource {
                    kind: Kind::Queue.as_str().to_owned(),
                    arn,
                    verdict: String::new(),
                    grade: None,
                })
                .collect(),
            more_resources: more,
            ..self
        }
    }

    fn was_waived(&self) -> bool {
        self.status == Status::Waived.as_str()
    }

    /// Whether nothing differs but words and when it was first seen.
    fn is_like(&self, other: &Self) -> bool {
        let known = self.fingerprint.as_ref().zip(other.fingerprint.as_ref());
        self.severity == other.severity
            && (other.was_waived() || !self.was_waived())
            && self.verdict == other.verdict
            && self.conditions == other.conditions
            && self.principals == other.principals
            && self.resources == other.resources
            && self.more_resources == other.more_resources
            && known.is_none_or(|(one, other)| one == other)
    }

    /// Whether nothing changed but words: what it rests on, whom and what it reaches, how sure and how grave it is, and that
    /// nobody accepts it any longer.
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
        // One that was accepted and is not any more has to be seen again, as if it were new.
        self.severity == severity.as_str()
            && (now.status == Status::Waived || !self.was_waived())
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
            && self
                .resources
                .iter()
                .zip(resources.iter())
                .all(same_resource)
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
