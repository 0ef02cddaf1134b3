//! Policy documents are kept once, however many principals carry them: what is read of one is read once, and found by where the
//! document is.

use std::collections::HashMap;
use std::sync::Arc;

use super::Access;
use crate::parallel::in_parallel;
use crate::policy::Document;

/// Where a document is: equal for all who carry the same.
pub(super) fn address(document: &Arc<Document>) -> usize {
    Arc::as_ptr(document).addr()
}

/// What was read of each document that principals carry as an identity-based policy.
pub(crate) struct ByDocument<R>(HashMap<usize, R>);

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
        let documents: HashMap<usize, &Document> = policies
            .map(|policy| (address(&policy.document), &*policy.document))
            .collect();
        let documents: Vec<(usize, &Document)> = documents.into_iter().collect();
        let all = in_parallel(&documents, |(address, document)| (*address, read(document)));
        ByDocument(all.into_iter().collect())
    }
}
