//! The subcommands, one file each; every `run` reads as a recipe and ends in an [`Outcome`].

mod accounts;
mod analyze;
mod demo;
mod diff;
mod doctor;
mod explain;
mod graph;
mod iam_policy;
mod interrupt;
mod meant;
mod progress;
mod publish;
mod reporting;
mod rules;
mod scan;
mod schema;
pub mod simulate;
mod who_can;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow};

use crate::cli::{Cli, Command};
use crate::config::{Settings, Verbosity};
use crate::file::PendingFile;
use crate::report::sanitise;

/// What a run comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to act on, and everything was read.
    Clean,
    /// Findings at or above the threshold.
    Findings,
    /// Something in the input could not be read, or something could not be published.
    Failed,
    /// Something that may hide findings could not be read.
    Incomplete,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Clean => 0,
            Outcome::Findings => 1,
            Outcome::Failed => 2,
            Outcome::Incomplete => 3,
        })
    }
}

impl Cli {
    /// How much the command says on standard error.
    pub fn verbosity(&self) -> Verbosity {
        match &self.command {
            None => self.scan.output.verbosity.into(),
            Some(Command::Scan(args)) => args.output.verbosity.into(),
            Some(Command::Analyze(args)) => args.output.verbosity.into(),
            Some(Command::Demo(args)) => args.output.verbosity.into(),
            Some(Command::WhoCan(args)) => args.verbosity.into(),
            Some(Command::Explain(args)) => args.verbosity.into(),
            Some(Command::Graph(args)) => args.verbosity.into(),
            Some(Command::Diff(args)) => args.verbosity.into(),
            Some(Command::Publish(args)) => args.verbosity.into(),
            Some(Command::Doctor(args)) => args.verbosity.into(),
            Some(
                Command::Simulate(_)
                | Command::Rules(_)
                | Command::IamPolicy(_)
                | Command::Schema(_),
            ) => Verbosity::Normal,
        }
    }
}

/// Runs the command that the arguments ask for.
///
/// # Errors
/// Whatever ends the run early; the message is for people and ends with what to do next.
pub fn run(cli: Cli) -> Result<Outcome> {
    let verbosity = cli.verbosity();
    // The example account is nobody's: what a team settled for its own does not fit it, unless it is tried on purpose.
    let search = match &cli.command {
        Some(Command::Demo(_)) => false,
        Some(Command::Explain(args)) => !args.demo,
        _ => true,
    };
    let settings = || settings(cli.config.as_deref(), search, verbosity);
    match cli.command {
        None => scan::run(cli.scan, &settings()?),
        Some(Command::Scan(args)) => scan::run(*args, &settings()?),
        Some(Command::Analyze(args)) => analyze::run(&args, &settings()?),
        Some(Command::Demo(args)) => demo::run(&args, &settings()?),
        Some(Command::WhoCan(args)) => who_can::run(*args, &settings()?),
        Some(Command::Explain(args)) => explain::run(*args, &settings()?),
        Some(Command::Diff(args)) => diff::run(&args, &settings()?),
        Some(Command::Graph(args)) => graph::run(*args, &settings()?),
        Some(Command::Simulate(args)) => simulate::run(&args),
        Some(Command::Rules(args)) => rules::run(&args),
        Some(Command::Schema(args)) => schema::run(&args),
        Some(Command::Publish(args)) => publish::run(*args, &settings()?),
        Some(Command::Doctor(args)) => doctor::run(args, &settings()?),
        Some(Command::IamPolicy(args)) => iam_policy::run(&args),
    }
}

/// What the environment and the configuration file say. A file that was found says where it is: it may switch rules off.
fn settings(named: Option<&Path>, search: bool, verbosity: Verbosity) -> Result<Settings> {
    let settings = Settings::load(named, search)?;
    if verbosity >= Verbosity::Normal {
        for (unknown, nearest) in &settings.unknown_variables {
            explain(&format!("{unknown} means nothing; {nearest} does"));
        }
        if let Some(file) = settings.file.as_ref().filter(|_| named.is_none()) {
            explain(&format!("using {}", file.display()));
        }
    }
    Ok(settings)
}

/// Writes every call to AWS to standard error: service, operation, region and time, never content. Other crates' logs stay
/// off: theirs may hold credentials.
pub fn log_calls() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;

    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false);
    let own = Targets::new().with_target("patscan", LevelFilter::DEBUG);
    // A second call changes nothing.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(own)
        .try_init();
}

fn cannot_write(path: &Path, error: &io::Error) -> anyhow::Error {
    let why = crate::file::why_not_written(error);
    anyhow!("cannot write `{}`: {why}", path.display())
}

/// Opens a file for output before the work begins, so that a path that cannot be written to is said at once.
fn open_file(path: &Path) -> Result<PendingFile> {
    PendingFile::create(path).map_err(|error| cannot_write(path, &error))
}

/// Writes to a file that was opened before, or to standard output.
fn write_to(file: Option<PendingFile>, path: Option<PathBuf>, content: &[u8]) -> Result<()> {
    match file {
        None => write_stdout(content),
        Some(mut file) => file
            .file()
            .write_all(content)
            .and_then(|()| file.commit())
            .map_err(|error| cannot_write(&path.unwrap_or_default(), &error)),
    }
}

/// Writes to standard output; a reader that has seen enough (`| head`) is no error.
fn write_stdout(content: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    written_to_stdout(stdout.write_all(content).and_then(|()| stdout.flush()))
}

/// A reader of standard output that has seen enough is no error.
fn written_to_stdout(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(anyhow!(
            "cannot write to standard output: {error}; check where it is redirected to"
        )),
        _ => Ok(()),
    }
}

/// One line on standard error: why the exit code is not 0. When nobody reads it, the exit code still tells.
fn explain(line: &str) {
    let _ = writeln!(io::stderr(), "{}", sanitise(line));
}
