//! A part of a picture: some nodes, and what is within some steps of them.
//!
//! A role and what runs as it count as one, so a function is found where its role is. The way never leads through
//! somebody who reaches nearly everything: behind an administrator lies the whole account. It leads to the roles that a
//! principal can become, but back to those who can become a role only where the picture is about that role: of one queue one
//! wants to see who sends, and not half of the company, who could become who sends.

use std::collections::{BTreeMap, BTreeSet};

use super::fold::Part;
use super::{Arrow, Cycle, More, Picture, Reach};
use crate::graph::EdgeKind;

impl Picture {
    /// Makes the picture about all of each loop of whose principals it is about all and of whose places about some: a report
    /// of a great many places names the first.
    pub fn choose_whole_loops(&mut self) {
        let mut whole: BTreeSet<usize> = BTreeSet::new();
        for cycle in &self.loops {
            let of = |part: Part| {
                let path = cycle.path.iter().filter_map(|node| {
                    let found = self.nodes.get(*node)?;
                    (Part::of(found.kind) == part).then_some(self.chosen.contains(node))
                });
                path.collect::<Vec<bool>>()
            };
            let principals = !of(Part::Principal).contains(&false);
            if principals && of(Part::Resource).contains(&true) {
                whole.extend(&cycle.path);
            }
        }
        self.chosen.extend(whole);
    }

    /// What is within `depth` steps of the chosen nodes: every edge on the way, and those between chosen nodes. From one step on
    /// also every loop through a chosen node, however long its way.
    #[must_use]
    pub fn around_the_chosen(&self, depth: u32) -> Self {
        let mut distance = self.distances(depth);
        let mut on_loops: BTreeSet<(usize, usize)> = BTreeSet::new();
        let passes = |cycle: &&Cycle| cycle.path.iter().any(|node| self.chosen.contains(node));
        for cycle in self.loops.iter().filter(passes).filter(|_| depth > 0) {
            for node in &cycle.path {
                distance.entry(*node).or_insert(depth);
            }
            on_loops.extend(steps(cycle));
        }
        let of = |node: usize| distance.get(&node).copied();
        let is_drawn = |arrow: &Arrow| {
            let (Some(from), Some(to)) = (of(arrow.from), of(arrow.to)) else {
                return false;
            };
            let from_here = |start: usize, at: u32| {
                self.leads_on(start) && at.saturating_add(cost(arrow.kind)) <= depth
            };
            from_here(arrow.from, from)
                || from_here(arrow.to, to)
                || on_loops.contains(&(arrow.from, arrow.to))
                || (from == 0 && to == 0)
                // Among those who are there anyway, who can become whom takes no room.
                || arrow.kind.becomes()
        };
        let edges: Vec<&Arrow> = self.edges.iter().filter(|arrow| is_drawn(arrow)).collect();
        let drawn: BTreeSet<(usize, usize)> =
            edges.iter().map(|arrow| (arrow.from, arrow.to)).collect();

        let new_place: BTreeMap<usize, usize> = distance.keys().copied().zip(0..).collect();
        let moved = |node: usize| new_place.get(&node).copied();
        let loops = self
            .loops
            .iter()
            .filter(|cycle| steps(cycle).all(|step| drawn.contains(&step)));
        Self {
            nodes: distance
                .keys()
                .filter_map(|node| self.nodes.get(*node).cloned())
                .collect(),
            edges: edges
                .into_iter()
                .filter_map(|arrow| {
                    Some(Arrow {
                        from: moved(arrow.from)?,
                        to: moved(arrow.to)?,
                        ..arrow.clone()
                    })
                })
                .collect(),
            loops: loops
                .filter_map(|cycle| {
                    Some(Cycle {
                        grade: cycle.grade,
                        path: cycle
                            .path
                            .iter()
                            .map(|node| moved(*node))
                            .collect::<Option<_>>()?,
                    })
                })
                .collect(),
            // Of the chosen everything is drawn; of those where the way ends, nothing was meant to be.
            more: self
                .more
                .iter()
                .filter(|more| !self.chosen.contains(&more.node) && self.leads_on(more.node))
                .filter(|more| of(more.node).is_some_and(|at| at < depth))
                .filter_map(|more| {
                    Some(More {
                        node: moved(more.node)?,
                        ..more.clone()
                    })
                })
                .collect(),
            chosen: self.chosen.iter().filter_map(|node| moved(*node)).collect(),
            incomplete: self.incomplete,
        }
    }

    /// Every node within `depth` steps, with how many it takes.
    fn distances(&self, depth: u32) -> BTreeMap<usize, u32> {
        let mut neighbours: BTreeMap<usize, Vec<(usize, u32)>> = BTreeMap::new();
        for arrow in &self.edges {
            let cost = cost(arrow.kind);
            neighbours
                .entry(arrow.from)
                .or_default()
                .push((arrow.to, cost));
            if arrow.kind.becomes() && !self.chosen.contains(&arrow.to) {
                continue;
            }
            neighbours
                .entry(arrow.to)
                .or_default()
                .push((arrow.from, cost));
        }
        let mut distance: BTreeMap<usize, u32> = BTreeMap::new();
        let mut frontier: BTreeSet<(u32, usize)> =
            self.chosen.iter().map(|node| (0, *node)).collect();
        while let Some((at, node)) = frontier.pop_first() {
            if distance.contains_key(&node) {
                continue;
            }
            distance.insert(node, at);
            if !self.leads_on(node) {
                continue;
            }
            for (next, cost) in neighbours.get(&node).into_iter().flatten() {
                let next_at = at.saturating_add(*cost);
                if next_at <= depth && !distance.contains_key(next) {
                    frontier.insert((next_at, *next));
                }
            }
        }
        distance
    }

    fn leads_on(&self, node: usize) -> bool {
        self.chosen.contains(&node)
            || self
                .nodes
                .get(node)
                .is_some_and(|node| node.reach == Reach::Some)
    }
}

/// Each node of a loop with the next.
fn steps(cycle: &Cycle) -> impl Iterator<Item = (usize, usize)> {
    let path = || cycle.path.iter().copied();
    path().zip(path().skip(1))
}

fn cost(kind: EdgeKind) -> u32 {
    match kind {
        EdgeKind::RunsAs => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{Grade, Kind};
    use crate::graph::picture::example::{picture, with_loop};

    fn chain() -> Picture {
        let drawn = picture(
            &[
                ("function", Kind::Function),
                ("administrator", Kind::Role),
                ("generator", Kind::Role),
                ("consumer", Kind::Role),
                ("first", Kind::Queue),
                ("second", Kind::Queue),
            ],
            &[
                ("generator", "first", EdgeKind::Send),
                ("first", "consumer", EdgeKind::Receive),
                ("function", "consumer", EdgeKind::RunsAs),
                ("consumer", "second", EdgeKind::Send),
                ("second", "consumer", EdgeKind::Receive),
                ("administrator", "first", EdgeKind::Administer),
                ("administrator", "second", EdgeKind::Administer),
            ],
        );
        let mut drawn = with_loop(drawn, Grade::Permitted, &["second", "consumer", "second"]);
        let administrator = drawn.place("administrator").unwrap();
        drawn.nodes[administrator].reach = Reach::Administrator;
        drawn
    }

    fn around(id: &str, depth: u32) -> (Vec<String>, usize, usize) {
        let mut drawn = chain();
        drawn.chosen = BTreeSet::from([drawn.place(id).unwrap()]);
        let part = drawn.around_the_chosen(depth);
        assert_eq!(part.chosen.len(), 1);
        let ids = part.nodes.iter().map(|node| node.id.to_string()).collect();
        (ids, part.edges.len(), part.loops.len())
    }

    #[test]
    fn no_step_leaves_the_node_and_what_runs_as_it() {
        assert_eq!(around("first", 0), (vec!["first".to_owned()], 0, 0));
        let (ids, edges, _) = around("consumer", 0);
        assert_eq!(ids, ["consumer", "function"]);
        assert_eq!(edges, 1);
    }

    #[test]
    fn one_step_from_a_queue_shows_both_its_sides() {
        let (ids, edges, loops) = around("first", 1);
        assert_eq!(
            ids,
            [
                "administrator",
                "consumer",
                "first",
                "function",
                "generator"
            ]
        );
        assert_eq!((edges, loops), (4, 0));
    }

    #[test]
    fn a_loop_is_drawn_where_all_of_it_is() {
        let (ids, _, loops) = around("first", 2);
        assert!(ids.contains(&"second".to_owned()), "{ids:?}");
        assert_eq!(loops, 1);
        assert_eq!(around("second", 1).2, 1);
    }

    #[test]
    fn who_can_become_a_role_is_shown_where_the_picture_is_about_one_of_them() {
        let mut drawn = picture(
            &[
                ("person", Kind::User),
                ("another", Kind::User),
                ("sender", Kind::Role),
                ("queue", Kind::Queue),
            ],
            &[
                ("person", "sender", EdgeKind::Assumes),
                ("another", "sender", EdgeKind::Assumes),
                ("another", "queue", EdgeKind::Send),
                ("sender", "queue", EdgeKind::Send),
            ],
        );
        let mut around = |id: &str, depth: u32| {
            drawn.chosen = BTreeSet::from([drawn.place(id).unwrap()]);
            let part = drawn.around_the_chosen(depth);
            let ids: Vec<String> = part.nodes.iter().map(|node| node.id.to_string()).collect();
            (ids.join(" "), part.edges.len())
        };
        let all = "another person queue sender".to_owned();
        assert_eq!(around("queue", 1), ("another queue sender".to_owned(), 3));
        assert_eq!(around("queue", 9), ("another queue sender".to_owned(), 3));
        assert_eq!(around("sender", 1), (all.clone(), 3));
        assert_eq!(around("person", 1), ("person sender".to_owned(), 1));
        assert_eq!(around("person", 2), ("person queue sender".to_owned(), 2));
    }

    #[test]
    fn a_loop_through_what_was_chosen_is_drawn_however_long_it_is() {
        let drawn = picture(
            &[
                ("a", Kind::Role),
                ("b", Kind::Role),
                ("other", Kind::Role),
                ("first", Kind::Queue),
                ("second", Kind::Queue),
            ],
            &[
                ("first", "a", EdgeKind::Receive),
                ("a", "second", EdgeKind::Send),
                ("second", "b", EdgeKind::Receive),
                ("b", "first", EdgeKind::Send),
                ("other", "second", EdgeKind::Send),
            ],
        );
        let path = ["first", "a", "second", "b", "first"];
        let mut drawn = with_loop(drawn, Grade::Permitted, &path);
        drawn.chosen = BTreeSet::from([drawn.place("first").unwrap()]);
        let near = drawn.around_the_chosen(1);
        assert_eq!(
            (near.nodes.len(), near.edges.len(), near.loops.len()),
            (4, 4, 1)
        );
        assert!(near.place("other").is_none());
        assert_eq!(drawn.around_the_chosen(0).loops.len(), 0);
    }

    #[test]
    fn the_way_does_not_lead_through_an_administrator() {
        let mut drawn = chain();
        drawn
            .edges
            .retain(|arrow| arrow.kind == EdgeKind::Administer);
        drawn.chosen = BTreeSet::from([drawn.place("first").unwrap()]);
        assert!(drawn.around_the_chosen(9).place("second").is_none());
        drawn.chosen = BTreeSet::from([drawn.place("administrator").unwrap()]);
        assert!(drawn.around_the_chosen(9).place("second").is_some());
    }
}
