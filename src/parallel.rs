//! Work spread over the processors.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Items below which starting threads costs more than it gains.
const WORTH_A_THREAD: usize = 32;

/// The results for all items in their order, worked out on every processor.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    if items.len() < WORTH_A_THREAD || processors == 1 {
        return items.iter().map(work).collect();
    }
    // Small pieces, taken one by one: items differ in cost, and one heavy piece would keep the others waiting.
    let pieces: Vec<&[T]> = items
        .chunks(items.len().div_ceil(processors * 16))
        .collect();
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
