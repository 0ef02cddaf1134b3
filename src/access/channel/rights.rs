//! Who may put something into which inlet: decided when asked for, over all layers, like every other request.

use std::sync::{Arc, OnceLock, PoisonError};

use super::door::{Door, is_right, patterns};
use super::inlet::Inlet;
use super::lock::KeysOf;
use super::{Channels, InletSet};
use crate::access::asker::Comer;
use crate::access::assume::StepProof;
use crate::access::candidates::Candidates;
use crate::access::choices::without_choices;
use crate::access::context::{Caller, RequestContext, Target};
use crate::access::decide::{Layer, Layers, Matched, reborrowed, when_allowed};
use crate::access::index::are_equal;
use crate::access::principal::Principal;
use crate::access::sides::Own;
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::{Effect, Formula, OpenReason, PolicyKind, Request, Requester};

/// What tells most sets apart: their size, the first and the last.
pub(super) type SetKey = (u64, Option<u32>, Option<u32>);

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

impl Channels<'_> {
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
    pub(super) fn lacks_key_only(&self, principal: &Principal<'_>, inlet: &Inlet) -> bool {
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
    pub(super) fn when_service(
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
