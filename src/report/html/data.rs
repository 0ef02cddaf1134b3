//! What the script knows.
//!
//! Two kinds of data, so that a page of a hundred thousand findings opens at once: columns of everything that is searched, sorted
//! and filtered by, read when the page opens; and, in pieces, the rest of each finding, read when one is opened. Texts that
//! repeat are kept once and named by their place.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::super::Report;
use super::super::markup::write_data;
use super::super::name::Names;
use super::super::sanitise;
use super::interned::{Interned, InternedNames, NameOf, ShownNames};
use crate::finding::{Certainty, Entity, Evidence, Grade, Severity};
use crate::rules::RULES;
use crate::triage::{Change, Status, Triaged};

/// Findings in a piece: few enough to be read in a blink, many enough that texts repeat.
const PIECE: usize = 200;

/// Everything but the pieces. Of the columns each has a place for every finding.
#[derive(Serialize)]
struct Index<'d> {
    piece: usize,
    severities: [&'static str; 5],
    /// Kinds: the word that stands for each, and how sentences have it.
    kinds: &'d [(&'static str, &'static str)],
    names: ShownNames<'d>,
    /// Ids and what they mean.
    rules: Vec<(&'static str, &'static str)>,
    accounts: Vec<(String, String)>,
    regions: Vec<String>,
    causes: Vec<CauseData>,
    /// Whether an earlier report was compared with.
    compared: bool,
    id: Vec<String>,
    title: Vec<String>,
    severity: Vec<u8>,
    rule: Vec<usize>,
    account: Vec<usize>,
    region: Vec<usize>,
    state: Vec<u8>,
    change: Vec<u8>,
    conditional: Vec<u8>,
    /// The statement that the finding rests on with many others; -1 where there is none.
    cause: Vec<i64>,
    subject: Vec<Named>,
    /// The names that a search finds it by.
    found_by: Vec<Vec<usize>>,
}

#[derive(Serialize)]
struct CauseData {
    policy: String,
    statement: String,
}

/// A thing: the places of its kind and of its name.
type Named = (usize, usize);

/// The rest of some findings, and the texts that only these have.
#[derive(Serialize)]
struct Piece<'d> {
    texts: Vec<String>,
    findings: &'d [Rest],
}

#[derive(Serialize)]
struct Rest {
    detail: usize,
    remedy: usize,
    conditions: Vec<usize>,
    /// Who holds the access, with what runs as it.
    principals: Vec<(usize, usize, Vec<Named>)>,
    /// Kind, name, whether only under conditions, grade.
    resources: Vec<(usize, usize, u8, u8)>,
    more_resources: u64,
    statements: Vec<StatementData>,
    more_evidence: u64,
    fingerprint: String,
    waiver: Option<WaiverData>,
    first_seen: Option<String>,
}

/// A statement with everything that it gives.
#[derive(Serialize)]
struct StatementData {
    policy: usize,
    statement: usize,
    layer: &'static str,
    effect: &'static str,
    /// What it gives, and on which names.
    gives: Vec<(usize, Vec<usize>)>,
}

#[derive(Serialize)]
struct WaiverData {
    standing: &'static str,
    owner: String,
    reason: String,
    expires: Option<String>,
}

/// The data of a page, to be written.
pub(super) struct Data<'a> {
    report: &'a Report,
    labels: &'a Names<'a>,
    kinds: Vec<(&'static str, &'static str)>,
    names: InternedNames<'a>,
}

impl<'a> Data<'a> {
    pub(super) fn of(report: &'a Report, labels: &'a Names<'a>) -> Self {
        Self {
            report,
            labels,
            kinds: Vec::new(),
            names: InternedNames::default(),
        }
    }

    /// Writes the pieces as they are made, then what ties them together.
    pub(super) fn write(mut self, out: &mut dyn Write) -> io::Result<()> {
        let report = self.report;
        let mut found_by = Vec::with_capacity(report.findings.len());
        let mut subjects = Vec::with_capacity(report.findings.len());
        for (number, findings) in report.findings.chunks(PIECE).enumerate() {
            let mut texts = Interned::default();
            let mut all = Vec::with_capacity(findings.len());
            for finding in findings {
                subjects.push(self.entity(&finding.subject));
                let rest = self.rest(finding, &mut texts);
                found_by.push(names_of(subjects.last(), &rest));
                all.push(rest);
            }
            write!(
                out,
                "<script id=\"piece-{number}\" type=\"application/json\">"
            )?;
            let piece = Piece {
                texts: texts.shown(),
                findings: &all,
            };
            write_data(&piece, out)?;
            writeln!(out, "</script>")?;
        }
        write!(out, "<script id=\"data\" type=\"application/json\">")?;
        write_data(&self.index(subjects, found_by), out)?;
        writeln!(out, "</script>")
    }

    fn kind(&mut self, entity: &Entity) -> usize {
        let kind = (entity.kind.as_str(), entity.kind.words());
        let known = self.kinds.iter().position(|known| *known == kind);
        known.unwrap_or_else(|| {
            self.kinds.push(kind);
            self.kinds.len() - 1
        })
    }

    fn entity(&mut self, entity: &'a Entity) -> Named {
        let kind = self.kind(entity);
        let labels = self.labels;
        let name = self
            .names
            .place(NameOf::Thing, &entity.arn, || labels.bare(entity));
        (kind, name)
    }

    fn rest(&mut self, triaged: &'a Triaged, texts: &mut Interned<'a>) -> Rest {
        let finding = &triaged.finding;
        let principals = finding.principals.iter().map(|holder| {
            let (kind, name) = self.entity(&holder.entity);
            let workloads = holder.workloads.iter();
            let workloads = workloads.map(|workload| self.entity(workload)).collect();
            (kind, name, workloads)
        });
        let principals = principals.collect();
        let resources = finding.resources.iter().map(|resource| {
            let (kind, name) = self.entity(&resource.entity);
            let grade = match resource.grade {
                None => 0,
                Some(Grade::Conditional) => 1,
                Some(Grade::Permitted) => 2,
                Some(Grade::Wired) => 3,
            };
            (kind, name, conditional(resource.certainty), grade)
        });
        let resources = resources.collect();
        Rest {
            detail: texts.place(&finding.detail),
            remedy: texts.place(&finding.remedy),
            conditions: finding
                .conditions
                .iter()
                .map(|condition| texts.place(condition))
                .collect(),
            principals,
            resources,
            more_resources: finding.more_resources,
            statements: self.statements(&finding.evidence, texts),
            more_evidence: finding.more_evidence,
            fingerprint: triaged.fingerprint.to_string(),
            waiver: triaged.waiver.as_ref().map(|waiver| WaiverData {
                standing: waiver.standing.as_str(),
                owner: sanitise(&waiver.owner).into_owned(),
                reason: sanitise(&waiver.reason).into_owned(),
                expires: waiver.expires.map(|last| last.to_string()),
            }),
            first_seen: triaged
                .first_seen
                .as_deref()
                .map(|time| sanitise(time).into_owned()),
        }
    }

    /// The evidence, each statement once, in the order in which it is first named.
    fn statements(
        &mut self,
        evidence: &'a [Evidence],
        texts: &mut Interned<'a>,
    ) -> Vec<StatementData> {
        let labels = self.labels;
        let mut places: BTreeMap<_, usize> = BTreeMap::new();
        let mut statements: Vec<StatementData> = Vec::new();
        for one in evidence {
            let key = (&one.policy, &one.statement, one.layer, one.effect);
            let place = *places.entry(key).or_insert_with(|| {
                statements.push(StatementData {
                    policy: if one.layer == "delivery" {
                        // What delivers stands in the place of a policy.
                        let label = || labels.resource(&one.policy);
                        self.names.place(NameOf::Thing, &one.policy, label)
                    } else {
                        let label = || labels.policy(&one.policy);
                        self.names.place(NameOf::Policy, &one.policy, label)
                    },
                    statement: texts.place(&one.statement),
                    layer: one.layer,
                    effect: one.effect,
                    gives: Vec::new(),
                });
                statements.len() - 1
            });
            let capability = texts.place(&one.capability);
            let resource = self.names.place(NameOf::Thing, &one.resource, || {
                labels.resource(&one.resource)
            });
            let Some(statement) = statements.get_mut(place) else {
                continue;
            };
            let mut known = statement.gives.iter_mut();
            match known.find(|(known, _)| *known == capability) {
                Some((_, resources)) => resources.push(resource),
                None => statement.gives.push((capability, vec![resource])),
            }
        }
        statements
    }

    fn index(&self, subject: Vec<Named>, found_by: Vec<Vec<usize>>) -> Index<'_> {
        let report = self.report;
        let findings = &report.findings;
        let mut ids = Interned::default();
        let rule = findings.iter().map(|one| ids.place(one.rule)).collect();
        let mut accounts = Interned::default();
        let account = findings.iter();
        let account = account.map(|one| accounts.place(one.account.as_str()));
        let account = account.collect();
        let mut regions = Interned::default();
        let region = findings.iter().map(|one| regions.place(&one.region));
        let region = region.collect();
        let mut cause = vec![-1; findings.len()];
        for (number, one) in (0..).zip(&report.causes) {
            for place in &one.findings {
                if let Some(cause) = cause.get_mut(*place) {
                    *cause = number;
                }
            }
        }
        let alias = |id: &str| {
            let mut known = report.accounts.iter();
            let known = known.find(|account| account.id.as_str() == id);
            let alias = known.and_then(|account| account.alias.as_deref());
            sanitise(alias.unwrap_or_default()).into_owned()
        };
        let title_of = |id: &str| {
            let mut rules = RULES.iter();
            rules.find(|rule| rule.id == id)
        };
        Index {
            piece: PIECE,
            severities: Severity::ALL.map(Severity::as_str),
            kinds: &self.kinds,
            names: self.names.shown(),
            rules: rules_of(findings)
                .into_iter()
                .map(|id| (id, title_of(id).map_or("", |rule| rule.title())))
                .collect(),
            accounts: accounts
                .shown()
                .into_iter()
                .map(|id| {
                    let alias = alias(&id);
                    (id, alias)
                })
                .collect(),
            regions: regions.shown(),
            causes: report
                .causes
                .iter()
                .map(|cause| CauseData {
                    policy: sanitise(&self.labels.policy(&cause.policy)).into_owned(),
                    statement: sanitise(&cause.statement).into_owned(),
                })
                .collect(),
            compared: report.since.is_some(),
            id: findings
                .iter()
                .map(|one| sanitise(&one.id).into_owned())
                .collect(),
            title: findings
                .iter()
                .map(|one| sanitise(&one.title).into_owned())
                .collect(),
            severity: findings.iter().map(severity).collect(),
            rule,
            account,
            region,
            state: findings.iter().map(|one| state(report, one)).collect(),
            change: findings.iter().map(change).collect(),
            conditional: findings
                .iter()
                .map(|one| conditional(one.certainty))
                .collect(),
            cause,
            subject,
            found_by,
        }
    }
}

/// The ids of the rules that have findings, in the order in which they are first met.
pub(super) fn rules_of(findings: &[Triaged]) -> Vec<&'static str> {
    let mut seen: Vec<&'static str> = Vec::new();
    for finding in findings {
        if !seen.contains(&finding.rule) {
            seen.push(finding.rule);
        }
    }
    seen
}

fn names_of(subject: Option<&Named>, rest: &Rest) -> Vec<usize> {
    let workloads =
        |workloads: &[Named]| -> Vec<usize> { workloads.iter().map(|(_, name)| *name).collect() };
    let subject = subject.iter().map(|(_, name)| *name);
    let mut names: Vec<usize> = subject
        .chain(rest.resources.iter().map(|one| one.1))
        .chain(rest.principals.iter().flat_map(|(_, name, below)| {
            let mut names = workloads(below);
            names.push(*name);
            names
        }))
        .chain(rest.statements.iter().map(|statement| statement.policy))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn conditional(certainty: Certainty) -> u8 {
    u8::from(certainty == Certainty::Conditional)
}

/// The place among all severities.
fn severity(finding: &Triaged) -> u8 {
    let place = Severity::ALL.iter().zip(0..);
    let mut place = place.filter(|(severity, _)| **severity == finding.severity);
    place.next().map_or(0, |(_, place)| place)
}

/// 0 open, 1 waived, 2 not for whom the report is made.
fn state(report: &Report, finding: &Triaged) -> u8 {
    match finding.status {
        _ if finding.audience > report.persona => 2,
        Status::Open => 0,
        Status::Waived => 1,
    }
}

fn change(finding: &Triaged) -> u8 {
    match finding.change {
        Change::New => 0,
        Change::Changed => 1,
        Change::Unchanged => 2,
    }
}
