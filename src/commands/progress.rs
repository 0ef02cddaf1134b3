//! Live progress on standard error while an account is read: one line for each service.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::collect::{Progress, Unit};
use crate::config::Verbosity;

/// Shows progress on a terminal, and nothing anywhere else.
pub(super) struct TerminalProgress {
    lines: MultiProgress,
    services: Mutex<BTreeMap<&'static str, Service>>,
    shown: bool,
}

struct Service {
    line: ProgressBar,
    running: BTreeSet<String>,
    finished: usize,
    known: usize,
    done: usize,
}

impl TerminalProgress {
    pub(super) fn new(verbosity: Verbosity) -> Self {
        // With every call logged, a moving line would only be torn apart.
        let shown = io::stderr().is_terminal() && verbosity == Verbosity::Normal
            || verbosity == Verbosity::Verbose && io::stderr().is_terminal();
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            lines: MultiProgress::with_draw_target(target),
            services: Mutex::new(BTreeMap::new()),
            shown,
        }
    }

    /// Takes the lines off the terminal.
    pub(super) fn clear(&self) {
        if self.shown {
            // A terminal that cannot be cleared is no reason to fail.
            let _ = self.lines.clear();
        }
    }

    fn update(&self, unit: Unit<'_>, change: impl FnOnce(&mut Service, &str)) {
        if !self.shown {
            return;
        }
        let Ok(mut services) = self.services.lock() else {
            return;
        };
        let service = services.entry(unit.service).or_insert_with(|| {
            let line = self.lines.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:9} {wide_msg}") {
                line.set_style(style);
            }
            line.set_prefix(unit.service);
            line.enable_steady_tick(Duration::from_millis(120));
            Service {
                line,
                running: BTreeSet::new(),
                finished: 0,
                known: 0,
                done: 0,
            }
        });
        change(service, unit.region.unwrap_or("global"));
        service.line.set_message(service.message());
    }
}

impl Service {
    fn message(&self) -> String {
        let mut parts = vec![match self.known {
            0 => format!("{} read", self.done),
            known => format!("{} of {known} read", self.done),
        }];
        if self.finished > 0 {
            parts.push(format!("{} done", count_regions(self.finished)));
        }
        if !self.running.is_empty() {
            let running: Vec<&str> = self.running.iter().map(String::as_str).collect();
            parts.push(format!("now {}", running.join(", ")));
        }
        parts.join(", ")
    }
}

fn count_regions(number: usize) -> String {
    if number == 1 {
        "1 region".to_owned()
    } else {
        format!("{number} regions")
    }
}

impl Progress for TerminalProgress {
    fn started(&self, unit: Unit<'_>) {
        self.update(unit, |service, region| {
            service.running.insert(region.to_owned());
        });
    }

    fn known(&self, unit: Unit<'_>, total: usize) {
        self.update(unit, |service, _| service.known += total);
    }

    fn advanced(&self, unit: Unit<'_>, by: usize) {
        self.update(unit, |service, _| service.done += by);
    }

    fn finished(&self, unit: Unit<'_>) {
        self.update(unit, |service, region| {
            service.running.remove(region);
            service.finished += 1;
        });
    }
}
