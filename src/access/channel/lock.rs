//! The keys that topics and buckets are encrypted with: who publishes to an encrypted topic, or puts an object into a bucket that
//! encrypts with a key by default, needs the key as well.
//!
//! From "Managing Amazon SNS encryption keys and costs" and "Using server-side encryption with AWS KMS keys". The default of a
//! bucket holds for objects that do not say otherwise, so that a key which refuses leaves a condition and not a refusal.

use std::cell::OnceCell;

use super::super::asker::{Comer, KnownUses};
use super::super::candidates::Candidates;
use super::super::context::Sealed;
use super::super::decide::Matched;
use super::super::key::Lock;
use super::super::principal::Principal;
use super::super::sides::{KeyUse, Own};
use super::Channels;
use super::inlet::{Inlet, PUBLISH, PUT_OBJECT};
use crate::policy::{Formula, OpenReason};

/// What somebody's own statements say about the use of keys, read when it is asked for the first time.
pub(super) struct KeysOf<'p> {
    principal: Option<&'p Principal<'p>>,
    generate: OnceCell<Own<'p>>,
    decrypt: OnceCell<Own<'p>>,
}

impl<'p> KeysOf<'p> {
    pub(super) fn principal(principal: &'p Principal<'p>) -> Self {
        Self {
            principal: Some(principal),
            ..Self::nobody()
        }
    }

    /// A service has no statements of its own.
    pub(super) fn nobody() -> Self {
        Self {
            principal: None,
            generate: OnceCell::new(),
            decrypt: OnceCell::new(),
        }
    }

    fn of(&self, usage: KeyUse) -> &Own<'p> {
        let own = match usage {
            KeyUse::Generate => &self.generate,
            KeyUse::Decrypt => &self.decrypt,
        };
        own.get_or_init(|| match self.principal {
            Some(principal) => Own::of(principal, &principal.policies, usage.action()),
            None => Own {
                identity: Candidates::default(),
                boundary: None,
                session: None,
            },
        })
    }
}

impl Inlet {
    /// Whether a key may refuse somebody who puts something in.
    pub(super) fn is_locked(&self) -> bool {
        !matches!(self.lock, Lock::Open | Lock::Unread)
    }

    /// What the key encrypts.
    pub(super) fn sealed(&self) -> Sealed<'_> {
        Sealed {
            arn: &self.id.arn,
            account: &self.owner,
        }
    }

    /// What putting something in asks of the key. Tags and ACLs are not encrypted.
    pub(super) fn key_uses(action: &str) -> &'static [KeyUse] {
        match action {
            PUBLISH => &[KeyUse::Generate, KeyUse::Decrypt],
            PUT_OBJECT => &[KeyUse::Generate],
            _ => &[],
        }
    }
}

impl<'a> Channels<'a> {
    /// When keys let the comer put something into an inlet, if it may at all.
    pub(super) fn when_unlocked<'s>(
        &'s self,
        comer: Comer<'_>,
        keys: &'s KeysOf<'_>,
        inlet: &Inlet,
        record: &mut dyn FnMut(Matched<'s>),
    ) -> Formula
    where
        'a: 's,
    {
        if !inlet.is_locked() {
            return Formula::Always;
        }
        let mut matched = Vec::new();
        let when = self.asker.unlocks_lock(
            comer,
            &|usage| keys.of(usage),
            (inlet.lock, inlet.sealed()),
            Inlet::key_uses(inlet.id.action),
            &mut KnownUses::default(),
            &mut Some(&mut matched),
        );
        let when = when.settled();
        if !when.is_never() {
            matched.into_iter().for_each(record);
        }
        if inlet.id.action != PUT_OBJECT || when.is_always() {
            return when;
        }
        when.or(Formula::open(
            OpenReason::Message,
            format!(
                "the object that is put into {} asks for another encryption than the bucket's own",
                inlet.entity.arn
            ),
        ))
    }
}
