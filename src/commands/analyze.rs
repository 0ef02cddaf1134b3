//! `patscan analyze FILE…`: audits saved snapshots together and never calls AWS.

use anyhow::Result;

use super::reporting::{self, Outputs};
use super::{Outcome, accounts};
use crate::cli::AnalyzeArgs;
use crate::config::{Reporting, Settings, Source};

pub(super) fn run(args: &AnalyzeArgs, settings: &Settings) -> Result<Outcome> {
    let reporting = Reporting::resolve(&args.output, settings)?;
    let source = Source::Snapshots(args.files.clone());
    for output in &reporting.outputs {
        source.keeps_apart_from(output.path.as_deref())?;
    }
    let known = reporting.read_known()?;
    let accounts = accounts::load(source, reporting.verbosity)?;
    let outputs = Outputs::open(&reporting.outputs)?;
    reporting::report(accounts, outputs, &known, &reporting)
}
