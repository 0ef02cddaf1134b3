//! Cuts a graph where few lines are cut: what is connected more than chance would have it belongs together.
//!
//! The method of Louvain, on whole numbers and in the order of nodes, so that one graph is always cut in one way; and no
//! community grows beyond what one can take in at a glance.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use std::collections::BTreeMap;

/// Rounds in which single nodes move; more change next to nothing.
const ROUNDS: usize = 12;

/// A graph of nodes with sizes and of links with weights.
pub(super) struct Weighted {
    pub(super) sizes: Vec<i64>,
    /// For each node what it is linked with, and how strongly.
    pub(super) links: Vec<BTreeMap<usize, i64>>,
    /// The links within each node, counted from both ends.
    own: Vec<i64>,
}

impl Weighted {
    pub(super) fn new(sizes: Vec<i64>) -> Self {
        let number = sizes.len();
        Self {
            sizes,
            links: vec![BTreeMap::new(); number],
            own: vec![0; number],
        }
    }

    /// Links two nodes, or makes their link stronger.
    pub(super) fn link(&mut self, one: usize, other: usize, weight: i64) {
        if one == other {
            self.own[one] += 2 * weight;
            return;
        }
        *self.links[one].entry(other).or_default() += weight;
        *self.links[other].entry(one).or_default() += weight;
    }

    /// For each node the number of its community. Communities of more than one node are no bigger than `most`; those
    /// smaller than `fewest` go along with what they are linked with most, where there is room.
    pub(super) fn communities(&self, most: i64, fewest: i64) -> Vec<usize> {
        let mut of: Vec<usize> = (0..self.sizes.len()).collect();
        let mut graph = self.merged(&of);
        loop {
            let moved = graph.moved(most);
            let number = moved.iter().map(|to| to + 1).max().unwrap_or(0);
            for community in &mut of {
                *community = moved[*community];
            }
            if number == graph.sizes.len() {
                break;
            }
            graph = self.merged(&of);
        }
        graph.join_small(&mut of, most, fewest);
        of
    }

    /// The graph whose nodes are communities.
    fn merged(&self, of: &[usize]) -> Self {
        let number = of.iter().map(|community| community + 1).max().unwrap_or(0);
        let mut merged = Self::new(vec![0; number]);
        for (node, community) in of.iter().enumerate() {
            merged.sizes[*community] += self.sizes[node];
            merged.own[*community] += self.own[node];
            for (other, weight) in self.links[node].range(node..) {
                merged.link(*community, of[*other], *weight);
            }
        }
        merged
    }

    /// Moves nodes one by one to where they gain most, until none gains; says for each node where it is then.
    fn moved(&self, most: i64) -> Vec<usize> {
        let number = self.sizes.len();
        let weight_of = |node: usize| self.links[node].values().sum::<i64>() + self.own[node];
        let weights: Vec<i64> = (0..number).map(weight_of).collect();
        let all: i64 = weights.iter().sum();
        let mut of: Vec<usize> = (0..number).collect();
        let (mut total, mut size) = (weights.clone(), self.sizes.clone());
        for _ in 0..ROUNDS {
            let mut is_changed = false;
            for node in 0..number {
                let home = of[node];
                let mut linked: BTreeMap<usize, i64> = BTreeMap::from([(home, 0)]);
                for (other, weight) in &self.links[node] {
                    *linked.entry(of[*other]).or_default() += weight;
                }
                total[home] -= weights[node];
                size[home] -= self.sizes[node];
                // What the links say against what chance would have said, both times the weight of all.
                let gain = |community: usize, weight: i64| {
                    i128::from(weight) * i128::from(all)
                        - i128::from(total[community]) * i128::from(weights[node])
                };
                let mut best = (gain(home, linked[&home]), home);
                for (community, weight) in &linked {
                    let gained = gain(*community, *weight);
                    if gained > best.0 && size[*community] + self.sizes[node] <= most {
                        best = (gained, *community);
                    }
                }
                is_changed |= best.1 != home;
                of[node] = best.1;
                total[best.1] += weights[node];
                size[best.1] += self.sizes[node];
            }
            if !is_changed {
                break;
            }
        }
        numbered(&of)
    }

    /// Lets small communities, which are the nodes of this graph, go along with others.
    fn join_small(&self, of: &mut [usize], most: i64, fewest: i64) {
        let mut joined: Vec<usize> = (0..self.sizes.len()).collect();
        let mut size = self.sizes.clone();
        let mut small: Vec<usize> = (0..size.len())
            .filter(|community| size[*community] < fewest)
            .collect();
        small.sort_by_key(|community| (size[*community], *community));
        for community in small {
            let here = joined[community];
            if size[here] >= fewest {
                continue;
            }
            let mut linked: BTreeMap<usize, i64> = BTreeMap::new();
            for (other, weight) in &self.links[community] {
                *linked.entry(joined[*other]).or_default() += weight;
            }
            let fits = |to: &usize| *to != here && size[*to] + size[here] <= most;
            let best = linked
                .into_iter()
                .filter(|(to, _)| fits(to))
                .max_by_key(|(to, weight)| (*weight, std::cmp::Reverse(*to)));
            if let Some((to, _)) = best {
                size[to] += size[here];
                size[here] = 0;
                for known in joined.iter_mut().filter(|known| **known == here) {
                    *known = to;
                }
            }
        }
        for community in &mut *of {
            *community = joined[*community];
        }
        let numbers = numbered(of);
        of.copy_from_slice(&numbers);
    }
}

/// The same communities, numbered from nought in the order of their first nodes.
fn numbered(of: &[usize]) -> Vec<usize> {
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    of.iter()
        .map(|community| {
            let next = numbers.len();
            *numbers.entry(*community).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rings of five in which everyone knows everyone, each with one link to the next ring.
    fn rings(number: usize) -> Weighted {
        let mut graph = Weighted::new(vec![1; number * 5]);
        for ring in 0..number {
            for one in 0..5 {
                for other in 0..one {
                    graph.link(ring * 5 + one, ring * 5 + other, 1);
                }
            }
            graph.link(ring * 5, (ring * 5 + 5) % (number * 5), 1);
        }
        graph
    }

    #[test]
    fn what_everyone_in_it_is_linked_with_is_one_community() {
        let of = rings(8).communities(10, 1);
        for ring in 0..8 {
            let community = of[ring * 5];
            assert!(of[ring * 5..ring * 5 + 5].iter().all(|it| *it == community));
        }
    }

    #[test]
    fn no_community_is_bigger_than_it_may_be() {
        for most in [1, 3, 5, 7, 12] {
            let of = rings(8).communities(most, 3);
            let mut sizes: BTreeMap<usize, i64> = BTreeMap::new();
            for community in of {
                *sizes.entry(community).or_default() += 1;
            }
            assert!(sizes.values().all(|size| *size <= most), "{most} {sizes:?}");
        }
    }

    #[test]
    fn small_ones_go_along_with_what_they_are_linked_with() {
        let mut graph = Weighted::new(vec![4, 1, 4]);
        graph.link(0, 1, 1);
        graph.link(1, 2, 1);
        assert_eq!(graph.communities(4, 2), [0, 1, 2], "there is no room");
        assert_eq!(graph.communities(5, 2), [0, 0, 1]);
    }

    #[test]
    fn a_node_without_links_stays_alone() {
        assert_eq!(Weighted::new(vec![1, 1]).communities(9, 9), [0, 1]);
        assert!(Weighted::new(Vec::new()).communities(9, 9).is_empty());
    }
}
