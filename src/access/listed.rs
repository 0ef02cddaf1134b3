//! The statements of a document by action and by queue, listed once for all who carry it.

use std::sync::Arc;

use super::sides::{ByAction, KeyUse};
use crate::memo::Memo;
use crate::policy::{Assumptions, Document, PolicyKind, Statement};

/// The statements of a document by action: to compare hundreds of statements with every action, and with a queue, for each who
/// carries the document would be most of the work.
#[derive(Debug)]
pub(super) struct Listed {
    /// For each action, in the order in which a side is put together.
    about: Vec<About>,
    /// Of the statements those that may be about a queue, by its index.
    on: Memo<usize, OnQueue>,
}

/// The places of statements that may be about one queue, for each action.
pub(super) type OnQueue = Arc<[Vec<u32>]>;

/// The statements about one action.
#[derive(Debug)]
struct About {
    /// Whether it is an action on keys.
    of_key: bool,
    /// The places of the statements in their document.
    places: Vec<u32>,
}

impl Listed {
    /// Statements from which on a document is listed: one is compared as quickly as looked up.
    const MANY: usize = 2;

    /// Lists the statements of a document; none where it is but one, or where more has to be looked at than they.
    pub(super) fn of(document: &Document, tags_matter: bool) -> Option<Self> {
        let [statements] = document.readings.as_slice() else {
            return None;
        };
        let is_plain = statements.len() >= Self::MANY
            && document.readable
            && document.assumed == Assumptions::default()
            && !statements.iter().any(|one| one.actions.is_undocumented());
        if !is_plain {
            return None;
        }
        let mut about = Vec::new();
        ByAction::new(tags_matter, |action| {
            let all = statements.iter().zip(0..);
            let meant = all.filter(|(statement, _)| statement.actions.contains(action));
            about.push(About {
                of_key: KeyUse::of(action).is_some(),
                places: meant.map(|(_, place)| place).collect(),
            });
        });
        Some(Self {
            about,
            on: Memo::default(),
        })
    }

    /// For each action the statements of the document that may be about a queue, all of those about keys.
    pub(super) fn on(&self, document: &Arc<Document>, queue: usize, arn: &str) -> OnQueue {
        // Where one principal carries it, nobody asks again.
        if Arc::strong_count(document) == 1 {
            return self.about(document, arn);
        }
        self.on.of(queue, |_| self.about(document, arn))
    }

    fn about(&self, document: &Document, arn: &str) -> OnQueue {
        let statements = document.statements().iter();
        let may_be_meant: Vec<bool> = statements
            .map(|statement| may_mean(statement, arn))
            .collect();
        let is_meant = |place: &u32| may_be_meant.get(*place as usize).copied().unwrap_or(true);
        let about = self.about.iter().map(|about| {
            let places = about.places.iter().copied();
            places
                .filter(|place| about.of_key || is_meant(place))
                .collect()
        });
        about.collect()
    }
}

/// Whether the resources of a statement could be a queue, whatever its variables hold.
fn may_mean(statement: &Statement, arn: &str) -> bool {
    let Some(resources) = statement.resources.as_ref().filter(|set| !set.negated) else {
        return true;
    };
    let mut patterns = resources.patterns.iter();
    patterns.any(|pattern| {
        let reach = pattern.widest_reach(PolicyKind::Identity);
        reach.contains(arn) != Some(false)
    })
}
