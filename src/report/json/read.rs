//! `patscan.report/v1` read back into a [`Report`]: what is published later is what was reported then.
//!
//! Everything in the file is data that somebody may have changed. What this version does not know by name (a rule, a kind) is an
//! error: published half understood, it would say something else than the report. Keys besides those of the contract are passed
//! over, since the contract grows. Who sends and who receives is no part of the JSON report, and so of none that is read.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;

use super::SCHEMA;
use crate::access::Layer;
use crate::account::{Gap, GapEffect, Note};
use crate::arn::AccountId;
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Grade, Kind, PrincipalRef, ResourceRef,
};
use crate::report::{
    AccountGap, AccountNote, AccountSummary, Counts, Coverage, Report, SkippedService, sanitise,
};
use crate::rules::RULES;
use crate::triage::{
    Audience, Cause, Change, Fingerprint, OldEntity, OldFinding, SinceBaseline, Standing, Status,
    Triaged, WaivedBy, WaiverNote,
};

/// Why a text is no report, in words that fit behind `NAME is no JSON report: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is no JSON of this shape.
    #[error("{0}")]
    Shape(String),
    /// It is a report of another sort.
    #[error("its schema is `{0}`, not `{SCHEMA}`")]
    Schema(String),
    /// It says something that this version does not know.
    #[error(
        "it has the {what} `{word}`, which this version of patscan does not know; use the version that made it"
    )]
    Unknown {
        /// What sort of word.
        what: &'static str,
        /// The word.
        word: String,
    },
}

/// Reads a report.
///
/// # Errors
/// [`ReadError`] says why the text is none.
pub fn read(text: &[u8]) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Schema {
        schema: String,
    }
    let shape =
        |error: serde_json::Error| ReadError::Shape(sanitise(&error.to_string()).into_owned());
    let Schema { schema } = serde_json::from_slice(text).map_err(shape)?;
    if schema != SCHEMA {
        return Err(ReadError::Schema(sanitise(&schema).into_owned()));
    }
    let read: ReadReport = serde_json::from_slice(text).map_err(shape)?;
    read.report()
}

fn unknown(what: &'static str, word: &str) -> ReadError {
    ReadError::Unknown {
        what,
        word: sanitise(word).into_owned(),
    }
}

/// The one of the known things that a word names.
fn known<T: Copy>(
    what: &'static str,
    word: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, ReadError> {
    let found = all.iter().copied().find(|one| name(*one) == word);
    found.ok_or_else(|| unknown(what, word))
}

fn parsed<T: FromStr<Err: fmt::Debug>>(what: &'static str, word: &str) -> Result<T, ReadError> {
    word.parse().map_err(|_| unknown(what, word))
}

fn time(text: &str) -> Result<DateTime<Utc>, ReadError> {
    let time = DateTime::parse_from_rfc3339(text);
    Ok(time.map_err(|_| unknown("time", text))?.to_utc())
}

/// `global` is how the contract says that there is no region.
fn region(text: String) -> Option<String> {
    (text != "global").then_some(text)
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadReport {
    generated_at: String,
    accounts: Vec<ReadAccount>,
    coverage: ReadCoverage,
    #[serde(default)]
    rules_off: Vec<String>,
    #[serde(default)]
    causes: Vec<ReadCause>,
    waiver_notes: Option<Vec<ReadWaiverNote>>,
    baseline: Option<ReadBaseline>,
    findings: Vec<ReadFinding>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadAccount {
    id: AccountId,
    alias: Option<String>,
    partition: String,
    regions: Vec<String>,
    scanned_at: String,
    counts: ReadCounts,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadCounts {
    users: usize,
    groups: usize,
    roles: usize,
    queues: usize,
    functions: usize,
    instances: usize,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadCoverage {
    complete: bool,
    gaps: Vec<ReadGap>,
    notes: Vec<ReadNote>,
    skipped: Vec<ReadSkipped>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadGap {
    account: AccountId,
    region: String,
    service: String,
    operation: String,
    resource: Option<String>,
    error: String,
    effect: String,
    detail: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadNote {
    account: AccountId,
    region: String,
    service: String,
    resource: Option<String>,
    detail: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadSkipped {
    account: AccountId,
    service: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadCause {
    policy: String,
    statement: String,
    principals: usize,
    most_queues: u64,
    findings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadWaiverNote {
    waiver: usize,
    alarm: bool,
    text: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadBaseline {
    generated_at: String,
    gone: Vec<ReadOld>,
    not_covered: Vec<ReadOld>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadOld {
    id: String,
    rule: String,
    severity: String,
    title: String,
    account: String,
    region: String,
    subject: OldEntity,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadFinding {
    id: String,
    rule: String,
    severity: String,
    title: String,
    detail: String,
    account: AccountId,
    region: String,
    subject: ReadEntity,
    principals: Vec<ReadPrincipal>,
    resources: Vec<ReadResource>,
    #[serde(default)]
    more_resources: u64,
    verdict: String,
    conditions: Vec<String>,
    evidence: Vec<ReadEvidence>,
    #[serde(default)]
    more_evidence: u64,
    remedy: ReadRemedy,
    fingerprint: String,
    audience: Option<String>,
    status: String,
    waiver: Option<ReadWaiver>,
    change: String,
    first_seen: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadEntity {
    kind: String,
    arn: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadPrincipal {
    kind: String,
    arn: String,
    workloads: Vec<ReadEntity>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadResource {
    kind: String,
    arn: String,
    verdict: String,
    grade: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadEvidence {
    capability: String,
    resource: String,
    layer: String,
    policy: String,
    statement: String,
    effect: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadRemedy {
    summary: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReadWaiver {
    standing: String,
    owner: String,
    reason: String,
    expires: Option<NaiveDate>,
}

impl ReadReport {
    fn report(self) -> Result<Report, ReadError> {
        let findings: Vec<Triaged> = all(self.findings, ReadFinding::finding)?;
        let places: HashMap<&str, usize> = findings
            .iter()
            .enumerate()
            .map(|(place, finding)| (finding.id.as_str(), place))
            .collect();
        let causes = self.causes.into_iter();
        let causes = causes.map(|cause| cause.cause(&places)).collect();
        let rules_off = self.rules_off.iter().map(|rule| rule_id(rule));
        let since = self.baseline.map(|baseline| SinceBaseline {
            made_at: baseline.generated_at,
            gone: baseline.gone.into_iter().map(ReadOld::finding).collect(),
            not_covered: baseline
                .not_covered
                .into_iter()
                .map(ReadOld::finding)
                .collect(),
        });
        let complete = self.coverage.complete;
        let report = Report {
            generated_at: time(&self.generated_at)?,
            accounts: all(self.accounts, ReadAccount::account)?,
            coverage: self.coverage.coverage()?,
            causes,
            findings,
            flows: Vec::new(),
            more_flows: 0,
            rules_off: rules_off.collect::<Result<_, _>>()?,
            persona: Audience::default(),
            waiver_notes: self
                .waiver_notes
                .map(|notes| notes.into_iter().map(ReadWaiverNote::note).collect()),
            since,
        };
        // A report that says that it lacks something lacks it, even where it does not say what.
        if !complete && report.complete() {
            let why = "it says that it is incomplete, and names nothing that may hide findings";
            return Err(ReadError::Shape(why.to_owned()));
        }
        Ok(report)
    }
}

fn all<T, U>(items: Vec<T>, read: impl Fn(T) -> Result<U, ReadError>) -> Result<Vec<U>, ReadError> {
    items.into_iter().map(read).collect()
}

fn rule_id(word: &str) -> Result<&'static str, ReadError> {
    let mut rules = RULES.iter().map(|rule| rule.id);
    rules
        .find(|id| *id == word)
        .ok_or_else(|| unknown("rule", word))
}

impl ReadAccount {
    fn account(self) -> Result<AccountSummary, ReadError> {
        let counts = self.counts;
        Ok(AccountSummary {
            id: self.id,
            alias: self.alias,
            partition: self.partition,
            regions: self.regions,
            scanned_at: time(&self.scanned_at)?,
            counts: Counts {
                users: counts.users,
                groups: counts.groups,
                roles: counts.roles,
                queues: counts.queues,
                functions: counts.functions,
                instances: counts.instances,
            },
        })
    }
}

impl ReadCoverage {
    fn coverage(self) -> Result<Coverage, ReadError> {
        let effects = [GapEffect::MayHide, GapEffect::MayOverstate];
        let gap = |gap: ReadGap| {
            Ok(AccountGap {
                account: gap.account,
                gap: Gap {
                    region: region(gap.region),
                    service: gap.service,
                    operation: gap.operation,
                    resource: gap.resource,
                    error: gap.error,
                    effect: known("effect", &gap.effect, &effects, GapEffect::as_str)?,
                    detail: gap.detail,
                },
            })
        };
        let note = |note: ReadNote| AccountNote {
            account: note.account,
            note: Note {
                region: region(note.region),
                service: note.service,
                resource: note.resource,
                detail: note.detail,
            },
        };
        let skipped = |one: ReadSkipped| SkippedService {
            account: one.account,
            service: one.service,
        };
        Ok(Coverage {
            gaps: all(self.gaps, gap)?,
            notes: self.notes.into_iter().map(note).collect(),
            skipped: self.skipped.into_iter().map(skipped).collect(),
        })
    }
}

impl ReadCause {
    fn cause(self, places: &HashMap<&str, usize>) -> Cause {
        let findings = self.findings.iter();
        Cause {
            policy: self.policy.into(),
            statement: self.statement.into(),
            principals: self.principals,
            most_queues: self.most_queues,
            findings: findings
                .filter_map(|id| places.get(id.as_str()).copied())
                .collect(),
        }
    }
}

impl ReadWaiverNote {
    fn note(self) -> WaiverNote {
        WaiverNote {
            number: self.waiver,
            is_alarm: self.alarm,
            text: self.text,
        }
    }
}

impl ReadOld {
    fn finding(self) -> OldFinding {
        let mut finding = OldFinding::named(self.id, self.rule, self.account, self.subject);
        finding.title = self.title;
        finding.region = self.region;
        finding.severity = self.severity;
        finding
    }
}

impl ReadEntity {
    fn entity(self) -> Result<Entity, ReadError> {
        entity(&self.kind, self.arn)
    }
}

fn entity(kind: &str, arn: String) -> Result<Entity, ReadError> {
    Ok(Entity::new(
        known("kind", kind, &Kind::ALL, Kind::as_str)?,
        arn,
    ))
}

fn certainty(word: &str) -> Result<Certainty, ReadError> {
    let all = [Certainty::Conditional, Certainty::Allowed];
    known("verdict", word, &all, Certainty::as_str)
}

impl ReadFinding {
    fn finding(self) -> Result<Triaged, ReadError> {
        let statuses = [Status::Open, Status::Waived];
        let changes = [Change::New, Change::Changed, Change::Unchanged];
        let principal = |one: ReadPrincipal| {
            Ok(PrincipalRef {
                entity: entity(&one.kind, one.arn)?,
                workloads: all(one.workloads, ReadEntity::entity)?,
            })
        };
        let grades = [Grade::Conditional, Grade::Permitted, Grade::Wired];
        let resource = |one: ReadResource| {
            let grade = one.grade.as_deref();
            let grade = grade.map(|word| known("grade", word, &grades, Grade::as_str));
            Ok(ResourceRef {
                certainty: certainty(&one.verdict)?,
                grade: grade.transpose()?,
                entity: entity(&one.kind, one.arn)?,
            })
        };
        let audience = self.audience.as_deref();
        let audience = audience.map_or(Ok(Audience::default()), |word| parsed("audience", word));
        Ok(Triaged {
            fingerprint: parsed::<Fingerprint>("fingerprint", &self.fingerprint)?,
            status: known("status", &self.status, &statuses, Status::as_str)?,
            waiver: self.waiver.map(ReadWaiver::waiver).transpose()?,
            change: known("change", &self.change, &changes, Change::as_str)?,
            first_seen: self.first_seen,
            audience: audience?,
            finding: Finding {
                id: self.id,
                rule: rule_id(&self.rule)?,
                severity: parsed("severity", &self.severity)?,
                title: self.title,
                detail: self.detail,
                account: self.account,
                region: self.region,
                subject: self.subject.entity()?,
                principals: all(self.principals, principal)?,
                resources: all(self.resources, resource)?.into(),
                more_resources: self.more_resources,
                certainty: certainty(&self.verdict)?,
                conditions: self.conditions,
                evidence: all(self.evidence, ReadEvidence::evidence)?.into(),
                more_evidence: self.more_evidence,
                remedy: self.remedy.summary,
            },
        })
    }
}

impl ReadEvidence {
    fn evidence(self) -> Result<Evidence, ReadError> {
        let layers = Layer::ALL.map(Layer::as_str);
        // What is configured to deliver stands in for a statement.
        let words: Vec<&'static str> = layers.into_iter().chain(["delivery"]).collect();
        Ok(Evidence {
            capability: self.capability.into(),
            resource: self.resource.into(),
            layer: known("layer", &self.layer, &words, |word| word)?,
            policy: self.policy.into(),
            statement: self.statement.into(),
            effect: known("effect", &self.effect, &["Allow", "Deny"], |word| word)?,
        })
    }
}

impl ReadWaiver {
    fn waiver(self) -> Result<WaivedBy, ReadError> {
        let standings = [
            Standing::Holds,
            Standing::Expired,
            Standing::Lapsed,
            Standing::Partial,
        ];
        Ok(WaivedBy {
            standing: known("standing", &self.standing, &standings, Standing::as_str)?,
            owner: self.owner,
            reason: self.reason,
            expires: self.expires,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    /// An example of rules that there are.
    fn real(mut report: Report) -> Report {
        report.rules_off = vec!["queue-without-consumer"];
        for triaged in &mut report.findings {
            if rule_id(triaged.rule).is_err() {
                triaged.finding.rule = "shared-role";
            }
        }
        report
    }

    fn written(report: &Report) -> Vec<u8> {
        let mut text = Vec::new();
        super::super::write(report, &mut text).unwrap();
        text
    }

    #[test]
    fn a_report_that_is_read_is_the_one_that_was_written() {
        let mut gone = OldFinding::named(
            "public-queue-0123456789ab".to_owned(),
            "public-queue".to_owned(),
            "111122223333".to_owned(),
            OldEntity {
                kind: "queue".to_owned(),
                arn: "arn:aws:sqs:eu-west-1:111122223333:q".to_owned(),
            },
        );
        gone.severity = "high".to_owned();
        gone.title = "anyone can send".to_owned();
        gone.region = "eu-west-1".to_owned();
        let mut plain = real(example::report());
        plain.since = Some(SinceBaseline {
            made_at: "2026-01-30T00:00:00Z".to_owned(),
            gone: vec![gone],
            not_covered: Vec::new(),
        });
        let hostile = real(example::hostile(&example::hostile_names()));
        for report in [plain, hostile] {
            let text = written(&report);
            let read = read(&text).unwrap();
            assert_eq!(read.findings, report.findings);
            assert_eq!(read.coverage, report.coverage);
            assert_eq!(written(&read), text);
        }
    }

    #[test]
    fn what_is_no_report_is_told_apart() {
        let good = String::from_utf8(written(&real(example::report()))).unwrap();
        for (text, why) in [
            ("[]", "invalid length 0, expected an object"),
            ("7", "invalid type: integer `7`, expected an object"),
            (
                r#"{"schema": "patscan.who-can/v1"}"#,
                "its schema is `patscan.who-can/v1`",
            ),
            (r#"{"schema": "patscan.report/v1"}"#, "missing field"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(why), "{error}");
        }
        for (old, new, what) in [
            (
                "\"rule\": \"queue-feedback-loop\"",
                "\"rule\": \"from-tomorrow\"",
                "rule",
            ),
            (
                "\"severity\": \"high\"",
                "\"severity\": \"urgent\"",
                "severity",
            ),
            ("\"layer\": \"identity\"", "\"layer\": \"moon\"", "layer"),
            ("\"kind\": \"queue\"", "\"kind\": \"river\"", "kind"),
        ] {
            let text = good.replace(old, new);
            assert_ne!(text, good, "{old}");
            let error = read(text.as_bytes()).unwrap_err();
            assert!(
                matches!(&error, ReadError::Unknown { what: told, .. } if *told == what),
                "{error}"
            );
        }
    }

    #[test]
    fn a_report_never_becomes_complete_by_losing_its_gaps() {
        let mut report: serde_json::Value =
            serde_json::from_slice(&written(&real(example::report()))).unwrap();
        assert_eq!(report["coverage"]["complete"], false);
        report["coverage"]["gaps"] = serde_json::json!([]);
        let error = read(report.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains("incomplete"), "{error}");
    }
}
