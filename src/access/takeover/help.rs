//! Who has the rights that somebody lacks.

use std::sync::{Arc, OnceLock, PoisonError};

use super::super::action::Capability;
use super::super::index::QueueSet;
use super::way::Gain;
use super::{Numbers, Takeover, TakeoverFinder};

/// For sending and receiving, queues.
pub(super) type Lacking = [QueueSet; 2];

/// The queues on which one has a right, for sending and receiving.
#[derive(Debug, Default)]
pub(super) struct Holding {
    pub(super) surely: Lacking,
    pub(super) perhaps: Lacking,
}

/// Who has what somebody lacks.
#[derive(Debug, Default)]
pub(super) struct Helpful {
    pub(super) all: Sureness,
    pub(super) send: Sureness,
    pub(super) receive: Sureness,
    pub(super) polled: Sureness,
    pub(super) administrators: Sureness,
}

/// Principals by whether their rights hold whatever the circumstances.
#[derive(Debug, Default, Clone)]
pub(super) struct Sureness {
    pub(super) surely: Numbers,
    pub(super) perhaps: Numbers,
}

/// Sets of what is lacking that are remembered.
const MOST_KNOWN: usize = 64;

impl TakeoverFinder<'_> {
    pub(super) fn holding(&self, index: usize) -> &Holding {
        static NONE: OnceLock<Holding> = OnceLock::new();
        let Some(known) = self.holdings.get(index) else {
            return NONE.get_or_init(Holding::default);
        };
        known.get_or_init(|| {
            let mut holding = Holding::default();
            for rights in self.access.rights(index) {
                // Whoever acts as a role need not have the session of what ran as it before.
                let Some(session) = rights.on_each().sessions().next() else {
                    continue;
                };
                let capabilities = [Capability::Send, Capability::Receive];
                let sets = holding.surely.iter_mut().zip(&mut holding.perhaps);
                for (capability, (surely, perhaps)) in capabilities.into_iter().zip(sets) {
                    let when = session.when(capability);
                    if when.is_always() {
                        *surely |= &*rights.queues;
                    } else if when.rests_on_what_was_read() {
                        *perhaps |= &*rights.queues;
                    }
                }
            }
            holding
        })
    }

    /// For sending and receiving the queues on which a principal never has the right.
    pub fn lacking(&self, index: usize) -> [QueueSet; 2] {
        let every = self.access.every_queue();
        let mut lacking = [every.clone(), every];
        for rights in self.access.rights(index) {
            let capabilities = [Capability::Send, Capability::Receive];
            for (capability, queues) in capabilities.into_iter().zip(&mut lacking) {
                if !rights.on_each().when(capability).is_never() {
                    *queues -= &*rights.queues;
                }
            }
        }
        lacking
    }

    /// What a principal that lacks rights on these queues gains by acting as another in some way: queues to send to and to receive from, those first on which the
    /// right is sure, then those on which it hangs on conditions.
    pub fn gains(
        &self,
        [send, receive]: &[QueueSet; 2],
        takeover: &Takeover,
        target: usize,
    ) -> [[QueueSet; 2]; 2] {
        let holding = self.holding(target);
        let (sends, receives) = match takeover.way.gain {
            Gain::Send => (true, false),
            Gain::Receive => (false, true),
            Gain::All | Gain::Polled | Gain::Administrator => (true, true),
        };
        let of = |held: &Lacking| {
            let [held_send, held_receive] = held;
            let part = |does: bool, held: &QueueSet, lacks: &QueueSet| {
                if does { held & lacks } else { QueueSet::new() }
            };
            [
                part(sends, held_send, send),
                part(receives, held_receive, receive),
            ]
        };
        [of(&holding.surely), of(&holding.perhaps)]
    }

    pub(super) fn helpful(&self, index: usize) -> Arc<Helpful> {
        let lacking = self.lacking(index);
        // Nobody panics while holding the lock, and what is in the list is whole in any case.
        let known = || self.helpful.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known()
            .iter()
            .find(|(known, _)| *known == lacking)
            .map(|(_, helpful)| Arc::clone(helpful));
        if let Some(helpful) = same {
            return helpful;
        }
        let helpful = Arc::new(self.who_helps(&lacking));
        let mut known = known();
        if known.len() < MOST_KNOWN {
            known.push((lacking, Arc::clone(&helpful)));
        }
        helpful
    }

    fn who_helps(&self, [send, receive]: &Lacking) -> Helpful {
        let mut helpful = Helpful::default();
        for (number, principal) in (0..).zip(&self.access.principals) {
            let Holding { surely, perhaps } = self.holding(number as usize);
            let has = |held: &Lacking| {
                let [held_send, held_receive] = held;
                (
                    !held_send.is_disjoint(send),
                    !held_receive.is_disjoint(receive),
                )
            };
            let (sure, open) = (has(surely), has(perhaps));
            if sure == (false, false) && open == (false, false) {
                continue;
            }
            helpful.send.add(number, sure.0, open.0);
            helpful.receive.add(number, sure.1, open.1);
            let (any, may_any) = (sure.0 || sure.1, open.0 || open.1);
            helpful.all.add(number, any, may_any);
            let [_, polled] = surely;
            let [_, may_be_polled] = perhaps;
            let is_polled = !polled.is_empty();
            helpful.polled.add(
                number,
                any && is_polled,
                is_polled || !may_be_polled.is_empty(),
            );
            if principal.is_administrator() {
                helpful.administrators.add(number, any, may_any);
            }
        }
        helpful
    }
}

impl Helpful {
    pub(super) fn by(&self, gain: Gain) -> &Sureness {
        match gain {
            Gain::All => &self.all,
            Gain::Polled => &self.polled,
            Gain::Send => &self.send,
            Gain::Receive => &self.receive,
            Gain::Administrator => &self.administrators,
        }
    }
}

impl Sureness {
    fn add(&mut self, number: u32, surely: bool, perhaps: bool) {
        if surely {
            self.surely.insert(number);
        } else if perhaps {
            self.perhaps.insert(number);
        }
    }
}
