//! Parse, run, exit: everything else is the library's.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use patscan::cli::Cli;
use patscan::config::Verbosity;
use patscan::report::sanitise;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let verbosity = cli.verbosity();
    if verbosity == Verbosity::Debug {
        patscan::commands::log_calls();
    }
    match patscan::commands::run(cli) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            complain(&error, verbosity);
            ExitCode::from(2)
        }
    }
}

/// One line that says what is wrong and what to try; with `-v` the causes as well.
fn complain(error: &anyhow::Error, verbosity: Verbosity) {
    // Nothing is left to tell when standard error cannot be written to.
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "error: {}", sanitise(&error.to_string()));
    if verbosity >= Verbosity::Verbose {
        for cause in error.chain().skip(1) {
            let _ = writeln!(stderr, "  caused by: {}", sanitise(&cause.to_string()));
        }
    }
}
