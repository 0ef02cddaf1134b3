//! `patscan diff OLD NEW`: what changed between two snapshots, or between two JSON reports.

use std::io;
use std::path::Path;

use anyhow::{Result, bail};
use chrono::DateTime;

use super::Outcome;
use super::reporting::terminal_style;
use crate::access::Access;
use crate::account::{self, Account};
use crate::audit;
use crate::cli::DiffArgs;
use crate::config::{Output, Settings, Source, Verbosity};
use crate::finding::Severity;
use crate::input::{self, LARGEST_REPORT};
use crate::report::{self, AccountsDifference, AnswerFormat, Difference, Format, Style};
use crate::rules;
use crate::triage::{Baseline, access_changes, changes};

pub(super) fn run(args: &DiffArgs, settings: &Settings) -> Result<Outcome> {
    let output: Output<AnswerFormat> = args.format.parse()?;
    let fail_on: Severity = match &args.fail_on {
        Some(word) => word.parse()?,
        None => settings.fail_on(),
    };
    let verbosity: Verbosity = args.verbosity.into();
    let inputs = Source::Snapshots(vec![args.old.clone(), args.new.clone()]);
    inputs.keeps_apart_from(output.path.as_deref())?;
    let file = output.path.as_deref().map(super::open_file).transpose()?;

    let difference = difference(&args.old, &args.new, &settings.rules())?;
    match file {
        None => {
            let mut stdout = io::stdout().lock();
            let written = difference.write(output.format, terminal_style(), &mut stdout);
            super::written_to_stdout(written)?;
        }
        Some(mut file) => difference
            .write(output.format, Style::default(), file.file())
            .and_then(|()| file.commit())
            .map_err(|error| super::cannot_write(&output.path.unwrap_or_default(), &error))?,
    }
    let (outcome, why) = outcome(&difference, fail_on, args.allow_incomplete);
    if verbosity >= Verbosity::Normal && !why.is_empty() {
        super::explain(&why);
    }
    Ok(outcome)
}

fn outcome(
    difference: &Difference,
    fail_on: Severity,
    allow_incomplete: bool,
) -> (Outcome, String) {
    if !difference.complete && !allow_incomplete {
        let why = "exit 3: one of the two is incomplete (--allow-incomplete lifts this)";
        return (Outcome::Incomplete, why.to_owned());
    }
    let findings = &difference.findings;
    let grave = findings
        .appeared
        .iter()
        .chain(&findings.changed)
        .filter(|finding| {
            let severity = finding.severity.parse::<Severity>();
            // A severity that this version does not know may be a grave one.
            severity.map_or(true, |severity| severity >= fail_on)
        })
        .count();
    if grave == 0 {
        return (Outcome::Clean, String::new());
    }
    let noun = if grave == 1 { "finding" } else { "findings" };
    let why = format!("exit 1: {grave} new or changed {noun} at or above {fail_on} (--fail-on)");
    (Outcome::Findings, why)
}

fn difference(old: &Path, new: &Path, settings: &rules::Settings) -> Result<Difference> {
    match (read(old)?, read(new)?) {
        (Reading::Report(old), Reading::Report(new)) => Ok(between(&old, &new, None)),
        (Reading::Snapshot(old), Reading::Snapshot(new)) => snapshots(*old, *new, settings),
        (Reading::Report(_), Reading::Snapshot(_)) | (Reading::Snapshot(_), Reading::Report(_)) => {
            bail!(
                "`{}` and `{}` are a snapshot and a report; give two snapshots, which tell more, or two JSON reports",
                old.display(),
                new.display()
            )
        }
    }
}

enum Reading {
    Snapshot(Box<Account>),
    Report(Box<Baseline>),
}

/// A snapshot or a report, told by its content.
fn read(path: &Path) -> Result<Reading> {
    let looks_like_report = input::read(path, LARGEST_REPORT)
        .ok()
        .and_then(|text| Baseline::from_slice(&text).ok());
    if let Some(report) = looks_like_report {
        return Ok(Reading::Report(Box::new(report)));
    }
    Ok(Reading::Snapshot(Box::new(account::read(path)?)))
}

fn snapshots(old: Account, new: Account, settings: &rules::Settings) -> Result<Difference> {
    if old.id != new.id {
        bail!(
            "the snapshots are of two accounts, {} and {}; compare two of one account",
            old.id,
            new.id
        );
    }
    let (old, new) = ([old], [new]);
    let made = changes(&old, &new);
    let (before, after) = (Access::compute(&old), Access::compute(&new));
    let accounts = AccountsDifference {
        access: access_changes(&before, &after, &made),
        changes: made.into_iter().collect(),
    };
    Ok(between(
        &reported(&before, settings)?,
        &reported(&after, settings)?,
        Some(accounts),
    ))
}

/// The report on an account, as it would be read again: so snapshots are compared by the same rules as reports.
fn reported(access: &Access<'_>, settings: &rules::Settings) -> Result<Baseline> {
    let report = audit::report(access, settings, DateTime::UNIX_EPOCH);
    let mut text = Vec::new();
    report::write(&report, Format::Json, Style::default(), &mut text)?;
    match Baseline::from_slice(&text) {
        Ok(baseline) => Ok(baseline),
        Err(why) => bail!("a report could not be read again ({why}); please report this"),
    }
}

fn between(old: &Baseline, new: &Baseline, accounts: Option<AccountsDifference>) -> Difference {
    Difference {
        old: old.scope(),
        new: new.scope(),
        complete: old.is_complete() && new.is_complete(),
        accounts,
        findings: old.against(new),
    }
}
