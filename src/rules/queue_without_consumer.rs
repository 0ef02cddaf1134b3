//! `queue-without-consumer`: nobody but administrators can receive from a queue.

use super::Audit;
use super::abandoned::{self, Words};
use crate::access::Capability;
use crate::finding::Finding;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let words = Words {
        rule: "queue-without-consumer",
        cannot: "receive from",
        detail: "No user, role, service or other account has the right to receive, so messages stay until they expire.",
        remedy: "Delete the queue if nothing uses it any more, or give its consumer a role that may receive and delete.",
    };
    abandoned::findings(audit, Capability::Receive, &words)
}
