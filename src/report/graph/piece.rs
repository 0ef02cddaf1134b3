//! One part of a drawing that lines connect, laid out from its own top.
//!
//! Layers as Sugiyama draws them, with layers that are given by what a node does instead of by the longest way. A cell is
//! what takes up room in a column: a node, with what runs as it below it in big drawings, or a line that passes.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use std::collections::BTreeMap;

use super::blocks::Blocks;
use super::layout::count;
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Line, Part};

/// A node is higher when many lines end at one side of it.
pub(super) const NODE_HEIGHT: i64 = 40;
const MOST_HEIGHT: i64 = 96;
/// A node that stands for one elsewhere, and one below what it runs as: a single line of text.
const LOW_HEIGHT: i64 = 24;
/// From one end of a line at a node to the next.
const PORT_PITCH: i64 = 5;
/// What a line takes that passes a column.
const LANE_HEIGHT: i64 = 8;
pub(super) const ROW_GAP: i64 = 12;
/// Between what somebody is and what runs as it.
const GAP_BELOW: i64 = 3;
/// Sweeps that order cells, and that place them.
pub(super) const SWEEPS: usize = 16;

/// What takes up room in a column.
pub(super) struct Cell {
    /// The node, and what runs as it where that stands below; none where a line passes.
    pub(super) nodes: Vec<Stand>,
    pub(super) column: i64,
    pub(super) height: i64,
    /// The middle, from the top of the part.
    pub(super) y: i64,
    /// Cells in the columns left and right of this one that lines lead to, and those in this one.
    pub(super) neighbours: [Vec<usize>; 2],
    pub(super) beside: Vec<usize>,
}

/// A node within a cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stand {
    pub(super) node: usize,
    /// From the top of the cell.
    pub(super) top: i64,
    pub(super) height: i64,
}

/// Nodes that lines connect.
pub(super) struct Connected {
    pub(super) nodes: Vec<usize>,
    pub(super) lines: Vec<usize>,
    /// How many columns there are of what feeds queues.
    pub(super) depth: i64,
}

/// A part that is laid out.
pub(super) struct Piece {
    pub(super) cells: Vec<Cell>,
    /// For each line the cells that it passes, ends included.
    pub(super) ways: Vec<(usize, Vec<usize>)>,
    pub(super) height: i64,
    /// How many columns there are of what feeds queues.
    pub(super) depth: i64,
}

/// The ends of lines at each side of each node: how far down the next cell is, the line, and which end of it.
type Sides = BTreeMap<(usize, bool), Vec<(i64, usize, bool)>>;

/// The parts that no line connects, and for each node its part.
pub(super) fn connected(blocks: &Blocks<'_>) -> (Vec<Connected>, Vec<usize>) {
    let drawing = &blocks.drawing;
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

/// For each node below another that other: in big drawings what runs as somebody, if it runs as nobody else.
pub(super) fn below(blocks: &Blocks<'_>) -> Vec<Option<usize>> {
    let drawing = &blocks.drawing;
    let mut below = vec![None; drawing.nodes.len()];
    if !blocks.is_cut() {
        return below;
    }
    let mut times = vec![0; drawing.nodes.len()];
    let runs = || {
        let lines = drawing.lines.iter();
        lines.filter(|line| line.kind == EdgeKind::RunsAs && line.from != line.to)
    };
    for line in runs() {
        times[line.from] += 1;
    }
    for line in runs() {
        let is_workload = Part::of(drawing.nodes[line.from].kind) == Part::Workload;
        let is_principal = Part::of(drawing.nodes[line.to].kind) == Part::Principal;
        if times[line.from] == 1 && is_workload && is_principal {
            below[line.from] = Some(line.to);
        }
    }
    below
}

/// Lays out one part, given the column of each node and what it stands below.
pub(super) fn lay_out(
    blocks: &Blocks<'_>,
    connected: &Connected,
    columns: &[i64],
    below: &[Option<usize>],
) -> Piece {
    let drawing = &blocks.drawing;
    let mut piece = Piece {
        cells: Vec::new(),
        ways: Vec::new(),
        height: 0,
        depth: connected.depth,
    };
    let mut cell_of: BTreeMap<usize, usize> = BTreeMap::new();
    for node in connected
        .nodes
        .iter()
        .filter(|node| below[**node].is_none())
    {
        cell_of.insert(*node, piece.add(Some(*node), columns[*node]));
    }
    for node in &connected.nodes {
        let Some(cell) = below[*node].map(|above| cell_of[&above]) else {
            continue;
        };
        cell_of.insert(*node, cell);
        piece.cells[cell].nodes.push(Stand {
            node: *node,
            top: 0,
            height: 0,
        });
    }
    for line in &connected.lines {
        let ends = &drawing.lines[*line];
        if below[ends.from] != Some(ends.to) {
            piece.add_line(*line, ends, &cell_of);
        }
    }
    let sides = piece.sides(blocks);
    for cell in piece.cells.iter_mut().filter(|cell| !cell.nodes.is_empty()) {
        let mut top = 0;
        for one in &mut cell.nodes {
            let ends = [false, true].map(|is_right| sides.get(&(one.node, is_right)));
            let ends = ends.into_iter().flatten().map(Vec::len).max().unwrap_or(0);
            let is_low = blocks.is_repeated(one.node) || below[one.node].is_some();
            let least = if is_low { LOW_HEIGHT } else { NODE_HEIGHT };
            one.top = top;
            one.height = (count(ends + 1) * PORT_PITCH).clamp(least, MOST_HEIGHT);
            top += one.height + GAP_BELOW;
        }
        cell.height = top - GAP_BELOW;
    }
    let order = piece.order();
    piece.set_heights(&order);
    piece
}

impl Piece {
    fn add(&mut self, node: Option<usize>, column: i64) -> usize {
        let nodes = node.into_iter().map(|node| Stand {
            node,
            top: 0,
            height: 0,
        });
        self.cells.push(Cell {
            nodes: nodes.collect(),
            column,
            height: LANE_HEIGHT,
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
            way.push(self.add(None, column));
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

    fn sides(&self, blocks: &Blocks<'_>) -> Sides {
        let mut sides = Sides::new();
        for (line, way) in &self.ways {
            let (Some(first), Some(last)) = (way.first(), way.last()) else {
                continue;
            };
            let ends = &blocks.drawing.lines[*line];
            for (node, cell, next, is_end) in [
                (ends.from, *first, way[1.min(way.len() - 1)], false),
                (ends.to, *last, way[way.len().saturating_sub(2)], true),
            ] {
                let is_right = self.cells[next].column >= self.cells[cell].column;
                let side = sides.entry((node, is_right)).or_default();
                side.push((self.cells[next].y, *line, is_end));
            }
        }
        sides
    }

    /// Where the two ends of each line are at their nodes, and whether at the right side. At each side they are ordered by
    /// where the lines lead, so that they do not cross before they begin.
    pub(super) fn ports(&self, blocks: &Blocks<'_>) -> BTreeMap<(usize, bool), (i64, bool)> {
        let mut places: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
        for cell in &self.cells {
            let top = cell.y - cell.height / 2;
            for one in &cell.nodes {
                places.insert(one.node, (top + one.top, one.height));
            }
        }
        let mut ports = BTreeMap::new();
        for ((node, is_right), mut ends) in self.sides(blocks) {
            // Of the lines to and from one node, the one towards the queue is the upper at both ends.
            let kind = |line: usize| blocks.drawing.lines[line].kind;
            ends.sort_by_key(|(y, line, is_end)| (*y, kind(*line), *line, *is_end));
            let (top, height) = places[&node];
            let number = count(ends.len());
            for (place, (_, line, is_end)) in ends.into_iter().enumerate() {
                let from_top = height * (count(place) + 1) / (number + 1);
                ports.insert((line, is_end), (top + from_top, is_right));
            }
        }
        ports
    }
}
