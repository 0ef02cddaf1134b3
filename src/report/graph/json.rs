//! `patscan.graph/v1`: the graph for programs, with nothing folded.

use std::io::{self, Write};

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::super::json::write_value;
use crate::graph::picture::{Cycle, Picture};
use crate::schema;

const SCHEMA: &str = "patscan.graph/v1";

/// The JSON Schema of a graph.
pub fn graph_schema() -> Schema {
    schema::of_what_is_written::<GraphView<'static>>()
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Graph", title = "patscan.graph/v1")]
struct GraphView<'a> {
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    nodes: Vec<NodeView<'a>>,
    edges: Vec<EdgeView<'a>>,
    loops: Vec<LoopView<'a>>,
    /// What is left out of `edges` and `loops`: principals that reach a great many alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more: Vec<MoreView<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Node")]
struct NodeView<'a> {
    id: &'a str,
    kind: &'static str,
    label: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Edge")]
struct EdgeView<'a> {
    from: &'a str,
    to: &'a str,
    kind: &'static str,
    #[schemars(extend("enum" = ["allowed", "conditional"]))]
    verdict: &'static str,
    conditions: &'a [String],
    /// By which actions, for those that escalate.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ways: &'a [&'static str],
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Loop")]
struct LoopView<'a> {
    #[schemars(extend("enum" = ["wired", "permitted", "conditional"]))]
    grade: &'static str,
    path: Vec<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "More")]
struct MoreView<'a> {
    principal: &'a str,
    kind: &'static str,
    number: u64,
}

/// Writes the picture, pretty-printed, with a final newline.
pub(super) fn write(picture: &Picture, out: &mut dyn Write) -> io::Result<()> {
    let id = |node: usize| picture.nodes.get(node).map_or("", |node| &*node.id);
    let view = GraphView {
        schema: SCHEMA,
        nodes: picture
            .nodes
            .iter()
            .map(|node| NodeView {
                id: &node.id,
                kind: node.kind.as_str(),
                label: node.label(),
            })
            .collect(),
        edges: picture
            .edges
            .iter()
            .map(|arrow| EdgeView {
                from: id(arrow.from),
                to: id(arrow.to),
                kind: arrow.kind.as_str(),
                verdict: arrow.certainty.as_str(),
                conditions: &arrow.conditions,
                ways: &arrow.ways,
            })
            .collect(),
        loops: picture
            .loops
            .iter()
            .map(|Cycle { grade, path }| LoopView {
                grade: grade.as_str(),
                path: path.iter().map(|node| id(*node)).collect(),
            })
            .collect(),
        more: picture
            .more
            .iter()
            .map(|more| MoreView {
                principal: id(more.node),
                kind: more.word(),
                number: more.number,
            })
            .collect(),
    };
    write_value(&view, out)
}
