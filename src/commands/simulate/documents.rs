//! Parsed policy documents, kept for the lines to come: requests about one principal repeat its policies.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::policy::{Document, PolicyKind};

/// Bytes of text beyond which a document is not kept; no policy that AWS stores is longer.
const LARGEST_TEXT: usize = 32 * 1024;
/// Bytes of text in one generation. A parsed document takes several times its text.
const LARGEST_GENERATION: usize = 2 * 1024 * 1024;
/// Documents in one generation.
const MOST_IN_GENERATION: usize = 4 * 1024;
/// Texts seen once that are remembered, by hash.
const SEEN: usize = 4 * 1024;

/// The documents of recent lines, bounded in number and in bytes.
///
/// Two generations stand in for an order of use: when the newer one is full it becomes the older one, and what the older
/// one held and nobody asked for since is dropped. A text is kept from the second time it is seen, so that lines whose
/// policies never come back cost no more than parsing them.
pub(super) struct Documents {
    newer: Generation,
    older: Generation,
    seen: Vec<u64>,
    /// Keyed at random: nobody can write texts that fall together.
    hashing: RandomState,
}

#[derive(Default)]
struct Generation {
    documents: HashMap<u64, Kept>,
    bytes: usize,
}

struct Kept {
    text: Box<str>,
    document: Arc<Document>,
}

impl Kept {
    fn is_of(&self, text: &str, kind: PolicyKind) -> bool {
        self.document.kind == kind && *self.text == *text
    }
}

impl Documents {
    pub(super) fn new() -> Self {
        Self {
            newer: Generation::default(),
            older: Generation::default(),
            seen: vec![0; SEEN],
            hashing: RandomState::new(),
        }
    }

    /// The document of a text: the one of an earlier line, or a new one.
    pub(super) fn parsed(&mut self, text: &str, kind: PolicyKind) -> Arc<Document> {
        if text.len() > LARGEST_TEXT {
            return Arc::new(Document::parse(text, kind));
        }
        let hash = self.hashing.hash_one((kind, text));
        if let Some(kept) = self.newer.documents.get(&hash) {
            return if kept.is_of(text, kind) {
                Arc::clone(&kept.document)
            } else {
                Arc::new(Document::parse(text, kind))
            };
        }
        let kept = match self.older.documents.remove(&hash) {
            Some(kept) if kept.is_of(text, kind) => kept,
            _ => {
                let document = Arc::new(Document::parse(text, kind));
                if self.is_first_sight(hash) {
                    return document;
                }
                Kept {
                    text: text.into(),
                    document,
                }
            }
        };
        let document = Arc::clone(&kept.document);
        self.keep(hash, kept);
        document
    }

    fn is_first_sight(&mut self, hash: u64) -> bool {
        let place = usize::try_from(hash % SEEN as u64).unwrap_or_default();
        self.seen
            .get_mut(place)
            .is_none_or(|seen| std::mem::replace(seen, hash) != hash)
    }

    fn keep(&mut self, hash: u64, kept: Kept) {
        let bytes = kept.text.len();
        if self.newer.documents.len() >= MOST_IN_GENERATION
            || self.newer.bytes + bytes > LARGEST_GENERATION
        {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.bytes += bytes;
        self.newer.documents.insert(hash, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(number: usize) -> String {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Sid": "S{number}", "Effect": "Allow", "Action": "*", "Resource": "*"}}}}"#
        )
    }

    #[test]
    fn a_text_that_comes_back_is_the_same_document() {
        let mut documents = Documents::new();
        let _first = documents.parsed(&policy(1), PolicyKind::Identity);
        let second = documents.parsed(&policy(1), PolicyKind::Identity);
        let third = documents.parsed(&policy(1), PolicyKind::Identity);
        assert!(Arc::ptr_eq(&second, &third));
        assert_eq!(*second, Document::parse(&policy(1), PolicyKind::Identity));
    }

    #[test]
    fn one_text_of_two_kinds_is_two_documents() {
        let mut documents = Documents::new();
        for _ in 0..3 {
            for kind in [PolicyKind::Identity, PolicyKind::Resource] {
                let document = documents.parsed(&policy(1), kind);
                assert_eq!(*document, Document::parse(&policy(1), kind));
            }
        }
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes() {
        let mut documents = Documents::new();
        for number in 0..3 * MOST_IN_GENERATION {
            for _ in 0..2 {
                documents.parsed(&policy(number), PolicyKind::Identity);
            }
        }
        let pad = " ".repeat(LARGEST_TEXT - 200);
        for number in 0..200 {
            for _ in 0..2 {
                documents.parsed(&(policy(number) + &pad), PolicyKind::Identity);
            }
        }
        for generation in [&documents.newer, &documents.older] {
            assert!(generation.documents.len() <= MOST_IN_GENERATION);
            assert!(generation.bytes <= LARGEST_GENERATION);
        }
        let huge = policy(0) + &" ".repeat(LARGEST_TEXT);
        for _ in 0..3 {
            documents.parsed(&huge, PolicyKind::Identity);
        }
        assert!(
            documents
                .newer
                .documents
                .values()
                .all(|kept| kept.text.len() <= LARGEST_TEXT)
        );
    }

    #[test]
    fn a_document_in_use_outlives_those_that_are_not() {
        let mut documents = Documents::new();
        documents.parsed("{}", PolicyKind::Identity);
        let kept = documents.parsed("{}", PolicyKind::Identity);
        for number in 0..3 * MOST_IN_GENERATION {
            for _ in 0..2 {
                documents.parsed(&policy(number), PolicyKind::Identity);
            }
            if number % 1000 == 0 {
                assert!(Arc::ptr_eq(
                    &kept,
                    &documents.parsed("{}", PolicyKind::Identity)
                ));
            }
        }
    }
}
