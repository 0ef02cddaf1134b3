//! What a user means by a name: one queue, principal or finding, or an answer that names those that come near.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use crate::access::Access;
use crate::account::Queue;
use crate::arn::Arn;
use crate::audit::coverage;
use crate::entity::Kind;
use crate::finding::Finding;
use crate::graph::Graph;
use crate::nearest::nearest_first;

/// Candidates that are named when a name is not found, or fits more than one.
const MOST_CANDIDATES: usize = 10;
/// Names that are suggested for one that does not exist.
const MOST_SUGGESTIONS: usize = 5;

/// The one queue that is meant by an ARN, a URL, a name, or `region/name` as reports write it.
pub(super) fn queue(access: &Access<'_>, wanted: &str) -> Result<usize> {
    let all = || {
        access
            .queues
            .iter()
            .enumerate()
            .map(|(index, audited)| (index, audited.queue))
    };
    let meant: Vec<(usize, &Queue)> = all()
        .filter(|(_, queue)| is_meant(wanted, &queue.arn, &queue.url))
        .collect();
    if let [(only, _)] = meant.as_slice() {
        return Ok(*only);
    }
    if !meant.is_empty() {
        let arns: Vec<String> = meant
            .iter()
            .map(|(_, queue)| queue.arn.to_string())
            .collect();
        bail!(
            "`{wanted}` is the name of {} queues; name one by its ARN: {}",
            meant.len(),
            listed(&arns)
        );
    }
    if access.queues.is_empty() {
        bail!(
            "there is no queue at all in what was read; name the right regions with --region, or audit the account to see \
             what it holds"
        );
    }
    let nearest = nearest(wanted, all().map(|(_, queue)| queue.arn.name()));
    let unread = if coverage(access).complete() {
        ""
    } else {
        " (not everything could be read)"
    };
    bail!(
        "there is no queue `{wanted}`{unread}; the nearest names are {}",
        listed(&nearest)
    )
}

/// The ARN of the one queue, topic, bucket or event bus that is meant. A queue outranks others of its name.
pub(super) fn place(graph: &Graph<'_>, wanted: &str) -> Result<Arc<str>> {
    let access = graph.access;
    let is_queue = access
        .queues
        .iter()
        .any(|audited| is_meant(wanted, &audited.queue.arn, &audited.queue.url));
    let meant: BTreeSet<Arc<str>> = graph
        .channels
        .inlets
        .iter()
        .map(|inlet| &inlet.entity)
        .filter(|entity| matches!(entity.kind, Kind::Topic | Kind::Bucket | Kind::Bus))
        .filter(|entity| is_channel(wanted, &entity.arn))
        .map(|entity| Arc::clone(&entity.arn))
        .collect();
    match meant.first() {
        Some(only) if !is_queue && meant.len() == 1 => Ok(Arc::clone(only)),
        Some(_) if !is_queue => {
            let arns: Vec<String> = meant.iter().map(ToString::to_string).collect();
            bail!(
                "`{wanted}` is the name of {} topics, buckets or event buses; name one by its ARN: {}",
                arns.len(),
                listed(&arns)
            )
        }
        _ => {
            let queue = access.queues.get(queue(access, wanted)?);
            queue
                .map(|audited| audited.queue.arn.shared())
                .context("the queue is gone")
        }
    }
}

/// Whether the text means a topic, bucket or event bus: by its ARN, its name, or `region/name`.
fn is_channel(wanted: &str, arn: &str) -> bool {
    let Ok(own) = Arn::parse(arn) else {
        return false;
    };
    let called = own.resource().strip_prefix("event-bus/");
    let called = called.unwrap_or(own.resource());
    wanted == arn
        || wanted == called
        || wanted
            .split_once('/')
            .is_some_and(|(region, name)| region == own.region() && name == called)
}

/// The id of the one principal, or of what runs as one, that is meant by an ARN, a name or a name with its path.
pub(super) fn principal(access: &Access<'_>, wanted: &str) -> Result<Arc<str>> {
    let own = access.principals.iter();
    let holders: BTreeSet<Arc<str>> = own
        .map(|principal| principal.arn.shared())
        .chain(access.queues.iter().flat_map(|audited| {
            let outsiders = audited.outsiders.iter();
            outsiders.map(|outsider| outsider.who.entity().arn)
        }))
        .collect();
    let workloads: BTreeSet<Arc<str>> = access
        .principals
        .iter()
        .flat_map(|principal| &principal.workloads)
        .map(|workload| Arc::clone(&workload.arn))
        .collect();
    // A function is often named like its role, which holds the rights.
    for ids in [&holders, &workloads] {
        let meant: Vec<&Arc<str>> = ids.iter().filter(|id| is_named(wanted, id)).collect();
        if let [only] = meant.as_slice() {
            return Ok(Arc::clone(only));
        }
        if !meant.is_empty() {
            let ids: Vec<String> = meant.iter().map(ToString::to_string).collect();
            bail!(
                "`{wanted}` is the name of {} principals; name one by its ARN: {}",
                ids.len(),
                listed(&ids)
            );
        }
    }
    let nearest = nearest(wanted, holders.iter().map(|id| name(id)));
    if nearest.is_empty() {
        bail!(
            "there is no principal at all in what was read; audit the account to see what it holds"
        );
    }
    bail!(
        "there is no principal `{wanted}`; the nearest names are {}",
        listed(&nearest)
    )
}

fn is_named(wanted: &str, id: &str) -> bool {
    id == wanted || name(id) == wanted || Arn::parse(id).is_ok_and(|arn| arn.resource() == wanted)
}

/// The last part of an ARN or of a name with its path.
fn name(text: &str) -> &str {
    text.rsplit(['/', ':']).next().unwrap_or(text)
}

/// The one finding that is meant by its id or the beginning of it.
pub(super) fn finding<'a>(findings: &'a [Finding], wanted: &str) -> Result<&'a Finding> {
    if findings.is_empty() {
        bail!(
            "there is no finding `{wanted}`, nor any other: the audit of this source finds nothing"
        );
    }
    let meant: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.id.starts_with(wanted))
        .collect();
    let exactly = meant.iter().find(|finding| finding.id == wanted);
    if let (Some(only), _) | (None, [only]) = (exactly, meant.as_slice()) {
        return Ok(only);
    }
    if meant.is_empty() {
        let nearest = nearest(wanted, findings.iter().map(|finding| finding.id.as_str()));
        bail!(
            "there is no finding `{wanted}`; the nearest ids are {}",
            listed(&nearest)
        );
    }
    let ids: Vec<String> = meant.iter().map(|finding| finding.id.clone()).collect();
    bail!(
        "`{wanted}` begins the ids of {} findings; name one in full: {}",
        ids.len(),
        listed(&ids)
    )
}

/// The names that come nearest to what was written, path and prefix aside.
fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut nearest = nearest_first(name(wanted), names);
    nearest.dedup();
    nearest.truncate(MOST_SUGGESTIONS);
    nearest
}

fn listed(items: &[String]) -> String {
    let shown: Vec<String> = items
        .iter()
        .take(MOST_CANDIDATES)
        .map(|item| format!("`{item}`"))
        .collect();
    let more = items.len().saturating_sub(MOST_CANDIDATES);
    if more == 0 {
        shown.join(", ")
    } else {
        format!("{} and {more} more", shown.join(", "))
    }
}

/// Whether the text means the queue. Hosts of URLs differ between endpoints; the last two segments of the path are account
/// and name, and a host that names a region means that one.
fn is_meant(wanted: &str, arn: &Arn, url: &str) -> bool {
    if wanted.starts_with("arn:") {
        return wanted == arn.as_str();
    }
    if let Some((_, address)) = wanted.split_once("://") {
        let address = address.trim_end_matches('/');
        if url
            .split_once("://")
            .is_some_and(|(_, own)| own.trim_end_matches('/') == address)
        {
            return true;
        }
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        let mut segments = path.rsplit('/');
        let region = host.split('.').find(|part| part.matches('-').count() >= 2);
        return segments.next() == Some(arn.resource())
            && segments.next() == Some(arn.account())
            && region.is_none_or(|region| region == arn.region());
    }
    match wanted.split_once('/') {
        Some((region, name)) => region == arn.region() && name == arn.resource(),
        None => wanted == arn.resource(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_meant_by_every_name_that_people_have_for_it() {
        let arn = Arn::parse("arn:aws:sqs:eu-west-1:111122223333:orders").unwrap();
        let url = "http://127.0.0.1:4566/111122223333/orders";
        for wanted in [
            "orders",
            "eu-west-1/orders",
            arn.as_str(),
            url,
            "https://127.0.0.1:4566/111122223333/orders/",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/orders",
            "https://queue.amazonaws.com/111122223333/orders",
            "https://eu-west-1.queue.amazonaws.com/111122223333/orders",
        ] {
            assert!(is_meant(wanted, &arn, url), "{wanted}");
        }
        for wanted in [
            "Orders",
            "order",
            "us-east-1/orders",
            "arn:aws:sqs:eu-west-2:111122223333:orders",
            "https://sqs.eu-west-2.amazonaws.com/111122223333/orders",
            "https://sqs.eu-west-1.amazonaws.com/444455556666/orders",
        ] {
            assert!(!is_meant(wanted, &arn, url), "{wanted}");
        }
    }
}
