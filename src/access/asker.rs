//! When somebody has a capability on a queue: each action that gives it, decided over all layers, and the queue's key.

use std::collections::HashMap;

use super::action::Capability;
use super::candidates::Candidates;
use super::context::{Caller, RequestContext, Sealed, Target};
use super::decide::{Layer, Layers, Matched, when_allowed};
use super::key::Lock;
use super::principal::Principal;
use super::rights::Formulas;
use super::sides::{
    ControlSide, KeySide, KeyUse, Own, QueueSide, RequesterSide, control_side, key_side,
};
use super::{Access, AuditedQueue};
use crate::policy::{Effect, Formula, OpenReason, Request, Requester, RequesterKind};

/// Somebody who comes to a queue.
#[derive(Clone, Copy)]
pub(super) struct Comer<'c> {
    pub(super) requester: &'c Requester,
    pub(super) caller: Caller<'c>,
    /// The index of its account among those audited.
    pub(super) account: Option<usize>,
}

/// Asks for capabilities, with everything about queues' keys and accounts' control policies at hand.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    access: &'a Access<'a>,
    /// For each audited account.
    controls: Vec<ControlSide<'a>>,
    /// For each key of [`Access::keys`].
    keys: Vec<KeySide<'a>>,
    /// The side of a queue whose policy lets everybody do everything.
    open: QueueSide<'a>,
}

/// What one comer may do with keys, as far as it was asked: many queues are encrypted with one key.
#[derive(Default)]
pub(super) struct KnownUses<'t>(HashMap<KeyRequest<'t>, Formula>);

/// What may tell two requests of one comer to KMS apart.
#[derive(PartialEq, Eq, Hash)]
struct KeyRequest<'t> {
    /// Of [`Access::keys`].
    key: usize,
    usage: KeyUse,
    /// The service that asks, by its name and region.
    service: (&'t str, &'t str),
    /// The ARN of the queue, where some policy looks at the encryption context (K7).
    context: Option<&'t str>,
}

/// The action that writes a queue's policy: the capability it gives, its place among the actions of that, and its name.
pub(super) const WRITE_POLICY: (Capability, usize, &str) =
    (Capability::Administer, 0, "sqs:setqueueattributes");

/// One action on one resource, with the statements about it that do not belong to the requester.
struct Asked<'s, 't> {
    action: &'static str,
    target: Target<'t>,
    /// The index of the account that holds the resource.
    account: usize,
    policy: &'s Candidates<'s>,
    scps: &'s [Candidates<'s>],
    rcps: &'s [Candidates<'s>],
}

impl<'a> Asker<'a> {
    pub(super) fn new(access: &'a Access<'a>) -> Self {
        Self {
            access,
            controls: access
                .controls
                .iter()
                .map(|controls| control_side(controls, access.tags_matter))
                .collect(),
            keys: access.keys.iter().map(key_side).collect(),
            open: QueueSide::open_to_all(access.tags_matter),
        }
    }

    /// When each capability is there, but for the queue's key.
    pub(super) fn formulas_without_key(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &AuditedQueue<'_>,
        queue_side: &'a QueueSide<'a>,
    ) -> Formulas {
        Capability::ALL.map(|capability| {
            self.when_without_key(comer, side, audited, queue_side, capability, &mut None)
        })
    }

    /// When each capability is there.
    pub(super) fn formulas(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &AuditedQueue<'_>,
        queue_side: &'a QueueSide<'a>,
    ) -> Formulas {
        Capability::ALL
            .map(|capability| self.when(comer, side, audited, queue_side, capability, None))
    }

    /// When the capability is there. Deleting is asked by itself here; that it needs a message received first is for
    /// [`needing_receipt`] to say. `record` takes the statements that have a part in it.
    pub(super) fn when(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &AuditedQueue<'_>,
        queue_side: &'a QueueSide<'a>,
        capability: Capability,
        mut record: Option<&mut Vec<Matched<'a>>>,
    ) -> Formula {
        let any = self.when_without_key(comer, side, audited, queue_side, capability, &mut record);
        if any.is_never() {
            return any;
        }
        let known = &mut KnownUses::default();
        both(
            any,
            self.when_unlocked(comer, side, audited, capability, known, &mut record),
        )
    }

    /// When one capability is there, but for the queue's key.
    pub(super) fn when_without_key(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &AuditedQueue<'_>,
        queue_side: &'a QueueSide<'a>,
        capability: Capability,
        record: &mut Option<&mut Vec<Matched<'a>>>,
    ) -> Formula {
        let actions = capability.actions(self.access.tags_matter);
        let own = side.own.of(capability);
        let policies = queue_side.policy.of(capability);
        let mut any = Formula::Never;
        for (index, (action, (own, policy))) in
            actions.iter().zip(own.iter().zip(policies)).enumerate()
        {
            any = any.or(self.when_action(
                comer,
                own,
                audited,
                policy,
                (capability, index, action),
                record,
            ));
            if any.is_always() && record.is_none() {
                break;
            }
        }
        any
    }

    /// When one of the actions that give a capability is there; `place` is its place among them.
    fn when_action(
        &'a self,
        comer: Comer<'_>,
        own: &'a Own<'a>,
        audited: &AuditedQueue<'_>,
        policy: &'a Candidates<'a>,
        (capability, place, action): (Capability, usize, &'static str),
        record: &mut Option<&mut Vec<Matched<'a>>>,
    ) -> Formula {
        if own.identity.allows_nothing() && policy.allows_nothing() {
            return Formula::Never;
        }
        let asked = Asked {
            action,
            target: Target::Queue(audited.queue),
            account: audited.account,
            policy,
            scps: self
                .controls_of(comer.account)
                .and_then(|controls| controls.of(capability).get(place))
                .map_or(&[], |about| &about.scps),
            rcps: self
                .controls_of(Some(audited.account))
                .and_then(|controls| controls.of(capability).get(place))
                .map_or(&[], |about| &about.rcps),
        };
        self.decide(comer, own, &asked, record)
    }

    /// When the comer may write the queue's policy.
    pub(super) fn may_write_policy(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &AuditedQueue<'_>,
        queue_side: &'a QueueSide<'a>,
    ) -> Formula {
        let own = side.own.of(WRITE_POLICY.0).get(WRITE_POLICY.1);
        let policy = queue_side.policy.of(WRITE_POLICY.0).get(WRITE_POLICY.1);
        match (own, policy) {
            (Some(own), Some(policy)) => {
                self.when_action(comer, own, audited, policy, WRITE_POLICY, &mut None)
            }
            _ => Formula::Never,
        }
    }

    /// The statements by which the comer may write the queue's policy, `own` and `policy` being about that action.
    pub(super) fn prove_writing_policy(
        &'a self,
        comer: Comer<'_>,
        own: &'a Own<'a>,
        audited: &AuditedQueue<'_>,
        policy: &'a Candidates<'a>,
    ) -> Vec<Matched<'a>> {
        let mut matched = Vec::new();
        let record = &mut Some(&mut matched);
        self.when_action(comer, own, audited, policy, WRITE_POLICY, record);
        matched
    }

    /// When the comer would have a capability if the queue's policy let everybody do everything: explicit denies elsewhere and
    /// control policies still refuse. A boundary does not, as the policy can name a user or a session (B.3), nor does a key,
    /// since whoever writes the policy can turn encryption off with it (K9).
    pub(super) fn when_policy_is_open(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &AuditedQueue<'_>,
        capability: Capability,
    ) -> Formula {
        self.when_without_key(comer, side, audited, &self.open, capability, &mut None)
    }

    /// When keys let the comer use the capability on the queue, if it has it at all.
    pub(super) fn when_unlocked<'t>(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &'t AuditedQueue<'_>,
        capability: Capability,
        known: &mut KnownUses<'t>,
        record: &mut Option<&mut Vec<Matched<'a>>>,
    ) -> Formula
    where
        'a: 't,
    {
        match capability {
            Capability::Send => self.may_encrypt(comer, side, audited, known, record),
            Capability::Receive => self.may_read(comer, side, audited, known, record),
            // Deleting and purging need no key (C.4), nor does changing the queue (K9).
            Capability::Delete | Capability::Purge | Capability::Administer => Formula::Always,
        }
    }

    /// When a principal may do one action that belongs to no capability. `record` is told the statements that have a part in it.
    pub(super) fn action(
        &self,
        comer: Comer<'_>,
        principal: &Principal<'_>,
        audited: &AuditedQueue<'_>,
        action: &'static str,
        record: &mut dyn FnMut(&Matched<'_>),
    ) -> Formula {
        let about = |account: usize| {
            let controls = self.access.controls.get(account);
            controls
                .map(|controls| controls.about(action))
                .unwrap_or_default()
        };
        let (above_caller, above_queue) = (about(principal.account), about(audited.account));
        let own = Own::of(principal, &principal.policies, action);
        let policy = Candidates::of(&audited.policy, action);
        let asked = Asked {
            action,
            target: Target::Queue(audited.queue),
            account: audited.account,
            policy: &policy,
            scps: &above_caller.scps,
            rcps: &above_queue.rcps,
        };
        let mut matched = Vec::new();
        let when = self.decide(comer, &own, &asked, &mut Some(&mut matched));
        matched.iter().for_each(record);
        when
    }

    fn controls_of(&self, account: Option<usize>) -> Option<&ControlSide<'a>> {
        self.controls.get(account?)
    }

    /// Sending to an encrypted queue takes a data key, and decrypting one that was made before.
    fn may_encrypt<'t>(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &'t AuditedQueue<'_>,
        known: &mut KnownUses<'t>,
        record: &mut Option<&mut Vec<Matched<'a>>>,
    ) -> Formula {
        let both = [KeyUse::Generate, KeyUse::Decrypt];
        self.unlocks(comer, side, audited, &both, known, record)
    }

    /// Receiving takes the queue's key; for messages that were moved here from another queue, that queue's (K4). Where both
    /// share one key the messages still differ in their encryption context (K7).
    fn may_read<'t>(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &'t AuditedQueue<'_>,
        known: &mut KnownUses<'t>,
        record: &mut Option<&mut Vec<Matched<'a>>>,
    ) -> Formula
    where
        'a: 't,
    {
        let decrypt = [KeyUse::Decrypt];
        let own = self.unlocks(comer, side, audited, &decrypt, known, record);
        let mut all = own.clone();
        for source in &audited.sent_to {
            let Some(from) = self.access.queues.get(*source) else {
                continue;
            };
            if all.is_never() {
                break;
            }
            let unlocks = self.unlocks(comer, side, from, &decrypt, known, record);
            if unlocks.is_always() || (from.lock == audited.lock && unlocks == own) {
                continue;
            }
            all = all.and(unlocks.or(Formula::open(
                OpenReason::Message,
                format!(
                    "the message was not moved here from queue {}, whose key it may not use",
                    from.queue.arn.name()
                ),
            )));
        }
        all
    }

    /// When the comer may use the lock of a queue in every one of these ways.
    fn unlocks<'t>(
        &'a self,
        comer: Comer<'_>,
        side: &'a RequesterSide<'a>,
        audited: &'t AuditedQueue<'_>,
        uses: &[KeyUse],
        known: &mut KnownUses<'t>,
        record: &mut Option<&mut Vec<Matched<'a>>>,
    ) -> Formula {
        let sealed = Sealed {
            arn: &audited.queue.arn,
            account: audited.queue.arn.account(),
        };
        let own = |usage| side.own.of_key(usage);
        self.unlocks_lock(comer, &own, (audited.lock, sealed), uses, known, record)
    }

    /// When the comer, whose statements about the use of keys are `own`, may use the lock of what is sealed in every one of these
    /// ways.
    pub(super) fn unlocks_lock<'s, 't>(
        &'s self,
        comer: Comer<'_>,
        own: &dyn Fn(KeyUse) -> &'s Own<'s>,
        (lock, sealed): (Lock, Sealed<'t>),
        uses: &[KeyUse],
        known: &mut KnownUses<'t>,
        record: &mut Option<&mut Vec<Matched<'s>>>,
    ) -> Formula
    where
        'a: 's,
    {
        let is_anonymous = comer.requester.kind == RequesterKind::Anonymous;
        let index = match lock {
            Lock::Open => return Formula::Always,
            // Nobody without credentials can use a key (B.7).
            _ if is_anonymous => return Formula::Never,
            Lock::Unusable => return Formula::Never,
            Lock::Unread => return Formula::Always,
            Lock::AwsManaged => {
                let account = comer.requester.account.as_deref();
                return Formula::constant(account == Some(sealed.account));
            }
            Lock::Key(index) => index,
        };
        let (Some(key), Some(statements)) = (self.access.keys.get(index), self.keys.get(index))
        else {
            return Formula::Always;
        };
        uses.iter().fold(Formula::Always, |all, usage| {
            if all.is_never() {
                return all;
            }
            let request = KeyRequest {
                key: index,
                usage: *usage,
                service: (sealed.arn.service(), sealed.arn.region()),
                context: self.access.contexts_matter.then(|| sealed.arn.as_str()),
            };
            if let Some(when) = known.0.get(&request) {
                return all.and(when.clone());
            }
            let asked = Asked {
                action: usage.action(),
                target: Target::Key {
                    key: key.key,
                    sealed,
                },
                account: key.account,
                policy: statements.of_key(*usage),
                scps: self
                    .controls_of(comer.account)
                    .map_or(&[], |controls| &controls.of_key(*usage).scps),
                rcps: self
                    .controls_of(Some(key.account))
                    .map_or(&[], |controls| &controls.of_key(*usage).rcps),
            };
            let when = self.decide(comer, own(*usage), &asked, record);
            known.0.insert(request, when.clone());
            all.and(when)
        })
    }

    fn decide<'s>(
        &'s self,
        comer: Comer<'_>,
        own: &'s Own<'s>,
        asked: &Asked<'s, '_>,
        record: &mut Option<&mut Vec<Matched<'s>>>,
    ) -> Formula
    where
        'a: 's,
    {
        let context = RequestContext {
            caller: comer.caller,
            target: asked.target,
            callers_organization: comer
                .account
                .and_then(|account| self.access.organization(account)),
            targets_organization: self.access.organization(asked.account),
            now: self.access.scanned_at(asked.account),
            carries_tags: asked.action.contains("tagqueue") || asked.action == "sqs:createqueue",
        };
        let (arn, of_key) = match asked.target {
            Target::Queue(queue) => (&queue.arn, false),
            Target::Key { key, .. } => (&key.arn, true),
            Target::Identity { arn, .. } | Target::Channel { arn, .. } => (arn, false),
        };
        let request = Request {
            requester: comer.requester,
            action: asked.action,
            resource: arn.as_str(),
            keys: &context,
        };
        let layers = Layers {
            identity: &own.identity,
            boundary: own.boundary.as_ref(),
            session: own.session.as_ref(),
            resource: asked.policy,
            scps: asked.scps,
            rcps: asked.rcps,
            endpoint: None,
        };
        let mut matched = Vec::new();
        let mut note = |statement| matched.push(statement);
        let noted: Option<&mut dyn FnMut(Matched<'s>)> = match record {
            Some(_) => Some(&mut note),
            None => None,
        };
        let when = when_allowed(&request, arn.account(), &layers, noted);
        // What an action matched that is refused after all gives nothing.
        if let Some(record) = record
            && !when.is_never()
        {
            let in_own_account = comer.requester.account.as_deref() == Some(arn.account());
            if in_own_account {
                drop_idle_delegations(&mut matched, of_key);
            }
            record.extend(matched.into_iter().map(|mut statement| {
                if of_key && statement.layer == Layer::Resource {
                    statement.layer = Layer::Kms;
                }
                statement
            }));
        }
        when
    }
}

/// A capability that the queue's key stands before.
pub(super) fn both(capability: Formula, unlocked: Formula) -> Formula {
    match (&capability, &unlocked) {
        (_, Formula::Always) | (Formula::Never, _) => capability,
        _ => capability.and(unlocked).settled(),
    }
}

/// Takes out the statements of a resource policy that name the requester's account, which is the resource's own too, and give
/// nothing: the account's own policies count anyway (B.3). Only a key policy must name the account for them to count, and
/// then one of them must allow.
fn drop_idle_delegations(matched: &mut Vec<Matched<'_>>, of_key: bool) {
    let identity_allows = matched.iter().any(|statement| {
        statement.layer == Layer::Identity && statement.statement.effect == Effect::Allow
    });
    if of_key && identity_allows {
        return;
    }
    matched.retain(|statement| {
        !(statement.layer == Layer::Resource
            && statement.statement.effect == Effect::Allow
            && statement.by_account)
    });
}

/// Without receiving there is no receipt handle to delete with (C.2).
pub(super) fn needing_receipt(mut formulas: Formulas) -> Formulas {
    let [_, receive, delete, ..] = &mut formulas;
    if !delete.is_never() {
        *delete = std::mem::replace(delete, Formula::Never)
            .and(receive.clone())
            .settled();
    }
    formulas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_writes_a_policy_is_found_by_its_place() {
        let (capability, place, action) = WRITE_POLICY;
        for tags_matter in [false, true] {
            assert_eq!(capability.actions(tags_matter)[place], action);
        }
    }
}
