//! What messages pass through besides queues, who may put something in, and what AWS delivers from where to where.
//!
//! An [`Inlet`] is a topic, bus, bucket, function or state machine that something can be put into; a [`Wire`] is a delivery with
//! when policies let it happen. Both are found in what was collected. Who may put something into which inlet is decided when
//! asked for, like every other request, over all layers; what many principals carry alike is compared once.

mod configured;
mod event;
mod inlet;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

pub use inlet::{Inlet, Place};
pub use wire::{Stop, Wire, WireKind};

use self::inlet::{ACTIONS, InletId, Keys};
use super::asker::Comer;
use super::assume::StepProof;
use super::choices::without_choices;
use super::context::{Caller, RequestContext, Target};
use super::control::ControlsAbout;
use super::decide::{Candidates, Layers, Matched, Policy, decide};
use super::index::QueueSet;
use super::principal::Principal;
use super::sides::Own;
use super::{Access, AuditedQueue};
use crate::account::GapEffect;
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::policy::{
    Document, Effect, Formula, OpenReason, PolicyKind, Request, Requester, ResourcePattern,
};

/// Numbers of inlets.
type InletSet = QueueSet;

/// Inlets and wires of the audited accounts.
#[derive(Debug)]
pub struct Channels<'a> {
    access: &'a Access<'a>,
    /// Where something can be put, sorted.
    pub inlets: Vec<Inlet>,
    /// What AWS delivers, sorted.
    pub wires: Vec<Wire>,
    numbers: BTreeMap<InletId, usize>,
    queues: HashMap<&'a str, usize>,
    roles: HashMap<&'a Arn, usize>,
    workloads: HashMap<&'a Entity, Place>,
    /// For each action, in the order of [`ACTIONS`], its inlets and who of them lets in whom.
    by_action: Vec<Door<'a>>,
    /// For each principal what it may put into which inlet, once that was asked for.
    rights: Vec<OnceLock<Vec<InletRight>>>,
}

/// Everything about one action.
#[derive(Debug)]
struct Door<'a> {
    action: &'static str,
    inlets: InletSet,
    /// The inlets whose policies let in people without naming them.
    open: InletSet,
    /// Those whose policies name one, by its index.
    named: HashMap<usize, InletSet>,
    /// The inlets that the Allow statements of a document could reach, by its address: documents are shared.
    reached: HashMap<usize, InletSet>,
    /// For each audited account what its control policies say.
    controls: Vec<ControlsAbout<'a>>,
}

/// When a principal may put something into an inlet.
#[derive(Debug, Clone, PartialEq)]
pub struct InletRight {
    /// The index of the inlet.
    pub inlet: usize,
    /// When any session of the principal may.
    pub any: Formula,
    /// The workloads whose sessions differ from that, by their place.
    pub workloads: Vec<(usize, Formula)>,
}

impl InletRight {
    /// When the session of a workload may, or any session when it is none.
    pub fn of(&self, workload: Option<usize>) -> &Formula {
        workload
            .and_then(|place| self.workloads.iter().find(|(known, _)| *known == place))
            .map_or(&self.any, |(_, when)| when)
    }
}

impl<'a> Access<'a> {
    /// What messages pass through besides queues.
    pub fn channels(&'a self) -> Channels<'a> {
        Channels::new(self)
    }
}

impl<'a> Channels<'a> {
    fn new(access: &'a Access<'a>) -> Self {
        let queues = access.queues.iter().enumerate();
        let principals = access.principals.iter().enumerate();
        let workloads = principals.clone().flat_map(|(principal, of)| {
            let workloads = of.workloads.iter().enumerate();
            workloads.map(move |(workload, entity)| {
                (
                    entity,
                    Place {
                        principal,
                        workload,
                    },
                )
            })
        });
        let mut channels = Self {
            access,
            inlets: Vec::new(),
            wires: Vec::new(),
            numbers: BTreeMap::new(),
            queues: queues
                .map(|(index, audited)| (audited.queue.arn.as_str(), index))
                .collect(),
            roles: principals
                .filter(|(_, principal)| principal.kind == Kind::Role)
                .map(|(index, principal)| (principal.arn, index))
                .collect(),
            workloads: workloads.collect(),
            by_action: Vec::new(),
            rights: access.principals.iter().map(|_| OnceLock::new()).collect(),
        };
        let configured = configured::of(access.accounts);
        let mut ids: BTreeSet<InletId> = configured
            .iter()
            .flat_map(|delivery| delivery.inlets(&configured))
            .collect();
        ids.extend(channels.started_by_callers());
        channels.add_inlets(ids);
        channels.by_action = ACTIONS.map(|action| channels.door(action)).into();
        let wires: Vec<Wire> = {
            let decider = wire::Decider::new(&channels, &configured);
            configured
                .iter()
                .map(|delivery| decider.wire(delivery))
                .collect()
        };
        channels.wires = wires;
        channels
            .wires
            .sort_by(|a, b| wire_order(a).cmp(&wire_order(b)));
        channels
    }

    /// Functions and state machines, which whoever may can start.
    fn started_by_callers(&self) -> impl Iterator<Item = InletId> {
        let entities = self.workloads.keys();
        entities.filter_map(|entity| {
            let action = match entity.kind {
                Kind::Function => inlet::INVOKE,
                Kind::StateMachine => inlet::START,
                _ => return None,
            };
            Some(InletId {
                arn: Arn::parse(&entity.arn).ok()?,
                action,
                keys: Keys::default(),
            })
        })
    }

    fn add_inlets(&mut self, ids: BTreeSet<InletId>) {
        let policies = inlet::policies(self.access.accounts);
        for id in ids {
            let entity = Entity::new(inlet::kind(&id.arn), id.arn.shared());
            let collected_in =
                self.access.accounts.iter().position(|account| {
                    account.channels.iter().any(|channel| channel.arn == id.arn)
                });
            let account = match id.arn.account() {
                "" => collected_in,
                owner => self
                    .access
                    .accounts
                    .iter()
                    .position(|account| account.id.as_str() == owner),
            };
            let owner = match id.arn.account() {
                "" => account
                    .and_then(|account| self.access.accounts.get(account))
                    .map_or("", |account| account.id.as_str()),
                owner => owner,
            }
            .to_owned();
            let collected = policies.contains_key(&id.arn);
            let policy = match policies.get(&id.arn) {
                Some(policy) => policy.clone(),
                None => not_collected(&id.arn, entity.kind),
            };
            self.numbers.insert(id.clone(), self.inlets.len());
            self.inlets.push(Inlet {
                leads_to: self.workload(&entity),
                entity,
                id,
                owner,
                account,
                policy,
                collected,
            });
        }
    }

    fn door(&self, action: &'static str) -> Door<'a> {
        let of_action = || {
            let numbered = (0..).zip(&self.inlets);
            numbered.filter(|(_, inlet)| inlet.id.action == action)
        };
        let mut door = Door {
            action,
            inlets: of_action().map(|(number, _)| number).collect(),
            open: InletSet::new(),
            named: HashMap::new(),
            reached: HashMap::new(),
            controls: Vec::new(),
        };
        if door.inlets.is_empty() {
            return door;
        }
        door.controls = self
            .access
            .controls
            .iter()
            .map(|controls| controls.about(action))
            .collect();
        for (number, inlet) in of_action() {
            let guests = inlet.guests();
            let unreadable = inlet
                .policy
                .as_ref()
                .is_some_and(|policy| !policy.document.readable);
            if guests.anyone || unreadable {
                door.open.insert(number);
            }
            if guests.named.is_empty() && guests.ids.is_empty() {
                continue;
            }
            for (index, principal) in self.access.principals.iter().enumerate() {
                let arn = principal.arn;
                let name = (
                    principal.kind,
                    arn.account().to_owned(),
                    arn.name().to_owned(),
                );
                if guests.named.contains(&name) || guests.ids.contains(principal.id) {
                    door.named.entry(index).or_default().insert(number);
                }
            }
        }
        for principal in &self.access.principals {
            for policy in &principal.policies {
                let address = Arc::as_ptr(&policy.document).addr();
                if !door.reached.contains_key(&address) {
                    let reached = self.reached_by(&policy.document, &door);
                    door.reached.insert(address, reached);
                }
            }
        }
        door
    }

    fn reached_by(&self, document: &Document, door: &Door<'_>) -> InletSet {
        let mut reached = InletSet::new();
        let allows = document.readings.iter().flatten().filter(|statement| {
            statement.effect == Effect::Allow && statement.actions.contains(door.action)
        });
        for statement in allows {
            let patterns = match &statement.resources {
                Some(resources) if !resources.negated => &resources.patterns,
                _ => return door.inlets.clone(),
            };
            for pattern in patterns {
                if pattern.widest_reach(PolicyKind::Identity).is_everything() {
                    return door.inlets.clone();
                }
                for number in &door.inlets - &reached {
                    let inlet = self.inlets.get(number as usize);
                    if inlet.is_some_and(|inlet| inlet.may_reach(pattern, PolicyKind::Identity)) {
                        reached.insert(number);
                    }
                }
            }
        }
        reached
    }

    fn inlet(&self, id: &InletId) -> Option<usize> {
        self.numbers.get(id).copied()
    }

    fn queue(&self, arn: &Arn) -> Option<usize> {
        self.queues.get(arn.as_str()).copied()
    }

    fn workload(&self, entity: &Entity) -> Option<Place> {
        self.workloads.get(entity).copied()
    }

    fn role(&self, arn: &Arn) -> Option<usize> {
        self.roles.get(arn).copied()
    }

    fn roles_were_read(&self, account: &str) -> bool {
        let mut accounts = self.access.accounts.iter();
        accounts
            .find(|known| known.id.as_str() == account)
            .is_some_and(|known| {
                !known
                    .coverage
                    .gaps
                    .iter()
                    .any(|gap| gap.service == "iam" && gap.effect == GapEffect::MayHide)
            })
    }

    /// The workload at a place.
    pub fn workload_at(&self, place: Place) -> Option<&Entity> {
        let principal = self.access.principals.get(place.principal)?;
        principal.workloads.get(place.workload)
    }

    /// What a principal may put into which inlets, sorted by inlet; nothing that only an unreadable policy could give.
    pub fn rights(&self, principal: usize) -> &[InletRight] {
        let Some(known) = self.rights.get(principal) else {
            return &[];
        };
        known.get_or_init(|| self.decide_rights(principal))
    }

    /// When the session of a workload of a principal, or any session, may put something into an inlet.
    fn when(&self, principal: usize, workload: Option<usize>, inlet: usize) -> Formula {
        let rights = self.rights(principal);
        rights
            .iter()
            .find(|right| right.inlet == inlet)
            .map_or(Formula::Never, |right| right.of(workload).clone())
    }

    fn decide_rights(&self, index: usize) -> Vec<InletRight> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        let mut rights = Vec::new();
        for door in &self.by_action {
            let mut candidates = door.open.clone();
            for policy in &principal.policies {
                let address = Arc::as_ptr(&policy.document).addr();
                if let Some(reached) = door.reached.get(&address) {
                    candidates |= reached;
                }
            }
            if let Some(named) = door.named.get(&index) {
                candidates |= named;
            }
            if candidates.is_empty() {
                continue;
            }
            let own = Own::of(principal, &principal.policies, door.action);
            for number in &candidates {
                rights.extend(self.right(principal, &own, door, number as usize));
            }
        }
        rights.sort_by_key(|right| right.inlet);
        rights
    }

    fn right(
        &self,
        principal: &Principal<'_>,
        own: &Own<'_>,
        door: &Door<'_>,
        number: usize,
    ) -> Option<InletRight> {
        let inlet = self.inlets.get(number)?;
        if is_plainly_allowed(principal, own, door, inlet) {
            return Some(InletRight {
                inlet: number,
                any: Formula::Always,
                workloads: Vec::new(),
            });
        }
        // A user chooses between access key and session (E.3).
        let callers = match principal.kind {
            Kind::User => vec![
                Caller::UserWithKey(principal),
                Caller::UserWithSession(principal),
            ],
            _ => vec![Caller::Role(principal)],
        };
        let policy = Candidates::of(&inlet.policy, door.action);
        let mut any = Formula::Never;
        for caller in callers {
            let comer = Comer {
                requester: &principal.requester,
                caller,
                account: Some(principal.account),
            };
            any = any.or(self.ask(comer, own, (door, inlet, &policy), &mut |_| ()));
            if any.is_always() {
                break;
            }
        }
        let any = any.settled();
        if !any.rests_on_what_was_read() {
            return None;
        }
        let mut workloads = Vec::new();
        if !any.is_always() {
            for (place, workload) in principal.workloads.iter().enumerate() {
                let caller = Caller::Workload {
                    role: principal,
                    workload,
                };
                let requester = principal.requester_as(workload);
                let comer = Comer {
                    requester: &requester,
                    caller,
                    account: Some(principal.account),
                };
                let when = self.ask(comer, own, (door, inlet, &policy), &mut |_| ());
                let when = when.settled();
                if when != any {
                    workloads.push((place, when));
                }
            }
        }
        Some(InletRight {
            inlet: number,
            any,
            workloads,
        })
    }

    /// When a service may put something into an inlet.
    fn when_service(&self, inlet: &Inlet, requester: &Requester, caller: Caller<'_>) -> Formula {
        let own = Own {
            identity: Candidates::default(),
            boundary: None,
            session: None,
        };
        let door = self
            .by_action
            .iter()
            .find(|door| door.action == inlet.id.action);
        door.map_or(Formula::Never, |door| {
            let policy = Candidates::of(&inlet.policy, door.action);
            let comer = Comer {
                requester,
                caller,
                account: None,
            };
            self.ask(comer, &own, (door, inlet, &policy), &mut |_| ())
                .settled()
        })
    }

    /// When a request to put something into an inlet can be made that is allowed.
    fn ask<'s>(
        &'s self,
        comer: Comer<'_>,
        own: &'s Own<'s>,
        (door, inlet, policy): (&'s Door<'_>, &Inlet, &'s Candidates<'s>),
        record: &mut dyn FnMut(Matched<'s>),
    ) -> Formula {
        let Comer {
            requester,
            caller,
            account,
        } = comer;
        let allowing =
            |candidates: &Candidates<'s>, kind| -> Vec<(&'s ResourcePattern, PolicyKind)> {
                candidates
                    .statements()
                    .filter(|statement| statement.effect == Effect::Allow)
                    .flat_map(|statement| &statement.resources)
                    .filter(|resources| !resources.negated)
                    .flat_map(|resources| &resources.patterns)
                    .map(|pattern| (pattern, kind))
                    .collect()
            };
        let patterns = allowing(&own.identity, PolicyKind::Identity)
            .into_iter()
            .chain(allowing(policy, PolicyKind::Resource));
        let (resources, more) = inlet.resources(patterns);
        let keys = RequestContext {
            caller,
            target: Target::Channel {
                arn: &inlet.id.arn,
                account: &inlet.owner,
            },
            callers_organization: account.and_then(|account| self.access.organization(account)),
            targets_organization: inlet
                .account
                .and_then(|account| self.access.organization(account)),
            now: self
                .access
                .scanned_at(inlet.account.or(account).unwrap_or_default()),
            carries_tags: false,
        };
        let controls_of =
            |account: Option<usize>| account.and_then(|account| door.controls.get(account));
        let mut any = Formula::Never;
        for resource in &resources {
            let request = Request {
                requester,
                action: door.action,
                resource,
                keys: &keys,
            };
            let layers = Layers {
                identity: &own.identity,
                boundary: own.boundary.as_ref(),
                session: None,
                resource: policy,
                scps: controls_of(account).map_or(&[], |about| &about.scps),
                rcps: controls_of(inlet.account).map_or(&[], |about| &about.rcps),
                endpoint: None,
            };
            let decision = decide(&request, &inlet.owner, &layers, record);
            any = any.or(without_choices(&decision.verdict.formula(), |key| {
                is_chosen(key, &inlet.id.arn)
            }));
            if any.is_always() {
                return any;
            }
        }
        if more {
            any = any.or(Formula::open(
                OpenReason::Message,
                format!(
                    "it may write an object of {} that is delivered",
                    inlet.entity.arn
                ),
            ));
        }
        any
    }

    /// The statements by which a principal, in the session of a workload or any, may put something into an inlet, each once.
    pub fn prove(&self, principal: usize, workload: Option<usize>, inlet: usize) -> Vec<StepProof> {
        let mut proofs: Vec<StepProof> = Vec::new();
        let (Some(principal), Some(inlet)) = (
            self.access.principals.get(principal),
            self.inlets.get(inlet),
        ) else {
            return proofs;
        };
        let mut doors = self.by_action.iter();
        let Some(door) = doors.find(|door| door.action == inlet.id.action) else {
            return proofs;
        };
        let own = Own::of(principal, &principal.policies, door.action);
        let workload = workload.and_then(|place| principal.workloads.get(place));
        let (requester, caller) = match workload {
            Some(workload) => (
                principal.requester_as(workload),
                Caller::Workload {
                    role: principal,
                    workload,
                },
            ),
            None if principal.kind == Kind::User => (
                principal.requester.clone(),
                Caller::UserWithSession(principal),
            ),
            None => (principal.requester.clone(), Caller::Role(principal)),
        };
        let comer = Comer {
            requester: &requester,
            caller,
            account: Some(principal.account),
        };
        let policy = Candidates::of(&inlet.policy, door.action);
        self.ask(comer, &own, (door, inlet, &policy), &mut |matched| {
            // The policy of the own account's resource that names the account gives nothing (B.3).
            if matched.by_account && matched.statement.effect == Effect::Allow {
                return;
            }
            let proof = StepProof {
                layer: matched.layer,
                policy: Arc::clone(&matched.policy.name),
                statement: Arc::clone(&matched.statement.label),
                effect: matched.statement.effect,
            };
            if !proofs.contains(&proof) {
                proofs.push(proof);
            }
        });
        proofs
    }

    /// The queue at an index.
    pub fn queue_at(&self, queue: usize) -> Option<&'a AuditedQueue<'a>> {
        self.access.queues.get(queue)
    }
}

fn wire_order(wire: &Wire) -> impl Ord + '_ {
    (
        &wire.from,
        &wire.to,
        wire.kind,
        &wire.configured_by,
        wire.failures_only,
        wire.account,
    )
}

/// Of what no policy was collected: functions are taken to have none that lets in users or roles (only of those that services
/// invoke it is asked for); of topics and buckets elsewhere nothing is known.
fn not_collected(arn: &Arn, kind: Kind) -> Option<Policy> {
    if matches!(kind, Kind::Function | Kind::StateMachine) {
        return None;
    }
    Some(Policy {
        name: arn.shared(),
        owner: arn.shared(),
        document: Arc::new(Document::uncollected(PolicyKind::Resource)),
    })
}

/// Whether one of the principal's statements without a condition allows it and nothing can refuse.
fn is_plainly_allowed(
    principal: &Principal<'_>,
    own: &Own<'_>,
    door: &Door<'_>,
    inlet: &Inlet,
) -> bool {
    let nothing_above = |account: Option<usize>| {
        account
            .and_then(|account| door.controls.get(account))
            .is_some_and(|about| about.scps.is_empty() && about.rcps.is_empty())
    };
    let is_own = inlet.owner == principal.arn.account();
    is_own
        && own.boundary.is_none()
        && own.session.is_none()
        && nothing_above(Some(principal.account))
        && nothing_above(inlet.account)
        && !inlet.may_refuse()
        && own.identity.plainly_allows(|resources| {
            let reaches = |pattern: &ResourcePattern| {
                let reach = pattern.widest_reach(PolicyKind::Identity);
                let (asked, _) = inlet.resources(std::iter::empty());
                !pattern.has_variables()
                    && asked
                        .iter()
                        .any(|resource| reach.contains(resource) == Some(true))
            };
            resources.patterns.iter().any(reaches)
        })
}

/// Keys of the service itself are what the caller asks for: an ACL, a source of events, an encryption.
fn is_chosen(key: &str, arn: &Arn) -> bool {
    key.split_once(':')
        .is_some_and(|(service, _)| service == arn.service())
}
