//! `patscan schema FORMAT`: the JSON Schema of what patscan writes and reads, for editors and for whoever checks its output.

use anyhow::{Result, bail};
use schemars::Schema;

use super::Outcome;
use crate::account::snapshot_schema;
use crate::cli::SchemaArgs;
use crate::config::ConfigFile;
use crate::nearest::nearest_first;
use crate::report::{graph_schema, report_schema, sanitise};
use crate::triage::waiver_schema;

type Make = fn() -> Schema;

/// Every format that has one.
const SCHEMAS: [(&str, Make); 5] = [
    ("report", report_schema),
    ("snapshot", snapshot_schema),
    ("graph", graph_schema),
    ("config", ConfigFile::schema),
    ("waivers", waiver_schema),
];

pub(super) fn run(args: &SchemaArgs) -> Result<Outcome> {
    let Some((_, schema)) = SCHEMAS.iter().find(|(name, _)| *name == args.of) else {
        let nearest = nearest_first(&args.of, SCHEMAS.iter().map(|(name, _)| *name));
        let nearest = nearest.first().map_or("", String::as_str);
        bail!(
            "there is no schema of `{}`; did you mean `{nearest}`? There are report, snapshot, graph, config and waivers",
            sanitise(&args.of)
        );
    };
    let mut text = serde_json::to_vec_pretty(&schema())?;
    text.push(b'\n');
    super::write_stdout(&text)?;
    Ok(Outcome::Clean)
}
