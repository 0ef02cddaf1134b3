//! `queue-without-generator`: nobody but administrators can send to a queue.

use super::Audit;
use super::abandoned::{self, Words};
use crate::access::Capability;
use crate::finding::Finding;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let words = Words {
        rule: "queue-without-generator",
        cannot: "send to",
        detail: "No user, role, service or other account has the right to send, and no queue moves its dead letters here.",
        remedy: "Delete the queue if nothing uses it any more, or give its generator a role that may send.",
    };
    abandoned::findings(audit, Capability::Send, &words)
}
