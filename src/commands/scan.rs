//! `patscan` and `patscan scan`: audits a live account, or snapshots in its place.

use anyhow::Result;

use super::reporting::{self, Outputs};
use super::{Outcome, accounts};
use crate::cli::ScanArgs;
use crate::config::{Reporting, Source};

pub(super) fn run(args: ScanArgs) -> Result<Outcome> {
    let source = Source::resolve(args.source)?;
    let reporting = Reporting::resolve(&args.output)?;
    for output in &reporting.outputs {
        source.keeps_apart_from(output.path.as_deref())?;
    }
    let outputs = Outputs::open(&reporting.outputs)?;
    let accounts = accounts::load(source, reporting.verbosity)?;
    reporting::report(accounts, outputs, &reporting)
}
