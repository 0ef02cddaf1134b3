//! A JSON tree that remembers duplicate keys, which ordinary maps lose.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// A JSON value that borrows its texts, where they hold no escapes; objects keep every member in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The text of the number.
    Number(String),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<Member<'a>>),
}

/// A key of an object, and its value.
pub(crate) type Member<'a> = (Cow<'a, str>, Json<'a>);

/// A statement has five or six elements.
const USUAL_MEMBERS: usize = 6;

/// Objects of up to this many members are compared pair by pair, which needs no memory.
const FEW: usize = 16;

/// Which of several members with one key a reader keeps. AWS does not document its choice (assumption A-DUP).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    First,
    Last,
}

impl<'a> Json<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Whether an object anywhere in the tree has two members with one key.
    pub(crate) fn has_duplicate_keys(&self) -> bool {
        match self {
            Self::Object(members) => {
                has_equal_keys(members)
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
                let mut order: Vec<&Cow<'a, str>> = Vec::new();
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
                            let value = kept.get(&**key)?.without_duplicates(keep);
                            Some((key.clone(), value))
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

fn has_equal_keys(members: &[Member<'_>]) -> bool {
    if members.len() <= FEW {
        return members.iter().enumerate().any(|(index, (key, _))| {
            members
                .iter()
                .skip(index + 1)
                .any(|(other, _)| other == key)
        });
    }
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair.first() == pair.last())
}

/// A text of the input, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;

        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Json<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Json<'de>, E> {
                Ok(Json::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
                Ok(Json::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
                Ok(Json::Number(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
                Ok(Json::Number(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
                Ok(Json::Number(value.to_string()))
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
                Ok(Json::String(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
                Ok(Json::String(Cow::Owned(value.to_owned())))
            }
            fn visit_string<E>(self, value: String) -> Result<Json<'de>, E> {
                Ok(Json::String(Cow::Owned(value)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
                let mut members = Vec::with_capacity(USUAL_MEMBERS);
                while let Some((Text(key), value)) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(Json::Object(members))
            }
        }

        deserializer.deserialize_any(TreeVisitor)
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(text) => match (text.parse::<i64>(), text.parse::<u64>()) {
                (Ok(number), _) => serializer.serialize_i64(number),
                (_, Ok(number)) => serializer.serialize_u64(number),
                _ => serializer.serialize_f64(text.parse().unwrap_or_default()),
            },
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, value)| (key, value)))
            }
        }
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
    fn a_tree_is_written_as_it_was_read() {
        let text = r#"{"b":[null,true,-1,18446744073709551615,1.5,"a\"\n"],"a":{},"b":2}"#;
        let tree = Json::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&tree).unwrap(), text);
    }

    #[test]
    fn nesting_without_end_is_an_error_not_a_stack_overflow() {
        assert!(Json::parse(&"[".repeat(100_000)).is_err());
    }
}
