//! Which column each node of a drawing stands in: what feeds left of what it feeds, what takes right of what it takes from.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use crate::entity::Kind;
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Drawing, Part};

/// More than any number of lines.
const SETTLED: i64 = 1 << 40;
/// Columns of what feeds queues; what feeds from further away stands in the first.
const MOST_DEPTH: i64 = 6;

/// The columns of a drawing.
pub(super) struct Columns {
    /// How far each node stands from the column of queues.
    pub(super) of: Vec<i64>,
    /// For each part that lines connect, how many columns there are of what feeds queues.
    pub(super) depth: Vec<i64>,
}

/// Whether a node stands among the queues: what messages lie in or only pass through.
fn is_between(kind: Kind) -> bool {
    Part::of(kind) == Part::Resource || kind == Kind::Pipe
}

impl Columns {
    /// Finds the column of each node, given the part that it belongs to.
    pub(super) fn new(drawing: &Drawing<'_>, part_of: &[usize]) -> Self {
        let parts = part_of.iter().map(|part| part + 1).max().unwrap_or(0);
        let part = |node: usize| Part::of(drawing.nodes[node].kind);
        let between = |node: usize| is_between(drawing.nodes[node].kind);
        let (ranks, deepest) = ranks(drawing, part_of, parts);
        let depth: Vec<i64> = deepest.iter().map(|deep| (*deep).min(MOST_DEPTH)).collect();
        let mut columns = vec![0; drawing.nodes.len()];
        // What a principal puts in and decides against what it takes out; a loop or a delivery settles it.
        let mut takes = vec![0_i64; drawing.nodes.len()];
        for line in &drawing.lines {
            match (line.kind, part(line.from), part(line.to)) {
                (EdgeKind::Delivers, Part::Resource, _) => takes[line.to] += SETTLED,
                (EdgeKind::Receive, Part::Resource, _) if line.grade.is_some() => {
                    takes[line.to] += SETTLED;
                }
                (EdgeKind::Receive, Part::Resource, _) => takes[line.to] += 1,
                (_, Part::Principal, Part::Resource) => takes[line.from] -= 1,
                _ => {}
            }
        }
        for line in &drawing.lines {
            if line.kind == EdgeKind::RunsAs && takes[line.from] >= SETTLED {
                takes[line.to] += SETTLED;
            }
        }
        for node in 0..drawing.nodes.len() {
            let part = part_of[node];
            columns[node] = if between(node) {
                (ranks[node] - deepest[part]).max(-depth[part])
            } else if takes[node] > 0 {
                1
            } else {
                -1 - depth[part]
            };
        }
        // What runs as somebody stands outside of it, on the same side.
        for node in 0..drawing.nodes.len() {
            if part(node) == Part::Workload && !between(node) && takes[node] > 0 {
                columns[node] = 2;
            }
        }
        for line in &drawing.lines {
            if line.kind == EdgeKind::RunsAs && takes[line.from] <= 0 && !between(line.from) {
                columns[line.from] = if columns[line.to] > 0 {
                    2
                } else {
                    -2 - depth[part_of[line.from]]
                };
            }
        }
        Self { of: columns, depth }
    }
}

/// How many resources feed each resource one after the other, and the most of that in each part. What feeds stands right
/// before what it feeds first; a way back, as of a pipe into its own queue, does not count.
fn ranks(drawing: &Drawing<'_>, part_of: &[usize], parts: usize) -> (Vec<i64>, Vec<i64>) {
    let number = drawing.nodes.len();
    let between = |node: usize| is_between(drawing.nodes[node].kind);
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); number];
    let mut is_fed = vec![false; number];
    let mut rank = vec![0; number];
    for line in &drawing.lines {
        if line.kind != EdgeKind::Redrives
            && line.from != line.to
            && between(line.from)
            && between(line.to)
        {
            next[line.from].push(line.to);
        }
    }
    // Depth first, without recursion: the order in which nodes are left, and the edges that lead back.
    let (mut state, mut order) = (vec![0_u8; number], Vec::new());
    let mut forward: Vec<Vec<usize>> = vec![Vec::new(); number];
    for start in 0..number {
        let mut stack = vec![(start, 0)];
        while let Some((node, at)) = stack.pop() {
            if at == 0 {
                if state[node] != 0 {
                    continue;
                }
                state[node] = 1;
            }
            let Some(&to) = next[node].get(at) else {
                state[node] = 2;
                order.push(node);
                continue;
            };
            stack.push((node, at + 1));
            if state[to] != 1 {
                forward[node].push(to);
                is_fed[to] = true;
                stack.push((to, 0));
            }
        }
    }
    for node in order.iter().rev() {
        for to in &forward[*node] {
            rank[*to] = rank[*to].max(rank[*node] + 1);
        }
    }
    let mut deepest = vec![0; parts];
    for (node, rank) in rank.iter().enumerate() {
        deepest[part_of[node]] = deepest[part_of[node]].max(*rank);
    }
    for node in order {
        if !is_fed[node] && between(node) {
            let first = forward[node].iter().map(|to| rank[*to] - 1).min();
            rank[node] = first.unwrap_or(deepest[part_of[node]]);
        }
    }
    (rank, deepest)
}
