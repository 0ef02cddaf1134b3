//! What the shapes and lines of a drawing mean: only what is in it.

use super::blocks::Blocks;
use super::layout::Place;
use super::shapes::{icon, outline, part_class};
use super::svg::add;
use super::words;
use crate::entity::{Certainty, Kind};

/// A legend and how high it is.
pub(super) struct Legend {
    pub(super) elements: String,
    pub(super) height: i64,
}

/// A node of the size of those in the picture; the legend shows it smaller.
const SAMPLE: Place = Place {
    x: 0,
    y: 0,
    width: 216,
    height: 40,
};

/// Kinds in the order of the legend, and what they are called there.
const KINDS: [(Kind, &str); 25] = [
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
    (Kind::Stream, "stream"),
    (Kind::Broker, "broker"),
];

/// What the shapes and lines of a drawing mean, so many kinds and half as many lines in a row.
pub(super) fn legend(blocks: &Blocks<'_>, in_a_row: i64) -> Legend {
    let drawing = &blocks.drawing;
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
                outline(kind, SAMPLE, "outline"),
                icon(kind),
                x + 12,
                y + 3,
                x + 46,
                y + 16
            ),
        );
    }
    let top = (kinds_in_all + in_a_row - 1) / in_a_row * 28 + 14;
    let items: Vec<(String, &str)> = samples(blocks);
    let in_a_row = (in_a_row / 2).max(1);
    let rows = (i64::try_from(items.len()).unwrap_or(0) + in_a_row - 1) / in_a_row;
    for ((sample, words), place) in items.into_iter().zip(0..) {
        let (x, y) = (place % in_a_row * 270, top + place / in_a_row * 24);
        add(
            &mut legend,
            format_args!(
                r#"<g transform="translate({x} {y})">{sample}<text class="text" x="46" y="4">{words}</text></g>"#
            ),
        );
    }
    Legend {
        elements: legend,
        height: top + rows * 24,
    }
}

/// A sample of each sort of line that is drawn, and of what blocks have besides, with what it means.
fn samples(blocks: &Blocks<'_>) -> Vec<(String, &'static str)> {
    let drawing = &blocks.drawing;
    let drawn = |style: &str| {
        let mut lines = drawing.lines.iter();
        lines.any(|line| words::style(line.kind) == style)
    };
    let lines = [
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
    ];
    let lines = lines.into_iter().filter(|(.., is_drawn)| *is_drawn);
    let lines = lines.map(|(class, head, words, _)| {
        let line = format!(
            r#"<g class="line {class}"><path d="M0 0H40" marker-end="url(#to-{head})"/></g>"#
        );
        (line, words)
    });
    let nodes = [
        (Kind::Function, "workload", "below a role: what runs as it"),
        (
            Kind::Role,
            "principal repeated",
            "dashed frame: stands in another part",
        ),
    ];
    let nodes = nodes.into_iter().filter(|_| blocks.is_cut());
    let nodes = nodes.map(|(kind, class, words)| {
        let sample = Place {
            x: 0,
            y: -8,
            width: 40,
            height: 16,
        };
        let sample = outline(kind, sample, "outline");
        (format!(r#"<g class="node {class}">{sample}</g>"#), words)
    });
    lines.chain(nodes).collect()
}
