//! What a caller puts into a request as it likes: such keys stand in nobody's way.

use std::sync::Arc;

use crate::policy::{Atom, Formula, Literal};

/// Keys of one request that the caller chooses and of which every choice is tried.
const MOST_CHOICES: usize = 6;

/// When a request can be made that is allowed, whatever of it the caller chooses: the choices are tried one by one, since what
/// passes one statement may be refused by another. Where there are too many to try, they stay conditions.
pub(super) fn without_choices(when: &Formula, is_chosen: impl Fn(&str) -> bool) -> Formula {
    let mut chosen: Vec<&Arc<Atom>> = Vec::new();
    when.each_literal(&mut |literal| {
        let is_open = matches!(&*literal.atom, Atom::Test(test) if is_chosen(&test.key().to_ascii_lowercase()));
        if is_open && !chosen.contains(&&literal.atom) {
            chosen.push(&literal.atom);
        }
    });
    if chosen.is_empty() || chosen.len() > MOST_CHOICES {
        return when.clone();
    }
    let outcomes = (0..1_u32 << chosen.len()).map(|outcome| {
        let holds = |place: usize| outcome & (1 << place) != 0;
        let choice = chosen
            .iter()
            .enumerate()
            .fold(Formula::Always, |all, (place, atom)| {
                all.and(Formula::Literal(Literal {
                    atom: Arc::clone(atom),
                    holds: holds(place),
                }))
            });
        if !choice.is_satisfiable() {
            return Formula::Never;
        }
        when.substituted(&|literal| {
            let place = chosen.iter().position(|atom| **atom == literal.atom)?;
            Some(Formula::constant(holds(place) == literal.holds))
        })
    });
    outcomes.fold(Formula::Never, Formula::or)
}
