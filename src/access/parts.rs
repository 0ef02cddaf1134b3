//! Queues, roles and whatever else is numbered, cut apart into sets on which somebody fares alike.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::index::{QueueIndex, QueueSet, Reached, are_equal};
use crate::policy::{PolicyKind, Statement};

/// Cuts the domain into parts: queues of one part have the same number, are in the same sets, and are none of the singles.
pub(super) fn cut(
    domain: &QueueSet,
    numbers: &[u32],
    cuts: &[Cow<'_, QueueSet>],
    singles: &QueueSet,
) -> Vec<QueueSet> {
    let members: Vec<u32> = domain.iter().collect();
    // For each member its number and, bit by bit, the cuts that it is in.
    let mut marks: Vec<Mark> = members
        .iter()
        .map(|member| Mark {
            number: numbers.get(*member as usize).copied().unwrap_or(0),
            single: None,
            cuts: 0,
        })
        .collect();
    let mut bit = 0;
    for cut in cuts {
        let inside = domain & &**cut;
        if inside.is_empty() || inside.len() == domain.len() {
            continue;
        }
        if bit == u64::BITS {
            renumber(&mut marks);
            bit = 0;
        }
        for_each_at(&members, &inside, &mut marks, |mark, _| {
            mark.cuts |= 1 << bit;
        });
        bit += 1;
    }
    for_each_at(&members, &(domain & singles), &mut marks, |mark, member| {
        mark.single = Some(member);
    });
    let count = renumber(&mut marks);
    let mut sets: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (member, mark) in members.iter().zip(&marks) {
        if let Some(set) = sets.get_mut(mark.number as usize) {
            set.push(*member);
        }
    }
    sets.into_iter()
        .map(|set| {
            // Members come in order: to append them is quicker than to look for the place of each.
            QueueSet::from_sorted_iter(set.iter().copied())
                .unwrap_or_else(|_| set.into_iter().collect())
        })
        .collect()
}

/// The sets by which statements tell the members of an index apart, and the members that each may fare by itself.
pub(super) fn cuts(
    index: &QueueIndex<'_>,
    statements: &[(&Statement, PolicyKind)],
) -> (Vec<Cow<'static, QueueSet>>, QueueSet) {
    let mut cuts: Vec<QueueSet> = Vec::new();
    let mut singles = QueueSet::new();
    for (statement, kind) in statements {
        let Reached { surely, perhaps } = reached(index, statement, *kind);
        singles |= perhaps;
        if !surely.is_empty() && !cuts.iter().any(|known| are_equal(known, &surely)) {
            cuts.push(surely);
        }
    }
    (cuts.into_iter().map(Cow::Owned).collect(), singles)
}

/// The members of an index that the patterns of a statement reach, `NotResource` or not.
pub(super) fn reached(index: &QueueIndex<'_>, statement: &Statement, kind: PolicyKind) -> Reached {
    let Some(resources) = &statement.resources else {
        return Reached {
            surely: index.all().clone(),
            perhaps: QueueSet::new(),
        };
    };
    let mut all = Reached::default();
    for pattern in &resources.patterns {
        let reached = index.reached(&pattern.widest_reach(kind));
        all.surely |= reached.surely;
        all.perhaps |= reached.perhaps;
    }
    if resources.negated {
        all.surely = index.all() - all.surely;
    }
    all
}

/// What is reached, surely or perhaps.
pub(super) fn whole(reached: Reached) -> QueueSet {
    reached.surely | reached.perhaps
}

/// What tells the members of a domain apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Mark {
    number: u32,
    /// The member itself, where it is decided by itself.
    single: Option<u32>,
    cuts: u64,
}

/// Puts a number in the place of each mark, equal marks getting the same, from zero in the order in which they come; tells
/// how many there are.
fn renumber(marks: &mut [Mark]) -> usize {
    let mut known: HashMap<Mark, u32, FixedState> = HashMap::default();
    let mut last: Option<(Mark, u32)> = None;
    for mark in marks {
        let number = match last {
            Some((like, number)) if like == *mark => number,
            _ => {
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                *known.entry(*mark).or_insert(next)
            }
        };
        last = Some((*mark, number));
        *mark = Mark {
            number,
            single: None,
            cuts: 0,
        };
    }
    known.len()
}

/// Changes the marks of the members of a subset, members and subset being in order.
fn for_each_at(
    members: &[u32],
    subset: &QueueSet,
    marks: &mut [Mark],
    mut change: impl FnMut(&mut Mark, u32),
) {
    let mut marked = members.iter().zip(marks);
    for wanted in subset {
        if let Some((_, mark)) = marked.find(|(member, _)| **member == wanted) {
            change(mark, wanted);
        }
    }
}
