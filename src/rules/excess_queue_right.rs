//! `excess-queue-right`: a generator or a consumer may do more with its queue than its side takes.
//!
//! Who can both send and receive is a matter of `queue-feedback-loop`, and who can do neither is no side of a queue: both are left
//! out here.

use std::collections::BTreeMap;

use super::exposure::open_queues;
use super::{Audit, count, evidence, list, principal_ref, short};
use crate::access::{
    AuditedQueue, ByDocument, Capability, Principal, Prover, Provers, QueueSet, SessionRights,
    SessionsOn,
};
use crate::account::Encryption;
use crate::finding::{
    Certainty, Entity, Finding, Kind, MOST_RESOURCES, ResourceRef, Severity, finding_id,
};
use crate::parallel::in_parallel;
use crate::policy::{Effect, Formula, Statement};

const RULE: &str = "excess-queue-right";
/// Queues whose rights are proved statement by statement; the others are alike.
const MOST_PROVED: usize = 5;
/// Statements that are named of those which give one capability on one queue.
const MOST_STATEMENTS: usize = 3;

/// Queues of one principal on which it is asked whether a generator may delete: that is no right that is known beforehand.
const MOST_ASKED: usize = 20;
const DELETE: &str = "sqs:deletemessage";

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let provers = audit.access.provers();
    let queues = Queues::of(audit);
    let principals: Vec<usize> = (0..audit.access.principals.len())
        .filter(|principal| !audit.graph.is_administrator(*principal))
        .collect();
    let findings = in_parallel(&principals, |principal| {
        finding(audit, &provers, &queues, *principal)
    });
    findings.into_iter().flatten().collect()
}

/// What matters of queues for everybody.
struct Queues {
    /// Those that anyone may send to, and those that anyone may receive from: there nobody is on a side by a right of its own,
    /// and `public-queue` tells why.
    open: [QueueSet; 2],
    /// Those whose policy may let somebody delete.
    deletable: QueueSet,
    /// Those on which each document of principals may let them delete: many carry the same.
    deletable_by: ByDocument<QueueSet>,
}

impl Queues {
    fn of(audit: &Audit<'_>) -> Self {
        let queues = || audit.access.queues.iter().zip(0..);
        let lets_delete = |audited: &AuditedQueue<'_>| {
            let statements = audited
                .policy
                .iter()
                .flat_map(|policy| policy.document.statements());
            allow_deleting(statements).next().is_some()
        };
        Self {
            open: [Capability::Send, Capability::Receive]
                .map(|capability| open_queues(audit, capability)),
            deletable: queues()
                .filter(|(audited, _)| lets_delete(audited))
                .map(|(_, number)| number)
                .collect(),
            deletable_by: deletable_by_documents(audit),
        }
    }

    fn open_to(&self, side: Side) -> &QueueSet {
        let [send, receive] = &self.open;
        match side {
            Side::Generator => send,
            Side::Consumer => receive,
        }
    }

    /// The queues on which a principal may be let delete, by what statements say before anything is decided.
    fn deletable_by(&self, principal: &Principal<'_>) -> QueueSet {
        let mut queues = self.deletable.clone();
        let documents = principal.policies.iter().map(|policy| &policy.document);
        for of_document in documents.filter_map(|one| self.deletable_by.get(one)) {
            queues |= of_document;
        }
        queues
    }
}

fn deletable_by_documents(audit: &Audit<'_>) -> ByDocument<QueueSet> {
    let every: QueueSet = (0..)
        .zip(&audit.access.queues)
        .map(|(number, _)| number)
        .collect();
    audit.access.by_document(|document| {
        let mut queues = QueueSet::new();
        let allows = allow_deleting(document.statements());
        for resources in allows.filter_map(|allow| allow.resources.as_ref()) {
            if resources.negated {
                return every.clone();
            }
            for pattern in &resources.patterns {
                queues |= audit.access.reached_by(pattern);
            }
        }
        queues
    })
}

fn allow_deleting<'s>(
    statements: impl IntoIterator<Item = &'s Statement>,
) -> impl Iterator<Item = &'s Statement> {
    statements
        .into_iter()
        .filter(|statement| statement.effect == Effect::Allow && statement.actions.contains(DELETE))
}

/// The side of a queue that a session stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Generator,
    Consumer,
}

impl Side {
    /// What a session of this side comes for.
    fn purpose(self) -> Capability {
        match self {
            Self::Generator => Capability::Send,
            Self::Consumer => Capability::Receive,
        }
    }

    /// What it has no need for.
    fn excess(self) -> &'static [Capability] {
        match self {
            Self::Generator => &[
                Capability::Delete,
                Capability::Purge,
                Capability::Administer,
            ],
            Self::Consumer => &[Capability::Purge, Capability::Administer],
        }
    }
}

/// What a principal holds besides the rights of its side, on queues on which it fares alike.
struct Excess {
    side: Side,
    queues: QueueSet,
    /// The workload whose session shows it, by its place among the principal's; any session when none.
    workload: Option<usize>,
    /// The capabilities, each with when it is there together with what the session comes for.
    held: Vec<(Capability, Formula)>,
}

impl Excess {
    /// What one session has too much; none when it has nothing.
    fn of(session: SessionRights<'_>, side: Side) -> Option<Self> {
        let purpose = session.when(side.purpose());
        let is_side = purpose.rests_on_what_was_read()
            && (side == Side::Generator
                || session.when(Capability::Delete).rests_on_what_was_read());
        if !is_side {
            return None;
        }
        let held: Vec<(Capability, Formula)> = side
            .excess()
            .iter()
            .filter_map(|capability| {
                let when = session.when(*capability);
                if !when.rests_on_what_was_read() {
                    return None;
                }
                let together = purpose.clone().and(when.clone());
                together.is_satisfiable().then_some((*capability, together))
            })
            .collect();
        (!held.is_empty()).then(|| Self {
            side,
            queues: QueueSet::new(),
            workload: session.workload,
            held,
        })
    }

    fn certainty(&self) -> Certainty {
        let certainties = self.held.iter().map(|(_, when)| Certainty::of(when));
        certainties.max().unwrap_or(Certainty::Conditional)
    }

    /// Deleting takes the receipt of a message that was received: without that right it destroys nothing by itself.
    fn destroys(&self) -> bool {
        self.held
            .iter()
            .any(|(capability, _)| *capability != Capability::Delete)
    }

    fn severity(&self, principal: &Principal<'_>) -> Severity {
        let runs_something =
            !principal.workloads.is_empty() || !principal.trust.services.is_empty();
        let base = if principal.kind == Kind::Role && runs_something && self.destroys() {
            Severity::Medium
        } else {
            Severity::Low
        };
        base.lowered(u8::from(self.certainty() == Certainty::Conditional))
    }
}

/// What a principal has too much, group by group of its queues: of its sessions the one that shows it most surely.
fn excesses(
    audit: &Audit<'_>,
    prover: &Prover<'_>,
    queues: &Queues,
    principal: &Principal<'_>,
    index: usize,
) -> Vec<Excess> {
    let mut excesses = Vec::new();
    // Generators that hold nothing else too much, with when they may send.
    let mut generators: BTreeMap<u32, &Formula> = BTreeMap::new();
    let mut deletable = None;
    let is_one_sided = |sessions: SessionsOn<'_>| {
        let mut sessions = sessions.sessions();
        sessions.all(|session| session.both().is_none())
    };
    for rights in audit.access.rights_where(index, is_one_sided) {
        let sessions = rights.on_each();
        for side in [Side::Generator, Side::Consumer] {
            let own = &*rights.queues - queues.open_to(side);
            if own.is_empty() {
                continue;
            }
            // Of equals the first: any session stands before those of single workloads.
            let mut gravest: Option<Excess> = None;
            for excess in sessions
                .sessions()
                .filter_map(|session| Excess::of(session, side))
            {
                let weight = |excess: &Excess| (excess.certainty(), excess.held.len());
                if gravest
                    .as_ref()
                    .is_none_or(|known| weight(known) < weight(&excess))
                {
                    gravest = Some(excess);
                }
            }
            if let Some(mut gravest) = gravest {
                gravest.queues = own;
                excesses.push(gravest);
                continue;
            }
            let send = sessions.when(Capability::Send);
            if side == Side::Consumer || !send.rests_on_what_was_read() {
                continue;
            }
            let deletable = deletable.get_or_insert_with(|| queues.deletable_by(principal));
            let candidates = own & &*deletable;
            generators.extend(candidates.iter().map(|queue| (queue, send)));
        }
    }
    for (queue, send) in generators.into_iter().take(MOST_ASKED) {
        excesses.extend(deleting(prover, queue, send));
    }
    excesses
}

/// A generator that may delete on a queue.
fn deleting(prover: &Prover<'_>, queue: u32, send: &Formula) -> Option<Excess> {
    let delete = prover.when_alone(queue as usize, Capability::Delete);
    if !delete.rests_on_what_was_read() {
        return None;
    }
    let together = send.clone().and(delete);
    together.is_satisfiable().then(|| Excess {
        side: Side::Generator,
        queues: QueueSet::from_iter([queue]),
        workload: None,
        held: vec![(Capability::Delete, together)],
    })
}

fn finding(
    audit: &Audit<'_>,
    provers: &Provers<'_>,
    queues: &Queues,
    index: usize,
) -> Option<Finding> {
    let principal = audit.access.principals.get(index)?;
    let rights = provers.of(index)?;
    let excesses = excesses(audit, &rights, queues, principal, index);
    let account = audit.access.account(principal.account)?;
    let severity = excesses
        .iter()
        .map(|excess| excess.severity(principal))
        .max()?;
    let certainty = excesses.iter().map(Excess::certainty).max()?;
    let mut named: Vec<(usize, &AuditedQueue<'_>, &Excess)> = excesses
        .iter()
        .flat_map(|excess| {
            let queues = audit.access.queues_of(&excess.queues).take(MOST_RESOURCES);
            queues.map(move |(queue, audited)| (queue, audited, excess))
        })
        .collect();
    named.sort_by_key(|(queue, _, excess)| (excess.certainty() == Certainty::Conditional, *queue));
    named.truncate(MOST_RESOURCES);
    let mut resources = Vec::new();
    let mut proofs = Vec::new();
    let mut more_evidence = 0;
    for (queue, audited, excess) in &named {
        let arn = audited.queue.arn.shared();
        if resources.len() < MOST_PROVED {
            let held = excess.held.iter().map(|(capability, _)| *capability);
            for capability in std::iter::once(excess.side.purpose()).chain(held) {
                let proved = rights.prove_as(excess.workload, *queue, capability);
                let statements = proved.iter().take(MOST_STATEMENTS);
                proofs.extend(statements.map(|proof| evidence(proof, &arn)));
                more_evidence += proved.len().saturating_sub(MOST_STATEMENTS) as u64;
            }
        }
        resources.push(ResourceRef {
            entity: Entity::new(Kind::Queue, arn),
            certainty: excess.certainty(),
            grade: None,
        });
    }
    resources.sort();
    proofs.sort();
    proofs.dedup();
    let mut conditions: Vec<String> = Vec::new();
    if certainty == Certainty::Conditional {
        let formulas = excesses.iter().flat_map(|excess| &excess.held);
        conditions.extend(formulas.flat_map(|(_, when)| when.conditions()));
        conditions.sort();
        conditions.dedup();
    }
    let number: u64 = excesses.iter().map(|excess| excess.queues.len()).sum();
    let subject = Entity::new(principal.kind, principal.arn.shared());
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity,
        title: title(principal, &excesses, &resources, number, certainty),
        detail: detail(&excesses),
        account: account.id.clone(),
        region: "global".to_owned(),
        subject,
        principals: vec![principal_ref(principal)],
        more_resources: number.saturating_sub(resources.len() as u64),
        resources: resources.into(),
        certainty,
        conditions,
        evidence: proofs.into(),
        more_evidence,
        remedy: remedy(&excesses, &named),
    })
}

/// `delete, purge and administer`: what is held by any of them, in the order of the contract.
fn held<'e>(excesses: impl Iterator<Item = &'e Excess>) -> String {
    let mut capabilities: Vec<Capability> = excesses
        .flat_map(|excess| excess.held.iter().map(|(capability, _)| *capability))
        .collect();
    capabilities.sort();
    capabilities.dedup();
    let words: Vec<String> = capabilities
        .iter()
        .map(|capability| capability.as_str().to_owned())
        .collect();
    list(&words)
}

fn title(
    principal: &Principal<'_>,
    excesses: &[Excess],
    resources: &[ResourceRef],
    number: u64,
    certainty: Certainty,
) -> String {
    let who = format!("{} {}", principal.kind, principal.arn.name());
    let queues = match resources {
        [only] => short(&only.entity),
        _ => format!("{number} queues"),
    };
    let is_side = |side| excesses.iter().all(|excess| excess.side == side);
    let comes_for = if is_side(Side::Generator) {
        "sends to"
    } else if is_side(Side::Consumer) {
        "receives from"
    } else {
        "sends to or receives from"
    };
    let may = match certainty {
        Certainty::Allowed => "may also",
        Certainty::Conditional => "may, under conditions, also",
    };
    let held = held(excesses.iter());
    format!("{who} {comes_for} {queues} and {may} {held} there")
}

fn detail(excesses: &[Excess]) -> String {
    let sentence = |side: Side, what: &str, needs: &str| {
        let of_side = || excesses.iter().filter(|excess| excess.side == side);
        let number: u64 = of_side().map(|excess| excess.queues.len()).sum();
        let queues = count(usize::try_from(number).unwrap_or(usize::MAX), "queue");
        let held = held(of_side());
        (number > 0).then(|| {
            format!("It is the {what} of {queues}: that takes {needs}, and it may {held} besides.")
        })
    };
    let sentences = [
        sentence(Side::Generator, "generator", "the right to send"),
        sentence(
            Side::Consumer,
            "consumer",
            "the rights to receive and to delete",
        ),
    ];
    sentences
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The least set of actions for each side; those on keys where one of the queues is encrypted with a key of the account.
fn remedy(excesses: &[Excess], named: &[(usize, &AuditedQueue<'_>, &Excess)]) -> String {
    let with_key = |side: Side| {
        named.iter().any(|(_, audited, excess)| {
            excess.side == side
                && audited.queue.attributes.as_ref().is_some_and(|attributes| {
                    matches!(attributes.encryption, Encryption::Kms { .. })
                        && !attributes.encryption.is_aws_managed_key()
                })
        })
    };
    let least = |side: Side| -> Option<String> {
        excesses.iter().find(|excess| excess.side == side)?;
        let key = with_key(side);
        Some(match side {
            Side::Generator => {
                let key = if key {
                    ", and kms:GenerateDataKey and kms:Decrypt on its key"
                } else {
                    ""
                };
                format!("Leave the generator sqs:SendMessage{key}.")
            }
            Side::Consumer => {
                let key = if key {
                    ", and kms:Decrypt on its key"
                } else {
                    ""
                };
                format!(
                    "Leave the consumer sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes{key}; \
                     sqs:ChangeMessageVisibility if it calls it."
                )
            }
        })
    };
    let mut sentences: Vec<String> = [Side::Generator, Side::Consumer]
        .into_iter()
        .filter_map(least)
        .collect();
    sentences.push(
        "Purging and changing queues belong to an operator's role and to the pipeline.".to_owned(),
    );
    sentences.join(" ")
}
