//! Which column each node of a drawing stands in: what feeds left of what it feeds, what takes right of what it takes from.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Drawing, Part};

/// More than any number of lines.
const SETTLED: i64 = 1 << 40;

/// How far each node stands from the column of queues.
pub(super) fn columns(drawing: &Drawing<'_>) -> Vec<i64> {
    let part = |node: usize| Part::of(drawing.nodes[node].kind);
    let ranks = ranks(drawing);
    let deepest = ranks.iter().copied().max().unwrap_or(0);
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
        columns[node] = match part(node) {
            Part::Resource => ranks[node] - deepest,
            _ if takes[node] > 0 => 1,
            _ => -1 - deepest,
        };
    }
    // What runs as somebody stands outside of it, on the same side.
    let outside = |column: i64| if column > 0 { 2 } else { -2 - deepest };
    for node in 0..drawing.nodes.len() {
        if part(node) == Part::Workload && takes[node] > 0 {
            columns[node] = outside(1);
        }
    }
    for line in &drawing.lines {
        if line.kind == EdgeKind::RunsAs && takes[line.from] <= 0 {
            columns[line.from] = outside(columns[line.to]);
        }
    }
    columns
}

/// How many resources feed each resource one after the other. What feeds stands right before what it feeds first; a
/// way back, as of a pipe into its own queue, does not count.
fn ranks(drawing: &Drawing<'_>) -> Vec<i64> {
    let number = drawing.nodes.len();
    let is_resource = |node: usize| Part::of(drawing.nodes[node].kind) == Part::Resource;
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); number];
    let mut is_fed = vec![false; number];
    let mut rank = vec![0; number];
    for line in &drawing.lines {
        if line.kind != EdgeKind::Redrives
            && line.from != line.to
            && is_resource(line.from)
            && is_resource(line.to)
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
    let deepest = rank.iter().copied().max().unwrap_or(0);
    for node in order {
        if !is_fed[node] && is_resource(node) {
            let first = forward[node].iter().map(|to| rank[*to] - 1).min();
            rank[node] = first.unwrap_or(deepest);
        }
    }
    rank
}
