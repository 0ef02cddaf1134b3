//! Pictures of the graph: one file per format.
//!
//! JSON is the whole [`Picture`]; the others draw what [`Drawing`] folds it to. Names and conditions come from AWS, so each
//! format first makes hidden characters visible and then escapes what it gives a meaning to.

mod blocks;
mod columns;
mod communities;
mod cutting;
mod dot;
mod families;
mod heights;
mod html;
mod json;
mod layout;
mod legend;
mod mermaid;
mod numbers;
mod order;
mod packing;
mod piece;
mod scene;
mod shapes;
mod svg;
mod words;

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::str::FromStr;

pub use self::json::graph_schema;
use super::sanitise;
use crate::graph::picture::Picture;
use crate::graph::picture::fold::Drawing;

/// A way to write a picture of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GraphFormat {
    /// For programs: `patscan.graph/v1`.
    #[default]
    Json,
    /// For graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
    /// A picture.
    Svg,
    /// A picture to walk around in, in one file.
    Html,
}

impl GraphFormat {
    /// Every format, the default first.
    pub const ALL: [Self; 5] = [Self::Json, Self::Dot, Self::Mermaid, Self::Svg, Self::Html];

    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Dot => "dot",
            Self::Mermaid => "mermaid",
            Self::Svg => "svg",
            Self::Html => "html",
        }
    }
}

impl fmt::Display for GraphFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no format of graphs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no graph format `{0}`; choose `json`, `dot`, `mermaid`, `svg` or `html`")]
pub struct UnknownGraphFormat(String);

impl FromStr for GraphFormat {
    type Err = UnknownGraphFormat;
    fn from_str(word: &str) -> Result<Self, UnknownGraphFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| UnknownGraphFormat(sanitise(word).into_owned()))
    }
}

/// Writes a picture, buffered and flushed. The same picture gives the same bytes.
///
/// # Errors
/// Those of the writer, unchanged, so that the caller can tell a broken pipe.
pub fn write_picture(
    picture: &Picture,
    format: GraphFormat,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    match format {
        GraphFormat::Json => json::write(picture, &mut out)?,
        GraphFormat::Dot => dot::write(&Drawing::new(picture), &mut out)?,
        GraphFormat::Mermaid => mermaid::write(&Drawing::new(picture), &mut out)?,
        GraphFormat::Svg => svg::write(&Drawing::new(picture), &mut out)?,
        GraphFormat::Html => html::write(&Drawing::new(picture), &mut out)?,
    }
    out.flush()
}

#[cfg(test)]
mod tests;
