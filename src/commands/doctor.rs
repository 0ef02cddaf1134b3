//! `patscan doctor`: what a scan would be able to read, found out before it is needed.

use std::io;

use anyhow::{Context, Result};

use super::Outcome;
use super::reporting::terminal_style;
use crate::cli::{DoctorArgs, SourceArgs};
use crate::collect::doctor::{Examination, examine};
use crate::config::{Output, Settings, Source, Verbosity};
use crate::report::{AnswerFormat, Style};

pub(super) fn run(args: DoctorArgs, settings: &Settings) -> Result<Outcome> {
    let output: Output<AnswerFormat> = args.format.parse()?;
    let verbosity: Verbosity = args.verbosity.into();
    let Source::Live { options, .. } = Source::resolve(source(args), settings)? else {
        // No snapshot was named.
        return Ok(Outcome::Clean);
    };
    let file = output.path.as_deref().map(super::open_file).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the network runtime")?;
    let found = runtime.block_on(examine(&options))?;
    match file {
        None => {
            let mut stdout = io::stdout().lock();
            let written = found.write(output.format, terminal_style(), &mut stdout);
            super::written_to_stdout(written)?;
        }
        Some(mut file) => found
            .write(output.format, Style::default(), file.file())
            .and_then(|()| file.commit())
            .map_err(|error| super::cannot_write(&output.path.unwrap_or_default(), &error))?,
    }
    outcome(found, verbosity)
}

fn source(args: DoctorArgs) -> SourceArgs {
    SourceArgs {
        profile: args.profile,
        regions: args.regions,
        exclude_regions: args.exclude_regions,
        skip: args.skip,
        endpoint_url: args.endpoint_url,
        assume_role: args.assume_role,
        external_id: args.external_id,
        ..SourceArgs::default()
    }
}

fn outcome(found: Examination, verbosity: Verbosity) -> Result<Outcome> {
    let is_complete = found.is_complete();
    let sure = if found.is_surely_incomplete() {
        "would"
    } else {
        "might"
    };
    match found.stopped {
        // What stopped the doctor stops a scan too.
        Some(error) => Err(error.into()),
        None if is_complete => Ok(Outcome::Clean),
        None => {
            if verbosity >= Verbosity::Normal {
                super::explain(&format!("exit 3: a scan {sure} be incomplete"));
            }
            Ok(Outcome::Incomplete)
        }
    }
}
