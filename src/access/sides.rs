//! The statements of everyone who has a say in a request, sorted out by action, so that each policy is read once for all the
//! requests that it takes part in.

use super::AuditedQueue;
use super::action::Capability;
use super::candidates::Candidates;
use super::compiled::{Actions, Compiled, PlainOn};
use super::control::{Controls, ControlsAbout};
use super::decide::Policy;
use super::documents::ByDocument;
use super::key::AuditedKey;
use super::listed::{Listed, OnQueue};
use super::principal::Principal;
use crate::policy::{Formula, Statement};

/// What SQS asks KMS for when a message is put in, besides decrypting; in lower case as all actions here.
const GENERATE: &str = "kms:generatedatakey";
const DECRYPT: &str = "kms:decrypt";

/// Something for every action of every capability, and for the two actions on keys.
#[derive(Debug)]
pub(super) struct ByAction<T> {
    by_capability: [Vec<T>; Capability::ALL.len()],
    generate: T,
    decrypt: T,
}

impl<T> ByAction<T> {
    pub(super) fn new(tags_matter: bool, mut about: impl FnMut(&'static str) -> T) -> Self {
        Self {
            by_capability: Capability::ALL.map(|capability| {
                capability
                    .actions(tags_matter)
                    .iter()
                    .map(|action| about(action))
                    .collect()
            }),
            generate: about(GENERATE),
            decrypt: about(DECRYPT),
        }
    }

    /// The same with something made of each, told its place among the actions of all capabilities.
    fn map<U>(&self, mut make: impl FnMut(Option<usize>, &T) -> U) -> ByAction<U> {
        let mut next = 0;
        ByAction {
            by_capability: self.by_capability.each_ref().map(|about| {
                about
                    .iter()
                    .map(|about| {
                        next += 1;
                        make(Some(next - 1), about)
                    })
                    .collect()
            }),
            generate: make(None, &self.generate),
            decrypt: make(None, &self.decrypt),
        }
    }

    /// For each action of a capability, in the order of [`Capability::actions`].
    pub(super) fn of(&self, capability: Capability) -> &[T] {
        self.by_capability
            .get(capability as usize)
            .map_or(&[], Vec::as_slice)
    }

    /// For the use of a key.
    pub(super) fn of_key(&self, usage: KeyUse) -> &T {
        match usage {
            KeyUse::Generate => &self.generate,
            KeyUse::Decrypt => &self.decrypt,
        }
    }

    fn each(&self) -> impl Iterator<Item = &T> {
        self.by_capability.iter().flatten()
    }
}

/// An action on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum KeyUse {
    /// `kms:GenerateDataKey`.
    Generate,
    /// `kms:Decrypt`.
    Decrypt,
}

impl KeyUse {
    pub(super) fn of(action: &str) -> Option<Self> {
        [Self::Generate, Self::Decrypt]
            .into_iter()
            .find(|usage| usage.action() == action)
    }

    /// The action, in lower case.
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Generate => GENERATE,
            Self::Decrypt => DECRYPT,
        }
    }
}

/// A requester's own statements about one action.
#[derive(Debug)]
pub(super) struct Own<'a> {
    pub(super) identity: Candidates<'a>,
    pub(super) boundary: Option<Candidates<'a>>,
    pub(super) session: Option<Candidates<'a>>,
}

impl<'a> Own<'a> {
    /// The statements of a principal about an action, of its identity policies those of `policies`.
    pub(super) fn of(
        principal: &'a Principal<'_>,
        policies: impl IntoIterator<Item = &'a Policy>,
        action: &str,
    ) -> Self {
        Self {
            identity: Candidates::of(policies, action),
            boundary: principal
                .boundary
                .as_ref()
                .map(|boundary| Candidates::limiting([boundary], action)),
            session: None,
        }
    }

    /// Leaves out the statements for which `is_about` does not hold, as they match nothing that will be asked.
    pub(super) fn keep(&mut self, is_about: impl Fn(&Statement) -> bool) {
        for candidates in [
            Some(&mut self.identity),
            self.boundary.as_mut(),
            self.session.as_mut(),
        ]
        .into_iter()
        .flatten()
        {
            candidates.keep(&is_about);
        }
    }
}

/// A requester's own statements.
#[derive(Debug)]
pub(super) struct RequesterSide<'a> {
    pub(super) own: ByAction<Own<'a>>,
    /// Whether its identity-based policies allow nothing at all on queues.
    pub(super) allows_nothing: bool,
}

impl<'a> RequesterSide<'a> {
    /// The side of a principal with these of its identity policies.
    pub(super) fn of(
        principal: &'a Principal<'_>,
        policies: &(impl Iterator<Item = &'a Policy> + Clone),
        tags_matter: bool,
    ) -> Self {
        Self::new(tags_matter, |action| {
            Own::of(principal, policies.clone(), action)
        })
    }

    /// The side of a principal with all its identity policies, but for statements that are listed as not being about a queue.
    pub(super) fn on_queue(
        principal: &'a Principal<'_>,
        listed: &ByDocument<Option<Listed>>,
        (queue, arn): (usize, &str),
        tags_matter: bool,
    ) -> Self {
        let policies: Vec<(&Policy, Option<OnQueue>)> = principal
            .policies
            .iter()
            .map(|policy| {
                let listed = listed.get(&policy.document).and_then(Option::as_ref);
                (
                    policy,
                    listed.map(|listed| listed.on(&policy.document, queue, arn)),
                )
            })
            .collect();
        let mut places = 0_usize..;
        Self::new(tags_matter, |action| {
            let place = places.next();
            let mut own = Own::of(principal, [], action);
            for (policy, listed) in &policies {
                match place
                    .zip(listed.as_ref())
                    .and_then(|(place, listed)| listed.get(place))
                {
                    Some(about) => own.identity.add_statements_at(policy, about),
                    None => own.identity.add(policy, action),
                }
            }
            own
        })
    }

    /// The side of a principal with these of its identity policies, but for what their plain statements say.
    pub(super) fn of_compiled(
        principal: &'a Principal<'_>,
        policies: &[(&'a Policy, &Compiled<'a>)],
        tags_matter: bool,
    ) -> Self {
        let mut places = 0..;
        Self::new(tags_matter, |action| {
            let usage = KeyUse::of(action);
            let place = if usage.is_none() { places.next() } else { None };
            let mut own = Own::of(principal, [], action);
            for (policy, compiled) in policies {
                match (usage, place) {
                    (Some(usage), _) => compiled.add_key_use_to(&mut own.identity, policy, usage),
                    (None, Some(place)) => {
                        compiled.add_to(&mut own.identity, policy, place, action);
                    }
                    (None, None) => {}
                }
            }
            own
        })
    }

    /// The side of a principal that got a policy that allows everything.
    pub(super) fn allowing_everything(principal: &'a Principal<'_>, tags_matter: bool) -> Self {
        Self::new(tags_matter, |action| {
            let mut own = Own::of(principal, &principal.policies, action);
            own.identity.allow_everything();
            own
        })
    }

    /// The same with what plain statements say on one queue.
    pub(super) fn with(&self, plain: PlainOn) -> Self {
        let own = self.own.map(|place, own| {
            let has = |actions: Actions| place.is_some_and(|place| actions & (1 << place) != 0);
            Own {
                identity: own.identity.with(has(plain.allowed), has(plain.denied)),
                boundary: own.boundary.clone(),
                session: own.session.clone(),
            }
        });
        let allows_nothing = own.each().all(|own| own.identity.allows_nothing());
        Self {
            own,
            allows_nothing,
        }
    }

    /// The side of somebody whose policies are not known: `identity` and `session` stand for them.
    pub(super) fn unknown(
        tags_matter: bool,
        identity: &Candidates<'a>,
        session: Option<&Candidates<'a>>,
    ) -> Self {
        Self::new(tags_matter, |_| Own {
            identity: identity.clone(),
            boundary: None,
            session: session.cloned(),
        })
    }

    fn new(tags_matter: bool, about: impl FnMut(&'static str) -> Own<'a>) -> Self {
        let own = ByAction::new(tags_matter, about);
        let allows_nothing = own.each().all(|own| own.identity.allows_nothing());
        Self {
            own,
            allows_nothing,
        }
    }
}

/// A queue policy's statements.
#[derive(Debug)]
pub(super) struct QueueSide<'a> {
    pub(super) policy: ByAction<Candidates<'a>>,
    /// Whether the queue policy allows nothing at all.
    pub(super) allows_nothing: bool,
}

impl<'a> QueueSide<'a> {
    pub(super) fn without_policy(tags_matter: bool) -> Self {
        Self {
            policy: ByAction::new(tags_matter, |_| Candidates::default()),
            allows_nothing: true,
        }
    }

    /// The side of a queue whose policy lets everybody do everything.
    pub(super) fn open_to_all(tags_matter: bool) -> Self {
        Self {
            policy: ByAction::new(tags_matter, |_| Candidates::open(Formula::Always)),
            allows_nothing: false,
        }
    }

    pub(super) fn of(audited: &'a AuditedQueue<'_>, tags_matter: bool) -> Self {
        let policy = ByAction::new(tags_matter, |action| {
            Candidates::of(&audited.policy, action)
        });
        let allows_nothing = policy.each().all(Candidates::allows_nothing);
        Self {
            policy,
            allows_nothing,
        }
    }
}

/// The statements of a key's policy and grants.
pub(super) type KeySide<'a> = ByAction<Candidates<'a>>;

pub(super) fn key_side<'a>(audited: &'a AuditedKey<'_>) -> KeySide<'a> {
    ByAction::new(false, |action| Candidates::of(&audited.policies, action))
}

/// The statements of the control policies above an account.
pub(super) type ControlSide<'a> = ByAction<ControlsAbout<'a>>;

pub(super) fn control_side(controls: &Controls, tags_matter: bool) -> ControlSide<'_> {
    ByAction::new(tags_matter, |action| controls.about(action))
}
