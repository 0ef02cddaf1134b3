//! Findings as cards under the heading of their severity.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use super::super::name::Names;
use super::page::{Page, Tone};
use super::{known, many};
use crate::finding::{Certainty, Entity, Finding, Grade, Kind, ResourceRef, Severity};
use crate::report::Report;
use crate::triage::Triaged;

/// Findings of one rule and severity that are shown; the rest is counted.
const MOST_FINDINGS: usize = 20;
const MOST_NAMES: usize = 5;
const MOST_CONDITIONS: usize = 5;

/// Every severity that has findings, the gravest first.
pub(super) fn findings(report: &Report, names: &Names, page: &mut Page) -> io::Result<()> {
    for severity in Severity::ALL {
        let mut rules: BTreeMap<&str, Vec<&Triaged>> = BTreeMap::new();
        for finding in report.open() {
            if finding.severity == severity {
                rules.entry(finding.rule).or_default().push(finding);
            }
        }
        if rules.is_empty() {
            continue;
        }
        let word = severity.as_str().to_uppercase();
        let number = rules.values().map(Vec::len).sum();
        let rest = format!(" · {}", many(number, "finding"));
        page.heading(Tone::Severity(severity), &word, &rest)?;
        for (rule, findings) in rules {
            for finding in findings.iter().take(MOST_FINDINGS) {
                card(finding, names, page)?;
                page.blank()?;
            }
            let more = findings.len().saturating_sub(MOST_FINDINGS);
            if more > 0 {
                page.prose(
                    0,
                    &format!("… and {more} more of {rule} ({severity}); `-f json` has them all"),
                )?;
                page.blank()?;
            }
        }
    }
    Ok(())
}

fn card(finding: &Triaged, names: &Names, page: &mut Page) -> io::Result<()> {
    page.title(&names.full(&finding.subject), finding.rule)?;
    // The heading has said which account this is about.
    let names = &Names::within(&finding.account);
    let what = if finding.title.is_empty() {
        &finding.detail
    } else {
        &finding.title
    };
    page.prose(2, what)?;
    resources(finding, names, page)?;
    held_by(finding, names, page)?;
    used_by(finding, names, page)?;
    conditions(finding, page)?;
    if !finding.remedy.is_empty() {
        page.row("fix", &finding.remedy)?;
    }
    known::of(finding, page)?;
    page.row("id", &finding.id)
}

fn resources(finding: &Finding, names: &Names, page: &mut Page) -> io::Result<()> {
    let mut gravest_first: Vec<&ResourceRef> = finding.resources.iter().collect();
    gravest_first.sort_by_key(|one| Reverse((one.grade, one.certainty)));
    if let [only] = gravest_first.as_slice()
        && only.entity == finding.subject
        && remark(only).is_none()
    {
        return Ok(());
    }
    let all_queues = gravest_first
        .iter()
        .all(|one| one.entity.kind == Kind::Queue);
    let label = match (all_queues, gravest_first.len()) {
        (false, _) => "on",
        (true, 1) => "queue",
        (true, _) => "queues",
    };
    let besides = finding.more_resources;
    page.list_of(label, &gravest_first, besides, MOST_NAMES, |one| {
        let name = if all_queues {
            names.bare(&one.entity)
        } else {
            names.full(&one.entity)
        };
        match remark(one) {
            Some(remark) => format!("{name} ({remark})"),
            None => name,
        }
    })
}

/// What sets a resource apart; being permitted is what one expects of it.
fn remark(resource: &ResourceRef) -> Option<&'static str> {
    match (resource.grade, resource.certainty) {
        (Some(Grade::Wired), _) => Some(Grade::Wired.as_str()),
        (Some(Grade::Conditional), _) | (None, Certainty::Conditional) => {
            Some(Certainty::Conditional.as_str())
        }
        (Some(Grade::Permitted), _) | (None, Certainty::Allowed) => None,
    }
}

fn held_by(finding: &Finding, names: &Names, page: &mut Page) -> io::Result<()> {
    let others: Vec<&Entity> = finding
        .principals
        .iter()
        .map(|principal| &principal.entity)
        .filter(|holder| **holder != finding.subject)
        .collect();
    page.list("held by", &others, MOST_NAMES, |holder| names.full(holder))
}

fn used_by(finding: &Finding, names: &Names, page: &mut Page) -> io::Result<()> {
    let mut workloads: Vec<&Entity> = finding
        .principals
        .iter()
        .flat_map(|principal| &principal.workloads)
        .collect();
    workloads.sort();
    workloads.dedup();
    page.list("used by", &workloads, MOST_NAMES, |one| names.full(one))
}

fn conditions(finding: &Finding, page: &mut Page) -> io::Result<()> {
    if finding.certainty == Certainty::Allowed && finding.conditions.is_empty() {
        return Ok(());
    }
    if finding.conditions.is_empty() {
        return page.row("only if", "conditions hold that are not known at scan time");
    }
    for (number, condition) in finding.conditions.iter().take(MOST_CONDITIONS).enumerate() {
        page.row(if number == 0 { "only if" } else { "and" }, condition)?;
    }
    let more = finding.conditions.len().saturating_sub(MOST_CONDITIONS);
    if more > 0 {
        page.row("and", &format!("{more} more"))?;
    }
    Ok(())
}
