//! The way that messages take, step by step, in words.

use std::cmp::Reverse;

use crate::arn::Arn;
use crate::entity::{Entity, Grade, Kind};
use crate::finding::{Evidence, Finding};

/// The steps; empty for findings that are about no way.
pub(super) fn path(finding: &Finding) -> Vec<String> {
    match finding.rule {
        "queue-feedback-loop" if finding.subject.kind != Kind::Account => over_one_queue(finding),
        "message-cycle" => over_several(finding),
        "assumable-loop" => by_assuming(finding),
        _ => Vec::new(),
    }
}

/// `role app`, `queue orders`.
pub(super) fn name(entity: &Entity) -> String {
    let name = match (entity.kind, Arn::parse(&entity.arn)) {
        (Kind::Anyone, _) => return "anyone".to_owned(),
        (Kind::Service, _) => return entity.arn.to_string(),
        (_, Ok(arn)) => arn.name().to_owned(),
        (_, Err(_)) => entity.arn.to_string(),
    };
    let name = name.rsplit(':').next().unwrap_or(&name);
    format!("{} {name}", entity.kind.words())
}

fn over_one_queue(finding: &Finding) -> Vec<String> {
    let mut queues: Vec<_> = finding.resources.iter().collect();
    queues.sort_by_key(|one| Reverse(one.grade));
    let Some(gravest) = queues.first() else {
        return Vec::new();
    };
    let (holder, queue) = (name(&finding.subject), name(&gravest.entity));
    let by = |capability: &str| -> String {
        let mut by: Vec<&str> = finding
            .evidence
            .iter()
            .filter(|one| gives(one, capability, &gravest.entity))
            .map(|one| &*one.statement)
            .collect();
        by.dedup();
        match by.as_slice() {
            [] => String::new(),
            [only] => format!(" (statement {only})"),
            many => format!(" (statements {})", many.join(", ")),
        }
    };
    let runs: Vec<String> = finding
        .principals
        .iter()
        .flat_map(|one| &one.workloads)
        .map(name)
        .collect();
    let is_wired = gravest.grade == Some(Grade::Wired);
    let mut steps = Vec::new();
    steps.push(match (runs.as_slice(), is_wired) {
        ([only], true) => format!("A message arrives in {queue}, and AWS starts {only} with it."),
        (_, true) => {
            format!("A message arrives in {queue}, and AWS starts what runs as {holder} with it.")
        }
        ([only], false) => format!("A message arrives in {queue}, and {only} asks for it."),
        (_, false) => format!(
            "A message arrives in {queue}, and something that acts as {holder} asks for it."
        ),
    });
    let deletes = by("delete");
    let deletes = if deletes.is_empty() {
        ", though nothing surely lets it delete it".to_owned()
    } else {
        format!(" and delete it{deletes}")
    };
    let acts = match runs.as_slice() {
        [only] => format!("{only} acts as {holder}, which"),
        _ => holder.clone(),
    };
    steps.push(format!(
        "{acts} may take the message out{}{deletes}.",
        by("receive")
    ));
    steps.push(format!(
        "{holder} may also put messages into {queue}{}: the same it took out, or a new one.",
        by("send")
    ));
    steps.push(if is_wired {
        "What it puts in arrives as in step 1: each round starts the next, and nobody has to do anything.".to_owned()
    } else {
        "What it puts in arrives as in step 1: each round can feed the next.".to_owned()
    });
    let others = queues.len() as u64 - 1 + finding.more_resources;
    match others {
        0 => {}
        1 => steps.push("The same holds for one more queue.".to_owned()),
        others => steps.push(format!("The same holds for {others} more queues.")),
    }
    steps
}

/// Whether a statement gives a capability on a resource, rather than only not taking it away.
fn gives(evidence: &Evidence, capability: &str, resource: &Entity) -> bool {
    evidence.capability == capability
        && *evidence.resource == *resource.arn
        && evidence.effect == "Allow"
        && matches!(evidence.layer, "identity" | "resource")
}

/// The detail of a cycle begins with its shortest way: names with arrows between them.
fn over_several(finding: &Finding) -> Vec<String> {
    let way = finding.detail.split(" Also: ").next().unwrap_or_default();
    let way = way.split(". In all, ").next().unwrap_or_default();
    let names: Vec<&str> = way.trim_end_matches('.').split(" → ").collect();
    let holds = |name: &str| {
        ["queue ", "topic ", "bucket ", "event bus "]
            .iter()
            .any(|kind| name.starts_with(kind))
    };
    names
        .windows(2)
        .filter_map(|pair| match pair {
            [from, to] if holds(from) && holds(to) => {
                Some(format!("AWS delivers what is put into {from} to {to}."))
            }
            [from, to] if holds(from) => Some(format!("What is put into {from} reaches {to}.")),
            [from, to] if holds(to) => Some(format!("{from} may put into {to}.")),
            [from, to] => Some(format!("{from} may start {to}.")),
            _ => None,
        })
        .collect()
}

/// `It sends as a → b and receives as a → c.`
fn by_assuming(finding: &Finding) -> Vec<String> {
    let first = finding.detail.split(". ").next().unwrap_or_default();
    let ways = first
        .trim_end_matches('.')
        .strip_prefix("It sends as ")
        .and_then(|rest| rest.split_once(" and receives as "));
    let Some((sends, receives)) = ways else {
        return Vec::new();
    };
    let queue = finding
        .resources
        .first()
        .map_or_else(|| "the queue".to_owned(), |one| name(&one.entity));
    let step = |way: &str, does: &str| {
        let mut roles = way.split(" → ");
        let first = roles.next().unwrap_or_default();
        let mut step = first.to_owned();
        for role in roles {
            step.push_str(", becomes ");
            step.push_str(role);
        }
        format!("As {step}, it may {does} {queue}.")
    };
    vec![
        step(sends, "send to"),
        step(receives, "receive from"),
        "What it takes out as the one it can put in as the other.".to_owned(),
    ]
}
