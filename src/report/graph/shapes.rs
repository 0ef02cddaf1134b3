//! What a node looks like: a shape for what it is, an icon for its kind.

use super::layout::Place;
use crate::entity::Kind;
use crate::graph::picture::fold::Part;

pub(super) fn part_class(kind: Kind) -> &'static str {
    match (kind, Part::of(kind)) {
        (Kind::Service | Kind::Account | Kind::Anyone | Kind::Organization, _) => "outsider",
        (_, Part::Principal) => "principal",
        (_, Part::Workload) => "workload",
        (_, Part::Resource) => "resource",
    }
}

/// The shape that a kind of node has.
pub(super) fn outline(kind: Kind, at: Place, class: &str) -> String {
    let Place {
        x,
        y,
        width,
        height,
    } = at;
    let (right, bottom, middle) = (x + width, y + height, y + height / 2);
    let path = |d: String| format!(r#"<path class="{class}" d="{d}"/>"#);
    let rounded = |radius: i64| {
        format!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>"#
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
        (_, "resource") => rounded((height / 2).min(18)),
        _ => rounded(3),
    }
}

/// The icon of a kind; kinds without one of their own have a plain one.
pub(super) fn icon(kind: Kind) -> &'static str {
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
        Kind::Stream => "stream",
        Kind::Broker => "broker",
        Kind::Policy => "other",
    }
}
