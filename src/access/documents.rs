//! Policy documents are kept once, however many principals carry them: what is read of one is read once, and found by where the
//! document is.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::Access;
use crate::parallel::heaviest_first;
use crate::policy::Document;

/// Where a document is: equal for all who carry the same.
pub(super) fn address(document: &Arc<Document>) -> usize {
    Arc::as_ptr(document).addr()
}

/// About how much work a document is: how many statements and patterns of resources it has.
pub(super) fn weight(document: &Document) -> usize {
    let statements = document.readings.iter().flatten();
    statements
        .map(|statement| {
            let resources = statement.resources.as_ref();
            1 + resources.map_or(0, |resources| resources.patterns.len())
        })
        .sum()
}

/// Documents by where they are.
pub(super) type ByAddress<T> = HashMap<usize, T, FixedState>;

/// What was read of each document that principals carry as an identity-based policy.
#[derive(Debug)]
pub(crate) struct ByDocument<R>(ByAddress<R>);

impl<R> ByDocument<R> {
    /// What was read of this one.
    pub(crate) fn get(&self, document: &Arc<Document>) -> Option<&R> {
        self.0.get(&address(document))
    }
}

impl Access<'_> {
    /// Reads each document that principals carry as an identity-based policy once, on every processor.
    pub(crate) fn by_document<R: Send>(
        &self,
        read: impl Fn(&Document) -> R + Sync,
    ) -> ByDocument<R> {
        let policies = self.principals.iter().flat_map(|one| &one.policies);
        let documents: ByAddress<&Document> = policies
            .map(|policy| (address(&policy.document), &*policy.document))
            .collect();
        let all = heaviest_first(
            documents.into_iter().collect(),
            |(_, document)| weight(document),
            |(address, document)| (*address, read(document)),
        );
        ByDocument(all.into_iter().collect())
    }
}
