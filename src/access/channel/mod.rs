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
mod rights;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

#[doc(hidden)]
pub use event::read_event_pattern;
pub use inlet::{Inlet, Place};
pub use rights::{InletRight, InletRights};
pub use wire::{Stop, Wire, WireKind};

use self::door::Door;
use self::inlet::{ACTIONS, InletId, Keys};
use self::rights::SetKey;
use super::asker::Asker;
use super::context::Sealed;
use super::decide::Policy;
use super::index::QueueSet;
use super::key::{Lock, NamedKeys, lock_of};
use super::{Access, AuditedQueue};
use crate::account::Channel;
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::parallel::{few_in_parallel, in_parallel};
use crate::policy::{Document, PolicyKind};

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
