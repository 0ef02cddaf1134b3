//! Work spread over the processors.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

/// Items below which starting threads costs more than it gains.
const WORTH_A_THREAD: usize = 32;

/// Pieces for each processor: items differ in cost, and one heavy piece at the end keeps the others waiting.
const PIECES: usize = 256;

/// How many threads work. The system looks into several files for that, so it is asked once.
fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get))
}

/// The results for all items in their order, worked out on every processor.
pub(crate) fn in_parallel<'i, T: Sync, R: Send>(
    items: &'i [T],
    work: impl Fn(&'i T) -> R + Sync,
) -> Vec<R> {
    let processors = processors();
    if items.len() < WORTH_A_THREAD || processors == 1 {
        return items.iter().map(work).collect();
    }
    in_pieces(items, items.len().div_ceil(processors * PIECES), work)
}

/// The same for a few items of which each is much work.
pub(crate) fn few_in_parallel<'i, T: Sync, R: Send>(
    items: &'i [T],
    work: impl Fn(&'i T) -> R + Sync,
) -> Vec<R> {
    in_pieces(items, 1, work)
}

/// The results for items of which a few may be most of the work, begun with those; in no order that means anything.
pub(crate) fn heaviest_first<T: Sync, R: Send>(
    mut items: Vec<T>,
    weight: impl Fn(&T) -> usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    items.sort_by_cached_key(|item| Reverse(weight(item)));
    few_in_parallel(&items, work)
}

fn in_pieces<'i, T: Sync, R: Send>(
    items: &'i [T],
    piece: usize,
    work: impl Fn(&'i T) -> R + Sync,
) -> Vec<R> {
    let processors = processors();
    let pieces: Vec<&'i [T]> = items.chunks(piece.max(1)).collect();
    let next = AtomicUsize::new(0);
    let finished: Vec<(usize, Vec<R>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..processors)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    while let number = next.fetch_add(1, Ordering::Relaxed)
                        && let Some(piece) = pieces.get(number)
                    {
                        done.push((number, piece.iter().map(&work).collect::<Vec<R>>()));
                    }
                    done
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| match worker.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    let mut ordered = finished;
    ordered.sort_by_key(|(number, _)| *number);
    ordered.into_iter().flat_map(|(_, done)| done).collect()
}

/// Hands over what `make` makes of pieces of the items, made on every processor, in the order of the items and as soon as its
/// turn comes; ends with the first error of `take`.
pub(crate) fn each_in_order<T: Sync, R: Send, E>(
    items: &[T],
    piece: usize,
    make: impl Fn(&[T]) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let processors = processors();
    let pieces: Vec<&[T]> = items.chunks(piece.max(1)).collect();
    if pieces.len() < 2 || processors == 1 {
        return pieces.into_iter().try_for_each(|piece| take(make(piece)));
    }
    let next = AtomicUsize::new(0);
    // Whoever makes waits for whoever takes, so that little is made ahead of its turn.
    let (hand_over, arriving) = sync_channel::<(usize, R)>(processors);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            let hand_over = hand_over.clone();
            let (next, pieces, make) = (&next, &pieces, &make);
            scope.spawn(move || {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(piece) = pieces.get(number)
                {
                    if hand_over.send((number, make(piece))).is_err() {
                        // Nobody takes any more.
                        break;
                    }
                }
            });
        }
        drop(hand_over);
        let mut early: BTreeMap<usize, R> = BTreeMap::new();
        let mut turn = 0;
        for (number, result) in arriving {
            early.insert(number, result);
            while let Some(result) = early.remove(&turn) {
                take(result)?;
                turn += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_handed_over_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1_000).collect();
        let mut taken = Vec::new();
        let result: Result<(), ()> = each_in_order(
            &items,
            7,
            |piece| {
                // Of some the making takes longer.
                if piece.first().is_some_and(|first| first % 3 == 0) {
                    std::thread::yield_now();
                }
                piece.to_vec()
            },
            |piece| {
                taken.extend(piece);
                Ok(())
            },
        );
        assert_eq!(result, Ok(()));
        assert_eq!(taken, items);
    }

    #[test]
    fn an_error_of_the_one_who_takes_ends_it() {
        let items: Vec<usize> = (0..1_000).collect();
        let mut taken = 0;
        let result = each_in_order(&items, 1, <[usize]>::len, |_| {
            taken += 1;
            if taken == 5 { Err("full") } else { Ok(()) }
        });
        assert_eq!(result, Err("full"));
        assert_eq!(taken, 5);
    }
}
