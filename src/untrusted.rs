//! Every reader of text that somebody else wrote, each under a name and by itself: what the fuzzers run for hours and the tests
//! for seconds, so that neither knows of one that the other does not.
//!
//! A reader gives nothing back. It must end soon, without a panic, whatever it is given; what it makes of the text is the
//! business of other tests.

use std::io::BufReader;
use std::path::Path;

use crate::policy::{Document, PolicyKind};
use crate::triage::Baseline;
use crate::{access, account, arn, collect, commands, config, publish, report, triage};

/// A reader.
pub type Reader = fn(&[u8]);

/// Every reader, by the name of its fuzz target.
pub const READERS: [(&str, Reader); 13] = [
    ("arn", |data| {
        with_text(data, |text| {
            if let Ok(arn) = arn::Arn::parse(text) {
                let _ = (arn.service(), arn.region(), arn.account(), arn.name());
            }
            let _ = arn::AccountId::parse(text);
        });
    }),
    ("config", |data| {
        with_text(data, |text| {
            if let Err(error) = config::ConfigFile::parse(text, Path::new("patscan.toml")) {
                let _ = error.to_string();
            }
        });
    }),
    ("document", |data| {
        with_text(data, |text| {
            for kind in [
                PolicyKind::Identity,
                PolicyKind::Resource,
                PolicyKind::Trust,
            ] {
                let _ = Document::parse(text, kind);
            }
        });
    }),
    ("event_pattern", |data| {
        with_text(data, |text| {
            let (pattern, bucket) = text.split_once('\0').unwrap_or((text, "bucket"));
            access::read_event_pattern(pattern, bucket);
        });
    }),
    ("integration", |data| {
        with_text(data, collect::untrusted::integration);
    }),
    ("journal", collect::untrusted::journal),
    ("queue_attributes", |data| {
        with_text(data, collect::untrusted::queue_attributes);
    }),
    ("queue_url", |data| {
        with_text(data, collect::untrusted::queue_url);
    }),
    ("report", |data| {
        if let Err(error) = report::read(data) {
            let _ = error.to_string();
        }
        if let Ok(baseline) = Baseline::from_slice(data) {
            let _ = baseline.against(&baseline);
        }
        let _ = account::from_slice(data, Path::new("snapshot.json"));
    }),
    ("simulate", |data| {
        let _ = commands::simulate::decide_lines(BufReader::new(data), std::io::sink());
    }),
    ("state_machine", |data| {
        with_text(data, collect::untrusted::state_machine);
    }),
    ("values", |data| {
        with_text(data, |text| {
            if let Err(error) = publish::Destination::parse(text) {
                let _ = error.to_string();
            }
            let _ = text.parse::<collect::Skippable>();
            let _ = text.parse::<triage::Fingerprint>();
            let _ = humantime::parse_duration(text);
            let _ = report::sanitise(text);
        });
    }),
    ("waivers", |data| {
        with_text(data, |text| {
            if let Err(error) = triage::parse_waivers(text, Path::new("waivers.toml"), true) {
                let _ = error.to_string();
            }
        });
    }),
];

/// Runs the reader of a name; without one there is nothing to run.
pub fn read(name: &str, data: &[u8]) {
    if let Some((_, reader)) = READERS.iter().find(|(known, _)| *known == name) {
        reader(data);
    }
}

fn with_text(data: &[u8], reader: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        reader(text);
    }
}
