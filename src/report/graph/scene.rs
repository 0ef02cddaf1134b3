//! Everything that stands in a picture, block by block: frames, headings, lines, nodes and the numbers of loops.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::super::markup::escaped;
use super::super::text::{shorten, width};
use super::blocks::{Block, Blocks};
use super::layout::{Frame, Heading, Layout, NODE_WIDTH, Place, Point};
use super::shapes::{icon, outline, part_class};
use super::svg::add;
use super::{numbers, words};
use crate::entity::Certainty;
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Fold, Line};

/// Words that the width of a title is reckoned with: a character is so many hundredths of its size wide.
const CHARACTER: i64 = 66;
/// Columns of the name and of the small print that fit a node.
const NAME_COLUMNS: usize = 21;
const CAPTION_COLUMNS: usize = 25;
/// Columns of the name that fit a node of a single line.
const LOW_NAME_COLUMNS: usize = 22;
/// From the edge of a frame to its title.
const TITLE_MARGIN: i64 = 26;

/// What stands in one block, by place.
#[derive(Default, Clone)]
struct Content<'a> {
    headings: Vec<&'a Heading>,
    lines: Vec<usize>,
    nodes: Vec<usize>,
    numbers: Vec<String>,
}

/// The whole picture, from the top left corner of the layout.
pub(super) fn scene(blocks: &Blocks<'_>, layout: &Layout) -> String {
    let mut scene = String::new();
    for (place, content) in contents(blocks, layout).into_iter().enumerate() {
        let frame = blocks.list.get(place).zip(layout.frames.get(place));
        if let Some((block, frame)) = frame {
            add_frame(&mut scene, place, block, *frame, layout.title);
        }
        for Heading { words, at, .. } in content.headings {
            let Point { x, y } = at;
            add(
                &mut scene,
                format_args!(r#"<text class="heading" x="{x}" y="{y}">{words}</text>"#),
            );
        }
        // Loops are drawn last, over everything that they cross.
        for in_loop in [false, true] {
            for line in &content.lines {
                let drawn = blocks
                    .drawing
                    .lines
                    .get(*line)
                    .zip(layout.routes.get(*line));
                if let Some((drawn, route)) = drawn
                    && drawn.grade.is_some() == in_loop
                {
                    add_line(&mut scene, blocks, *line, drawn, route);
                }
            }
        }
        for node in content.nodes {
            if let Some(at) = layout.places.get(node) {
                add_node(&mut scene, blocks, node, *at);
            }
        }
        for number in content.numbers {
            scene.push_str(&number);
        }
        if frame.is_some() {
            scene.push_str("</g>\n");
        }
    }
    scene
}

fn contents<'a>(blocks: &Blocks<'_>, layout: &'a Layout) -> Vec<Content<'a>> {
    let mut contents = vec![Content::default(); blocks.list.len().max(1)];
    for heading in &layout.headings {
        if let Some(content) = contents.get_mut(heading.block) {
            content.headings.push(heading);
        }
    }
    let block_of = |node: usize| blocks.block_of.get(node).copied().unwrap_or(0);
    for (place, line) in blocks.drawing.lines.iter().enumerate() {
        if let Some(content) = contents.get_mut(block_of(line.from)) {
            content.lines.push(place);
        }
    }
    for node in 0..blocks.drawing.nodes.len() {
        if let Some(content) = contents.get_mut(block_of(node)) {
            content.nodes.push(node);
        }
    }
    for (line, number) in numbers::numbers(blocks, layout) {
        let from = blocks.drawing.lines.get(line).map_or(0, |line| line.from);
        if let Some(content) = contents.get_mut(block_of(from)) {
            content.numbers.push(number);
        }
    }
    contents
}

/// Opens the group of a block: its frame, its title and how many loops begin in it.
fn add_frame(scene: &mut String, place: usize, block: &Block, frame: Frame, size: i64) {
    let Frame {
        x,
        y,
        width,
        height,
    } = frame;
    let loops = format!("⟲ {}", block.loops);
    let (badge, in_loop) = match block.loops {
        0 => (0, ""),
        _ => (columns(&loops) * size * CHARACTER / 100 + size, " in-loop"),
    };
    let room = width - 2 * TITLE_MARGIN - badge - if badge > 0 { size / 2 } else { 0 };
    let wished = columns(&block.title) * CHARACTER;
    let fitting = (room * 100 / wished.max(1)).clamp(size * 45 / 100, size);
    let most = usize::try_from(room * 100 / (fitting * CHARACTER).max(1)).unwrap_or(0);
    let (left, baseline) = (x + TITLE_MARGIN, y + TITLE_MARGIN + size * 85 / 100);
    add(
        scene,
        format_args!(
            concat!(
                r#"<g class="block{in_loop}" id="b{place}"><rect class="frame" x="{x}" y="{y}" width="{width}" height="{height}" rx="14"/>"#,
                r#"<g class="title" id="t{place}"><text class="block-title" x="{left}" y="{baseline}" font-size="{fitting}">{title}</text>"#,
                r#"<text class="block-caption" x="{left}" y="{below}" font-size="{small}">{caption}</text>"#
            ),
            in_loop = in_loop,
            place = place,
            x = x,
            y = y,
            width = width,
            height = height,
            left = left,
            baseline = baseline,
            fitting = fitting,
            title = escaped(&shorten(&block.title, most.max(4))),
            below = baseline + (size * 9 / 10).max(17),
            small = (size * 55 / 100).max(12),
            caption = block.caption(),
        ),
    );
    if badge > 0 {
        let right = x + width - TITLE_MARGIN;
        let (top, high) = (baseline - size, size * 13 / 10);
        add(
            scene,
            format_args!(
                r#"<g class="plate"><rect x="{}" y="{top}" width="{badge}" height="{high}" rx="{}"/><text x="{}" y="{baseline}" font-size="{size}">{loops}</text></g>"#,
                right - badge,
                high / 2,
                right - badge / 2
            ),
        );
    }
    add(
        scene,
        format_args!("<title>{}</title></g>", escaped(&block.title)),
    );
}

/// A name in so many columns: what the title of the block says already is left out first.
fn fitting<'a>(blocks: &Blocks<'_>, place: usize, name: &'a str, most: usize) -> Cow<'a, str> {
    let block = blocks
        .block_of
        .get(place)
        .and_then(|block| blocks.list.get(*block));
    let family = block.and_then(|block| block.family.as_deref());
    let rest = family.and_then(|family| name.strip_prefix(family));
    match rest {
        Some(rest) if width(name) > most && !rest.is_empty() => {
            Cow::Owned(shorten(&format!("…{rest}"), most).into_owned())
        }
        _ => shorten(name, most),
    }
}

fn columns(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(0)
}

fn add_node(scene: &mut String, blocks: &Blocks<'_>, place: usize, at: Place) {
    let drawing = &blocks.drawing;
    let Some(node) = drawing.nodes.get(place) else {
        return;
    };
    let Place {
        x,
        y,
        width,
        height,
    } = at;
    let is_folded = node.fold != Fold::Single && node.members.len() > 1;
    let is_repeated = blocks.is_repeated(place);
    let is_low = is_repeated || width < NODE_WIDTH;
    let part = part_class(node.kind);
    let in_loop = if node.grade.is_some() { " in-loop" } else { "" };
    let low = match (is_repeated, is_low) {
        (true, _) => " low repeated",
        (false, true) => " low",
        (false, false) => "",
    };
    let chosen = match node.members.as_slice() {
        [only] if drawing.picture.chosen.contains(only) => " chosen",
        _ => "",
    };
    let mut shape = String::new();
    if is_folded {
        let below = Place {
            x: x + 4,
            y: y + 4,
            ..at
        };
        shape.push_str(&outline(node.kind, below, "outline below"));
    }
    shape.push_str(&outline(node.kind, at, "outline"));
    let middle = y + height / 2;
    let name = words::name(drawing.picture, node);
    let mut title = words::title(drawing.picture, node);
    if is_repeated {
        title.extend(
            blocks
                .home_of(place)
                .map(|home| format!("stands in {home}")),
        );
    }
    let (icon_size, most, name_y) = if is_low {
        (14, LOW_NAME_COLUMNS, middle + 4)
    } else {
        (18, NAME_COLUMNS, middle - 3)
    };
    let text_x = x + 18 + icon_size;
    let caption = if is_low {
        String::new()
    } else {
        let caption = match node.undrawn_loops {
            0 => words::caption(drawing.picture, node),
            number => format!("⟲ {number} loops not drawn"),
        };
        format!(
            r#"<text class="caption" x="{text_x}" y="{}">{}</text>"#,
            middle + 12,
            escaped(&shorten(&caption, CAPTION_COLUMNS))
        )
    };
    add(
        scene,
        format_args!(
            concat!(
                r##"<g class="node {part}{in_loop}{low}{chosen}" id="n{place}">{shape}"##,
                r##"<use class="icon" href="#icon-{icon}" x="{icon_x}" y="{icon_y}" width="{icon_size}" height="{icon_size}"/>"##,
                r##"<text class="name" x="{text_x}" y="{name_y}">{name}</text>"##,
                r##"{caption}<title>{title}</title></g>"##
            ),
            part = part,
            in_loop = in_loop,
            low = low,
            chosen = chosen,
            place = place,
            shape = shape,
            icon = icon(node.kind),
            icon_x = x + 11,
            icon_y = middle - icon_size / 2,
            icon_size = icon_size,
            text_x = text_x,
            name_y = name_y,
            name = escaped(&fitting(blocks, place, &name, most)),
            caption = caption,
            title = escaped(&title.join("\n"))
        ),
    );
}

fn add_line(
    scene: &mut String,
    blocks: &Blocks<'_>,
    place: usize,
    line: &Line<'_>,
    route: &[Point],
) {
    let kind = words::style(line.kind);
    let (conditional, head) = match (line.certainty, line.grade) {
        (Certainty::Conditional, None) => (" conditional", kind),
        (Certainty::Conditional, Some(_)) => (" conditional loop", "loop"),
        (Certainty::Allowed, None) => ("", kind),
        (Certainty::Allowed, Some(_)) => (" loop", "loop"),
    };
    let head = if head == "loop" && line.kind == EdgeKind::Receive {
        "loop-open"
    } else {
        head
    };
    // What runs as somebody and stands below it has no line.
    if route.is_empty() {
        return;
    }
    let title = words::line_title(&blocks.drawing, line).join("\n");
    add(
        scene,
        format_args!(
            r#"<g class="line {kind}{conditional}" id="l{place}"><path d="{}" marker-end="url(#to-{head})"/>{}<title>{}</title></g>"#,
            curve(route),
            diamond(line, route),
            escaped(&title)
        ),
    );
}

/// A path through the points that leaves and enters each of them level.
fn curve(route: &[Point]) -> String {
    let mut curve = String::new();
    let Some(first) = route.first() else {
        return curve;
    };
    let _ = write!(curve, "M{} {}", first.x, first.y);
    for (from, to) in route.iter().zip(route.iter().skip(1)) {
        if from.y == to.y && from.x != to.x {
            let _ = write!(curve, "H{}", to.x);
            continue;
        }
        let (one, other) = if from.x == to.x {
            let bulge = 26 + ((to.y - from.y).abs() / 8).min(50);
            (from.x + bulge, to.x + bulge)
        } else {
            let half = (to.x - from.x) / 2;
            (from.x + half, to.x - half)
        };
        let _ = write!(
            curve,
            "C{one} {} {other} {} {} {}",
            from.y, to.y, to.x, to.y
        );
    }
    curve
}

/// The mark at the principal's end of a line whose principal may administer the queue as well.
fn diamond(line: &Line<'_>, route: &[Point]) -> String {
    if !line.also_administers() {
        return String::new();
    }
    let (end, next) = if line.kind == EdgeKind::Receive {
        (route.last(), route.iter().rev().nth(1))
    } else {
        (route.first(), route.get(1))
    };
    let (Some(end), Some(next)) = (end, next) else {
        return String::new();
    };
    let x = end.x + if next.x < end.x { -17 } else { 12 };
    format!(
        r#"<path class="mark" d="M{} {}l5 -4l5 4l-5 4z"/>"#,
        x - 3,
        end.y
    )
}
