//! Where a big drawing is cut: what few lines lead out of is a block, what is too small to be one goes along with others.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::blocks::{home, is_hub, part};
use super::communities::Weighted;
use super::families;
use crate::entity::Grade;
use crate::graph::EdgeKind;
use crate::graph::picture::fold::{Drawing, Part};

/// Sizes of nodes: what runs as somebody takes half the room.
const SIZE: i64 = 2;
const SIZE_OF_WORKLOAD: i64 = 1;
/// Sizes of blocks: what a screen shows readably, and what is worth a block of its own.
const MOST: i64 = 64;
const FEWEST: i64 = 14;

/// Nodes of one block while blocks are made.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) nodes: Vec<usize>,
    /// What its queues have in common; none when it was put together from several.
    pub(super) family: Option<String>,
    pub(super) size: i64,
    pub(super) rank: Rank,
}

/// What is looked at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Reaching,
    #[default]
    Flows,
    Idle,
}

/// The gravest loop that begins at one of some nodes, and how many do.
pub(super) fn loops_of(drawing: &Drawing<'_>, nodes: &[usize]) -> (Option<Grade>, usize) {
    let nodes: BTreeSet<usize> = nodes.iter().copied().collect();
    let starts = |path: &[usize]| path.first().is_some_and(|first| nodes.contains(first));
    let loops = drawing.loops.iter().filter(|found| starts(&found.path));
    loops.fold((None, 0), |(gravest, number), found| {
        (gravest.max(Some(found.grade)), number + found.number)
    })
}

/// The blocks without any order.
pub(super) fn drafts(drawing: &Drawing<'_>) -> Vec<Draft> {
    let community_of = communities(drawing);
    let mut flows: BTreeMap<usize, Draft> = BTreeMap::new();
    let mut reaching = Draft {
        rank: Rank::Reaching,
        ..Draft::default()
    };
    let mut idle = Draft {
        rank: Rank::Idle,
        ..Draft::default()
    };
    let mut has_lines = vec![false; drawing.nodes.len()];
    for line in &drawing.lines {
        has_lines[line.from] = true;
        has_lines[line.to] = true;
    }
    for node in 0..drawing.nodes.len() {
        let draft = if is_hub(drawing, node) {
            &mut reaching
        } else if has_lines[node] {
            flows.entry(community_of[node]).or_default()
        } else {
            &mut idle
        };
        draft.nodes.push(node);
        draft.size += size(drawing, node);
    }
    let mut drafts: Vec<Draft> = flows.into_values().collect();
    for draft in &mut drafts {
        draft.family = Some(families::of(drawing, &draft.nodes));
    }
    let mut drafts = pooled(drawing, drafts);
    drafts.extend([reaching, idle]);
    drafts.retain(|draft| !draft.nodes.is_empty());
    drafts
}

/// Lets small blocks of one family be one block, and then those that are still small, but not what has loops.
fn pooled(drawing: &Drawing<'_>, mut drafts: Vec<Draft>) -> Vec<Draft> {
    drafts.sort_by_cached_key(|draft| {
        let family = draft.family.as_deref().map(families::stem_of);
        let family = family.map(ToOwned::to_owned);
        (family, Reverse(draft.size), draft.nodes.clone())
    });
    let mut joined: Vec<Draft> = Vec::new();
    for draft in drafts {
        let stem = |draft: &Draft| {
            draft
                .family
                .as_deref()
                .map(families::stem_of)
                .map(str::to_owned)
        };
        let fits =
            |known: &&mut Draft| stem(known) == stem(&draft) && known.size + draft.size <= MOST;
        match joined.last_mut().filter(fits) {
            Some(known) if draft.size < FEWEST => {
                known.take(draft);
                known.family = Some(families::of(drawing, &known.nodes));
            }
            _ => joined.push(draft),
        }
    }
    let mut pools: Vec<Draft> = Vec::new();
    let mut blocks = Vec::new();
    for draft in joined {
        if draft.size >= FEWEST || loops_of(drawing, &draft.nodes).1 > 0 {
            blocks.push(draft);
            continue;
        }
        match pools.last_mut() {
            Some(pool) if pool.size + draft.size <= MOST => {
                pool.take(draft);
                pool.family = None;
            }
            _ => pools.push(draft),
        }
    }
    blocks.extend(pools);
    blocks
}

impl Draft {
    fn take(&mut self, other: Self) {
        self.nodes.extend(other.nodes);
        self.nodes.sort_unstable();
        self.size += other.size;
    }
}

fn size(drawing: &Drawing<'_>, node: usize) -> i64 {
    match part(drawing, node) {
        Part::Workload => SIZE_OF_WORKLOAD,
        Part::Principal | Part::Resource => SIZE,
    }
}

/// For each node which community it belongs to, by its lines.
fn communities(drawing: &Drawing<'_>) -> Vec<usize> {
    let unit_of = units(drawing);
    let number = unit_of.iter().map(|unit| unit + 1).max().unwrap_or(0);
    let mut sizes = vec![0; number];
    let mut has_resource = vec![false; number];
    for (node, unit) in unit_of.iter().enumerate() {
        sizes[*unit] += size(drawing, node);
        has_resource[*unit] |= part(drawing, node) == Part::Resource;
    }
    let mut graph = Weighted::new(sizes);
    let labels: Vec<String> = (0..drawing.nodes.len())
        .map(|node| families::stem(drawing, node))
        .collect();
    for line in drawing
        .lines
        .iter()
        .filter(|line| !is_hub(drawing, line.from) && !is_hub(drawing, line.to))
    {
        let by_kind = match line.kind {
            EdgeKind::RunsAs | EdgeKind::Redrives => 8,
            EdgeKind::Delivers => 4,
            _ => 2,
        };
        let by_loop = if line.grade.is_some() { 2 } else { 0 };
        let by_name = if labels[line.from] == labels[line.to] {
            6
        } else {
            0
        };
        let weight = by_kind + by_loop + by_name;
        graph.link(unit_of[line.from], unit_of[line.to], weight);
    }
    let mut community_of_unit = graph.communities(MOST, FEWEST);
    // Whoever has all lines elsewhere stands there.
    let mut lines_in: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
    for line in &drawing.lines {
        let home = home(drawing, line);
        for end in [line.from, line.to] {
            let (unit, other) = (unit_of[end], unit_of[home]);
            if unit != other && !has_resource[unit] {
                let community = community_of_unit[other];
                *lines_in
                    .entry(unit)
                    .or_default()
                    .entry(community)
                    .or_default() += 1;
            }
        }
    }
    for (unit, communities) in lines_in {
        if !communities.contains_key(&community_of_unit[unit]) {
            let most = communities.into_iter();
            let most = most.max_by_key(|(community, lines)| (*lines, Reverse(*community)));
            if let Some((community, _)) = most {
                community_of_unit[unit] = community;
            }
        }
    }
    unit_of
        .iter()
        .map(|unit| community_of_unit[*unit])
        .collect()
}

/// What is never cut: whoever runs as somebody, and loops over several places; as far as they are no bigger than a block.
fn units(drawing: &Drawing<'_>) -> Vec<usize> {
    let number = drawing.nodes.len();
    let mut unit_of: Vec<usize> = (0..number).collect();
    let mut members: Vec<Vec<usize>> = (0..number).map(|node| vec![node]).collect();
    let mut join = |one: usize, other: usize| {
        let (one, other) = (unit_of[one], unit_of[other]);
        let (into, from) = (one.min(other), one.max(other));
        let all: i64 = [into, from]
            .into_iter()
            .flat_map(|unit| &members[unit])
            .map(|node| size(drawing, *node))
            .sum();
        if into != from && all <= MOST && !is_hub(drawing, into) && !is_hub(drawing, from) {
            let moved = std::mem::take(&mut members[from]);
            for node in &moved {
                unit_of[*node] = into;
            }
            members[into].extend(moved);
        }
    };
    for found in &drawing.loops {
        let is_resource = |node: &&usize| part(drawing, **node) == Part::Resource;
        // The first is named again at the end.
        if found.path.iter().filter(is_resource).count() > 2 {
            for (from, to) in found.path.iter().zip(found.path.iter().skip(1)) {
                join(*from, *to);
            }
        }
    }
    for line in &drawing.lines {
        if line.kind == EdgeKind::RunsAs {
            join(line.from, line.to);
        }
    }
    unit_of
}
