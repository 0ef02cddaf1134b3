//! `patscan` and `patscan scan`: audits a live account, or snapshots in its place.

use anyhow::Result;

use super::reporting::{self, Outputs};
use super::{Outcome, accounts};
use crate::cli::ScanArgs;
use crate::config::{Reporting, Settings, Source};

pub(super) fn run(args: ScanArgs, settings: &Settings) -> Result<Outcome> {
    let source = Source::resolve(args.source, settings)?;
    let reporting = Reporting::resolve(&args.output, settings)?;
    for output in &reporting.outputs {
        source.keeps_apart_from(output.path.as_deref())?;
    }
    let known = reporting.read_known()?;
    let outputs = Outputs::open(&reporting.outputs)?;
    let accounts = accounts::load(source, reporting.verbosity)?;
    reporting::report(accounts, outputs, &known, &reporting)
}
