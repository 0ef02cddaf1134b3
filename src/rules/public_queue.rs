//! `public-queue`: a queue policy lets anyone in.

use super::Audit;
use super::exposure::{self, Confinement, EXPOSED, Opening, Words};
use crate::access::{AuditedQueue, Capability, Who};
use crate::finding::{Entity, Finding, Kind, Severity};

const RULE: &str = "public-queue";

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    audit
        .access
        .queues
        .iter()
        .filter_map(|audited| {
            let openings = openings(audited);
            let name = audited.queue.arn.name();
            let can = exposure::capabilities(&openings);
            let words = Words {
                rule: RULE,
                title: format!("anyone can {can} queue {name}"),
                detail: format!("The policy of queue {name} lets {} {can} it.", whom(&openings)),
                remedy: "Name the roles that need the queue as principals, or confine the statement with fixed values: \
                         aws:PrincipalOrgID for your organization, aws:SourceArn for one source."
                    .to_owned(),
            };
            exposure::finding(audit.access, audited, &openings, words)
        })
        .collect()
}

/// How public one capability is for one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Anyone on a network.
    Network,
    /// Every principal of every AWS account.
    AnyPrincipal,
    /// Everyone, without credentials too.
    Anyone,
}

/// How far the capability is open to whoever is not named; none when it is confined.
pub(super) fn reach(audited: &AuditedQueue<'_>, capability: Capability) -> Option<Reach> {
    let outsider = |who: Who| {
        audited
            .outsiders
            .iter()
            .find(|outsider| outsider.who == who)
    };
    let open = |who: Who, network: bool| {
        outsider(who).is_some_and(|outsider| {
            exposure::open_to(outsider.when(capability), |confinement| {
                network && *confinement == Confinement::Network
            })
        })
    };
    if open(Who::Anonymous, false) {
        Some(Reach::Anyone)
    } else if open(Who::AnyPrincipal, false) {
        Some(Reach::AnyPrincipal)
    } else if open(Who::Anonymous, true) || open(Who::AnyPrincipal, true) {
        Some(Reach::Network)
    } else {
        None
    }
}

fn openings(audited: &AuditedQueue<'_>) -> Vec<Opening> {
    let receives = reach(audited, Capability::Receive).is_some();
    EXPOSED
        .into_iter()
        .filter_map(|capability| {
            let reach = reach(audited, capability)?;
            let severity = match (reach, capability) {
                // A receipt handle is needed to delete, and only receiving gives one.
                (_, Capability::Delete) if !receives => Severity::Low,
                (Reach::Anyone, Capability::Send) | (Reach::AnyPrincipal, _) => Severity::High,
                (Reach::Anyone, _) => Severity::Critical,
                (Reach::Network, _) => Severity::Medium,
            };
            let outsider = audited
                .outsiders
                .iter()
                .filter(|outsider| matches!(outsider.who, Who::Anonymous | Who::AnyPrincipal))
                .find(|outsider| !outsider.when(capability).is_never())?;
            Some(Opening::new(
                audited,
                outsider,
                Entity::new(Kind::Anyone, "*"),
                capability,
                severity,
            ))
        })
        .collect()
}

fn whom(openings: &[Opening]) -> &'static str {
    match openings.iter().map(|opening| opening.severity).max() {
        Some(Severity::Medium) => "anyone on a network",
        _ => "anyone, in any AWS account or none,",
    }
}
