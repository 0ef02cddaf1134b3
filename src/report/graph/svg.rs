//! The drawing as a picture of its own.
//!
//! Names are shortened to fit their node and whole in its title. Colours follow the reader's light or dark scheme; kinds
//! are told apart by shape and icon, lines by arrow and dash as well. What stands above the picture is as big as it must be
//! to be read when the whole fits a page.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::super::markup::escaped;
use super::super::text::{shorten, width};
use super::blocks::Blocks;
use super::layout::Layout;
use super::legend::legend;
use super::scene::scene;
use super::words;
use crate::graph::picture::fold::Drawing;

/// The style sheet of the picture.
pub(super) const STYLE: &str = include_str!("picture.css");
/// Icons and arrow heads.
pub(super) const DEFINITIONS: &str = include_str!("definitions.svg");

/// Loops that are listed above the picture.
const MOST_LISTED: usize = 30;
/// Columns of each name in the list of loops, and how few are worth it.
pub(super) const LISTED_COLUMNS: usize = 40;
const FEWEST_COLUMNS: usize = 10;
/// More loops than these are listed in several columns.
const MOST_IN_ONE_COLUMN: usize = 8;

const MARGIN: i64 = 24;
const LINE_HEIGHT: i64 = 18;
const LEGEND_WIDTH: i64 = 1080;
const KINDS_IN_A_ROW: i64 = 8;
const HEADING: i64 = 30;
/// The width in which what stands above a picture of blocks is set, a column of its loops, and the columns of text in it.
const HEAD_WIDTH: i64 = 1900;
const LOOPS_WIDTH: i64 = 940;
const LISTED_IN_A_COLUMN: usize = 124;

/// Writes the picture, legend and list of loops included.
pub(super) fn write(drawing: &Drawing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let blocks = Blocks::new(drawing);
    let layout = Layout::new(&blocks);
    // In tenths.
    let bigger = if blocks.is_cut() {
        (layout.width * 10 / HEAD_WIDTH).max(10)
    } else {
        10
    };
    let summary = words::summary(drawing);
    // Many loops of a picture of blocks are listed in columns, for the picture is wide.
    let many = blocks.is_cut() && drawing.loops.len() > MOST_IN_ONE_COLUMN;
    let room = if many { LISTED_IN_A_COLUMN } else { usize::MAX };
    let loops = listed(drawing, &blocks, MOST_LISTED, room);
    let in_a_row = if many {
        (layout.width * 10 / bigger / LOOPS_WIDTH).max(1)
    } else {
        1
    };
    let lines = |number: usize| i64::try_from(number).unwrap_or(0);
    let rows = (lines(loops.len()) + in_a_row - 1) / in_a_row;
    let legend = legend(&blocks, KINDS_IN_A_ROW);
    let baseline = MARGIN + 14;
    let loops_top = baseline + 24 + lines(summary.len()) * LINE_HEIGHT;
    let legend_top = loops_top + rows * LINE_HEIGHT;
    let head = (legend_top + legend.height) * bigger / 10 + 6;
    let top = head + HEADING;
    let width = layout.width.max(LEGEND_WIDTH * bigger / 10) + 2 * MARGIN;
    let height = top + layout.height + MARGIN;
    let left = MARGIN + (LEGEND_WIDTH - layout.width).max(0) / 2;
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="picture" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">"#
    )?;
    writeln!(
        out,
        "<title>Who sends to and receives from which queue</title>"
    )?;
    writeln!(out, "<style>\n{STYLE}</style>")?;
    writeln!(out, "<defs>\n{DEFINITIONS}</defs>")?;
    writeln!(
        out,
        r#"<rect class="paper" width="{width}" height="{height}"/>"#
    )?;
    writeln!(
        out,
        r#"<g transform="scale({}.{})">"#,
        bigger / 10,
        bigger % 10
    )?;
    writeln!(
        out,
        r#"<text class="headline" x="{MARGIN}" y="{baseline}">Who sends to and receives from which queue</text>"#
    )?;
    let below = |from: i64, row: i64| from + row * LINE_HEIGHT;
    for (line, row) in summary.iter().zip(0..) {
        writeln!(
            out,
            r#"<text class="text" x="{MARGIN}" y="{}">{}</text>"#,
            below(baseline + 24, row),
            escaped(line)
        )?;
    }
    for (line, place) in loops.iter().zip(0..) {
        writeln!(
            out,
            r#"<text class="alarm" x="{}" y="{}">{}</text>"#,
            MARGIN + place / rows.max(1) * LOOPS_WIDTH,
            below(loops_top, place % rows.max(1)),
            escaped(line)
        )?;
    }
    writeln!(
        out,
        r#"<g transform="translate({MARGIN} {legend_top})">{}</g></g>"#,
        legend.elements
    )?;
    writeln!(out, r#"<g transform="translate({left} {top})">"#)?;
    out.write_all(scene(&blocks, &layout).as_bytes())?;
    writeln!(out, "</g>\n</svg>")
}

/// The gravest loops with their number in the picture and where they begin, and how many there are besides; each in so many
/// columns.
pub(super) fn listed(
    drawing: &Drawing<'_>,
    blocks: &Blocks<'_>,
    most: usize,
    room: usize,
) -> Vec<String> {
    let loops = drawing.loops.iter().take(most).zip(1..);
    let mut lines: Vec<String> = loops
        .map(|(found, number)| {
            let home = found.path.first().and_then(|first| blocks.home_of(*first));
            let home = home.map(|title| format!("  (in {title})"));
            let line = |limit: usize| {
                format!(
                    "⟲ {number}  {}: {}{}",
                    words::loop_number(found),
                    words::path(drawing, found, limit),
                    home.as_deref().unwrap_or_default()
                )
            };
            // Every step is named, with as much of its name as there is room for.
            let mut limit = LISTED_COLUMNS;
            while width(&line(limit)) > room && limit > FEWEST_COLUMNS {
                limit -= 1;
            }
            shorten(&line(limit), room).into_owned()
        })
        .collect();
    let more = drawing.loops.len().saturating_sub(most);
    if more > 0 {
        lines.push(format!("⟲ and {more} more in red"));
    }
    for node in drawing.nodes.iter().filter(|node| node.undrawn_loops > 0) {
        let name = shorten(&words::name(drawing.picture, node), LISTED_COLUMNS).into_owned();
        lines.extend(words::undrawn_loops(node).map(|words| format!("⟲ {name}: {words}")));
    }
    lines
}

pub(super) fn add(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}
