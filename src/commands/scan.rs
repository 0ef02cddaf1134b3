//! `patscan` and `patscan scan`: audits a live account, or snapshots in its place.

use anyhow::Result;

use super::reporting::{self, Outputs};
use super::{Outcome, accounts};
use crate::cli::{CredentialArgs, ScanArgs};
use crate::config::{Asked, Reporting, Settings, Source, credentials};

pub(super) fn run(args: ScanArgs, settings: &Settings) -> Result<Outcome> {
    let source = Source::resolve(args.source, settings)?;
    let reporting = Reporting::resolve(&args.output, settings)?;
    for output in &reporting.outputs {
        source.keeps_apart_from(output.path.as_deref())?;
    }
    let asked = Asked::from(&args.publishing);
    let (options, inputs) = match &source {
        Source::Live {
            options,
            save_snapshot,
        } => ((**options).clone(), save_snapshot.iter().collect()),
        Source::Snapshots(files) => (
            credentials(CredentialArgs::default(), settings)?,
            files.iter().collect::<Vec<_>>(),
        ),
    };
    asked.keeps_apart_from(
        &reporting.outputs,
        inputs.into_iter().chain(reporting.inputs()),
    )?;
    let publishing = asked.resolve(options)?;
    let known = reporting.read_known()?;
    let outputs = Outputs::open(&reporting.outputs)?;
    let accounts = accounts::load(source, reporting.verbosity)?;
    reporting::report(accounts, outputs, &known, &reporting, publishing)
}
