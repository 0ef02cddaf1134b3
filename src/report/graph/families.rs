//! What the names of a block have in common: the part before the first words that tell them apart.
#![expect(
    clippy::indexing_slicing,
    reason = "places are made here and stay within the lists that they were made for"
)]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::words;
use crate::graph::picture::fold::{Drawing, Part};

/// Words of a name that make a family at most.
const MOST_WORDS: usize = 3;
/// Words by which nodes are thought to belong together.
const WORDS_OF_STEM: usize = 2;

/// The first words of a name, as they stand there; none where it has fewer.
fn beginning(name: &str, number: usize) -> Option<&str> {
    let mut is_inside = false;
    let mut words = 0;
    for (at, character) in name.char_indices() {
        let is_word = character.is_alphanumeric();
        if is_inside && !is_word {
            words += 1;
            if words == number {
                return name.get(..at);
            }
        }
        is_inside = is_word;
    }
    (is_inside && words + 1 == number).then_some(name)
}

/// The first words of a node's name.
pub(super) fn stem(drawing: &Drawing<'_>, node: usize) -> String {
    stem_of(&first_name(drawing, node)).to_owned()
}

/// The first words of a name.
pub(super) fn stem_of(name: &str) -> &str {
    beginning(name, WORDS_OF_STEM).unwrap_or(name)
}

/// The name of the first of those that a node stands for.
fn first_name(drawing: &Drawing<'_>, node: usize) -> String {
    let members = drawing.nodes[node].members.iter();
    let first = members.filter_map(|member| drawing.picture.nodes.get(*member));
    first.take(1).map(words::label).collect()
}

/// What most queues and channels of a block are called first, or, without any, most of its nodes.
pub(super) fn of(drawing: &Drawing<'_>, nodes: &[usize]) -> String {
    let resources = nodes
        .iter()
        .filter(|node| Part::of(drawing.nodes[**node].kind) == Part::Resource);
    let mut names: Vec<String> = resources.map(|node| first_name(drawing, *node)).collect();
    if names.is_empty() {
        names = nodes
            .iter()
            .map(|node| first_name(drawing, *node))
            .collect();
    }
    common(&names)
}

fn common(names: &[String]) -> String {
    if let [only] = names {
        return only.clone();
    }
    for number in (1..=MOST_WORDS).rev() {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for beginning in names.iter().filter_map(|name| beginning(name, number)) {
            *times.entry(beginning).or_default() += 1;
        }
        let most = times
            .into_iter()
            .max_by_key(|(beginning, times)| (*times, Reverse(*beginning)));
        if let Some((beginning, times)) = most
            && times > 1
            && times * 10 >= names.len() * 6
        {
            return beginning.to_owned();
        }
    }
    // Nothing in common: the two that are named first stand for all.
    let mut stems: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        let stem = beginning(name, WORDS_OF_STEM).unwrap_or(name);
        *stems.entry(stem).or_default() += 1;
    }
    let mut stems: Vec<(Reverse<usize>, &str)> = stems
        .into_iter()
        .map(|(stem, times)| (Reverse(times), stem))
        .collect();
    stems.sort_unstable();
    let shown: Vec<&str> = stems.iter().take(2).map(|(_, stem)| *stem).collect();
    let more = if stems.len() > 2 { ", …" } else { "" };
    shown.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common_of(names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        common(&names)
    }

    #[test]
    fn a_name_begins_with_whole_words() {
        assert_eq!(beginning("prod-orders-dlq", 1), Some("prod"));
        assert_eq!(beginning("prod-orders-dlq", 2), Some("prod-orders"));
        assert_eq!(beginning("prod-orders-dlq", 3), Some("prod-orders-dlq"));
        assert_eq!(beginning("prod-orders-dlq", 4), None);
        assert_eq!(beginning("orders.fifo", 1), Some("orders"));
        assert_eq!(beginning("", 1), None);
        assert_eq!(beginning("--äö--x", 1), Some("--äö"));
    }

    #[test]
    fn a_family_is_called_what_most_of_it_are_called_first() {
        assert_eq!(
            common_of(&["prod-orders-a", "prod-orders-b", "x"]),
            "prod-orders"
        );
        assert_eq!(
            common_of(&["prod-orders-a", "prod-carts-b", "prod"]),
            "prod"
        );
        assert_eq!(
            common_of(&["prod-orders-jobs", "prod-orders-jobs-dlq"]),
            "prod-orders-jobs"
        );
        assert_eq!(common_of(&["orders"]), "orders");
    }

    #[test]
    fn names_with_nothing_in_common_are_named_by_the_most_frequent() {
        assert_eq!(
            common_of(&["a-b-1", "c-d-1", "a-b-2", "e-f-1", "g"]),
            "a-b, c-d, …"
        );
        assert_eq!(common_of(&["one", "two"]), "one, two");
    }
}
