//! The default output, for people: what was scanned, what was not, what is wrong, who sends and receives, what to do.
//!
//! A report with more findings than anybody reads becomes an overview instead, which begins with what causes them. The answers of
//! `who-can`, `explain`, `diff` and `doctor` are written with the same means.
//!
//! Findings are cards rather than table rows: at 80 columns their sentences need the width. Severity shows in words;
//! colour repeats it. What is cut says how much was cut and that JSON has it all.

mod coverage;
mod difference;
mod doctor;
mod explain;
mod finding;
mod flow;
mod known;
mod overview;
mod page;
mod who_can;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::io::{self, Write};

use chrono::{DateTime, Utc};

use self::page::{Page, Tone};
use super::name::Names;
use super::{AccountSummary, Counts, Report, Style};
use crate::finding::Severity;
use crate::triage::{Audience, Change, Status};

pub(super) use difference::write as write_difference;
pub(super) use doctor::write as write_examination;
pub(super) use explain::write as write_explanation;
pub(super) use who_can::write as write_who_can;

/// Accounts that the header shows.
const MOST_ACCOUNTS: usize = 20;
/// Regions that are listed; more are counted.
const MOST_REGIONS: usize = 4;

/// Writes the report.
pub(super) fn write(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let names = Names::of(report);
    let mut page = Page::new(out, style);
    header(report, &mut page)?;
    let meaning = "Findings may be missing: what is not reported below is not known to be fine.";
    coverage::what_may_be_missing(&report.coverage, meaning, &names, &mut page)?;
    known::waivers_in_need(report, &mut page)?;
    // An auditor wants every card, however many there are.
    let is_long = report.open().count() > overview::MOST_CARDS;
    let is_overview = is_long && report.persona == Audience::Team;
    if is_overview {
        overview::overview(report, &names, &mut page)?;
    } else {
        finding::findings(report, &names, &mut page)?;
    }
    known::accepted_and_gone(report, &mut page)?;
    if !is_overview {
        flow::flows(report, &names, &mut page)?;
    }
    coverage::what_else_to_know(&report.coverage, &names, &mut page)?;
    conclusion(report, &mut page)
}

fn header(report: &Report, page: &mut Page) -> io::Result<()> {
    for account in report.accounts.iter().take(MOST_ACCOUNTS) {
        page.title(
            &account_title(account),
            &format!("scanned {}", minute(account.scanned_at)),
        )?;
        page.row("regions", &regions(&account.regions))?;
        page.row("holds", &holds(account.counts))?;
    }
    let more = report.accounts.len().saturating_sub(MOST_ACCOUNTS);
    if more > 0 {
        page.prose(
            0,
            &format!("and {} more; `-f json` has them all", many(more, "account")),
        )?;
    }
    page.blank()
}

pub(super) fn account_title(account: &AccountSummary) -> String {
    let id = &account.id;
    let alias = account.alias.as_ref().map(|alias| format!(" ({alias})"));
    let partition = match account.partition.as_str() {
        "aws" => String::new(),
        other => format!(", partition {other}"),
    };
    format!("Account {id}{}{partition}", alias.unwrap_or_default())
}

pub(super) fn regions(regions: &[String]) -> String {
    match regions.len() {
        0 => "none".to_owned(),
        1..=MOST_REGIONS => regions.join(", "),
        number => many(number, "region"),
    }
}

pub(super) fn holds(counts: Counts) -> String {
    [
        many(counts.users, "user"),
        many(counts.groups, "group"),
        many(counts.roles, "role"),
        many(counts.queues, "queue"),
        many(counts.functions, "function"),
        many(counts.instances, "instance"),
    ]
    .join(", ")
}

fn conclusion(report: &Report, page: &mut Page) -> io::Result<()> {
    let complete = report.complete();
    if report.accounts.is_empty() {
        page.announce(
            Tone::Alarm,
            "NOTHING SCANNED",
            "There is no account in this report.",
        )?;
    } else if !complete {
        let found = if report.findings.is_empty() {
            "Nothing can be concluded from this scan: findings may be missing."
        } else {
            "There may be more findings than these."
        };
        let advice = "Mend what is listed under INCOMPLETE and scan again.";
        page.announce(Tone::Alarm, "INCOMPLETE", &format!("{found} {advice}"))?;
    } else if report.findings.is_empty() {
        page.prose(
            0,
            "No findings: everything that was asked for was read, and no rule is broken.",
        )?;
    }
    if !report.findings.is_empty() {
        tally(report, page)?;
        page.prose(
            0,
            "What a rule means and how to mend it: patscan rules RULE",
        )?;
        page.prose(
            0,
            "What is behind one finding, and what to change: patscan explain ID",
        )?;
    }
    if !report.rules_off.is_empty() {
        page.prose(
            0,
            &format!(
                "Switched off in the configuration and not checked: {}",
                report.rules_off.join(", ")
            ),
        )?;
    }
    if report.open().count() > overview::MOST_CARDS && report.persona == Audience::Team {
        page.prose(
            0,
            "Who sends to and receives from which queue: patscan graph -f html=graph.html",
        )?;
    }
    page.prose(
        0,
        "Everything in full, for programs: the same with -f json=report.json",
    )
}

/// `4 findings: 1 critical, 3 high`; an incomplete scan knows a lower bound only.
fn tally(report: &Report, page: &mut Page) -> io::Result<()> {
    let at_least = if report.complete() { "" } else { "At least " };
    let number_of = |severity| {
        let of = report.open().filter(|finding| finding.severity == severity);
        of.count()
    };
    let parts: Vec<(usize, Severity)> = Severity::ALL
        .into_iter()
        .map(|severity| (number_of(severity), severity))
        .filter(|(number, _)| *number > 0)
        .collect();
    let total = parts.iter().map(|(number, _)| number).sum();
    if total > 0 {
        let lead = format!("{at_least}{}:", many(total, "finding"));
        page.tally(&lead, &parts)?;
    }
    besides(report, page)
}

/// What is left out of the findings above.
fn besides(report: &Report, page: &mut Page) -> io::Result<()> {
    let with = |status: Status| {
        let of = report
            .findings
            .iter()
            .filter(move |one| one.status == status);
        of.partition::<Vec<_>, _>(|one| one.audience <= report.persona)
    };
    let (waived, waived_of_aws) = with(Status::Waived);
    if !waived.is_empty() {
        page.prose(
            0,
            &format!("Accepted by waivers: {}", many(waived.len(), "finding")),
        )?;
    }
    let (_, open_of_aws) = with(Status::Open);
    let hidden = open_of_aws.len() + waived_of_aws.len();
    if hidden > 0 {
        let text = format!(
            "Not shown: {} that only AWS can act on (--persona auditor shows them)",
            many(hidden, "finding")
        );
        page.prose(0, &text)?;
    }
    if let Some(since) = &report.since {
        let changed = |change| report.open().filter(|one| one.change == change).count();
        let text = format!(
            "Since {}: {} new, {} changed, {} gone",
            since.made_at,
            changed(Change::New),
            changed(Change::Changed),
            since.gone.len()
        );
        page.prose(0, &text)?;
    }
    Ok(())
}

/// `1 queue`, `2 queues`.
pub(super) fn many(number: usize, noun: impl Display) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

pub(super) fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}
