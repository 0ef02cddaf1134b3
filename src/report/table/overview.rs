//! A report with more findings than anybody reads: how many of what, the statements that cause them, and where to begin.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use super::super::name::Names;
use super::many;
use super::page::{Page, Tone};
use crate::finding::{Certainty, Grade, Severity};
use crate::report::Report;
use crate::triage::{Cause, Triaged};

/// With more open findings than this the report is an overview.
pub(super) const MOST_CARDS: usize = 40;
/// Statements that are shown.
const MOST_CAUSES: usize = 6;
/// Findings that no shown statement explains, and that are shown all the same.
const MOST_SINGLE: usize = 10;
/// Findings that are named under a statement.
const MOST_SYMPTOMS: usize = 3;

/// The overview in place of a card for each finding.
pub(super) fn overview(report: &Report, names: &Names, page: &mut Page) -> io::Result<()> {
    by_rule(report, page)?;
    let causes: Vec<&Cause> = report.causes.iter().take(MOST_CAUSES).collect();
    if !causes.is_empty() {
        page.heading(Tone::Plain, "One statement, many findings", "")?;
        for cause in &causes {
            one_cause(cause, report, names, page)?;
        }
        let more: Vec<&Cause> = report.causes.iter().skip(MOST_CAUSES).collect();
        if !more.is_empty() {
            let findings: usize = more.iter().map(|cause| cause.findings.len()).sum();
            let text = format!(
                "and {} with {}; `-f json` has them under `causes`",
                many(more.len(), "statement"),
                many(findings, "finding")
            );
            page.prose(0, &text)?;
        }
        page.blank()?;
    }
    singles(report, &causes, names, page)
}

/// How many findings of each rule there are, by severity.
fn by_rule(report: &Report, page: &mut Page) -> io::Result<()> {
    let mut numbers: BTreeMap<&str, BTreeMap<Reverse<Severity>, usize>> = BTreeMap::new();
    for finding in report.open() {
        let of_rule = numbers.entry(finding.rule).or_default();
        *of_rule.entry(Reverse(finding.severity)).or_default() += 1;
    }
    let total: usize = numbers.values().flat_map(BTreeMap::values).sum();
    let rest = format!(" · {}", many(total, "finding"));
    page.heading(Tone::Plain, "OVERVIEW", &rest)?;
    let mut rules: Vec<_> = numbers.into_iter().collect();
    rules.sort_by(|a, b| a.1.first_key_value().cmp(&b.1.first_key_value()));
    for (rule, severities) in rules {
        let parts: Vec<String> = severities
            .iter()
            .map(|(Reverse(severity), number)| format!("{number} {severity}"))
            .collect();
        page.title(rule, &parts.join(", "))?;
    }
    page.blank()
}

fn one_cause(cause: &Cause, report: &Report, names: &Names, page: &mut Page) -> io::Result<()> {
    let number = many(cause.findings.len(), "finding");
    page.title(&names.policy(&cause.policy), &number)?;
    let reach = format!(
        "statement {} reaches {} and up to {}",
        cause.statement,
        many(cause.principals, "principal"),
        many(
            usize::try_from(cause.most_queues).unwrap_or(usize::MAX),
            "queue"
        ),
    );
    page.prose(2, &reach)?;
    let mut symptoms: Vec<&Triaged> = cause
        .findings
        .iter()
        .filter_map(|place| report.findings.get(*place))
        .collect();
    // What is wrong with the policy itself comes first: mending it is the way to be rid of the others.
    symptoms.sort_by_key(|finding| (!is_about(finding, cause), urgency(finding)));
    if let Some(own) = symptoms.first().filter(|own| is_about(own, cause)) {
        page.row("fix", &own.remedy)?;
    }
    let shown: Vec<String> = symptoms
        .iter()
        .take(MOST_SYMPTOMS)
        .map(|finding| finding.id.clone())
        .collect();
    let more = symptoms.len().saturating_sub(MOST_SYMPTOMS);
    page.list_of("such as", &shown, more as u64, MOST_SYMPTOMS, String::clone)
}

/// Whether a finding is about the policy itself, and about nothing else.
fn is_about(finding: &Triaged, cause: &Cause) -> bool {
    finding.subject.arn == cause.policy
        && finding
            .evidence
            .iter()
            .all(|one| one.policy == cause.policy)
}

/// Findings that no statement above explains, where one would begin.
fn singles(report: &Report, causes: &[&Cause], names: &Names, page: &mut Page) -> io::Result<()> {
    let mut explained = vec![false; report.findings.len()];
    for place in causes.iter().flat_map(|cause| &cause.findings) {
        if let Some(explained) = explained.get_mut(*place) {
            *explained = true;
        }
    }
    let mut singles: Vec<&Triaged> = report
        .findings
        .iter()
        .zip(explained)
        .filter(|(finding, explained)| !explained && report.is_open(finding))
        .map(|(finding, _)| finding)
        .collect();
    if singles.is_empty() {
        return Ok(());
    }
    singles.sort_by_key(|finding| urgency(finding));
    let rest = format!(" · {}", many(singles.len(), "finding"));
    page.heading(Tone::Plain, "On their own, the most urgent first", &rest)?;
    for finding in singles.iter().take(MOST_SINGLE) {
        page.title(&names.full(&finding.subject), finding.severity.as_str())?;
        page.prose(2, &finding.title)?;
        page.row("id", &finding.id)?;
    }
    let more = singles.len().saturating_sub(MOST_SINGLE);
    if more > 0 {
        let text = format!("and {more} more; `-f json` has them all, --persona auditor shows more");
        page.prose(0, &text)?;
    }
    page.blank()
}

/// What a team would look at first: grave before less grave, running before possible, meant narrowly before meant for everything.
fn urgency(finding: &Triaged) -> impl Ord + use<> {
    let wired = finding
        .resources
        .iter()
        .any(|one| one.grade == Some(Grade::Wired));
    let runs = finding
        .principals
        .iter()
        .any(|holder| !holder.workloads.is_empty());
    (
        Reverse(finding.severity),
        !wired,
        finding.certainty == Certainty::Conditional,
        !runs,
        finding.resources.len() as u64 + finding.more_resources,
        finding.id.clone(),
    )
}
