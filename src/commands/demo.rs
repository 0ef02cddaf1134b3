//! `patscan demo`: audits an example account that is part of the binary, without network or credentials.

use std::path::Path;

use anyhow::Result;

use super::Outcome;
use super::reporting::{self, Outputs};
use crate::account;
use crate::cli::DemoArgs;
use crate::config::{Reporting, Settings};

const EXAMPLE: &[u8] = include_bytes!("../../fixtures/accounts/demo/snapshot.json");

pub(super) fn run(args: &DemoArgs, settings: &Settings) -> Result<Outcome> {
    let reporting = Reporting::resolve(&args.output, settings)?;
    let example = account::from_slice(EXAMPLE, Path::new("the example account"))?;
    let known = reporting.read_known()?;
    let outputs = Outputs::open(&reporting.outputs)?;
    reporting::report(vec![example], outputs, &known, &reporting)
}
