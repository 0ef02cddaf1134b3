//! `patscan analyze FILE…`: audits saved snapshots together and never calls AWS but to publish
//! there, when that is asked for.

use anyhow::Result;

use super::reporting::{self, Outputs};
use super::{Outcome, accounts};
use crate::cli::{AnalyzeArgs, CredentialArgs};
use crate::config::{Asked, Reporting, Settings, Source, credentials};

pub(super) fn run(args: &AnalyzeArgs, settings: &Settings) -> Result<Outcome> {
    let reporting = Reporting::resolve(&args.output, settings)?;
    let source = Source::Snapshots(args.files.clone());
    for output in &reporting.outputs {
        source.keeps_apart_from(output.path.as_deref())?;
    }
    let asked = Asked::from(&args.publishing);
    asked.keeps_apart_from(
        &reporting.outputs,
        args.files.iter().chain(reporting.inputs()),
    )?;
    let publishing = asked.resolve(credentials(CredentialArgs::default(), settings)?)?;
    let known = reporting.read_known()?;
    let accounts = accounts::load(source, reporting.verbosity)?;
    let outputs = Outputs::open(&reporting.outputs)?;
    reporting::report(accounts, outputs, &known, &reporting, publishing)
}
