//! `can-take-over`: a principal can act as a role or user with rights on queues that it lacks.

use std::collections::BTreeSet;

use super::{Audit, evidence, list, principal_ref, short, step_evidence};
use crate::access::{Capability, Principal, Provers, QueueSet, Takeover, TakeoverFinder};
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Kind, MOST_RESOURCES, ResourceRef, Severity, finding_id,
};
use crate::parallel::in_parallel;

const RULE: &str = "can-take-over";
/// Ways that are told in words; the others are counted.
const MOST_WAYS: usize = 4;
/// Takeovers that are proved statement by statement; the others are alike.
const MOST_PROVED: usize = 5;
/// Statements that are named of those which let one action through.
const MOST_STATEMENTS: usize = 3;

const MESSAGES: [Capability; 2] = [Capability::Send, Capability::Receive];

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let finder = audit.access.takeover_finder();
    let rule = Rule {
        audit,
        finder: &finder,
        provers: audit.access.provers(),
    };
    let principals: Vec<usize> = (0..audit.access.principals.len())
        .filter(|principal| !audit.graph.is_administrator(*principal))
        .collect();
    let findings = in_parallel(&principals, |principal| rule.finding(*principal));
    findings.into_iter().flatten().collect()
}

struct Rule<'a> {
    audit: &'a Audit<'a>,
    finder: &'a TakeoverFinder<'a>,
    provers: Provers<'a>,
}

/// What one principal could do, and with whom.
struct Takeovers<'a> {
    index: usize,
    principal: &'a Principal<'a>,
    /// The queues that it cannot send to, and those that it cannot receive from.
    lacking: [QueueSet; 2],
    /// The surest first.
    ways: Vec<Takeover>,
    /// All who could be taken over, and those with whom that is sure.
    targets: QueueSet,
    sure: QueueSet,
}

/// Queues that would be gained, by how sure the right on them is.
#[derive(Default)]
struct Gained {
    surely: [QueueSet; 2],
    perhaps: [QueueSet; 2],
}

impl Rule<'_> {
    fn finding(&self, index: usize) -> Option<Finding> {
        let access = self.audit.access;
        let ways = self.finder.takeovers(index);
        let mut targets = QueueSet::new();
        let mut sure = QueueSet::new();
        for way in &ways {
            targets |= &way.targets;
            if way.is_sure() {
                sure |= &way.targets;
            }
        }
        if targets.is_empty() {
            return None;
        }
        let found = Takeovers {
            index,
            principal: access.principals.get(index)?,
            lacking: self.finder.lacking(index),
            ways,
            targets,
            sure,
        };
        self.report(&found)
    }

    fn report(&self, found: &Takeovers<'_>) -> Option<Finding> {
        let access = self.audit.access;
        let principal = found.principal;
        let account = access.account(principal.account)?;
        let subject = Entity::new(principal.kind, principal.arn.shared());
        let is_sure = !found.sure.is_empty();
        let named: QueueSet = found.targets.iter().take(MOST_RESOURCES).collect();
        let gained = self.gained(found, &named);
        let mut resources: Vec<ResourceRef> = named
            .iter()
            .filter_map(|target| {
                Some(ResourceRef {
                    entity: self.entity(target)?,
                    certainty: certainty(found.sure.contains(target)),
                    grade: None,
                })
            })
            .collect();
        let queues = gained.every();
        let left = MOST_RESOURCES.saturating_sub(resources.len());
        let surely = gained.sure();
        resources.extend(
            access
                .queues_of(&queues)
                .take(left)
                .map(|(queue, audited)| {
                    let is_sure = u32::try_from(queue).is_ok_and(|queue| surely.contains(queue));
                    ResourceRef {
                        entity: Entity::new(Kind::Queue, audited.queue.arn.shared()),
                        certainty: certainty(is_sure),
                        grade: None,
                    }
                }),
        );
        resources.sort();
        let number = found.targets.len() + queues.len();
        let (evidence, more_evidence) = self.evidence(found);
        Some(Finding {
            id: finding_id(RULE, &account.id, &subject),
            rule: RULE,
            severity: severity(principal, is_sure),
            title: self.title(found, &gained),
            detail: self.detail(found),
            account: account.id.clone(),
            region: "global".to_owned(),
            subject,
            principals: vec![principal_ref(principal)],
            more_resources: number.saturating_sub(resources.len() as u64),
            resources: resources.into(),
            certainty: certainty(is_sure),
            conditions: if is_sure {
                Vec::new()
            } else {
                self.conditions(found)
            },
            evidence: evidence.into_iter().collect(),
            more_evidence,
            remedy: found.remedy(),
        })
    }

    fn entity(&self, target: u32) -> Option<Entity> {
        let target = self.audit.access.principals.get(target as usize)?;
        Some(Entity::new(target.kind, target.arn.shared()))
    }

    /// What acting as some of the targets gives; sure is what a sure way gives.
    fn gained(&self, found: &Takeovers<'_>, targets: &QueueSet) -> Gained {
        let mut gained = Gained::default();
        for way in &found.ways {
            for target in &(&way.targets & targets) {
                let [surely, perhaps] = self.finder.gains(&found.lacking, way, target as usize);
                let for_sure = if way.when.is_always() {
                    &mut gained.surely
                } else {
                    &mut gained.perhaps
                };
                for (all, more) in for_sure.iter_mut().zip(surely) {
                    *all |= more;
                }
                for (all, more) in gained.perhaps.iter_mut().zip(perhaps) {
                    *all |= more;
                }
            }
        }
        gained
    }

    /// Under which conditions the surest way is open.
    fn conditions(&self, found: &Takeovers<'_>) -> Vec<String> {
        let Some(way) = found.ways.first() else {
            return Vec::new();
        };
        let mut conditions: BTreeSet<String> = way.when.conditions().into_iter().collect();
        if !way.rights_are_sure
            && let Some((target, queue, capability)) = self.example(found, way)
            && let Some(rights) = self.audit.access.rights_on(target, queue)
            && let Some(session) = rights.sessions().next()
        {
            conditions.extend(session.when(capability).conditions());
        }
        conditions.into_iter().collect()
    }

    /// One who is taken over, with a queue and a right on it that is gained.
    fn example(&self, found: &Takeovers<'_>, way: &Takeover) -> Option<(usize, usize, Capability)> {
        let target = way.targets.min()? as usize;
        let (queue, capability) = self.gain(found, way, target)?;
        Some((target, queue, capability))
    }

    fn gain(
        &self,
        found: &Takeovers<'_>,
        way: &Takeover,
        target: usize,
    ) -> Option<(usize, Capability)> {
        let gains = self.finder.gains(&found.lacking, way, target);
        let mut each = gains
            .iter()
            .flat_map(|by_capability| MESSAGES.into_iter().zip(by_capability));
        each.find_map(|(capability, queues)| Some((queues.min()? as usize, capability)))
    }

    /// The statements behind each way and the right at its end, and how many more there are.
    fn evidence(&self, found: &Takeovers<'_>) -> (BTreeSet<Evidence>, u64) {
        let mut all = BTreeSet::new();
        let mut more = 0;
        for way in found.ways.iter().take(MOST_PROVED) {
            let Some((target, queue, capability)) = self.example(found, way) else {
                continue;
            };
            for step in self.finder.prove(found.index, way, target) {
                let named = step.proofs.iter().take(MOST_STATEMENTS);
                all.extend(named.map(|proof| step_evidence(proof, step.action, &step.resource)));
                more += step.proofs.len().saturating_sub(MOST_STATEMENTS) as u64;
            }
            let (Some(rights), Some(audited)) =
                (self.provers.of(target), self.audit.access.queues.get(queue))
            else {
                continue;
            };
            let arn = audited.queue.arn.shared();
            let proofs = rights.prove_as(None, queue, capability);
            let named = proofs.iter().take(MOST_STATEMENTS);
            all.extend(named.map(|proof| evidence(proof, &arn)));
            more += proofs.len().saturating_sub(MOST_STATEMENTS) as u64;
        }
        (all, more)
    }

    fn title(&self, found: &Takeovers<'_>, gained: &Gained) -> String {
        let who = format!("{} {}", found.principal.kind, found.principal.arn.name());
        let can = if found.sure.is_empty() {
            "can, under conditions,"
        } else {
            "can"
        };
        let others = self.who(&found.targets);
        match self.audit.access.queues_of(&gained.every()).next() {
            Some((_, only)) if found.targets.len() == 1 && gained.every().len() == 1 => {
                let queue = Entity::new(Kind::Queue, only.queue.arn.shared());
                let what = gained.words();
                format!("{who} {can} act as {others} to {what} {}", short(&queue))
            }
            _ => format!("{who} {can} act as {others} with rights on queues that it lacks"),
        }
    }

    /// The one, or how many roles and users.
    fn who(&self, targets: &QueueSet) -> String {
        let entities = targets.iter().filter_map(|target| self.entity(target));
        let (mut roles, mut users) = (0, 0);
        for entity in entities {
            match entity.kind {
                Kind::User => users += 1,
                _ => roles += 1,
            }
        }
        let only = targets.min().filter(|_| targets.len() == 1);
        if let Some(only) = only.and_then(|only| self.audit.access.principals.get(only as usize)) {
            return format!("{} {}", only.kind, only.arn.name());
        }
        let words = |number: usize, word: &str| match number {
            0 => None,
            1 => Some(format!("one {word}")),
            more => Some(format!("{more} {word}s")),
        };
        let parts: Vec<String> = [words(roles, "role"), words(users, "user")]
            .into_iter()
            .flatten()
            .collect();
        list(&parts)
    }

    fn detail(&self, found: &Takeovers<'_>) -> String {
        let mut sentences: Vec<String> = found
            .ways
            .iter()
            .take(MOST_WAYS)
            .map(|way| {
                let actions: Vec<String> = way.way.actions().map(str::to_owned).collect();
                let who = match way.targets.len() {
                    1 => self.who(&way.targets),
                    _ => format!("any of {}", self.who(&way.targets)),
                };
                let with = if way.is_sure() {
                    "With"
                } else {
                    "Under conditions, with"
                };
                format!("{with} {} it {} {who}.", list(&actions), way.way.words())
            })
            .collect();
        match found.ways.len().saturating_sub(MOST_WAYS) {
            0 => {}
            1 => sentences.push("There is another way besides.".to_owned()),
            more => sentences.push(format!("There are {more} other ways besides.")),
        }
        sentences.join(" ")
    }
}

impl Gained {
    fn sure(&self) -> QueueSet {
        let [send, receive] = &self.surely;
        send | receive
    }

    fn every(&self) -> QueueSet {
        let [send, receive] = &self.perhaps;
        (self.sure() | send) | receive
    }

    /// `send to`, `receive from`, or both.
    fn words(&self) -> &'static str {
        let gains: Vec<bool> = self
            .surely
            .iter()
            .zip(&self.perhaps)
            .map(|(surely, perhaps)| !surely.is_empty() || !perhaps.is_empty())
            .collect();
        match gains.as_slice() {
            [true, false] => "send to",
            [false, true] => "receive from",
            _ => "send to and receive from",
        }
    }
}

impl Takeovers<'_> {
    fn remedy(&self) -> String {
        let takes = |action: &str| {
            let mut ways = self.ways.iter();
            ways.any(|way| way.way.actions().any(|known| known == action))
        };
        let mut ways = self.ways.iter();
        let changes = ways.any(|way| way.way.changes_what_runs());
        let mut ways = self.ways.iter();
        let users = ways.any(|way| way.way.is_over_users());
        let parts = [
            (
                takes("iam:PassRole"),
                "Name in iam:PassRole only the roles that it has to pass, and in iam:PassedToService the service.",
            ),
            (
                changes,
                "Confine what it may change or enter to its own functions, instances and state machines.",
            ),
            (
                users,
                "Take away making keys and passwords for other users.",
            ),
        ];
        let parts = parts.into_iter().filter(|(applies, _)| *applies);
        parts.map(|(_, text)| text).collect::<Vec<_>>().join(" ")
    }
}

fn certainty(is_sure: bool) -> Certainty {
    if is_sure {
        Certainty::Allowed
    } else {
        Certainty::Conditional
    }
}

/// Who deploys must mostly pass roles; a process that can is a way into others.
fn severity(principal: &Principal<'_>, is_sure: bool) -> Severity {
    let runs_something = !principal.workloads.is_empty() || !principal.trust.services.is_empty();
    let base = if runs_something {
        Severity::Medium
    } else {
        Severity::Low
    };
    base.lowered(u8::from(!is_sure))
}
