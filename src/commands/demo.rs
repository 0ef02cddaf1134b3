//! `patscan demo`: audits an example account that is part of the binary, without network or credentials.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use anyhow::Result;

use super::Outcome;
use super::reporting::{self, Outputs};
use crate::account::{self, Account};
use crate::cli::DemoArgs;
use crate::config::{Reporting, Settings, Verbosity};

const EXAMPLE: &[u8] = include_bytes!("../../fixtures/accounts/demo/snapshot.json");

pub(super) fn run(args: &DemoArgs, settings: &Settings) -> Result<Outcome> {
    let reporting = Reporting::resolve(&args.output, settings)?;
    let example = example()?;
    let known = reporting.read_known()?;
    let outputs = Outputs::open(&reporting.outputs)?;
    let outcome = reporting::report(vec![example], outputs, &known, &reporting, None)?;
    // For people only: what scripts read on standard error stays what it is.
    if reporting.verbosity >= Verbosity::Normal && io::stderr().is_terminal() {
        super::explain("try next: patscan explain queue-feedback-loop-f4e8 --demo");
    }
    Ok(outcome)
}

/// The example account.
pub(super) fn example() -> Result<Account> {
    Ok(account::from_slice(
        EXAMPLE,
        Path::new("the example account"),
    )?)
}
