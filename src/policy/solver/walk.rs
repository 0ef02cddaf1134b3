//! Texts with wildcards: whether one text is matched by some patterns and not by others.
//!
//! Each pattern is a nondeterministic automaton; all of them read one text side by side, character by character, and the
//! sets of states that they can be in together are searched.

use std::collections::{BTreeSet, BinaryHeap, HashSet};

use super::super::condition::Matcher;
use super::super::glob::{Glob, Token};
use super::super::letter_case::{folded, spellings};
use super::budget::Budget;

/// A place in a pattern: what may be read there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Symbol {
    /// This character.
    Char(char),
    /// Either of two characters.
    Either(char, char),
    /// Any spelling of a letter, whose folded form this is.
    AnyCase(char),
    /// One character; not a colon when it stands in the first five fields of an ARN (O3).
    One { colon: bool },
    /// Any run of characters, colons as for `One`.
    Run { colon: bool },
    /// Any run of this character.
    RunOf(char),
    /// The end of the pattern.
    End,
}

impl Symbol {
    fn is_run(self) -> bool {
        matches!(self, Self::Run { .. } | Self::RunOf(_))
    }
}

/// Patterns of which at least one must match the text, or none may.
pub(super) struct Constraint<'a> {
    patterns: Vec<Pattern<'a>>,
    wanted: bool,
}

enum Pattern<'a> {
    Value(&'a Matcher),
    Shape(&'a Glob),
}

impl<'a> Constraint<'a> {
    /// Matchers that are no patterns of text never match one.
    pub(super) fn new(patterns: impl IntoIterator<Item = &'a Matcher>, wanted: bool) -> Self {
        Self {
            patterns: patterns.into_iter().map(Pattern::Value).collect(),
            wanted,
        }
    }

    /// The text has this shape.
    pub(super) fn shape(shape: &'a Glob) -> Self {
        Self {
            patterns: vec![Pattern::Shape(shape)],
            wanted: true,
        }
    }
}

/// All patterns in one row, each closed by [`Symbol::End`]; a state is a place in the row.
struct Automata<'a> {
    symbols: Vec<Symbol>,
    /// For each place: where its pattern begins, and its constraint.
    owners: Vec<(usize, usize)>,
    constraints: &'a [Constraint<'a>],
    starts: Vec<usize>,
    /// A character that no pattern names: it stands for all such characters.
    other: char,
}

/// The places that the automata can be in together, in order.
type States = Vec<usize>;

impl<'a> Automata<'a> {
    fn new(constraints: &'a [Constraint<'a>]) -> Self {
        let mut automata = Self {
            symbols: Vec::new(),
            owners: Vec::new(),
            constraints,
            starts: Vec::new(),
            other: ' ',
        };
        for (index, constraint) in constraints.iter().enumerate() {
            for pattern in &constraint.patterns {
                let start = automata.symbols.len();
                let added = match pattern {
                    Pattern::Value(matcher) => automata.add(matcher),
                    Pattern::Shape(glob) => {
                        automata.add_glob(glob, true);
                        true
                    }
                };
                if added {
                    automata.symbols.push(Symbol::End);
                    automata.starts.push(start);
                    automata
                        .owners
                        .resize(automata.symbols.len(), (start, index));
                }
            }
        }
        let named: HashSet<char> = automata
            .symbols
            .iter()
            .flat_map(|symbol| match symbol {
                Symbol::Char(character) | Symbol::RunOf(character) | Symbol::AnyCase(character) => {
                    [Some(folded(*character)), None]
                }
                Symbol::Either(left, right) => [Some(folded(*left)), Some(folded(*right))],
                Symbol::One { .. } | Symbol::Run { .. } | Symbol::End => [None, None],
            })
            .flatten()
            .collect();
        automata.other = ('-'..=char::MAX)
            .find(|character| *character != ':' && !named.contains(&folded(*character)))
            .unwrap_or('-');
        automata
    }

    /// Adds a pattern's symbols; false when the matcher is none of text.
    fn add(&mut self, matcher: &Matcher) -> bool {
        match matcher {
            Matcher::Text(glob) => self.add_glob(glob, true),
            Matcher::TextIgnoringCase(text) => {
                self.symbols.extend(text.chars().map(Symbol::AnyCase));
            }
            Matcher::Arn(fields) => {
                let last = fields.len().saturating_sub(1);
                for (index, field) in fields.iter().enumerate() {
                    self.add_glob(field, index == last);
                    if index < last {
                        self.symbols.push(Symbol::Char(':'));
                    }
                }
            }
            Matcher::Bool(value) => {
                self.symbols.extend(
                    value
                        .to_string()
                        .chars()
                        .map(|letter| Symbol::Either(letter, letter.to_ascii_uppercase())),
                );
            }
            Matcher::Binary(text) => {
                self.add_glob(&Glob::literal(text), true);
                self.symbols.push(Symbol::RunOf('='));
            }
            Matcher::Number(_) | Matcher::Instant(_) | Matcher::Range(_) | Matcher::Nothing => {
                return false;
            }
        }
        true
    }

    fn add_glob(&mut self, glob: &Glob, colon: bool) {
        self.symbols
            .extend(glob.tokens().into_iter().map(|token| match token {
                Token::Char(character) => Symbol::Char(character),
                Token::One => Symbol::One { colon },
                Token::Run => Symbol::Run { colon },
            }));
    }

    fn at(&self, place: usize) -> Symbol {
        self.symbols.get(place).copied().unwrap_or(Symbol::End)
    }

    fn owner(&self, place: usize) -> (usize, usize) {
        self.owners.get(place).copied().unwrap_or_default()
    }

    /// The places reached from these without reading, since a run may be empty, without those that add nothing: whatever
    /// a text does from a place before a run of the same pattern, it does from the run as well.
    fn closed(&self, places: impl IntoIterator<Item = usize>) -> States {
        let mut reached = Vec::new();
        for mut place in places {
            reached.push(place);
            while self.at(place).is_run() {
                place += 1;
                reached.push(place);
            }
        }
        reached.sort_unstable();
        reached.dedup();
        let mut latest_run = None;
        let mut kept: States = Vec::with_capacity(reached.len());
        for place in reached.into_iter().rev() {
            let (pattern, _) = self.owner(place);
            if latest_run == Some(pattern) {
                continue;
            }
            if matches!(self.at(place), Symbol::Run { .. }) {
                latest_run = Some(pattern);
            }
            kept.push(place);
        }
        kept.reverse();
        kept
    }

    fn step(&self, states: &[usize], character: char) -> States {
        self.closed(states.iter().filter_map(|&place| {
            let open = |colon: bool| colon || character != ':';
            match self.at(place) {
                Symbol::Char(expected) => (expected == character).then_some(place + 1),
                Symbol::Either(left, right) => {
                    (left == character || right == character).then_some(place + 1)
                }
                Symbol::AnyCase(form) => (folded(character) == form).then_some(place + 1),
                Symbol::One { colon } => open(colon).then_some(place + 1),
                Symbol::Run { colon } => open(colon).then_some(place),
                Symbol::RunOf(expected) => (expected == character).then_some(place),
                Symbol::End => None,
            }
        }))
    }

    /// The characters that these states tell apart; all others do what `other` does.
    fn alphabet(&self, states: &[usize]) -> BTreeSet<char> {
        let mut characters = BTreeSet::new();
        for &place in states {
            match self.at(place) {
                Symbol::Char(character) | Symbol::RunOf(character) => {
                    characters.insert(character);
                }
                Symbol::Either(left, right) => characters.extend([left, right]),
                Symbol::AnyCase(form) => characters.extend(spellings(form)),
                Symbol::One { colon: false } | Symbol::Run { colon: false } => {
                    characters.insert(':');
                }
                Symbol::One { colon: true } | Symbol::Run { colon: true } | Symbol::End => {}
            }
        }
        characters
    }

    /// Whether the text read so far is one that is looked for.
    fn accepts(&self, states: &[usize]) -> bool {
        let mut matched = vec![false; self.constraints.len()];
        for &place in states {
            if self.at(place) == Symbol::End
                && let Some(matched) = matched.get_mut(self.owner(place).1)
            {
                *matched = true;
            }
        }
        matched
            .iter()
            .zip(self.constraints)
            .all(|(matched, constraint)| *matched == constraint.wanted)
    }

    /// How far the patterns of constraints that must match have come.
    fn progress(&self, states: &[usize]) -> usize {
        let mut furthest = vec![0; self.constraints.len()];
        for &place in states {
            let (start, constraint) = self.owner(place);
            if let Some(furthest) = furthest.get_mut(constraint) {
                *furthest = (place - start).max(*furthest);
            }
        }
        furthest
            .iter()
            .zip(self.constraints)
            .filter_map(|(furthest, constraint)| constraint.wanted.then_some(furthest))
            .sum()
    }

    /// Whether no text that begins with what was read can be one that is looked for: a constraint that must match has no
    /// pattern left, or one that must not has a pattern that will match whatever follows.
    fn is_dead(&self, states: &[usize]) -> bool {
        let mut alive = vec![false; self.constraints.len()];
        for &place in states {
            let constraint = self.owner(place).1;
            if let Some(alive) = alive.get_mut(constraint) {
                *alive = true;
            }
            if self.at(place) == (Symbol::Run { colon: true })
                && self.at(place + 1) == Symbol::End
                && self
                    .constraints
                    .get(constraint)
                    .is_some_and(|constraint| !constraint.wanted)
            {
                return true;
            }
        }
        alive
            .iter()
            .zip(self.constraints)
            .any(|(alive, constraint)| constraint.wanted && !alive)
    }
}

/// Whether some text satisfies every constraint; also true when the budget ends before that is known.
pub(super) fn some_text(constraints: &[Constraint<'_>], budget: &mut Budget) -> bool {
    let automata = Automata::new(constraints);
    // Building is work as well, and so is looking at every constraint of a state.
    if !budget.spend(automata.symbols.len() + constraints.len()) {
        return true;
    }
    let start = automata.closed(automata.starts.iter().copied());
    let mut seen = HashSet::from([start.clone()]);
    // The text that has brought the patterns furthest goes on first: it is most likely to end well.
    let mut pending = BinaryHeap::from([(0, start)]);
    while let Some((_, states)) = pending.pop() {
        if automata.is_dead(&states) {
            continue;
        }
        if automata.accepts(&states) {
            return true;
        }
        let characters = automata.alphabet(&states);
        for character in std::iter::once(automata.other).chain(characters) {
            if !budget.spend(states.len() + constraints.len() + 4) {
                return true;
            }
            let next = automata.step(&states, character);
            if !seen.contains(&next) {
                seen.insert(next.clone());
                pending.push((automata.progress(&next), next));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_way_to_a_text_is_found_among_many_wrong_turns() {
        let pattern = |text: &str| Matcher::Text(Glob::new(text));
        // The letter that begins the pattern anew is always tempting.
        let wanted = pattern(&format!("*z????{}abc{}", "Y".repeat(90), "?".repeat(9)));
        let unwanted = [pattern("*x*"), pattern("*w???????????????")];
        let mut budget = Budget::of_a_condition();
        assert!(some_text(
            &[
                Constraint::new([&wanted], true),
                Constraint::new(&unwanted, false)
            ],
            &mut budget
        ));
        assert!(budget.spend(0), "it was given up");
    }
}
