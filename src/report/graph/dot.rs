//! The drawing for graphviz.
//!
//! Every name is a quoted string: in it only the quote ends the string and only the backslash begins an escape.

use std::io::{self, Write};

use super::super::text::shorten;
use super::words;
use crate::entity::{Certainty, Kind};
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Drawing, Fold, Part};

/// Columns of a name that are shown; the tooltip has all of it.
const MOST_OF_NAME: usize = 40;

/// Writes the drawing as a directed graph.
pub(super) fn write(drawing: &Drawing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let summary = words::summary(drawing).join("\n");
    writeln!(out, "digraph patscan {{")?;
    writeln!(out, "  rankdir=LR;")?;
    writeln!(out, "  label={};", quoted(&summary))?;
    writeln!(out, "  node [fontname=\"sans-serif\", fontsize=11];")?;
    writeln!(out, "  edge [fontname=\"sans-serif\", fontsize=11];")?;
    for (place, node) in drawing.nodes.iter().enumerate() {
        let name = words::name(drawing.picture, node);
        let caption = words::caption(drawing.picture, node);
        let label = format!(
            "{}\n{}",
            shorten(&name, MOST_OF_NAME),
            shorten(&caption, MOST_OF_NAME)
        );
        let title = words::title(drawing.picture, node).join("\n");
        write!(
            out,
            "  n{place} [label={}, tooltip={}, shape={}",
            quoted(&label),
            quoted(&title),
            shape(node.kind)
        )?;
        if node.fold != Fold::Single && node.members.len() > 1 {
            write!(out, ", peripheries=2")?;
        }
        if node.grade.is_some() {
            write!(out, ", color=red, penwidth=2")?;
        }
        writeln!(out, "];")?;
    }
    for line in &drawing.lines {
        let title = words::line_title(drawing, line).join("\n");
        write!(
            out,
            "  n{} -> n{} [label={}, tooltip={}, style={}, arrowhead={}",
            line.from,
            line.to,
            quoted(&words::rights(line)),
            quoted(&title),
            style(line.kind, line.certainty),
            arrow(line.kind)
        )?;
        if line.kind == EdgeKind::RunsAs || line.kind.becomes() {
            // What runs as a consumer, or may become one, does not feed it.
            write!(out, ", constraint=false")?;
        }
        if let Some(grade) = line.grade {
            write!(
                out,
                ", color=red, fontcolor=red, penwidth=2, xlabel={}",
                quoted(grade.as_str())
            )?;
        }
        writeln!(out, "];")?;
    }
    for found in &drawing.loops {
        let path = words::path(drawing, found, MOST_OF_NAME);
        writeln!(out, "  // loop ({}): {path}", words::loop_number(found))?;
    }
    writeln!(out, "}}")
}

fn shape(kind: Kind) -> &'static str {
    match (kind, Part::of(kind)) {
        (Kind::User, _) => "ellipse",
        (Kind::Service | Kind::Account | Kind::Anyone | Kind::Organization, _) => "octagon",
        (Kind::Topic, _) => "cds",
        (Kind::Bucket, _) => "invtrapezium",
        (Kind::Bus, _) => "parallelogram",
        (Kind::Stream | Kind::Broker, _) => "box3d",
        (Kind::Pipe, _) => "rarrow",
        (Kind::Schedule | Kind::Api | Kind::IotRule, _) => "house",
        (_, Part::Principal) => "box",
        (_, Part::Workload) => "component",
        (_, Part::Resource) => "cylinder",
    }
}

fn style(kind: EdgeKind, certainty: Certainty) -> &'static str {
    match (certainty, words::style(kind)) {
        (Certainty::Conditional, _) => "dashed",
        (_, "manage" | "redrives" | "runs-as" | "assumes" | "escalates") => "dotted",
        (_, "delivers") => "bold",
        _ => "solid",
    }
}

fn arrow(kind: EdgeKind) -> &'static str {
    match words::style(kind) {
        "receive" => "empty",
        "manage" => "odiamond",
        "runs-as" | "redrives" => "vee",
        "assumes" => "odotvee",
        "escalates" => "dotvee",
        _ => "normal",
    }
}

/// Text as a quoted string. Graphviz reads `\n` as a new line and character references as characters, so both the backslash
/// and the ampersand are escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '&' => quoted.push_str("&amp;"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
