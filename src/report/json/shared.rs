//! Lists that many findings have in common, made into text once.
//!
//! Where everybody may use the same hundred queues by the same statements, nearly all of a report is these lists.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use serde_json::value::RawValue;

use super::{Each, EvidenceView, ResourceView};
use crate::finding::{Evidence, ResourceRef};
use crate::triage::Triaged;

/// The texts of lists that findings share, each made when it is first asked for.
pub(in crate::report) struct SharedLists<F> {
    /// How a list is formatted where it stands.
    formatter: fn() -> F,
    resources: Texts,
    evidence: Texts,
}

/// For each list, by its address, its text; none where it could not be made alone, so that the list is written as others are.
type Texts = HashMap<usize, OnceLock<Option<Box<RawValue>>>, RandomState>;

impl<F: Formatter> SharedLists<F> {
    /// Those of these findings, for a place where lists are formatted so.
    pub(in crate::report) fn of(findings: &[Triaged], formatter: fn() -> F) -> Self {
        Self {
            formatter,
            resources: shared(findings.iter().map(|finding| &finding.resources)),
            evidence: shared(findings.iter().map(|finding| &finding.evidence)),
        }
    }

    /// The text of a list of resources that findings share.
    pub(super) fn resources(&self, items: &[ResourceRef]) -> Option<&RawValue> {
        let text = self.resources.get(&address(items))?;
        let text = text.get_or_init(|| self.text(&Each::of(items, ResourceView::of)));
        text.as_deref()
    }

    /// The text of a list of evidence that findings share.
    pub(super) fn evidence(&self, items: &[Evidence]) -> Option<&RawValue> {
        let text = self.evidence.get(&address(items))?;
        let text = text.get_or_init(|| self.text(&Each::of(items, EvidenceView::of)));
        text.as_deref()
    }

    fn text(&self, list: &impl Serialize) -> Option<Box<RawValue>> {
        let mut text = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut text, (self.formatter)());
        list.serialize(&mut serializer).ok()?;
        RawValue::from_string(String::from_utf8(text).ok()?).ok()
    }
}

/// A place for the text of each list that is held more than once.
fn shared<'f, T: 'f>(lists: impl Iterator<Item = &'f Arc<[T]>>) -> Texts {
    lists
        .filter(|list| Arc::strong_count(list) > 1)
        .map(|list| (address(list), OnceLock::new()))
        .collect()
}

fn address<T>(items: &[T]) -> usize {
    items.as_ptr().addr()
}
