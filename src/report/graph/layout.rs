//! Where everything stands: generators left, queues in the middle, consumers right.
//!
//! Whoever takes from more queues than it puts into, or loops, stands right of them, the others left, what runs as them
//! outside or, in big drawings, below. Resources that feed others stand further left. What is not connected is laid out
//! apart. Big drawings are blocks on a page, each with a title and columns of its own. All numbers are whole and ties are
//! broken by the order of nodes, so that one drawing always gives one picture.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::blocks::{Block, Blocks};
use super::columns::Columns;
use super::packing::packed;
use super::piece::{self, Connected, Piece};
use crate::entity::Kind;
use crate::graph::picture::fold::Fold;

/// The size of a node.
pub(super) const NODE_WIDTH: i64 = 216;
/// What stands below another is narrower on its left.
const INDENT: i64 = 14;
const COLUMN_PITCH: i64 = NODE_WIDTH + 104;
const PART_GAP: i64 = 30;
/// Above parts with other columns than those before.
const HEADING_GAP: i64 = 26;
const COLUMNS_GAP: i64 = 110;
/// Width to height of the whole, about that of a screen, in tenths.
const ASPECT: i64 = 16;
/// Up to this height nothing is spread over several stacks side by side.
const MOST_HEIGHT_OF_ONE_STACK: i64 = 1100;
/// A stack with less than one of so many parts of its height in use takes what is too high for it.
const FULL_ENOUGH: i64 = 4;
/// Around what stands in a frame, and between frames.
const FRAME_PADDING: i64 = 26;
const FRAME_GAP: i64 = 44;
/// Between the parts of one frame.
const PART_GAP_IN_FRAME: i64 = 16;
/// The size of titles, so that they can be read when the whole picture fits a screen, as a part of its width.
const WIDTHS_OF_TITLE: i64 = 95;
const TITLE_SIZES: std::ops::RangeInclusive<i64> = 17..=130;

/// Places of nodes and lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: i64,
    pub(super) height: i64,
    /// For each node of the drawing.
    pub(super) places: Vec<Place>,
    /// For each line of the drawing the points that it passes, with level tangents; none for what stands below.
    pub(super) routes: Vec<Vec<Point>>,
    /// What stands in a column.
    pub(super) headings: Vec<Heading>,
    /// For each block the room that it takes; none when the drawing is not cut.
    pub(super) frames: Vec<Frame>,
    /// The size of the titles of frames.
    pub(super) title: i64,
}

/// The place of one node: its top left corner and its size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: i64,
    pub(super) y: i64,
}

/// Words above a column, by their middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heading {
    pub(super) words: &'static str,
    pub(super) at: Point,
    /// The block that it belongs to; the first when the drawing is not cut.
    pub(super) block: usize,
}

/// The room that a block takes, title included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
}

/// Parts below each other with the same columns, of which the first has headings.
struct Run {
    depth: i64,
    left: i64,
    top: i64,
    /// The columns in use, and whether anything in them is no queue.
    columns: BTreeMap<i64, bool>,
}

/// Parts below each other.
struct Stack<'a> {
    pieces: &'a [Piece],
    tops: Vec<i64>,
    /// Columns of what runs as generators, which stand left of those with which parts begin.
    lead: i64,
    width: i64,
    height: i64,
}

pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl<'a> Stack<'a> {
    /// As many parts as go below each other within a height.
    fn new(pieces: &'a [Piece], gap: i64, limit: i64) -> (Self, &'a [Piece]) {
        let (mut top, mut height, mut tops) = (0, 0, Vec::new());
        for (place, piece) in pieces.iter().enumerate() {
            if top > limit / FULL_ENOUGH && top + piece.height > limit {
                break;
            }
            let before = place.checked_sub(1).map(|before| &pieces[before]);
            if before.is_some_and(|before| before.depth != piece.depth) {
                top += HEADING_GAP;
            }
            tops.push(top);
            height = top + piece.height;
            top = height + gap;
        }
        let (pieces, rest) = pieces.split_at(tops.len());
        let leads = pieces.iter().map(|piece| -piece.first() - piece.depth);
        let lead = leads.max().unwrap_or(0);
        let rights = pieces
            .iter()
            .map(|piece| (piece.depth + lead + piece.last()) * COLUMN_PITCH + NODE_WIDTH);
        let stack = Self {
            lead,
            width: rights.max().unwrap_or(0),
            height,
            pieces,
            tops,
        };
        (stack, rest)
    }
}

impl Piece {
    fn first(&self) -> i64 {
        let columns = self.cells.iter().map(|cell| cell.column);
        columns.min().unwrap_or(0)
    }

    fn last(&self) -> i64 {
        let columns = self.cells.iter().map(|cell| cell.column);
        columns.max().unwrap_or(0)
    }
}

impl Layout {
    pub(super) fn new(blocks: &Blocks<'_>) -> Self {
        let (mut connected, part_of) = piece::connected(blocks);
        let columns = Columns::new(&blocks.drawing, &part_of);
        for (part, depth) in connected.iter_mut().zip(&columns.depth) {
            part.depth = *depth;
        }
        connected.sort_by_key(|part| rank_of_part(blocks, part));
        let below = piece::below(blocks);
        let laid_out = |part: &Connected| piece::lay_out(blocks, part, &columns.of, &below);
        let mut layout = Self {
            width: 0,
            height: 0,
            places: vec![Place::default(); blocks.drawing.nodes.len()],
            routes: vec![Vec::new(); blocks.drawing.lines.len()],
            headings: Vec::new(),
            frames: Vec::new(),
            title: 0,
        };
        if blocks.is_cut() {
            let mut in_blocks: Vec<Vec<Piece>> = Vec::new();
            in_blocks.resize_with(blocks.list.len(), Vec::new);
            for part in &connected {
                in_blocks[blocks.block_of[part.nodes[0]]].push(laid_out(part));
            }
            layout.place_frames(blocks, &in_blocks);
        } else {
            let pieces: Vec<Piece> = connected.iter().map(laid_out).collect();
            layout.place_side_by_side(blocks, &pieces);
        }
        layout
    }

    /// Puts each block into a frame, and the frames on one page.
    fn place_frames(&mut self, blocks: &Blocks<'_>, in_blocks: &[Vec<Piece>]) {
        let stacks: Vec<Stack<'_>> = in_blocks
            .iter()
            .map(|pieces| Stack::new(pieces, PART_GAP_IN_FRAME, i64::MAX).0)
            .collect();
        let boxes_of = |title: i64| -> Vec<(i64, i64)> {
            let above = above_block(title);
            let room = |stack: &Stack<'_>| {
                let width = stack.width + 2 * FRAME_PADDING;
                (width, stack.height + above + FRAME_PADDING)
            };
            stacks.iter().map(room).collect()
        };
        let width_of = |boxes: &[(i64, i64)], places: &[(i64, i64)]| {
            let rights = boxes.iter().zip(places).map(|(size, at)| size.0 + at.0);
            rights.max().unwrap_or(0)
        };
        let is_first = |block: &&Block| block.loops > 0 || block.is_reaching;
        let first = blocks.list.iter().take_while(is_first).count();
        // Titles make the page bigger, a bigger page makes titles bigger: twice is near enough.
        let (mut boxes, mut places) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let by_width = width_of(&boxes, &places) / WIDTHS_OF_TITLE;
            self.title = by_width.clamp(*TITLE_SIZES.start(), *TITLE_SIZES.end());
            boxes = boxes_of(self.title);
            places = packed(&boxes, first, FRAME_GAP);
        }
        for (place, ((stack, (width, height)), (x, y))) in
            stacks.iter().zip(&boxes).zip(&places).enumerate()
        {
            self.frames.push(Frame {
                x: *x,
                y: *y,
                width: *width,
                height: *height,
            });
            let (left, top) = (x + FRAME_PADDING, y + above_block(self.title));
            self.place_stack(blocks, stack, place, left, top);
            self.width = self.width.max(x + width);
            self.height = self.height.max(y + height);
        }
    }

    /// Puts the parts below each other, in as many stacks side by side as make a picture of the shape of a screen.
    fn place_side_by_side(&mut self, blocks: &Blocks<'_>, pieces: &[Piece]) {
        let width_of = |piece: &Piece| (piece.last() - piece.first()) * COLUMN_PITCH + NODE_WIDTH;
        let stack_width = pieces.iter().map(width_of).max().unwrap_or(0) + COLUMNS_GAP;
        let heights = pieces.iter().map(|piece| piece.height + PART_GAP);
        let pairs = pieces.iter().zip(pieces.iter().skip(1));
        let changes = pairs.filter(|(one, other)| one.depth != other.depth);
        let total = heights.sum::<i64>() + count(changes.count()) * HEADING_GAP;
        let mut stacks = 1;
        while total / stacks > MOST_HEIGHT_OF_ONE_STACK
            && stacks * stack_width * 10 < total / stacks * ASPECT
        {
            stacks += 1;
        }
        let tallest = pieces.iter().map(|piece| piece.height + PART_GAP).max();
        let limit = (total / stacks).max(tallest.unwrap_or(0));
        let (mut left, mut rest) = (0, pieces);
        while !rest.is_empty() {
            let (stack, others) = Stack::new(rest, PART_GAP, limit);
            rest = others;
            self.place_stack(blocks, &stack, 0, left, 0);
            self.height = self.height.max(stack.height);
            self.width = self.width.max(left + stack.width);
            left += stack.width + COLUMNS_GAP;
        }
    }

    fn place_stack(
        &mut self,
        blocks: &Blocks<'_>,
        stack: &Stack<'_>,
        block: usize,
        left: i64,
        top: i64,
    ) {
        let mut run: Option<Run> = None;
        for (piece, from_top) in stack.pieces.iter().zip(&stack.tops) {
            if run.as_ref().is_some_and(|run| run.depth != piece.depth) {
                self.add_headings(run.take(), block);
            }
            let first = left + (piece.depth + stack.lead) * COLUMN_PITCH;
            self.place(blocks, piece, first, top + from_top);
            let run = run.get_or_insert_with(|| Run {
                depth: piece.depth,
                left: first,
                top: top + from_top,
                columns: BTreeMap::new(),
            });
            for cell in &piece.cells {
                if let Some(stand) = cell.nodes.first() {
                    let is_other = blocks.drawing.nodes[stand.node].kind != Kind::Queue;
                    *run.columns.entry(cell.column).or_default() |= is_other;
                }
            }
        }
        self.add_headings(run, block);
    }

    fn add_headings(&mut self, run: Option<Run>, block: usize) {
        let Some(run) = run else {
            return;
        };
        let feeding = run
            .columns
            .keys()
            .copied()
            .find(|column| *column >= -run.depth);
        for (column, has_others) in run.columns {
            // One heading for all columns of what feeds.
            if column < 0 && column >= -run.depth && Some(column) != feeding {
                continue;
            }
            let words = match column {
                0 if has_others => "queues and channels",
                0 => "queues",
                1 => "consumers",
                2 => "what runs as them",
                before if before >= -run.depth => "what feeds queues",
                before if before == -1 - run.depth => "generators",
                _ => "what runs as them",
            };
            let at = Point {
                x: run.left + column * COLUMN_PITCH + NODE_WIDTH / 2,
                y: run.top - 12,
            };
            self.headings.push(Heading { words, at, block });
        }
    }

    fn place(&mut self, blocks: &Blocks<'_>, piece: &Piece, left: i64, top: i64) {
        let x_of = |column: i64| left + column * COLUMN_PITCH;
        for cell in &piece.cells {
            for (number, stand) in cell.nodes.iter().enumerate() {
                let indent = if number == 0 { 0 } else { INDENT };
                self.places[stand.node] = Place {
                    x: x_of(cell.column) + indent,
                    y: top + cell.y - cell.height / 2 + stand.top,
                    width: NODE_WIDTH - indent,
                    height: stand.height,
                };
            }
        }
        let ports = piece.ports(blocks);
        for (line, way) in &piece.ways {
            let route = &mut self.routes[*line];
            let ends = &blocks.drawing.lines[*line];
            for (index, cell) in way.iter().enumerate() {
                let at = &piece.cells[*cell];
                let is_last = index + 1 == way.len();
                if index == 0 || is_last {
                    let (y, is_right) = ports[&(*line, is_last)];
                    let node = self.places[if is_last { ends.to } else { ends.from }];
                    route.push(Point {
                        x: if is_right {
                            node.x + node.width
                        } else {
                            node.x
                        },
                        y: top + y,
                    });
                    continue;
                }
                let x = x_of(at.column);
                let goes_right = piece.cells[way[index - 1]].column < at.column;
                let (enter, leave) = if goes_right {
                    (x, x + NODE_WIDTH)
                } else {
                    (x + NODE_WIDTH, x)
                };
                let y = top + at.y;
                route.extend([Point { x: enter, y }, Point { x: leave, y }]);
            }
        }
    }
}

/// The room above what stands in a frame: its title, a line on what it is, and the headings of columns.
fn above_block(title: i64) -> i64 {
    title * 5 / 2 + FRAME_PADDING + HEADING_GAP
}

/// The order of parts: those that reach everything, then those with loops, then those with most columns, then the biggest.
fn rank_of_part(blocks: &Blocks<'_>, part: &Connected) -> impl Ord + use<> {
    let nodes = || part.nodes.iter().map(|node| &blocks.drawing.nodes[*node]);
    let has_hub = nodes().any(|node| matches!(node.fold, Fold::Administrators | Fold::Wide));
    let gravest = nodes().filter_map(|node| node.grade).max();
    let is_idle = nodes().all(|node| node.fold == Fold::Idle);
    (
        // In a block they are what does not belong to it.
        has_hub == blocks.is_cut(),
        is_idle,
        Reverse(gravest),
        Reverse(part.depth),
        Reverse(part.nodes.len()),
        part.nodes[0],
    )
}

#[cfg(test)]
mod tests {
    use super::super::blocks::example::teams;
    use super::super::order::note;
    use super::*;
    use crate::entity::Grade;
    use crate::graph::EdgeKind;
    use crate::graph::picture::Picture;
    use crate::graph::picture::example::{picture, with_loop};
    use crate::graph::picture::fold::Drawing;

    fn place(picture: &Picture, layout: &Layout, id: &str) -> Place {
        // Small pictures are drawn node by node.
        layout.places[picture.place(id).unwrap()]
    }

    fn flow() -> Picture {
        picture(
            &[
                ("a-consumer", Kind::Role),
                ("b-generator", Kind::Role),
                ("c-function", Kind::Function),
                ("d-instance", Kind::Instance),
                ("e-both", Kind::Role),
                ("queue", Kind::Queue),
                ("queue-dlq", Kind::Queue),
            ],
            &[
                ("b-generator", "queue", EdgeKind::Send),
                ("queue", "a-consumer", EdgeKind::Receive),
                ("queue", "e-both", EdgeKind::Receive),
                ("e-both", "queue", EdgeKind::Send),
                ("queue", "c-function", EdgeKind::Delivers),
                ("c-function", "a-consumer", EdgeKind::RunsAs),
                ("d-instance", "b-generator", EdgeKind::RunsAs),
                ("queue", "queue-dlq", EdgeKind::Redrives),
            ],
        )
    }

    #[test]
    fn generators_stand_left_queues_in_the_middle_and_consumers_right() {
        let picture = with_loop(flow(), Grade::Permitted, &["queue", "e-both", "queue"]);
        let layout = Layout::new(&Blocks::new(&Drawing::new(&picture)));
        let x = |id: &str| place(&picture, &layout, id).x;
        assert!(x("d-instance") < x("b-generator"));
        assert!(x("b-generator") < x("queue"));
        assert_eq!(x("queue"), x("queue-dlq"));
        assert!(x("queue") < x("a-consumer"));
        assert_eq!(x("a-consumer"), x("e-both"));
        assert!(x("a-consumer") < x("c-function"));
    }

    #[test]
    fn no_node_covers_another_and_everything_is_within_the_picture() {
        let picture = flow();
        let layout = Layout::new(&Blocks::new(&Drawing::new(&picture)));
        for (index, one) in layout.places.iter().enumerate() {
            assert!(one.x >= 0 && one.x + NODE_WIDTH <= layout.width);
            assert!(one.y >= 0 && one.y + one.height <= layout.height);
            for other in &layout.places[index + 1..] {
                let apart = one.x != other.x
                    || one.y + one.height <= other.y
                    || other.y + other.height <= one.y;
                assert!(apart, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn lines_begin_and_end_at_their_nodes() {
        let picture = flow();
        let drawing = Drawing::new(&picture);
        let layout = Layout::new(&Blocks::new(&drawing));
        for (line, route) in drawing.lines.iter().zip(&layout.routes) {
            for (node, point) in [(line.from, route.first()), (line.to, route.last())] {
                let (node, point) = (layout.places[node], point.unwrap());
                assert!(point.x == node.x || point.x == node.x + NODE_WIDTH);
                assert!(point.y > node.y && point.y < node.y + node.height);
            }
        }
    }

    #[test]
    fn what_is_not_crossed_in_the_best_order_is_not_crossed() {
        let roles: Vec<String> = (0..6).map(|n| format!("role-{n}")).collect();
        let queues: Vec<String> = (0..6).map(|n| format!("queue-{}", 5 - n)).collect();
        let mut nodes: Vec<(&str, Kind)> = Vec::new();
        let mut edges = Vec::new();
        for (role, queue) in roles.iter().zip(&queues) {
            nodes.push((role, Kind::Role));
            nodes.push((queue, Kind::Queue));
            edges.push((role.as_str(), queue.as_str(), EdgeKind::Send));
        }
        // One chain, so that the six pairs are one part.
        for (role, queue) in roles.iter().zip(queues.iter().skip(1)) {
            edges.push((role, queue, EdgeKind::Send));
        }
        let picture = picture(&nodes, &edges);
        let drawing = Drawing::new(&picture);
        let blocks = Blocks::new(&drawing);
        let (parts, part_of) = piece::connected(&blocks);
        assert_eq!(parts.len(), 1);
        let columns = Columns::new(&drawing, &part_of);
        let below = piece::below(&blocks);
        let part = piece::lay_out(&blocks, &parts[0], &columns.of, &below);
        let mut by_column: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (index, cell) in part.cells.iter().enumerate() {
            by_column.entry(cell.column).or_default().push(index);
        }
        let mut position = vec![0; part.cells.len()];
        let mut order: Vec<Vec<usize>> = by_column.into_values().collect();
        for column in &mut order {
            column.sort_by_key(|cell| part.cells[*cell].y);
            note(column, &mut position);
        }
        assert_eq!(part.crossings(&order, &position), 0);
    }

    #[test]
    fn any_graph_is_laid_out_cycles_and_single_nodes_included() {
        let picture = picture(
            &[
                ("a", Kind::Queue),
                ("b", Kind::Queue),
                ("c", Kind::Queue),
                ("role", Kind::Role),
                ("alone", Kind::User),
            ],
            &[
                ("a", "b", EdgeKind::Delivers),
                ("b", "c", EdgeKind::Delivers),
                ("c", "a", EdgeKind::Delivers),
                ("a", "a", EdgeKind::Redrives),
                ("role", "a", EdgeKind::Send),
                ("c", "role", EdgeKind::Receive),
            ],
        );
        let layout = Layout::new(&Blocks::new(&Drawing::new(&picture)));
        let x = |id: &str| place(&picture, &layout, id).x;
        assert!(x("role") < x("a") && x("a") < x("b") && x("b") < x("c"));
        let empty = Picture {
            nodes: Vec::new(),
            edges: Vec::new(),
            ..picture.clone()
        };
        assert_eq!(Layout::new(&Blocks::new(&Drawing::new(&empty))).height, 0);
    }

    #[test]
    fn blocks_stand_apart_and_everything_within_its_own() {
        let picture = teams();
        let blocks = Blocks::new(&Drawing::new(&picture));
        let layout = Layout::new(&blocks);
        assert!(blocks.is_cut());
        assert_eq!(layout.frames.len(), blocks.list.len());
        for (index, one) in layout.frames.iter().enumerate() {
            for other in &layout.frames[index + 1..] {
                let apart = one.x + one.width < other.x
                    || other.x + other.width < one.x
                    || one.y + one.height < other.y
                    || other.y + other.height < one.y;
                assert!(apart, "{one:?} {other:?}");
            }
        }
        for (place, block) in layout.places.iter().zip(&blocks.block_of) {
            let frame = layout.frames[*block];
            assert!(frame.x < place.x && place.x + place.width < frame.x + frame.width);
            assert!(frame.y < place.y && place.y + place.height < frame.y + frame.height);
        }
        for (line, route) in blocks.drawing.lines.iter().zip(&layout.routes) {
            let frame = layout.frames[blocks.block_of[line.from]];
            for point in route {
                assert!(frame.x < point.x && point.x < frame.x + frame.width);
            }
        }
        let shape = layout.width * 10 / layout.height;
        assert!((10..=24).contains(&shape), "{shape}");
        assert_eq!(layout, Layout::new(&Blocks::new(&Drawing::new(&picture))));
    }

    #[test]
    fn in_a_block_what_runs_as_somebody_stands_below() {
        let picture = teams();
        let blocks = Blocks::new(&Drawing::new(&picture));
        let layout = Layout::new(&blocks);
        let mut runs = 0;
        for (line, route) in blocks.drawing.lines.iter().zip(&layout.routes) {
            if line.kind == EdgeKind::RunsAs {
                let (below, above) = (layout.places[line.from], layout.places[line.to]);
                assert!(below.y >= above.y + above.height && below.y < above.y + 100);
                assert!(below.x > above.x && below.x + below.width == above.x + above.width);
                assert!(route.is_empty());
                runs += 1;
            } else {
                assert!(route.len() >= 2);
            }
        }
        assert!(runs >= 20, "{runs}");
    }
}
