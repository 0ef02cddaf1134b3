//! `assumable-loop`: a principal with one side of a queue at most can become both by assuming roles.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::{Audit, evidence, principal_ref, short, step_evidence};
use crate::access::{Becoming, Capability, Path, Principal, Provers, QueueSet};
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Kind, MOST_RESOURCES, PrincipalRef, ResourceRef,
    Severity, finding_id,
};
use crate::parallel::in_parallel;
use crate::policy::Formula;

const RULE: &str = "assumable-loop";
/// Queues of one principal that are proved statement by statement; the others are alike.
const MOST_PROVED: usize = 20;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let becoming = audit.access.becoming();
    let rule = Rule::new(audit, &becoming);
    let principals: Vec<usize> = (0..audit.access.principals.len())
        .filter(|principal| !audit.graph.is_administrator(*principal))
        .collect();
    let findings = in_parallel(&principals, |principal| rule.finding(*principal));
    findings.into_iter().flatten().collect()
}

/// How a principal becomes both sides of a queue: the roles on the way to either, none where it needs none.
#[derive(Debug)]
pub(crate) struct Switching {
    pub(crate) sender: Vec<usize>,
    pub(crate) receiver: Vec<usize>,
}

/// The surest and shortest way in which a principal becomes both sides of some queue; none where it cannot.
pub(crate) fn switching(audit: &Audit<'_>, principal: usize) -> Option<Switching> {
    let becoming = audit.access.becoming();
    let rule = Rule::new(audit, &becoming);
    rule.with_switches(principal, |switches| {
        let first = switches.first()?;
        Some(Switching {
            sender: first.sender.steps().to_vec(),
            receiver: first.receiver.steps().to_vec(),
        })
    })
}

struct Rule<'a> {
    audit: &'a Audit<'a>,
    becoming: &'a Becoming<'a>,
    provers: Provers<'a>,
    /// The queues over which each principal loops by itself: `queue-feedback-loop` tells them.
    loops: &'a [Arc<QueueSet>],
    /// For each role that somebody can become, what it can do.
    sides: Vec<OnceLock<Sides>>,
}

/// What one principal can do, as far as it does not loop by itself: queues with when it can.
#[derive(Default)]
struct Sides {
    send: Vec<(QueueSet, Formula)>,
    receive: Vec<(QueueSet, Formula)>,
}

/// Somebody whom the principal can be: itself, or a role.
struct Guise<'p> {
    /// None for itself.
    path: Option<&'p Path>,
    principal: usize,
    sides: &'p Sides,
}

/// Queues with the guises in which the principal sends and receives.
struct Switch<'p> {
    queues: QueueSet,
    sender: &'p Guise<'p>,
    receiver: &'p Guise<'p>,
    when: Formula,
}

impl Guise<'_> {
    fn when(&self) -> &Formula {
        self.path.map_or(&Formula::Always, |path| &path.when)
    }

    fn steps(&self) -> &[usize] {
        self.path.map_or(&[], |path| &path.roles)
    }
}

impl<'a> Rule<'a> {
    fn new(audit: &'a Audit<'a>, becoming: &'a Becoming<'a>) -> Self {
        let principals = audit.access.principals.iter();
        Self {
            audit,
            becoming,
            provers: audit.access.provers(),
            loops: audit.graph.looped(),
            sides: principals.map(|_| OnceLock::new()).collect(),
        }
    }

    fn finding(&self, index: usize) -> Option<Finding> {
        let principal = self.audit.access.principals.get(index)?;
        self.with_switches(index, |switches| self.report(index, principal, switches))
    }

    /// What is made of the queues of which a principal can be both sides; none where there are none.
    fn with_switches<T>(
        &self,
        index: usize,
        make: impl FnOnce(&[Switch<'_>]) -> Option<T>,
    ) -> Option<T> {
        let graph = self.audit.graph;
        let paths = self
            .becoming
            .paths(index, |role| !graph.is_administrator(role));
        if paths.is_empty() {
            return None;
        }
        let own_sides = self.sides(index, true);
        let itself = Guise {
            path: None,
            principal: index,
            sides: &own_sides,
        };
        let roles = paths.iter().filter_map(|path| {
            let role = path.role()?;
            Some(Guise {
                path: Some(path),
                principal: role,
                sides: self
                    .sides
                    .get(role)?
                    .get_or_init(|| self.sides(role, false)),
            })
        });
        let mut guises: Vec<Guise<'_>> = std::iter::once(itself).chain(roles).collect();
        // The surest and shortest ways come first; paths are sorted by ARN.
        guises.sort_by_key(|guise| (!guise.when().is_always(), guise.steps().len()));
        let own = self.loops.get(index)?;
        let switches = switches(&guises, own);
        if switches.is_empty() {
            return None;
        }
        make(&switches)
    }

    /// What a principal can do on queues over which it does not loop itself. Whoever assumes a role has no session of a
    /// workload, so only what any session can do counts then.
    fn sides(&self, index: usize, with_workloads: bool) -> Sides {
        let loops = self.loops.get(index);
        let mut sides = Sides::default();
        for rights in self.audit.access.rights(index) {
            let sessions = rights.on_each();
            if loops.is_some_and(|loops| rights.queues.is_subset(loops)) {
                continue;
            }
            let queues = match loops {
                Some(loops) => &*rights.queues - &**loops,
                None => rights.queues.clone().into_owned(),
            };
            for (capability, side) in [
                (Capability::Send, &mut sides.send),
                (Capability::Receive, &mut sides.receive),
            ] {
                let when = if with_workloads {
                    sessions.when(capability)
                } else {
                    sessions
                        .sessions()
                        .next()
                        .map_or(&Formula::Never, |session| session.when(capability))
                };
                if when.rests_on_what_was_read() {
                    side.push((queues.clone(), when.clone()));
                }
            }
        }
        sides
    }

    fn report(
        &self,
        index: usize,
        principal: &Principal<'_>,
        switches: &[Switch<'_>],
    ) -> Option<Finding> {
        let access = self.audit.access;
        let account = access.account(principal.account)?;
        let subject = Entity::new(principal.kind, principal.arn.shared());
        let is_sure = switches.iter().any(|switch| switch.when.is_always());
        let certainty = if is_sure {
            Certainty::Allowed
        } else {
            Certainty::Conditional
        };
        let number: u64 = switches.iter().map(|switch| switch.queues.len()).sum();
        let mut resources = Vec::new();
        let mut proofs = BTreeSet::new();
        for switch in switches {
            let left = MOST_RESOURCES.saturating_sub(resources.len());
            for (queue, audited) in access.queues_of(&switch.queues).take(left) {
                if resources.len() < MOST_PROVED {
                    self.prove(index, switch, queue, &mut proofs);
                }
                resources.push(ResourceRef {
                    entity: Entity::new(Kind::Queue, audited.queue.arn.shared()),
                    certainty: Certainty::of(&switch.when),
                    grade: None,
                });
            }
        }
        resources.sort();
        let mut conditions: Vec<String> = Vec::new();
        if !is_sure {
            conditions.extend(switches.iter().flat_map(|switch| switch.when.conditions()));
            conditions.sort();
            conditions.dedup();
        }
        let (title, detail) = self.words(principal, switches, &resources, number, is_sure);
        Some(Finding {
            id: finding_id(RULE, &account.id, &subject),
            rule: RULE,
            severity: severity(principal, is_sure),
            title,
            detail,
            account: account.id.clone(),
            region: "global".to_owned(),
            subject,
            principals: self.principals(index, switches),
            more_resources: number.saturating_sub(resources.len() as u64),
            resources: resources.into(),
            certainty,
            conditions,
            evidence: proofs.into_iter().collect(),
            more_evidence: 0,
            remedy: remedy(principal),
        })
    }

    /// The principal and every role on its way, sorted.
    fn principals(&self, index: usize, switches: &[Switch<'_>]) -> Vec<PrincipalRef> {
        let guises = switches
            .iter()
            .flat_map(|switch| [switch.sender, switch.receiver]);
        let on_the_way: BTreeSet<usize> = guises
            .flat_map(|guise| guise.steps().iter().copied())
            .chain([index])
            .collect();
        let mut principals: Vec<PrincipalRef> = self
            .audit
            .access
            .principals
            .iter()
            .enumerate()
            .filter(|(index, _)| on_the_way.contains(index))
            .map(|(_, principal)| principal_ref(principal))
            .collect();
        principals.sort();
        principals
    }

    /// The statements behind every step, then behind the right at its end.
    fn prove(
        &self,
        index: usize,
        switch: &Switch<'_>,
        queue: usize,
        proofs: &mut BTreeSet<Evidence>,
    ) {
        let access = self.audit.access;
        for (guise, capability) in [
            (switch.sender, Capability::Send),
            (switch.receiver, Capability::Receive),
        ] {
            let mut from = index;
            for role in guise.steps() {
                if let Some(entered) = access.principals.get(*role) {
                    let steps = self.becoming.prove(from, *role);
                    let arn = entered.arn.shared();
                    let steps = steps.iter();
                    proofs.extend(steps.map(|step| step_evidence(step, "sts:AssumeRole", &arn)));
                }
                from = *role;
            }
            let (Some(rights), Some(audited)) =
                (self.provers.of(guise.principal), access.queues.get(queue))
            else {
                continue;
            };
            let arn = audited.queue.arn.shared();
            let proved = match guise.path {
                None => rights.prove(queue, capability),
                Some(_) => rights.prove_as(None, queue, capability),
            };
            proofs.extend(proved.iter().map(|proof| evidence(proof, &arn)));
        }
    }

    fn words(
        &self,
        principal: &Principal<'_>,
        switches: &[Switch<'_>],
        resources: &[ResourceRef],
        number: u64,
        is_sure: bool,
    ) -> (String, String) {
        let who = format!("{} {}", principal.kind, principal.arn.name());
        let queues = match resources {
            [only] => short(&only.entity),
            _ => format!("{number} queues"),
        };
        let can = if is_sure {
            "can"
        } else {
            "can, under conditions,"
        };
        let title = format!("{who} {can} both send to and receive from {queues} by assuming roles");
        let way = |guise: &Guise<'_>| {
            let mut names = vec![principal.arn.name()];
            names.extend(
                guise
                    .steps()
                    .iter()
                    .filter_map(|role| self.audit.access.principals.get(*role))
                    .map(|role| role.arn.name()),
            );
            names.join(" → ")
        };
        let detail = switches.first().map_or_else(String::new, |switch| {
            let (sender, receiver) = (way(switch.sender), way(switch.receiver));
            let other = match switches.len() {
                1 => "",
                _ => " There are other ways besides.",
            };
            format!("It sends as {sender} and receives as {receiver}.{other}")
        });
        (title, detail)
    }
}

/// One right to receive: in which guise, from which queues, and when.
type Receiving<'p> = (&'p Guise<'p>, &'p QueueSet, &'p Formula);

/// Rights to receive, found by queue: most are about a queue or two.
struct Receivers<'p> {
    all: Vec<Receiving<'p>>,
    /// For each queue the places of those that are about few queues, this one among them.
    narrow: HashMap<u32, Vec<usize>>,
    /// The places of those that are about many.
    wide: Vec<usize>,
}

/// Queues of a right that is about few, at most.
const FEW: u64 = 16;

impl<'p> Receivers<'p> {
    fn of(guises: &'p [Guise<'p>]) -> Self {
        let rights = guises.iter().flat_map(|guise| {
            let rights = guise.sides.receive.iter();
            rights.map(move |(queues, when)| (guise, queues, when))
        });
        let mut receivers = Self {
            all: rights.collect(),
            narrow: HashMap::new(),
            wide: Vec::new(),
        };
        for (place, (_, queues, _)) in receivers.all.iter().enumerate() {
            if queues.len() > FEW {
                receivers.wide.push(place);
                continue;
            }
            for queue in *queues {
                receivers.narrow.entry(queue).or_default().push(place);
            }
        }
        receivers
    }

    /// Those that may be about any of the queues, in the order of the guises.
    fn of_any<'s>(
        &'s self,
        queues: &QueueSet,
    ) -> impl Iterator<Item = Receiving<'p>> + use<'s, 'p> {
        let places: Vec<usize> = if queues.len() > FEW {
            (0..self.all.len()).collect()
        } else {
            let narrow = queues.iter().filter_map(|queue| self.narrow.get(&queue));
            let mut places: Vec<usize> = narrow.flatten().chain(&self.wide).copied().collect();
            places.sort_unstable();
            places.dedup();
            places
        };
        places
            .into_iter()
            .filter_map(|place| self.all.get(place).copied())
    }
}

/// The queues to which the principal can send in one guise and from which it can receive in another, each told once and as
/// surely as it can be.
fn switches<'p>(guises: &'p [Guise<'p>], own: &QueueSet) -> Vec<Switch<'p>> {
    let mut received = QueueSet::new();
    for (queues, _) in guises.iter().flat_map(|guise| &guise.sides.receive) {
        received |= queues;
    }
    let receivers = Receivers::of(guises);
    let mut sure: Vec<Switch<'p>> = Vec::new();
    let mut told = own.clone();
    let (mut open, mut told_open) = (Vec::<Switch<'p>>::new(), QueueSet::new());
    for sender in guises {
        for (to, sends) in &sender.sides.send {
            let mut left = &(to & &received) - &told;
            // One way under conditions is enough to tell of a queue.
            let mut left_open = &left - &told_open;
            for (receiver, from, receives) in receivers.of_any(&left) {
                if left.is_empty() {
                    break;
                }
                if receiver.principal == sender.principal {
                    continue;
                }
                let parts = [sender.when(), receiver.when(), sends, receives];
                let is_sure = parts.iter().all(|part| part.is_always());
                let untold = if is_sure { &left } else { &left_open };
                if untold.is_disjoint(from) {
                    continue;
                }
                let queues = untold & from;
                let when = parts
                    .into_iter()
                    .fold(Formula::Always, |all, part| all.and(part.clone()));
                if !when.is_satisfiable() {
                    continue;
                }
                left_open -= &queues;
                if is_sure {
                    left -= &queues;
                    told |= &queues;
                } else {
                    told_open |= &queues;
                }
                let switch = Switch {
                    queues,
                    sender,
                    receiver,
                    when,
                };
                if is_sure { &mut sure } else { &mut open }.push(switch);
            }
        }
    }
    for mut switch in open {
        switch.queues -= &told;
        if !switch.queues.is_empty() {
            sure.push(switch);
        }
    }
    sure
}

/// People change roles as a matter of course; a process that can is a loop in waiting.
fn severity(principal: &Principal<'_>, is_sure: bool) -> Severity {
    let runs_something = !principal.workloads.is_empty() || !principal.trust.services.is_empty();
    let base = if runs_something {
        Severity::Medium
    } else {
        Severity::Low
    };
    base.lowered(u8::from(!is_sure))
}

fn remedy(principal: &Principal<'_>) -> String {
    match principal.kind {
        Kind::User => {
            "Let the user assume the role of one side, and take the other out of its policies or the role's trust policy."
        }
        _ => {
            "Let the role assume the role of one side at most; what needs both becomes two processes with a role each."
        }
    }
    .to_owned()
}
