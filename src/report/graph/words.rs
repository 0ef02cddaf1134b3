//! What pictures say of nodes, lines and loops: the same words in every format, made visible but not yet escaped.

use std::borrow::Cow;

use super::super::text::{sanitise, shorten};
use crate::entity::{Certainty, Kind};
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Drawing, Drawn, DrawnLoop, Fold, Line, Part, Right};
use crate::graph::picture::{Node, Picture};

/// Members of a folded node that a title names.
const MOST_MEMBERS: usize = 12;
/// Conditions that a title tells.
const MOST_CONDITIONS: usize = 3;
/// Columns of a condition that a title tells.
const MOST_OF_CONDITION: usize = 200;

/// What people know a node of the picture by.
pub(super) fn label(node: &Node) -> Cow<'_, str> {
    match node.kind {
        Kind::Anyone => Cow::Borrowed("anyone"),
        _ => sanitise(node.label()),
    }
}

fn members<'a>(picture: &'a Picture, node: &'a Drawn) -> impl Iterator<Item = &'a Node> {
    node.members
        .iter()
        .filter_map(|member| picture.nodes.get(*member))
}

/// The name of a node, or how many it stands for.
pub(super) fn name(picture: &Picture, node: &Drawn) -> String {
    let number = node.members.len();
    if number == 1 {
        return members(picture, node).map(label).collect();
    }
    match node.fold {
        Fold::Administrators => format!("{number} administrators"),
        Fold::Wide if Part::of(node.kind) == Part::Resource => {
            format!("{number} open {}", many(node.kind))
        }
        Fold::Wide => format!("{number} far-reaching"),
        Fold::Single | Fold::Alike | Fold::Idle => format!("{number} {}", many(node.kind)),
    }
}

/// The plural of a kind.
fn many(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "users",
        Kind::Group => "groups",
        Kind::Role => "roles",
        Kind::Policy => "policies",
        Kind::Account => "accounts",
        Kind::Service => "services",
        Kind::Organization => "organizations",
        Kind::Anyone => "anyone",
        Kind::Queue => "queues",
        Kind::Function => "functions",
        Kind::Instance => "instances",
        Kind::AutoScalingGroup => "auto-scaling-groups",
        Kind::Task => "tasks",
        Kind::EcsService => "ecs-services",
        Kind::PodIdentity => "pod-identities",
        Kind::ServiceAccount => "service-accounts",
        Kind::StateMachine => "state-machines",
        Kind::Pipe => "pipes",
        Kind::Schedule => "schedules",
        Kind::Crawler => "crawlers",
        Kind::Topic => "topics",
        Kind::Bucket => "buckets",
        Kind::Bus => "buses",
        Kind::Api => "apis",
        Kind::IotRule => "iot-rules",
        Kind::Stream => "streams",
        Kind::Broker => "brokers",
    }
}

/// What a node is, and why it is drawn as it is.
pub(super) fn caption(picture: &Picture, node: &Drawn) -> String {
    let kind = node.kind.as_str();
    match node.fold {
        Fold::Single => kind.to_owned(),
        Fold::Administrators if node.members.len() == 1 => format!("{kind}, administrator"),
        Fold::Administrators => "every right on everything".to_owned(),
        Fold::Wide if Part::of(node.kind) == Part::Resource => "open to a great many".to_owned(),
        Fold::Wide if node.members.len() == 1 => format!("{kind}, far-reaching"),
        Fold::Wide => "rights on a great many".to_owned(),
        Fold::Alike => {
            let first: String = members(picture, node).take(1).map(label).collect();
            format!("{first}, …")
        }
        Fold::Idle => match Part::of(node.kind) {
            Part::Principal => "no right on any of these",
            Part::Workload => "no known role",
            Part::Resource => "nobody else uses them",
        }
        .to_owned(),
    }
}

/// Everything about a node, one line each: full names first.
pub(super) fn title(picture: &Picture, node: &Drawn) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if node.members.len() > 1 {
        lines.push(format!("{}: {}", name(picture, node), why(node)));
    }
    lines.extend(
        members(picture, node)
            .take(MOST_MEMBERS)
            .map(|node| format!("{} {}", node.kind, sanitise(&node.id))),
    );
    let more = node.members.len().saturating_sub(MOST_MEMBERS);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if node.members.len() == 1 && matches!(node.fold, Fold::Administrators | Fold::Wide) {
        lines.push(why(node).to_owned());
    }
    lines.extend(undrawn_loops(node));
    lines
}

/// Why nodes are one, or drawn without lines.
pub(super) fn why(node: &Drawn) -> &'static str {
    match node.fold {
        Fold::Single => "",
        Fold::Administrators => "every right on everything; lines to each queue are left out",
        Fold::Wide if Part::of(node.kind) == Part::Resource => {
            "a great part of all principals have rights on them; lines to each are left out"
        }
        Fold::Wide => {
            "rights on a great part of all queues, channels or roles; lines to each are left out"
        }
        Fold::Alike => "all with the same edges",
        Fold::Idle => "none has an edge that is drawn",
    }
}

/// How many loops pass a node that are not drawn.
pub(super) fn undrawn_loops(node: &Drawn) -> Option<String> {
    let number = node.undrawn_loops;
    let (noun, verb) = if number == 1 {
        ("loop", "is")
    } else {
        ("loops", "are")
    };
    (number > 0).then(|| format!("{number} {noun} that pass here {verb} not drawn"))
}

/// The kinds of a line's rights, the main one first.
pub(super) fn rights(line: &Line<'_>) -> String {
    let mut kinds = vec![line.kind.as_str()];
    for right in &line.rights {
        if !kinds.contains(&right.kind.as_str()) {
            kinds.push(right.kind.as_str());
        }
    }
    kinds.join(", ")
}

/// Everything about a line, one line of text each.
pub(super) fn line_title(drawing: &Drawing<'_>, line: &Line<'_>) -> Vec<String> {
    let name_of = |node: usize| {
        let node = drawing.nodes.get(node);
        node.map_or_else(String::new, |node| name(drawing.picture, node))
    };
    let mut lines = vec![format!(
        "{} → {}: {}",
        name_of(line.from),
        name_of(line.to),
        rights(line)
    )];
    if let Some(grade) = line.grade {
        lines.push(format!("part of a loop: {}", grade.as_str()));
    }
    lines.extend(line.rights.iter().filter_map(by_ways));
    lines.extend(line.rights.iter().filter_map(condition));
    lines
}

/// By which actions, where that is told.
pub(super) fn by_ways(right: &Right<'_>) -> Option<String> {
    (!right.ways.is_empty())
        .then(|| format!("{} by {}", right.kind.as_str(), right.ways.join(", ")))
}

fn condition(right: &Right<'_>) -> Option<String> {
    if right.certainty == Certainty::Allowed {
        return None;
    }
    let shown: Vec<String> = right
        .conditions
        .iter()
        .take(MOST_CONDITIONS)
        .map(|text| shorten(&sanitise(text), MOST_OF_CONDITION).into_owned())
        .collect();
    let more = right.conditions.len().saturating_sub(MOST_CONDITIONS);
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more conditions")
    };
    Some(format!(
        "{} only if {}{more}",
        right.kind.as_str(),
        shown.join("; ")
    ))
}

/// A loop as a path of names.
pub(super) fn path(drawing: &Drawing<'_>, found: &DrawnLoop, limit: usize) -> String {
    let names: Vec<String> = found
        .path
        .iter()
        .filter_map(|node| drawing.nodes.get(*node))
        .map(|node| {
            let name = name(drawing.picture, node);
            let name = shorten(&name, limit);
            match node.members.len() {
                1 => format!("{} {name}", node.kind),
                _ => name.into_owned(),
            }
        })
        .collect();
    names.join(" → ")
}

/// The grade of a loop, and how many loops look like it.
pub(super) fn loop_number(found: &DrawnLoop) -> String {
    if found.number == 1 {
        found.grade.as_str().to_owned()
    } else {
        format!("{}, {} times", found.grade.as_str(), found.number)
    }
}

/// What the whole picture shows, in one line, and what it does not.
pub(super) fn summary(drawing: &Drawing<'_>) -> Vec<String> {
    let picture = drawing.picture;
    let counted = |number: usize, one: &str, many: &str| {
        format!("{number} {}", if number == 1 { one } else { many })
    };
    let of = |part: Part| {
        let nodes = picture.nodes.iter();
        nodes.filter(|node| Part::of(node.kind) == part).count()
    };
    let queues = picture.nodes.iter();
    let queues = queues.filter(|node| node.kind == Kind::Queue).count();
    let channels = match of(Part::Resource) - queues {
        0 => String::new(),
        number => format!(", {}", counted(number, "channel", "channels")),
    };
    let mut summary = vec![format!(
        "{}, {}, {}{channels}; {}",
        counted(of(Part::Principal), "principal", "principals"),
        counted(of(Part::Workload), "workload", "workloads"),
        counted(queues, "queue", "queues"),
        match picture.loops.len() {
            0 => "no loop".to_owned(),
            number => counted(number, "loop", "loops"),
        }
    )];
    if picture.incomplete {
        summary.push(
            "Incomplete: something could not be read, so something may be missing here.".to_owned(),
        );
    }
    if !picture.more.is_empty() {
        let number: u64 = picture.more.iter().map(|more| more.number).sum();
        summary.push(format!(
            "{number} more rights and loops of principals that reach a great many alike are left out."
        ));
    }
    summary
}

/// The style of a line, for formats that know a few: what it is called in them and in style sheets.
pub(super) fn style(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Send
        | EdgeKind::Publish
        | EdgeKind::PutObject
        | EdgeKind::PutEvents
        | EdgeKind::PutRecord
        | EdgeKind::Invoke
        | EdgeKind::Start => "send",
        EdgeKind::Receive => "receive",
        EdgeKind::Administer | EdgeKind::Delete | EdgeKind::Purge => "manage",
        EdgeKind::Delivers => "delivers",
        EdgeKind::Redrives => "redrives",
        EdgeKind::RunsAs => "runs-as",
        EdgeKind::Assumes => "assumes",
        EdgeKind::Escalates => "escalates",
    }
}
