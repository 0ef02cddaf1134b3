//! How far a queue policy opens a queue to the outside: what confines a statement, and what does not.
//!
//! Shared by the rules about queue policies. Follows "The meaning of 'public'" of the Amazon S3 user guide and Security Hub
//! control SQS.3: only positive conditions on fixed values confine (H.4, D.4 of the project's semantics).

use std::net::IpAddr;
use std::sync::Arc;

use super::Audit;
use crate::access::{Access, AuditedQueue, Capability, Outsider, QueueSet, Who};
use crate::finding::{
    Certainty, Entity, Evidence, Finding, Kind, PrincipalRef, ResourceRef, Severity, finding_id,
};
use crate::policy::{Atom, Base, Formula, Literal, OpenReason, Quantifier};

/// What a condition confines requesters to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Confinement {
    /// A network.
    Network,
    /// An organization.
    Organization,
    /// Accounts; none when they are fixed but not named (a user id).
    Accounts(Vec<String>),
    /// Requests on behalf of sources in these accounts; none when it is an organization.
    Source(Vec<String>),
    /// Requests on behalf of a source whose ARN names no account, which somebody else can create again.
    WeakSource,
}

/// The queues on which anyone, or anyone with credentials, has a capability whatever the circumstances: that somebody has it there
/// tells nothing of what that somebody is for.
pub(super) fn open_queues(audit: &Audit<'_>, capability: Capability) -> QueueSet {
    let is_open = |audited: &AuditedQueue<'_>| {
        audited.outsiders.iter().any(|outsider| {
            matches!(outsider.who, Who::Anonymous | Who::AnyPrincipal)
                && outsider.when(capability).is_always()
        })
    };
    let queues = audit.access.queues.iter().zip(0..);
    queues
        .filter(|(audited, _)| is_open(audited))
        .map(|(_, number)| number)
        .collect()
}

/// What the literal confines requesters to; none when anybody can make it hold.
pub(super) fn confinement(literal: &Literal) -> Option<Confinement> {
    let Atom::Test(test) = &*literal.atom else {
        return None;
    };
    let operator = test.operator();
    // A positive test that holds, or a negated one that does not ("deny unless").
    let positive = literal.holds != operator.negated;
    // A test that has the wanted outcome without the key confines nobody who can come without it.
    let vacuous = test.may_be_absent() && test.holds_when_absent() == literal.holds;
    // Over several values: one that equals must be there, or none that differs.
    let over_values = match operator.quantifier {
        Quantifier::Single => true,
        Quantifier::ForAnyValue => literal.holds,
        Quantifier::ForAllValues => !literal.holds,
    };
    if !positive || vacuous || !over_values {
        return None;
    }
    let values: Vec<&str> = test.values().collect();
    if values.is_empty() || values.iter().any(|value| value.contains("${")) {
        return None;
    }
    let wildcards = matches!(operator.base, Base::StringLike | Base::Arn);
    let fixed = !wildcards || !values.iter().any(|value| value.contains(['*', '?']));
    let key = test.key();
    match key.as_str() {
        "aws:principalaccount" | "kms:calleraccount" if fixed => {
            Some(Confinement::Accounts(owned(&values)))
        }
        "aws:principalarn" | "aws:federatedprovider" => {
            accounts_of(&values).map(Confinement::Accounts)
        }
        "aws:userid" if fixed => Some(Confinement::Accounts(Vec::new())),
        "aws:principalorgid" if fixed => Some(Confinement::Organization),
        "aws:principalorgpaths" => {
            organization_is_fixed(&values).then_some(Confinement::Organization)
        }
        "aws:sourceaccount" | "aws:sourceowner" if fixed => {
            Some(Confinement::Source(owned(&values)))
        }
        "aws:sourceorgid" if fixed => Some(Confinement::Source(Vec::new())),
        "aws:sourceorgpaths" => {
            organization_is_fixed(&values).then(|| Confinement::Source(Vec::new()))
        }
        "aws:sourcearn" => match accounts_of(&values) {
            Some(accounts) => Some(Confinement::Source(accounts)),
            None if fixed
                && values
                    .iter()
                    .all(|value| value.split(':').nth(4) == Some("")) =>
            {
                Some(Confinement::WeakSource)
            }
            None => None,
        },
        "aws:sourcevpc" | "aws:sourcevpce" | "aws:sourcevpcarn" | "aws:vpceaccount"
        | "aws:vpceorgid" | "aws:vpceorgpaths"
            if fixed =>
        {
            Some(Confinement::Network)
        }
        "aws:sourceip" | "aws:vpcsourceip" => values
            .iter()
            .all(|value| range_is_narrow(value))
            .then_some(Confinement::Network),
        _ => None,
    }
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// The accounts of ARN patterns that all name one.
fn accounts_of(values: &[&str]) -> Option<Vec<String>> {
    values
        .iter()
        .map(|value| {
            let account = value.split(':').nth(4)?;
            let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            is_account.then(|| account.to_owned())
        })
        .collect()
}

fn organization_is_fixed(values: &[&str]) -> bool {
    values.iter().all(|value| {
        value.split_once('/').is_some_and(|(organization, _)| {
            organization.starts_with("o-") && !organization.contains(['*', '?'])
        })
    })
}

/// Not wider than `/8` (IPv4) or `/32` (IPv6).
pub(super) fn range_is_narrow(range: &str) -> bool {
    let (address, prefix) = range.split_once('/').unwrap_or((range, "128"));
    let Ok(prefix) = prefix.parse::<u8>() else {
        return false;
    };
    match address.parse() {
        Ok(IpAddr::V4(_)) => prefix >= 8,
        Ok(IpAddr::V6(_)) => prefix >= 32,
        Err(_) => false,
    }
}

/// Whether the formula can hold for a requester that only satisfies the confinements that `passes` lets through.
pub(super) fn open_to(formula: &Formula, passes: impl Fn(&Confinement) -> bool) -> bool {
    formula
        .substituted(&|literal| match confinement(literal) {
            Some(confined) if !passes(&confined) => Some(Formula::Never),
            _ => None,
        })
        .is_satisfiable()
}

/// What the formula leaves open once the other account's consent, which is not ours to give, is taken as given.
pub(super) fn on_our_side(formula: &Formula) -> Formula {
    formula.substituted(&|literal| match &*literal.atom {
        Atom::Open {
            reason: OpenReason::OtherAccount,
            ..
        } => Some(Formula::constant(literal.holds)),
        Atom::Open { .. } | Atom::Test(_) => None,
    })
}

/// Capabilities that an outsider can have at all: administration never works across accounts.
pub(super) const EXPOSED: [Capability; 4] = [
    Capability::Send,
    Capability::Receive,
    Capability::Delete,
    Capability::Purge,
];

/// One way in: who, what, how grave.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) who: Entity,
    pub(super) capability: Capability,
    pub(super) severity: Severity,
    pub(super) when: Formula,
    pub(super) evidence: Vec<Evidence>,
}

impl Opening {
    pub(super) fn new(
        audited: &AuditedQueue<'_>,
        outsider: &Outsider,
        who: Entity,
        capability: Capability,
        severity: Severity,
    ) -> Self {
        let queue = audited.queue.arn.shared();
        Self {
            who,
            capability,
            severity,
            when: on_our_side(outsider.when(capability)),
            evidence: outsider
                .proofs
                .iter()
                .filter(|proof| proof.capability == capability)
                .map(|proof| super::evidence(proof, &queue))
                .collect(),
        }
    }
}

/// Words of a finding about a queue policy.
pub(super) struct Words {
    pub(super) rule: &'static str,
    pub(super) title: String,
    pub(super) detail: String,
    pub(super) remedy: String,
}

/// The capabilities of openings in words: "send, receive and delete".
pub(super) fn capabilities(openings: &[Opening]) -> String {
    let words: Vec<String> = Capability::ALL
        .into_iter()
        .filter(|capability| {
            openings
                .iter()
                .any(|opening| opening.capability == *capability)
        })
        .map(|capability| match capability {
            Capability::Send => "send to".to_owned(),
            Capability::Receive => "receive from".to_owned(),
            Capability::Delete => "delete from".to_owned(),
            other => other.as_str().to_owned(),
        })
        .collect();
    super::list(&words)
}

/// The finding about one queue from the openings of its policy; none when there is no opening.
pub(super) fn finding(
    access: &Access<'_>,
    audited: &AuditedQueue<'_>,
    openings: &[Opening],
    words: Words,
) -> Option<Finding> {
    let account = access.account(audited.account)?;
    let severity = openings.iter().map(|opening| opening.severity).max()?;
    let subject = Entity::new(Kind::Queue, audited.queue.arn.shared());
    let certainty = if openings.iter().any(|opening| opening.when.is_always()) {
        Certainty::Allowed
    } else {
        Certainty::Conditional
    };
    let mut principals: Vec<PrincipalRef> = openings
        .iter()
        .map(|opening| super::holder(opening.who.clone()))
        .collect();
    principals.sort();
    principals.dedup();
    let mut evidence: Vec<Evidence> = openings
        .iter()
        .flat_map(|opening| opening.evidence.iter().cloned())
        .collect();
    evidence.sort();
    evidence.dedup();
    let mut conditions: Vec<String> = match certainty {
        Certainty::Allowed => Vec::new(),
        Certainty::Conditional => openings
            .iter()
            .flat_map(|opening| opening.when.conditions())
            .collect(),
    };
    conditions.sort();
    conditions.dedup();
    Some(Finding {
        id: finding_id(words.rule, &account.id, &subject),
        rule: words.rule,
        severity,
        title: words.title,
        detail: words.detail,
        account: account.id.clone(),
        region: super::region(&subject.arn),
        principals,
        resources: Arc::new([ResourceRef {
            entity: subject.clone(),
            certainty,
            grade: None,
        }]),
        more_resources: 0,
        certainty,
        conditions,
        evidence: evidence.into(),
        more_evidence: 0,
        remedy: words.remedy,
        subject,
    })
}
