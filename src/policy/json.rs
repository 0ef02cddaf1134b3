//! A JSON tree that remembers duplicate keys, which ordinary maps lose.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value; objects keep every member in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// The text of the number.
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Which of several members with one key a reader keeps. AWS does not document its choice (assumption A-DUP).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    First,
    Last,
}

impl Json {
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Whether an object anywhere in the tree has two members with one key.
    pub(super) fn has_duplicate_keys(&self) -> bool {
        match self {
            Self::Object(members) => {
                let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
                keys.sort_unstable();
                keys.windows(2).any(|pair| pair.first() == pair.last())
                    || members.iter().any(|(_, value)| value.has_duplicate_keys())
            }
            Self::Array(items) => items.iter().any(Self::has_duplicate_keys),
            _ => false,
        }
    }

    /// The tree with one member per key.
    pub(super) fn without_duplicates(&self, keep: Keep) -> Self {
        match self {
            Self::Object(members) => {
                // The first member of a key gives the order, whichever is kept.
                let mut order: Vec<&str> = Vec::new();
                let mut kept: HashMap<&str, &Self> = HashMap::with_capacity(members.len());
                for (key, value) in members {
                    match kept.entry(key) {
                        Entry::Vacant(entry) => {
                            entry.insert(value);
                            order.push(key);
                        }
                        Entry::Occupied(mut entry) if keep == Keep::Last => {
                            entry.insert(value);
                        }
                        Entry::Occupied(_) => {}
                    }
                }
                Self::Object(
                    order
                        .into_iter()
                        .filter_map(|key| {
                            let value = kept.get(key)?.without_duplicates(keep);
                            Some((key.to_owned(), value))
                        })
                        .collect(),
                )
            }
            Self::Array(items) => Self::Array(
                items
                    .iter()
                    .map(|item| item.without_duplicates(keep))
                    .collect(),
            ),
            other => other.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;

        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Number(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Number(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Number(value.to_string()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::String(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Json, E> {
                Ok(Json::String(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Json::Object(members))
            }
        }

        deserializer.deserialize_any(TreeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_are_seen_at_any_depth_and_either_can_be_kept() {
        let tree = Json::parse(r#"{"a": [{"b": 1, "b": 2}]}"#).unwrap();
        assert!(tree.has_duplicate_keys());
        let first = tree.without_duplicates(Keep::First);
        assert_eq!(first, Json::parse(r#"{"a": [{"b": 1}]}"#).unwrap());
        let last = tree.without_duplicates(Keep::Last);
        assert_eq!(last, Json::parse(r#"{"a": [{"b": 2}]}"#).unwrap());
        assert!(!first.has_duplicate_keys());
    }

    #[test]
    fn the_first_member_of_a_key_gives_the_order_whichever_is_kept() {
        let tree = Json::parse(r#"{"a": 1, "b": 2, "a": 3}"#).unwrap();
        for (keep, expected) in [
            (Keep::First, r#"{"a": 1, "b": 2}"#),
            (Keep::Last, r#"{"a": 3, "b": 2}"#),
        ] {
            assert_eq!(
                tree.without_duplicates(keep),
                Json::parse(expected).unwrap()
            );
        }
    }

    #[test]
    fn nesting_without_end_is_an_error_not_a_stack_overflow() {
        assert!(Json::parse(&"[".repeat(100_000)).is_err());
    }
}
