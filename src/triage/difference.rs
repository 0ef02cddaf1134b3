//! Who can do what to which queue in one reading and not in another, and which change of the account made the difference.
//!
//! What was gained is proved in the later reading, what was lost in the earlier one. The change is the one that made or removed
//! a statement of that proof. Where every statement of it stands in both readings, something else let it through or held it up (a
//! Deny, a boundary, a condition): then every change that touches the two sides is named, and is not called certain unless it is
//! the only one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::changes::{AccountChange, How};
use crate::access::{Access, Capability, Proof, Provers, QueueSet, inline_name};
use crate::finding::{Certainty, Entity, Kind, MOST_RESOURCES};
use crate::policy::{Effect, Formula};

/// A difference in what somebody can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessChange {
    /// Who.
    pub principal: Entity,
    /// What.
    pub capability: Capability,
    /// How it differs.
    pub turn: Turn,
    /// On which queues, sorted; at most [`MOST_RESOURCES`].
    pub queues: Vec<Arc<str>>,
    /// How many queues there are besides.
    pub more_queues: u64,
    /// What made the difference, sorted.
    pub causes: Vec<AccountChange>,
    /// Whether it is known that the causes are causes; otherwise they are all that could be.
    pub certain: bool,
}

/// How a right differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turn {
    /// It was not there.
    Gained,
    /// It held under conditions only, and holds always.
    Firmer,
    /// It holds under other conditions.
    OtherConditions,
    /// It held always, and holds under conditions only.
    Weaker,
    /// It is no longer there.
    Lost,
}

impl Turn {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gained => "gained",
            Self::Firmer => "unconditional",
            Self::OtherConditions => "other-conditions",
            Self::Weaker => "conditional",
            Self::Lost => "lost",
        }
    }

    /// Whether the earlier reading proves it.
    fn is_proved_before(self) -> bool {
        matches!(self, Self::Lost | Self::Weaker)
    }
}

/// The differences in access, sorted by principal, capability and turn.
pub fn access_changes(
    old: &Access<'_>,
    new: &Access<'_>,
    changes: &BTreeSet<AccountChange>,
) -> Vec<AccessChange> {
    let arns: BTreeSet<Arc<str>> = old
        .queues
        .iter()
        .chain(&new.queues)
        .map(|audited| audited.queue.arn.shared())
        .collect();
    let arns: Vec<Arc<str>> = arns.into_iter().collect();
    let (old, new) = (Side::of(old, &arns), Side::of(new, &arns));
    let mut found = Vec::new();
    let principals: BTreeSet<&Entity> = old.places.keys().chain(new.places.keys()).collect();
    for principal in principals {
        for capability in Capability::ALL {
            let turns = turns(
                &old.held(principal, capability),
                &new.held(principal, capability),
            );
            for (turn, queues) in turns {
                found.extend(explained(
                    (principal, capability, turn),
                    &queues,
                    &arns,
                    (&old, &new),
                    changes,
                ));
            }
        }
    }
    let outsiders: BTreeSet<&(Entity, Capability)> =
        old.outsiders.keys().chain(new.outsiders.keys()).collect();
    let nobody = Held::default();
    for key in outsiders {
        let before = old.outsiders.get(key).unwrap_or(&nobody);
        let after = new.outsiders.get(key).unwrap_or(&nobody);
        for (turn, queues) in turns(before, after) {
            found.extend(explained(
                (&key.0, key.1, turn),
                &queues,
                &arns,
                (&old, &new),
                changes,
            ));
        }
    }
    found.sort_by(|a, b| {
        let key = |one: &AccessChange| (one.principal.clone(), one.capability, one.turn);
        key(a).cmp(&key(b)).then_with(|| a.queues.cmp(&b.queues))
    });
    found
}

/// On which queues a right is held, in common numbers: for each way in which it holds, the queues.
type Held = BTreeMap<Holds, QueueSet>;

/// How a right holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    Always,
    /// Under these conditions.
    When(Vec<String>),
}

/// One reading with its queues in common numbers.
struct Side<'a> {
    access: &'a Access<'a>,
    provers: Provers<'a>,
    /// Users and roles.
    places: BTreeMap<Entity, usize>,
    /// The common number of each queue.
    common: Vec<u32>,
    /// The own number of a queue by its common one.
    own: HashMap<u32, usize>,
    /// Whether both count alike, so that sets need no translation.
    is_alike: bool,
    outsiders: BTreeMap<(Entity, Capability), Held>,
    /// The groups of each user.
    groups: HashMap<Entity, BTreeSet<Entity>>,
    /// The policies of each group, as evidence names them.
    carried: HashMap<Entity, BTreeSet<String>>,
}

impl<'a> Side<'a> {
    fn of(access: &'a Access<'a>, arns: &[Arc<str>]) -> Self {
        let numbers: HashMap<&str, u32> = arns.iter().map(|arn| &**arn).zip(0..).collect();
        let common: Vec<u32> = access
            .queues
            .iter()
            .filter_map(|audited| numbers.get(audited.queue.arn.as_str()).copied())
            .collect();
        let mut side = Self {
            access,
            provers: access.provers(),
            places: access
                .principals
                .iter()
                .enumerate()
                .map(|(place, one)| (Entity::new(one.kind, one.arn.shared()), place))
                .collect(),
            own: common.iter().copied().zip(0..).collect(),
            is_alike: common
                .iter()
                .copied()
                .eq(0..u32::try_from(arns.len()).unwrap_or(0)),
            common,
            outsiders: BTreeMap::new(),
            groups: groups(access),
            carried: carried(access),
        };
        side.outsiders = side.outsiders();
        side
    }

    fn in_common(&self, queues: &QueueSet) -> QueueSet {
        if self.is_alike {
            return queues.clone();
        }
        let numbers = queues.iter();
        numbers
            .filter_map(|own| self.common.get(own as usize).copied())
            .collect()
    }

    fn held(&self, principal: &Entity, capability: Capability) -> Held {
        let mut held = Held::new();
        let Some(place) = self.places.get(principal) else {
            return held;
        };
        for rights in self.access.rights(*place) {
            if let Some(way) = way(rights.on_each().when(capability)) {
                *held.entry(way).or_default() |= self.in_common(&rights.queues);
            }
        }
        held
    }

    fn outsiders(&self) -> BTreeMap<(Entity, Capability), Held> {
        let mut outsiders: BTreeMap<(Entity, Capability), Held> = BTreeMap::new();
        for (audited, number) in self.access.queues.iter().zip(&self.common) {
            for outsider in &audited.outsiders {
                for capability in Capability::ALL {
                    if let Some(way) = way(outsider.when(capability)) {
                        let held = outsiders.entry((outsider.who.entity(), capability));
                        let queues = held.or_default().entry(way).or_default();
                        queues.insert(*number);
                    }
                }
            }
        }
        outsiders
    }

    /// What proves a right, and the policy of the queue.
    fn proofs(&self, principal: &Entity, queue: u32, capability: Capability) -> Vec<Proof> {
        let Some(queue) = self.own.get(&queue).copied() else {
            return Vec::new();
        };
        if let Some(place) = self.places.get(principal) {
            let prover = self.provers.of(*place);
            return prover.map_or_else(Vec::new, |prover| prover.prove(queue, capability).to_vec());
        }
        let outsiders = self
            .access
            .queues
            .get(queue)
            .map_or(&[][..], |audited| &audited.outsiders);
        outsiders
            .iter()
            .filter(|outsider| outsider.who.entity() == *principal)
            .flat_map(|outsider| &outsider.proofs)
            .filter(|proof| proof.capability == capability)
            .cloned()
            .collect()
    }

    /// The user or role itself and the groups that it gets rights from.
    fn carriers(&self, principal: &Entity) -> BTreeSet<Entity> {
        let groups = self.groups.get(principal).into_iter().flatten();
        groups.chain([principal]).cloned().collect()
    }

    /// The names of the policies that bear on a principal.
    fn policies(&self, principal: &Entity) -> BTreeSet<&str> {
        let place = self.places.get(principal);
        let principal = place.and_then(|place| self.access.principals.get(*place));
        principal.map_or_else(BTreeSet::new, |principal| {
            let policies = principal.policies.iter().chain(&principal.boundary);
            policies.map(|policy| &*policy.name).collect()
        })
    }
}

fn groups(access: &Access<'_>) -> HashMap<Entity, BTreeSet<Entity>> {
    let mut groups = HashMap::new();
    for account in access.accounts {
        let by_name: HashMap<&str, Entity> = account
            .groups
            .iter()
            .map(|group| {
                (
                    group.arn.name(),
                    Entity::new(Kind::Group, group.arn.shared()),
                )
            })
            .collect();
        for user in &account.users {
            let of_user = user.groups.iter();
            let of_user = of_user.filter_map(|name| by_name.get(name.as_str()).cloned());
            groups.insert(
                Entity::new(Kind::User, user.arn.shared()),
                of_user.collect(),
            );
        }
    }
    groups
}

fn carried(access: &Access<'_>) -> HashMap<Entity, BTreeSet<String>> {
    let groups = access.accounts.iter().flat_map(|account| &account.groups);
    groups
        .map(|group| {
            let inline = group.inline.iter();
            let inline = inline.map(|policy| inline_name(Kind::Group, &group.arn, &policy.name));
            let policies = inline.chain(group.attached.iter().map(ToString::to_string));
            (
                Entity::new(Kind::Group, group.arn.shared()),
                policies.collect(),
            )
        })
        .collect()
}

/// How a right holds; none when it does not. What only an unreadable policy could give does not.
fn way(when: &Formula) -> Option<Holds> {
    if !when.rests_on_what_was_read() {
        return None;
    }
    Some(match Certainty::of(when) {
        Certainty::Allowed => Holds::Always,
        Certainty::Conditional => Holds::When(when.conditions()),
    })
}

/// The queues on which a right turned, for each turn.
fn turns(before: &Held, after: &Held) -> Vec<(Turn, QueueSet)> {
    if before == after {
        return Vec::new();
    }
    let all = |held: &Held| {
        held.values()
            .fold(QueueSet::new(), |all, queues| all | queues)
    };
    let always = |held: &Held| held.get(&Holds::Always).cloned().unwrap_or_default();
    let (any_before, any_after) = (all(before), all(after));
    let (sure_before, sure_after) = (always(before), always(after));
    let (open_before, open_after) = (&any_before - &sure_before, &any_after - &sure_after);
    let mut other = &open_before & &open_after;
    for (way, queues) in before {
        if *way != Holds::Always
            && let Some(same) = after.get(way)
        {
            other -= queues & same;
        }
    }
    [
        (Turn::Gained, &any_after - &any_before),
        (Turn::Firmer, &open_before & &sure_after),
        (Turn::OtherConditions, other),
        (Turn::Weaker, &sure_before & &open_after),
        (Turn::Lost, &any_before - &any_after),
    ]
    .into_iter()
    .filter(|(_, queues)| !queues.is_empty())
    .collect()
}

/// One difference for all queues with the same causes. Beyond [`MOST_RESOURCES`] queues the rest is counted with the first.
fn explained(
    (principal, capability, turn): (&Entity, Capability, Turn),
    queues: &QueueSet,
    arns: &[Arc<str>],
    (old, new): (&Side<'_>, &Side<'_>),
    changes: &BTreeSet<AccountChange>,
) -> Vec<AccessChange> {
    let mut by_cause: BTreeMap<(Vec<AccountChange>, bool), Vec<Arc<str>>> = BTreeMap::new();
    for number in queues.iter().take(MOST_RESOURCES) {
        let Some(arn) = arns.get(number as usize) else {
            continue;
        };
        let queue = Entity::new(Kind::Queue, Arc::clone(arn));
        let question = Question {
            principal,
            queue: &queue,
            number,
            capability,
            turn,
        };
        let causes = question.causes((old, new), changes);
        by_cause.entry(causes).or_default().push(Arc::clone(arn));
    }
    let mut besides = queues.len().saturating_sub(MOST_RESOURCES as u64);
    by_cause
        .into_iter()
        .map(|((causes, certain), queues)| AccessChange {
            principal: principal.clone(),
            capability,
            turn,
            queues,
            more_queues: std::mem::take(&mut besides),
            causes,
            certain,
        })
        .collect()
}

/// One difference whose cause is looked for.
struct Question<'q> {
    principal: &'q Entity,
    queue: &'q Entity,
    /// The queue's common number.
    number: u32,
    capability: Capability,
    turn: Turn,
}

impl Question<'_> {
    /// The causes, sorted, and whether they are known to be causes.
    fn causes(
        &self,
        (old, new): (&Side<'_>, &Side<'_>),
        changes: &BTreeSet<AccountChange>,
    ) -> (Vec<AccountChange>, bool) {
        for end in [self.principal, self.queue] {
            let came = AccountChange::Created(end.clone());
            let went = AccountChange::Deleted(end.clone());
            if let Some(whole) = [came, went].iter().find(|change| changes.contains(change)) {
                return (vec![whole.clone()], true);
            }
        }
        let side = if self.turn.is_proved_before() {
            old
        } else {
            new
        };
        let proofs = side.proofs(self.principal, self.number, self.capability);
        let carriers = side.carriers(self.principal);
        let mut causes: BTreeSet<AccountChange> = BTreeSet::new();
        for proof in proofs.iter().filter(|proof| proof.effect == Effect::Allow) {
            causes.extend(
                changes
                    .iter()
                    .filter(|change| self.makes(change, proof, side, &carriers))
                    .cloned(),
            );
        }
        if !causes.is_empty() {
            return (causes.into_iter().collect(), true);
        }
        let bearing: BTreeSet<&str> = old
            .policies(self.principal)
            .into_iter()
            .chain(new.policies(self.principal))
            .chain(proofs.iter().map(|proof| &*proof.policy))
            .chain([&*self.queue.arn])
            .collect();
        let carriers: BTreeSet<Entity> = old
            .carriers(self.principal)
            .into_iter()
            .chain(new.carriers(self.principal))
            .collect();
        let touching: Vec<AccountChange> = changes
            .iter()
            .filter(|change| self.is_touched_by(change, &bearing, &carriers))
            .cloned()
            .collect();
        let is_only = touching.len() == 1;
        (touching, is_only)
    }

    /// Whether a change made the statement of a proof bear on the principal, or took it away.
    fn makes(
        &self,
        change: &AccountChange,
        proof: &Proof,
        side: &Side<'_>,
        carriers: &BTreeSet<Entity>,
    ) -> bool {
        let gives = |group: &Entity| {
            let policies = side.carried.get(group);
            policies.is_some_and(|policies| policies.contains(&*proof.policy))
        };
        let is_gain = !self.turn.is_proved_before();
        match change {
            AccountChange::Attached { policy, to } => {
                is_gain && **policy == *proof.policy && (carriers.contains(to) || to == self.queue)
            }
            AccountChange::Detached { policy, from } => {
                !is_gain
                    && **policy == *proof.policy
                    && (carriers.contains(from) || from == self.queue)
            }
            AccountChange::Joined { user, group } => {
                is_gain && user == self.principal && gives(group)
            }
            AccountChange::Left { user, group } => {
                !is_gain && user == self.principal && gives(group)
            }
            AccountChange::Statement {
                policy,
                statement,
                how,
            } => {
                let fits = match how {
                    How::Added => is_gain,
                    How::Removed => !is_gain,
                    How::Changed => true,
                };
                fits && **policy == *proof.policy && **statement == *proof.statement
            }
            _ => false,
        }
    }

    fn is_touched_by(
        &self,
        change: &AccountChange,
        bearing: &BTreeSet<&str>,
        carriers: &BTreeSet<Entity>,
    ) -> bool {
        match change {
            AccountChange::Statement { policy, .. } => bearing.contains(policy.as_str()),
            AccountChange::Organization(_) => true,
            other => other
                .subject()
                .is_some_and(|subject| carriers.contains(subject) || subject == self.queue),
        }
    }
}
