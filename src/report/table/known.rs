//! What is known of findings: waivers that need care, what is accepted, and what is gone since an earlier report.

use std::io;

use super::many;
use super::page::{Page, Tone};
use crate::report::Report;
use crate::triage::{Change, OldFinding, Standing, Status, Triaged, WaivedBy};

/// Entries of one list that are shown; the rest is counted.
const MOST_ENTRIES: usize = 20;

/// Waivers that no longer do what was meant come before the findings that they leave open.
pub(super) fn waivers_in_need(report: &Report, page: &mut Page) -> io::Result<()> {
    let mut alarms = report
        .waiver_notes
        .iter()
        .flatten()
        .filter(|note| note.is_alarm)
        .peekable();
    if alarms.peek().is_none() {
        return Ok(());
    }
    page.heading(Tone::Alarm, "WAIVERS", " · some no longer hold")?;
    for note in alarms {
        page.prose(0, &format!("{}: {}.", note.number, note.text))?;
    }
    page.blank()
}

/// What is accepted, what else to know of waivers, and what is gone.
pub(super) fn accepted_and_gone(report: &Report, page: &mut Page) -> io::Result<()> {
    let waived: Vec<&Triaged> = report
        .findings
        .iter()
        .filter(|finding| finding.status == Status::Waived && finding.audience <= report.persona)
        .collect();
    if !waived.is_empty() {
        let rest = format!(" · {}", many(waived.len(), "finding"));
        page.heading(Tone::Plain, "WAIVED", &rest)?;
        page.listed(&waived, MOST_ENTRIES, |finding, page| {
            page.title(&finding.id, finding.severity.as_str())?;
            match &finding.waiver {
                Some(by) => page.prose(2, &acceptance(by)),
                None => Ok(()),
            }
        })?;
        page.blank()?;
    }
    let notes: Vec<_> = report
        .waiver_notes
        .iter()
        .flatten()
        .filter(|note| !note.is_alarm)
        .collect();
    if !notes.is_empty() {
        page.heading(Tone::Plain, "Waivers", "")?;
        page.listed(&notes, MOST_ENTRIES, |note, page| {
            page.prose(0, &format!("{}: {}.", note.number, note.text))
        })?;
        page.blank()?;
    }
    let Some(since) = &report.since else {
        return Ok(());
    };
    let lists = [
        (&since.gone, "GONE", "These are no more:"),
        (
            &since.not_covered,
            "NOT LOOKED AT",
            "This scan could not have found these again:",
        ),
    ];
    for (findings, word, why) in lists {
        if !findings.is_empty() {
            let rest = format!(" · {}", many(findings.len(), "finding"));
            page.heading(Tone::Plain, word, &rest)?;
            page.prose(0, why)?;
            page.listed(findings, MOST_ENTRIES, old)?;
            page.blank()?;
        }
    }
    Ok(())
}

fn old(finding: &OldFinding, page: &mut Page) -> io::Result<()> {
    page.title(&finding.id, &finding.severity)?;
    page.prose(2, &finding.title)
}

/// Until when, by whom and why a finding is accepted.
fn acceptance(by: &WaivedBy) -> String {
    let until = match by.expires {
        Some(last) => format!("until {last}"),
        None => "for good".to_owned(),
    };
    format!("{until}, {}: {}", by.owner, by.reason)
}

/// What the waiver of a finding comes to, where it has one.
pub(super) fn waiver(finding: &Triaged, page: &mut Page) -> io::Result<()> {
    match &finding.waiver {
        Some(waiver) if waiver.standing == Standing::Holds => {
            page.row("waived", &acceptance(waiver))
        }
        Some(waiver) => no_longer(waiver, page),
        None => Ok(()),
    }
}

/// Why a waiver that is meant for a finding does not hold.
fn no_longer(waiver: &WaivedBy, page: &mut Page) -> io::Result<()> {
    let what = match waiver.standing {
        Standing::Holds => return Ok(()),
        Standing::Expired => match waiver.expires {
            Some(last) => format!("expired on {last}"),
            None => "expired".to_owned(),
        },
        Standing::Lapsed => "lapsed: the policies behind this changed".to_owned(),
        Standing::Partial => "meant for some of the queues only".to_owned(),
    };
    page.row("waiver", &format!("{what} (owner {})", waiver.owner))
}

/// What a card says of its finding besides the finding itself.
pub(super) fn of(finding: &Triaged, page: &mut Page) -> io::Result<()> {
    if let Some(waiver) = &finding.waiver {
        no_longer(waiver, page)?;
    }
    let Some(first_seen) = &finding.first_seen else {
        return Ok(());
    };
    let day = first_seen.split('T').next().unwrap_or(first_seen);
    match finding.change {
        Change::New => page.row("since", "new"),
        Change::Changed => page.row("since", &format!("{day}, changed since the baseline")),
        Change::Unchanged => page.row("since", day),
    }
}
