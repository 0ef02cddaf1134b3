//! `patscan analyze FILE…`: audits saved snapshots together and never calls AWS.

use anyhow::Result;

use super::reporting::{self, Outputs};
use super::{Outcome, accounts};
use crate::cli::AnalyzeArgs;
use crate::config::{Reporting, Settings};

pub(super) fn run(args: &AnalyzeArgs, settings: &Settings) -> Result<Outcome> {
    let reporting = Reporting::resolve(&args.output, settings)?;
    let accounts = accounts::read(&args.files)?;
    let known = reporting.read_known()?;
    let outputs = Outputs::open(&reporting.outputs)?;
    reporting::report(&accounts, outputs, &known, &reporting)
}
