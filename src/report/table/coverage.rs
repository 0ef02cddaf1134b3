//! What the scan did not read: loud at the top when a finding may be missing, brief at the end when nothing can be.

use std::io;

use super::super::name::Names;
use super::many;
use super::page::{Page, Tone};
use crate::account::{Gap, GapEffect};
use crate::report::{AccountGap, Coverage};

/// Failed calls that are listed; the rest is counted.
const MOST_CALLS: usize = 20;
const MOST_RESOURCES: usize = 5;
const MOST_DETAILS: usize = 3;
const MOST_REASONS: usize = 8;
const MOST_NOTES: usize = 10;

/// The gaps that make the answer incomplete; `meaning` says what that does to it.
pub(super) fn what_may_be_missing(
    coverage: &Coverage,
    meaning: &str,
    names: &Names,
    page: &mut Page,
) -> io::Result<()> {
    let gaps: Vec<&AccountGap> = with_effect(coverage, GapEffect::MayHide).collect();
    if gaps.is_empty() {
        return Ok(());
    }
    let failed = many(gaps.len(), "read");
    page.heading(Tone::Alarm, "INCOMPLETE", &format!(" · {failed} failed"))?;
    page.prose(0, meaning)?;
    page.blank()?;
    let calls: Vec<&[&AccountGap]> = gaps.chunk_by(|a, b| call(a) == call(b)).collect();
    for gaps in calls.iter().take(MOST_CALLS) {
        if let [first, ..] = gaps {
            failed_call(first, gaps, names, page)?;
        }
    }
    let more = calls.len().saturating_sub(MOST_CALLS);
    if more > 0 {
        page.prose(
            0,
            &format!(
                "and {} more; `-f json` has them all",
                many(more, "failed call")
            ),
        )?;
    }
    page.blank()
}

fn failed_call(
    first: &AccountGap,
    gaps: &[&AccountGap],
    names: &Names,
    page: &mut Page,
) -> io::Result<()> {
    page.title(
        &format!("{}: {}", call_in_words(first, names), first.gap.error),
        "",
    )?;
    let resources: Vec<&str> = gaps
        .iter()
        .filter_map(|missing| missing.gap.resource.as_deref())
        .collect();
    page.list("on", &resources, MOST_RESOURCES, |arn| names.resource(arn))?;
    let mut details: Vec<&str> = gaps
        .iter()
        .map(|missing| missing.gap.detail.as_str())
        .collect();
    details.sort_unstable();
    details.dedup();
    for detail in details
        .iter()
        .filter(|detail| !detail.is_empty())
        .take(MOST_DETAILS)
    {
        page.row("missing", detail)?;
    }
    Ok(())
}

/// Gaps of one call are told together.
fn call(missing: &AccountGap) -> impl PartialEq + '_ {
    let AccountGap { account, gap } = missing;
    (
        account,
        &gap.region,
        &gap.service,
        &gap.operation,
        &gap.error,
    )
}

fn call_in_words(missing: &AccountGap, names: &Names) -> String {
    let AccountGap { account, gap } = missing;
    let mut words = operation(gap);
    if let Some(region) = &gap.region {
        words.push_str(" in ");
        words.push_str(region);
    }
    if !names.single_account() {
        words.push_str(" of ");
        words.push_str(account.as_str());
    }
    words
}

fn operation(gap: &Gap) -> String {
    format!("{}:{}", gap.service, gap.operation)
}

fn with_effect(coverage: &Coverage, effect: GapEffect) -> impl Iterator<Item = &AccountGap> {
    coverage
        .gaps
        .iter()
        .filter(move |missing| missing.gap.effect == effect)
}

/// What was skipped, what may be overstated, and what happened by the way.
pub(super) fn what_else_to_know(
    coverage: &Coverage,
    names: &Names,
    page: &mut Page,
) -> io::Result<()> {
    let mut skipped: Vec<&str> = coverage
        .skipped
        .iter()
        .map(|one| one.service.as_str())
        .collect();
    skipped.sort_unstable();
    skipped.dedup();
    let mut unread: Vec<String> = with_effect(coverage, GapEffect::MayOverstate)
        .map(|missing| format!("{} ({})", operation(&missing.gap), missing.gap.error))
        .collect();
    unread.sort_unstable();
    unread.dedup();
    if skipped.is_empty() && unread.is_empty() && coverage.notes.is_empty() {
        return Ok(());
    }
    page.heading(Tone::Plain, "Good to know", "")?;
    if !skipped.is_empty() {
        let services = skipped.join(", ");
        page.prose(
            0,
            &format!("Left out on request, so not judged: {services}."),
        )?;
    }
    if !unread.is_empty() {
        page.prose(
            0,
            "Access can only be smaller than shown: some policies that restrict could not be read.",
        )?;
        page.list("unread", &unread, MOST_REASONS, String::clone)?;
    }
    for about in coverage.notes.iter().take(MOST_NOTES) {
        let note = &about.note;
        let place = match (&note.resource, &note.region) {
            (Some(resource), _) => names.resource(resource),
            (None, Some(region)) => region.clone(),
            (None, None) => String::new(),
        };
        let space = if place.is_empty() { "" } else { " " };
        page.row(
            "note",
            &format!("{}{space}{place}: {}", note.service, note.detail),
        )?;
    }
    let more = coverage.notes.len().saturating_sub(MOST_NOTES);
    if more > 0 {
        page.row("", &format!("and {more} more; `-f json` has them all"))?;
    }
    page.blank()
}
