//! `message-cycle`: messages can come back to where they were over several queues or channels.

use std::collections::BTreeSet;

use super::{Audit, count, evidence, list, region, short};
use crate::access::{Capability, Place, Provers, Stop, Wire};
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Grade, Kind, MOST_RESOURCES, PrincipalRef, ResourceRef,
    Severity, finding_id,
};
use crate::graph::{MessageCycle, Process, Station};

pub(super) const RULE: &str = "message-cycle";
/// Processes that a finding names; the others are counted in its words.
const MOST_PROCESSES: usize = 100;
/// Stations of a way that a title names.
const MOST_IN_TITLE: usize = 8;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let rule = Rule {
        audit,
        provers: audit.access.provers(),
    };
    audit
        .graph
        .message_cycles()
        .iter()
        .filter_map(|cycle| rule.finding(cycle))
        .collect()
}

struct Rule<'a> {
    audit: &'a Audit<'a>,
    provers: Provers<'a>,
}

impl Rule<'_> {
    fn finding(&self, cycle: &MessageCycle) -> Option<Finding> {
        let way = cycle.witnesses.first()?;
        let certainty = match cycle.grade {
            Grade::Wired | Grade::Permitted => Certainty::Allowed,
            Grade::Conditional => Certainty::Conditional,
        };
        let places = self.places(cycle);
        let subject = self.entity(&cycle.first)?;
        let account = self
            .account(cycle)
            .and_then(|index| self.audit.accounts.get(index))?;
        let mut conditions: Vec<String> = Vec::new();
        if certainty == Certainty::Conditional {
            for way in &cycle.witnesses {
                conditions.extend(self.conditions(way));
            }
            conditions.sort();
            conditions.dedup();
        }
        let proofs: BTreeSet<Evidence> = cycle
            .witnesses
            .iter()
            .flat_map(|way| self.prove(way))
            .collect();
        let more_resources = places.len().saturating_sub(MOST_RESOURCES) as u64;
        let resources = places
            .iter()
            .take(MOST_RESOURCES)
            .map(|place| ResourceRef {
                entity: place.clone(),
                certainty,
                grade: Some(cycle.grade),
            })
            .collect();
        Some(Finding {
            id: finding_id(RULE, &account.id, &subject),
            rule: RULE,
            severity: self.severity(cycle),
            title: format!("{}: {}", title(cycle.grade), self.path(way, MOST_IN_TITLE)),
            detail: self.detail(cycle, places.len()),
            account: account.id.clone(),
            region: region(&subject.arn),
            subject,
            principals: self.principals(cycle),
            resources,
            more_resources,
            certainty,
            conditions,
            evidence: proofs.into_iter().collect(),
            more_evidence: 0,
            remedy: self.remedy(way),
        })
    }

    /// The queues and channels of a cycle: queues first, each sorted by ARN.
    fn places(&self, cycle: &MessageCycle) -> Vec<Entity> {
        let queues = self.audit.access.queues_of(&cycle.queues);
        let queues =
            queues.map(|(_, audited)| Entity::new(Kind::Queue, audited.queue.arn.shared()));
        let inlets = cycle
            .inlets
            .iter()
            .filter_map(|inlet| self.audit.graph.channels.inlets.get(*inlet))
            .map(|inlet| inlet.entity.clone());
        let mut places: Vec<Entity> = queues.collect();
        // A bucket is an inlet for each sort of object that something waits for.
        let inlets: BTreeSet<Entity> = inlets.collect();
        places.extend(inlets);
        places
    }

    /// The index of the account that the finding belongs to.
    fn account(&self, cycle: &MessageCycle) -> Option<usize> {
        let mut queues = self.audit.access.queues_of(&cycle.queues);
        if let Some((_, audited)) = queues.next() {
            return Some(audited.account);
        }
        let process = cycle.processes.first()?;
        let principal = self.audit.access.principals.get(process.principal)?;
        Some(principal.account)
    }

    /// What is wired runs without anybody's doing. What is permitted needs code that does it; where a person would have to,
    /// it is less likely still.
    fn severity(&self, cycle: &MessageCycle) -> Severity {
        match cycle.grade {
            Grade::Wired => Severity::High,
            Grade::Conditional => Severity::Low,
            Grade::Permitted => {
                let by_processes = cycle.witnesses.first().is_some_and(|way| {
                    way.iter().all(|station| match station {
                        Station::Process(process, _) => self.runs_something(*process),
                        Station::Queue(_) | Station::Inlet(_) => true,
                    })
                });
                Severity::Medium.lowered(u8::from(!by_processes))
            }
        }
    }

    fn runs_something(&self, process: Process) -> bool {
        let principal = self.audit.access.principals.get(process.principal);
        principal.is_some_and(|principal| {
            principal.kind == Kind::Role
                && (!principal.workloads.is_empty() || !principal.trust.services.is_empty())
        })
    }

    fn detail(&self, cycle: &MessageCycle, places: usize) -> String {
        let mut detail = String::new();
        for (number, way) in cycle.witnesses.iter().enumerate() {
            if number == 1 {
                detail.push_str(" Also: ");
            } else if number > 1 {
                detail.push_str("; ");
            }
            detail.push_str(&self.path(way, usize::MAX));
        }
        detail.push('.');
        let shown: usize = cycle.witnesses.iter().map(Vec::len).sum();
        if places + cycle.processes.len() > shown {
            detail.push_str(" In all, ");
            detail.push_str(&count(places, "place"));
            detail.push_str(" and ");
            detail.push_str(&count(cycle.processes.len(), "process"));
            detail.push_str(" are part of it.");
        }
        detail
    }

    /// `queue a → function b → queue a`; of a long way the first and the last of at most so many stations.
    fn path(&self, way: &[Station], most: usize) -> String {
        let mut names: Vec<String> = Vec::new();
        for station in way.iter().chain(way.first()) {
            let name = self.name(station);
            // A function that is invoked is one thing, as an inlet and as what runs then.
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        let left_out = names.len().saturating_sub(most);
        if left_out > 1 {
            let first = most.div_ceil(2);
            names.splice(first..first + left_out, [format!("({left_out} more)")]);
        }
        names.join(" → ")
    }

    fn name(&self, station: &Station) -> String {
        self.entity(station)
            .map_or_else(String::new, |entity| short(&entity))
    }

    fn entity(&self, station: &Station) -> Option<Entity> {
        let graph = self.audit.graph;
        match station {
            Station::Queue(queue) => {
                let audited = self.audit.access.queues.get(*queue)?;
                Some(Entity::new(Kind::Queue, audited.queue.arn.shared()))
            }
            Station::Inlet(inlet) => Some(graph.channels.inlets.get(*inlet)?.entity.clone()),
            Station::Process(process, started) => {
                if let Some(place) = workload(*process, *started) {
                    return graph.channels.workload_at(place).cloned();
                }
                let principal = self.audit.access.principals.get(process.principal)?;
                Some(Entity::new(principal.kind, principal.arn.shared()))
            }
        }
    }

    /// Who moves messages, those on the ways that are told first in line when there are too many, sorted.
    fn principals(&self, cycle: &MessageCycle) -> Vec<PrincipalRef> {
        let told = cycle.witnesses.iter().flatten();
        let told: BTreeSet<Process> = told
            .filter_map(|station| match station {
                Station::Process(process, started) => Some(Process {
                    principal: process.principal,
                    workload: workload(*process, *started).map(|place| place.workload),
                }),
                Station::Queue(_) | Station::Inlet(_) => None,
            })
            .collect();
        let told_principals: BTreeSet<usize> =
            told.iter().map(|process| process.principal).collect();
        let others = cycle
            .processes
            .iter()
            .filter(|process| !told_principals.contains(&process.principal))
            .take(MOST_PROCESSES.saturating_sub(told.len()));
        let mut principals: Vec<PrincipalRef> = Vec::new();
        for process in told.iter().chain(others) {
            let Some(principal) = self.audit.access.principals.get(process.principal) else {
                continue;
            };
            let entity = Entity::new(principal.kind, principal.arn.shared());
            let workloads = match process.workload {
                Some(place) => principal
                    .workloads
                    .get(place)
                    .cloned()
                    .into_iter()
                    .collect(),
                None => principal.workloads.clone(),
            };
            match principals.iter_mut().find(|known| known.entity == entity) {
                Some(known) => known.workloads.extend(workloads),
                None => principals.push(PrincipalRef { entity, workloads }),
            }
        }
        for principal in &mut principals {
            principal.workloads.sort();
            principal.workloads.dedup();
        }
        principals.sort();
        principals
    }

    /// Every station with the one before and the one after.
    fn steps(way: &[Station]) -> impl Iterator<Item = [&Station; 3]> {
        let before = way.iter().cycle().skip(way.len().saturating_sub(1));
        let after = way.iter().cycle().skip(1);
        before
            .zip(way)
            .zip(after)
            .map(|((before, station), after)| [before, station, after])
    }

    /// The statements and deliveries behind every step of a way.
    fn prove(&self, way: &[Station]) -> Vec<Evidence> {
        let mut proofs = Vec::new();
        for [before, station, after] in Self::steps(way) {
            match station {
                Station::Process(process, started) => {
                    let place = workload(*process, *started);
                    if let Some(wire) = started.and_then(|place| self.wire_to(before, place)) {
                        proofs.push(configuration(wire));
                    }
                    let workload = place.map(|place| place.workload);
                    let on_queue = |queue: usize, capability: Capability| -> Vec<Evidence> {
                        let (Some(prover), Some(audited)) = (
                            self.provers.of(process.principal),
                            self.audit.access.queues.get(queue),
                        ) else {
                            return Vec::new();
                        };
                        let arn = audited.queue.arn.shared();
                        let proofs = prover.prove_as(workload, queue, capability);
                        proofs.iter().map(|proof| evidence(proof, &arn)).collect()
                    };
                    if let Station::Queue(queue) = before {
                        proofs.extend(on_queue(*queue, Capability::Receive));
                    }
                    match after {
                        Station::Queue(queue) => {
                            proofs.extend(on_queue(*queue, Capability::Send));
                        }
                        Station::Inlet(inlet) => {
                            proofs.extend(self.prove_put(process.principal, workload, *inlet));
                        }
                        Station::Process(..) => {}
                    }
                }
                Station::Queue(_) | Station::Inlet(_) => {
                    let wires = self.wires_between(station, after);
                    proofs.extend(wires.flat_map(|wire| self.delivered(wire)));
                }
            }
        }
        proofs
    }

    fn prove_put(&self, principal: usize, workload: Option<usize>, inlet: usize) -> Vec<Evidence> {
        let channels = &self.audit.graph.channels;
        let Some(put) = channels.inlets.get(inlet) else {
            return Vec::new();
        };
        channels
            .prove(principal, workload, inlet)
            .iter()
            .map(|step| Evidence {
                capability: put.action().into(),
                resource: put.entity.arn.clone(),
                layer: step.layer.as_str(),
                policy: step.policy.clone(),
                statement: step.statement.clone(),
                effect: step.effect.as_str(),
            })
            .collect()
    }

    /// A delivery with the statements of the queue policy that let it in.
    fn delivered(&self, wire: &Wire) -> Vec<Evidence> {
        let mut proofs = vec![configuration(wire)];
        let (Some(Stop::Queue(queue)), Some(asker)) = (wire.target, &wire.asker) else {
            return proofs;
        };
        if let Some(audited) = self.audit.access.queues.get(queue) {
            let arn = audited.queue.arn.shared();
            let outsiders = audited.outsiders.iter();
            let asking = outsiders.filter(|outsider| outsider.who.entity() == *asker);
            let send = asking
                .flat_map(|outsider| &outsider.proofs)
                .filter(|proof| proof.capability == Capability::Send);
            proofs.extend(send.map(|proof| evidence(proof, &arn)));
        }
        proofs
    }

    fn wires_between<'s>(
        &'s self,
        from: &'s Station,
        to: &'s Station,
    ) -> impl Iterator<Item = &'s Wire> {
        let source = match from {
            Station::Queue(queue) => Some(Stop::Queue(*queue)),
            Station::Inlet(inlet) => Some(Stop::Inlet(*inlet)),
            Station::Process(..) => None,
        };
        let target = match to {
            Station::Queue(queue) => Some(Stop::Queue(*queue)),
            Station::Inlet(inlet) => Some(Stop::Inlet(*inlet)),
            Station::Process(..) => None,
        };
        self.audit.graph.flowing_wires().filter(move |wire| {
            target.is_some()
                && wire.target == target
                && source.is_some_and(|source| wire.sources.contains(&source))
        })
    }

    /// The delivery that starts a workload with what lies before it.
    fn wire_to(&self, before: &Station, place: Place) -> Option<&Wire> {
        let source = match before {
            Station::Queue(queue) => Stop::Queue(*queue),
            Station::Inlet(inlet) => Stop::Inlet(*inlet),
            Station::Process(..) => return None,
        };
        self.audit.graph.flowing_wires().find(|wire| {
            wire.target == Some(Stop::Workload(place)) && wire.sources.contains(&source)
        })
    }

    /// What must hold for a way, in words.
    fn conditions(&self, way: &[Station]) -> Vec<String> {
        let access = self.audit.access;
        let channels = &self.audit.graph.channels;
        let mut conditions = Vec::new();
        for [before, station, after] in Self::steps(way) {
            match station {
                Station::Process(process, started) => {
                    let workload = workload(*process, *started).map(|place| place.workload);
                    let on_queue = |queue: usize, capability: Capability| -> Vec<String> {
                        let rights = access.rights_on(process.principal, queue);
                        rights.map_or_else(Vec::new, |rights| {
                            let session = match workload {
                                Some(workload) => Some(rights.of_workload(workload)),
                                None => rights.sessions().next(),
                            };
                            session.map_or_else(Vec::new, |session| {
                                session.when(capability).conditions()
                            })
                        })
                    };
                    match (before, started) {
                        (Station::Queue(_) | Station::Inlet(_), Some(place)) => {
                            let wire = self.wire_to(before, *place);
                            conditions.extend(
                                wire.map(|wire| wire.when.conditions()).unwrap_or_default(),
                            );
                        }
                        (Station::Queue(queue), None) => {
                            conditions.extend(on_queue(*queue, Capability::Receive));
                        }
                        _ => {}
                    }
                    match after {
                        Station::Queue(queue) => {
                            conditions.extend(on_queue(*queue, Capability::Send));
                        }
                        Station::Inlet(inlet) => {
                            let when = channels.when(process.principal, workload, *inlet);
                            conditions.extend(when.conditions());
                        }
                        Station::Process(..) => {}
                    }
                }
                Station::Queue(_) | Station::Inlet(_) => {
                    let wires = self.wires_between(station, after);
                    conditions.extend(wires.flat_map(|wire| wire.when.conditions()));
                }
            }
        }
        conditions
    }

    fn remedy(&self, way: &[Station]) -> String {
        let senders: BTreeSet<String> = way
            .iter()
            .filter(|station| matches!(station, Station::Process(..)))
            .map(|station| self.name(station))
            .collect();
        let senders: Vec<String> = senders.into_iter().collect();
        match senders.as_slice() {
            [] => "Take one of the deliveries away, or filter what it takes.".to_owned(),
            [only] => format!(
                "Take from {only} the right to put in what leads back to it, or deliver to something else."
            ),
            several => format!(
                "Break the circle at one step: take from one of {} the right to send on, or deliver to something else.",
                list(several)
            ),
        }
    }
}

/// The workload that a process is shown as.
fn workload(process: Process, started: Option<Place>) -> Option<Place> {
    let own = process.workload.map(|workload| Place {
        principal: process.principal,
        workload,
    });
    started.or(own)
}

fn title(grade: Grade) -> &'static str {
    match grade {
        Grade::Wired => "messages go round by themselves",
        Grade::Permitted => "messages can go round",
        Grade::Conditional => "messages can, under conditions, go round",
    }
}

/// That a delivery is configured.
fn configuration(wire: &Wire) -> Evidence {
    Evidence {
        capability: "deliver".into(),
        resource: wire.to.arn.clone(),
        layer: "delivery",
        policy: wire.configured_by.clone(),
        statement: wire.kind.as_str().into(),
        effect: "Allow",
    }
}
