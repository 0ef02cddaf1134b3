//! `patscan.finding/v1`: one finding a line, each with all that a table in a data lake needs to know of its scan.
//!
//! A line is the finding of the JSON report, in the same words, after when its account was scanned and whether everything
//! could be read.

use std::io::{self, Write};

use serde::Serialize;

use super::Report;
use super::json::{self, FINDINGS_AT_A_TIME, FindingView, SharedLists, VisibleLineFormatter};
use crate::parallel::texts_in_order;
use crate::triage::Triaged;

const SCHEMA: &str = "patscan.finding/v1";

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    /// Of the account that the finding is in.
    scanned_at: Option<String>,
    /// Whether nothing was left unread, in any account, that could hide a finding.
    complete: bool,
    #[serde(flatten)]
    finding: FindingView<'a>,
}

/// One finding as its line has it.
///
/// # Errors
/// None that a finding can bring about: it has no map with keys other than texts.
pub(super) fn value(report: &Report, finding: &Triaged) -> serde_json::Result<serde_json::Value> {
    serde_json::to_value(Line::of(report, report.complete(), finding))
}

impl<'a> Line<'a> {
    fn of(report: &Report, complete: bool, finding: &'a Triaged) -> Self {
        Self {
            schema: SCHEMA,
            scanned_at: report.scanned_at(&finding.account).map(json::time),
            complete,
            finding: FindingView::of(finding),
        }
    }
}

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let complete = report.complete();
    let shared = SharedLists::of(&report.findings, || VisibleLineFormatter);
    let lines = |findings: &[Triaged], text: &mut Vec<u8>| {
        findings.iter().try_for_each(|finding| {
            let mut line = Line::of(report, complete, finding);
            line.finding = line.finding.with(&shared);
            json::write_line(&line, text)
        })
    };
    texts_in_order(&report.findings, FINDINGS_AT_A_TIME, lines, |text| {
        out.write_all(text)
    })
}

#[cfg(test)]
mod tests;
