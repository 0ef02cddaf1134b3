//! Who has the rights that somebody lacks.

use std::sync::{Arc, OnceLock};

use roaring::MultiOps;

use super::super::index::QueueSet;
use super::standing::{ByMessage, Difference, Standings};
use super::way::Gain;
use super::{Numbers, Takeover, TakeoverFinder};
use crate::memo::Memo;

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

/// How everybody stands, and who would help whom: read when asked for, as mostly nobody could act as anybody.
#[derive(Debug)]
pub(super) struct Help {
    standings: Standings,
    every: QueueSet,
    /// What each principal lacks.
    lacking: Vec<OnceLock<Arc<Lacking>>>,
    /// The same once for all who lack the same.
    distinct: Memo<Difference, Arc<Lacking>>,
    administrators: OnceLock<Numbers>,
}

/// What somebody lacks.
#[derive(Debug)]
pub(super) struct Lacking {
    /// The queues on which there never is the right.
    queues: ByMessage,
    /// Who has it there.
    helpful: OnceLock<Helpful>,
}

impl TakeoverFinder<'_> {
    pub(super) fn help(&self) -> &Help {
        self.help.get_or_init(|| {
            let principals = self.access.principals.iter();
            Help {
                standings: Standings::of(self.access),
                every: self.access.every_queue(),
                lacking: principals.map(|_| OnceLock::new()).collect(),
                distinct: Memo::default(),
                administrators: OnceLock::new(),
            }
        })
    }

    /// What a principal lacks.
    pub(super) fn lacks(&self, index: usize) -> Option<&Arc<Lacking>> {
        let help = self.help();
        let lacks = help.lacking.get(index)?;
        Some(lacks.get_or_init(|| {
            let standings = &help.standings;
            let (own, difference) = standings.ever_own(self.access, index);
            help.distinct.of(difference, |_| {
                Arc::new(Lacking {
                    queues: standings.lacking(self.access, index, own, &help.every),
                    helpful: OnceLock::new(),
                })
            })
        }))
    }

    /// For sending and receiving the queues on which a principal never has the right.
    pub fn lacking(&self, index: usize) -> [QueueSet; 2] {
        let lacks = self.lacks(index);
        lacks.map_or_else(Default::default, |lacking| lacking.queues.clone())
    }

    /// What a principal that lacks rights on these queues gains by acting as another in some way: queues to send to and to
    /// receive from, those first on which the right is sure, then those on which it hangs on conditions.
    pub fn gains(
        &self,
        [send, receive]: &[QueueSet; 2],
        takeover: &Takeover,
        target: usize,
    ) -> [[QueueSet; 2]; 2] {
        let Some(standing) = self.help().standings.get(target) else {
            return Default::default();
        };
        let (sends, receives) = match takeover.way.gain {
            Gain::Send => (true, false),
            Gain::Receive => (false, true),
            Gain::All | Gain::Polled | Gain::Administrator => (true, true),
        };
        let of = |held: &ByMessage| {
            let [held_send, held_receive] = held;
            let part = |does: bool, held: &QueueSet, lacks: &QueueSet| {
                if does { held & lacks } else { QueueSet::new() }
            };
            [
                part(sends, held_send, send),
                part(receives, held_receive, receive),
            ]
        };
        [of(&standing.surely), of(&standing.perhaps)]
    }

    /// Who has what somebody lacks.
    pub(super) fn helpful<'l>(&self, lacking: &'l Lacking) -> &'l Helpful {
        let helpful = &lacking.helpful;
        helpful.get_or_init(|| self.who_helps(self.help(), &lacking.queues))
    }

    fn who_helps(&self, help: &Help, [send, receive]: &ByMessage) -> Helpful {
        let mut found: [Helpers<'_>; 4] = Default::default();
        let [of_any, of_send, of_receive, of_polled] = &mut found;
        for (standing, members) in help.standings.each() {
            let has = |held: &ByMessage| {
                let [held_send, held_receive] = held;
                (
                    !held_send.is_disjoint(send),
                    !held_receive.is_disjoint(receive),
                )
            };
            let (sure, open) = (has(&standing.surely), has(&standing.perhaps));
            if sure == (false, false) && open == (false, false) {
                continue;
            }
            of_send.add(members, sure.0, open.0);
            of_receive.add(members, sure.1, open.1);
            let (any, may_any) = (sure.0 || sure.1, open.0 || open.1);
            of_any.add(members, any, may_any);
            let [_, polled] = &standing.surely;
            let [_, may_be_polled] = &standing.perhaps;
            let is_polled = !polled.is_empty();
            of_polled.add(
                members,
                any && is_polled,
                is_polled || !may_be_polled.is_empty(),
            );
        }
        let [all, send, receive, polled] = found.map(Helpers::together);
        let administrators = help.administrators.get_or_init(|| {
            let each = (0..).zip(&self.access.principals);
            each.filter(|(_, principal)| principal.is_administrator())
                .map(|(number, _)| number)
                .collect()
        });
        Helpful {
            administrators: Sureness {
                surely: &all.surely & administrators,
                perhaps: &all.perhaps & administrators,
            },
            all,
            send,
            receive,
            polled,
        }
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

/// The members of standings that help, put together at last: one set after the other would be copied each time.
#[derive(Default)]
struct Helpers<'h> {
    surely: Vec<&'h Numbers>,
    perhaps: Vec<&'h Numbers>,
}

impl<'h> Helpers<'h> {
    fn add(&mut self, members: &'h Numbers, surely: bool, perhaps: bool) {
        if surely {
            self.surely.push(members);
        } else if perhaps {
            self.perhaps.push(members);
        }
    }

    fn together(self) -> Sureness {
        Sureness {
            surely: self.surely.union(),
            perhaps: self.perhaps.union(),
        }
    }
}
