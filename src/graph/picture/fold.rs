//! A picture brought to a size that people can read: what fares alike is one node, what runs side by side is one line.
//!
//! Whoever reaches nearly everything would put a line to every queue and so hide all others; they are one node without
//! lines, except to what the picture is about and where a delivery wires a loop. Everything else folds only in pictures
//! that are too big to be read node by node, and only when the edges are the same, so that a line says the same of all.

use std::collections::{BTreeMap, BTreeSet};

use super::{Arrow, Picture, Reach};
use crate::entity::{Certainty, Grade, Kind};
use crate::graph::EdgeKind;

/// Pictures up to this many nodes are drawn node by node.
const MOST_SINGLE_NODES: usize = 60;
/// Up to this many, queues are: they are what one looks for.
const MOST_FOR_SINGLE_QUEUES: usize = 200;
/// Fewer than this many are not worth hiding behind a number.
const FEWEST_ALIKE: usize = 3;

/// A picture as it is drawn. Lines and loops name nodes by their place.
#[derive(Debug, Clone)]
pub struct Drawing<'a> {
    /// What is drawn.
    pub picture: &'a Picture,
    /// The nodes, by their first member.
    pub nodes: Vec<Drawn>,
    /// The lines, at most one of each kind from one node to another.
    pub lines: Vec<Line<'a>>,
    /// The loops whose lines are drawn, the gravest first.
    pub loops: Vec<DrawnLoop>,
}

/// A node of the drawing: one of the picture, or several that are folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The nodes of the picture that it stands for, by their place; at least one.
    pub members: Vec<usize>,
    /// The kind of the first.
    pub kind: Kind,
    /// Why the members are one.
    pub fold: Fold,
    /// The gravest loop that passes here.
    pub grade: Option<Grade>,
    /// Loops that pass here and are not drawn.
    pub undrawn_loops: u64,
}

/// Why nodes of the picture are one in the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fold {
    /// It is one node.
    Single,
    /// Principals with every right on everything.
    Administrators,
    /// Principals that reach a great part of all queues, channels or roles, or queues and channels on which a great part of all
    /// have rights.
    Wide,
    /// Nodes with the same edges.
    Alike,
    /// Nodes without any edge that is drawn.
    Idle,
}

/// What runs from one node of the drawing to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Where messages or rights come from.
    pub from: usize,
    /// Where they go.
    pub to: usize,
    /// What it mainly stands for.
    pub kind: EdgeKind,
    /// How sure the main right is.
    pub certainty: Certainty,
    /// Everything that it stands for, sorted.
    pub rights: Vec<Right<'a>>,
    /// The gravest loop that it is a part of.
    pub grade: Option<Grade>,
}

/// One thing that a line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right<'a> {
    /// The kind of the edge.
    pub kind: EdgeKind,
    /// How sure it is.
    pub certainty: Certainty,
    /// The conditions of a conditional edge, in words.
    pub conditions: &'a [String],
    /// By which actions, for those that escalate.
    pub ways: &'a [&'static str],
}

/// A loop as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DrawnLoop {
    /// How close it is to running.
    pub grade: Grade,
    /// The nodes of the drawing; the last is the first.
    pub path: Vec<usize>,
    /// How many loops of the picture look like this.
    pub number: usize,
}

/// The three sorts of nodes, whatever their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Who holds rights.
    Principal,
    /// What runs as a principal.
    Workload,
    /// What messages lie in or pass through.
    Resource,
}

impl Part {
    /// The part that a kind plays.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::User
            | Kind::Group
            | Kind::Role
            | Kind::Policy
            | Kind::Account
            | Kind::Service
            | Kind::Organization
            | Kind::Anyone => Self::Principal,
            Kind::Function
            | Kind::Instance
            | Kind::AutoScalingGroup
            | Kind::Task
            | Kind::EcsService
            | Kind::PodIdentity
            | Kind::ServiceAccount
            | Kind::StateMachine
            | Kind::Pipe
            | Kind::Schedule
            | Kind::Crawler
            | Kind::Api
            | Kind::IotRule => Self::Workload,
            Kind::Queue | Kind::Topic | Kind::Bucket | Kind::Bus | Kind::Stream | Kind::Broker => {
                Self::Resource
            }
        }
    }
}

impl Line<'_> {
    /// Whether its principal can also decide who else sends and receives, which the line itself does not show.
    pub fn also_administers(&self) -> bool {
        self.kind != EdgeKind::Administer
            && self
                .rights
                .iter()
                .any(|right| right.kind == EdgeKind::Administer)
    }
}

/// What makes nodes of the picture one. Edges are told by where they lead, which way, and what they say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness<'a> {
    Only(usize),
    /// Those with lines are told apart.
    Reaching(Part, Reach, Option<usize>),
    Idle(Part, Kind),
    Alike(Kind, Vec<(usize, bool, Right<'a>)>),
}

/// Rights by the two nodes that they lie between: a principal and a resource.
type Rights<'a> = BTreeMap<(usize, usize), BTreeSet<Right<'a>>>;
/// Everything else by where it comes from, where it goes and its kind.
type Ways<'a> = BTreeMap<(usize, usize, EdgeKind), BTreeSet<Right<'a>>>;

impl<'a> Drawing<'a> {
    /// Folds a picture.
    pub fn new(picture: &'a Picture) -> Self {
        let drawn = Self::drawn_arrows(picture);
        let (nodes, group_of) = fold(picture, &drawn);
        let mut drawing = Self {
            picture,
            nodes,
            lines: lines(picture, &drawn, &group_of),
            loops: Vec::new(),
        };
        drawing.add_loops(&group_of);
        drawing
    }

    /// The edges that become lines.
    fn drawn_arrows(picture: &'a Picture) -> Vec<&'a Arrow> {
        let wired: BTreeSet<(usize, usize)> = picture
            .loops
            .iter()
            .filter(|cycle| cycle.grade == Grade::Wired)
            .flat_map(|cycle| {
                cycle
                    .path
                    .iter()
                    .copied()
                    .zip(cycle.path.iter().copied().skip(1))
            })
            .collect();
        let is_drawn = |arrow: &&Arrow| {
            let of_hub = is_hub(picture, arrow.from) || is_hub(picture, arrow.to);
            !of_hub
                || is_configured(arrow.kind)
                || picture.chosen.contains(&arrow.from)
                || picture.chosen.contains(&arrow.to)
                || wired.contains(&(arrow.from, arrow.to))
        };
        let is_news = |arrow: &&Arrow| !arrow.is_told || picture.chosen.contains(&arrow.from);
        let edges = picture.edges.iter().filter(is_news);
        let mut drawn: Vec<&Arrow> = edges.filter(is_drawn).collect();
        let lead_somewhere = Self::assumptions_of_use(picture, &drawn);
        drawn.retain(|arrow| !arrow.kind.becomes() || lead_somewhere.contains(&arrow.to));
        drawn
    }

    /// The roles by which somebody can send, receive or manage, at once or by becoming another: of all others it says nothing
    /// about messages who can become them.
    fn assumptions_of_use(picture: &Picture, arrows: &[&Arrow]) -> BTreeSet<usize> {
        let mut of_use: BTreeSet<usize> = picture.chosen.clone();
        let mut become_from: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for arrow in arrows {
            match arrow.kind {
                kind if kind.becomes() => become_from.entry(arrow.to).or_default().push(arrow.from),
                kind if is_configured(kind) => {}
                _ => of_use.extend([arrow.from, arrow.to]),
            }
        }
        let mut next: Vec<usize> = of_use.iter().copied().collect();
        while let Some(role) = next.pop() {
            for from in become_from.get(&role).into_iter().flatten() {
                if of_use.insert(*from) {
                    next.push(*from);
                }
            }
        }
        of_use
    }

    fn add_loops(&mut self, group_of: &[usize]) {
        let mut drawn: BTreeMap<(Grade, Vec<usize>), usize> = BTreeMap::new();
        let lines: BTreeSet<(usize, usize)> =
            self.lines.iter().map(|line| (line.from, line.to)).collect();
        for cycle in &self.picture.loops {
            let mut path: Vec<usize> = cycle
                .path
                .iter()
                .filter_map(|node| group_of.get(*node).copied())
                .collect();
            path.dedup();
            let steps = path.iter().zip(path.iter().skip(1));
            let has_lines = steps
                .into_iter()
                .all(|(from, to)| lines.contains(&(*from, *to)));
            for node in path.iter().collect::<BTreeSet<_>>() {
                if let Some(node) = self.nodes.get_mut(*node) {
                    // Of a loop without lines only the end is marked for which the lines are left out.
                    let is_end = matches!(node.fold, Fold::Administrators | Fold::Wide);
                    node.undrawn_loops += u64::from(is_end && !has_lines);
                    if is_end || has_lines {
                        node.grade = node.grade.max(Some(cycle.grade));
                    }
                }
            }
            if has_lines {
                *drawn.entry((cycle.grade, path)).or_default() += 1;
            }
        }
        for more in self.picture.more.iter().filter(|more| more.kind.is_none()) {
            let group = group_of.get(more.node).copied().unwrap_or(usize::MAX);
            if let Some(node) = self.nodes.get_mut(group) {
                node.undrawn_loops += more.number;
            }
        }
        let mut grades: BTreeMap<(usize, usize), Grade> = BTreeMap::new();
        for (grade, path) in drawn.keys() {
            for (from, to) in path.iter().zip(path.iter().skip(1)) {
                let known = grades.entry((*from, *to)).or_insert(*grade);
                *known = (*known).max(*grade);
            }
        }
        for line in &mut self.lines {
            if !matches!(
                line.kind,
                EdgeKind::Delete
                    | EdgeKind::Purge
                    | EdgeKind::Administer
                    | EdgeKind::Assumes
                    | EdgeKind::Escalates
            ) {
                line.grade = grades.get(&(line.from, line.to)).copied();
            }
        }
        self.loops = drawn
            .into_iter()
            .map(|((grade, path), number)| DrawnLoop {
                grade,
                path,
                number,
            })
            .collect();
        self.loops
            .sort_by(|a, b| b.grade.cmp(&a.grade).then_with(|| a.path.cmp(&b.path)));
    }
}

/// Whether a node reaches so much that its lines are left out.
fn is_hub(picture: &Picture, node: usize) -> bool {
    picture
        .nodes
        .get(node)
        .is_some_and(|found| found.reach != Reach::Some && !picture.chosen.contains(&node))
}

/// Whether an edge says what is set up, not who has a right.
fn is_configured(kind: EdgeKind) -> bool {
    matches!(
        kind,
        EdgeKind::RunsAs | EdgeKind::Delivers | EdgeKind::Redrives
    )
}

/// The nodes of the drawing, and for each node of the picture the one that stands for it; a number that is none where nothing
/// does.
fn fold(picture: &Picture, arrows: &[&Arrow]) -> (Vec<Drawn>, Vec<usize>) {
    let mut at: Vec<Vec<(&Arrow, bool)>> = vec![Vec::new(); picture.nodes.len()];
    for arrow in arrows {
        for (node, comes) in [(arrow.from, false), (arrow.to, true)] {
            if let Some(at) = at.get_mut(node) {
                at.push((*arrow, comes));
            }
        }
    }
    // Services of which deliveries say everything would stand there with nothing to say.
    let told = picture.edges.iter().filter(|arrow| arrow.is_told);
    let silent: BTreeSet<usize> = told
        .map(|arrow| arrow.from)
        .filter(|node| at.get(*node).is_some_and(Vec::is_empty))
        .collect();
    let on_ways = on_ways(picture);
    // Who holds rights folds first, then what runs as them, then what they hold rights on: each step looks at the last.
    let mut first_alike: Vec<usize> = (0..picture.nodes.len()).collect();
    let mut likenesses: BTreeMap<Likeness<'_>, Vec<usize>> = BTreeMap::new();
    for part in [Part::Principal, Part::Workload, Part::Resource] {
        let mut of_part: BTreeMap<Likeness<'_>, Vec<usize>> = BTreeMap::new();
        for (node, found) in picture.nodes.iter().enumerate() {
            if Part::of(found.kind) == part && !silent.contains(&node) {
                let at = at.get(node).map_or(&[][..], Vec::as_slice);
                let likeness = if on_ways.contains(&node) {
                    Likeness::Only(node)
                } else {
                    likeness(picture, node, at, &first_alike)
                };
                of_part.entry(likeness).or_default().push(node);
            }
        }
        for (likeness, members) in of_part {
            let fewest = match likeness {
                Likeness::Alike(..) => FEWEST_ALIKE,
                Likeness::Only(_) | Likeness::Reaching(..) | Likeness::Idle(..) => 1,
            };
            if members.len() < fewest {
                likenesses.extend(
                    members
                        .into_iter()
                        .map(|node| (Likeness::Only(node), vec![node])),
                );
                continue;
            }
            for member in &members {
                if let (Some(known), Some(first)) = (first_alike.get_mut(*member), members.first())
                {
                    *known = *first;
                }
            }
            likenesses.insert(likeness, members);
        }
    }
    let mut nodes: Vec<Drawn> = likenesses
        .into_iter()
        .filter_map(|(likeness, members)| {
            Some(Drawn {
                kind: picture.nodes.get(*members.first()?)?.kind,
                fold: match likeness {
                    Likeness::Only(_) => Fold::Single,
                    Likeness::Reaching(_, Reach::Administrator, _) => Fold::Administrators,
                    Likeness::Reaching(..) => Fold::Wide,
                    Likeness::Idle(..) if members.len() == 1 => Fold::Single,
                    Likeness::Idle(..) => Fold::Idle,
                    Likeness::Alike(..) => Fold::Alike,
                },
                members,
                grade: None,
                undrawn_loops: 0,
            })
        })
        .collect();
    nodes.sort_by(|a, b| a.members.cmp(&b.members));
    let mut group_of = vec![usize::MAX; picture.nodes.len()];
    for (group, drawn) in nodes.iter().enumerate() {
        for member in &drawn.members {
            if let Some(known) = group_of.get_mut(*member) {
                *known = group;
            }
        }
    }
    (nodes, group_of)
}

/// What loops over several places pass, which nobody could follow through a node that stands for others too.
fn on_ways(picture: &Picture) -> BTreeSet<usize> {
    let kind = |node: &usize| picture.nodes.get(*node).map(|node| Part::of(node.kind));
    let is_resource = |node: &&usize| kind(node) == Some(Part::Resource);
    let mut on_ways = BTreeSet::new();
    for cycle in &picture.loops {
        // The first is named again at the end.
        if cycle.path.iter().filter(is_resource).count() > 2 {
            on_ways.extend(cycle.path.iter().filter(|node| !is_hub(picture, **node)));
        }
    }
    on_ways
}

fn likeness<'a>(
    picture: &Picture,
    node: usize,
    at: &[(&'a Arrow, bool)],
    first_alike: &[usize],
) -> Likeness<'a> {
    let Some(found) = picture.nodes.get(node) else {
        return Likeness::Only(node);
    };
    if picture.chosen.contains(&node) {
        return Likeness::Only(node);
    }
    let part = Part::of(found.kind);
    // Lines to what was chosen, and those of what is configured, must say the same of all; of administrators they do.
    let has_lines = found.reach == Reach::Wide
        && at.iter().any(|(arrow, _)| {
            arrow.kind != EdgeKind::RunsAs && (part == Part::Resource || !picture.chosen.is_empty())
        });
    if found.reach != Reach::Some && (!has_lines || part == Part::Resource) {
        return Likeness::Reaching(part, found.reach, has_lines.then_some(node));
    }
    // What runs as a principal says nothing about what the principal may do.
    let mut edges: Vec<(usize, bool, Right<'a>)> = at
        .iter()
        .filter(|(arrow, _)| part != Part::Principal || arrow.kind != EdgeKind::RunsAs)
        .map(|(arrow, comes)| {
            let other = if *comes { arrow.from } else { arrow.to };
            let other = first_alike.get(other).copied().unwrap_or(other);
            (other, *comes, right(arrow))
        })
        .collect();
    let big = picture.nodes.len() > MOST_SINGLE_NODES;
    if edges.is_empty() && (part != Part::Resource || big) {
        return Likeness::Idle(part, found.kind);
    }
    let most = match part {
        Part::Resource => MOST_FOR_SINGLE_QUEUES,
        Part::Principal | Part::Workload => MOST_SINGLE_NODES,
    };
    if picture.nodes.len() <= most {
        return Likeness::Only(node);
    }
    edges.sort();
    edges.dedup();
    Likeness::Alike(found.kind, edges)
}

fn right(arrow: &Arrow) -> Right<'_> {
    Right {
        kind: arrow.kind,
        certainty: arrow.certainty,
        conditions: &arrow.conditions,
        ways: &arrow.ways,
    }
}

/// At most one line for sending, one for receiving and one for everything else between two nodes.
fn lines<'a>(picture: &Picture, arrows: &[&'a Arrow], group_of: &[usize]) -> Vec<Line<'a>> {
    let mut rights: Rights<'a> = BTreeMap::new();
    let mut ways: Ways<'a> = BTreeMap::new();
    let is_resource = |node: usize| {
        picture
            .nodes
            .get(node)
            .is_some_and(|node| Part::of(node.kind) == Part::Resource)
    };
    for arrow in arrows {
        let (Some(&from), Some(&to)) = (group_of.get(arrow.from), group_of.get(arrow.to)) else {
            continue;
        };
        match arrow.kind {
            EdgeKind::Send | EdgeKind::Delete | EdgeKind::Purge | EdgeKind::Administer
                if is_resource(arrow.to) =>
            {
                rights.entry((from, to)).or_default().insert(right(arrow));
            }
            EdgeKind::Receive if is_resource(arrow.from) => {
                rights.entry((to, from)).or_default().insert(right(arrow));
            }
            kind => {
                ways.entry((from, to, kind))
                    .or_default()
                    .insert(right(arrow));
            }
        }
    }
    let mut lines: Vec<Line<'a>> = ways
        .into_iter()
        .map(|((from, to, kind), rights)| line(from, to, kind, rights.into_iter().collect()))
        .collect();
    for ((principal, resource), rights) in rights {
        let (mut send, mut receive, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for right in rights {
            match right.kind {
                EdgeKind::Send => send.push(right),
                EdgeKind::Receive => receive.push(right),
                _ => rest.push(right),
            }
        }
        // Deleting belongs to receiving; what else there is goes along with the line that is there anyway.
        if !receive.is_empty() {
            receive.append(&mut rest);
            lines.push(line(resource, principal, EdgeKind::Receive, receive));
        }
        if !send.is_empty() {
            send.append(&mut rest);
            lines.push(line(principal, resource, EdgeKind::Send, send));
        }
        if let Some(chief) = rest.iter().map(|right| right.kind).max() {
            lines.push(line(principal, resource, chief, rest));
        }
    }
    lines.sort_by_key(|line| (line.from, line.to, line.kind));
    lines
}

fn line(from: usize, to: usize, kind: EdgeKind, rights: Vec<Right<'_>>) -> Line<'_> {
    let chief = rights.iter().filter(|right| right.kind == kind);
    Line {
        from,
        to,
        kind,
        certainty: chief
            .map(|right| right.certainty)
            .max()
            .unwrap_or(Certainty::Conditional),
        rights,
        grade: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::picture::example::{picture, with_loop};

    fn drawn(drawing: &Drawing<'_>, id: &str) -> usize {
        let place = drawing.picture.place(id).unwrap();
        drawing
            .nodes
            .iter()
            .position(|node| node.members.contains(&place))
            .unwrap()
    }

    #[test]
    fn what_a_principal_may_do_with_a_queue_is_one_line_for_each_direction() {
        let picture = picture(
            &[("role", Kind::Role), ("queue", Kind::Queue)],
            &[
                ("role", "queue", EdgeKind::Send),
                ("queue", "role", EdgeKind::Receive),
                ("role", "queue", EdgeKind::Delete),
                ("role", "queue", EdgeKind::Administer),
            ],
        );
        let picture = with_loop(picture, Grade::Permitted, &["queue", "role", "queue"]);
        let drawing = Drawing::new(&picture);
        let kinds: Vec<EdgeKind> = drawing.lines.iter().map(|line| line.kind).collect();
        assert_eq!(kinds, [EdgeKind::Receive, EdgeKind::Send]);
        let receive = &drawing.lines[0];
        assert_eq!(receive.rights.len(), 3);
        assert!(receive.also_administers());
        assert!(
            drawing
                .lines
                .iter()
                .all(|line| line.grade == Some(Grade::Permitted))
        );
        assert_eq!(drawing.loops.len(), 1);
    }

    #[test]
    fn who_only_administers_has_a_line_that_says_so() {
        let picture = picture(
            &[("role", Kind::Role), ("queue", Kind::Queue)],
            &[
                ("role", "queue", EdgeKind::Purge),
                ("role", "queue", EdgeKind::Administer),
            ],
        );
        let drawing = Drawing::new(&picture);
        assert_eq!(drawing.lines.len(), 1);
        assert_eq!(drawing.lines[0].kind, EdgeKind::Administer);
        assert_eq!(drawing.lines[0].rights.len(), 2);
    }

    #[test]
    fn whoever_reaches_everything_is_one_node_without_lines_but_for_wired_loops() {
        let mut picture = picture(
            &[
                ("one", Kind::Role),
                ("two", Kind::User),
                ("function", Kind::Function),
                ("first", Kind::Queue),
                ("second", Kind::Queue),
            ],
            &[
                ("one", "first", EdgeKind::Send),
                ("one", "second", EdgeKind::Send),
                ("two", "first", EdgeKind::Send),
                ("first", "one", EdgeKind::Receive),
                ("function", "one", EdgeKind::RunsAs),
                ("first", "function", EdgeKind::Delivers),
            ],
        );
        for id in ["one", "two"] {
            let place = picture.place(id).unwrap();
            picture.nodes[place].reach = Reach::Administrator;
        }
        let unwired = with_loop(
            picture.clone(),
            Grade::Permitted,
            &["first", "one", "first"],
        );
        let drawing = Drawing::new(&unwired);
        let administrators = drawn(&drawing, "one");
        assert_eq!(administrators, drawn(&drawing, "two"));
        assert_eq!(drawing.nodes[administrators].fold, Fold::Administrators);
        assert_eq!(drawing.nodes[administrators].undrawn_loops, 1);
        assert!(drawing.loops.is_empty());
        assert!(
            drawing
                .lines
                .iter()
                .all(|line| !matches!(line.kind, EdgeKind::Send | EdgeKind::Receive))
        );

        let wired = with_loop(
            picture,
            Grade::Wired,
            &["first", "function", "one", "first"],
        );
        let drawing = Drawing::new(&wired);
        assert_eq!(drawing.loops.len(), 1);
        let sends = drawing
            .lines
            .iter()
            .filter(|line| line.kind == EdgeKind::Send);
        assert_eq!(sends.count(), 1);
    }

    #[test]
    fn the_same_edges_fold_in_big_pictures_only() {
        let roles: Vec<String> = (0..MOST_SINGLE_NODES)
            .map(|n| format!("role-{n:03}"))
            .collect();
        let mut nodes: Vec<(&str, Kind)> =
            roles.iter().map(|id| (id.as_str(), Kind::Role)).collect();
        nodes.push(("queue", Kind::Queue));
        let mut edges: Vec<(&str, &str, EdgeKind)> = roles
            .iter()
            .map(|id| (id.as_str(), "queue", EdgeKind::Send))
            .collect();
        edges.push(("queue", "role-000", EdgeKind::Receive));
        let big = picture(&nodes, &edges);
        let drawing = Drawing::new(&big);
        assert_eq!(drawing.nodes.len(), 3);
        assert_eq!(drawing.lines.len(), 3);
        let folded = &drawing.nodes[drawn(&drawing, "role-001")];
        assert_eq!(
            (folded.fold, folded.members.len()),
            (Fold::Alike, MOST_SINGLE_NODES - 1)
        );

        let small = picture(&nodes[1..], &edges[1..edges.len() - 1]);
        assert_eq!(Drawing::new(&small).nodes.len(), MOST_SINGLE_NODES);
    }

    #[test]
    fn what_a_loop_over_several_places_passes_is_not_folded_with_others() {
        let roles: Vec<String> = (0..MOST_SINGLE_NODES)
            .map(|n| format!("role-{n:03}"))
            .collect();
        let mut nodes: Vec<(&str, Kind)> =
            roles.iter().map(|id| (id.as_str(), Kind::Role)).collect();
        nodes.extend([("queue", Kind::Queue), ("topic", Kind::Topic)]);
        let mut edges: Vec<(&str, &str, EdgeKind)> = vec![("topic", "queue", EdgeKind::Delivers)];
        for role in &roles {
            edges.push((role.as_str(), "topic", EdgeKind::Publish));
            edges.push(("queue", role.as_str(), EdgeKind::Receive));
        }
        let path = ["queue", "role-007", "topic", "queue"];
        let picture = with_loop(picture(&nodes, &edges), Grade::Permitted, &path);
        let drawing = Drawing::new(&picture);
        let role = &drawing.nodes[drawn(&drawing, "role-007")];
        assert_eq!((role.fold, role.members.len()), (Fold::Single, 1));
        assert_eq!(drawing.nodes.len(), 4);
        assert_eq!(drawing.loops.len(), 1);
    }

    #[test]
    fn whoever_reaches_much_but_not_the_same_is_told_apart_at_what_was_chosen() {
        let mut picture = picture(
            &[
                ("one", Kind::Role),
                ("two", Kind::Role),
                ("queue", Kind::Queue),
            ],
            &[
                ("one", "queue", EdgeKind::Send),
                ("queue", "two", EdgeKind::Receive),
            ],
        );
        for id in ["one", "two"] {
            let place = picture.place(id).unwrap();
            picture.nodes[place].reach = Reach::Wide;
        }
        assert_eq!(Drawing::new(&picture).lines.len(), 0);
        picture.chosen.insert(picture.place("queue").unwrap());
        let drawing = Drawing::new(&picture);
        assert_eq!((drawing.nodes.len(), drawing.lines.len()), (3, 2));
    }

    #[test]
    fn what_a_picture_is_about_is_never_folded() {
        let mut picture = picture(&[("one", Kind::Role), ("two", Kind::Role)], &[]);
        assert_eq!(Drawing::new(&picture).nodes.len(), 1);
        picture.chosen.insert(0);
        assert_eq!(Drawing::new(&picture).nodes.len(), 2);
    }

    #[test]
    fn a_loop_over_several_queues_is_marked_on_each_line() {
        let picture = picture(
            &[
                ("a", Kind::Role),
                ("b", Kind::Role),
                ("first", Kind::Queue),
                ("second", Kind::Queue),
            ],
            &[
                ("first", "a", EdgeKind::Receive),
                ("a", "second", EdgeKind::Send),
                ("second", "b", EdgeKind::Receive),
                ("b", "first", EdgeKind::Send),
                ("a", "first", EdgeKind::Administer),
            ],
        );
        let picture = with_loop(
            picture,
            Grade::Wired,
            &["first", "a", "second", "b", "first"],
        );
        let drawing = Drawing::new(&picture);
        let red = drawing.lines.iter().filter(|line| line.grade.is_some());
        assert_eq!(red.count(), 4);
    }
}
