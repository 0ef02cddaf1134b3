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
    let mut parts: Vec<u32> = members
        .iter()
        .map(|member| numbers.get(*member as usize).copied().unwrap_or(0))
        .collect();
    let places = Places::of(&members);
    let cuts: Vec<&QueueSet> = cuts
        .iter()
        .map(|cut| &**cut)
        .filter(|cut| {
            let inside = cut.intersection_len(domain);
            inside > 0 && inside < domain.len()
        })
        .collect();
    let mut marks: Vec<u64> = vec![0; members.len()];
    // As many cuts at a time as a mark has bits.
    for cuts in cuts.chunks(u64::BITS as usize) {
        for (bit, cut) in cuts.iter().enumerate() {
            places.for_each_in(cut, |place, _| {
                if let Some(mark) = marks.get_mut(place) {
                    *mark |= 1 << bit;
                }
            });
        }
        renumber(&mut parts, &mut marks);
    }
    places.for_each_in(singles, |place, member| {
        if let Some(mark) = marks.get_mut(place) {
            *mark = u64::from(member) + 1;
        }
    });
    let count = renumber(&mut parts, &mut marks);
    let mut sets: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (member, part) in members.iter().zip(&parts) {
        if let Some(set) = sets.get_mut(*part as usize) {
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

/// Where the members of a domain stand in its order.
struct Places<'m> {
    members: &'m [u32],
    /// By member, counted from the first, where the members lie close together.
    close: Option<Vec<u32>>,
}

impl<'m> Places<'m> {
    /// Numbers between two members, on average, with which they still lie close together.
    const CLOSE: usize = 16;
    /// No member has this number.
    const NONE: u32 = u32::MAX;

    fn of(members: &'m [u32]) -> Self {
        let span = match members {
            [first, .., last] => (last - first) as usize + 1,
            few => few.len(),
        };
        let close = (span <= members.len() * Self::CLOSE).then(|| {
            let mut places = vec![Self::NONE; span];
            let first = members.first().copied().unwrap_or_default();
            for (place, member) in (0..).zip(members) {
                if let Some(known) = places.get_mut((member - first) as usize) {
                    *known = place;
                }
            }
            places
        });
        Self { members, close }
    }

    /// Tells the place of each member that a set holds, and the member.
    fn for_each_in(&self, set: &QueueSet, mut tell: impl FnMut(usize, u32)) {
        match (&self.close, self.members.first()) {
            (Some(close), Some(first)) if set.len() <= close.len() as u64 => {
                for member in set {
                    let known = member.checked_sub(*first);
                    let place = known.and_then(|known| close.get(known as usize));
                    if let Some(place) = place.filter(|place| **place != Self::NONE) {
                        tell(*place as usize, member);
                    }
                }
            }
            _ => {
                for (place, member) in self.members.iter().enumerate() {
                    if set.contains(*member) {
                        tell(place, *member);
                    }
                }
            }
        }
    }
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

/// Divides parts by marks, which are zero afterwards: parts are numbered from zero in the order in which they come. Tells how many
/// there are.
fn renumber(parts: &mut [u32], marks: &mut [u64]) -> usize {
    let mut known: HashMap<(u32, u64), u32, FixedState> = HashMap::default();
    let mut last: Option<((u32, u64), u32)> = None;
    for (part, mark) in parts.iter_mut().zip(marks) {
        let key = (*part, std::mem::take(mark));
        let number = match last {
            Some((like, number)) if like == key => number,
            _ => {
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                *known.entry(key).or_insert(next)
            }
        };
        last = Some((key, number));
        *part = number;
    }
    known.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(below: u32) -> impl Strategy<Value = QueueSet> {
        prop::collection::btree_set(0..below, 0..30).prop_map(QueueSet::from_iter)
    }

    /// By definition: what tells one member from another.
    fn told(
        member: u32,
        numbers: &[u32],
        cuts: &[Cow<'_, QueueSet>],
        singles: &QueueSet,
    ) -> (u32, Vec<bool>, Option<u32>) {
        let inside = cuts.iter().map(|cut| cut.contains(member)).collect();
        let single = singles.contains(member).then_some(member);
        let number = numbers.get(member as usize).copied().unwrap_or(0);
        (number, inside, single)
    }

    proptest! {
        #[test]
        fn parts_are_what_nothing_tells_apart(
            // Close together, far from each other, and none.
            domain in prop_oneof![set(40), set(2_000), set(1)],
            numbers in prop::collection::vec(0..3_u32, 0..40),
            // More than a mark has bits.
            cuts in prop::collection::vec(prop_oneof![set(40), set(2_000)], 0..80),
            singles in set(40),
        ) {
            let cuts: Vec<Cow<'_, QueueSet>> = cuts.into_iter().map(Cow::Owned).collect();
            let mut wanted: Vec<(_, QueueSet)> = Vec::new();
            for member in &domain {
                let told = told(member, &numbers, &cuts, &singles);
                if let Some((_, part)) = wanted.iter_mut().find(|(known, _)| *known == told) {
                    part.insert(member);
                } else {
                    wanted.push((told, QueueSet::from_iter([member])));
                }
            }
            let wanted: Vec<QueueSet> = wanted.into_iter().map(|(_, part)| part).collect();
            prop_assert_eq!(cut(&domain, &numbers, &cuts, &singles), wanted);
        }
    }
}
