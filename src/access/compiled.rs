//! A policy document made ready for many principals and queues: the queues that each of its statements reaches, as sets.
//!
//! A statement without a condition or a variable says the same on every queue of its set, and one whose conditions only
//! compare tags of the queue with fixed values on every queue with such tags: it is plain. Sets alone tell what plain
//! statements give together; only the rest has to be matched against requests.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use roaring::MultiOps;

use super::action::Capability;
use super::candidates::Candidates;
use super::context::is_same_for_all;
use super::decide::Policy;
use super::index::{QueueIndex, QueueSet, Reached, are_equal};
use super::sides::KeyUse;
use super::tags::TagIndex;
use crate::policy::{
    Clause, ContextKeys, Document, Effect, PolicyKind, Reach, ResourcePattern, ResourceSet,
    Statement,
};

/// Some of [`Ground::actions`], a bit for each.
pub(super) type Actions = u32;

/// A document, with where it has a say.
#[derive(Debug, Clone, Default)]
pub(super) struct Compiled<'d> {
    /// What its plain statements do, those about the same actions taken together.
    plain: Vec<Part>,
    /// Sets by whose membership queues may fare differently because of its other statements.
    cuts: Vec<Part>,
    /// Queues of which each may fare by itself.
    pub(super) singles: QueueSet,
    /// Where an Allow may apply.
    pub(super) allows: QueueSet,
    /// Where any statement about queues may apply.
    pub(super) touches: QueueSet,
    /// Queues that a key guards about which it says something.
    pub(super) locked: QueueSet,
    /// The keys of the queues' tags that it looks at, in lower case.
    pub(super) tags: BTreeSet<String>,
    /// What it looks at that differs from principal to principal beyond kind and account.
    pub(super) looks: Vec<Look<'d>>,
    /// The statements to match against requests; none where the whole document has to be, as it cannot be read or can be
    /// read in two ways.
    rest: Option<Rest<'d>>,
    /// What [`Compiled::cuts_alone`] gives.
    cuts_alone: OnceLock<Vec<QueueSet>>,
}

/// What statements of one effect say about some actions on some queues.
#[derive(Debug, Clone)]
struct Part {
    actions: Actions,
    effect: Effect,
    queues: QueueSet,
}

impl Part {
    fn is_like(&self, other: &Self) -> bool {
        self.actions == other.actions && self.effect == other.effect
    }
}

#[derive(Debug, Clone, Default)]
struct Rest<'d> {
    /// About queues, but for the plain ones.
    queues: Vec<(Actions, &'d Statement)>,
    /// About keys.
    keys: Vec<&'d Statement>,
}

impl<'d> Compiled<'d> {
    /// Adds the statements that have to be matched for the action with this place in [`Ground::actions`].
    pub(super) fn add_to(
        &self,
        candidates: &mut Candidates<'d>,
        policy: &'d Policy,
        place: usize,
        action: &str,
    ) {
        let Some(rest) = &self.rest else {
            return candidates.add(policy, action);
        };
        for (actions, statement) in &rest.queues {
            if actions & (1 << place) != 0 {
                candidates.add_statement(policy, statement);
            }
        }
    }

    /// Adds the statements about a use of keys.
    pub(super) fn add_key_use_to(
        &self,
        candidates: &mut Candidates<'d>,
        policy: &'d Policy,
        usage: KeyUse,
    ) {
        let Some(rest) = &self.rest else {
            return candidates.add(policy, usage.action());
        };
        for statement in &rest.keys {
            if statement.actions.contains(usage.action()) {
                candidates.add_statement(policy, statement);
            }
        }
    }

    /// The sets by whose membership queues fare differently because of this document alone.
    pub(super) fn cuts_alone(&self) -> &[QueueSet] {
        self.cuts_alone.get_or_init(|| {
            let plain = Plain::of(std::iter::once(self), &self.touches);
            let mut cuts = plain.cuts();
            cuts.extend(plain.other_cuts(self, None));
            cuts
        })
    }

    fn add_plain(&mut self, part: Part) {
        match self.plain.iter_mut().find(|known| known.is_like(&part)) {
            Some(known) => known.queues |= part.queues,
            None => self.plain.push(part),
        }
    }
}

/// What plain statements of several documents do together, by action.
#[derive(Debug, Clone, Default)]
pub(super) struct Plain {
    allowed: Vec<QueueSet>,
    denied: Vec<QueueSet>,
}

/// The actions that plain statements allow and deny on one queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct PlainOn {
    pub(super) allowed: Actions,
    pub(super) denied: Actions,
}

impl Plain {
    /// What documents do on the queues of a domain.
    pub(super) fn of<'c, 'd: 'c>(
        documents: impl Iterator<Item = &'c Compiled<'d>>,
        domain: &QueueSet,
    ) -> Self {
        // Statements about the same actions are taken together first: they are many, actions are few.
        let mut together: Vec<Part> = Vec::new();
        for part in documents.flat_map(|document| &document.plain) {
            // A domain of few queues leaves little to unite.
            let queues = &part.queues & domain;
            let known = together.iter_mut().find(|known| known.is_like(part));
            match known {
                Some(known) => known.queues |= queues,
                None => together.push(Part { queues, ..*part }),
            }
        }
        let mut plain = Self::default();
        for part in together {
            let sets = match part.effect {
                Effect::Allow => &mut plain.allowed,
                Effect::Deny => &mut plain.denied,
            };
            for place in places(part.actions) {
                if sets.len() <= place {
                    sets.resize(place + 1, QueueSet::new());
                }
                if let Some(set) = sets.get_mut(place) {
                    *set |= &part.queues;
                }
            }
        }
        plain
    }

    /// The sets by whose membership queues fare differently.
    pub(super) fn cuts(&self) -> Vec<QueueSet> {
        let mut cuts: Vec<QueueSet> = Vec::new();
        for set in self.allowed.iter().chain(&self.denied) {
            if !set.is_empty() && !cuts.iter().any(|known| are_equal(known, set)) {
                cuts.push(set.clone());
            }
        }
        cuts
    }

    /// The sets by whose membership queues fare differently because of the statements of a document that are not plain, but
    /// for queues on which they change nothing; as far as they lie in the domain, where only that is asked.
    pub(super) fn other_cuts(
        &self,
        document: &Compiled<'_>,
        domain: Option<&QueueSet>,
    ) -> Vec<QueueSet> {
        let mut settled: HashMap<(Actions, Effect), QueueSet> = HashMap::new();
        let cuts = document.cuts.iter().map(|cut| {
            let settled = settled
                .entry((cut.actions, cut.effect))
                .or_insert_with(|| self.settled(cut.actions, cut.effect));
            match domain {
                Some(domain) => (&cut.queues & domain) - &*settled,
                None => &cut.queues - &*settled,
            }
        });
        cuts.filter(|cut| !cut.is_empty()).collect()
    }

    /// The queues on which another statement about these actions changes nothing.
    fn settled(&self, actions: Actions, effect: Effect) -> QueueSet {
        let by_place = places(actions).map(|place| {
            let mut here = self.denied.get(place).cloned().unwrap_or_default();
            if let (Effect::Allow, Some(allowed)) = (effect, self.allowed.get(place)) {
                here |= allowed;
            }
            here
        });
        by_place.reduce(|all, here| all & here).unwrap_or_default()
    }

    /// What they do on one queue.
    pub(super) fn on(&self, queue: u32) -> PlainOn {
        let actions = |sets: &[QueueSet]| {
            sets.iter().enumerate().fold(0, |actions, (place, set)| {
                actions | (Actions::from(set.contains(queue)) << place)
            })
        };
        PlainOn {
            allowed: actions(&self.allowed),
            denied: actions(&self.denied),
        }
    }
}

/// The places of some actions.
fn places(actions: Actions) -> impl Iterator<Item = usize> {
    (0..Actions::BITS as usize).filter(move |place| actions & (1 << place) != 0)
}

/// Something that a policy looks at and that may be another for each principal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look<'d> {
    /// A condition on such a key, with fixed values: its outcome is all that matters.
    Outcome(&'d Clause),
    /// The value of such a key.
    Value(&'d str),
    /// Whether a principal element that exempts some means the principal.
    Exempt(&'d Statement),
}

/// What one statement looks at that may be another for each principal.
pub(super) fn looks_of(statement: &Statement) -> impl Iterator<Item = Look<'_>> {
    let of_clauses = statement.conditions.iter().flat_map(|clause| {
        let keys = || std::iter::once(clause.key_lower()).chain(clause.variables());
        let personal = keys().filter(|key| !is_same_for_all(key));
        if clause.variables().next().is_some() {
            personal.map(Look::Value).collect::<Vec<_>>()
        } else {
            personal.map(|_| Look::Outcome(clause)).collect()
        }
    });
    let patterns = statement.resources.iter().flat_map(|set| &set.patterns);
    let of_resources = patterns
        .flat_map(ResourcePattern::variables)
        .filter(|key| !is_same_for_all(key))
        .map(Look::Value);
    of_clauses.chain(of_resources)
}

/// The keys of the queues' tags that the statement looks at, in lower case.
pub(super) fn tags_of(statement: &Statement) -> impl Iterator<Item = &str> {
    statement
        .context_keys()
        .filter_map(|key| key.strip_prefix("aws:resourcetag/"))
}

/// What documents are compiled against.
pub(super) struct Ground<'a> {
    pub(super) index: &'a QueueIndex<'a>,
    /// Queues whose messages some customer managed key encrypts: statements about keys matter to them.
    locked: QueueSet,
    /// The ARNs of those keys, each with its queues.
    pub(super) keys: Vec<(&'a str, QueueSet)>,
    /// Which queues have which tags.
    tags: TagIndex<'a>,
    /// Every action that gives a capability, in the order in which [`super::sides::ByAction`] has them.
    actions: Vec<&'static str>,
}

impl<'a> Ground<'a> {
    pub(super) fn new(
        index: &'a QueueIndex<'a>,
        keys: Vec<(&'a str, QueueSet)>,
        tags: TagIndex<'a>,
        tags_matter: bool,
    ) -> Self {
        let actions = Capability::ALL
            .into_iter()
            .flat_map(|capability| capability.actions(tags_matter).iter().copied());
        Self {
            index,
            locked: keys.iter().map(|(_, queues)| queues).union(),
            keys,
            tags,
            actions: actions.collect(),
        }
    }

    /// Whether the statement is about queues.
    pub(super) fn is_about_queues(&self, statement: &Statement) -> bool {
        self.actions_of(statement) != 0
    }

    /// The actions that the statement is about.
    fn actions_of(&self, statement: &Statement) -> Actions {
        let bits = self.actions.iter().zip(0..);
        bits.fold(0, |actions, (action, place)| {
            actions | (Actions::from(statement.actions.contains(action)) << place)
        })
    }

    /// Whether the statement is about the keys of queues.
    pub(super) fn is_about_keys(&self, statement: &Statement) -> bool {
        !self.locked_by(statement).is_empty()
    }

    /// The queues that are guarded by keys which the statement is about.
    fn locked_by(&self, statement: &Statement) -> QueueSet {
        let about_uses = [KeyUse::Generate, KeyUse::Decrypt]
            .into_iter()
            .any(|usage| statement.actions.contains(usage.action()));
        if !about_uses || self.locked.is_empty() {
            return QueueSet::new();
        }
        let Some(set) = statement.resources.as_ref().filter(|set| !set.negated) else {
            return self.locked.clone();
        };
        let keys = self.keys.iter().filter(|(key, _)| {
            let mut patterns = set.patterns.iter();
            // The kind of policy matters to patterns only that are no whole ARN; a wider reading does no harm here.
            patterns.any(|pattern| pattern.could_match(key, PolicyKind::Identity))
        });
        keys.map(|(_, queues)| queues).union()
    }

    fn concerns(&self, statement: &Statement) -> bool {
        self.is_about_queues(statement) || self.is_about_keys(statement)
    }

    /// What the document looks at that differs from principal to principal beyond kind and account.
    pub(super) fn looks<'d>(&self, document: &'d Document) -> impl Iterator<Item = Look<'d>> {
        let statements = document.readings.iter().flatten();
        statements
            .filter(|statement| self.concerns(statement))
            .flat_map(looks_of)
    }

    /// Whether the queues that it reaches are others for each requester.
    pub(super) fn has_variables(&self, document: &Document) -> bool {
        document
            .readings
            .iter()
            .flatten()
            .any(|statement| statement.has_variable_resources() && self.concerns(statement))
    }

    /// A document made ready for requests with these keys. Keys that differ from queue to queue must be open in them.
    pub(super) fn compile<'d>(
        &self,
        document: &'d Document,
        keys: &dyn ContextKeys,
    ) -> Compiled<'d> {
        let mut compiled = Compiled::default();
        if !document.readable {
            compiled.allows.clone_from(self.index.all());
            compiled.touches.clone_from(self.index.all());
            compiled.locked.clone_from(&self.locked);
            return compiled;
        }
        if document.readings.len() == 1 {
            compiled.rest = Some(Rest::default());
        }
        for statement in document.readings.iter().flatten() {
            // A key is the same for every queue that it encrypts, so statements about keys cut nothing.
            let locked = self.locked_by(statement);
            let about_keys = !locked.is_empty();
            let actions = self.actions_of(statement);
            if about_keys || actions != 0 {
                compiled.looks.extend(looks_of(statement));
            }
            if about_keys {
                compiled.locked |= locked;
                if let Some(rest) = &mut compiled.rest {
                    rest.keys.push(statement);
                }
            }
            if actions != 0 {
                self.add(&mut compiled, statement, actions, document.kind, keys);
            }
        }
        compiled
    }

    fn add<'d>(
        &self,
        compiled: &mut Compiled<'d>,
        statement: &'d Statement,
        actions: Actions,
        kind: PolicyKind,
        keys: &dyn ContextKeys,
    ) {
        let effect = statement.effect;
        let (mut may_apply, cuts) = match &statement.resources {
            None => (Cow::Borrowed(self.index.all()), Vec::new()),
            Some(set) => {
                let (may_apply, cuts) = self.may_apply(compiled, set, kind, keys);
                (Cow::Owned(may_apply), cuts)
            }
        };
        let with_tags = self.where_tags_match(statement);
        if let Some(with_tags) = &with_tags {
            *may_apply.to_mut() &= with_tags;
        }
        if effect == Effect::Allow {
            compiled.allows |= &*may_apply;
        }
        compiled.touches |= &*may_apply;
        let is_fixed = (statement.conditions.is_empty() || with_tags.is_some())
            && statement.valid
            && statement.principal.is_none()
            && !statement.has_variable_resources()
            && cuts.len() <= 1;
        if is_fixed && compiled.rest.is_some() {
            return compiled.add_plain(Part {
                actions,
                effect,
                queues: may_apply.into_owned(),
            });
        }
        compiled.tags.extend(tags_of(statement).map(str::to_owned));
        compiled.cuts.extend(cuts.into_iter().map(|queues| Part {
            actions,
            effect,
            queues,
        }));
        if let Some(rest) = &mut compiled.rest {
            rest.queues.push((actions, statement));
        }
    }

    /// The queues on which the conditions of a statement hold, where all of them compare tags of the queue with values that
    /// are written out and nothing about it is open.
    fn where_tags_match(&self, statement: &Statement) -> Option<QueueSet> {
        let mut clauses = statement.conditions.iter();
        let first = self.tags.matching(clauses.next()?)?;
        clauses.try_fold(first, |queues, clause| {
            Some(queues & self.tags.matching(clause)?)
        })
    }

    /// The queues on which the resources of a statement may match, and the sets by which they are told apart: one at most
    /// where nothing about it is open.
    fn may_apply(
        &self,
        compiled: &mut Compiled<'_>,
        set: &ResourceSet,
        kind: PolicyKind,
        keys: &dyn ContextKeys,
    ) -> (QueueSet, Vec<QueueSet>) {
        let all = self.index.all();
        let mut cuts = Vec::new();
        let mut surely = QueueSet::new();
        let mut perhaps = QueueSet::new();
        for pattern in &set.patterns {
            let reach: Reach<'_> = pattern.reach(kind, keys);
            let Reached {
                surely: sure,
                perhaps: open,
            } = self.index.reached(&reach);
            surely |= sure;
            if open.is_empty() {
                continue;
            }
            // What is open by a variable is put in words with the queue's name.
            if pattern.has_variables() {
                compiled.singles |= &open;
            } else {
                cuts.push(open.clone());
            }
            perhaps |= open;
        }
        cuts.push(surely.clone());
        let may_apply = if set.negated {
            all - surely
        } else {
            surely | perhaps
        };
        (may_apply, cuts)
    }
}
