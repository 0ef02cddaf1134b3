//! Event patterns of EventBridge rules: can events that a principal puts on the bus match, and those of a bucket?
//!
//! From "Amazon EventBridge event patterns", "Comparison operators for use in event patterns" and "Amazon S3 event messages".
//! What a pattern says beyond that (fields of the detail, numbers, addresses) whoever puts the event may choose, so it refuses
//! nothing here; a pattern that cannot be read admits everything.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::account::Filter;
use crate::policy::Glob;

/// Sources that begin so are reserved: `PutEvents` refuses them.
const RESERVED: &str = "aws.";

/// The events that S3 sends to EventBridge when something was put, with the event type of a notification that is the same.
const PUTTING: [(&str, &str); 3] = [
    ("Object Created", "s3:ObjectCreated:*"),
    ("Object Tags Added", "s3:ObjectTagging:Put"),
    ("Object ACL Updated", "s3:ObjectAcl:Put"),
];

/// Whether events that a principal puts on the bus can match.
pub(super) fn admits_custom_events(pattern: Option<&str>) -> bool {
    alternatives(pattern).is_none_or(|alternatives| {
        alternatives
            .iter()
            .any(|pattern| match pattern.get("source") {
                Some(Value::Array(matchers)) => matchers.iter().any(admits_unreserved),
                _ => true,
            })
    })
}

/// Reads a pattern in every way in which one is read, for tests and fuzzers.
#[doc(hidden)]
pub fn read_event_pattern(pattern: &str, bucket: &str) {
    let _ = admits_custom_events(Some(pattern));
    let _ = objects_admitted(Some(pattern), bucket);
}

/// Whether some source matches that is not reserved.
fn admits_unreserved(matcher: &Value) -> bool {
    let is_unreserved = |text: &str| !text.starts_with(RESERVED);
    match matcher {
        Value::String(source) => is_unreserved(source),
        Value::Object(test) => match test.iter().next() {
            Some((name, Value::String(prefix))) if name == "prefix" => is_unreserved(prefix),
            Some((name, Value::String(pattern))) if name == "wildcard" => {
                is_unreserved(&Glob::new(pattern).literal_prefix())
            }
            Some((name, Value::Bool(exists))) if name == "exists" => *exists,
            _ => true,
        },
        _ => true,
    }
}

/// What of the objects of a bucket the pattern takes, when the bucket sends its events to the bus: none when nothing.
pub(super) fn objects_admitted(pattern: Option<&str>, bucket: &str) -> Vec<Filter> {
    let every_event = || PUTTING.map(|(_, event)| event.to_owned()).to_vec();
    let Some(alternatives) = alternatives(pattern) else {
        return vec![Filter {
            events: every_event(),
            ..Filter::default()
        }];
    };
    let filters: BTreeSet<Filter> = alternatives
        .iter()
        .flat_map(|pattern| {
            let is_from_s3 = admits(pattern, &["source"], "aws.s3")
                && admits(pattern, &["detail", "bucket", "name"], bucket);
            let events: Vec<String> = PUTTING
                .iter()
                .filter(|(detail_type, _)| {
                    is_from_s3 && admits(pattern, &["detail-type"], detail_type)
                })
                .map(|(_, event)| (*event).to_owned())
                .collect();
            let keys = if events.is_empty() {
                Vec::new()
            } else {
                keys(pattern)
            };
            keys.into_iter().map(move |keys| Filter {
                events: events.clone(),
                ..keys
            })
        })
        .collect();
    filters.into_iter().collect()
}

/// What object keys must be like, one filter for each way.
fn keys(pattern: &Map<String, Value>) -> Vec<Filter> {
    let Some(Value::Array(matchers)) = field(pattern, &["detail", "object", "key"]) else {
        return vec![Filter::default()];
    };
    matchers
        .iter()
        .map(|matcher| {
            let of = |name: &str| {
                let text = matcher.as_object()?.get(name)?.as_str()?;
                Some(text.to_owned())
            };
            Filter {
                prefix: matcher.as_str().map(str::to_owned).or_else(|| of("prefix")),
                suffix: of("suffix"),
                ..Filter::default()
            }
        })
        .collect()
}

/// Whether a field may hold this text. A field of which the pattern says nothing may hold anything.
fn admits(pattern: &Map<String, Value>, path: &[&str], text: &str) -> bool {
    match field(pattern, path) {
        Some(Value::Array(matchers)) => matchers.iter().any(|matcher| may_match(matcher, text)),
        _ => true,
    }
}

fn field<'v>(pattern: &'v Map<String, Value>, path: &[&str]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    let first = pattern.get(*first)?;
    rest.iter().try_fold(first, |value, name| value.get(name))
}

fn may_match(matcher: &Value, text: &str) -> bool {
    let Value::Object(rule) = matcher else {
        return match matcher {
            Value::String(expected) => expected == text,
            Value::Null => false,
            _ => true,
        };
    };
    let Some((name, operand)) = rule.iter().next() else {
        return true;
    };
    match (name.as_str(), operand) {
        ("prefix", Value::String(prefix)) => text.starts_with(prefix.as_str()),
        ("suffix", Value::String(suffix)) => text.ends_with(suffix.as_str()),
        ("equals-ignore-case", Value::String(expected)) => {
            expected.to_lowercase() == text.to_lowercase()
        }
        ("wildcard", Value::String(pattern)) => Glob::new(pattern).matches(text),
        ("anything-but", Value::String(refused)) => refused != text,
        ("anything-but", Value::Array(refused)) => {
            !refused.iter().any(|refused| refused.as_str() == Some(text))
        }
        ("exists", Value::Bool(exists)) => *exists,
        _ => true,
    }
}

/// Bytes of patterns that are repeated for the ways of one rule.
const MOST_REPEATED: usize = 16 << 20;

/// The ways in which an event can match: `$or` lists them. None when the pattern cannot be read, or there is none.
fn alternatives(pattern: Option<&str>) -> Option<Vec<Map<String, Value>>> {
    let text = pattern?;
    let Ok(Value::Object(mut pattern)) = serde_json::from_str(text) else {
        return None;
    };
    let Some(Value::Array(ways)) = pattern.remove("$or") else {
        return Some(vec![pattern]);
    };
    // Each way repeats what stands beside the list: no rule that EventBridge takes comes near, a snapshot may hold anything.
    if ways.len().saturating_mul(text.len()) > MOST_REPEATED {
        return None;
    }
    let ways = ways.into_iter().map(|way| {
        let mut all = pattern.clone();
        if let Value::Object(way) = way {
            all.extend(way);
        }
        all
    });
    Some(ways.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_would_fill_the_memory_is_as_good_as_none() {
        let ways = vec!["{\"source\": [\"aws.ec2\"]}"; 100_000].join(",");
        let pattern = format!(
            r#"{{"$or": [{ways}], "detail-type": ["{}"]}}"#,
            "x".repeat(1 << 20)
        );
        assert!(admits_custom_events(Some(&pattern)));
        let few = r#"{"$or": [{"source": ["aws.ec2"]}], "detail-type": ["x"]}"#;
        assert!(!admits_custom_events(Some(few)));
    }

    #[test]
    fn a_rule_on_events_of_aws_takes_no_events_of_others() {
        for pattern in [
            r#"{"source": ["aws.ec2"]}"#,
            r#"{"source": ["aws.ec2", {"prefix": "aws.s"}]}"#,
            r#"{"source": [{"wildcard": "aws.s*"}], "detail-type": ["x"]}"#,
            r#"{"$or": [{"source": ["aws.ec2"]}, {"source": ["aws.s3"]}]}"#,
        ] {
            assert!(!admits_custom_events(Some(pattern)), "{pattern}");
        }
        for pattern in [
            r#"{"source": ["orders"]}"#,
            r#"{"source": ["aws.ec2", "orders"]}"#,
            r#"{"source": [{"prefix": "aw"}]}"#,
            r#"{"source": [{"anything-but": "aws.ec2"}]}"#,
            r#"{"detail-type": ["order placed"]}"#,
            r#"{"$or": [{"source": ["aws.ec2"]}, {"source": ["orders"]}]}"#,
            "not json",
        ] {
            assert!(admits_custom_events(Some(pattern)), "{pattern}");
        }
        assert!(admits_custom_events(None));
    }

    #[test]
    fn a_rule_takes_the_objects_of_the_buckets_that_it_names() {
        let of = |pattern: &str, bucket: &str| objects_admitted(Some(pattern), bucket);
        let created = r#"{"source": ["aws.s3"], "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": ["uploads"]}, "object": {"key": [{"prefix": "in/"}]}}}"#;
        assert_eq!(
            of(created, "uploads"),
            [Filter {
                events: vec!["s3:ObjectCreated:*".to_owned()],
                prefix: Some("in/".to_owned()),
                ..Filter::default()
            }]
        );
        assert!(of(created, "other").is_empty());
        assert!(of(r#"{"source": ["aws.ec2"]}"#, "uploads").is_empty());
        assert!(of(r#"{"detail-type": ["Object Deleted"]}"#, "uploads").is_empty());
        assert_eq!(
            of(r#"{"source": [{"prefix": "aws."}]}"#, "uploads").len(),
            1
        );
        assert_eq!(objects_admitted(None, "uploads").len(), 1);
    }
}
