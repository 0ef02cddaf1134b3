//! Whether a remedy does what it promises: the changes are made in memory, everything is decided again, and what was is compared
//! with what would be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Ground;
use super::change::{Change, applied};
use crate::access::{Access, Capability, SessionRights};
use crate::account::Account;
use crate::entity::Entity;
use crate::finding::{Finding, Severity};
use crate::graph::Graph;
use crate::policy::Formula;
use crate::rules::{self, Audit};

/// Reasons that are told; the others are alike.
const MOST_REASONS: usize = 5;

/// What changes are meant to do to rights on queues. Everything else must stay as it is.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Principals whose policies change: they are compared on every queue.
    pub(super) principals: BTreeSet<Arc<str>>,
    /// Queues whose policies, or whose keys' policies, change: everybody is compared on them.
    pub(super) queues: BTreeSet<Arc<str>>,
    /// Rights that are meant to go or to shrink, by principal, queue and capability.
    pub(super) meant: BTreeMap<(Arc<str>, Arc<str>, Capability), Meant>,
    /// New principals.
    pub(super) heirs: Vec<Heir>,
    /// Workloads that move, with the role that they move to.
    pub(super) moved: BTreeMap<Arc<str>, Arc<str>>,
    /// Steps from one principal to another that are meant to go, where who may become whom is claimed: every other stays.
    pub(super) cut_steps: BTreeSet<(Arc<str>, Arc<str>)>,
}

/// What a change is meant to do to a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    /// It goes.
    Gone,
    /// It goes, in whole or in part.
    Lessened,
}

/// A new principal that takes something over from one that there was, and gets nothing besides.
#[derive(Debug)]
pub(super) struct Heir {
    pub(super) arn: Arc<str>,
    pub(super) of: Arc<str>,
    /// What it takes over.
    pub(super) capability: Capability,
    pub(super) queues: BTreeSet<Arc<str>>,
}

/// Makes the changes in memory and decides again. The error says in words what cannot be shown.
pub(super) fn prove(
    ground: &Ground<'_>,
    finding: &Finding,
    changes: &[Change],
    claims: &Claims,
) -> Result<(), Vec<String>> {
    let before = ground.access;
    let accounts: Vec<Account> = before
        .accounts
        .iter()
        .map(|account| applied(account, changes))
        .collect();
    let after = Access::compute(&accounts);
    let graph = Graph::new(&after);
    let findings = rules::check_all(&Audit {
        accounts: &accounts,
        access: &after,
        graph: &graph,
        settings: ground.settings,
    });
    let mut reasons = compare_findings(finding, ground.findings, &findings);
    reasons.extend(compare_rights(before, &after, claims));
    if reasons.is_empty() {
        return Ok(());
    }
    let more = reasons.len().saturating_sub(MOST_REASONS);
    reasons.truncate(MOST_REASONS);
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    Err(reasons)
}

/// The finding must be gone, and nothing may come that was not there. A finding that only moves, because one of the same
/// rule that is as grave goes, is no new one.
fn compare_findings(finding: &Finding, before: &[Finding], after: &[Finding]) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(left) = after.iter().find(|left| left.id == finding.id) {
        reasons.push(format!("the finding would still be there: {}", left.title));
    }
    let known: HashMap<&str, &Finding> = before.iter().map(|one| (&*one.id, one)).collect();
    let left: BTreeSet<&str> = after.iter().map(|one| &*one.id).collect();
    let mut gone: Vec<&Finding> = before
        .iter()
        .filter(|one| one.id != finding.id && !left.contains(&*one.id))
        .collect();
    for new in after {
        match known.get(&*new.id) {
            Some(old) if new.severity <= old.severity => {}
            Some(_) if new.id == finding.id => {}
            Some(_) => reasons.push(format!("a finding would become graver: {}", new.title)),
            None if new.severity == Severity::Info => {}
            None => {
                let moved = gone
                    .iter()
                    .position(|old| old.rule == new.rule && old.severity >= new.severity);
                match moved {
                    Some(place) => {
                        gone.remove(place);
                    }
                    None => reasons.push(format!(
                        "it would bring a finding of {}: {}",
                        new.rule, new.title
                    )),
                }
            }
        }
    }
    reasons
}

/// One principal on one queue, before and after, by place.
struct Place<'a> {
    principal: &'a str,
    queue: &'a str,
    capability: Capability,
}

impl Place<'_> {
    fn words(&self) -> String {
        let name = |arn: &str| arn.rsplit(['/', ':']).next().unwrap_or(arn).to_owned();
        let can = match self.capability {
            Capability::Send => "send to",
            Capability::Receive => "receive from",
            Capability::Delete => "delete from",
            Capability::Purge => "purge",
            Capability::Administer => "administer",
        };
        format!("{} can {can} {}", name(self.principal), name(self.queue))
    }
}

fn compare_rights(before: &Access<'_>, after: &Access<'_>, claims: &Claims) -> Vec<String> {
    let places = |access: &Access<'_>| -> HashMap<Arc<str>, usize> {
        let principals = access.principals.iter().enumerate();
        principals
            .map(|(index, principal)| (principal.arn.shared(), index))
            .collect()
    };
    let (old, new) = (places(before), places(after));
    let mut reasons = Vec::new();
    for (queue, audited) in before.queues.iter().enumerate() {
        let arn = audited.queue.arn.shared();
        let everybody = claims.queues.contains(&arn);
        for (principal, index) in &old {
            if !everybody && !claims.principals.contains(principal) {
                continue;
            }
            let Some(place) = new.get(principal) else {
                reasons.push(format!("{principal} would be gone"));
                continue;
            };
            for capability in Capability::ALL {
                let key = (Arc::clone(principal), Arc::clone(&arn), capability);
                let meant = claims.meant.get(&key).copied();
                let sessions = before
                    .principals
                    .get(*index)
                    .map_or(&[][..], |principal| &principal.workloads);
                // The first is any session, the others are those of workloads.
                let sessions = std::iter::once(None).chain(sessions.iter().map(Some));
                let as_meant = sessions.enumerate().all(|(session, workload)| {
                    if workload.is_some_and(|one| claims.moved.contains_key(&one.arn)) {
                        return true;
                    }
                    let was = when(before, *index, queue, session.checked_sub(1), capability);
                    let stays = workload.and_then(|one| position(after, *place, one));
                    let is = when(after, *place, queue, stays, capability);
                    match meant {
                        None => are_equal(&was, &is),
                        Some(Meant::Gone) => is.is_never(),
                        Some(Meant::Lessened) => implies(&is, &was),
                    }
                });
                if !as_meant {
                    let place = Place {
                        principal,
                        queue: &arn,
                        capability,
                    };
                    let words = place.words();
                    reasons.push(match meant {
                        None => format!("whether {words} would not be as it was"),
                        Some(Meant::Gone) => format!("{words} as before, perhaps under conditions"),
                        Some(Meant::Lessened) => format!("{words} more than before"),
                    });
                }
            }
        }
        for heir in &claims.heirs {
            let known = old.get(&heir.of).zip(new.get(&heir.arn));
            let Some((parent, child)) = known else {
                reasons.push(format!("{} would not be there", heir.arn));
                continue;
            };
            for capability in Capability::ALL {
                let was = surest(before, *parent, queue, capability);
                let is = surest(after, *child, queue, capability);
                let inherits = capability == heir.capability && heir.queues.contains(&arn);
                let words = Place {
                    principal: &heir.arn,
                    queue: &arn,
                    capability,
                }
                .words();
                if inherits && !implies(&was, &is) {
                    reasons.push(format!(
                        "it is not shown that {words} whenever the old role can"
                    ));
                } else if !implies(&is, &was) {
                    reasons.push(format!("{words} where the old role cannot"));
                }
            }
        }
        for (workload, role) in &claims.moved {
            reasons.extend(compare_moved(before, after, queue, workload, role, claims));
        }
        if everybody {
            reasons.extend(compare_outsiders(before, after, queue));
        }
    }
    if !claims.cut_steps.is_empty() {
        reasons.extend(compare_steps(before, after, claims));
    }
    reasons.sort();
    reasons.dedup();
    reasons
}

/// The place of a workload among those of a principal.
fn position(access: &Access<'_>, principal: usize, workload: &Entity) -> Option<usize> {
    let principal = access.principals.get(principal)?;
    principal.workloads.iter().position(|one| one == workload)
}

/// A workload that moves must find what its new role takes over, in its own session, and nothing that it did not have.
fn compare_moved(
    before: &Access<'_>,
    after: &Access<'_>,
    queue: usize,
    workload: &str,
    role: &Arc<str>,
    claims: &Claims,
) -> Vec<String> {
    let find = |access: &Access<'_>| -> Option<(usize, usize)> {
        let mut principals = access.principals.iter().enumerate();
        principals.find_map(|(index, principal)| {
            let mut workloads = principal.workloads.iter();
            let place = workloads.position(|one| &*one.arn == workload)?;
            Some((index, place))
        })
    };
    let is_there = |index: usize| {
        let principal = after.principals.get(index);
        principal.is_some_and(|principal| principal.arn.as_str() == &**role)
    };
    let (Some((old, was_at)), Some((new, is_at))) = (find(before), find(after)) else {
        return vec![format!("{workload} would run as no role")];
    };
    if !is_there(new) {
        return vec![format!("{workload} would not run as {role}")];
    }
    let Some(arn) = before
        .queues
        .get(queue)
        .map(|audited| audited.queue.arn.shared())
    else {
        return Vec::new();
    };
    let mut reasons = Vec::new();
    for capability in Capability::ALL {
        let was = when(before, old, queue, Some(was_at), capability);
        let is = when(after, new, queue, Some(is_at), capability);
        let mut heirs = claims.heirs.iter();
        let needs = heirs.any(|heir| {
            heir.arn == *role && heir.capability == capability && heir.queues.contains(&arn)
        });
        let place = Place {
            principal: workload,
            queue: &arn,
            capability,
        };
        if needs && !implies(&was, &is) {
            let words = place.words();
            reasons.push(format!("it is not shown that {words} whenever it could"));
        }
        if !implies(&is, &was) {
            reasons.push(format!("{} where it could not", place.words()));
        }
    }
    reasons
}

/// Who may become whom must be as it was, but for the steps that are meant to go.
fn compare_steps(before: &Access<'_>, after: &Access<'_>, claims: &Claims) -> Vec<String> {
    type Steps = BTreeMap<(Arc<str>, Arc<str>), Formula>;
    let steps = |access: &Access<'_>| -> Steps {
        let becoming = access.becoming();
        let mut all = Steps::new();
        for (index, principal) in access.principals.iter().enumerate() {
            for step in becoming.steps(index) {
                if let Some(role) = access.principals.get(step.role) {
                    let key = (principal.arn.shared(), role.arn.shared());
                    all.insert(key, step.when.clone());
                }
            }
        }
        all
    };
    let (was, is) = (steps(before), steps(after));
    let edges: BTreeSet<&(Arc<str>, Arc<str>)> = was.keys().chain(is.keys()).collect();
    let mut reasons = Vec::new();
    for edge in edges {
        let as_meant = if claims.cut_steps.contains(edge) {
            !is.contains_key(edge)
        } else {
            match (was.get(edge), is.get(edge)) {
                (Some(was), Some(is)) => are_equal(was, is),
                (was, is) => was.is_none() && is.is_none(),
            }
        };
        if !as_meant {
            let name = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
            let (from, to) = edge;
            reasons.push(format!(
                "whether {} can assume role {} would not be as it is meant to be",
                name(from),
                name(to)
            ));
        }
    }
    reasons
}

fn compare_outsiders(before: &Access<'_>, after: &Access<'_>, queue: usize) -> Vec<String> {
    let outsiders = |access: &Access<'_>| -> BTreeMap<Entity, Vec<Formula>> {
        let audited = access.queues.get(queue);
        let outsiders = audited.map_or(&[][..], |audited| &audited.outsiders);
        let mut known: BTreeMap<Entity, Vec<Formula>> = BTreeMap::new();
        for outsider in outsiders {
            let rights = Capability::ALL.map(|capability| outsider.when(capability).clone());
            known
                .entry(outsider.who.entity())
                .or_default()
                .extend(rights);
        }
        known
    };
    let (was, is) = (outsiders(before), outsiders(after));
    let are_alike = was.len() == is.len()
        && was.iter().all(|(who, rights)| {
            is.get(who).is_some_and(|others| {
                others.len() == rights.len()
                    && rights.iter().zip(others).all(|(a, b)| are_equal(a, b))
            })
        });
    if are_alike {
        Vec::new()
    } else {
        vec!["what others than users and roles may do would not be as it was".to_owned()]
    }
}

/// When a session of a principal has a capability; `Never` where nothing is known of it.
fn when(
    access: &Access<'_>,
    principal: usize,
    queue: usize,
    workload: Option<usize>,
    capability: Capability,
) -> Formula {
    let Some(rights) = access.rights_on(principal, queue) else {
        return Formula::Never;
    };
    let session: Option<SessionRights<'_>> = match workload {
        Some(workload) => Some(rights.of_workload(workload)),
        None => rights.sessions().next(),
    };
    session.map_or(Formula::Never, |session| session.when(capability).clone())
}

/// When any session of a principal has a capability, the surest first.
fn surest(access: &Access<'_>, principal: usize, queue: usize, capability: Capability) -> Formula {
    let rights = access.rights_on(principal, queue);
    rights.map_or(Formula::Never, |rights| rights.when(capability).clone())
}

fn are_equal(one: &Formula, other: &Formula) -> bool {
    one == other || (implies(one, other) && implies(other, one))
}

/// Whether one holds only where the other does. Where that takes too long to tell, it is not shown.
fn implies(one: &Formula, other: &Formula) -> bool {
    one == other
        || one.is_never()
        || other.is_always()
        || !one.clone().and(other.clone().negated()).is_satisfiable()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::OpenReason;

    #[test]
    fn a_formula_implies_what_holds_wherever_it_does() {
        let open = |text: &str| Formula::open(OpenReason::UnreadablePolicy, text);
        let both = open("a").and(open("b"));
        assert!(implies(&both, &open("a")) && !implies(&open("a"), &both));
        assert!(are_equal(&both, &open("b").and(open("a"))));
        assert!(!are_equal(&Formula::Never, &open("a")));
    }
}
