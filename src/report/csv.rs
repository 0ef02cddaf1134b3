//! Findings for spreadsheets: a row for each finding and resource, and one for a finding without resources.
//!
//! A spreadsheet runs what begins like a formula, so that such a cell begins with an apostrophe. Columns are a contract: new
//! ones come last.

use std::io::{self, Write};

use super::{Report, json, sanitise};
use crate::finding::{Grade, ResourceRef};
use crate::triage::{Triaged, WaivedBy};

/// Principals in a cell; more are counted. They stand in every row of a finding, and a spreadsheet cuts long cells.
const MOST_PRINCIPALS: usize = 20;

const COLUMNS: [&str; 29] = [
    "account",
    "region",
    "id",
    "rule",
    "severity",
    "status",
    "change",
    "title",
    "subject_kind",
    "subject_arn",
    "principal_arns",
    "more_principals",
    "resource_kind",
    "resource_arn",
    "resource_verdict",
    "grade",
    "more_resources",
    "verdict",
    "conditions",
    "remedy",
    "first_seen",
    "waiver_standing",
    "waiver_owner",
    "waiver_reason",
    "waiver_expires",
    "audience",
    "fingerprint",
    "scanned_at",
    "complete",
];

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record(COLUMNS).map_err(into_io)?;
    let complete = if report.complete() { "true" } else { "false" };
    for finding in &report.findings {
        if finding.resources.is_empty() {
            let row = row(report, finding, None, complete);
            rows.write_record(&row).map_err(into_io)?;
        }
        for resource in finding.resources.iter() {
            let row = row(report, finding, Some(resource), complete);
            rows.write_record(&row).map_err(into_io)?;
        }
    }
    rows.flush()
}

/// The error of the writer below, so that a broken pipe stays one.
fn into_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

fn row(
    report: &Report,
    finding: &Triaged,
    resource: Option<&ResourceRef>,
    complete: &str,
) -> [String; COLUMNS.len()] {
    let principals: Vec<&str> = finding
        .principals
        .iter()
        .take(MOST_PRINCIPALS)
        .map(|principal| &*principal.entity.arn)
        .collect();
    let more_principals = finding.principals.len() - principals.len();
    let of_resource = |say: fn(&ResourceRef) -> &str| resource.map_or("", say);
    let waiver = finding.waiver.as_ref();
    let of_waiver = |say: fn(&WaivedBy) -> &str| waiver.map_or("", say);
    let expires = waiver.and_then(|waiver| waiver.expires);
    [
        finding.account.as_str(),
        &finding.region,
        &finding.id,
        finding.rule,
        finding.severity.as_str(),
        finding.status.as_str(),
        finding.change.as_str(),
        &finding.title,
        finding.subject.kind.as_str(),
        &finding.subject.arn,
        &principals.join("; "),
        &more_principals.to_string(),
        of_resource(|resource| resource.entity.kind.as_str()),
        of_resource(|resource| &resource.entity.arn),
        of_resource(|resource| resource.certainty.as_str()),
        of_resource(|resource| resource.grade.map_or("", Grade::as_str)),
        &finding.more_resources.to_string(),
        finding.certainty.as_str(),
        &finding.conditions.join("; "),
        &finding.remedy,
        finding.first_seen.as_deref().unwrap_or_default(),
        of_waiver(|waiver| waiver.standing.as_str()),
        of_waiver(|waiver| &waiver.owner),
        of_waiver(|waiver| &waiver.reason),
        &expires.map_or_else(String::new, |last| last.to_string()),
        finding.audience.as_str(),
        &finding.fingerprint.to_string(),
        &report
            .scanned_at(&finding.account)
            .map_or_else(String::new, json::time),
        complete,
    ]
    .map(cell)
}

/// Text that no spreadsheet takes for a formula, with hidden characters made visible.
fn cell(text: &str) -> String {
    let visible = sanitise(text);
    // East Asian editions of spreadsheets take the wide forms as well.
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) {
        format!("'{visible}")
    } else {
        visible.into_owned()
    }
}

#[cfg(test)]
mod tests;
