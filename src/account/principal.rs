//! Users, groups, roles and the policies attached to them, as IAM stores them.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::arn::Arn;

/// A policy document as text, exactly as AWS returned it (percent-decoded).
///
/// The text is kept, not a parsed tree, because a malformed document and a duplicate key are facts of their own. A snapshot
/// holds it as a JSON string; a document written in place (an object instead of a string) is read as well, which keeps
/// fixtures readable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyText(Arc<str>);

impl PolicyText {
    /// Wraps the text of a policy document.
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The text of the document.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PolicyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for PolicyText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PolicyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        if text.starts_with('"') {
            let mut inner = serde_json::Deserializer::from_str(text);
            inner.deserialize_str(Quoted).map_err(D::Error::custom)
        } else {
            Ok(Self::new(text))
        }
    }
}

/// Takes a document over from where its text is unescaped.
struct Quoted;

impl Visitor<'_> for Quoted {
    type Value = PolicyText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of a policy document")
    }

    fn visit_str<E>(self, text: &str) -> Result<PolicyText, E> {
        Ok(PolicyText::new(text))
    }
}

impl JsonSchema for PolicyText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PolicyText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A policy document as the text that AWS returned; a document written in place is read as well.",
            "type": ["string", "object"],
        })
    }
}

/// A tag of a principal or a queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Tag {
    /// The tag key. IAM compares it without regard to letter case.
    pub key: String,
    /// The tag value.
    pub value: String,
}

/// A policy that is part of one principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InlinePolicy {
    /// The policy name, unique within its principal.
    pub name: String,
    /// The document.
    pub document: PolicyText,
}

/// A managed policy with the document of its default version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManagedPolicy {
    /// The policy's ARN; its account is `aws` for AWS managed policies.
    pub arn: Arn,
    /// The document of the default version; none when it could not be read (a gap says why).
    pub document: Option<PolicyText>,
}

/// An IAM user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// The user's ARN, with its path.
    pub arn: Arn,
    /// The unique id, `AIDA…`.
    pub id: String,
    /// Tags of the user.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Names of the groups that the user is a member of.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Inline policies.
    #[serde(default)]
    pub inline: Vec<InlinePolicy>,
    /// ARNs of the attached managed policies.
    #[serde(default)]
    pub attached: Vec<Arn>,
    /// ARN of the managed policy that is the permissions boundary.
    #[serde(default)]
    pub boundary: Option<Arn>,
    /// Its access keys; none when they were not asked for (older snapshots) or could not be read (a gap says why).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_keys: Option<AccessKeys>,
}

/// What is known of the access keys of a user. Their ids are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessKeys {
    /// How many are active.
    pub active: u32,
    /// When the oldest active one was made.
    #[serde(default)]
    pub oldest: Option<DateTime<Utc>>,
    /// When the newest active one was made.
    #[serde(default)]
    pub newest: Option<DateTime<Utc>>,
}

/// An IAM group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// The group's ARN, with its path.
    pub arn: Arn,
    /// Inline policies.
    #[serde(default)]
    pub inline: Vec<InlinePolicy>,
    /// ARNs of the attached managed policies.
    #[serde(default)]
    pub attached: Vec<Arn>,
}

/// An IAM role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Role {
    /// The role's ARN, with its path.
    pub arn: Arn,
    /// The unique id, `AROA…`.
    pub id: String,
    /// The trust policy: who may assume the role.
    pub trust: PolicyText,
    /// Tags of the role.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Inline policies.
    #[serde(default)]
    pub inline: Vec<InlinePolicy>,
    /// ARNs of the attached managed policies.
    #[serde(default)]
    pub attached: Vec<Arn>,
    /// ARN of the managed policy that is the permissions boundary.
    #[serde(default)]
    pub boundary: Option<Arn>,
    /// ARNs of the instance profiles that hold the role.
    #[serde(default)]
    pub instance_profiles: Vec<Arn>,
}
