//! The drawing as a picture of its own, and the parts of it that the HTML page shows too.
//!
//! Names are shortened to fit their node and whole in its title. Colours follow the reader's light or dark scheme; kinds
//! are told apart by shape and icon, lines by arrow and dash as well.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::super::text::shorten;
use super::layout::{Layout, NODE_WIDTH, Place, Point};
use super::{numbers, words};
use crate::entity::{Certainty, Kind};
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Drawing, Drawn, Fold, Line, Part};

/// The style sheet of the picture.
pub(super) const STYLE: &str = include_str!("picture.css");
/// Icons and arrow heads.
pub(super) const DEFINITIONS: &str = include_str!("definitions.svg");

/// Columns of the name and of the small print that fit a node.
const NAME_COLUMNS: usize = 20;
const CAPTION_COLUMNS: usize = 25;
/// Loops that are numbered and listed.
pub(super) const MOST_LISTED: usize = 30;
/// Columns of each name in the list of loops.
pub(super) const LISTED_COLUMNS: usize = 40;

const MARGIN: i64 = 24;
const LINE_HEIGHT: i64 = 18;
const LEGEND_WIDTH: i64 = 1080;
const KINDS_IN_A_ROW: i64 = 8;
const HEADING: i64 = 30;

/// Writes the picture, legend and list of loops included.
pub(super) fn write(drawing: &Drawing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let layout = Layout::new(drawing);
    let mut head = words::summary(drawing);
    head.extend(listed(drawing));
    let lines = i64::try_from(head.len()).unwrap_or(0);
    let legend = legend(drawing, KINDS_IN_A_ROW);
    let top = MARGIN + 28 + lines * LINE_HEIGHT + 16 + legend.height + HEADING;
    let width = layout.width.max(LEGEND_WIDTH) + 2 * MARGIN;
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
    let baseline = MARGIN + 14;
    writeln!(
        out,
        r#"<text class="headline" x="{MARGIN}" y="{baseline}">Who sends to and receives from which queue</text>"#
    )?;
    for (line, y) in head
        .iter()
        .zip((0..).map(|line| baseline + 24 + line * LINE_HEIGHT))
    {
        let class = if line.starts_with('⟲') {
            "alarm"
        } else {
            "text"
        };
        writeln!(
            out,
            r#"<text class="{class}" x="{MARGIN}" y="{y}">{}</text>"#,
            escaped(line)
        )?;
    }
    let legend_top = baseline + 24 + lines * LINE_HEIGHT;
    writeln!(
        out,
        r#"<g transform="translate({MARGIN} {legend_top})">{}</g>"#,
        legend.elements
    )?;
    writeln!(out, r#"<g transform="translate({left} {top})">"#)?;
    out.write_all(scene(drawing, &layout).as_bytes())?;
    writeln!(out, "</g>\n</svg>")
}

/// The gravest loops with their number in the picture, and how many there are besides.
pub(super) fn listed(drawing: &Drawing<'_>) -> Vec<String> {
    let mut lines: Vec<String> = drawing
        .loops
        .iter()
        .take(MOST_LISTED)
        .zip(1..)
        .map(|(found, number)| {
            format!(
                "⟲ {number}  {}: {}",
                words::loop_number(found),
                words::path(drawing, found, LISTED_COLUMNS)
            )
        })
        .collect();
    let more = drawing.loops.len().saturating_sub(MOST_LISTED);
    if more > 0 {
        lines.push(format!("⟲ and {more} more in red"));
    }
    for node in drawing.nodes.iter().filter(|node| node.undrawn_loops > 0) {
        let name = shorten(&words::name(drawing.picture, node), LISTED_COLUMNS).into_owned();
        lines.extend(words::undrawn_loops(node).map(|words| format!("⟲ {name}: {words}")));
    }
    lines
}

/// Headings, lines, nodes and the numbers of loops, from the top left corner of the layout.
pub(super) fn scene(drawing: &Drawing<'_>, layout: &Layout) -> String {
    let mut scene = String::new();
    for (words, at) in &layout.headings {
        add(
            &mut scene,
            format_args!(
                r#"<text class="heading" x="{}" y="{}">{words}</text>"#,
                at.x, at.y
            ),
        );
    }
    // Loops are drawn last, over everything that they cross.
    let lines = || drawing.lines.iter().zip(&layout.routes).enumerate();
    for in_loop in [false, true] {
        for (place, (line, route)) in
            lines().filter(|(_, (line, _))| line.grade.is_some() == in_loop)
        {
            add_line(&mut scene, drawing, place, line, route);
        }
    }
    for (place, (node, at)) in drawing.nodes.iter().zip(&layout.places).enumerate() {
        add_node(&mut scene, drawing, place, node, *at);
    }
    scene.push_str(&numbers::numbers(drawing, layout));
    scene
}

pub(super) fn add(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = text.write_fmt(arguments);
    text.push('\n');
}

fn add_line(
    scene: &mut String,
    drawing: &Drawing<'_>,
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
    let title = words::line_title(drawing, line).join("\n");
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

fn add_node(scene: &mut String, drawing: &Drawing<'_>, place: usize, node: &Drawn, at: Place) {
    let Place { x, y, height } = at;
    let is_folded = node.fold != Fold::Single && node.members.len() > 1;
    let part = part_class(node.kind);
    let in_loop = if node.grade.is_some() { " in-loop" } else { "" };
    let chosen = match node.members.as_slice() {
        [only] if drawing.picture.chosen.contains(only) => " chosen",
        _ => "",
    };
    let mut shape = String::new();
    if is_folded {
        shape.push_str(&outline(node.kind, x + 4, y + 4, height, "outline below"));
    }
    shape.push_str(&outline(node.kind, x, y, height, "outline"));
    let middle = y + height / 2;
    let name = words::name(drawing.picture, node);
    let caption = words::caption(drawing.picture, node);
    let caption = if node.undrawn_loops > 0 {
        format!("⟲ {} loops not drawn", node.undrawn_loops)
    } else {
        caption
    };
    add(
        scene,
        format_args!(
            concat!(
                r##"<g class="node {part}{in_loop}{chosen}" id="n{place}">{shape}"##,
                r##"<use class="icon" href="#icon-{icon}" x="{icon_x}" y="{icon_y}" width="18" height="18"/>"##,
                r##"<text class="name" x="{text_x}" y="{name_y}">{name}</text>"##,
                r##"<text class="caption" x="{text_x}" y="{caption_y}">{caption}</text><title>{title}</title></g>"##
            ),
            part = part,
            in_loop = in_loop,
            chosen = chosen,
            place = place,
            shape = shape,
            icon = icon(node.kind),
            icon_x = x + 11,
            icon_y = middle - 9,
            text_x = x + 36,
            name_y = middle - 3,
            caption_y = middle + 12,
            name = escaped(&shorten(&name, NAME_COLUMNS)),
            caption = escaped(&shorten(&caption, CAPTION_COLUMNS)),
            title = escaped(&words::title(drawing.picture, node).join("\n"))
        ),
    );
}

fn part_class(kind: Kind) -> &'static str {
    match (kind, Part::of(kind)) {
        (Kind::Service | Kind::Account | Kind::Anyone | Kind::Organization, _) => "outsider",
        (_, Part::Principal) => "principal",
        (_, Part::Workload) => "workload",
        (_, Part::Resource) => "resource",
    }
}

/// The shape that a kind of node has.
fn outline(kind: Kind, x: i64, y: i64, height: i64, class: &str) -> String {
    let (right, bottom, middle) = (x + NODE_WIDTH, y + height, y + height / 2);
    let path = |d: String| format!(r#"<path class="{class}" d="{d}"/>"#);
    let rounded = |radius: i64| {
        format!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{NODE_WIDTH}" height="{height}" rx="{radius}"/>"#
        )
    };
    match (kind, part_class(kind)) {
        // Told to everyone: points on.
        (Kind::Topic, _) => path(format!(
            "M{x} {y}H{}L{right} {middle}L{} {bottom}H{x}Z",
            right - 14,
            right - 14
        )),
        // Wider at its rim.
        (Kind::Bucket, _) => path(format!(
            "M{x} {y}H{right}L{} {bottom}H{}Z",
            right - 8,
            x + 8
        )),
        // Slanted, as what passes by.
        (Kind::Bus, _) => path(format!(
            "M{} {y}H{right}L{} {bottom}H{x}Z",
            x + 9,
            right - 9
        )),
        // A tube seen from the side.
        (Kind::Pipe, _) => path(format!(
            "M{a} {y}H{b}C{right} {y} {right} {bottom} {b} {bottom}H{a}C{x} {bottom} {x} {y} {a} {y}ZM{b} {y}C{c} {y} {c} {bottom} {b} {bottom}",
            a = x + 9,
            b = right - 9,
            c = right - 17
        )),
        (_, "workload") => path(format!(
            "M{} {y}H{}L{right} {middle}L{} {bottom}H{}L{x} {middle}Z",
            x + 9,
            right - 9,
            right - 9,
            x + 9
        )),
        (_, "outsider") => path(format!(
            "M{} {y}H{}L{right} {}V{}L{} {bottom}H{}L{x} {}V{}Z",
            x + 8,
            right - 8,
            y + 8,
            bottom - 8,
            right - 8,
            x + 8,
            bottom - 8,
            y + 8
        )),
        (_, "resource") => rounded(18),
        _ => rounded(3),
    }
}

/// The icon of a kind; kinds without one of their own have a plain one.
fn icon(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "user",
        Kind::Group => "group",
        Kind::Role => "role",
        Kind::Account | Kind::Organization => "account",
        Kind::Service => "service",
        Kind::Anyone => "anyone",
        Kind::Queue => "queue",
        Kind::Function => "function",
        Kind::Instance => "instance",
        Kind::AutoScalingGroup => "instances",
        Kind::Task => "task",
        Kind::EcsService => "tasks",
        Kind::PodIdentity | Kind::ServiceAccount => "pod",
        Kind::StateMachine => "states",
        Kind::Pipe => "pipe",
        Kind::Schedule => "clock",
        Kind::Crawler => "crawler",
        Kind::Topic => "topic",
        Kind::Bucket => "bucket",
        Kind::Bus => "bus",
        Kind::Api => "api",
        Kind::IotRule => "device",
        Kind::Policy => "other",
    }
}

/// A legend and how high it is.
pub(super) struct Legend {
    pub(super) elements: String,
    pub(super) height: i64,
}

/// Kinds in the order of the legend, and what they are called there.
const KINDS: [(Kind, &str); 23] = [
    (Kind::Role, "role"),
    (Kind::User, "user"),
    (Kind::Group, "group"),
    (Kind::Service, "AWS service"),
    (Kind::Account, "other account"),
    (Kind::Organization, "organization"),
    (Kind::Anyone, "anyone"),
    (Kind::Function, "function"),
    (Kind::Instance, "instance"),
    (Kind::AutoScalingGroup, "scaling group"),
    (Kind::Task, "ECS task"),
    (Kind::EcsService, "ECS service"),
    (Kind::PodIdentity, "EKS pod"),
    (Kind::ServiceAccount, "EKS account"),
    (Kind::StateMachine, "state machine"),
    (Kind::Schedule, "schedule"),
    (Kind::Crawler, "crawler"),
    (Kind::Api, "API"),
    (Kind::IotRule, "IoT rule"),
    (Kind::Pipe, "pipe"),
    (Kind::Bus, "event bus"),
    (Kind::Topic, "topic"),
    (Kind::Bucket, "bucket"),
];

/// What the shapes and lines of a drawing mean, so many kinds and half as many lines in a row.
pub(super) fn legend(drawing: &Drawing<'_>, in_a_row: i64) -> Legend {
    let mut legend = String::new();
    let has = |kind: Kind| drawing.nodes.iter().any(|node| node.kind == kind);
    let kinds = KINDS.into_iter().chain([(Kind::Queue, "queue")]);
    let kinds: Vec<(Kind, &str)> = kinds.filter(|(kind, _)| has(*kind)).collect();
    let kinds_in_all = i64::try_from(kinds.len()).unwrap_or(0);
    for ((kind, words), place) in kinds.into_iter().zip(0..) {
        let (x, y) = (place % in_a_row * 136, place / in_a_row * 28);
        add(
            &mut legend,
            format_args!(
                r##"<g class="node {}"><svg x="{x}" y="{y}" width="40" height="22" viewBox="-2 -2 220 44" preserveAspectRatio="none">{}</svg><use class="icon" href="#icon-{}" x="{}" y="{}" width="16" height="16"/><text class="text" x="{}" y="{}">{words}</text></g>"##,
                part_class(kind),
                outline(kind, 0, 0, 40, "outline"),
                icon(kind),
                x + 12,
                y + 3,
                x + 46,
                y + 16
            ),
        );
    }
    let top = (kinds_in_all + in_a_row - 1) / in_a_row * 28 + 14;
    let drawn = |style: &str| {
        let mut lines = drawing.lines.iter();
        lines.any(|line| words::style(line.kind) == style)
    };
    let lines: Vec<_> = [
        (
            "send",
            "send",
            "sends, publishes, puts, invokes",
            drawn("send"),
        ),
        (
            "receive",
            "receive",
            "receives (and deletes)",
            drawn("receive"),
        ),
        (
            "manage",
            "manage",
            "administers, purges, deletes",
            drawn("manage"),
        ),
        ("delivers", "delivers", "AWS delivers", drawn("delivers")),
        ("redrives", "redrives", "what failed", drawn("redrives")),
        ("runs-as", "runs-as", "runs as", drawn("runs-as")),
        (
            "assumes",
            "assumes",
            "can become (assumes)",
            drawn("assumes"),
        ),
        (
            "escalates",
            "escalates",
            "could act as (no right)",
            drawn("escalates"),
        ),
        (
            "send conditional",
            "send",
            "dashed: only under conditions",
            drawing
                .lines
                .iter()
                .any(|line| line.certainty == Certainty::Conditional),
        ),
        (
            "send loop",
            "loop",
            "red: part of a loop, by number",
            drawing.lines.iter().any(|line| line.grade.is_some()),
        ),
    ]
    .into_iter()
    .filter(|(.., is_drawn)| *is_drawn)
    .collect();
    let lines_in_a_row = (in_a_row / 2).max(1);
    let rows = (i64::try_from(lines.len()).unwrap_or(0) + lines_in_a_row - 1) / lines_in_a_row;
    for ((class, head, words, _), place) in lines.into_iter().zip(0..) {
        let (x, y) = (
            place % lines_in_a_row * 270,
            top + place / lines_in_a_row * 24,
        );
        add(
            &mut legend,
            format_args!(
                r#"<g class="line {class}"><path d="M{x} {y}H{}" marker-end="url(#to-{head})"/></g><text class="text" x="{}" y="{}">{words}</text>"#,
                x + 40,
                x + 46,
                y + 4
            ),
        );
    }
    Legend {
        elements: legend,
        height: top + rows * 24,
    }
}

/// Text for XML and HTML, as content or attribute. XML allows two characters nowhere, not even by number.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
