//! Writes the snapshot of a generated account to standard output, to try patscan on accounts of any size.
//!
//! ```text
//! cargo run --release --example generate-account -- --roles 1000 --queues 1000 --seed 7 > account.json
//! patscan analyze account.json
//! ```

mod account;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use patscan::account::Account;
use serde::Serialize;

use crate::account::{Size, generate};

/// Writes a snapshot of an account that looks like a real one; what is in it is told on standard error
#[derive(Parser)]
#[command(
    name = "generate-account",
    after_help = "The same numbers and the same seed give the same bytes."
)]
struct Arguments {
    /// How many roles
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = number)]
    roles: usize,
    /// How many users
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = number)]
    users: usize,
    /// How many queues
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = number)]
    queues: usize,
    /// How many Lambda functions
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = number)]
    functions: usize,
    /// How many topics, buckets and rules, with their deliveries, pipes and schedules
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number)]
    channels: usize,
    /// Another seed gives another account
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Put the longest policy that IAM takes, all wildcards, on every role, and a thousand statements into groups
    #[arg(long)]
    hostile: bool,
}

/// More than any account may have, and still within memory.
const MOST: usize = 1_000_000;

fn number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number <= MOST => Ok(number),
        _ => Err(format!("give a whole number from 0 to {MOST}")),
    }
}

#[derive(Serialize)]
struct Snapshot<'a> {
    schema: &'static str,
    tool: Tool,
    account: &'a Account,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let generated = generate(&Size {
        roles: arguments.roles,
        users: arguments.users,
        queues: arguments.queues,
        functions: arguments.functions,
        channels: arguments.channels,
        seed: arguments.seed,
        hostile: arguments.hostile,
    });
    let mut messages = io::stderr().lock();
    match write(&generated.account) {
        Ok(()) => {
            // Who cannot be told what was written still has it.
            let _ = write!(messages, "{generated}");
            ExitCode::SUCCESS
        }
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(
                messages,
                "error: cannot write the snapshot: {error}; send standard output to a file on a disk with room"
            );
            ExitCode::from(2)
        }
    }
}

/// Writes as `--save-snapshot` does.
fn write(account: &Account) -> io::Result<()> {
    let snapshot = Snapshot {
        schema: "patscan.snapshot/v1",
        tool: Tool {
            name: "patscan",
            version: env!("CARGO_PKG_VERSION"),
        },
        account,
    };
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, &snapshot)?;
    out.write_all(b"\n")?;
    out.flush()
}
