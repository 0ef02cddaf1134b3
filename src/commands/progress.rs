//! Live progress on standard error while an account is read: one line for each service.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Write as _};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Style};

use crate::collect::{Progress, Traffic, Unit};
use crate::config::Verbosity;

/// Shows progress on a terminal, and nothing anywhere else.
pub(super) struct TerminalProgress {
    lines: MultiProgress,
    services: Mutex<BTreeMap<&'static str, Service>>,
    traffic: Mutex<Option<Traffic>>,
    shown: bool,
    verbosity: Verbosity,
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
            traffic: Mutex::default(),
            shown,
            verbosity,
        }
    }

    /// Says what AWS was asked how often, to who wants to know more.
    pub(super) fn tell_traffic(&self) {
        let traffic = self.traffic.lock().ok().and_then(|mut sent| sent.take());
        if let Some(traffic) = traffic
            && self.verbosity >= Verbosity::Verbose
        {
            // Nothing depends on who reads it.
            let _ = io::stderr().write_all(table(&traffic).as_bytes());
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

/// One row for each service.
fn table(traffic: &Traffic) -> String {
    let mut rows = tabled::builder::Builder::default();
    rows.push_record([
        "",
        "calls",
        "sent again",
        "throttled",
        "failed",
        "waited",
        "took",
    ]);
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    for service in &traffic.services {
        rows.push_record([
            service.service.clone(),
            service.calls.to_string(),
            service.requests.saturating_sub(service.calls).to_string(),
            service.throttled.to_string(),
            service.failed.to_string(),
            seconds(service.waited),
            seconds(service.time),
        ]);
    }
    let mut table = rows.build();
    table
        .with(Style::blank())
        .modify(Columns::new(1..), Alignment::right());
    let lines = table.to_string();
    let mut text = "requests to AWS, by service:\n".to_owned();
    for line in lines.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
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

    fn told(&self, words: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.lines.suspend(|| super::explain(words));
        }
    }

    fn sent(&self, traffic: &Traffic) {
        if let Ok(mut sent) = self.traffic.lock() {
            *sent = Some(traffic.clone());
        }
    }

    fn finished(&self, unit: Unit<'_>) {
        self.update(unit, |service, region| {
            service.running.remove(region);
            service.finished += 1;
        });
    }
}
