//! Everything about one action that puts something into inlets, in sets: which inlets a policy document surely allows, which it
//! may reach at all, and which it may deny.
//!
//! Documents are shared, so each is compared with the inlets once. What plain statements say together is a union of sets, and
//! only the rest is decided inlet by inlet.

use std::collections::{BTreeMap, HashMap};

use roaring::MultiOps as _;

use super::super::Access;
use super::super::candidates::Candidates;
use super::super::control::ControlsAbout;
use super::super::decide::Policy;
use super::super::documents::address;
use super::super::principal::Principal;
use super::super::sides::Own;
use super::InletSet;
use super::inlet::{Guests, Inlet};
use crate::entity::Kind;
use crate::parallel::in_parallel;
use crate::policy::{
    Document, Effect, Formula, PolicyKind, ResourcePattern, ResourceSet, Statement,
};

/// One action with its inlets.
#[derive(Debug)]
pub(super) struct Door<'a> {
    pub(super) action: &'static str,
    pub(super) inlets: InletSet,
    /// The inlets whose policies let in people without naming them.
    open: InletSet,
    /// Those whose policies name one, by its index.
    named: HashMap<usize, InletSet>,
    /// Those of each account id whose policies refuse nobody.
    unguarded: HashMap<String, InletSet>,
    /// What each document says, by its address.
    documents: HashMap<usize, Known<'a>>,
    /// For each audited account what its control policies say.
    pub(super) controls: Vec<ControlsAbout<'a>>,
    /// Where they may say something that they do not say everywhere.
    controls_apart: Vec<InletSet>,
    /// The inlets before which a key stands, in sets that are locked alike, with one of each.
    locks: Vec<(u32, InletSet)>,
    /// Inlets that nothing tells apart but statements about their ARNs: a set for each account, region and kind.
    classes: Vec<InletSet>,
}

/// What a document says about an action.
#[derive(Debug, Default)]
struct Says {
    /// Where a statement without conditions allows it.
    surely: InletSet,
    /// Where it may be allowed.
    perhaps: InletSet,
    /// Where it may be denied.
    denied: InletSet,
    /// Where it may say something that it does not say everywhere.
    apart: InletSet,
}

/// A document as far as it has to do with inlets.
#[derive(Debug)]
struct Known<'a> {
    says: Says,
    /// The statements that may mean an inlet: the others never match a request of this sort, so that nobody has to ask them. None
    /// where the document has to be taken as a whole, as it cannot be read or can be read in two ways.
    statements: Option<Vec<&'a Statement>>,
}

/// For each principal whom policies of inlets name, by its index, those inlets.
fn named(access: &Access<'_>, guests: &[(u32, Guests)]) -> HashMap<usize, InletSet> {
    let mut by_name: HashMap<(Kind, &str, &str), InletSet> = HashMap::new();
    let mut by_id: HashMap<&str, InletSet> = HashMap::new();
    for (number, guests) in guests {
        for (kind, account, name) in &guests.named {
            let inlets = by_name.entry((*kind, account, name)).or_default();
            inlets.insert(*number);
        }
        for id in &guests.ids {
            by_id.entry(id).or_default().insert(*number);
        }
    }
    let principals = access.principals.iter().enumerate();
    let named = principals.map(|(index, principal)| {
        let name = (
            principal.kind,
            principal.arn.account(),
            principal.arn.name(),
        );
        let inlets = [by_name.get(&name), by_id.get(principal.id)];
        (index, inlets.into_iter().flatten().union())
    });
    named.filter(|(_, inlets)| !inlets.is_empty()).collect()
}

/// The inlets that a principal may have to do with.
pub(super) struct Reach {
    /// Where it surely may put something in.
    pub(super) surely: InletSet,
    /// Where that has to be decided.
    pub(super) perhaps: InletSet,
}

impl<'a> Door<'a> {
    pub(super) fn new(access: &'a Access<'a>, inlets: &[Inlet], action: &'static str) -> Self {
        let of_action = || {
            let numbered = (0..).zip(inlets);
            numbered.filter(|(_, inlet)| inlet.id.action == action)
        };
        let mut door = Self {
            action,
            inlets: of_action().map(|(number, _)| number).collect(),
            open: InletSet::new(),
            named: HashMap::new(),
            unguarded: HashMap::new(),
            documents: HashMap::new(),
            controls: Vec::new(),
            controls_apart: Vec::new(),
            locks: Vec::new(),
            classes: Vec::new(),
        };
        if door.inlets.is_empty() {
            return door;
        }
        let controls = access.controls.iter();
        door.controls = controls.map(|controls| controls.about(action)).collect();
        let apart = door.controls.iter().map(|controls| {
            let levels = controls.scps.iter().chain(&controls.rcps);
            let narrow = levels
                .flat_map(Candidates::statements)
                .filter(|statement| !is_about_everything(statement));
            narrow.fold(InletSet::new(), |apart, statement| {
                apart | door.reached(statement, inlets).1
            })
        });
        door.controls_apart = apart.collect();
        let guests: Vec<(u32, Guests)> = of_action()
            .map(|(number, inlet)| (number, inlet.guests()))
            .collect();
        for ((number, inlet), (_, guests)) in of_action().zip(&guests) {
            door.add_policy(number, inlet, guests);
        }
        door.named = named(access, &guests);
        let mut locks: BTreeMap<_, (u32, InletSet)> = BTreeMap::new();
        for (number, inlet) in of_action().filter(|(_, inlet)| inlet.is_locked()) {
            let arn = &inlet.id.arn;
            let only = access.contexts_matter.then_some(number);
            locks
                .entry((inlet.lock, arn.region(), &inlet.owner, only))
                .or_insert_with(|| (number, InletSet::new()))
                .1
                .insert(number);
        }
        door.locks = locks.into_values().collect();
        let mut classes: BTreeMap<_, InletSet> = BTreeMap::new();
        for (number, inlet) in of_action().filter(|(number, inlet)| door.is_plain(*number, inlet)) {
            let class = classes.entry((
                inlet.entity.kind,
                &inlet.owner,
                inlet.id.arn.region(),
                inlet.plain.len(),
            ));
            class.or_default().insert(number);
        }
        door.classes = classes.into_values().collect();
        let principals = access.principals.iter();
        let documents: HashMap<usize, &Document> = principals
            .flat_map(|principal| principal.policies.iter().chain(&principal.boundary))
            .map(|policy| (address(&policy.document), &*policy.document))
            .collect();
        let documents: Vec<(usize, &Document)> = documents.into_iter().collect();
        let known = in_parallel(&documents, |(address, document)| {
            (*address, door.known(document, inlets))
        });
        door.documents = known.into_iter().collect();
        door
    }

    /// Notes what the policy of an inlet is to those whom it does not name.
    fn add_policy(&mut self, number: u32, inlet: &Inlet, guests: &Guests) {
        let unreadable = |policy: &Policy| !policy.document.readable;
        if guests.anyone || inlet.policy.as_ref().is_some_and(unreadable) {
            self.open.insert(number);
        }
        if !inlet.may_refuse() && inlet.account.is_some() {
            let unguarded = self.unguarded.entry(inlet.owner.clone()).or_default();
            unguarded.insert(number);
        }
    }

    fn known(&self, document: &'a Document, inlets: &[Inlet]) -> Known<'a> {
        let mut says = Says::default();
        let mut statements = Vec::new();
        if !document.readable {
            says.perhaps.clone_from(&self.inlets);
            says.denied.clone_from(&self.inlets);
            says.apart.clone_from(&self.inlets);
            return Known {
                says,
                statements: None,
            };
        }
        let twice = document.readings.len() > 1;
        for statement in document.readings.iter().flatten() {
            if !statement.actions.contains(self.action) {
                continue;
            }
            let (surely, perhaps) = self.reached(statement, inlets);
            if perhaps.is_empty() {
                continue;
            }
            statements.push(statement);
            if !is_about_everything(statement) {
                says.apart |= &perhaps;
            }
            if statement.effect == Effect::Deny {
                says.denied |= perhaps;
                continue;
            }
            if !twice && statement.valid && statement.conditions.is_empty() {
                says.surely |= surely;
            }
            says.perhaps |= perhaps;
        }
        Known {
            says,
            statements: (!twice).then_some(statements),
        }
    }

    /// Whether the inlet has neither a policy nor a key nor parts of its own, and belongs to an audited account whose control
    /// policies say of it what they say of all.
    fn is_plain(&self, number: u32, inlet: &Inlet) -> bool {
        let apart = inlet
            .account
            .and_then(|account| self.controls_apart.get(account));
        inlet.policy.is_none()
            && !inlet.is_locked()
            && inlet.entity.kind != Kind::Bucket
            && apart.is_some_and(|apart| !apart.contains(number))
    }

    /// Of inlets with which a principal may have to do, sets of which each holds several on which it fares alike, whatever it may
    /// do there. A request to put something into one of them is told from the same for another by nothing but the ARN, and
    /// that no statement looks at which reaches them.
    pub(super) fn alike(&self, principal: &Principal<'_>, inlets: &InletSet) -> Vec<InletSet> {
        let Some(controls) = self.controls_apart.get(principal.account) else {
            return Vec::new();
        };
        let mut apart = controls.clone();
        for policy in principal.policies.iter().chain(&principal.boundary) {
            match self.documents.get(&address(&policy.document)) {
                Some(Known { says, .. }) => apart |= &says.apart,
                None => return Vec::new(),
            }
        }
        let alike = self.classes.iter().map(|class| (class & inlets) - &apart);
        alike.filter(|alike| alike.len() > 1).collect()
    }

    /// What a principal's own policies say about the action, but for statements that mean none of the inlets.
    pub(super) fn own<'s>(&self, principal: &'s Principal<'_>) -> Own<'s>
    where
        'a: 's,
    {
        let mut own = Own::of(principal, [], self.action);
        for policy in &principal.policies {
            let known = self.documents.get(&address(&policy.document));
            match known.and_then(|known| known.statements.as_ref()) {
                Some(statements) => {
                    for statement in statements {
                        own.identity.add_statement(policy, statement);
                    }
                }
                None => own.identity.add(policy, self.action),
            }
        }
        own
    }

    /// The inlets that the resources of a statement surely mean, and those that they may.
    fn reached(&self, statement: &Statement, inlets: &[Inlet]) -> (InletSet, InletSet) {
        let everything = || self.inlets.clone();
        let patterns = match &statement.resources {
            Some(resources) if !resources.negated => &resources.patterns,
            _ => return (InletSet::new(), everything()),
        };
        let (mut surely, mut perhaps) = (InletSet::new(), InletSet::new());
        for pattern in patterns {
            let reach = pattern.widest_reach(PolicyKind::Identity);
            if reach.is_everything() {
                return (everything(), everything());
            }
            for (number, inlet) in self.beginning_with(&reach.prefix(), inlets) {
                if !inlet.may_reach(pattern, &reach) {
                    continue;
                }
                perhaps.insert(number);
                // Two documents that each mean one version of a function need not mean the same.
                let is_sure = inlet
                    .plain
                    .iter()
                    .all(|resource| reach.contains(resource) == Some(true));
                if is_sure && !pattern.has_variables() {
                    surely.insert(number);
                }
            }
        }
        (surely, perhaps)
    }

    /// The inlets whose ARN, or that of a part of them, begins so. Inlets are sorted by ARN.
    fn beginning_with<'i>(
        &'i self,
        prefix: &'i str,
        inlets: &'i [Inlet],
    ) -> impl Iterator<Item = (u32, &'i Inlet)> {
        let from = |text: &str| inlets.partition_point(|inlet| inlet.id.arn.as_str() < text);
        let numbered = |from: usize| (from..).zip(inlets.get(from..).unwrap_or_default());
        let longer = numbered(from(prefix))
            .take_while(move |(_, inlet)| inlet.id.arn.as_str().starts_with(prefix));
        // An object is a part of its bucket, a version of its function.
        let whole = match prefix.split_once(':').map(|_| prefix.splitn(8, ':').nth(7)) {
            Some(Some(version)) => prefix
                .strip_suffix(version)
                .map(|head| head.trim_end_matches(':')),
            _ => prefix.split_once('/').map(|(head, _)| head),
        };
        let whole = whole.filter(|whole| whole.len() < prefix.len());
        let shorter = whole.into_iter().flat_map(move |whole| {
            numbered(from(whole)).take_while(move |(_, inlet)| inlet.id.arn.as_str() == whole)
        });
        longer
            .chain(shorter)
            .filter_map(|(index, inlet)| Some((u32::try_from(index).ok()?, inlet)))
            .filter(|(_, inlet)| inlet.id.action == self.action)
    }

    /// The inlets with which a principal may have to do. `is_unlocked` tells of one of those that are locked alike whether keys
    /// always let the principal.
    pub(super) fn reach(
        &self,
        index: usize,
        principal: &Principal<'_>,
        is_unlocked: impl Fn(u32) -> bool,
    ) -> Reach {
        let mut reach = self.reach_without_keys(index, principal);
        for (model, locked) in &self.locks {
            let within = &reach.surely & locked;
            if !within.is_empty() && !is_unlocked(*model) {
                reach.surely -= &within;
                reach.perhaps |= within;
            }
        }
        reach
    }

    fn reach_without_keys(&self, index: usize, principal: &Principal<'_>) -> Reach {
        let mut all = Says::default();
        for policy in &principal.policies {
            if let Some(Known { says, .. }) = self.documents.get(&address(&policy.document)) {
                all.surely |= &says.surely;
                all.perhaps |= &says.perhaps;
                all.denied |= &says.denied;
            }
        }
        if let Some(policy) = &principal.boundary {
            let Some(Known { says: limit, .. }) = self.documents.get(&address(&policy.document))
            else {
                all.surely.clear();
                return self.with_guests(index, all);
            };
            all.surely &= &limit.surely;
            all.perhaps &= &limit.perhaps;
            all.denied |= &limit.denied;
        }
        let lets_everything = self
            .controls
            .get(principal.account)
            .is_some_and(allows_everything);
        match self.unguarded.get(principal.arn.account()) {
            Some(unguarded) if lets_everything => all.surely &= unguarded,
            _ => all.surely.clear(),
        }
        self.with_guests(index, all)
    }

    /// Adds the inlets whose own policies let the principal in.
    fn with_guests(&self, index: usize, says: Says) -> Reach {
        let surely = says.surely - says.denied;
        let mut perhaps = says.perhaps | &self.open;
        if let Some(named) = self.named.get(&index) {
            perhaps |= named;
        }
        perhaps -= &surely;
        Reach { surely, perhaps }
    }
}

/// Whether a statement says the same of every resource.
fn is_about_everything(statement: &Statement) -> bool {
    statement.resources.as_ref().is_some_and(|resources| {
        let mut patterns = resources.patterns.iter();
        !resources.negated && patterns.any(ResourcePattern::is_everything)
    })
}

/// Whether control policies refuse nothing: on every level one of them allows everything, and none denies.
fn allows_everything(controls: &ControlsAbout<'_>) -> bool {
    let on_everything = |resources: &ResourceSet| {
        let mut patterns = resources.patterns.iter();
        patterns.any(ResourcePattern::is_everything)
    };
    let mut levels = controls.scps.iter().chain(&controls.rcps);
    levels.all(|level| level.plainly_allows(on_everything))
}

/// What a request needs of the resources that statements may allow, and the kinds of their policies.
pub(super) fn patterns<'s>(
    candidates: &Candidates<'s>,
    kind: PolicyKind,
) -> impl Iterator<Item = (&'s ResourcePattern, PolicyKind)> {
    let allows = candidates
        .statements()
        .filter(|statement| statement.effect == Effect::Allow);
    allows
        .flat_map(|statement| &statement.resources)
        .filter(|resources| !resources.negated)
        .flat_map(|resources| &resources.patterns)
        .map(move |pattern| (pattern, kind))
}

/// Whether something is left of a right that rests on more than unreadable policies.
pub(super) fn is_right(when: &Formula) -> bool {
    !when.is_never() && when.rests_on_what_was_read()
}
