//! A short table for a pull request or a chat: the gravest findings first, and how many more there are.
//!
//! What comes from outside is either a plain word or code, in which nothing has a meaning: no markup, no HTML, no link, and
//! nobody is called by a name that somebody gave to a role.

use std::io::{self, Write};

use super::text::shorten;
use super::{Report, json, sanitise};
use crate::account::GapEffect;
use crate::finding::Severity;
use crate::triage::{Audience, Change, Status, Triaged};

/// Findings in the table.
const MOST_ROWS: usize = 50;
/// Accounts and gaps that are listed.
const MOST_ENTRIES: usize = 10;
/// Columns of a text: a comment has an end.
const MOST_COLUMNS: usize = 300;

pub(super) fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let open: Vec<&Triaged> = report.open().collect();
    let least = if report.complete() { "" } else { "at least " };
    writeln!(out, "## patscan: {least}{}\n", many(open.len(), "finding"))?;
    what_may_be_missing(report, out)?;
    accounts(report, out)?;
    numbers(report, &open, out)?;
    table(report, &open, out)
}

fn what_may_be_missing(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.accounts.is_empty() {
        writeln!(out, "**Nothing was scanned.**\n")?;
    }
    if report.complete() {
        return Ok(());
    }
    writeln!(
        out,
        "**Incomplete: findings may be missing, because this could not be read:**\n"
    )?;
    let gaps = report.coverage.gaps.iter();
    let hiding: Vec<_> = gaps
        .filter(|missing| missing.gap.effect == GapEffect::MayHide)
        .collect();
    for missing in hiding.iter().take(MOST_ENTRIES) {
        let gap = &missing.gap;
        let region = gap.region.as_deref().unwrap_or("global");
        let call = format!("{}:{}", gap.service, gap.operation);
        write!(
            out,
            "- {} {} {}",
            code(missing.account.as_str()),
            code(region),
            code(&call)
        )?;
        if let Some(resource) = &gap.resource {
            write!(out, " on {}", code(resource))?;
        }
        writeln!(out, ": {}", code(&gap.error))?;
    }
    more(hiding.len(), MOST_ENTRIES, "- ", out)?;
    writeln!(out)
}

fn accounts(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.accounts.is_empty() {
        return Ok(());
    }
    writeln!(out, "Scanned:\n")?;
    for account in report.accounts.iter().take(MOST_ENTRIES) {
        write!(out, "- account {}", code(account.id.as_str()))?;
        if let Some(alias) = &account.alias {
            write!(out, " ({})", code(alias))?;
        }
        writeln!(out, " at {}", json::time(account.scanned_at))?;
    }
    more(report.accounts.len(), MOST_ENTRIES, "- ", out)?;
    writeln!(out)
}

/// What is in the table, what became of the baseline, and what is left out of the table.
fn numbers(report: &Report, open: &[&Triaged], out: &mut dyn Write) -> io::Result<()> {
    let of = |severity: Severity| open.iter().filter(|one| one.severity == severity).count();
    let counts: Vec<String> = Severity::ALL
        .into_iter()
        .filter(|severity| of(*severity) > 0)
        .map(|severity| format!("{} {severity}", of(severity)))
        .collect();
    if !counts.is_empty() {
        writeln!(out, "{}.\n", counts.join(", "))?;
    }
    if let Some(since) = &report.since {
        let of = |change: Change| open.iter().filter(|one| one.change == change).count();
        let mut parts = vec![
            format!("{} new", of(Change::New)),
            format!("{} changed", of(Change::Changed)),
            format!("{} unchanged", of(Change::Unchanged)),
            format!("{} gone", since.gone.len()),
        ];
        if !since.not_covered.is_empty() {
            let number = since.not_covered.len();
            parts.push(format!(
                "{number} that this scan could not have found again"
            ));
        }
        let day = code(&since.made_at);
        writeln!(out, "Since the report of {day}: {}.\n", parts.join(", "))?;
    }
    let hidden = |of: fn(&Triaged, Audience) -> bool| {
        let findings = report.findings.iter();
        findings.filter(|one| of(one, report.persona)).count()
    };
    let waived = hidden(|one, reader| one.status == Status::Waived && one.audience <= reader);
    let of_aws = hidden(|one, reader| one.audience > reader);
    let off = report.rules_off.len();
    let left_out = [
        (waived, many(waived, "waived finding")),
        (
            of_aws,
            format!("{} that only AWS can act on", many(of_aws, "finding")),
        ),
        (off, format!("{} switched off", many(off, "rule"))),
    ];
    let left_out: Vec<String> = left_out
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(_, text)| text)
        .collect();
    if !left_out.is_empty() {
        writeln!(out, "Not in the table: {}.\n", left_out.join(", "))?;
    }
    Ok(())
}

fn table(report: &Report, open: &[&Triaged], out: &mut dyn Write) -> io::Result<()> {
    if open.is_empty() {
        return Ok(());
    }
    let compared = report.since.is_some();
    if compared {
        writeln!(
            out,
            "| Severity | Change | Finding | Account | Region | Id |"
        )?;
        writeln!(out, "| --- | --- | --- | --- | --- | --- |")?;
    } else {
        writeln!(out, "| Severity | Finding | Account | Region | Id |")?;
        writeln!(out, "| --- | --- | --- | --- | --- |")?;
    }
    for finding in open.iter().take(MOST_ROWS) {
        write!(out, "| {} |", finding.severity)?;
        if compared {
            write!(out, " {} |", finding.change.as_str())?;
        }
        writeln!(
            out,
            " {} | {} | {} | {} |",
            in_cell(&sentence(&finding.title)),
            in_cell(&code(finding.account.as_str())),
            in_cell(&code(&finding.region)),
            in_cell(&code(&finding.id))
        )?;
    }
    writeln!(out)?;
    more(open.len(), MOST_ROWS, "", out)?;
    writeln!(
        out,
        "`patscan explain ID` tells what is behind a finding and what to change."
    )
}

/// How many of a list are left out.
fn more(number: usize, most: usize, bullet: &str, out: &mut dyn Write) -> io::Result<()> {
    let more = number.saturating_sub(most);
    if more > 0 {
        writeln!(out, "{bullet}and {more} more; `-f json` has them all")?;
        if bullet.is_empty() {
            writeln!(out)?;
        }
    }
    Ok(())
}

fn many(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A sentence with names in it: plain words, and code for every other.
fn sentence(text: &str) -> String {
    let visible = sanitise(text);
    let short = shorten(&visible, MOST_COLUMNS);
    let words: Vec<String> = short
        .split(' ')
        .map(|word| {
            if is_plain(word) {
                word.to_owned()
            } else {
                span(word)
            }
        })
        .collect();
    words.join(" ")
}

/// Whether no reader of Markdown sees more in a word than its letters.
fn is_plain(word: &str) -> bool {
    let word = word.strip_prefix('(').unwrap_or(word);
    let word = word.trim_end_matches([',', ';', '.', ':', ')']);
    let letters = |one: char| one.is_alphanumeric() || one == '-' || one == '\'';
    // `GH-1` is an issue, and a long hexadecimal number a commit.
    let is_issue = word
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("gh-"));
    let is_commit = word.len() >= 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    word.chars().all(letters) && !is_issue && !is_commit
}

/// Text as code.
fn code(text: &str) -> String {
    let visible = sanitise(text);
    match &*shorten(&visible, MOST_COLUMNS) {
        "" => String::new(),
        short => span(short),
    }
}

/// Markdown in which no bar ends the cell. Tables take the backslash away even inside of code, and only they do.
fn in_cell(markdown: &str) -> String {
    markdown.replace('|', r"\|")
}

/// A code span: its fence is longer than any run of backticks inside.
fn span(text: &str) -> String {
    let longest = text.split(|one| one != '`').map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or_default() + 1);
    // Readers take one space off at either end, so that a text may begin or end with a backtick or a space.
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests;
