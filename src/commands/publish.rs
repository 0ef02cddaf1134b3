//! `patscan publish REPORT --to DEST`, and what `--publish` does at the end of a scan.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use super::{Outcome, explain};
use crate::account;
use crate::cli::PublishArgs;
use crate::config::{Asked, Settings, Verbosity, credentials};
use crate::input::{self, LARGEST_REPORT};
use crate::publish::{self, Destination, Publishing};
use crate::report::{self, Format, Report, Style};

/// Failures that are told one by one for each destination.
const MOST_TOLD: usize = 50;

pub(super) fn run(args: PublishArgs, settings: &Settings) -> Result<Outcome> {
    let verbosity: Verbosity = args.verbosity.into();
    let asked = Asked {
        to: args.to,
        min_severity: args.min_severity,
        state: args.state,
        webhook_secret_file: args.webhook_secret_file,
    };
    asked.keeps_apart_from(&[], [&args.report])?;
    let options = credentials(args.credentials, settings)?;
    let publishing = asked.resolve(options)?;
    let json = read(&args.report)?;
    let report = report::read(&json).map_err(|error| not_a_report(&args.report, &json, &error))?;
    let Some(publishing) = publishing else {
        return Ok(Outcome::Clean);
    };
    let all_published = publish(&report, Some(&json), publishing, verbosity)?;
    let (outcome, why) = if !all_published {
        (
            Outcome::Failed,
            Some("exit 2: not everything was published"),
        )
    } else if !report.complete() && !args.allow_incomplete {
        let why = "exit 3: the report is incomplete (--allow-incomplete lifts this)";
        (Outcome::Incomplete, Some(why))
    } else {
        (Outcome::Clean, None)
    };
    if let Some(why) = why.filter(|_| verbosity >= Verbosity::Normal) {
        explain(why);
    }
    Ok(outcome)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let text = if path == Path::new("-") {
        input::read_from(std::io::stdin().lock(), LARGEST_REPORT)
    } else {
        input::read(path, LARGEST_REPORT)
    };
    text.map_err(|error| {
        anyhow!(
            "cannot read the report `{}`: {error}; check the path",
            path.display()
        )
    })
}

fn not_a_report(path: &Path, json: &[u8], error: &report::ReadError) -> anyhow::Error {
    let path_shown = path.display();
    if account::from_slice(json, path).is_ok() {
        return anyhow!(
            "`{path_shown}` is a snapshot; `patscan analyze {path_shown} --publish DEST` audits and publishes it"
        );
    }
    match error {
        report::ReadError::Unknown { .. } => anyhow!("cannot publish `{path_shown}`: {error}"),
        _ => anyhow!("`{path_shown}` is no JSON report: {error}; make one with `-f json=FILE`"),
    }
}

/// Publishes a report and tells what came of it; whether all of it went well. `json` is its file, written anew where there is
/// none.
pub(super) fn publish(
    report: &Report,
    json: Option<&[u8]>,
    mut publishing: Publishing,
    verbosity: Verbosity,
) -> Result<bool> {
    let tells = verbosity >= Verbosity::Normal;
    let is_told =
        |one: &Destination| !matches!(one, Destination::SecurityHub { .. } | Destination::S3(_));
    let has_told = publishing.destinations.iter().any(is_told);
    if tells && has_told && publishing.sent.is_none() && report.since.is_none() {
        explain(
            "publishing: every finding counts as new, since there is neither a baseline nor a list of what was sent (--baseline \
             when scanning, --publish-state, or --state of `patscan publish`)",
        );
    }
    if tells && !report.complete() {
        explain("publishing: the report is incomplete, and says so wherever it goes");
    }
    let mut written = Vec::new();
    let needs_json = publishing
        .destinations
        .iter()
        .any(|one| matches!(one, Destination::S3(_)));
    let json = match json {
        Some(json) => json,
        None if needs_json => {
            report::write(report, Format::Json, Style::default(), &mut written)
                .context("cannot write the report; publish the file of `-f json=FILE` with `patscan publish`")?;
            &written
        }
        None => &[],
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the network runtime")?;
    let outcomes = runtime.block_on(publish::publish(report, json, &mut publishing));
    for outcome in &outcomes {
        let place = &outcome.destination;
        if tells {
            for done in &outcome.done {
                explain(&format!("{place}: {done}"));
            }
        }
        for why in outcome.failed.iter().take(MOST_TOLD) {
            explain(&format!("error: {place}: {why}"));
        }
        let more = outcome.failed.len().saturating_sub(MOST_TOLD);
        if more > 0 {
            explain(&format!("error: {place}: and {more} more"));
        }
    }
    Ok(outcomes.iter().all(|outcome| outcome.failed.is_empty()))
}
