//! Answers to hard questions about one key, kept: a scan asks the same of every principal, and a policy made to be hard would
//! cost its full budget each time.
//!
//! An answer and its work depend on the question alone, so that it makes no difference whether they are remembered. Each
//! thread remembers for itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::condition::Test;
use super::budget::Budget;
use super::key;

/// From how much work on an answer is kept: finding it again is work as well.
const HARD: u32 = 100;
/// How many tests are kept in all questions together, before all are forgotten; some twenty megabytes.
const MOST: usize = 40_000;

/// A question about one key with its answer.
struct Entry {
    key: String,
    group: Vec<(Test, bool)>,
    answer: Answer,
}

/// Whether the key can satisfy the tests, and the work that it took to see.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    pub(super) can_satisfy: bool,
    pub(super) work: u32,
}

#[derive(Default)]
struct Memory {
    entries: HashMap<u64, Entry>,
    /// The number of tests in all entries.
    tests: usize,
}

thread_local! {
    static HARD_ANSWERS: RefCell<Memory> = RefCell::default();
}

/// [`key::can_satisfy`], remembered.
pub(super) fn can_satisfy(key: &str, group: &[(&Test, bool)]) -> Answer {
    let is_empty = HARD_ANSWERS.with_borrow(|memory| memory.entries.is_empty());
    if !is_empty && let Some(answer) = recall(key, group) {
        return answer;
    }
    let mut budget = Budget::of_a_key();
    let can_satisfy = key::can_satisfy(key, group, &mut budget);
    let answer = Answer {
        can_satisfy,
        work: budget.spent_of_a_key(),
    };
    if answer.work >= HARD {
        let entry = Entry {
            key: key.to_owned(),
            group: group
                .iter()
                .map(|(test, wanted)| ((*test).clone(), *wanted))
                .collect(),
            answer,
        };
        HARD_ANSWERS.with_borrow_mut(|memory| {
            if memory.tests + group.len() > MOST {
                *memory = Memory::default();
            }
            memory.tests += group.len();
            memory.entries.insert(digest(key, group), entry);
        });
    }
    answer
}

fn recall(key: &str, group: &[(&Test, bool)]) -> Option<Answer> {
    HARD_ANSWERS.with_borrow(|memory| {
        let entry = memory.entries.get(&digest(key, group))?;
        let same = entry.key == key
            && entry.group.len() == group.len()
            && entry
                .group
                .iter()
                .zip(group)
                .all(|((known, outcome), (test, wanted))| outcome == wanted && known == *test);
        same.then_some(entry.answer)
    })
}

/// A hash over what tells most questions apart; the rest is compared.
fn digest(key: &str, group: &[(&Test, bool)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    for (test, wanted) in group {
        (test.operator(), test.call(), *wanted).hash(&mut hasher);
        for value in test.values() {
            value.hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::super::condition::{Base, Value};
    use super::super::super::context::Domain;
    use super::super::super::glob::Glob;
    use super::super::super::{Assumptions, Operator, Quantifier};
    use super::*;

    fn like(pattern: &str, domain: Domain) -> Test {
        let base = Base::StringLike;
        Test {
            operator: Operator {
                quantifier: Quantifier::Single,
                base,
                negated: false,
                if_exists: false,
            },
            key: "aws:userid".to_owned(),
            values: vec![Value::new(
                base,
                pattern,
                Glob::new(pattern),
                &mut Assumptions::default(),
            )],
            domain,
        }
    }

    #[test]
    fn a_remembered_answer_is_the_one_that_was_found() {
        let ends = |letter: &str| format!("*{letter}{}", "?".repeat(3));
        let (a, b) = (ends("a"), ends("b"));
        let both = [like(&a, Domain::PRESENT), like(&b, Domain::PRESENT)];
        let ask = |tests: &[Test; 2], wanted: bool| {
            let [first, second] = tests;
            can_satisfy("aws:userid", &[(first, true), (second, wanted)])
        };
        let found = ask(&both, true);
        assert!(!found.can_satisfy && found.work >= HARD, "{}", found.work);
        for _ in 0..2 {
            let again = ask(&both, true);
            assert_eq!((again.can_satisfy, again.work), (false, found.work));
            assert!(ask(&both, false).can_satisfy);
        }
        // The same texts under another domain are another question.
        let shaped = Domain::like(Glob::new("x"));
        let short = [like(&a, shaped.clone()), like(&b, shaped)];
        assert!(ask(&short, true).work < HARD);
    }
}
