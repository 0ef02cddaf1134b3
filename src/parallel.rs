//! Work spread over the processors.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, OnceLock, PoisonError};

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
    let work_off = || {
        let mut done = Vec::new();
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some(piece) = pieces.get(number)
        {
            done.push((number, piece.iter().map(&work).collect::<Vec<R>>()));
        }
        done
    };
    // Whoever asks works as well: what a thread has of memory is at hand only as long as it lives.
    let finished: Vec<(usize, Vec<R>)> = std::thread::scope(|scope| {
        let helpers = processors.min(pieces.len()).saturating_sub(1);
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(work_off)).collect();
        let mut finished = work_off();
        for helper in helpers {
            match helper.join() {
                Ok(done) => finished.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        finished
    });
    let mut ordered = finished;
    ordered.sort_by_key(|(number, _)| *number);
    ordered.into_iter().flat_map(|(_, done)| done).collect()
}

/// Hands over the texts that `make` writes of pieces of the items, written on every processor, in the order of the items and as soon
/// as the turn of each comes; ends with the first error. Texts are written where those were that are handed over: in memory that is
/// at hand.
pub(crate) fn texts_in_order<T: Sync, E: Send>(
    items: &[T],
    piece: usize,
    make: impl Fn(&[T], &mut Vec<u8>) -> Result<(), E> + Sync,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let processors = processors();
    let pieces: Vec<&[T]> = items.chunks(piece.max(1)).collect();
    if pieces.len() < 2 || processors == 1 {
        let mut text = Vec::new();
        return pieces.into_iter().try_for_each(|piece| {
            text.clear();
            make(piece, &mut text)?;
            take(&text)
        });
    }
    let next = AtomicUsize::new(0);
    let spare: Mutex<Vec<Vec<u8>>> = Mutex::default();
    let spare = || spare.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever makes waits for whoever takes, so that little is made ahead of its turn.
    let (hand_over, arriving) = sync_channel::<(usize, Result<Vec<u8>, E>)>(processors);
    std::thread::scope(|scope| {
        for _ in 0..processors {
            let hand_over = hand_over.clone();
            let (next, pieces, make, spare) = (&next, &pieces, &make, &spare);
            scope.spawn(move || {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(piece) = pieces.get(number)
                {
                    let mut text = spare().pop().unwrap_or_default();
                    let written = make(piece, &mut text).map(|()| text);
                    if hand_over.send((number, written)).is_err() {
                        // Nobody takes any more.
                        break;
                    }
                }
            });
        }
        drop(hand_over);
        let mut early: BTreeMap<usize, Result<Vec<u8>, E>> = BTreeMap::new();
        let mut turn = 0;
        for (number, written) in arriving {
            early.insert(number, written);
            while let Some(written) = early.remove(&turn) {
                let mut text = written?;
                take(&text)?;
                text.clear();
                spare().push(text);
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
    fn texts_are_handed_over_in_the_order_of_the_items() {
        let items: Vec<u8> = (0..=u8::MAX).collect();
        let mut taken = Vec::new();
        let result: Result<(), ()> = texts_in_order(
            &items,
            7,
            |piece, text| {
                // Of some the making takes longer.
                if piece.first().is_some_and(|first| first % 3 == 0) {
                    std::thread::yield_now();
                }
                text.extend(piece);
                Ok(())
            },
            |text| {
                taken.extend_from_slice(text);
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
        let make = |_: &[usize], _: &mut Vec<u8>| Ok(());
        let result = texts_in_order(&items, 1, make, |_| {
            taken += 1;
            if taken == 5 { Err("full") } else { Ok(()) }
        });
        assert_eq!(result, Err("full"));
        assert_eq!(taken, 5);
    }

    #[test]
    fn an_error_of_one_who_makes_ends_it_in_its_turn() {
        let items: Vec<usize> = (0..1_000).collect();
        let mut taken = 0;
        let make = |piece: &[usize], _: &mut Vec<u8>| match piece {
            [5] => Err("no text"),
            _ => Ok(()),
        };
        let result = texts_in_order(&items, 1, make, |_| {
            taken += 1;
            Ok(())
        });
        assert_eq!(result, Err("no text"));
        assert_eq!(taken, 5);
    }
}
