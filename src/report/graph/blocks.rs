//! Which parts of a big drawing stand together: blocks of what sends to and receives from the same queues.
//!
//! Small drawings are one block. Big ones are cut where few lines are cut, and no line runs from block to block: what stands
//! elsewhere is repeated, small, where its line leads to. Each queue stands with everyone who sends to it and receives from
//! it, so that a block can be read for itself.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::cutting::{Draft, Rank, drafts, loops_of};
use crate::entity::Kind;
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Drawing, Drawn, Fold, Line, Part};

/// Drawings of up to so many nodes are read as a whole.
const MOST_AS_A_WHOLE: usize = 150;
/// A drawing that is cut into blocks.
pub(super) struct Blocks<'a> {
    /// The drawing, and after its own nodes and lines those that are repeated. Lines lead to what stands in their block.
    pub(super) drawing: Drawing<'a>,
    /// For each node which one it repeats; itself where it repeats none.
    pub(super) origin: Vec<usize>,
    /// The same for each line.
    pub(super) line_origin: Vec<usize>,
    /// For each node its block; all in none when the drawing is not cut.
    pub(super) block_of: Vec<usize>,
    /// The blocks, in the order in which they are looked at.
    pub(super) list: Vec<Block>,
}

/// What is said of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) title: String,
    /// What the names of its queues have in common; none where nothing does.
    pub(super) family: Option<String>,
    pub(super) queues: usize,
    pub(super) others: usize,
    /// Loops that begin in it.
    pub(super) loops: usize,
    /// Whether it is those who reach everything or much.
    pub(super) is_reaching: bool,
}

impl Block {
    /// What is in it, in one line.
    pub(super) fn caption(&self) -> String {
        let counted = |number: usize, one: &str, many: &str| match number {
            0 => None,
            1 => Some(format!("1 {one}")),
            number => Some(format!("{number} {many}")),
        };
        let words = [
            counted(self.queues, "queue", "queues"),
            counted(self.others, "other", "others"),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl<'a> Blocks<'a> {
    /// Cuts a drawing.
    pub(super) fn new(drawing: &Drawing<'a>) -> Self {
        let number = drawing.nodes.len();
        let mut blocks = Self {
            drawing: drawing.clone(),
            origin: (0..number).collect(),
            line_origin: (0..drawing.lines.len()).collect(),
            block_of: vec![0; number],
            list: Vec::new(),
        };
        if number <= MOST_AS_A_WHOLE {
            return blocks;
        }
        let mut drafts = drafts(drawing);
        let loops = |draft: &Draft| loops_of(drawing, &draft.nodes);
        drafts.sort_by_cached_key(|draft| {
            let (gravest, number) = loops(draft);
            let order = (Reverse(gravest), Reverse(number), Reverse(draft.size));
            (draft.rank, order, draft.nodes[0])
        });
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (place, draft) in drafts.iter().enumerate() {
            for node in &draft.nodes {
                blocks.block_of[*node] = place;
            }
            let name = match (draft.rank, &draft.family) {
                (Rank::Reaching, _) => "far-reaching",
                (Rank::Idle, _) => "no lines",
                (Rank::Flows, Some(family)) => family.as_str(),
                (Rank::Flows, None) => "small flows",
            };
            let times = seen.entry(name.to_owned()).or_default();
            *times += 1;
            let title = if *times == 1 {
                name.to_owned()
            } else {
                format!("{name} ({times})")
            };
            let members = |are_queues: bool| {
                let nodes = draft.nodes.iter().map(|node| &drawing.nodes[*node]);
                let nodes = nodes.filter(|node| (node.kind == Kind::Queue) == are_queues);
                nodes.map(|node| node.members.len()).sum()
            };
            blocks.list.push(Block {
                title,
                family: draft.family.clone(),
                queues: members(true),
                others: members(false),
                loops: loops(draft).1,
                is_reaching: draft.rank == Rank::Reaching,
            });
        }
        blocks.repeat();
        blocks
    }

    /// Whether the drawing is cut.
    pub(super) fn is_cut(&self) -> bool {
        !self.list.is_empty()
    }

    /// Whether a node stands for one that stands elsewhere.
    pub(super) fn is_repeated(&self, node: usize) -> bool {
        self.repeats(node) != node
    }

    /// The node that a node stands for; itself where it repeats none.
    pub(super) fn repeats(&self, node: usize) -> usize {
        self.origin.get(node).copied().unwrap_or(node)
    }

    /// The title of the block that a node stands in, or that what it repeats stands in.
    pub(super) fn home_of(&self, node: usize) -> Option<&str> {
        let block = self.block_of.get(self.repeats(node))?;
        self.list.get(*block).map(|block| block.title.as_str())
    }

    /// Lets each line end in one block, at nodes that are repeated there where they stand elsewhere.
    fn repeat(&mut self) {
        let mut repeated: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for place in 0..self.drawing.lines.len() {
            let line = &self.drawing.lines[place];
            let (from, to) = (line.from, line.to);
            let block = self.block_of[home(&self.drawing, line)];
            let from = self.in_block(from, block, &mut repeated);
            let to = self.in_block(to, block, &mut repeated);
            let line = &mut self.drawing.lines[place];
            (line.from, line.to) = (from, to);
        }
        // What a workload runs as is told wherever it stands, otherwise nobody could follow a loop through it.
        let runs: Vec<(usize, usize)> = self
            .drawing
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.kind == EdgeKind::RunsAs)
            .map(|(place, line)| (self.origin[line.from], place))
            .collect();
        let copies: Vec<(usize, usize, usize)> = repeated
            .iter()
            .map(|((node, block), copy)| (*node, *block, *copy))
            .collect();
        for (node, block, copy) in copies {
            let start = runs.partition_point(|(from, _)| *from < node);
            for (_, place) in runs[start..].iter().take_while(|(from, _)| *from == node) {
                let line = &self.drawing.lines[*place];
                if line.from == copy {
                    continue;
                }
                let mut again = line.clone();
                again.from = copy;
                again.to = self.in_block(self.origin[line.to], block, &mut repeated);
                self.drawing.lines.push(again);
                self.line_origin.push(*place);
            }
        }
        // Of what is repeated, red is what is in a loop there.
        for (place, node) in self.drawing.nodes.iter_mut().enumerate() {
            if self.origin[place] != place {
                node.grade = None;
                node.undrawn_loops = 0;
            }
        }
        for line in &self.drawing.lines {
            for end in [line.from, line.to] {
                if self.origin[end] != end {
                    let grade = &mut self.drawing.nodes[end].grade;
                    *grade = (*grade).max(line.grade);
                }
            }
        }
    }

    fn in_block(
        &mut self,
        node: usize,
        block: usize,
        repeated: &mut BTreeMap<(usize, usize), usize>,
    ) -> usize {
        if self.block_of[node] == block {
            return node;
        }
        *repeated.entry((node, block)).or_insert_with(|| {
            let copy: Drawn = self.drawing.nodes[node].clone();
            self.drawing.nodes.push(copy);
            self.origin.push(node);
            self.block_of.push(block);
            self.origin.len() - 1
        })
    }
}

pub(super) fn is_hub(drawing: &Drawing<'_>, node: usize) -> bool {
    matches!(drawing.nodes[node].fold, Fold::Administrators | Fold::Wide)
}

pub(super) fn part(drawing: &Drawing<'_>, node: usize) -> Part {
    Part::of(drawing.nodes[node].kind)
}

/// The end of a line in whose block it is drawn: that of the queue or channel, so that all its lines are together.
pub(super) fn home(drawing: &Drawing<'_>, line: &Line<'_>) -> usize {
    let is_resource = |node: usize| part(drawing, node) == Part::Resource;
    let (from, to) = (line.from, line.to);
    match (is_hub(drawing, from), is_hub(drawing, to)) {
        (true, false) => return to,
        (false, true) => return from,
        _ => {}
    }
    match (is_resource(from), is_resource(to)) {
        (true, false) => from,
        (false, true) => to,
        _ if matches!(line.kind, EdgeKind::RunsAs | EdgeKind::Redrives) => from,
        _ => to,
    }
}

#[cfg(test)]
pub(super) mod example {
    //! An account of many teams.

    use crate::entity::{Grade, Kind};
    use crate::graph::EdgeKind;
    use crate::graph::picture::Picture;
    use crate::graph::picture::example::{picture, with_loop};

    const TEAMS: usize = 20;

    /// Twenty teams of four queues, each with its own sender, and one role that receives from them, as which a function runs
    /// that the first queue starts. The role of team 3 sends to the queue that starts its function. One role sends to a
    /// queue of every team; its function is started by a queue of team 6 and one of team 9, to which it sends too.
    pub(in crate::report::graph) fn teams() -> Picture {
        let mut nodes: Vec<(String, Kind)> = vec![("audit".to_owned(), Kind::Role)];
        let mut edges: Vec<(String, String, EdgeKind)> = Vec::new();
        for team in 0..TEAMS {
            let name = |what: &str| format!("team-t{team}-{what}");
            let (worker, function) = (name("worker"), name("function"));
            for number in 0..4 {
                let queue = name(&format!("queue-{number}"));
                let sender = name(&format!("sender-{number}"));
                edges.push((sender.clone(), queue.clone(), EdgeKind::Send));
                edges.push((queue.clone(), worker.clone(), EdgeKind::Receive));
                nodes.extend([(queue, Kind::Queue), (sender, Kind::Role)]);
            }
            edges.push((name("queue-0"), function.clone(), EdgeKind::Delivers));
            edges.push((function.clone(), worker.clone(), EdgeKind::RunsAs));
            edges.push(("audit".to_owned(), name("queue-1"), EdgeKind::Send));
            nodes.extend([(worker, Kind::Role), (function, Kind::Function)]);
        }
        let mut add = |from: &str, to: &str, kind| edges.push((from.into(), to.into(), kind));
        add("team-t3-worker", "team-t3-queue-0", EdgeKind::Send);
        add("auditor", "audit", EdgeKind::RunsAs);
        for queue in ["team-t6-queue-0", "team-t9-queue-0"] {
            add("audit", queue, EdgeKind::Send);
            add(queue, "auditor", EdgeKind::Delivers);
        }
        nodes.push(("auditor".to_owned(), Kind::Function));
        let nodes: Vec<(&str, Kind)> = nodes
            .iter()
            .map(|(name, kind)| (name.as_str(), *kind))
            .collect();
        let edges: Vec<(&str, &str, EdgeKind)> = edges
            .iter()
            .map(|(from, to, kind)| (from.as_str(), to.as_str(), *kind))
            .collect();
        let mut all = picture(&nodes, &edges);
        let own = ["team-t3-queue-0", "team-t3-function", "team-t3-worker"];
        let sixth = ["team-t6-queue-0", "auditor", "audit"];
        let ninth = ["team-t9-queue-0", "auditor", "audit"];
        for [queue, function, role] in [own, sixth, ninth] {
            all = with_loop(all, Grade::Wired, &[queue, function, role, queue]);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::example::teams;
    use super::*;
    use crate::entity::Grade;
    use crate::graph::picture::Picture;
    use crate::graph::picture::example::picture;

    fn place(drawing: &Drawing<'_>, picture: &Picture, id: &str) -> usize {
        let member = picture.place(id).unwrap();
        let mut nodes = drawing.nodes.iter();
        nodes
            .position(|node| node.members.contains(&member))
            .unwrap()
    }

    #[test]
    fn a_small_drawing_is_not_cut() {
        let picture = picture(
            &[("role", Kind::Role), ("queue", Kind::Queue)],
            &[("role", "queue", EdgeKind::Send)],
        );
        let drawing = Drawing::new(&picture);
        let blocks = Blocks::new(&drawing);
        assert!(!blocks.is_cut());
        assert_eq!(blocks.drawing.nodes, drawing.nodes);
        assert_eq!(blocks.drawing.lines, drawing.lines);
    }

    #[test]
    fn a_team_is_a_block_that_is_called_like_it() {
        let picture = teams();
        let drawing = Drawing::new(&picture);
        let blocks = Blocks::new(&drawing);
        for team in 0..20 {
            let home = |what: &str| {
                let node = place(&drawing, &picture, &format!("team-t{team}-{what}"));
                blocks.home_of(node).unwrap()
            };
            assert_eq!(home("queue-0"), format!("team-t{team}-queue"));
            for what in [
                "queue-1", "queue-2", "queue-3", "sender-2", "worker", "function",
            ] {
                assert_eq!(home(what), home("queue-0"), "{team} {what}");
            }
        }
    }

    #[test]
    fn every_line_is_drawn_within_one_block_and_none_is_lost() {
        let picture = teams();
        let drawing = Drawing::new(&picture);
        let blocks = Blocks::new(&drawing);
        for (place, line) in blocks.drawing.lines.iter().enumerate() {
            assert_eq!(blocks.block_of[line.from], blocks.block_of[line.to]);
            let origin = &drawing.lines[blocks.line_origin[place]];
            assert_eq!(blocks.repeats(line.from), origin.from);
            assert_eq!(blocks.repeats(line.to), origin.to);
            assert_eq!(line.rights, origin.rights);
        }
        let own = blocks.line_origin.get(..drawing.lines.len()).unwrap();
        assert!(own.iter().copied().eq(0..drawing.lines.len()));
    }

    #[test]
    fn a_queue_stands_with_everyone_who_sends_to_it_and_receives_from_it() {
        let picture = teams();
        let drawing = Drawing::new(&picture);
        let blocks = Blocks::new(&drawing);
        let lines_at = |drawing: &Drawing<'_>, node: usize| {
            let lines = drawing.lines.iter();
            lines
                .filter(|line| line.from == node || line.to == node)
                .count()
        };
        for (node, drawn) in drawing.nodes.iter().enumerate() {
            if drawn.kind == Kind::Queue {
                assert!(!blocks.is_repeated(node));
                assert_eq!(lines_at(&blocks.drawing, node), lines_at(&drawing, node));
            }
        }
        let audit = place(&drawing, &picture, "audit");
        let repeated = blocks.origin.iter().filter(|origin| **origin == audit);
        assert_eq!(repeated.count(), 20, "once in each block, its own included");
    }

    #[test]
    fn a_loop_through_what_stands_elsewhere_can_be_followed_in_the_block_of_its_queue() {
        let picture = teams();
        let drawing = Drawing::new(&picture);
        let blocks = Blocks::new(&drawing);
        let of = |id: &str| place(&drawing, &picture, id);
        let home = blocks.block_of[of("audit")];
        let queues = ["team-t6-queue-0", "team-t9-queue-0"].map(of);
        assert!(queues.iter().any(|queue| blocks.block_of[*queue] != home));
        for queue in queues {
            let path = [queue, of("auditor"), of("audit"), queue];
            for step in path.windows(2) {
                let is_drawn = blocks.drawing.lines.iter().any(|line| {
                    blocks.block_of[line.from] == blocks.block_of[queue]
                        && blocks.repeats(line.from) == step[0]
                        && blocks.repeats(line.to) == step[1]
                        && line.grade == Some(Grade::Wired)
                });
                assert!(is_drawn, "{step:?}");
            }
        }
        let mut loops: Vec<(&str, usize)> = blocks
            .list
            .iter()
            .filter(|block| block.loops > 0)
            .map(|block| (block.title.as_str(), block.loops))
            .collect();
        loops.sort_unstable();
        assert_eq!(
            loops,
            [
                ("team-t3-queue", 1),
                ("team-t6-queue", 1),
                ("team-t9-queue", 1)
            ]
        );
        assert_eq!(blocks.list[0].loops, 1, "what has loops comes first");
    }
}
