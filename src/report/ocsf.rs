//! OCSF 1.6.0, for data lakes and whatever else gathers security events: each finding is an event.
//!
//! The class is Compliance Finding or, on request, Detection Finding; both with the profile `cloud`. A finding is created where
//! it is new, updated where the baseline has it, and closed where this run would have found it again and did not.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::interchange::{Pages, Part, moment, name, partition, region, scanned_at, things};
use super::json::{write_line, write_value};
use super::{AccountSummary, Report, sanitise};
use crate::finding::{Certainty, Entity, Evidence, Finding, Severity};
use crate::triage::{Change, OldFinding, Status, Triaged};

const VERSION: &str = "1.6.0";
const FINDINGS: u32 = 2;

/// The rules whose findings are loops of messages.
const LOOPS: [&str; 3] = ["assumable-loop", "message-cycle", "queue-feedback-loop"];

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ocsf {
    /// What the events are.
    pub class: OcsfClass,
    /// Whether each event has a line of its own, instead of a place in one array.
    pub lines: bool,
}

/// A class of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OcsfClass {
    /// Compliance Finding, 2003.
    #[default]
    Compliance,
    /// Detection Finding, 2004.
    Detection,
}

impl OcsfClass {
    /// Every class, the default first.
    pub const ALL: [Self; 2] = [Self::Compliance, Self::Detection];

    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compliance => "compliance",
            Self::Detection => "detection",
        }
    }

    fn uid(self) -> u32 {
        match self {
            Self::Compliance => 2003,
            Self::Detection => 2004,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Compliance => "Compliance Finding",
            Self::Detection => "Detection Finding",
        }
    }
}

/// A word that names no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no OCSF class `{0}`; choose `compliance` or `detection`")]
pub struct UnknownOcsfClass(String);

impl FromStr for OcsfClass {
    type Err = UnknownOcsfClass;
    fn from_str(word: &str) -> Result<Self, UnknownOcsfClass> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == word)
            .ok_or_else(|| UnknownOcsfClass(sanitise(word).into_owned()))
    }
}

impl fmt::Display for OcsfClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub(super) fn write(report: &Report, how: Ocsf, out: &mut impl Write) -> io::Result<()> {
    let events = Events {
        report,
        class: how.class,
        pages: Pages::read(),
    };
    let gone = report.since.iter().flat_map(|since| &since.gone);
    let found = report.findings.iter().map(|finding| events.found(finding));
    let all = found.chain(gone.map(|finding| events.gone(finding)));
    if how.lines {
        for event in all {
            write_line(&event, out)?;
        }
    } else {
        write_value(&all.collect::<Vec<_>>(), out)?;
    }
    Ok(())
}

/// What all events of a report share.
struct Events<'a> {
    report: &'a Report,
    class: OcsfClass,
    pages: Pages,
}

#[derive(Serialize)]
struct Event<'a> {
    activity_id: u32,
    activity_name: &'static str,
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    type_uid: u32,
    type_name: String,
    /// When the account was scanned.
    time: i64,
    severity_id: u32,
    severity: String,
    status_id: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<&'static str>,
    message: String,
    metadata: Metadata<'a>,
    cloud: Cloud<'a>,
    finding_info: FindingInfo<'a>,
    /// Of the class for compliance only.
    #[serde(skip_serializing_if = "Option::is_none")]
    compliance: Option<Compliance>,
    resources: Vec<Resource<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidences: Vec<EvidenceItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation: Option<Remediation>,
    unmapped: Unmapped<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    product: Product,
    profiles: [&'static str; 1],
    /// The rule.
    event_code: &'a str,
    /// When the report was made.
    logged_time: i64,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Cloud<'a> {
    provider: &'static str,
    account: CloudAccount<'a>,
    region: &'a str,
    #[serde(rename = "cloud_partition", skip_serializing_if = "Option::is_none")]
    partition: Option<&'a str>,
}

#[derive(Serialize)]
struct CloudAccount<'a> {
    uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    type_id: u32,
    r#type: &'static str,
}

#[derive(Serialize)]
struct FindingInfo<'a> {
    uid: &'a str,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    desc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen_time: Option<i64>,
    /// Not of what is gone: this run did not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_time: Option<i64>,
    analytic: Analytic<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    types: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attacks: Vec<Attack>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attack_graph: Option<Graph<'a>>,
}

#[derive(Serialize)]
struct Analytic<'a> {
    uid: &'a str,
    name: &'a str,
    type_id: u32,
    r#type: &'static str,
    version: &'static str,
}

/// What MITRE ATT&CK calls what the finding opens the way to.
#[derive(Serialize)]
struct Attack {
    technique: Technique,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_technique: Option<Technique>,
}

#[derive(Serialize)]
struct Technique {
    uid: &'static str,
}

#[derive(Serialize)]
struct Graph<'a> {
    uid: &'a str,
    desc: String,
    is_directed: bool,
    nodes: Vec<Node<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edges: Vec<Edge<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    uid: &'a str,
    name: &'a str,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Edge<'a> {
    name: &'static str,
    source: &'a str,
    target: &'a str,
    is_directed: bool,
}

#[derive(Serialize)]
struct Compliance {
    status_id: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    standards: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requirements: Vec<String>,
}

#[derive(Serialize)]
struct Resource<'a> {
    uid: &'a str,
    name: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_partition: Option<&'a str>,
    role_id: u32,
    role: &'static str,
}

#[derive(Serialize)]
struct EvidenceItem<'a> {
    data: EvidenceData<'a>,
}

#[derive(Serialize)]
struct EvidenceData<'a> {
    capability: &'a str,
    resource: &'a str,
    layer: &'a str,
    policy: &'a str,
    statement: &'a str,
    effect: &'a str,
}

#[derive(Serialize)]
struct Remediation {
    desc: String,
}

/// What OCSF has no place for.
#[derive(Default, Serialize)]
struct Unmapped<'a> {
    /// Whether nothing in the scan was left unread that could hide findings.
    coverage_complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    conditions: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_resources: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_evidence: Option<u64>,
}

/// What happened to a finding.
#[derive(Clone, Copy)]
enum Activity {
    Create,
    Update,
    Close,
}

impl Activity {
    fn id(self) -> u32 {
        match self {
            Self::Create => 1,
            Self::Update => 2,
            Self::Close => 3,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Close => "Close",
        }
    }
}

/// What an event says of a finding whether it is there or gone.
struct Known<'a> {
    id: &'a str,
    rule: &'a str,
    title: &'a str,
    severity: Option<Severity>,
    account: &'a str,
    region: &'a str,
    first_seen: Option<&'a str>,
}

impl<'a> Events<'a> {
    fn found(&self, triaged: &'a Triaged) -> Event<'a> {
        let finding = &triaged.finding;
        let activity = match triaged.change {
            Change::New => Activity::Create,
            Change::Changed | Change::Unchanged => Activity::Update,
        };
        let known = Known {
            id: &finding.id,
            rule: finding.rule,
            title: &finding.title,
            severity: Some(finding.severity),
            account: finding.account.as_str(),
            region: &finding.region,
            first_seen: triaged.first_seen.as_deref(),
        };
        let mut event = self.event(activity, &known);
        let (confidence_id, confidence, status) = match finding.certainty {
            Certainty::Allowed => (3, "High", (3, "Fail")),
            // Whether the conditions hold is the information that is missing.
            Certainty::Conditional => (2, "Medium", (2, "Warning")),
        };
        event.confidence_id = Some(confidence_id);
        event.confidence = Some(confidence);
        event.compliance = self.compliance(finding.rule, status);
        (event.status_id, event.status) = match triaged.status {
            Status::Open => (1, "New"),
            Status::Waived => (3, "Suppressed"),
        };
        let waiver = triaged.waiver.as_ref();
        event.status_detail = waiver
            .filter(|_| triaged.status == Status::Waived)
            .map(|waiver| visible(&format!("{}: {}", waiver.owner, waiver.reason)));
        event.finding_info.desc = Some(visible(&finding.detail));
        event.finding_info.last_seen_time = Some(event.time);
        event.finding_info.attack_graph = attack_graph(finding);
        event.resources = things(finding)
            .into_iter()
            .map(|(part, entity)| Resource::of(part, &entity.arn, entity.kind.as_str()))
            .collect();
        event.evidences = finding.evidence.iter().map(EvidenceItem::of).collect();
        event.remediation = Some(Remediation {
            desc: visible(&finding.remedy),
        });
        event.unmapped = Unmapped {
            verdict: Some(finding.certainty.as_str()),
            conditions: &finding.conditions,
            fingerprint: Some(triaged.fingerprint.to_string()),
            audience: Some(triaged.audience.as_str()),
            change: Some(triaged.change.as_str()),
            more_resources: (finding.more_resources > 0).then_some(finding.more_resources),
            more_evidence: (finding.more_evidence > 0).then_some(finding.more_evidence),
            ..event.unmapped
        };
        event
    }

    fn gone(&self, finding: &'a OldFinding) -> Event<'a> {
        let known = Known {
            id: &finding.id,
            rule: &finding.rule,
            title: &finding.title,
            severity: finding.severity.parse().ok(),
            account: &finding.account,
            region: &finding.region,
            first_seen: finding.first_seen.as_deref(),
        };
        let mut event = self.event(Activity::Close, &known);
        (event.status_id, event.status) = (4, "Resolved");
        event.compliance = self.compliance(&finding.rule, (1, "Pass"));
        let subject = &finding.subject;
        event.resources = vec![Resource::of(Part::Subject, &subject.arn, &subject.kind)];
        event
    }

    fn event(&self, activity: Activity, known: &Known<'a>) -> Event<'a> {
        let class = self.class;
        let type_uid = class.uid() * 100 + activity.id();
        let (severity_id, severity) = match known.severity {
            None => (0, "Unknown"),
            Some(Severity::Info) => (1, "Informational"),
            Some(Severity::Low) => (2, "Low"),
            Some(Severity::Medium) => (3, "Medium"),
            Some(Severity::High) => (4, "High"),
            Some(Severity::Critical) => (5, "Critical"),
        };
        let first_seen = known.first_seen.and_then(moment).map(millis);
        Event {
            activity_id: activity.id(),
            activity_name: activity.name(),
            category_uid: FINDINGS,
            category_name: "Findings",
            class_uid: class.uid(),
            class_name: class.name(),
            type_uid,
            type_name: format!("{}: {}", class.name(), activity.name()),
            time: millis(scanned_at(self.report, known.account)),
            severity_id,
            severity: severity.to_owned(),
            status_id: 0,
            status: "Unknown",
            status_detail: None,
            confidence_id: None,
            confidence: None,
            message: visible(known.title),
            metadata: Metadata {
                version: VERSION,
                product: Product {
                    name: env!("CARGO_PKG_NAME"),
                    vendor_name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                },
                profiles: ["cloud"],
                event_code: known.rule,
                logged_time: millis(self.report.generated_at),
            },
            cloud: self.cloud(known),
            finding_info: FindingInfo {
                uid: known.id,
                title: visible(known.title),
                desc: None,
                created_time: first_seen,
                first_seen_time: first_seen,
                last_seen_time: None,
                analytic: Analytic {
                    uid: known.rule,
                    name: self
                        .pages
                        .of(known.rule)
                        .map_or(known.rule, |page| page.title),
                    type_id: 1,
                    r#type: "Rule",
                    version: env!("CARGO_PKG_VERSION"),
                },
                types: self
                    .pages
                    .of(known.rule)
                    .map_or_else(Vec::new, |page| page.tags.clone()),
                attacks: self.attacks(known.rule),
                attack_graph: None,
            },
            compliance: None,
            resources: Vec::new(),
            evidences: Vec::new(),
            remediation: None,
            unmapped: Unmapped {
                coverage_complete: self.report.complete(),
                ..Unmapped::default()
            },
        }
    }

    fn cloud(&self, known: &Known<'a>) -> Cloud<'a> {
        let mut accounts = self.report.accounts.iter();
        let account = accounts.find(|account| account.id.as_str() == known.account);
        Cloud {
            provider: "AWS",
            account: CloudAccount {
                uid: known.account,
                name: account.and_then(|account: &AccountSummary| account.alias.as_deref()),
                type_id: 10,
                r#type: "AWS Account",
            },
            region: known.region,
            partition: account.map(|account| account.partition.as_str()),
        }
    }

    fn compliance(
        &self,
        rule: &str,
        (status_id, status): (u32, &'static str),
    ) -> Option<Compliance> {
        if self.class != OcsfClass::Compliance {
            return None;
        }
        let (requirements, mut standards): (Vec<_>, Vec<_>) =
            self.pages.requirements(rule).into_iter().unzip();
        standards.dedup();
        // A control of Security Hub where there is one that checks the same; else the rule is the control.
        let control = self.pages.controls(rule, "security-hub").first();
        Some(Compliance {
            status_id,
            status,
            control: Some(control.map_or(rule, |id| *id).to_owned()),
            standards,
            requirements,
        })
    }

    fn attacks(&self, rule: &str) -> Vec<Attack> {
        let ids = self.pages.controls(rule, "mitre-attack").iter();
        ids.map(|id| {
            let technique = id.split_once('.').map_or(*id, |(technique, _)| technique);
            Attack {
                technique: Technique { uid: technique },
                sub_technique: id.contains('.').then_some(Technique { uid: id }),
            }
        })
        .collect()
    }
}

/// The loop that a finding is. Where one principal is both sides of each queue, it goes from it into the queue and back; a circle
/// over several is told in words, because a finding does not say which of its principals takes which step.
fn attack_graph(finding: &Finding) -> Option<Graph<'_>> {
    if !LOOPS.contains(&finding.rule) {
        return None;
    }
    let things = things(finding);
    let subject = &*finding.subject.arn;
    let by_itself = finding
        .principals
        .iter()
        .any(|one| one.entity == finding.subject);
    let edge = |name, source, target| Edge {
        name,
        source,
        target,
        is_directed: true,
    };
    let queues = things.iter().filter(|(part, _)| *part == Part::Resource);
    let edges = queues.filter(|_| by_itself).flat_map(|(_, queue)| {
        let queue = &*queue.arn;
        [
            edge("sends to", subject, queue),
            edge("received by", queue, subject),
        ]
    });
    Some(Graph {
        uid: &finding.id,
        desc: visible(&finding.detail),
        is_directed: true,
        edges: edges.collect(),
        nodes: things
            .iter()
            .filter(|(_, entity)| !entity.arn.is_empty())
            .map(|(_, entity)| Node::of(entity))
            .collect(),
    })
}

impl<'a> Node<'a> {
    fn of(entity: &'a Entity) -> Self {
        Self {
            uid: &entity.arn,
            name: name(&entity.arn),
            r#type: entity.kind.as_str(),
        }
    }
}

impl<'a> Resource<'a> {
    fn of(part: Part, arn: &'a str, kind: &'a str) -> Self {
        let (role_id, role) = match part {
            Part::Subject => (1, "Target"),
            Part::Principal => (2, "Actor"),
            Part::Resource => (3, "Affected"),
        };
        Self {
            uid: arn,
            name: name(arn),
            r#type: kind,
            region: region(arn),
            cloud_partition: partition(arn),
            role_id,
            role,
        }
    }
}

impl<'a> EvidenceItem<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        Self {
            data: EvidenceData {
                capability: &evidence.capability,
                resource: &evidence.resource,
                layer: evidence.layer,
                policy: &evidence.policy,
                statement: &evidence.statement,
                effect: evidence.effect,
            },
        }
    }
}

fn visible(text: &str) -> String {
    sanitise(text).into_owned()
}

fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}
