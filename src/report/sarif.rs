//! SARIF 2.1.0, for GitHub code scanning and whatever else shows the findings of analysers.
//!
//! One run for all accounts: GitHub refuses a file in which two runs are of one tool and category. Findings are about things in
//! AWS and not about files, but readers want a file for each: it is `aws/<account>/<region>/<service>/<name>.json`, always the
//! same for the same thing, and the logical location beside it has the ARN. Findings that are gone are not in the file: a
//! reader that knows nothing of `absent` would open them again.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::interchange::{Part, moment, name, service, telling, things};
use super::json::{time, write_value};
use super::{AccountGap, AccountNote, Report, SkippedService, Written, sanitise};
use crate::account::GapEffect;
use crate::finding::{Entity, Severity};
use crate::rules::{RULES, Rule};
use crate::triage::{Change, Status, Triaged, WaivedBy};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Results that GitHub takes of a run.
const MOST_RESULTS: usize = 25_000;

/// Tags that GitHub takes of a rule; it keeps the first 10, so those of the page come before those of the catalogues.
const MOST_TAGS: usize = 20;

/// Other things that a result names; the JSON report has all of them.
const MOST_RELATED: usize = 10;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<Written> {
    let view = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run::of(report)],
    };
    write_value(&view, out)?;
    Ok(Written {
        left_out: report.findings.len().saturating_sub(MOST_RESULTS),
    })
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    automation_details: AutomationDetails,
    invocations: [Invocation<'a>; 1],
    column_kind: &'static str,
    results: Vec<SarifResult<'a>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

/// What keeps the alerts of two uploads apart.
#[derive(Serialize)]
struct AutomationDetails {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Text,
    full_description: Text,
    help: Help,
    default_configuration: Configuration,
    properties: RuleProperties,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: &'static str,
    markdown: &'static str,
}

#[derive(Serialize)]
struct Configuration {
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
}

#[derive(Serialize)]
struct RuleProperties {
    tags: Vec<String>,
    precision: &'static str,
    #[serde(rename = "security-severity")]
    security_severity: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation<'a> {
    execution_successful: bool,
    end_time_utc: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rule_configuration_overrides: Vec<Override<'a>>,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Override<'a> {
    descriptor: Reference<'a>,
    configuration: Configuration,
}

#[derive(Serialize)]
struct Reference<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Notification {
    descriptor: Reference<'static>,
    level: &'static str,
    message: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    kind: &'static str,
    level: &'static str,
    message: Text,
    locations: [Location<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'a>>,
    partial_fingerprints: Fingerprints<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
    /// All results have some or none has: where one is suppressed, the others say that they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressions: Option<Vec<Suppression>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Provenance>,
    properties: ResultProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    #[serde(rename = "physicalLocation")]
    physical: PhysicalLocation,
    #[serde(rename = "logicalLocations")]
    logical: [LogicalLocation<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation<'a> {
    name: &'a str,
    fully_qualified_name: &'a str,
    kind: &'static str,
}

/// By what a result is known again: our own, and the one that GitHub goes by.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fingerprints<'a> {
    #[serde(rename = "patscanFindingId/v1")]
    finding: &'a str,
    primary_location_line_hash: String,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Provenance {
    first_detection_time_utc: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultProperties<'a> {
    severity: &'static str,
    verdict: &'static str,
    audience: &'static str,
    account: &'a str,
    region: &'a str,
    fingerprint: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    conditions: &'a [String],
}

impl<'a> Run<'a> {
    fn of(report: &'a Report) -> Self {
        let findings = report.findings.get(..MOST_RESULTS);
        let findings = findings.unwrap_or(&report.findings);
        let some_suppressed = findings.iter().any(|one| one.status == Status::Waived);
        Self {
            tool: Tool {
                driver: Driver {
                    name: env!("CARGO_PKG_NAME"),
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: RULES.iter().filter_map(Descriptor::of).collect(),
                },
            },
            automation_details: AutomationDetails::of(report),
            invocations: [Invocation::of(report)],
            column_kind: "unicodeCodePoints",
            results: findings
                .iter()
                .map(|finding| SarifResult::of(finding, report.since.is_some(), some_suppressed))
                .collect(),
        }
    }
}

impl AutomationDetails {
    /// What stands before the last slash is the category: an account that is uploaded by itself never closes alerts of another.
    fn of(report: &Report) -> Self {
        let whose = match report.accounts.as_slice() {
            [only] => only.id.as_str(),
            _ => "accounts",
        };
        Self {
            id: format!("{}/{whose}/", env!("CARGO_PKG_NAME")),
        }
    }
}

impl Descriptor {
    fn of(rule: &Rule) -> Option<Self> {
        let front = rule.front_matter()?;
        let page = rule.text();
        let mut paragraphs = page.split("\n\n").map(str::trim);
        let meaning = paragraphs.find(|text| !text.starts_with('#'));
        let own = front.tags.iter().map(|tag| (*tag).to_owned());
        let controls = front
            .controls
            .iter()
            .flat_map(|(catalogue, ids)| ids.iter().map(move |id| format!("{catalogue}/{id}")));
        Some(Self {
            id: rule.id,
            short_description: Text {
                text: front.title.to_owned(),
            },
            full_description: Text {
                text: meaning.unwrap_or(front.title).replace('\n', " "),
            },
            help: Help {
                text: page,
                markdown: page,
            },
            default_configuration: Configuration {
                enabled: None,
                level: Some(level(front.severity)),
            },
            properties: RuleProperties {
                // Only what has this tag is shown with its security severity.
                tags: std::iter::once("security".to_owned())
                    .chain(own)
                    .chain(controls)
                    .take(MOST_TAGS)
                    .collect(),
                precision: "high",
                security_severity: security_severity(front.severity),
            },
        })
    }
}

fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "0.0",
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

impl<'a> Invocation<'a> {
    fn of(report: &'a Report) -> Self {
        let coverage = &report.coverage;
        let gaps = coverage.gaps.iter().map(Notification::gap);
        let notes = coverage.notes.iter().map(Notification::note);
        let skipped = coverage.skipped.iter().map(Notification::skipped);
        let off = report.rules_off.iter();
        Self {
            execution_successful: report.complete(),
            end_time_utc: time(report.generated_at),
            rule_configuration_overrides: off
                .map(|rule| Override {
                    descriptor: Reference { id: rule },
                    configuration: Configuration {
                        enabled: Some(false),
                        level: None,
                    },
                })
                .collect(),
            tool_execution_notifications: gaps.chain(notes).chain(skipped).collect(),
        }
    }
}

impl Notification {
    fn new(id: &'static str, level: &'static str, text: &str) -> Self {
        Self {
            descriptor: Reference { id },
            level,
            message: Text { text: plain(text) },
        }
    }

    fn gap(AccountGap { account, gap }: &AccountGap) -> Self {
        let mut text = format!("account {account}: {}:{}", gap.service, gap.operation);
        // Writing to a `String` cannot fail.
        if let Some(region) = &gap.region {
            let _ = write!(text, " in {region}");
        }
        if let Some(resource) = &gap.resource {
            let _ = write!(text, " of {resource}");
        }
        let _ = write!(text, " failed ({}): {}", gap.error, gap.detail);
        match gap.effect {
            GapEffect::MayHide => Self::new("may-hide", "error", &text),
            GapEffect::MayOverstate => Self::new("may-overstate", "warning", &text),
        }
    }

    fn note(AccountNote { account, note }: &AccountNote) -> Self {
        let what = note.resource.as_deref().unwrap_or(&note.service);
        let text = format!("account {account}: {what}: {}", note.detail);
        Self::new("note", "note", &text)
    }

    fn skipped(SkippedService { account, service }: &SkippedService) -> Self {
        let text = format!("account {account}: {service} was left out on request");
        Self::new("skipped", "note", &text)
    }
}

impl<'a> SarifResult<'a> {
    fn of(triaged: &'a Triaged, compared: bool, some_suppressed: bool) -> Self {
        let finding = &triaged.finding;
        let account = finding.account.as_str();
        let text = [&finding.title, &finding.detail, &finding.remedy];
        let text = text.map(String::as_str);
        let text: Vec<&str> = text.into_iter().filter(|text| !text.is_empty()).collect();
        let related = things(finding).into_iter().skip(1).take(MOST_RELATED);
        Self {
            rule_id: finding.rule,
            rule_index: RULES.iter().position(|rule| rule.id == finding.rule),
            kind: "fail",
            level: level(finding.severity),
            message: Text {
                text: plain(&text.join("\n\n")),
            },
            locations: [Location::of(account, &finding.region, &finding.subject)],
            related_locations: related
                .enumerate()
                .map(|(number, (part, entity))| {
                    let region = super::interchange::region(&entity.arn).unwrap_or("global");
                    Location {
                        id: Some(number + 1),
                        message: Some(Text {
                            text: match part {
                                Part::Principal => "principal".to_owned(),
                                Part::Subject | Part::Resource => "resource".to_owned(),
                            },
                        }),
                        ..Location::of(account, region, entity)
                    }
                })
                .collect(),
            partial_fingerprints: Fingerprints {
                finding: &finding.id,
                primary_location_line_hash: format!("{}:1", finding.id),
            },
            baseline_state: compared.then_some(match triaged.change {
                Change::New => "new",
                Change::Changed => "updated",
                Change::Unchanged => "unchanged",
            }),
            suppressions: some_suppressed.then(|| {
                let accepted = triaged.status == Status::Waived;
                let waiver = triaged.waiver.as_ref().filter(|_| accepted);
                waiver.map(Suppression::of).into_iter().collect()
            }),
            provenance: triaged
                .first_seen
                .as_deref()
                .and_then(moment)
                .map(|seen| Provenance {
                    first_detection_time_utc: time(seen),
                }),
            properties: ResultProperties {
                severity: finding.severity.as_str(),
                verdict: finding.certainty.as_str(),
                audience: triaged.audience.as_str(),
                account,
                region: &finding.region,
                fingerprint: triaged.fingerprint.to_string(),
                conditions: &finding.conditions,
            },
        }
    }
}

impl Suppression {
    fn of(waiver: &WaivedBy) -> Self {
        let until = waiver
            .expires
            .map_or_else(String::new, |last| format!(" (until {last})"));
        let text = format!("{}: {}{until}", waiver.owner, waiver.reason);
        Self {
            kind: "external",
            status: "accepted",
            justification: sanitise(&text).into_owned(),
        }
    }
}

impl<'a> Location<'a> {
    fn of(account: &str, region: &str, entity: &'a Entity) -> Self {
        let arn = &*entity.arn;
        let service = service(arn).unwrap_or(entity.kind.as_str());
        let parts = [account, region, service, name(arn)].map(segment);
        Self {
            id: None,
            physical: PhysicalLocation {
                artifact_location: ArtifactLocation {
                    uri: format!("aws/{}.json", parts.join("/")),
                },
                region: Region { start_line: 1 },
            },
            logical: [LogicalLocation {
                name: name(arn),
                fully_qualified_name: telling([arn]),
                kind: "resource",
            }],
            message: None,
        }
    }
}

/// One segment of a path: every other character in percent-encoding, and never empty, `.` or `..`.
fn segment(text: &str) -> String {
    if text.is_empty() {
        return "_".to_owned();
    }
    let dots = text.bytes().all(|byte| byte == b'.');
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && !dots) {
            segment.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// A message in which nothing is a link or a placeholder, whatever names are in it: SARIF reads `[text](target)` and `{0}` in
/// plain text as well. Other texts stay as they are.
fn plain(text: &str) -> String {
    let mut text = sanitise_lines(text);
    if text.contains("](") {
        text = text.replace('\\', "\\\\");
        text = text.replace('[', "\\[").replace(']', "\\]");
    }
    let mut parts = text.split('{').skip(1);
    let placeholder = parts.any(|part| {
        let (number, rest) = part.split_at(part.find('}').unwrap_or(0));
        !rest.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    if placeholder {
        text = text.replace('{', "{{").replace('}', "}}");
    }
    text
}

/// Text with visible characters only, in its lines.
fn sanitise_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(sanitise).collect();
    lines.join("\n")
}
