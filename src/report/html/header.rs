//! What one sees first: what was scanned, what could not be read, how much was found.

use std::io::{self, Write};

use super::super::table::{account_title, holds, many, minute, regions};
use super::super::{AccountSummary, Report};
use super::{MOST_ENTRIES, and_more, grouped, text};
use crate::account::GapEffect;
use crate::finding::Severity;
use crate::triage::{Change, Status};

/// Writes the head of the page.
pub(super) fn header(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<header>\n<h1>patscan</h1>")?;
    scanned(report, out)?;
    warnings(report, out)?;
    severities(report, out)?;
    known(report, out)?;
    writeln!(out, "</header>")
}

fn scanned(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let line = |account: &AccountSummary| {
        format!(
            "<b>{}</b>, scanned {} <span class=\"quiet\">{}; {}</span>",
            text(&account_title(account)),
            minute(account.scanned_at),
            text(&regions(&account.regions)),
            holds(account.counts)
        )
    };
    match report.accounts.as_slice() {
        [only] => writeln!(out, "<p class=\"scanned\">{}</p>", line(only)),
        accounts => {
            writeln!(
                out,
                "<details class=\"scanned\"><summary><b>{}</b>, report made {}</summary>\n<ul>",
                many(accounts.len(), "account"),
                minute(report.generated_at)
            )?;
            for account in accounts.iter().take(MOST_ENTRIES) {
                writeln!(out, "<li>{}</li>", line(account))?;
            }
            writeln!(
                out,
                "{}</ul></details>",
                and_more(accounts.len(), MOST_ENTRIES)
            )
        }
    }
}

/// What nobody may overlook.
fn warnings(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.accounts.is_empty() {
        writeln!(
            out,
            "<p class=\"alarm\"><b>Nothing was scanned.</b> There is no account in this report.</p>"
        )?;
    }
    let hiding = with_effect(report, GapEffect::MayHide);
    if hiding > 0 {
        writeln!(
            out,
            "<p class=\"alarm\"><b>Incomplete.</b> {} failed, so findings may be missing: what is not listed here is not \
             proved to be fine. <a href=\"#gaps\">What could not be read</a></p>",
            many(hiding, "read")
        )?;
    }
    let alarms = report.waiver_notes.iter().flatten();
    let alarms = alarms.filter(|note| note.is_alarm).count();
    if alarms > 0 {
        writeln!(
            out,
            "<p class=\"alarm\"><b>{}</b> no longer what was meant. <a href=\"#known\">Which, and why</a></p>",
            if alarms == 1 {
                "One waiver does".to_owned()
            } else {
                format!("{alarms} waivers do")
            }
        )?;
    }
    Ok(())
}

fn with_effect(report: &Report, effect: GapEffect) -> usize {
    let gaps = report.coverage.gaps.iter();
    gaps.filter(|missing| missing.gap.effect == effect).count()
}

fn severities(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut numbers = [0_usize; Severity::ALL.len()];
    for finding in report.open() {
        for (severity, number) in Severity::ALL.iter().zip(&mut numbers) {
            *number += usize::from(*severity == finding.severity);
        }
    }
    writeln!(
        out,
        "<div class=\"tiles\" role=\"group\" aria-label=\"Open findings by severity\">"
    )?;
    for (place, (severity, number)) in Severity::ALL.iter().zip(numbers).enumerate() {
        writeln!(
            out,
            "<button type=\"button\" class=\"tile {severity}\" data-severity=\"{place}\" aria-pressed=\"false\"><b>{}</b> {severity}</button>",
            grouped(number)
        )?;
    }
    writeln!(out, "</div>")
}

fn known(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut facts = Vec::new();
    let least = if report.complete() { "" } else { "at least " };
    facts.push(format!(
        "{least}{} open",
        many(report.open().count(), "finding")
    ));
    let ours = report.findings.iter();
    let waived = ours.filter(|one| one.status == Status::Waived && one.audience <= report.persona);
    match waived.count() {
        0 => {}
        number => facts.push(format!("{number} accepted by waivers")),
    }
    let of_aws = report.findings.iter();
    match of_aws.filter(|one| one.audience > report.persona).count() {
        0 => {}
        number => facts.push(format!("{number} that only AWS can act on")),
    }
    if let Some(since) = &report.since {
        let changed = |change| report.open().filter(|one| one.change == change).count();
        facts.push(format!(
            "since {}: {} new, {} changed, {} gone",
            text(&since.made_at),
            changed(Change::New),
            changed(Change::Changed),
            since.gone.len()
        ));
    }
    if !report.rules_off.is_empty() {
        facts.push(format!(
            "switched off and not checked: {}",
            report.rules_off.join(", ")
        ));
    }
    if with_effect(report, GapEffect::MayOverstate) > 0 {
        facts.push("access can only be smaller than shown, see <a href=\"#gaps\">what could not be read</a>".to_owned());
    }
    writeln!(out, "<p class=\"facts\">{}</p>", facts.join(" · "))
}
