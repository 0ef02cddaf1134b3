//! Ctrl-C, and what a scheduler sends before it kills: the first ends a scan with what is there, the second ends the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::explain;
use crate::collect::Stop;
use crate::config::Verbosity;

/// The exit code of a program that ended because of Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

/// Listens for as long as the program runs.
pub(super) struct Interruptions {
    ends_program: Arc<AtomicBool>,
}

impl Interruptions {
    /// Begins to listen. Where that cannot be done, Ctrl-C ends the program as ever.
    pub(super) fn listen(stop: Stop, verbosity: Verbosity) -> Self {
        let ends_program = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&ends_program);
        let _ = ctrlc::set_handler(move || {
            if ends.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED);
            }
            stop.now();
            if verbosity >= Verbosity::Normal {
                explain("stopping; what was read so far is reported (once more to end at once)");
            }
        });
        Self { ends_program }
    }

    /// From now on there is nothing to end but the program.
    pub(super) fn scan_is_over(&self) {
        self.ends_program.store(true, Ordering::Relaxed);
    }
}
