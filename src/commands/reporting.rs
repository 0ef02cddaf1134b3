//! From accounts to written reports and an exit code: what `scan`, `analyze` and `demo` have in common.

use std::io::{self, IsTerminal};
use std::mem::ManuallyDrop;

use anyhow::Result;
use chrono::{SubsecRound, Utc};

use super::publish::publish;
use super::{Outcome, cannot_write, explain, open_file, written_to_stdout};
use crate::access::Access;
use crate::account::Account;
use crate::audit;
use crate::config::{Output, Reporting, Verbosity};
use crate::file::PendingFile;
use crate::publish::Publishing;
use crate::report::{self, Format, Report, Style, Written};
use crate::triage::{Change, Known};

/// Widest output when the terminal's width is not known.
const DEFAULT_WIDTH: usize = 80;

/// Places that reports will be written to, opened before the work begins: a path that cannot be written to is said at once,
/// not after a long scan.
pub(super) struct Outputs(Vec<(Output, Option<PendingFile>)>);

impl Outputs {
    pub(super) fn open(outputs: &[Output]) -> Result<Self> {
        outputs
            .iter()
            .map(|output| {
                let file = output.path.as_deref().map(open_file).transpose()?;
                Ok((output.clone(), file))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Writes every report; of each format, what it had no room for.
    fn write(self, report: &Report) -> Result<Vec<(Format, Written)>> {
        let mut all = Vec::new();
        for (output, file) in self.0 {
            let written = match file {
                None => write_to_stdout(report, &output)?,
                Some(mut file) => {
                    let style = Style {
                        color: false,
                        width: DEFAULT_WIDTH,
                    };
                    let written =
                        file.write(|out| report::write(report, output.format, style, out));
                    written
                        .and_then(|written| file.commit().map(|()| written))
                        .map_err(|error| cannot_write(&output.path.unwrap_or_default(), &error))?
                }
            };
            all.push((output.format, written));
        }
        Ok(all)
    }
}

fn write_to_stdout(report: &Report, output: &Output) -> Result<Written> {
    let mut stdout = io::stdout().lock();
    let written = report::write(report, output.format, terminal_style(), &mut stdout);
    let left = written.as_ref().copied().unwrap_or_default();
    written_to_stdout(written.map(|_| ()))?;
    Ok(left)
}

/// What standard output can show.
pub(super) fn terminal_style() -> Style {
    let is_terminal = io::stdout().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let width = if is_terminal {
        terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
    } else {
        None
    };
    Style {
        color: is_terminal && !no_color && !is_dumb,
        width: width.unwrap_or(DEFAULT_WIDTH),
    }
}

/// Audits accounts, writes every report, publishes it where that was asked for, and says what the run comes to.
pub(super) fn report(
    accounts: Vec<Account>,
    outputs: Outputs,
    known: &Known,
    reporting: &Reporting,
    publishing: Option<Publishing>,
) -> Result<Outcome> {
    // With the report the program ends: to give back millions of small pieces of memory one by one, when the system takes all
    // of it at once, would only keep the user waiting.
    let accounts = ManuallyDrop::new(accounts);
    let access = ManuallyDrop::new(Access::compute(&accounts));
    let now = Utc::now().trunc_subsecs(0);
    let mut report = ManuallyDrop::new(audit::report(&access, &reporting.rules, now));
    report.persona = reporting.persona;
    audit::know(&mut report, known);
    let written = outputs.write(&report)?;
    let outcome = outcome(&report, reporting);
    if reporting.verbosity >= Verbosity::Normal {
        for (format, left_out) in written.iter().map(|(format, all)| (format, all.left_out)) {
            if left_out > 0 {
                let noun = if left_out == 1 { "finding" } else { "findings" };
                explain(&format!(
                    "{format}: the {left_out} least severe {noun} are left out, for which the format has no room; -f json has \
                     all of them"
                ));
            }
        }
        if !report.complete() {
            for (format, _) in &written {
                if matches!(format, Format::Csv | Format::Jsonl) {
                    explain(&format!(
                        "{format}: what could not be read has no place in it, so that it may look cleaner than the account is; -f json \
                         has it under `coverage`"
                    ));
                }
            }
        }
        for note in report.waiver_notes.iter().flatten() {
            explain(&format!("waiver {}: {}", note.number, note.text));
        }
    }
    // The report is written: whatever happens on the way to others, nothing that was found is lost.
    let is_published = match publishing {
        Some(publishing) => publish(&report, None, publishing, reporting.verbosity)?,
        None => true,
    };
    let why = why(&report, reporting, outcome);
    if reporting.verbosity >= Verbosity::Normal {
        match (&why, is_published) {
            (Some(why), true) => explain(why),
            (None, true) => {}
            (Some(why), false) => explain(&format!(
                "exit 2: not everything was published; the report itself would have been {why}"
            )),
            (None, false) => explain("exit 2: not everything was published"),
        }
    }
    Ok(if is_published {
        outcome
    } else {
        Outcome::Failed
    })
}

fn at_or_above(report: &Report, reporting: &Reporting) -> usize {
    report
        .open()
        .filter(|finding| finding.severity >= reporting.fail_on)
        .filter(|finding| finding.change != Change::Unchanged)
        .count()
}

fn outcome(report: &Report, reporting: &Reporting) -> Outcome {
    if !report.complete() && !reporting.allow_incomplete {
        Outcome::Incomplete
    } else if at_or_above(report, reporting) > 0 && !reporting.exit_zero {
        Outcome::Findings
    } else {
        Outcome::Clean
    }
}

/// Why the exit code is not 0, in a line.
fn why(report: &Report, reporting: &Reporting, outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::Incomplete => {
            Some("exit 3: the scan is incomplete (--allow-incomplete lifts this)".to_owned())
        }
        Outcome::Findings => {
            let number = at_or_above(report, reporting);
            let noun = if number == 1 { "finding" } else { "findings" };
            let new = if report.since.is_some() {
                "new or changed "
            } else {
                ""
            };
            Some(format!(
                "exit 1: {number} {new}{noun} at or above {} (--fail-on, --exit-zero)",
                reporting.fail_on
            ))
        }
        Outcome::Clean | Outcome::Failed => None,
    }
}
