//! Any bytes as a snapshot file; what can be read, and is small, is audited and drawn.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use patscan::account;
use patscan::audit::audit;
use patscan::rules::Settings;

fuzz_target!(|data: &[u8]| {
    let account = match account::from_slice(data, Path::new("snapshot.json")) {
        Ok(account) => account,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    if account.users.len() + account.roles.len() > 16 || account.queues.len() > 16 {
        return;
    }
    let at = account.scanned_at;
    let _ = audit(&[account], &Settings::default(), at);
});
