//! `unscoped-service`: a queue policy lets an AWS service in without saying on whose behalf.

use super::exposure::{self, Confinement, EXPOSED, Opening, Words};
use super::public_queue::{Reach, reach};
use super::{Audit, list};
use crate::access::{AuditedQueue, Capability, Who};
use crate::finding::{Finding, Severity};

const RULE: &str = "unscoped-service";

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    audit
        .access
        .queues
        .iter()
        .filter_map(|audited| {
            let openings = openings(audited);
            let name = audited.queue.arn.name();
            let can = exposure::capabilities(&openings);
            let mut services: Vec<String> = openings
                .iter()
                .map(|opening| opening.who.arn.to_string())
                .collect();
            services.sort();
            services.dedup();
            let services = list(&services);
            let words = Words {
                rule: RULE,
                title: format!("{services} can {can} queue {name} for any customer of AWS"),
                detail: format!(
                    "The policy of queue {name} lets {services} in without a condition that fixes the source, so a topic, \
                     bucket or rule of another account can use it too (the confused deputy problem)."
                ),
                remedy: "Add a condition on aws:SourceArn with the source's full ARN; for S3 buckets, whose ARN names no \
                         account, on aws:SourceAccount as well."
                    .to_owned(),
            };
            exposure::finding(audit.access, audited, &openings, words)
        })
        .collect()
}

fn openings(audited: &AuditedQueue<'_>) -> Vec<Opening> {
    let mut openings = Vec::new();
    for outsider in &audited.outsiders {
        if !matches!(outsider.who, Who::Service(_)) {
            continue;
        }
        for capability in EXPOSED {
            if told_as_public(audited, &outsider.who, capability) {
                continue;
            }
            let when = outsider.when(capability);
            let severity = if exposure::open_to(when, |_| false) {
                Severity::High
            } else if exposure::open_to(when, |confinement| *confinement == Confinement::WeakSource)
            {
                Severity::Medium
            } else {
                continue;
            };
            openings.push(Opening::new(
                audited,
                outsider,
                outsider.who.entity(),
                capability,
                severity,
            ));
        }
    }
    openings
}

/// Whether `public-queue` tells already that the service gets in: where everyone does, or every service with them. A statement
/// for callers of one network, or with a certain tag, lets no service in, and tells nothing of one that another statement names.
fn told_as_public(audited: &AuditedQueue<'_>, who: &Who, capability: Capability) -> bool {
    match reach(audited, capability) {
        Some(Reach::Anyone) => true,
        Some(Reach::AnyPrincipal) => {
            who.is_any_service()
                || audited.outsiders.iter().any(|outsider| {
                    outsider.who.is_any_service()
                        && exposure::open_to(outsider.when(capability), |_| false)
                })
        }
        Some(Reach::Network) | None => false,
    }
}
