//! Where everything stands: generators left, queues in the middle, consumers right.
//!
//! Layers as Sugiyama draws them, with layers that are given by what a node does instead of by the longest way: whoever takes
//! from more queues than it puts into, or loops, stands right of them, the others left, what runs as them stands outside. Resources that
//! feed others stand further left. What is not connected is laid out apart and packed into blocks. All numbers are whole
//! and ties are broken by the order of nodes, so that one drawing always gives one picture.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::columns::Columns;
use crate::entity::Kind;
use crate::graph::picture::fold::{Drawing, Fold, Line};

/// The size of a node.
pub(super) const NODE_WIDTH: i64 = 216;
/// A node is higher when many lines end at one side of it.
const NODE_HEIGHT: i64 = 40;
const MOST_HEIGHT: i64 = 96;
/// From one end of a line at a node to the next.
const PORT_PITCH: i64 = 5;
/// What a line takes that passes a column.
const LANE_HEIGHT: i64 = 8;
const ROW_GAP: i64 = 12;
const COLUMN_PITCH: i64 = NODE_WIDTH + 104;
const PART_GAP: i64 = 30;
/// Above parts with other columns than those before.
const HEADING_GAP: i64 = 26;
const BLOCK_GAP: i64 = 110;
/// Width to height of the whole, about that of a screen, in tenths.
const ASPECT: i64 = 16;
/// Up to this height nothing is spread over several blocks.
const MOST_HEIGHT_OF_ONE_BLOCK: i64 = 1100;
/// A block with less than one of so many parts of its height in use takes what is too high for it.
const FULL_ENOUGH: i64 = 4;
/// Sweeps that order nodes, and that place them.
const SWEEPS: usize = 16;

/// Places of nodes and lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) width: i64,
    pub(super) height: i64,
    /// For each node of the drawing.
    pub(super) places: Vec<Place>,
    /// For each line of the drawing the points that it passes, with level tangents.
    pub(super) routes: Vec<Vec<Point>>,
    /// What stands in a column, and the middle of where that is written.
    pub(super) headings: Vec<(&'static str, Point)>,
}

/// The place of one node: its top left corner and its height.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) height: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: i64,
    pub(super) y: i64,
}

/// What takes up room in a column.
struct Cell {
    /// The node; none where a line passes.
    node: Option<usize>,
    column: i64,
    height: i64,
    /// The middle, from the top of the part.
    y: i64,
    /// Cells in the columns left and right of this one that lines lead to, and those in this one.
    neighbours: [Vec<usize>; 2],
    beside: Vec<usize>,
}

/// Nodes that lines connect.
struct Connected {
    nodes: Vec<usize>,
    lines: Vec<usize>,
    /// How many columns there are of what feeds queues.
    depth: i64,
}

/// A part that is laid out, from its own top.
struct Piece {
    cells: Vec<Cell>,
    /// For each line the cells that it passes, ends included.
    ways: Vec<(usize, Vec<usize>)>,
    height: i64,
    /// How many columns there are of what feeds queues.
    depth: i64,
}

/// Parts below each other with the same columns, of which the first has headings.
struct Run {
    depth: i64,
    left: i64,
    top: i64,
    /// The columns in use, and whether anything in them is no queue.
    columns: BTreeMap<i64, bool>,
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Layout {
    pub(super) fn new(drawing: &Drawing<'_>) -> Self {
        let (mut connected, part_of) = connected(drawing);
        let columns = Columns::new(drawing, &part_of);
        for (part, depth) in connected.iter_mut().zip(&columns.depth) {
            part.depth = *depth;
        }
        connected.sort_by_key(|part| rank_of_part(drawing, part));
        let parts: Vec<Piece> = connected
            .iter()
            .map(|connected| lay_out(drawing, connected, &columns.of))
            .collect();
        Self::packed(drawing, &parts)
    }

    /// Puts the parts below each other, in as many blocks side by side as make a picture of the shape of a screen.
    fn packed(drawing: &Drawing<'_>, parts: &[Piece]) -> Self {
        let width_of = |part: &Piece| {
            let columns = || part.cells.iter().map(|cell| cell.column);
            let (first, last) = (columns().min().unwrap_or(0), columns().max().unwrap_or(0));
            (last - first) * COLUMN_PITCH + NODE_WIDTH
        };
        let block_width = parts.iter().map(width_of).max().unwrap_or(0) + BLOCK_GAP;
        let heights = parts.iter().map(|part| part.height + PART_GAP);
        let pairs = parts.iter().zip(parts.iter().skip(1));
        let changes = pairs.filter(|(one, other)| one.depth != other.depth);
        let total = heights.sum::<i64>() + count(changes.count()) * HEADING_GAP;
        let mut blocks = 1;
        while total / blocks > MOST_HEIGHT_OF_ONE_BLOCK
            && blocks * block_width * 10 < total / blocks * ASPECT
        {
            blocks += 1;
        }
        let tallest = parts.iter().map(|part| part.height + PART_GAP).max();
        let limit = (total / blocks).max(tallest.unwrap_or(0));

        let mut layout = Self {
            width: 0,
            height: 0,
            places: vec![Place::default(); drawing.nodes.len()],
            routes: vec![Vec::new(); drawing.lines.len()],
            headings: Vec::new(),
        };
        let (mut left, mut rest) = (0, parts);
        while !rest.is_empty() {
            let (mut top, mut number) = (0, 0_usize);
            let mut tops = Vec::new();
            for part in rest {
                if top > limit / FULL_ENOUGH && top + part.height > limit {
                    break;
                }
                let before = number.checked_sub(1).map(|before| &rest[before]);
                if before.is_some_and(|before| before.depth != part.depth) {
                    top += HEADING_GAP;
                }
                tops.push(top);
                top += part.height + PART_GAP;
                number += 1;
            }
            let (block, others) = rest.split_at(number);
            rest = others;
            layout.height = layout.height.max(top - PART_GAP);
            left = layout.place_block(drawing, block, &tops, left) + BLOCK_GAP;
        }
        layout
    }

    /// Puts parts below each other, as far left as one of them reaches; says where the block ends.
    fn place_block(
        &mut self,
        drawing: &Drawing<'_>,
        block: &[Piece],
        tops: &[i64],
        left: i64,
    ) -> i64 {
        let columns = |part: &Piece| {
            part.cells
                .iter()
                .map(|cell| cell.column)
                .collect::<Vec<_>>()
        };
        // What runs as generators stands left of them, so that all parts of a block begin with the same columns.
        let leads = block.iter().map(|part| {
            let first = columns(part).into_iter().min().unwrap_or(0);
            -first - part.depth
        });
        let lead = leads.max().unwrap_or(0);
        let mut right = left;
        let mut run: Option<Run> = None;
        for (part, top) in block.iter().zip(tops) {
            if run.as_ref().is_some_and(|run| run.depth != part.depth) {
                self.add_headings(run.take());
            }
            let first = left + (part.depth + lead) * COLUMN_PITCH;
            self.place(drawing, part, first, *top);
            let run = run.get_or_insert_with(|| Run {
                depth: part.depth,
                left: first,
                top: *top,
                columns: BTreeMap::new(),
            });
            for cell in &part.cells {
                if let Some(node) = cell.node {
                    let is_other = drawing.nodes[node].kind != Kind::Queue;
                    *run.columns.entry(cell.column).or_default() |= is_other;
                }
            }
            let last = columns(part).into_iter().max().unwrap_or(0);
            right = right.max(first + last * COLUMN_PITCH + NODE_WIDTH);
        }
        self.add_headings(run);
        self.width = self.width.max(right);
        right
    }

    fn add_headings(&mut self, run: Option<Run>) {
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
            let x = run.left + column * COLUMN_PITCH + NODE_WIDTH / 2;
            self.headings.push((words, Point { x, y: run.top - 12 }));
        }
    }

    fn place(&mut self, drawing: &Drawing<'_>, part: &Piece, left: i64, top: i64) {
        let x_of = |cell: &Cell| left + cell.column * COLUMN_PITCH;
        for cell in &part.cells {
            if let Some(node) = cell.node {
                self.places[node] = Place {
                    x: x_of(cell),
                    y: top + cell.y - cell.height / 2,
                    height: cell.height,
                };
            }
        }
        let ports = ports(drawing, part);
        for (line, way) in &part.ways {
            let route = &mut self.routes[*line];
            for (index, cell) in way.iter().enumerate() {
                let at = &part.cells[*cell];
                let x = x_of(at);
                let is_last = index + 1 == way.len();
                if index == 0 || is_last {
                    let (y, is_right) = ports[&(*line, is_last)];
                    route.push(Point {
                        x: if is_right { x + NODE_WIDTH } else { x },
                        y: top + y,
                    });
                    continue;
                }
                let goes_right = part.cells[way[index - 1]].column < at.column;
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

/// Where the two ends of each line are at their nodes, and whether at the right side. At each side they are ordered by where
/// the lines lead, so that they do not cross before they begin.
fn ports(drawing: &Drawing<'_>, part: &Piece) -> BTreeMap<(usize, bool), (i64, bool)> {
    type Ends = Vec<(i64, usize, bool)>;
    let mut sides: BTreeMap<(usize, bool), Ends> = BTreeMap::new();
    for (line, way) in &part.ways {
        let (Some(first), Some(last)) = (way.first(), way.last()) else {
            continue;
        };
        for (cell, next, is_end) in [
            (*first, way[1.min(way.len() - 1)], false),
            (*last, way[way.len().saturating_sub(2)], true),
        ] {
            let is_right = part.cells[next].column >= part.cells[cell].column;
            let ends = sides.entry((cell, is_right)).or_default();
            ends.push((part.cells[next].y, *line, is_end));
        }
    }
    let mut ports = BTreeMap::new();
    for ((cell, is_right), mut ends) in sides {
        // Of the lines to and from one node, the one towards the queue is the upper at both ends.
        ends.sort_by_key(|(y, line, is_end)| (*y, drawing.lines[*line].kind, *line, *is_end));
        let cell = &part.cells[cell];
        let number = count(ends.len());
        for (place, (_, line, is_end)) in ends.into_iter().enumerate() {
            let from_top = cell.height * (count(place) + 1) / (number + 1);
            ports.insert(
                (line, is_end),
                (cell.y - cell.height / 2 + from_top, is_right),
            );
        }
    }
    ports
}

/// The parts that no line connects, and for each node its part.
fn connected(drawing: &Drawing<'_>) -> (Vec<Connected>, Vec<usize>) {
    let mut parent: Vec<usize> = (0..drawing.nodes.len()).collect();
    let root = |parent: &mut Vec<usize>, mut node: usize| {
        while parent[node] != node {
            parent[node] = parent[parent[node]];
            node = parent[node];
        }
        node
    };
    for line in &drawing.lines {
        let (from, to) = (root(&mut parent, line.from), root(&mut parent, line.to));
        parent[from.max(to)] = from.min(to);
    }
    let mut parts: BTreeMap<usize, Connected> = BTreeMap::new();
    let empty = || Connected {
        nodes: Vec::new(),
        lines: Vec::new(),
        depth: 0,
    };
    for node in 0..drawing.nodes.len() {
        let root = root(&mut parent, node);
        parts.entry(root).or_insert_with(empty).nodes.push(node);
    }
    for (place, line) in drawing.lines.iter().enumerate() {
        let root = root(&mut parent, line.from);
        parts.entry(root).or_insert_with(empty).lines.push(place);
    }
    let parts: Vec<Connected> = parts.into_values().collect();
    let mut part_of = vec![0; drawing.nodes.len()];
    for (number, part) in parts.iter().enumerate() {
        for node in &part.nodes {
            part_of[*node] = number;
        }
    }
    (parts, part_of)
}

/// The order of parts: those that reach everything, then those with loops, then those with most columns, then the biggest.
fn rank_of_part(drawing: &Drawing<'_>, part: &Connected) -> impl Ord + use<> {
    let nodes = || part.nodes.iter().map(|node| &drawing.nodes[*node]);
    let has_hub = nodes().any(|node| matches!(node.fold, Fold::Administrators | Fold::Wide));
    let gravest = nodes().filter_map(|node| node.grade).max();
    let is_idle = nodes().all(|node| node.fold == Fold::Idle);
    (
        !has_hub,
        is_idle,
        Reverse(gravest),
        Reverse(part.depth),
        Reverse(part.nodes.len()),
        part.nodes[0],
    )
}

fn lay_out(drawing: &Drawing<'_>, connected: &Connected, columns: &[i64]) -> Piece {
    let mut part = Piece {
        cells: Vec::new(),
        ways: Vec::new(),
        height: 0,
        depth: connected.depth,
    };
    let mut cell_of: BTreeMap<usize, usize> = BTreeMap::new();
    for node in &connected.nodes {
        cell_of.insert(*node, part.add(Some(*node), columns[*node], NODE_HEIGHT));
    }
    for line in &connected.lines {
        part.add_line(*line, &drawing.lines[*line], &cell_of);
    }
    for cell in part.cells.iter_mut().filter(|cell| cell.node.is_some()) {
        let ends = cell.neighbours.iter().map(Vec::len).max().unwrap_or(0) + cell.beside.len();
        cell.height = (count(ends + 1) * PORT_PITCH).clamp(NODE_HEIGHT, MOST_HEIGHT);
    }
    let order = part.order();
    part.set_heights(&order);
    part
}

impl Piece {
    fn add(&mut self, node: Option<usize>, column: i64, height: i64) -> usize {
        self.cells.push(Cell {
            node,
            column,
            height,
            y: 0,
            neighbours: [Vec::new(), Vec::new()],
            beside: Vec::new(),
        });
        self.cells.len() - 1
    }

    /// Adds the lanes that a line takes through the columns between its ends.
    fn add_line(&mut self, place: usize, line: &Line<'_>, cell_of: &BTreeMap<usize, usize>) {
        let (from, to) = (cell_of[&line.from], cell_of[&line.to]);
        let mut way = vec![from];
        let (mut column, last) = (self.cells[from].column, self.cells[to].column);
        let step = (last - column).signum();
        while column != last && column + step != last {
            column += step;
            way.push(self.add(None, column, LANE_HEIGHT));
        }
        way.push(to);
        for pair in way.windows(2) {
            let (one, other) = (pair[0], pair[1]);
            if step == 0 {
                self.cells[one].beside.push(other);
                self.cells[other].beside.push(one);
                continue;
            }
            let (left, right) = if step > 0 { (one, other) } else { (other, one) };
            self.cells[left].neighbours[1].push(right);
            self.cells[right].neighbours[0].push(left);
        }
        self.ways.push((place, way));
    }

    /// The cells of each column from top to bottom: the order with the fewest crossings that sweeping to and fro finds.
    fn order(&self) -> Vec<Vec<usize>> {
        let mut by_column: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (index, cell) in self.cells.iter().enumerate() {
            by_column.entry(cell.column).or_default().push(index);
        }
        let mut order: Vec<Vec<usize>> = by_column.into_values().collect();
        let mut position = vec![0; self.cells.len()];
        for column in &order {
            note(column, &mut position);
        }
        let mut best = order.clone();
        let mut fewest = self.crossings(&order, &position);
        for sweep in 0..SWEEPS {
            let to_the_right = sweep % 2 == 0;
            let mut columns: Vec<usize> = (0..order.len()).collect();
            if !to_the_right {
                columns.reverse();
            }
            for column in columns {
                let mut keyed: Vec<(i64, i64, usize)> = order[column]
                    .iter()
                    .map(|cell| {
                        let own = position[*cell];
                        (self.barycenter(*cell, to_the_right, &position), own, *cell)
                    })
                    .collect();
                keyed.sort_unstable();
                order[column] = keyed.into_iter().map(|(_, _, cell)| cell).collect();
                note(&order[column], &mut position);
            }
            let crossings = self.crossings(&order, &position);
            if crossings < fewest {
                fewest = crossings;
                best.clone_from(&order);
            }
        }
        best
    }

    /// The mean position of what a cell is connected with on the side that the sweep comes from, or on the other where
    /// there is nothing, in thousandths of the column.
    fn barycenter(&self, cell: usize, to_the_right: bool, position: &[i64]) -> i64 {
        let own = &self.cells[cell];
        let [left, right] = &own.neighbours;
        let (near, far) = if to_the_right {
            (left, right)
        } else {
            (right, left)
        };
        let side = if near.is_empty() { far } else { near };
        let around = side.iter().chain(&own.beside);
        let (sum, number) = around.fold((0, 0), |(sum, number), other| {
            (sum + position[*other], number + 1)
        });
        if number == 0 {
            position[cell]
        } else {
            sum / number
        }
    }

    fn crossings(&self, order: &[Vec<usize>], position: &[i64]) -> u64 {
        let mut crossings = 0;
        for column in order {
            // Lines to the right from top to bottom; each crosses those before it that end further down.
            let mut place: BTreeMap<usize, usize> = BTreeMap::new();
            let mut ends = Vec::new();
            for cell in column {
                let mut right: Vec<(i64, usize)> = self.cells[*cell].neighbours[1]
                    .iter()
                    .map(|other| (position[*other], *other))
                    .collect();
                right.sort_unstable();
                ends.extend(right);
            }
            let mut sorted = ends.clone();
            sorted.sort_unstable();
            for (_, cell) in sorted {
                let next = place.len();
                place.entry(cell).or_insert(next);
            }
            let mut tree = vec![0_u64; place.len() + 1];
            for (before, (_, cell)) in ends.iter().enumerate() {
                let at = place[cell] + 1;
                let (mut index, mut not_below) = (at, 0);
                while index > 0 {
                    not_below += tree[index];
                    index &= index - 1;
                }
                crossings += before as u64 - not_below;
                let mut index = at;
                while index < tree.len() {
                    tree[index] += 1;
                    index += index & index.wrapping_neg();
                }
            }
        }
        crossings
    }

    /// Brings each cell as near to the middle of what it is connected with as its order and size allow.
    fn set_heights(&mut self, order: &[Vec<usize>]) {
        for column in order {
            let mut y = 0;
            for cell in column {
                let height = self.cells[*cell].height;
                self.cells[*cell].y = y + height / 2;
                y += height + ROW_GAP;
            }
        }
        for sweep in 0..SWEEPS {
            let columns: Vec<&Vec<usize>> = if sweep % 2 == 0 {
                order.iter().collect()
            } else {
                order.iter().rev().collect()
            };
            for column in columns {
                self.settle(column);
            }
        }
        let edge = |cell: &Cell, sign: i64| cell.y + sign * cell.height / 2;
        let top = self
            .cells
            .iter()
            .map(|cell| edge(cell, -1))
            .min()
            .unwrap_or(0);
        for cell in &mut self.cells {
            cell.y -= top;
        }
        self.height = self
            .cells
            .iter()
            .map(|cell| edge(cell, 1))
            .max()
            .unwrap_or(0);
    }

    /// The least squares of the distances to the wished places, in the given order and without overlaps: cells that would
    /// overlap are pooled and take the mean of their wishes.
    fn settle(&mut self, column: &[usize]) {
        let mut offsets = Vec::with_capacity(column.len());
        let mut pools: Vec<(i64, i64, usize)> = Vec::new();
        let mut offset = 0;
        for (index, cell) in column.iter().enumerate() {
            if index > 0 {
                offset += self.distance(column[index - 1], *cell);
            }
            offsets.push(offset);
            let (sum, weight) = self.wish(*cell);
            let mut pool = (sum - offset * weight, weight, 1);
            while let Some(above) = pools.last() {
                if above.0 * pool.1 < pool.0 * above.1 {
                    break;
                }
                pool = (above.0 + pool.0, above.1 + pool.1, above.2 + pool.2);
                pools.pop();
            }
            pools.push(pool);
        }
        let mut next = 0;
        for (sum, weight, number) in pools {
            for _ in 0..number {
                self.cells[column[next]].y = sum.div_euclid(weight) + offsets[next];
                next += 1;
            }
        }
    }

    /// The sum of the places that a cell would like to be at, and how many they are.
    fn wish(&self, cell: usize) -> (i64, i64) {
        let own = &self.cells[cell];
        let mean_of = |sum: (i64, i64), other: &usize| (sum.0 + self.cells[*other].y, sum.1 + 1);
        let around = own.neighbours.iter().flatten().fold((0, 0), mean_of);
        // What stands in the same column pulls along only what nothing else holds.
        match around {
            (_, 0) if own.beside.is_empty() => (own.y, 1),
            (_, 0) => own.beside.iter().fold((0, 0), mean_of),
            around => around,
        }
    }

    fn distance(&self, above: usize, below: usize) -> i64 {
        let (above, below) = (&self.cells[above], &self.cells[below]);
        let gap = match (above.node, below.node) {
            (None, None) => 2,
            _ => ROW_GAP,
        };
        i64::midpoint(above.height, below.height) + gap
    }
}

/// Notes where each cell of a column stands, in thousandths of the column.
fn note(column: &[usize], position: &mut [i64]) {
    let number = count(column.len());
    for (place, cell) in column.iter().enumerate() {
        position[*cell] = (2 * count(place) + 1) * 1_000_000 / (2 * number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Grade;
    use crate::graph::EdgeKind;
    use crate::graph::picture::Picture;
    use crate::graph::picture::example::{picture, with_loop};

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
        let layout = Layout::new(&Drawing::new(&picture));
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
        let layout = Layout::new(&Drawing::new(&picture));
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
        let layout = Layout::new(&drawing);
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
        let (parts, part_of) = connected(&drawing);
        assert_eq!(parts.len(), 1);
        let columns = Columns::new(&drawing, &part_of);
        let part = lay_out(&drawing, &parts[0], &columns.of);
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
        let layout = Layout::new(&Drawing::new(&picture));
        let x = |id: &str| place(&picture, &layout, id).x;
        assert!(x("role") < x("a") && x("a") < x("b") && x("b") < x("c"));
        let empty = Picture {
            nodes: Vec::new(),
            edges: Vec::new(),
            ..picture.clone()
        };
        assert_eq!(Layout::new(&Drawing::new(&empty)).height, 0);
    }
}
