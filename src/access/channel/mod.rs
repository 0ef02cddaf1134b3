//! What messages pass through besides queues, who may put something in, and what AWS delivers from where to where.
//!
//! An [`Inlet`] is a topic, bus, bucket, stream, function or state machine that something can be put into; a [`Wire`] is a delivery with
//! when policies let it happen. Both are found in what was collected. Who may put something into which inlet is decided when
//! asked for, like every other request, over all layers; what many principals carry alike is compared once.

mod configured;
mod door;
mod event;
mod inlet;
mod lock;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

#[doc(hidden)]
pub use event::read_event_pattern;
pub use inlet::{Inlet, Place};
pub use wire::{Stop, Wire, WireKind};

use self::door::{Door, is_right, patterns};
use self::inlet::{ACTIONS, InletId, Keys};
use self::lock::KeysOf;
use super::asker::{Asker, Comer};
use super::assume::StepProof;
use super::choices::without_choices;
use super::context::{Caller, RequestContext, Sealed, Target};
use super::decide::{Candidates, Layer, Layers, Matched, Policy, reborrowed, when_allowed};
use super::index::{QueueSet, are_equal};
use super::key::{Lock, NamedKeys, lock_of};
use super::principal::Principal;
use super::sides::Own;
use super::{Access, AuditedQueue};
use crate::account::Channel;
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::parallel::{few_in_parallel, in_parallel};
use crate::policy::{Document, Effect, Formula, OpenReason, PolicyKind, Request, Requester};

/// Numbers of inlets.
pub type InletSet = QueueSet;

/// Inlets and wires of the audited accounts.
#[derive(Debug)]
pub struct Channels<'a> {
    access: &'a Access<'a>,
    /// Decides about keys.
    asker: Asker<'a>,
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
    /// For each principal what it may put into which inlets, once that was asked for.
    rights: Vec<OnceLock<InletRights>>,
    /// Sets that many principals share.
    shared: Mutex<HashMap<SetKey, Vec<Arc<InletSet>>>>,
}

/// What tells most sets apart: their size, the first and the last.
type SetKey = (u64, Option<u32>, Option<u32>);

/// Into which inlets a principal may put something.
#[derive(Debug, Default)]
pub struct InletRights {
    /// Where it always may, in every session.
    pub surely: Arc<InletSet>,
    /// Where that hangs on conditions or the session, sorted by the first inlet: no inlet belongs to two.
    pub others: Vec<InletRight>,
}

/// When a principal may put something into inlets on which it fares alike.
#[derive(Debug, Clone, PartialEq)]
pub struct InletRight {
    /// The inlets, by index.
    pub inlets: Arc<InletSet>,
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

impl InletRights {
    /// The inlets with when the principal may put something in: always, when one of its workloads always may.
    pub fn surest(&self) -> impl Iterator<Item = (usize, &Formula)> {
        let surely = self
            .surely
            .iter()
            .map(|inlet| (inlet as usize, &Formula::Always));
        let others = self.others.iter().flat_map(|right| {
            let mut each = right.workloads.iter().map(|(_, when)| when);
            let when = each.find(|when| when.is_always()).unwrap_or(&right.any);
            right.inlets.iter().map(move |inlet| (inlet as usize, when))
        });
        surely.chain(others)
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
            asker: Asker::new(access),
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
            shared: Mutex::default(),
        };
        let configured = configured::of(access.accounts);
        let mut ids: BTreeSet<InletId> = configured
            .iter()
            .flat_map(|delivery| delivery.inlets(&configured))
            .collect();
        ids.extend(channels.started_by_callers());
        channels.add_inlets(ids);
        channels.by_action = few_in_parallel(&ACTIONS, |action| {
            Door::new(access, &channels.inlets, action)
        });
        let wires: Vec<Wire> = {
            let decider = wire::Decider::new(&channels, &configured);
            in_parallel(&configured, |delivery| decider.wire(delivery))
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
        entities.flat_map(|entity| {
            let actions: &[&'static str] = match entity.kind {
                Kind::Function => &[inlet::INVOKE],
                Kind::StateMachine => &[inlet::START, inlet::START_SYNC],
                _ => &[],
            };
            actions.iter().filter_map(|action| {
                Some(InletId {
                    arn: Arn::parse(&entity.arn).ok()?,
                    action,
                    keys: Keys::default(),
                })
            })
        })
    }

    fn add_inlets(&mut self, ids: BTreeSet<InletId>) {
        let policies = inlet::policies(self.access.accounts);
        let keys = NamedKeys::new(self.access.accounts, &self.access.keys);
        let accounts = self.access.accounts.iter();
        let channels: HashMap<&Arn, &Channel> = accounts
            .clone()
            .flat_map(|account| &account.channels)
            .map(|channel| (&channel.arn, channel))
            .collect();
        // The first account in which each was collected.
        let mut collected_in: HashMap<&Arn, usize> = HashMap::new();
        for (index, account) in accounts.enumerate() {
            for channel in &account.channels {
                collected_in.entry(&channel.arn).or_insert(index);
            }
        }
        for id in ids {
            let entity = Entity::new(inlet::kind(&id.arn), configured::plain(&id.arn).shared());
            let account = match id.arn.account() {
                "" => collected_in.get(&id.arn).copied(),
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
            let lock = channels.get(&id.arn).map_or(Lock::Open, |channel| {
                if Inlet::key_uses(id.action).is_empty() {
                    return Lock::Open;
                }
                let sealed = Sealed {
                    arn: &id.arn,
                    account: &owner,
                };
                lock_of(&channel.encryption, sealed, &keys)
            });
            let policy = match policies.get(&id.arn) {
                Some(policy) => policy.clone(),
                None => not_collected(&id.arn, entity.kind),
            };
            self.numbers.insert(id.clone(), self.inlets.len());
            self.inlets.push(Inlet {
                leads_to: self.workload(&entity),
                plain: id.plain(),
                entity,
                id,
                owner,
                account,
                policy,
                collected,
                lock,
            });
        }
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
            .is_some_and(|known| known.coverage.principals_were_read())
    }

    /// The workload at a place.
    pub fn workload_at(&self, place: Place) -> Option<&Entity> {
        let principal = self.access.principals.get(place.principal)?;
        principal.workloads.get(place.workload)
    }

    /// What a principal may put into which inlets; nothing that only an unreadable policy could give.
    pub fn rights(&self, principal: usize) -> &InletRights {
        static NONE: OnceLock<InletRights> = OnceLock::new();
        match self.rights.get(principal) {
            Some(known) => known.get_or_init(|| self.decide_rights(principal)),
            None => NONE.get_or_init(InletRights::default),
        }
    }

    /// When the session of a workload of a principal, or any session, may put something into an inlet.
    pub fn when(&self, principal: usize, workload: Option<usize>, inlet: usize) -> Formula {
        let rights = self.rights(principal);
        let Ok(inlet) = u32::try_from(inlet) else {
            return Formula::Never;
        };
        if rights.surely.contains(inlet) {
            return Formula::Always;
        }
        rights
            .others
            .iter()
            .find(|right| right.inlets.contains(inlet))
            .map_or(Formula::Never, |right| right.of(workload).clone())
    }

    fn decide_rights(&self, index: usize) -> InletRights {
        let Some(principal) = self.access.principals.get(index) else {
            return InletRights::default();
        };
        let mut surely = InletSet::new();
        let mut others = Vec::new();
        let keys = KeysOf::principal(principal);
        for door in &self.by_action {
            if door.inlets.is_empty() {
                continue;
            }
            let reach = door.reach(index, principal, |model| {
                self.is_unlocked(principal, &keys, model)
            });
            surely |= reach.surely;
            if reach.perhaps.is_empty() {
                continue;
            }
            let own = door.own(principal);
            let mut one_by_one = reach.perhaps.clone();
            for alike in door.alike(principal, &reach.perhaps) {
                let Some(model) = alike.min() else {
                    continue;
                };
                one_by_one -= &alike;
                if let Some(right) = self.right(principal, (&own, &keys), door, model) {
                    others.push(InletRight {
                        inlets: self.share(alike),
                        ..right
                    });
                }
            }
            for number in &one_by_one {
                others.extend(self.right(principal, (&own, &keys), door, number));
            }
        }
        others.sort_by_key(|right| right.inlets.min());
        InletRights {
            surely: self.share(surely),
            others,
        }
    }

    /// When any session of a principal may put something into each inlet, each decided by itself: what
    /// [`Channels::rights`] must equal.
    #[doc(hidden)]
    pub fn rights_one_by_one(&self, principal: usize) -> Vec<InletRight> {
        let Some(of) = self.access.principals.get(principal) else {
            return Vec::new();
        };
        let mut rights = Vec::new();
        let keys = KeysOf::principal(of);
        for door in &self.by_action {
            let own = Own::of(of, &of.policies, door.action);
            for number in &door.inlets {
                rights.extend(self.right(of, (&own, &keys), door, number));
            }
        }
        rights.sort_by_key(|right| right.inlets.min());
        rights
    }

    /// The same set, kept once for all who have it.
    fn share(&self, set: InletSet) -> Arc<InletSet> {
        let key = (set.len(), set.min(), set.max());
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let alike = shared.entry(key).or_default();
        if let Some(known) = alike.iter().find(|known| are_equal(known, &set)) {
            Arc::clone(known)
        } else {
            let set = Arc::new(set);
            alike.push(Arc::clone(&set));
            set
        }
    }

    /// Whether keys always let a principal put something into an inlet, in every session.
    fn is_unlocked(&self, principal: &Principal<'_>, keys: &KeysOf<'_>, inlet: u32) -> bool {
        let Some(inlet) = self.inlets.get(inlet as usize) else {
            return false;
        };
        let any = callers(principal)
            .into_iter()
            .map(|caller| {
                let comer = Comer {
                    requester: &principal.requester,
                    caller,
                    account: Some(principal.account),
                };
                self.when_unlocked(comer, keys, inlet, &mut |_| ())
            })
            .fold(Formula::Never, Formula::or);
        any.settled().is_always()
    }

    /// Whether some session of a principal could put something into an inlet, were it not for the key.
    fn lacks_key_only(&self, principal: &Principal<'_>, inlet: &Inlet) -> bool {
        let mut doors = self.by_action.iter();
        let Some(door) = doors.find(|door| door.action == inlet.id.action) else {
            return false;
        };
        let own = Own::of(principal, &principal.policies, door.action);
        let policy = inlet_policy(inlet, door.action);
        inlet.is_locked()
            && callers(principal).into_iter().any(|caller| {
                let comer = Comer {
                    requester: &principal.requester,
                    caller,
                    account: Some(principal.account),
                };
                let about = (door, inlet, &policy);
                let when = self.ask_without_key(comer, &own, about, None);
                is_right(&when.settled())
            })
    }

    fn right(
        &self,
        principal: &Principal<'_>,
        (own, keys): (&Own<'_>, &KeysOf<'_>),
        door: &Door<'_>,
        number: u32,
    ) -> Option<InletRight> {
        let inlet = self.inlets.get(number as usize)?;
        let callers = callers(principal);
        let policy = inlet_policy(inlet, door.action);
        let mut any = Formula::Never;
        for caller in callers {
            let comer = Comer {
                requester: &principal.requester,
                caller,
                account: Some(principal.account),
            };
            any = any.or(self.ask(comer, (own, keys), (door, inlet, &policy), None));
            if any.is_always() {
                break;
            }
        }
        let any = any.settled();
        if !is_right(&any) {
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
                let when = self.ask(comer, (own, keys), (door, inlet, &policy), None);
                let when = when.settled();
                if when != any {
                    workloads.push((place, when));
                }
            }
        }
        Some(InletRight {
            inlets: Arc::new(InletSet::from([number])),
            any,
            workloads,
        })
    }

    /// When a service may put something into an inlet: at all, and but for the key.
    fn when_service(
        &self,
        inlet: &Inlet,
        requester: &Requester,
        caller: Caller<'_>,
    ) -> (Formula, Formula) {
        let own = Own {
            identity: Candidates::default(),
            boundary: None,
            session: None,
        };
        let door = self
            .by_action
            .iter()
            .find(|door| door.action == inlet.id.action);
        door.map_or((Formula::Never, Formula::Never), |door| {
            let policy = inlet_policy(inlet, door.action);
            let comer = Comer {
                requester,
                caller,
                account: None,
            };
            let without_key = self
                .ask_without_key(comer, &own, (door, inlet, &policy), None)
                .settled();
            let keys = KeysOf::nobody();
            let unlocked = self.when_unlocked(comer, &keys, inlet, &mut |_| ());
            (without_key.clone().and(unlocked).settled(), without_key)
        })
    }

    /// When a request to put something into an inlet can be made that is allowed.
    fn ask<'s>(
        &'s self,
        comer: Comer<'_>,
        (own, keys): (&'s Own<'s>, &'s KeysOf<'_>),
        about: (&'s Door<'_>, &Inlet, &'s Candidates<'s>),
        mut record: Option<&mut dyn FnMut(Matched<'s>)>,
    ) -> Formula {
        let (_, inlet, _) = about;
        let any = self.ask_without_key(comer, own, about, reborrowed(&mut record));
        if any.is_never() {
            return any;
        }
        let unlocked = match record {
            Some(record) => self.when_unlocked(comer, keys, inlet, record),
            None => self.when_unlocked(comer, keys, inlet, &mut |_| ()),
        };
        any.and(unlocked)
    }

    /// The same but for the key.
    fn ask_without_key<'s>(
        &'s self,
        comer: Comer<'_>,
        own: &'s Own<'s>,
        (door, inlet, policy): (&'s Door<'_>, &Inlet, &'s Candidates<'s>),
        mut record: Option<&mut dyn FnMut(Matched<'s>)>,
    ) -> Formula {
        let Comer {
            requester,
            caller,
            account,
        } = comer;
        let patterns = patterns(&own.identity, PolicyKind::Identity)
            .chain(patterns(policy, PolicyKind::Resource));
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
        let layers = Layers {
            identity: &own.identity,
            boundary: own.boundary.as_ref(),
            session: None,
            resource: policy,
            scps: controls_of(account).map_or(&[], |about| &about.scps),
            rcps: controls_of(inlet.account).map_or(&[], |about| &about.rcps),
            endpoint: None,
        };
        let request = |resource| Request {
            requester,
            action: door.action,
            resource,
            keys: &keys,
        };
        let chosen = |key: &str| is_chosen(key, &inlet.id.arn);
        let mut any = Formula::Never;
        for resource in &resources {
            let record = reborrowed(&mut record);
            let when = when_allowed(&request(resource), &inlet.owner, &layers, record);
            any = any.or(without_choices(&when, chosen));
            if any.is_always() {
                return any;
            }
        }
        if more {
            // Some object may be meant that was not found: it counts if nothing else stands in the way.
            let mut identity = own.identity.clone();
            identity.allow_everything();
            let limits = Layers {
                identity: &identity,
                ..layers
            };
            let resource = inlet.plain.first().map_or("*", String::as_str);
            let request = request(resource);
            let when = when_allowed(&request, &inlet.owner, &limits, None);
            let limits = without_choices(&when, chosen);
            any = any.or(limits.and(Formula::open(
                OpenReason::Message,
                format!(
                    "it may write an object of {} that is delivered",
                    inlet.entity.arn
                ),
            )));
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
        let policy = inlet_policy(inlet, door.action);
        let own = (&own, &KeysOf::principal(principal));
        let mut note = |matched: Matched<'_>| {
            // The policy of the own account's resource that names the account gives nothing (B.3), unless that is a key.
            if matched.by_account
                && matched.statement.effect == Effect::Allow
                && matched.layer != Layer::Kms
            {
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
        };
        self.ask(comer, own, (door, inlet, &policy), Some(&mut note));
        proofs
    }

    /// The queue at an index.
    pub fn queue_at(&self, queue: usize) -> Option<&'a AuditedQueue<'a>> {
        self.access.queues.get(queue)
    }
}

/// The ways in which a principal can come: a user chooses between access key and session (E.3).
fn callers<'p>(principal: &'p Principal<'p>) -> Vec<Caller<'p>> {
    match principal.kind {
        Kind::User => vec![
            Caller::UserWithKey(principal),
            Caller::UserWithSession(principal),
        ],
        _ => vec![Caller::Role(principal)],
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

/// Of what no policy was collected: functions are taken to have none that lets in users or roles. Only of those that services
/// invoke it is asked for: a call for every function, of which Lambda answers few in a second, would add those principals
/// alone that a function names and that have no right of their own, which those of its account seldom need and others
/// have a part in the flow only when their account is audited as well. Of topics and buckets elsewhere nothing is known.
fn not_collected(arn: &Arn, kind: Kind) -> Option<Policy> {
    if matches!(kind, Kind::Function | Kind::StateMachine | Kind::Stream) {
        return None;
    }
    Some(Policy {
        name: arn.shared(),
        owner: arn.shared(),
        document: Arc::new(Document::uncollected(PolicyKind::Resource)),
    })
}

/// What the policy of an inlet says about the action. Of one that belongs to an account which is not audited nothing is known:
/// whether it lets somebody in stays a condition.
fn inlet_policy<'s>(inlet: &'s Inlet, action: &str) -> Candidates<'s> {
    if inlet.collected || inlet.account.is_some() {
        return Candidates::of(&inlet.policy, action);
    }
    Candidates::open(Formula::open(
        OpenReason::OtherAccount,
        format!("the policy of {} allows it as well", inlet.entity.arn),
    ))
}

/// Keys of the service itself are what the caller asks for: an ACL, a source of events, an encryption.
fn is_chosen(key: &str, arn: &Arn) -> bool {
    key.split_once(':')
        .is_some_and(|(service, _)| service == arn.service())
}
