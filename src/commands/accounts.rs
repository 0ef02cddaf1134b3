//! Where accounts come from: AWS, or snapshot files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::explain;
use super::interrupt::Interruptions;
use super::progress::TerminalProgress;
use crate::account::{self, Account};
use crate::collect::{self, Options};
use crate::config::{Source, Verbosity};

/// The accounts of a source. A live account is kept in a snapshot first when that is asked for.
pub(super) fn load(source: Source, verbosity: Verbosity) -> Result<Vec<Account>> {
    match source {
        Source::Snapshots(files) => read(&files),
        Source::Live {
            options,
            save_snapshot,
        } => {
            let snapshot = save_snapshot
                .map(account::SnapshotFile::create)
                .transpose()?;
            let account = collect_live(&options, verbosity)?;
            if let Some(snapshot) = snapshot {
                snapshot.save(&account)?;
            }
            if let Some(keep) = &options.keep {
                put_away(&keep.path, account.coverage.is_complete(), verbosity);
            }
            Ok(vec![account])
        }
    }
}

/// Removes what was kept of a scan that is complete. That of another stays: a scan that goes on asks only for what is missing.
fn put_away(parts: &Path, is_complete: bool, verbosity: Verbosity) {
    if is_complete {
        // What stays behind is replaced by the next scan.
        let _ = std::fs::remove_file(parts);
    } else if verbosity >= Verbosity::Normal {
        explain("run it again with --resume to ask only for what is missing");
    }
}

/// Snapshots, each of another account.
fn read(files: &[PathBuf]) -> Result<Vec<Account>> {
    let mut accounts: Vec<(Account, &PathBuf)> = Vec::with_capacity(files.len());
    for file in files {
        let account = account::read(file)?;
        if let Some((_, other)) = accounts.iter().find(|(known, _)| known.id == account.id) {
            bail!(
                "`{}` and `{}` are both of account {}; give one snapshot for each account",
                other.display(),
                file.display(),
                account.id
            );
        }
        accounts.push((account, file));
    }
    let mut accounts: Vec<Account> = accounts.into_iter().map(|(account, _)| account).collect();
    accounts.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(accounts)
}

fn collect_live(options: &Options, verbosity: Verbosity) -> Result<Account> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the network runtime")?;
    let progress = TerminalProgress::new(verbosity);
    let interruptions = Interruptions::listen(options.stop.clone(), verbosity);
    let collected = runtime.block_on(collect::collect(options, &progress));
    interruptions.scan_is_over();
    progress.clear();
    progress.tell_traffic();
    Ok(collected?)
}
