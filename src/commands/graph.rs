//! `patscan graph`: who sends to and receives from which queue, as `patscan.graph/v1`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::Serialize;

use super::{Outcome, accounts};
use crate::access::Access;
use crate::account::GapEffect;
use crate::cli::GraphArgs;
use crate::config::{Source, Verbosity};
use crate::finding::Kind;
use crate::graph::{Edge, Graph, Loop};

/// Edges that are drawn of one principal's right on queues on which it fares alike.
const MOST_EDGES: usize = 1000;

#[derive(Serialize)]
struct GraphFile<'a> {
    schema: &'static str,
    nodes: Vec<Node<'a>>,
    edges: Vec<EdgeLine<'a>>,
    loops: Vec<LoopLine>,
    /// What is left out of `edges` and `loops`: principals with the same right on a great many queues.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more: Vec<MoreLine<'a>>,
}

#[derive(Serialize)]
struct Node<'a> {
    id: &'a str,
    kind: &'static str,
    label: &'a str,
}

#[derive(Serialize)]
struct EdgeLine<'a> {
    from: &'a str,
    to: &'a str,
    kind: &'static str,
    verdict: &'static str,
    conditions: &'a [String],
}

#[derive(Serialize)]
struct MoreLine<'a> {
    principal: &'a str,
    kind: &'static str,
    number: u64,
}

#[derive(Serialize)]
struct LoopLine {
    grade: &'static str,
    path: Vec<String>,
}

pub(super) fn run(args: GraphArgs) -> Result<Outcome> {
    let (format, path) = match args.format.split_once('=') {
        Some((format, path)) if !path.is_empty() => (format, Some(path)),
        Some(_) => bail!("`{}` names no file; write `-f json=PATH`", args.format),
        None => (args.format.as_str(), None),
    };
    if format != "json" {
        bail!("there is no graph format `{format}`; choose `json`");
    }
    let verbosity: Verbosity = args.verbosity.into();
    let allow_incomplete = args.allow_incomplete;
    let source = Source::resolve(args.source)?;
    let path = path.map(PathBuf::from);
    source.keeps_apart_from(path.as_deref())?;
    let file = path.as_deref().map(super::open_file).transpose()?;
    let accounts = accounts::load(source, verbosity)?;
    let access = Access::compute(&accounts);
    let graph = Graph::new(&access);
    let text = json(&graph)?;
    match file {
        None => super::write_stdout(&text)?,
        Some(mut file) => file
            .file()
            .write_all(&text)
            .and_then(|()| file.commit())
            .map_err(|error| super::cannot_write(&path.unwrap_or_default(), &error))?,
    }
    let complete = accounts
        .iter()
        .all(|account| account.coverage.is_complete())
        && !access
            .gaps()
            .iter()
            .any(|(_, gap)| gap.effect == GapEffect::MayHide);
    if complete || allow_incomplete {
        return Ok(Outcome::Clean);
    }
    if verbosity >= Verbosity::Normal {
        super::explain(
            "exit 3: the graph is incomplete (an audit of the same source says what is missing; --allow-incomplete lifts this)",
        );
    }
    Ok(Outcome::Incomplete)
}

fn json(graph: &Graph<'_>) -> Result<Vec<u8>> {
    let edges: BTreeSet<Edge> = graph.edges(MOST_EDGES).collect();
    let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
    for entity in edges.iter().flat_map(|edge| [&edge.from, &edge.to]) {
        kinds.insert(&entity.arn, entity.kind);
    }
    // Queues that nobody uses and principals without rights on any are part of the picture too.
    for audited in &graph.access.queues {
        kinds.insert(audited.queue.arn.as_str(), Kind::Queue);
    }
    for principal in &graph.access.principals {
        kinds.insert(principal.arn.as_str(), principal.kind);
    }
    let mut loops = Vec::new();
    let undrawn = graph.undrawn(MOST_EDGES);
    let mut more: Vec<MoreLine<'_>> = undrawn
        .iter()
        .map(|((principal, kind), number)| MoreLine {
            principal: &principal.arn,
            kind: kind.as_str(),
            number: *number,
        })
        .collect();
    for found in graph.loops() {
        let shown = found.queues.iter().take(MOST_EDGES);
        loops.extend(shown.filter_map(|queue| loop_line(graph, found, queue as usize)));
        let left = found.queues.len().saturating_sub(MOST_EDGES as u64);
        if left > 0
            && let Some(principal) = graph.access.principals.get(found.principal)
        {
            more.push(MoreLine {
                principal: principal.arn.as_str(),
                kind: "loop",
                number: left,
            });
        }
    }
    let file = GraphFile {
        schema: "patscan.graph/v1",
        nodes: kinds
            .iter()
            .map(|(id, kind)| Node {
                id,
                kind: kind.as_str(),
                label: id.rsplit(['/', ':']).next().unwrap_or(id),
            })
            .collect(),
        edges: edges
            .iter()
            .map(|edge| EdgeLine {
                from: &edge.from.arn,
                to: &edge.to.arn,
                kind: edge.kind.as_str(),
                verdict: edge.certainty.as_str(),
                conditions: &edge.conditions,
            })
            .collect(),
        loops,
        more,
    };
    crate::report::to_json(&file)
}

/// From the queue to the principal and back; through the function where a delivery starts it.
fn loop_line(graph: &Graph<'_>, found: &Loop, queue: usize) -> Option<LoopLine> {
    let arn = graph.access.queues.get(queue)?.queue.arn.to_string();
    let principal = graph.access.principals.get(found.principal)?;
    let function = graph.delivered_to(found.principal, queue).next();
    let mut path = vec![arn.clone()];
    path.extend(function.map(|function| function.arn.to_string()));
    path.push(principal.arn.to_string());
    path.push(arn);
    Some(LoopLine {
        grade: found.grade.as_str(),
        path,
    })
}
