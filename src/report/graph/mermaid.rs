//! The drawing as a Mermaid flowchart, for Markdown.
//!
//! Mermaid reads Markdown, HTML and its own words in labels; every character that is not a letter, a digit or one of a few
//! harmless signs is therefore written as a numeric entity.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::super::text::shorten;
use super::words;
use crate::entity::{Certainty, Kind};
use crate::graph::picture::fold::{Drawing, Fold, Part};

/// Columns of a name that are shown: Mermaid has no titles.
const MOST_OF_NAME: usize = 40;

/// Writes the drawing as a flowchart from left to right.
pub(super) fn write(drawing: &Drawing<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "flowchart LR")?;
    for line in words::summary(drawing) {
        writeln!(out, "  %% {line}")?;
    }
    let mut in_loops = Vec::new();
    for (place, node) in drawing.nodes.iter().enumerate() {
        let name = words::name(drawing.picture, node);
        let caption = words::caption(drawing.picture, node);
        let (open, close) = shape(node.kind, node.fold);
        writeln!(
            out,
            "  n{place}{open}\"{}<br/>{}\"{close}",
            escaped(&shorten(&name, MOST_OF_NAME)),
            escaped(&shorten(&caption, MOST_OF_NAME))
        )?;
        if node.grade.is_some() {
            in_loops.push(format!("n{place}"));
        }
    }
    let mut red = Vec::new();
    for (place, line) in drawing.lines.iter().enumerate() {
        let mut label = words::rights(line);
        if line.certainty == Certainty::Conditional {
            label.push_str(" under conditions");
        }
        if let Some(grade) = line.grade {
            label.push_str(" · loop ");
            label.push_str(grade.as_str());
            red.push(place.to_string());
        }
        let arrow = match (line.certainty, words::style(line.kind)) {
            (Certainty::Conditional, _)
            | (_, "manage" | "redrives" | "runs-as" | "assumes" | "escalates") => "-.->",
            (_, "delivers") => "==>",
            _ => "-->",
        };
        writeln!(
            out,
            "  n{} {arrow}|\"{}\"| n{}",
            line.from,
            escaped(&label),
            line.to
        )?;
    }
    if !in_loops.is_empty() {
        writeln!(out, "  classDef loop stroke:#c8102e,stroke-width:3px")?;
        writeln!(out, "  class {} loop", in_loops.join(","))?;
    }
    if !red.is_empty() {
        writeln!(
            out,
            "  linkStyle {} stroke:#c8102e,stroke-width:3px",
            red.join(",")
        )?;
    }
    Ok(())
}

fn shape(kind: Kind, fold: Fold) -> (&'static str, &'static str) {
    match (kind, fold, Part::of(kind)) {
        (_, Fold::Administrators | Fold::Wide | Fold::Alike | Fold::Idle, Part::Principal) => {
            ("[[", "]]")
        }
        (Kind::User, ..) => ("(", ")"),
        (Kind::Service | Kind::Account | Kind::Anyone | Kind::Organization, ..) => ("{{", "}}"),
        (Kind::Topic, ..) => (">", "]"),
        (Kind::Bucket, ..) => ("[\\", "/]"),
        (Kind::Bus, ..) => ("[/", "\\]"),
        (Kind::Pipe, ..) => ("([", "])"),
        (_, _, Part::Principal) => ("[", "]"),
        (_, _, Part::Workload) => ("[/", "/]"),
        (_, _, Part::Resource) => ("[(", ")]"),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_alphanumeric() || " -_.,:/@+·…".contains(character) {
            escaped.push(character);
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "#{};", u32::from(character));
        }
    }
    escaped
}
