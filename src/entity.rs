//! What access, graph and findings are about: things with a kind and a name, and how sure something about them is.

use std::fmt;
use std::sync::Arc;

use crate::policy::Formula;

/// What a principal or a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An IAM user.
    User,
    /// An IAM group.
    Group,
    /// An IAM role.
    Role,
    /// A managed policy.
    Policy,
    /// An AWS account.
    Account,
    /// An AWS service.
    Service,
    /// An AWS organization.
    Organization,
    /// Everyone, with or without credentials.
    Anyone,
    /// An SQS queue.
    Queue,
    /// A Lambda function.
    Function,
    /// An EC2 instance.
    Instance,
    /// An Auto Scaling group.
    AutoScalingGroup,
    /// An ECS task definition.
    Task,
    /// An ECS service.
    EcsService,
    /// An EKS pod identity association.
    PodIdentity,
    /// A Kubernetes service account of an EKS cluster that assumes a role with its token.
    ServiceAccount,
    /// A Step Functions state machine.
    StateMachine,
    /// An EventBridge pipe.
    Pipe,
    /// An EventBridge Scheduler schedule, or a rule that only a clock starts.
    Schedule,
    /// A Glue crawler.
    Crawler,
    /// An SNS topic.
    Topic,
    /// An S3 bucket.
    Bucket,
    /// An EventBridge event bus.
    Bus,
    /// An API of API Gateway.
    Api,
    /// An AWS IoT rule.
    IotRule,
    /// A stream that something polls: of Kinesis, of a table or a cluster of a database.
    Stream,
    /// A broker that something polls: of Kafka or Amazon MQ.
    Broker,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 27] = [
        Self::User,
        Self::Group,
        Self::Role,
        Self::Policy,
        Self::Account,
        Self::Service,
        Self::Organization,
        Self::Anyone,
        Self::Queue,
        Self::Function,
        Self::Instance,
        Self::AutoScalingGroup,
        Self::Task,
        Self::EcsService,
        Self::PodIdentity,
        Self::ServiceAccount,
        Self::StateMachine,
        Self::Pipe,
        Self::Schedule,
        Self::Crawler,
        Self::Topic,
        Self::Bucket,
        Self::Bus,
        Self::Api,
        Self::IotRule,
        Self::Stream,
        Self::Broker,
    ];

    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Policy => "policy",
            Self::Account => "account",
            Self::Service => "service",
            Self::Organization => "organization",
            Self::Anyone => "anyone",
            Self::Queue => "queue",
            Self::Function => "function",
            Self::Instance => "instance",
            Self::AutoScalingGroup => "auto-scaling-group",
            Self::Task => "task",
            Self::EcsService => "ecs-service",
            Self::PodIdentity => "pod-identity",
            Self::ServiceAccount => "service-account",
            Self::StateMachine => "state-machine",
            Self::Pipe => "pipe",
            Self::Schedule => "schedule",
            Self::Crawler => "crawler",
            Self::Topic => "topic",
            Self::Bucket => "bucket",
            Self::Bus => "bus",
            Self::Api => "api",
            Self::IotRule => "iot-rule",
            Self::Stream => "stream",
            Self::Broker => "broker",
        }
    }
}

impl Kind {
    /// In words, as sentences have it.
    pub fn words(self) -> &'static str {
        match self {
            Self::AutoScalingGroup => "Auto Scaling group",
            Self::Task => "task definition",
            Self::EcsService => "ECS service",
            Self::PodIdentity => "pod identity",
            Self::ServiceAccount => "service account",
            Self::StateMachine => "state machine",
            Self::Bus => "event bus",
            Self::Api => "API",
            Self::IotRule => "IoT rule",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something with a name: an ARN, or where there is none a service name or `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entity {
    /// What it is.
    pub kind: Kind,
    /// Its ARN, service name (`sns.amazonaws.com`), or `*` for anyone.
    pub arn: Arc<str>,
}

impl Entity {
    /// Names a thing.
    pub fn new(kind: Kind, arn: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            arn: arn.into(),
        }
    }
}

/// How sure an answer is. `denied` never reaches a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Holds if conditions hold that are not known at scan time.
    Conditional,
    /// Holds.
    Allowed,
}

impl Certainty {
    /// How sure something is that holds when the formula does; the formula is not `Never`.
    pub fn of(when: &Formula) -> Self {
        if when.is_always() {
            Self::Allowed
        } else {
            Self::Conditional
        }
    }

    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conditional => "conditional",
            Self::Allowed => "allowed",
        }
    }
}

/// How close a loop is to running. Ordered: `Conditional` is the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Both rights exist if their conditions can hold together.
    Conditional,
    /// Both rights exist.
    Permitted,
    /// Both rights exist, and a delivery starts the consumer.
    Wired,
}

impl Grade {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conditional => "conditional",
            Self::Permitted => "permitted",
            Self::Wired => "wired",
        }
    }
}
