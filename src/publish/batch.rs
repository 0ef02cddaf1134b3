//! Items in calls that take several: no more than a call takes, and again what failed for a reason that passes.

use std::time::Duration;

/// Attempts that each item gets.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Items in runs of at most `most` and together `room` bytes, in their order.
pub(super) fn runs<T>(
    items: Vec<T>,
    most: usize,
    room: usize,
    size: impl Fn(&T) -> usize,
) -> Vec<Vec<T>> {
    let mut all: Vec<Vec<T>> = Vec::new();
    let mut used = 0;
    for item in items {
        let needed = size(&item);
        match all.last_mut() {
            Some(run) if run.len() < most && used + needed <= room => {
                used += needed;
                run.push(item);
            }
            _ => {
                used = needed;
                all.push(vec![item]);
            }
        }
    }
    all
}

/// What a call did with one of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has it.
    Taken,
    /// It could not take it now.
    Again(String),
    /// It will never take it as it is.
    Refused(String),
}

/// Why a call took nothing at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) why: String,
    /// Whether the next call would fare no better: nobody answers, or nobody lets it.
    pub(super) is_lasting: bool,
}

/// What became of items.
#[derive(Debug)]
pub(super) struct Delivered<T> {
    pub(super) taken: Vec<T>,
    /// Those that were not taken, each with the reason.
    pub(super) failed: Vec<(T, String)>,
    /// Those of calls that took nothing, and of calls that were not made for the same reason.
    pub(super) broken: Vec<(Vec<T>, String)>,
}

/// Sends runs of items. `call` gives the fate of each in their order, or why none of them was taken; items of which it says
/// nothing count as refused.
pub(super) async fn deliver<T>(
    runs: Vec<Vec<T>>,
    call: impl AsyncFn(&[T]) -> Result<Vec<Fate>, Broken>,
) -> Delivered<T> {
    let mut delivered = Delivered {
        taken: Vec::new(),
        failed: Vec::new(),
        broken: Vec::new(),
    };
    let mut is_over = false;
    for run in runs {
        if is_over && let Some((items, _)) = delivered.broken.last_mut() {
            items.extend(run);
            continue;
        }
        is_over = deliver_run(run, &call, &mut delivered).await;
    }
    delivered
}

/// Sends one run; whether no other need be tried.
async fn deliver_run<T>(
    run: Vec<T>,
    call: &impl AsyncFn(&[T]) -> Result<Vec<Fate>, Broken>,
    delivered: &mut Delivered<T>,
) -> bool {
    let mut waiting = run;
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=ATTEMPTS {
        let fates = match call(&waiting).await {
            Ok(fates) => fates,
            Err(Broken { why, is_lasting }) => {
                delivered.broken.push((waiting, why));
                return is_lasting;
            }
        };
        let unsaid = Fate::Refused("the answer says nothing of it".to_owned());
        let fates = fates.into_iter().chain(std::iter::repeat(unsaid));
        let mut again = Vec::new();
        for (item, fate) in waiting.into_iter().zip(fates) {
            match fate {
                Fate::Taken => delivered.taken.push(item),
                Fate::Again(_) if attempt < ATTEMPTS => again.push(item),
                Fate::Again(why) | Fate::Refused(why) => delivered.failed.push((item, why)),
            }
        }
        if again.is_empty() {
            break;
        }
        waiting = again;
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    false
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn runs_keep_to_number_and_room() {
        let items = vec!["a", "bb", "ccc", "dddddd", "e"];
        let runs = runs(items, 2, 5, |item| item.len());
        assert_eq!(
            runs,
            [vec!["a", "bb"], vec!["ccc"], vec!["dddddd"], vec!["e"]]
        );
        assert!(super::runs(Vec::<&str>::new(), 2, 5, |item| item.len()).is_empty());
    }

    #[tokio::test]
    async fn only_what_failed_for_now_is_sent_again_and_not_for_ever() {
        let calls = Cell::new(0);
        let delivered = deliver(
            vec![vec!["fine", "late", "never", "wrong"]],
            async |items| {
                calls.set(calls.get() + 1);
                let fate = |item: &&str| match *item {
                    "late" if calls.get() < 3 => Fate::Again("busy".to_owned()),
                    "never" => Fate::Again("busy".to_owned()),
                    "wrong" => Fate::Refused("wrong".to_owned()),
                    _ => Fate::Taken,
                };
                Ok(items.iter().map(fate).collect())
            },
        )
        .await;
        assert_eq!(delivered.taken, ["fine", "late"]);
        let failed: Vec<_> = delivered.failed.iter().map(|(item, _)| *item).collect();
        assert_eq!(failed, ["wrong", "never"]);
        assert_eq!(calls.get(), ATTEMPTS);
    }

    #[tokio::test]
    async fn what_an_answer_does_not_mention_is_not_taken() {
        let delivered = deliver(vec![vec![1, 2]], async |_| Ok(vec![Fate::Taken])).await;
        assert_eq!(delivered.taken, [1]);
        assert_eq!(delivered.failed.len(), 1);
    }

    #[tokio::test]
    async fn after_a_failure_that_lasts_no_other_call_is_made() {
        for (is_lasting, calls) in [(true, 1), (false, 2)] {
            let made = Cell::new(0);
            let why = "no".to_owned();
            let runs = vec![vec![1, 2], vec![3]];
            let delivered = deliver(runs, async |_| {
                made.set(made.get() + 1);
                Err(Broken {
                    why: why.clone(),
                    is_lasting,
                })
            })
            .await;
            assert_eq!(made.get(), calls);
            let items: usize = delivered.broken.iter().map(|(items, _)| items.len()).sum();
            assert_eq!((items, delivered.broken.len()), (3, calls));
        }
    }
}
