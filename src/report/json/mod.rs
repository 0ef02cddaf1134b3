//! `patscan.report/v1`: the report for programs. Types of its own, so that the contract changes on purpose only.
//!
//! The views borrow from the report and are made one at a time while writing: a report with hundreds of thousands of
//! resources is never held twice. Output is printed to terminals too, so it is escaped as [`super::text`] demands.

pub(super) mod read;
mod shared;
mod visible;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::{Serialize, Serializer};
use serde_json::ser::Formatter;
use serde_json::value::RawValue;

pub(super) use self::shared::SharedLists;
use self::visible::VisibleFormatter;
pub(super) use self::visible::VisibleLineFormatter;
use super::{AccountGap, AccountNote, AccountSummary, Coverage, Report, SkippedService};
use crate::account::Gap;
use crate::finding::{Entity, Evidence, PrincipalRef, ResourceRef};
use crate::parallel::texts_in_order;
use crate::schema;
use crate::triage::{Audience, Cause, OldFinding, SinceBaseline, Triaged, WaivedBy, WaiverNote};

const SCHEMA: &str = "patscan.report/v1";

/// Findings that are made into text at a time: the text of a few is handed on before the processor has forgotten it.
pub(super) const FINDINGS_AT_A_TIME: usize = 3;

/// Writes the report, pretty-printed, with a final newline. The findings, which are nearly all of a large one, are made into
/// text on every processor.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut frame = Vec::new();
    let view = ReportView {
        findings: Each::of(&[], FindingView::of),
        ..ReportView::of(report)
    };
    write_value(&view, &mut frame)?;
    // The list of findings comes last.
    let Some(before) = frame.strip_suffix(b"[]\n}\n") else {
        return write_value(&ReportView::of(report), out);
    };
    if report.findings.is_empty() {
        return out.write_all(&frame);
    }
    out.write_all(before)?;
    let shared = SharedLists::of(&report.findings, || VisibleFormatter::inside(3));
    let mut between: &[u8] = b"[\n";
    texts_in_order(
        &report.findings,
        FINDINGS_AT_A_TIME,
        |findings, text| items_of_list(findings, &shared, text),
        |text| {
            out.write_all(between)?;
            between = b",\n";
            out.write_all(text)
        },
    )?;
    out.write_all(b"\n  ]\n}\n")
}

/// Findings as they stand in the list of a report, between its brackets.
fn items_of_list(
    findings: &[Triaged],
    shared: &SharedLists<VisibleFormatter>,
    text: &mut Vec<u8>,
) -> io::Result<()> {
    for (place, finding) in findings.iter().enumerate() {
        if place > 0 {
            text.extend_from_slice(b",\n");
        }
        text.extend_from_slice(b"    ");
        let formatter = VisibleFormatter::inside(2);
        let mut serializer = serde_json::Serializer::with_formatter(&mut *text, formatter);
        FindingView::of(finding)
            .with(shared)
            .serialize(&mut serializer)?;
    }
    Ok(())
}

/// Writes any value as the JSON of this program: indented, safe on a terminal, one newline at the end.
pub(super) fn write_value(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut *out, VisibleFormatter::inside(0));
    value.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

/// Writes any value as one line of JSON, safe on a terminal.
pub(super) fn write_line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, VisibleLineFormatter);
    value.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

/// The JSON Schema of a report.
pub fn report_schema() -> Schema {
    schema::of_what_is_written::<ReportView<'static>>()
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Report", title = "patscan.report/v1")]
struct ReportView<'a> {
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    tool: Tool,
    generated_at: String,
    accounts: Each<'a, AccountSummary, AccountView<'a>>,
    coverage: CoverageView<'a>,
    summary: SummaryView,
    /// Only where some are.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rules_off: &'a [&'static str],
    /// Only where many findings rest on one statement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<CauseView<'a>>,
    /// Only with a file of waivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver_notes: Option<Each<'a, WaiverNote, WaiverNoteView<'a>>>,
    /// Only where an earlier report was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<BaselineView<'a>>,
    findings: Each<'a, Triaged, FindingView<'a>>,
}

#[derive(serde::Serialize, JsonSchema)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Account")]
struct AccountView<'a> {
    id: &'a str,
    alias: Option<&'a str>,
    partition: &'a str,
    regions: &'a [String],
    scanned_at: String,
    counts: CountsView,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Counts")]
struct CountsView {
    users: usize,
    groups: usize,
    roles: usize,
    queues: usize,
    functions: usize,
    instances: usize,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Coverage")]
pub(super) struct CoverageView<'a> {
    complete: bool,
    gaps: Each<'a, AccountGap, GapView<'a>>,
    notes: Each<'a, AccountNote, NoteView<'a>>,
    skipped: Each<'a, SkippedService, SkippedView<'a>>,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Gap")]
struct GapView<'a> {
    account: &'a str,
    region: &'a str,
    service: &'a str,
    operation: &'a str,
    resource: Option<&'a str>,
    error: &'a str,
    #[schemars(extend("enum" = ["may-hide", "may-overstate"]))]
    effect: &'static str,
    detail: &'a str,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Note")]
struct NoteView<'a> {
    account: &'a str,
    region: &'a str,
    service: &'a str,
    resource: Option<&'a str>,
    detail: &'a str,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Skipped")]
struct SkippedView<'a> {
    account: &'a str,
    service: &'a str,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Summary")]
struct SummaryView {
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
    info: usize,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Finding")]
pub(super) struct FindingView<'a> {
    id: &'a str,
    rule: &'static str,
    #[schemars(extend("enum" = ["critical", "high", "medium", "low", "info"]))]
    severity: &'static str,
    title: &'a str,
    detail: &'a str,
    account: &'a str,
    region: &'a str,
    subject: EntityView<'a>,
    principals: Each<'a, PrincipalRef, PrincipalView<'a>>,
    resources: Each<'a, ResourceRef, ResourceView<'a>>,
    /// Only where some are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_resources: Option<u64>,
    #[schemars(extend("enum" = ["allowed", "conditional"]))]
    verdict: &'static str,
    conditions: &'a [String],
    evidence: Each<'a, Evidence, EvidenceView<'a>>,
    /// Only where some are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_evidence: Option<u64>,
    remedy: RemedyView<'a>,
    /// Changes when what the finding rests on does.
    fingerprint: String,
    /// Only where it is not the account's own people.
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'static str>,
    #[schemars(extend("enum" = ["open", "waived"]))]
    status: &'static str,
    /// Only where a waiver is meant for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<WaiverView<'a>>,
    #[schemars(extend("enum" = ["new", "changed", "unchanged"]))]
    change: &'static str,
    /// Only where an earlier report was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<&'a str>,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Waiver")]
struct WaiverView<'a> {
    standing: &'static str,
    owner: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Cause")]
struct CauseView<'a> {
    policy: &'a str,
    statement: &'a str,
    principals: usize,
    most_queues: u64,
    findings: Vec<&'a str>,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "WaiverNote")]
struct WaiverNoteView<'a> {
    waiver: usize,
    alarm: bool,
    text: &'a str,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Baseline")]
struct BaselineView<'a> {
    generated_at: &'a str,
    gone: Each<'a, OldFinding, OldFindingView<'a>>,
    not_covered: Each<'a, OldFinding, OldFindingView<'a>>,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "OldFinding")]
struct OldFindingView<'a> {
    id: &'a str,
    rule: &'a str,
    severity: &'a str,
    title: &'a str,
    account: &'a str,
    region: &'a str,
    subject: OldEntityView<'a>,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "OldEntity")]
struct OldEntityView<'a> {
    kind: &'a str,
    arn: &'a str,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Entity")]
struct EntityView<'a> {
    kind: &'static str,
    arn: &'a str,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Principal")]
struct PrincipalView<'a> {
    kind: &'static str,
    arn: &'a str,
    workloads: Each<'a, Entity, EntityView<'a>>,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Resource")]
struct ResourceView<'a> {
    kind: &'static str,
    arn: &'a str,
    #[schemars(extend("enum" = ["allowed", "conditional"]))]
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<&'static str>,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Evidence")]
struct EvidenceView<'a> {
    capability: &'a str,
    resource: &'a str,
    layer: &'a str,
    policy: &'a str,
    statement: &'a str,
    #[schemars(extend("enum" = ["Allow", "Deny"]))]
    effect: &'static str,
}

#[derive(serde::Serialize, JsonSchema)]
#[schemars(rename = "Remedy")]
struct RemedyView<'a> {
    summary: &'a str,
    /// Only where one finding is explained.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    plan: Option<super::explain::PlanView<'a>>,
}

/// A list that is viewed item by item while it is written.
struct Each<'a, T, V> {
    items: &'a [T],
    view: fn(&'a T) -> V,
    /// What was written where the list stood before.
    written: Option<&'a RawValue>,
}

impl<'a, T, V> Each<'a, T, V> {
    fn of(items: &'a [T], view: fn(&'a T) -> V) -> Self {
        Self {
            items,
            view,
            written: None,
        }
    }
}

impl<T, V: JsonSchema> JsonSchema for Each<'_, T, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        <Vec<V>>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <Vec<V>>::json_schema(generator)
    }
}

impl<T, V: Serialize> Serialize for Each<'_, T, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.written {
            Some(written) => written.serialize(serializer),
            None => serializer.collect_seq(self.items.iter().map(self.view)),
        }
    }
}

pub(crate) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl<'a> ReportView<'a> {
    fn of(report: &'a Report) -> Self {
        let summary = report.summary();
        Self {
            schema: SCHEMA,
            tool: Tool {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
            },
            generated_at: time(report.generated_at),
            accounts: Each::of(&report.accounts, AccountView::of),
            coverage: CoverageView::of(&report.coverage),
            summary: SummaryView {
                critical: summary.critical,
                high: summary.high,
                medium: summary.medium,
                low: summary.low,
                info: summary.info,
            },
            rules_off: &report.rules_off,
            causes: report
                .causes
                .iter()
                .map(|cause| CauseView::of(cause, &report.findings))
                .collect(),
            waiver_notes: report
                .waiver_notes
                .as_deref()
                .map(|notes| Each::of(notes, WaiverNoteView::of)),
            baseline: report.since.as_ref().map(BaselineView::of),
            findings: Each::of(&report.findings, FindingView::of),
        }
    }
}

impl<'a> AccountView<'a> {
    fn of(account: &'a AccountSummary) -> Self {
        let counts = account.counts;
        Self {
            id: account.id.as_str(),
            alias: account.alias.as_deref(),
            partition: &account.partition,
            regions: &account.regions,
            scanned_at: time(account.scanned_at),
            counts: CountsView {
                users: counts.users,
                groups: counts.groups,
                roles: counts.roles,
                queues: counts.queues,
                functions: counts.functions,
                instances: counts.instances,
            },
        }
    }
}

impl<'a> CoverageView<'a> {
    pub(super) fn of(coverage: &'a Coverage) -> Self {
        Self {
            complete: coverage.complete(),
            gaps: Each::of(&coverage.gaps, GapView::of),
            notes: Each::of(&coverage.notes, NoteView::of),
            skipped: Each::of(&coverage.skipped, SkippedView::of),
        }
    }
}

impl<'a> GapView<'a> {
    fn of(AccountGap { account, gap }: &'a AccountGap) -> Self {
        let Gap {
            region,
            service,
            operation,
            resource,
            error,
            effect,
            detail,
        } = gap;
        Self {
            account: account.as_str(),
            region: region.as_deref().unwrap_or("global"),
            service,
            operation,
            resource: resource.as_deref(),
            error,
            effect: effect.as_str(),
            detail,
        }
    }
}

impl<'a> NoteView<'a> {
    fn of(AccountNote { account, note }: &'a AccountNote) -> Self {
        Self {
            account: account.as_str(),
            region: note.region.as_deref().unwrap_or("global"),
            service: &note.service,
            resource: note.resource.as_deref(),
            detail: &note.detail,
        }
    }
}

impl<'a> SkippedView<'a> {
    fn of(skipped: &'a SkippedService) -> Self {
        Self {
            account: skipped.account.as_str(),
            service: &skipped.service,
        }
    }
}

impl<'a> FindingView<'a> {
    /// The finding with its way out in full.
    pub(super) fn explained(triaged: &'a Triaged, plan: super::explain::PlanView<'a>) -> Self {
        let mut view = Self::of(triaged);
        view.remedy.plan = Some(plan);
        view
    }

    /// The same with what was written before of lists that other findings have as well.
    pub(super) fn with<F: Formatter>(mut self, shared: &'a SharedLists<F>) -> Self {
        self.resources.written = shared.resources(self.resources.items);
        self.evidence.written = shared.evidence(self.evidence.items);
        self
    }

    pub(super) fn of(triaged: &'a Triaged) -> Self {
        let finding = &triaged.finding;
        Self {
            id: &finding.id,
            rule: finding.rule,
            severity: finding.severity.as_str(),
            title: &finding.title,
            detail: &finding.detail,
            account: finding.account.as_str(),
            region: &finding.region,
            subject: EntityView::of(&finding.subject),
            principals: Each::of(&finding.principals, PrincipalView::of),
            resources: Each::of(&finding.resources, ResourceView::of),
            more_resources: (finding.more_resources > 0).then_some(finding.more_resources),
            verdict: finding.certainty.as_str(),
            conditions: &finding.conditions,
            evidence: Each::of(&finding.evidence, EvidenceView::of),
            more_evidence: (finding.more_evidence > 0).then_some(finding.more_evidence),
            remedy: RemedyView {
                summary: &finding.remedy,
                plan: None,
            },
            fingerprint: triaged.fingerprint.to_string(),
            audience: (triaged.audience != Audience::Team).then(|| triaged.audience.as_str()),
            status: triaged.status.as_str(),
            waiver: triaged.waiver.as_ref().map(WaiverView::of),
            change: triaged.change.as_str(),
            first_seen: triaged.first_seen.as_deref(),
        }
    }
}

impl<'a> WaiverView<'a> {
    fn of(waiver: &'a WaivedBy) -> Self {
        Self {
            standing: waiver.standing.as_str(),
            owner: &waiver.owner,
            reason: &waiver.reason,
            expires: waiver.expires.map(|last| last.to_string()),
        }
    }
}

impl<'a> CauseView<'a> {
    fn of(cause: &'a Cause, findings: &'a [Triaged]) -> Self {
        let places = cause.findings.iter();
        Self {
            policy: &cause.policy,
            statement: &cause.statement,
            principals: cause.principals,
            most_queues: cause.most_queues,
            findings: places
                .filter_map(|place| findings.get(*place))
                .map(|finding| finding.id.as_str())
                .collect(),
        }
    }
}

impl<'a> WaiverNoteView<'a> {
    fn of(note: &'a WaiverNote) -> Self {
        Self {
            waiver: note.number,
            alarm: note.is_alarm,
            text: &note.text,
        }
    }
}

impl<'a> BaselineView<'a> {
    fn of(since: &'a SinceBaseline) -> Self {
        Self {
            generated_at: &since.made_at,
            gone: Each::of(&since.gone, OldFindingView::of),
            not_covered: Each::of(&since.not_covered, OldFindingView::of),
        }
    }
}

impl<'a> OldFindingView<'a> {
    fn of(finding: &'a OldFinding) -> Self {
        Self {
            id: &finding.id,
            rule: &finding.rule,
            severity: &finding.severity,
            title: &finding.title,
            account: &finding.account,
            region: &finding.region,
            subject: OldEntityView {
                kind: &finding.subject.kind,
                arn: &finding.subject.arn,
            },
        }
    }
}

impl<'a> EntityView<'a> {
    fn of(entity: &'a Entity) -> Self {
        Self {
            kind: entity.kind.as_str(),
            arn: &entity.arn,
        }
    }
}

impl<'a> PrincipalView<'a> {
    fn of(principal: &'a PrincipalRef) -> Self {
        Self {
            kind: principal.entity.kind.as_str(),
            arn: &principal.entity.arn,
            workloads: Each::of(&principal.workloads, EntityView::of),
        }
    }
}

impl<'a> ResourceView<'a> {
    fn of(resource: &'a ResourceRef) -> Self {
        Self {
            kind: resource.entity.kind.as_str(),
            arn: &resource.entity.arn,
            verdict: resource.certainty.as_str(),
            grade: resource.grade.map(crate::finding::Grade::as_str),
        }
    }
}

impl<'a> EvidenceView<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        Self {
            capability: &evidence.capability,
            resource: &evidence.resource,
            layer: evidence.layer,
            policy: &evidence.policy,
            statement: &evidence.statement,
            effect: evidence.effect,
        }
    }
}
