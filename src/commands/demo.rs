//! `patscan demo`: audits an example account that is part of the binary, without network or credentials.

use std::path::Path;

use anyhow::Result;

use super::Outcome;
use super::reporting::{self, Outputs};
use crate::account;
use crate::cli::DemoArgs;
use crate::config::Reporting;

const EXAMPLE: &[u8] = include_bytes!("../../fixtures/accounts/demo/snapshot.json");

pub(super) fn run(args: &DemoArgs) -> Result<Outcome> {
    let reporting = Reporting::resolve(&args.output)?;
    let example = account::from_slice(EXAMPLE, Path::new("the example account"))?;
    let outputs = Outputs::open(&reporting.outputs)?;
    reporting::report(vec![example], outputs, &reporting)
}
