//! Ending a scan before its end: calls that are under way are dropped, calls that were still to come fail, and both become gaps.

use std::sync::Arc;

use tokio::sync::watch;

use super::failure::{Failure, Kind};

/// Stops a scan, from outside or from within. Clones stop the same scan.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Option<Reason>>>);

/// Why a scan is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody asked for it.
    Asked,
    /// The credentials have run out, so that every further call would fail.
    Expired,
}

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Stop {
    /// Stops the scan. What was read so far is kept.
    pub fn now(&self) {
        self.because(Reason::Asked);
    }

    /// Stops the scan; the first reason stays.
    pub(super) fn because(&self, reason: Reason) {
        self.0.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert(reason);
            is_first
        });
    }

    /// Waits until the scan is stopped.
    pub(super) async fn stopped(&self) -> Reason {
        let mut reasons = self.0.subscribe();
        loop {
            let reason = *reasons.borrow_and_update();
            match reason {
                Some(reason) => return reason,
                // The sender is ours, so that there always is one.
                None if reasons.changed().await.is_err() => std::future::pending().await,
                None => {}
            }
        }
    }
}

impl Reason {
    /// What a call becomes that is not made, or not waited for.
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Asked => Failure {
                kind: Kind::Stopped,
                ..Failure::word("Interrupted")
            },
            Self::Expired => Failure {
                kind: Kind::Expired,
                ..Failure::word("ExpiredToken")
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays_and_every_clone_hears_of_it() {
        let stop = Stop::default();
        let clone = stop.clone();
        let waiting = tokio::spawn(async move { clone.stopped().await });
        stop.now();
        stop.because(Reason::Expired);
        assert_eq!(waiting.await.unwrap(), Reason::Asked);
        assert_eq!(stop.stopped().await, Reason::Asked);
    }
}
