//! A report with more findings than anybody reads: how many of what, the statements that cause them, and where to begin.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

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
/// Of those the findings of one rule, where others want the room as well.
const MOST_OF_A_RULE: usize = 3;

/// What statements give on queues.
const CAPABILITIES: [&str; 5] = ["send", "receive", "delete", "purge", "administer"];

/// The overview in place of a card for each finding.
pub(super) fn overview(report: &Report, names: &Names, page: &mut Page) -> io::Result<()> {
    by_rule(report, page)?;
    let mut all: Vec<&Cause> = report.causes.iter().collect();
    all.sort_by_cached_key(|cause| weight(cause, report));
    let causes: Vec<&Cause> = all.iter().take(MOST_CAUSES).copied().collect();
    if !causes.is_empty() {
        page.heading(Tone::Plain, "One statement, many findings", "")?;
        for cause in &causes {
            one_cause(cause, report, names, page)?;
        }
        let more: Vec<&Cause> = all.into_iter().skip(MOST_CAUSES).collect();
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
        page.title(rule, &in_words(&severities))?;
    }
    page.blank()
}

/// What comes first: the graver, then what more grave findings rest on.
fn weight(cause: &Cause, report: &Report) -> impl Ord + use<> {
    let findings = || {
        cause
            .findings
            .iter()
            .filter_map(|place| report.findings.get(*place))
    };
    let gravest = findings().map(|finding| finding.severity).max();
    let grave = findings().filter(|finding| Some(finding.severity) == gravest);
    (
        Reverse(gravest),
        Reverse(grave.count()),
        Reverse(cause.findings.len()),
        Arc::clone(&cause.policy),
        Arc::clone(&cause.statement),
    )
}

fn one_cause(cause: &Cause, report: &Report, names: &Names, page: &mut Page) -> io::Result<()> {
    let mut symptoms: Vec<&Triaged> = cause
        .findings
        .iter()
        .filter_map(|place| report.findings.get(*place))
        .collect();
    // What is wrong with the policy itself comes first: mending it is the way to be rid of the others.
    symptoms.sort_by_key(|finding| (!is_about(finding, cause), urgency(finding)));
    let mut severities: BTreeMap<Reverse<Severity>, usize> = BTreeMap::new();
    for finding in &symptoms {
        *severities.entry(Reverse(finding.severity)).or_default() += 1;
    }
    page.title(&names.policy(&cause.policy), &in_words(&severities))?;
    let reach = format!(
        "{} under statement {}: {}, up to {}",
        many(cause.findings.len(), "finding"),
        cause.statement,
        many(cause.principals, "principal"),
        many(
            usize::try_from(cause.most_queues).unwrap_or(usize::MAX),
            "queue"
        ),
    );
    page.prose(2, &reach)?;
    let Some(first) = symptoms.first() else {
        return Ok(());
    };
    if is_about(first, cause) {
        page.row("fix", &first.remedy)?;
    } else {
        page.row("fix", &narrowing(cause, &symptoms))?;
    }
    page.row("begin", &format!("patscan explain {}", first.id))
}

/// What to do about a statement that no finding of its own is about.
fn narrowing(cause: &Cause, symptoms: &[&Triaged]) -> String {
    let evidence = symptoms.iter().flat_map(|finding| finding.evidence.iter());
    let given: BTreeSet<&str> = evidence
        .filter(|one| one.policy == cause.policy && one.statement == cause.statement)
        .map(|one| &*one.capability)
        .filter(|capability| CAPABILITIES.contains(capability))
        .collect();
    match given.into_iter().collect::<Vec<_>>().as_slice() {
        [] => "Name in it only who needs it, and only what each needs.".to_owned(),
        [only] => format!("It lets all of them {only}: name in it only those that have to."),
        [start @ .., last] => format!(
            "It lets all of them {} and {last}: give each only what its side needs.",
            start.join(", ")
        ),
    }
}

/// `2 high, 1 low`.
fn in_words(severities: &BTreeMap<Reverse<Severity>, usize>) -> String {
    let parts: Vec<String> = severities
        .iter()
        .map(|(Reverse(severity), number)| format!("{number} {severity}"))
        .collect();
    parts.join(", ")
}

/// Whether a finding is about the policy itself, and about nothing else.
fn is_about(finding: &Triaged, cause: &Cause) -> bool {
    // An inline policy belongs to its principal, which is the subject then.
    (finding.subject.arn == cause.policy || finding.rule == "overbroad-wildcard")
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
    let shown = first_of_each_rule(&singles);
    for finding in &shown {
        page.title(&names.full(&finding.subject), finding.severity.as_str())?;
        page.prose(2, &finding.title)?;
        page.row("id", &finding.id)?;
    }
    let more = singles.len().saturating_sub(shown.len());
    if more > 0 {
        let text = format!("and {more} more; `-f json` has them all, --persona auditor shows more");
        page.prose(0, &text)?;
    }
    page.blank()
}

/// The findings that are shown, in their order: few of each rule, and more only where there is room.
fn first_of_each_rule<'f>(singles: &[&'f Triaged]) -> Vec<&'f Triaged> {
    let mut of_rule: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut first, mut others) = (Vec::new(), Vec::new());
    for (place, finding) in singles.iter().enumerate() {
        let number = of_rule.entry(finding.rule).or_default();
        *number += 1;
        if *number > MOST_OF_A_RULE {
            others.push(place);
        } else {
            first.push(place);
        }
    }
    let mut places: Vec<usize> = first.into_iter().chain(others).take(MOST_SINGLE).collect();
    places.sort_unstable();
    let shown = places.into_iter().filter_map(|place| singles.get(place));
    shown.copied().collect()
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
