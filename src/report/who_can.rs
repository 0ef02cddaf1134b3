//! The answer of `patscan who-can`: everyone who has a capability on a queue, each with its proof. `patscan.who-can/v1`.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::json::{self, CoverageView};
use super::{Coverage, Format, Style, table};
use crate::access::{Capability, Holder};
use crate::entity::{Certainty, Entity};

/// Everyone who has a capability on a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct WhoCan {
    /// The queue.
    pub queue: Entity,
    /// What they can do with it.
    pub deed: Deed,
    /// Who has it, in the order in which they are printed.
    pub holders: Vec<Holder>,
    /// What could not be read.
    pub coverage: Coverage,
}

/// What somebody can do with a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// One of the capabilities.
    Capability(Capability),
    /// Move the messages of a dead-letter queue back to where they come from.
    Redrive,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Capability(Capability::Send),
        Self::Capability(Capability::Receive),
        Self::Capability(Capability::Delete),
        Self::Capability(Capability::Purge),
        Self::Capability(Capability::Administer),
        Self::Redrive,
    ];

    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capability(capability) => capability.as_str(),
            Self::Redrive => "redrive",
        }
    }
}

#[derive(Serialize)]
struct WhoCanView<'a> {
    schema: &'static str,
    queue: &'a str,
    capability: &'static str,
    principals: Vec<HolderView<'a>>,
    coverage: CoverageView<'a>,
}

#[derive(Serialize)]
struct HolderView<'a> {
    arn: &'a str,
    kind: &'static str,
    verdict: &'static str,
    conditions: Vec<String>,
    workloads: Vec<&'a str>,
    because: Vec<StatementView<'a>>,
}

#[derive(Serialize)]
struct StatementView<'a> {
    layer: &'static str,
    policy: &'a str,
    statement: &'a str,
    effect: &'static str,
}

impl WhoCan {
    /// Writes the answer, buffered and flushed.
    ///
    /// # Errors
    /// Those of the writer, unchanged.
    pub fn write(&self, format: Format, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        match format {
            Format::Table => table::write_who_can(self, style, &mut out)?,
            _ => json::write_value(&self.view(), &mut out)?,
        }
        out.flush()
    }

    fn view(&self) -> WhoCanView<'_> {
        WhoCanView {
            schema: "patscan.who-can/v1",
            queue: &self.queue.arn,
            capability: self.deed.as_str(),
            principals: self.holders.iter().map(HolderView::of).collect(),
            coverage: CoverageView::of(&self.coverage),
        }
    }
}

impl<'a> HolderView<'a> {
    fn of(holder: &'a Holder) -> Self {
        Self {
            arn: &holder.entity.arn,
            kind: holder.entity.kind.as_str(),
            verdict: Certainty::of(&holder.when).as_str(),
            conditions: holder.when.conditions(),
            workloads: holder
                .workloads
                .iter()
                .map(|workload| &*workload.arn)
                .collect(),
            because: holder
                .because
                .iter()
                .map(|proof| StatementView {
                    layer: proof.layer.as_str(),
                    policy: &proof.policy,
                    statement: &proof.statement,
                    effect: proof.effect.as_str(),
                })
                .collect(),
        }
    }
}
