//! `broken-delivery`: something is configured to be delivered that policies do not let happen, or not as it should.

use std::collections::BTreeMap;

use super::{Audit, count, list, region, short};
use crate::access::Wire;
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Kind, MOST_RESOURCES, PrincipalRef, ResourceRef,
    Severity, finding_id,
};

const RULE: &str = "broken-delivery";
/// Deliveries that are named one by one in the words of a finding.
const MOST_NAMED: usize = 3;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let mut broken: BTreeMap<(usize, Entity), Vec<&Wire>> = BTreeMap::new();
    for wire in &audit.graph.channels.wires {
        if wire.enabled && !wire.lacks.is_empty() {
            let subject = (wire.account, subject(wire));
            broken.entry(subject).or_default().push(wire);
        }
    }
    broken
        .iter()
        .filter_map(|((account, subject), wires)| finding(audit, *account, subject, wires))
        .collect()
}

/// What one would change: the policies of the role that delivers, or else the policy of what it delivers to.
fn subject(wire: &Wire) -> Entity {
    match &wire.asker {
        Some(role) if role.kind == Kind::Role => role.clone(),
        _ => wire.to.clone(),
    }
}

fn finding(
    audit: &Audit<'_>,
    account: usize,
    subject: &Entity,
    wires: &[&Wire],
) -> Option<Finding> {
    let account = audit.accounts.get(account)?;
    let mut resources: Vec<ResourceRef> = wires
        .iter()
        .flat_map(|wire| [&wire.from, &wire.to])
        .filter(|entity| entity.kind == Kind::Queue)
        .map(|queue| ResourceRef {
            entity: queue.clone(),
            certainty: Certainty::Allowed,
            grade: None,
        })
        .collect();
    resources.sort();
    resources.dedup();
    let more_resources = resources.len().saturating_sub(MOST_RESOURCES) as u64;
    resources.truncate(MOST_RESOURCES);
    let mut principals: Vec<PrincipalRef> = wires
        .iter()
        .filter_map(|wire| wire.asker.clone())
        .map(|entity| PrincipalRef {
            entity,
            workloads: Vec::new(),
        })
        .collect();
    principals.sort();
    principals.dedup();
    let mut evidence: Vec<Evidence> = wires
        .iter()
        .map(|wire| Evidence {
            capability: "deliver".into(),
            resource: wire.to.arn.clone(),
            layer: "delivery",
            policy: wire.configured_by.clone(),
            statement: wire.kind.as_str().into(),
            effect: "Allow",
        })
        .collect();
    evidence.sort();
    evidence.dedup();
    let title = match wires {
        [only] => {
            let (what, from, to) = (only.kind.as_str(), short(&only.from), short(&only.to));
            let how = if only.when.is_never() {
                "is refused"
            } else {
                "lacks rights"
            };
            format!("the {what} from {from} to {to} {how}")
        }
        several => {
            let deliveries = count(several.len(), "delivery");
            let towards = match subject.kind {
                Kind::Role => "as",
                _ => "to",
            };
            format!("{deliveries} {towards} {} lack rights", short(subject))
        }
    };
    Some(Finding {
        id: finding_id(RULE, &account.id, subject),
        rule: RULE,
        severity: Severity::Low,
        title,
        detail: detail(wires),
        account: account.id.clone(),
        region: region(&subject.arn),
        subject: subject.clone(),
        principals,
        resources: resources.into(),
        more_resources,
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
        evidence: evidence.into(),
        more_evidence: 0,
        remedy: remedy(subject, wires),
    })
}

fn detail(wires: &[&Wire]) -> String {
    let mut sentences: Vec<String> = wires
        .iter()
        .take(MOST_NAMED)
        .map(|wire| {
            let asker = wire
                .asker
                .as_ref()
                .map_or_else(|| "what delivers".to_owned(), short);
            let what = format!(
                "{} from {} to {}",
                wire.kind.as_str(),
                short(&wire.from),
                short(&wire.to)
            );
            if wire.lacks == ["sts:AssumeRole"] {
                return format!("The {what} names {asker}, which its service cannot assume.");
            }
            let lacks: Vec<String> = wire.lacks.iter().map(|&action| action.to_owned()).collect();
            format!("For the {what}, {asker} lacks {}.", list(&lacks))
        })
        .collect();
    if wires.len() > MOST_NAMED {
        sentences.push(format!("{} more are alike.", wires.len() - MOST_NAMED));
    }
    sentences.join(" ")
}

fn remedy(subject: &Entity, wires: &[&Wire]) -> String {
    let of_key = |action: &&str| action.starts_with("kms:");
    match subject.kind {
        _ if wires.iter().flat_map(|wire| &wire.lacks).all(of_key) => "Let the service use the key by a statement of the key policy with kms:GenerateDataKey and kms:Decrypt; a key that AWS manages lets no other service in, so name a customer managed key instead.",
        Kind::Role => "Give the role what it lacks on that one resource, or take the delivery away if nobody misses it.",
        _ => "Let the service in by a statement with aws:SourceArn and aws:SourceAccount, or take the delivery away if nobody misses it.",
    }
    .to_owned()
}
