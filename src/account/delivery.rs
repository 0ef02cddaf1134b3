//! What AWS moves by itself once it is configured: subscriptions, rules, notifications, pipes, schedules, destinations; and what
//! messages pass through on the way besides queues.
//!
//! Event source mappings and redrive to dead-letter queues are kept where they are configured, with functions and queues.
//! Whether policies let a delivery happen is not told here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::principal::PolicyText;
use super::queue::Encryption;
use crate::arn::Arn;

/// One configured flow from one thing to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// What moves the messages.
    pub kind: DeliveryKind,
    /// The ARN of what configures it: the subscription, rule, bucket, pipe, schedule, function, state machine, …
    pub configured_by: Arn,
    /// Where messages come from: a topic, bus, bucket, queue, function, pipe or state machine. None where nothing of an
    /// account has to put anything in: a clock, devices, callers of an API.
    #[serde(default)]
    pub from: Option<Arn>,
    /// Where they go: a queue, topic, bus, function, state machine, or what polls a queue.
    pub to: Arn,
    /// As whom it asks for what it needs.
    pub sender: Sender,
    /// Whether it is switched on.
    #[serde(default = "switched_on")]
    pub enabled: bool,
    /// Whether it carries only what failed before: dead letters, and destinations on failure.
    #[serde(default)]
    pub failures_only: bool,
    /// What of the messages it takes; everything when none.
    #[serde(default)]
    pub filter: Option<Filter>,
}

fn switched_on() -> bool {
    true
}

/// The service features that move messages.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryKind {
    /// An SNS subscription.
    Subscription,
    /// A target of an EventBridge rule.
    EventRule,
    /// The dead-letter queue of an EventBridge event bus.
    EventBus,
    /// An S3 event notification, or that of a bucket to EventBridge.
    Notification,
    /// An EventBridge pipe: what it polls, and its target.
    Pipe,
    /// An EventBridge Scheduler schedule.
    Schedule,
    /// A destination or dead-letter queue of a Lambda function.
    Destination,
    /// A task of a Step Functions state machine.
    Task,
    /// An API Gateway integration.
    Integration,
    /// An action of an IoT rule.
    IotRule,
    /// An Auto Scaling lifecycle hook.
    LifecycleHook,
    /// A running SQS message move task.
    MoveTask,
    /// A Glue crawler that polls a queue for S3 events.
    Crawler,
}

/// As whom a delivery asks for what it needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sender {
    /// The service itself, on behalf of a resource: the policy of the target must allow it.
    Service {
        /// The service principal, such as `sns.amazonaws.com`.
        name: String,
        /// What `aws:SourceArn` holds: the topic, bucket or rule; of an API the calls of it, with `*` for what is known only
        /// when a request comes.
        source: Arn,
    },
    /// A session of a role.
    Role(Arn),
    /// Nobody: AWS moves it without asking a policy, as a message move task that has begun.
    Internal,
}

/// What of the messages a delivery takes.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Filter {
    /// The event pattern of a rule or pipe, or the filter policy of a subscription, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The S3 event types, such as `s3:ObjectCreated:*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// What object keys begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What object keys end with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
}

/// What messages pass through besides queues, with its resource policy: a topic, bucket, bus, or a function that is invoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    /// Its ARN; of a function as it is invoked, since a version or alias has a policy of its own.
    pub arn: Arn,
    /// The resource policy, when there is one and it was readable.
    #[serde(default)]
    pub policy: Option<PolicyText>,
    /// Whether its policy could not be read (a gap says why).
    #[serde(default)]
    pub policy_unread: bool,
    /// How a topic encrypts messages at rest, and a bucket objects that do not say otherwise.
    #[serde(default)]
    pub encryption: Encryption,
}
