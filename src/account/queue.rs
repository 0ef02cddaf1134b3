//! SQS queues as `GetQueueAttributes` and `ListQueueTags` describe them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::principal::{PolicyText, Tag};
use crate::arn::Arn;

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queue {
    /// The queue's ARN.
    pub arn: Arn,
    /// The queue's URL.
    pub url: String,
    /// Its attributes; none when they could not be read (a gap says why), and then nothing is known about its policy.
    pub attributes: Option<QueueAttributes>,
    /// Its tags; none when they were not asked for (no policy looks at them) or could not be read.
    #[serde(default)]
    pub tags: Option<Vec<Tag>>,
}

/// What a queue's attributes say about access.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueAttributes {
    /// The queue policy, when there is one.
    #[serde(default)]
    pub policy: Option<PolicyText>,
    /// Where messages go that were received too often.
    #[serde(default)]
    pub redrive: Option<Redrive>,
    /// Which queues may use this one as their dead-letter queue; none means all.
    #[serde(default)]
    pub redrive_allow: Option<RedriveAllow>,
    /// How messages are encrypted at rest.
    #[serde(default)]
    pub encryption: Encryption,
    /// Whether this is a FIFO queue.
    #[serde(default)]
    pub fifo: bool,
}

/// The `RedrivePolicy` attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Redrive {
    /// The dead-letter queue.
    pub dead_letter_queue: Arn,
    /// How often a message is received before it is moved.
    pub max_receive_count: u32,
}

/// The `RedriveAllowPolicy` attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "permission", rename_all = "camelCase")]
pub enum RedriveAllow {
    /// Every queue of the account and region.
    AllowAll,
    /// No queue.
    DenyAll,
    /// The queues listed.
    #[serde(rename_all = "snake_case")]
    ByQueue {
        /// ARNs of the source queues.
        source_queues: Vec<Arn>,
    },
}

/// Encryption at rest, as "Encryption at rest in Amazon SQS" describes it; of topics and buckets likewise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "mode", rename_all = "kebab-case")]
pub enum Encryption {
    /// None.
    #[default]
    None,
    /// SSE-SQS, and SSE-S3 of buckets: keys that the service manages; no caller needs a KMS permission.
    SqsManaged,
    /// SSE-KMS: callers need permissions on this key.
    Kms {
        /// Key id, key ARN, alias or alias ARN, as configured.
        key: String,
    },
}

impl Encryption {
    /// Whether the key is the one that AWS manages for the service, which only principals of the own account can use: aliases
    /// that begin so are reserved.
    pub fn is_aws_managed_key(&self) -> bool {
        matches!(self, Self::Kms { key } if key.starts_with("alias/aws/") || key.contains(":alias/aws/"))
    }
}
