//! The drawing as one page to walk around in: move, zoom, search, open what is folded, see the conditions of every line.
//!
//! The page loads nothing and may run nothing but its own style sheet and script, which its policy names by their hashes.
//! What came from AWS stands in it as escaped text, and as data that the script only ever sets as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::super::markup::{escaped, source_hash, write_data};
use super::super::sanitise;
use super::blocks::Blocks;
use super::layout::Layout;
use super::legend::legend;
use super::numbers::MOST_NUMBERED;
use super::scene::scene;
use super::svg::{DEFINITIONS, STYLE, listed};
use super::words;
use crate::entity::Certainty;
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Drawing, Line};
use crate::graph::picture::{Picture, Reach};

const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What the script knows: lists that name each other by place, so that a page of thousands of lines stays small.
#[derive(Serialize)]
struct Data<'a> {
    nodes: Vec<NodeData>,
    /// For each node that is drawn again in another block, after the others: which one it is, and the block.
    again: Vec<(usize, usize)>,
    /// For each line that is drawn again, after the others: which one it is.
    lines_again: &'a [usize],
    /// What big drawings are cut into.
    blocks: Vec<BlockData<'a>>,
    /// Every node of the picture: kind, name, full name.
    members: Vec<(&'static str, String, String)>,
    lines: Vec<LineData>,
    conditions: Vec<String>,
    /// For each loop that is drawn: its words and its nodes.
    loops: Vec<(String, &'a [usize])>,
    /// For members whose lines are left out: kind of right, on how many, on how many of them under conditions.
    rights: BTreeMap<usize, Vec<(&'static str, u64, u64)>>,
    /// Which workload runs as which principal, by member: folded lines do not tell.
    runs: Vec<(usize, usize)>,
}

#[derive(Serialize)]
struct BlockData<'a> {
    title: &'a str,
    caption: String,
    loops: usize,
    x: i64,
    y: i64,
    width: i64,
    height: i64,
}

#[derive(Serialize)]
struct NodeData {
    name: String,
    block: usize,
    caption: String,
    note: String,
    members: Vec<usize>,
    x: i64,
    /// The middle.
    y: i64,
    height: i64,
}

#[derive(Serialize)]
struct LineData {
    from: usize,
    to: usize,
    grade: Option<&'static str>,
    /// Kind and the places of its conditions; none when it holds always.
    rights: Vec<(String, Option<Vec<usize>>)>,
}

/// Writes the page.
pub(super) fn write(drawing: &Drawing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let blocks = Blocks::new(drawing);
    let layout = Layout::new(&blocks);
    let style = format!("\n{STYLE}{PAGE_STYLE}");
    let script = format!("\n{SCRIPT}");
    let summary = words::summary(drawing);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"
    )?;
    writeln!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; script-src '{}'; \
         base-uri 'none'; form-action 'none'\">",
        source_hash(&style),
        source_hash(&script)
    )?;
    writeln!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    )?;
    writeln!(out, "<meta name=\"color-scheme\" content=\"light dark\">")?;
    writeln!(
        out,
        "<title>patscan: who sends to and receives from which queue</title>"
    )?;
    writeln!(out, "<style>{style}</style>\n</head>\n<body>")?;
    writeln!(
        out,
        r#"<div id="view"><svg id="picture" class="picture" data-width="{}" data-height="{}" data-title="{}" role="img" aria-label="The graph"><defs>"#,
        layout.width, layout.height, layout.title
    )?;
    writeln!(out, "{DEFINITIONS}</defs>\n<g id=\"scene\">")?;
    out.write_all(scene(&blocks, &layout).as_bytes())?;
    writeln!(out, "</g>\n</svg></div>")?;
    writeln!(
        out,
        "<aside>\n<h1>Who sends to and receives from which queue</h1>"
    )?;
    for line in &summary {
        writeln!(out, "<p>{}</p>", escaped(line))?;
    }
    writeln!(
        out,
        "<p class=\"tools\"><input id=\"search\" type=\"search\" placeholder=\"Name or ARN\" aria-label=\"Search names and ARNs\">\
         <button id=\"closer\" title=\"Closer\">+</button><button id=\"farther\" title=\"Farther\">−</button>\
         <button id=\"all\" title=\"Show all\">All</button></p>"
    )?;
    writeln!(
        out,
        "<div id=\"told\" aria-live=\"polite\"></div>\n<div id=\"start\">"
    )?;
    let loops = listed(drawing, &blocks, MOST_NUMBERED, usize::MAX);
    if !loops.is_empty() {
        writeln!(out, "<h2>Loops</h2>\n<ul id=\"loops\">")?;
        let numbered = drawing.loops.len().min(MOST_NUMBERED);
        for (place, line) in loops.iter().enumerate() {
            let class = if place < numbered { "found" } else { "more" };
            writeln!(out, "<li class=\"{class}\">{}</li>", escaped(line))?;
        }
        writeln!(out, "</ul>")?;
    }
    if blocks.is_cut() {
        writeln!(
            out,
            "<h2 class=\"parts\">Parts</h2>\n<ul id=\"parts\" class=\"parts\">"
        )?;
        for block in &blocks.list {
            let loops = match block.loops {
                0 => String::new(),
                number => format!(" <b class=\"red\">⟲ {number}</b>"),
            };
            writeln!(
                out,
                "<li>{}{loops} <span class=\"small\">{}</span></li>",
                escaped(&block.title),
                block.caption()
            )?;
        }
        writeln!(out, "</ul>")?;
    }
    let legend = legend(&blocks, 2);
    writeln!(
        out,
        "<h2>Legend</h2>\n<svg class=\"picture legend\" viewBox=\"-4 -4 290 {height}\" width=\"290\" height=\"{height}\" role=\"img\" aria-label=\"Legend\">{}</svg>",
        legend.elements,
        height = legend.height + 8
    )?;
    writeln!(
        out,
        "<p class=\"hint\">Drag to move, turn the wheel to zoom. A click on a node shows its lines with their conditions, and opens it where \
         several are folded into one. The arrow keys move, + and - zoom, 0 shows all.</p>\n</div>\n</aside>"
    )?;
    write!(out, "<script id=\"data\" type=\"application/json\">")?;
    write_data(&data(drawing, &blocks, &layout), out)?;
    writeln!(
        out,
        "</script>\n<script>{script}</script>\n</body>\n</html>"
    )
}

fn data<'a>(drawing: &'a Drawing<'_>, blocks: &'a Blocks<'_>, layout: &Layout) -> Data<'a> {
    let picture = drawing.picture;
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut conditions = Vec::new();
    let lines = drawing
        .lines
        .iter()
        .map(|line| line_data(line, &mut places, &mut conditions))
        .collect();
    let nodes = drawing.nodes.iter().zip(&layout.places);
    let own = drawing.nodes.len();
    let copies = blocks.origin.iter().zip(&blocks.block_of).skip(own);
    Data {
        again: copies.map(|(node, block)| (*node, *block)).collect(),
        lines_again: blocks
            .line_origin
            .get(drawing.lines.len()..)
            .unwrap_or_default(),
        blocks: blocks
            .list
            .iter()
            .zip(&layout.frames)
            .map(|(block, frame)| BlockData {
                title: &block.title,
                caption: block.caption(),
                loops: block.loops,
                x: frame.x,
                y: frame.y,
                width: frame.width,
                height: frame.height,
            })
            .collect(),
        nodes: nodes
            .zip(&blocks.block_of)
            .map(|((node, place), block)| NodeData {
                block: *block,
                name: words::name(picture, node),
                caption: words::caption(picture, node),
                note: words::undrawn_loops(node).unwrap_or_default(),
                members: node.members.clone(),
                x: place.x,
                y: place.y + place.height / 2,
                height: place.height,
            })
            .collect(),
        members: picture
            .nodes
            .iter()
            .map(|node| {
                let full = sanitise(&node.id).into_owned();
                (node.kind.as_str(), words::label(node).into_owned(), full)
            })
            .collect(),
        lines,
        conditions,
        loops: drawing
            .loops
            .iter()
            .map(|found| (words::loop_number(found), found.path.as_slice()))
            .collect(),
        rights: rights_of_many(picture),
        runs: picture
            .edges
            .iter()
            .filter(|arrow| arrow.kind == EdgeKind::RunsAs)
            .map(|arrow| (arrow.from, arrow.to))
            .collect(),
    }
}

/// For each node that reaches much its rights by kind: on how many, and on how many of them under conditions.
fn rights_of_many(picture: &Picture) -> BTreeMap<usize, Vec<(&'static str, u64, u64)>> {
    let reaches_much = |node: usize| {
        let node = picture.nodes.get(node);
        node.is_some_and(|node| node.reach != Reach::Some)
    };
    let mut rights: BTreeMap<usize, BTreeMap<EdgeKind, (u64, u64)>> = BTreeMap::new();
    for arrow in picture
        .edges
        .iter()
        .filter(|arrow| arrow.kind != EdgeKind::RunsAs)
    {
        for node in [arrow.from, arrow.to] {
            if reaches_much(node) {
                let known = rights
                    .entry(node)
                    .or_default()
                    .entry(arrow.kind)
                    .or_default();
                known.0 += 1;
                known.1 += u64::from(arrow.certainty == Certainty::Conditional);
            }
        }
    }
    for more in &picture.more {
        if let (Some(kind), Some(known)) = (more.kind, rights.get_mut(&more.node)) {
            known.entry(kind).or_default().0 += more.number;
        }
    }
    let rights = rights.into_iter().map(|(node, kinds)| {
        let kinds = kinds.into_iter();
        let told = kinds.map(|(kind, (number, some))| (kind.as_str(), number, some));
        (node, told.collect())
    });
    rights.collect()
}

fn line_data<'a>(
    line: &Line<'a>,
    places: &mut BTreeMap<&'a str, usize>,
    conditions: &mut Vec<String>,
) -> LineData {
    let mut place_of = |text: &'a str| {
        *places.entry(text).or_insert_with(|| {
            conditions.push(sanitise(text).into_owned());
            conditions.len() - 1
        })
    };
    let rights = line.rights.iter().map(|right| {
        let when = (right.certainty == Certainty::Conditional)
            .then(|| right.conditions.iter().map(|text| place_of(text)).collect());
        let kind = words::by_ways(right);
        let kind = kind.unwrap_or_else(|| right.kind.as_str().to_owned());
        (kind, when)
    });
    LineData {
        from: line.from,
        to: line.to,
        grade: line.grade.map(crate::entity::Grade::as_str),
        rights: rights.collect(),
    }
}
