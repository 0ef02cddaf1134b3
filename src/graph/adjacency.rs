//! A directed graph kept as plain lists: for each node the steps that leave it, one after the other, with how surely each can be
//! taken; and its strongly connected parts.
//!
//! Where everybody may do everything there are millions of steps. Lists in a row take a sixth of the memory of linked ones and
//! are walked several times as fast. Nothing here calls itself: a way can be as long as the account is large.

use std::collections::HashMap;

use crate::access::Place;
use crate::entity::Grade;

/// The place of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Spot(u32);

impl Spot {
    /// Numbers beyond what memory holds nodes are this one, which none has.
    const NOWHERE: u32 = u32::MAX >> Step::GRADE_BITS;

    pub(super) fn new(number: usize) -> Self {
        Self(u32::try_from(number).map_or(Self::NOWHERE, |number| number.min(Self::NOWHERE)))
    }

    pub(super) fn number(self) -> usize {
        self.0 as usize
    }
}

/// From one node to the next, with the gravest way on which it can be taken; in one word, since millions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step(u32);

impl Step {
    const GRADE_BITS: u32 = 2;

    fn new(to: Spot, grade: Grade) -> Self {
        Self((to.0 << Self::GRADE_BITS) | grade as u32)
    }

    pub(super) fn to(self) -> Spot {
        Spot(self.0 >> Self::GRADE_BITS)
    }

    /// Whether it can be taken on ways that are as grave.
    pub(super) fn is_of(self, grade: Grade) -> bool {
        self.0 & ((1 << Self::GRADE_BITS) - 1) >= grade as u32
    }
}

/// Steps that are kept in one list while a graph is under construction.
const CHUNK: usize = 1 << 16;

/// A graph under construction.
#[derive(Debug)]
pub(super) struct Steps<N> {
    nodes: Vec<N>,
    /// In lists of [`CHUNK`] steps: one list of millions would be copied each time that it grows.
    added: Vec<Vec<(Spot, Step)>>,
    starts: HashMap<(Spot, Spot), Place>,
}

impl<N> Steps<N> {
    pub(super) fn new(nodes: Vec<N>) -> Self {
        Self {
            nodes,
            added: Vec::new(),
            starts: HashMap::new(),
        }
    }

    pub(super) fn add_node(&mut self, node: N) -> Spot {
        self.nodes.push(node);
        Spot::new(self.nodes.len() - 1)
    }

    pub(super) fn add(&mut self, from: Spot, to: Spot, grade: Grade) {
        let added = (from, Step::new(to, grade));
        match self.added.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(added),
            _ => {
                let mut next = Vec::with_capacity(CHUNK);
                next.push(added);
                self.added.push(next);
            }
        }
    }

    /// Adds a step that starts a workload.
    pub(super) fn add_start(&mut self, from: Spot, to: Spot, grade: Grade, place: Place) {
        self.add(from, to, grade);
        self.starts.insert((from, to), place);
    }

    pub(super) fn finish(self) -> Adjacency<N> {
        // First how many steps leave each node, then where its steps end, then, filled from there, where they begin.
        let mut begins = vec![0_u32; self.nodes.len() + 1];
        for (from, _) in self.added.iter().flatten() {
            if let Some(count) = begins.get_mut(from.number()) {
                *count += 1;
            }
        }
        let mut end = 0;
        for begin in &mut begins {
            end += *begin;
            *begin = end;
        }
        let nowhere = Step::new(Spot(Spot::NOWHERE), Grade::Conditional);
        let mut steps = vec![nowhere; end as usize];
        for (from, step) in self.added.into_iter().flatten() {
            if let Some(begin) = begins.get_mut(from.number()) {
                *begin -= 1;
                if let Some(place) = steps.get_mut(*begin as usize) {
                    *place = step;
                }
            }
        }
        Adjacency {
            nodes: self.nodes,
            begins,
            steps,
            starts: self.starts,
        }
    }
}

/// A graph.
#[derive(Debug)]
pub(super) struct Adjacency<N> {
    nodes: Vec<N>,
    /// For each node where its steps begin; those of the next follow.
    begins: Vec<u32>,
    steps: Vec<Step>,
    /// The workloads that are started, by the two ends of the step.
    starts: HashMap<(Spot, Spot), Place>,
}

/// A node that is being looked into.
struct Visit<'s> {
    spot: Spot,
    number: u32,
    /// The lowest number that it leads back to, as far as known.
    lowest: u32,
    /// The steps that were not followed yet.
    steps: std::slice::Iter<'s, Step>,
}

/// The number of nodes whose part is known.
const SETTLED: u32 = u32::MAX;

impl<N> Adjacency<N> {
    pub(super) fn node(&self, spot: Spot) -> Option<&N> {
        self.nodes.get(spot.number())
    }

    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The steps that leave a node, those first that were added last.
    pub(super) fn steps_from(&self, spot: Spot) -> &[Step] {
        let begin = self.begins.get(spot.number());
        let end = self.begins.get(spot.number() + 1);
        begin
            .zip(end)
            .and_then(|(begin, end)| self.steps.get(*begin as usize..*end as usize))
            .unwrap_or_default()
    }

    /// The workload that a step starts.
    pub(super) fn started_between(&self, from: Spot, to: Spot) -> Option<Place> {
        self.starts.get(&(from, to)).copied()
    }

    /// The strongly connected parts of more than one node, over steps of at least this grade. In no particular order.
    ///
    /// Tarjan's algorithm as Pearce has it, with one number for each node.
    pub(super) fn parts(&self, grade: Grade) -> Vec<Vec<Spot>> {
        let mut parts = Vec::new();
        // Zero until the node is visited, then the lowest number that it is known to lead back to, at last SETTLED.
        let mut lowest = vec![0_u32; self.nodes.len()];
        let mut visits: Vec<Visit<'_>> = Vec::new();
        // Those whose steps were all followed and that lead back to some that is still being looked into.
        let mut open: Vec<Spot> = Vec::new();
        let mut number = 0;
        for root in (0..self.nodes.len()).map(Spot::new) {
            if lowest.get(root.number()) != Some(&0) {
                continue;
            }
            let mut next = Some(root);
            loop {
                if let Some(spot) = next.take() {
                    number += 1;
                    if let Some(lowest) = lowest.get_mut(spot.number()) {
                        *lowest = number;
                    }
                    visits.push(Visit {
                        spot,
                        number,
                        lowest: number,
                        steps: self.steps_from(spot).iter(),
                    });
                }
                let Some(visit) = visits.last_mut() else {
                    break;
                };
                for step in visit.steps.by_ref() {
                    if !step.is_of(grade) {
                        continue;
                    }
                    match lowest.get(step.to().number()) {
                        Some(0) => {
                            next = Some(step.to());
                            break;
                        }
                        Some(&SETTLED) | None => {}
                        Some(known) => visit.lowest = visit.lowest.min(*known),
                    }
                }
                if next.is_some() {
                    continue;
                }
                let (spot, number, low) = (visit.spot, visit.number, visit.lowest);
                visits.pop();
                if low < number {
                    if let Some(lowest) = lowest.get_mut(spot.number()) {
                        *lowest = low;
                    }
                    if let Some(before) = visits.last_mut() {
                        before.lowest = before.lowest.min(low);
                    }
                    open.push(spot);
                    continue;
                }
                // It leads back to nothing before it: with everything open since then it is a part.
                let since = open.iter().rev().take_while(|spot| {
                    let lowest = lowest.get(spot.number());
                    lowest.is_some_and(|lowest| *lowest >= number)
                });
                let mut part = open.split_off(open.len() - since.count());
                part.push(spot);
                for spot in &part {
                    if let Some(lowest) = lowest.get_mut(spot.number()) {
                        *lowest = SETTLED;
                    }
                }
                if part.len() > 1 {
                    parts.push(part);
                }
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn graph(nodes: usize, steps: &[(usize, usize, Grade)]) -> Adjacency<usize> {
        let mut building = Steps::new((0..nodes).collect());
        for (from, to, grade) in steps {
            building.add(Spot::new(*from), Spot::new(*to), *grade);
        }
        building.finish()
    }

    /// By definition: nodes that reach each other.
    fn parts_by_definition(
        nodes: usize,
        steps: &[(usize, usize, Grade)],
        least: Grade,
    ) -> BTreeSet<BTreeSet<usize>> {
        let mut reaches = vec![vec![false; nodes]; nodes];
        for (from, to, grade) in steps {
            reaches[*from][*to] |= *grade >= least;
        }
        for over in 0..nodes {
            for from in 0..nodes {
                for to in 0..nodes {
                    let around = reaches[from][over] && reaches[over][to];
                    reaches[from][to] |= around;
                }
            }
        }
        (0..nodes)
            .map(|one| {
                let others = (0..nodes).filter(|other| {
                    *other == one || (reaches[one][*other] && reaches[*other][one])
                });
                others.collect::<BTreeSet<usize>>()
            })
            .filter(|part| part.len() > 1)
            .collect()
    }

    proptest! {
        #[test]
        fn nodes_of_one_part_reach_each_other(
            steps in prop::collection::vec((0..12_usize, 0..12_usize, 0..3_u8), 0..40),
        ) {
            let steps: Vec<(usize, usize, Grade)> = steps
                .into_iter()
                .map(|(from, to, grade)| {
                    let grades = [Grade::Conditional, Grade::Permitted, Grade::Wired];
                    (from, to, grades[usize::from(grade)])
                })
                .collect();
            let graph = graph(12, &steps);
            for grade in [Grade::Conditional, Grade::Permitted, Grade::Wired] {
                let parts: Vec<BTreeSet<usize>> = graph
                    .parts(grade)
                    .into_iter()
                    .map(|part| part.into_iter().map(Spot::number).collect())
                    .collect();
                let distinct: BTreeSet<BTreeSet<usize>> = parts.iter().cloned().collect();
                prop_assert_eq!(distinct.len(), parts.len());
                prop_assert_eq!(distinct, parts_by_definition(12, &steps, grade));
            }
        }
    }

    #[test]
    fn a_ring_of_a_million_nodes_is_one_part() {
        let count = 1_000_000;
        let steps: Vec<(usize, usize, Grade)> = (0..count)
            .map(|from| (from, (from + 1) % count, Grade::Wired))
            .collect();
        let parts = graph(count, &steps).parts(Grade::Wired);
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].len(), count);
    }

    #[test]
    fn steps_that_were_added_last_come_first() {
        let graph = graph(
            3,
            &[
                (1, 0, Grade::Wired),
                (0, 1, Grade::Wired),
                (1, 2, Grade::Wired),
            ],
        );
        let of_one: Vec<usize> = graph
            .steps_from(Spot::new(1))
            .iter()
            .map(|step| step.to().number())
            .collect();
        assert_eq!(of_one, [2, 0]);
        assert!(graph.steps_from(Spot::new(2)).is_empty());
    }
}
