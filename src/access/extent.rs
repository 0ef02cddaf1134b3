//! Where a policy document has a say: the queues that each of its statements reaches, as sets.

use std::collections::BTreeSet;

use super::action::Capability;
use super::context::is_same_for_all;
use super::index::{QueueIndex, QueueSet, Reached};
use super::sides::KeyUse;
use crate::policy::{
    Clause, ContextKeys, Document, Effect, PolicyKind, Reach, ResourcePattern, ResourceSet,
    Statement,
};

/// The queues that a document has a say on.
#[derive(Debug, Clone, Default)]
pub(super) struct Extent {
    /// Sets by whose membership queues may fare differently.
    pub(super) cuts: Vec<QueueSet>,
    /// Queues of which each may fare by itself.
    pub(super) singles: QueueSet,
    /// Where an Allow may apply.
    pub(super) allows: QueueSet,
    /// Where any statement about queues may apply.
    pub(super) touches: QueueSet,
    /// Whether it says something about keys, which matters wherever one encrypts.
    pub(super) keys: bool,
    /// The keys of the queues' tags that it looks at, in lower case.
    pub(super) tags: BTreeSet<String>,
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

/// What extents are measured against.
pub(super) struct Ground<'a> {
    pub(super) index: &'a QueueIndex<'a>,
    /// Queues whose messages some customer managed key encrypts: statements about keys matter to them.
    pub(super) locked: QueueSet,
    /// Every action that gives a capability, and those on keys.
    pub(super) actions: Vec<&'static str>,
}

impl<'a> Ground<'a> {
    pub(super) fn new(index: &'a QueueIndex<'a>, locked: QueueSet, tags_matter: bool) -> Self {
        let actions: BTreeSet<&'static str> = Capability::ALL
            .into_iter()
            .flat_map(|capability| capability.actions(tags_matter).iter().copied())
            .collect();
        Self {
            index,
            locked,
            actions: actions.into_iter().collect(),
        }
    }

    /// Whether the statement is about queues.
    pub(super) fn is_about_queues(&self, statement: &Statement) -> bool {
        self.actions
            .iter()
            .any(|action| statement.actions.contains(action))
    }

    /// Whether the statement is about the keys of queues.
    pub(super) fn is_about_keys(&self, statement: &Statement) -> bool {
        !self.locked.is_empty()
            && [KeyUse::Generate, KeyUse::Decrypt]
                .into_iter()
                .any(|usage| statement.actions.contains(usage.action()))
    }

    fn concerns(&self, statement: &Statement) -> bool {
        self.is_about_queues(statement) || self.is_about_keys(statement)
    }

    /// What the document looks at that differs from principal to principal beyond kind and account.
    pub(super) fn looks<'d>(&self, document: &'d Document) -> Vec<Look<'d>> {
        document
            .readings
            .iter()
            .flatten()
            .filter(|statement| self.concerns(statement))
            .flat_map(looks_of)
            .collect()
    }

    /// Whether the extent is another for each requester.
    pub(super) fn has_variables(&self, document: &Document) -> bool {
        document
            .readings
            .iter()
            .flatten()
            .any(|statement| statement.has_variable_resources() && self.concerns(statement))
    }

    /// The extent of a document in requests with these keys. Keys that differ from queue to queue must be open in them.
    pub(super) fn extent(&self, document: &Document, keys: &dyn ContextKeys) -> Extent {
        let mut extent = Extent::default();
        if !document.readable {
            extent.allows.clone_from(self.index.all());
            extent.touches.clone_from(self.index.all());
            extent.keys = true;
            return extent;
        }
        for statement in document.readings.iter().flatten() {
            // A key is the same for every queue that it encrypts, so statements about keys cut nothing.
            extent.keys |= self.is_about_keys(statement);
            if self.is_about_queues(statement) {
                extent.tags.extend(tags_of(statement).map(str::to_owned));
                self.add(&mut extent, statement, document.kind, keys);
            }
        }
        extent
    }

    fn add(
        &self,
        extent: &mut Extent,
        statement: &Statement,
        kind: PolicyKind,
        keys: &dyn ContextKeys,
    ) {
        let all = self.index.all();
        let may_apply = match &statement.resources {
            None => all.clone(),
            Some(set) => self.may_apply(extent, set, kind, keys),
        };
        if statement.effect == Effect::Allow {
            extent.allows |= &may_apply;
        }
        extent.touches |= may_apply;
    }

    /// The queues on which the resources of a statement may match.
    fn may_apply(
        &self,
        extent: &mut Extent,
        set: &ResourceSet,
        kind: PolicyKind,
        keys: &dyn ContextKeys,
    ) -> QueueSet {
        let all = self.index.all();
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
                extent.singles |= &open;
            } else {
                extent.cuts.push(open.clone());
            }
            perhaps |= open;
        }
        if !surely.is_empty() && surely != *all {
            extent.cuts.push(surely.clone());
        }
        if set.negated {
            all - surely
        } else {
            surely | perhaps
        }
    }
}
