//! `patscan analyze FILE…`: audits saved snapshots together and never calls AWS.

use anyhow::Result;

use super::reporting::{self, Outputs};
use super::{Outcome, accounts};
use crate::cli::AnalyzeArgs;
use crate::config::Reporting;

pub(super) fn run(args: &AnalyzeArgs) -> Result<Outcome> {
    let reporting = Reporting::resolve(&args.output)?;
    let accounts = accounts::read(&args.files)?;
    let outputs = Outputs::open(&reporting.outputs)?;
    reporting::report(accounts, outputs, &reporting)
}
