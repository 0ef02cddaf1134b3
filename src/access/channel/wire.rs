//! What AWS delivers from where to where, and whether policies let it.
//!
//! A service that delivers on behalf of a topic, bucket or rule asks the policy of the target, as a service principal with a
//! known source (S-SVC); one that delivers as a role has that role's rights (S-ROLE). What polls a queue needs all that polling
//! takes. From the pages that section D of the project's semantics names.

use std::sync::Arc;

use super::super::action::Capability;
use super::super::asker::{Asker, Comer};
use super::super::candidates::Candidates;
use super::super::context::{Caller, Source as Behalf};
use super::super::principal::Principal;
use super::super::sides::{QueueSide, RequesterSide};
use super::configured::{Configured, action_of, plain};
use super::inlet::{InletId, Keys, START_SYNC, kind};
use super::{Channels, Place};
use crate::account::{DeliveryKind, Sender};
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::policy::{Formula, OpenReason, Requester, RequesterKind};

/// One delivery, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Wire {
    /// What it is configured as.
    pub kind: WireKind,
    /// The ARN of what configures it, or the id of an event source mapping.
    pub configured_by: Arc<str>,
    /// What messages come from, as it is shown: the API or the clock where nothing has to be put in.
    pub from: Entity,
    /// What they go to.
    pub to: Entity,
    /// Where messages are put that it takes: by index and place.
    pub sources: Vec<Stop>,
    /// Where they arrive; none where that is outside of what is audited.
    pub target: Option<Stop>,
    /// Who asks for what it needs; none where nobody has to ask.
    pub asker: Option<Entity>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Whether it carries only what failed before.
    pub failures_only: bool,
    /// When policies let it happen.
    pub when: Formula,
    /// The actions that it lacks, as AWS writes them: what policies never let happen lacks one at least, and what polls a queue
    /// may lack some and still receive.
    pub lacks: Vec<&'static str>,
    /// The index of the account in which it is configured.
    pub account: usize,
}

/// What a delivery is configured as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WireKind {
    /// A Lambda event source mapping.
    EventSourceMapping,
    /// Something else.
    Delivery(DeliveryKind),
}

impl WireKind {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventSourceMapping => "event source mapping",
            Self::Delivery(kind) => match kind {
                DeliveryKind::Subscription => "subscription",
                DeliveryKind::EventRule => "rule",
                DeliveryKind::EventBus => "delivery of dead letters",
                DeliveryKind::Notification => "notification",
                DeliveryKind::Pipe => "pipe",
                DeliveryKind::Schedule => "schedule",
                DeliveryKind::Destination => "destination",
                DeliveryKind::Task => "task",
                DeliveryKind::Integration => "integration",
                DeliveryKind::IotRule => "IoT rule",
                DeliveryKind::LifecycleHook => "lifecycle hook",
                DeliveryKind::MoveTask => "message move task",
                DeliveryKind::Crawler => "crawler",
            },
        }
    }

    /// The service that must be trusted by a role as which such a delivery is made.
    fn service(self) -> Option<&'static str> {
        match self {
            Self::EventSourceMapping => Some("lambda.amazonaws.com"),
            Self::Delivery(kind) => match kind {
                DeliveryKind::EventRule => Some("events.amazonaws.com"),
                DeliveryKind::Pipe => Some("pipes.amazonaws.com"),
                DeliveryKind::Schedule => Some("scheduler.amazonaws.com"),
                DeliveryKind::Destination => Some("lambda.amazonaws.com"),
                DeliveryKind::Task => Some("states.amazonaws.com"),
                DeliveryKind::Integration => Some("apigateway.amazonaws.com"),
                DeliveryKind::IotRule => Some("iot.amazonaws.com"),
                DeliveryKind::LifecycleHook => Some("autoscaling.amazonaws.com"),
                DeliveryKind::Crawler => Some("glue.amazonaws.com"),
                DeliveryKind::Subscription
                | DeliveryKind::EventBus
                | DeliveryKind::Notification
                | DeliveryKind::MoveTask => None,
            },
        }
    }
}

/// Where messages are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    /// In a queue, by index.
    Queue(usize),
    /// In an inlet, by index.
    Inlet(usize),
    /// With a workload.
    Workload(Place),
}

/// Decides deliveries one after the other.
pub(super) struct Decider<'c, 'a> {
    channels: &'c Channels<'a>,
    asker: Asker<'c>,
    all: &'c [Configured<'c>],
}

/// When a delivery happens, and the actions that it lacks.
struct Decided {
    when: Formula,
    lacks: Vec<&'static str>,
}

impl Decided {
    fn always() -> Self {
        Self {
            when: Formula::Always,
            lacks: Vec::new(),
        }
    }

    /// What hangs on rights that are not part of the audit.
    fn unless_refused(what: &Arn) -> Self {
        Self {
            when: Formula::open(
                OpenReason::OtherAccount,
                format!("rights on {what}, which are not part of the audit, let it happen"),
            ),
            lacks: Vec::new(),
        }
    }

    /// When everything holds that it takes, each an action with when it may be done.
    fn all(needed: impl IntoIterator<Item = (&'static str, Formula)>) -> Self {
        needed
            .into_iter()
            .fold(Self::always(), |mut all, (action, when)| {
                if when.is_never() {
                    all.lacks.push(action);
                }
                all.when = all.when.and(when);
                all
            })
    }
}

impl<'c, 'a> Decider<'c, 'a> {
    pub(super) fn new(channels: &'c Channels<'a>, all: &'c [Configured<'c>]) -> Self {
        Self {
            channels,
            asker: Asker::new(channels.access),
            all,
        }
    }

    pub(super) fn wire(&'c self, configured: &Configured<'_>) -> Wire {
        let channels = self.channels;
        let mut sources: Vec<Stop> = configured
            .begins_in(self.all)
            .iter()
            .filter_map(|id| channels.inlet(id))
            .map(Stop::Inlet)
            .collect();
        let from = if let Some(from) = &configured.from {
            sources.extend(channels.queue(from).map(Stop::Queue));
            let entity = Entity::new(kind(from), from.shared());
            sources.extend(channels.workload(&entity).map(Stop::Workload));
            entity
        } else {
            let arn = &configured.configured_by;
            let kind = Arn::parse(arn).map_or(Kind::Schedule, |arn| kind(&arn));
            Entity::new(kind, Arc::clone(arn))
        };
        let to = Entity::new(kind(&configured.to), plain(&configured.to).shared());
        let polls = configured
            .from
            .as_ref()
            .is_some_and(|from| from.service() == "sqs")
            && to.kind != Kind::Queue;
        // What polls something else than a queue, and is no function, is a pipe.
        let target = if polls || to.kind == Kind::Pipe {
            channels.workload(&to).map(Stop::Workload)
        } else {
            self.put_into(&configured.to)
        };
        let decided = match configured.sender.as_deref() {
            None => unknown(&configured.to),
            Some(Sender::Internal) => Decided::always(),
            Some(Sender::Service { name, source }) => {
                self.as_service(configured, name, source, target)
            }
            Some(Sender::Role(role)) => match &configured.from {
                // Rights on streams and brokers are not decided; who polls needs none on what it invokes.
                Some(polled) if matches!(from.kind, Kind::Stream | Kind::Broker) => {
                    Decided::unless_refused(polled)
                }
                _ => self.as_role(configured, role, target, polls),
            },
        };
        let asker = match configured.sender.as_deref() {
            None | Some(Sender::Internal) => None,
            Some(Sender::Service { name, .. }) => Some(Entity::new(Kind::Service, name.as_str())),
            Some(Sender::Role(role)) => Some(Entity::new(Kind::Role, role.shared())),
        };
        sources.sort_unstable();
        sources.dedup();
        Wire {
            kind: configured.kind,
            configured_by: Arc::clone(&configured.configured_by),
            from,
            to,
            sources,
            target,
            asker,
            enabled: configured.enabled,
            failures_only: configured.failures_only,
            when: decided.when,
            lacks: decided.lacks,
            account: configured.account,
        }
    }

    /// Where something arrives that is put into a thing.
    fn put_into(&self, to: &Arn) -> Option<Stop> {
        if let Some(queue) = self.channels.queue(to) {
            return Some(Stop::Queue(queue));
        }
        let id = InletId {
            arn: to.clone(),
            action: action_of(to)?,
            keys: Keys::default(),
        };
        self.channels.inlet(&id).map(Stop::Inlet)
    }

    /// Waiting for a state machine to end is an action of its own; what configures a delivery does not tell which it takes.
    fn started_otherwise(&self, to: &Arn) -> Option<usize> {
        self.channels.inlet(&InletId {
            arn: to.clone(),
            action: START_SYNC,
            keys: Keys::default(),
        })
    }

    /// As a service principal on behalf of a resource: the policy of the target must allow it.
    fn as_service(
        &'c self,
        configured: &Configured<'_>,
        name: &str,
        source: &Arn,
        target: Option<Stop>,
    ) -> Decided {
        let access = self.channels.access;
        let own = access.accounts.get(configured.account);
        let account = match source.account() {
            "" => own.map_or("", |account| account.id.as_str()),
            account => account,
        };
        let owner = access
            .accounts
            .iter()
            .position(|known| known.id.as_str() == account);
        let requester = Requester {
            kind: RequesterKind::Service(name.to_owned()),
            partition: "".into(),
            account: None,
            unique_id: None,
            has_boundary: false,
        };
        let caller = Caller::Service {
            name,
            source: Some(Behalf {
                arn: source,
                account,
                organization: owner.and_then(|owner| access.organization(owner)),
            }),
        };
        match target {
            Some(Stop::Queue(queue)) => {
                let Some(audited) = access.queues.get(queue) else {
                    return unknown(&configured.to);
                };
                let comer = Comer {
                    requester: &requester,
                    caller,
                    account: None,
                };
                let nothing = Candidates::default();
                let side = RequesterSide::unknown(access.tags_matter, &nothing, None);
                let queue_side = QueueSide::of(audited, access.tags_matter);
                let [when, ..] = self.asker.formulas(comer, &side, audited, &queue_side);
                if when.is_never() {
                    let [without_key, ..] =
                        self.asker
                            .formulas_without_key(comer, &side, audited, &queue_side);
                    return Decided::all([(sending(&without_key), when)]);
                }
                Decided::all([("sqs:SendMessage", when)])
            }
            Some(Stop::Inlet(index)) => {
                let Some(inlet) = self.channels.inlets.get(index) else {
                    return unknown(&configured.to);
                };
                if inlet.entity.kind == Kind::Function && !inlet.collected {
                    return unknown(&configured.to);
                }
                let (when, without_key) = self.channels.when_service(inlet, &requester, caller);
                let is_locked_out = when.is_never() && !without_key.is_never();
                let action = if is_locked_out {
                    "kms:GenerateDataKey"
                } else {
                    inlet.action()
                };
                Decided::all([(action, when)])
            }
            Some(Stop::Workload(_)) | None => unknown(&configured.to),
        }
    }

    /// As a session of a role that polls a queue.
    fn as_poller(
        &'c self,
        configured: &Configured<'_>,
        role: &Arn,
        principal: &Principal<'_>,
        on_queue: impl Fn(usize, Capability) -> Formula,
    ) -> Decided {
        let access = self.channels.access;
        let queue = configured
            .from
            .as_ref()
            .and_then(|from| self.channels.queue(from));
        let Some((queue, audited)) =
            queue.and_then(|queue| Some((queue, access.queues.get(queue)?)))
        else {
            return unknown(configured.from.as_ref().unwrap_or(role));
        };
        let comer = Comer {
            requester: &principal.requester,
            caller: Caller::Role(principal),
            account: Some(principal.account),
        };
        let attributes = self.asker.action(
            comer,
            principal,
            audited,
            "sqs:getqueueattributes",
            &mut |_| (),
        );
        // Whoever may receive is fed; without the other two rights it is fed badly: again and again, or not for long.
        let receive = on_queue(queue, Capability::Receive);
        let all = Decided::all([
            ("sqs:ReceiveMessage", receive.clone()),
            ("sqs:DeleteMessage", on_queue(queue, Capability::Delete)),
            ("sqs:GetQueueAttributes", attributes),
        ]);
        Decided {
            when: receive,
            lacks: all.lacks,
        }
    }

    /// What a role lacks that cannot send to a queue.
    fn lack_of_role(&'c self, principal: &Principal<'_>, queue: usize) -> &'static str {
        let access = self.channels.access;
        let Some(audited) = access.queues.get(queue) else {
            return "sqs:SendMessage";
        };
        let comer = Comer {
            requester: &principal.requester,
            caller: Caller::Role(principal),
            account: Some(principal.account),
        };
        let policies = principal.policies.iter();
        let side = RequesterSide::of(principal, &policies, access.tags_matter);
        let queue_side = QueueSide::of(audited, access.tags_matter);
        let [without_key, ..] = self
            .asker
            .formulas_without_key(comer, &side, audited, &queue_side);
        sending(&without_key)
    }

    /// As a session of a role.
    fn as_role(
        &'c self,
        configured: &Configured<'_>,
        role: &Arn,
        target: Option<Stop>,
        polls: bool,
    ) -> Decided {
        let access = self.channels.access;
        let Some(index) = self.channels.role(role) else {
            let is_audited = access
                .accounts
                .iter()
                .any(|account| account.id.as_str() == role.account());
            // A role that is not there gives nothing, if all roles were read.
            return if is_audited && self.channels.roles_were_read(role.account()) {
                Decided::all([("sts:AssumeRole", Formula::Never)])
            } else {
                unknown(role)
            };
        };
        let Some(principal) = access.principals.get(index) else {
            return unknown(role);
        };
        let trusts = configured.kind.service().is_none_or(|service| {
            let is_readable = principal
                .trust_policy
                .as_ref()
                .is_some_and(|policy| policy.document.readable);
            !is_readable || principal.trust.services.iter().any(|name| name == service)
        });
        if !trusts {
            return Decided::all([("sts:AssumeRole", Formula::Never)]);
        }
        // The session is that of the workload which the delivery starts or comes from, when it is one of the role's.
        let workload = [&configured.to]
            .into_iter()
            .chain(&configured.from)
            .find_map(|arn| {
                let entity = Entity::new(kind(arn), plain(arn).shared());
                principal.workloads.binary_search(&entity).ok()
            });
        let on_queue = |queue: usize, capability: Capability| {
            access.rights_on(index, queue).map_or(Formula::Never, |on| {
                let session = match workload {
                    Some(workload) => on.of_workload(workload),
                    None => on.surest(capability),
                };
                session.when(capability).clone()
            })
        };
        if polls {
            return self.as_poller(configured, role, principal, on_queue);
        }
        match target {
            Some(Stop::Queue(queue)) => {
                let when = on_queue(queue, Capability::Send);
                let lacks = if when.is_never() {
                    self.lack_of_role(principal, queue)
                } else {
                    "sqs:SendMessage"
                };
                Decided::all([(lacks, when)])
            }
            Some(Stop::Inlet(number)) => {
                let inlet = self.channels.inlets.get(number);
                let when = self.channels.when(index, workload, number);
                let action = match inlet {
                    Some(inlet)
                        if when.is_never() && self.channels.lacks_key_only(principal, inlet) =>
                    {
                        "kms:GenerateDataKey"
                    }
                    inlet => inlet.map_or("", |inlet| inlet.action()),
                };
                let otherwise = self.started_otherwise(&configured.to);
                let when = otherwise.map_or(when.clone(), |number| {
                    when.or(self.channels.when(index, workload, number))
                });
                Decided::all([(action, when)])
            }
            Some(Stop::Workload(_)) => Decided::always(),
            None => unknown(&configured.to),
        }
    }
}

/// What somebody lacks who cannot send: the right to, or the queue's key.
fn sending(without_key: &Formula) -> &'static str {
    if without_key.is_never() {
        "sqs:SendMessage"
    } else {
        "kms:GenerateDataKey"
    }
}

/// What hangs on something that is not part of the audit.
fn unknown(what: &Arn) -> Decided {
    Decided {
        when: Formula::open(
            OpenReason::OtherAccount,
            format!("{what}, whose policy is not part of the audit, lets it happen"),
        ),
        lacks: Vec::new(),
    }
}
