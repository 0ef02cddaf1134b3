//! What runs as a role, and what AWS itself moves between a queue and a workload.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::principal::Tag;
use crate::arn::Arn;

/// A Lambda function. Its code, environment and configuration are not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Function {
    /// The function's ARN, without version or alias.
    pub arn: Arn,
    /// The execution role.
    pub role: Arn,
    /// The queue or topic that takes asynchronous invocations that failed.
    #[serde(default)]
    pub dead_letter_target: Option<Arn>,
}

/// A Lambda event source mapping: Lambda polls the source and invokes the function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventSourceMapping {
    /// The mapping's UUID.
    pub id: String,
    /// What is polled.
    pub source: Arn,
    /// What is invoked; may carry a version or alias.
    pub function: Arn,
    /// Whether Lambda polls now (any state but disabled or on the way there).
    pub enabled: bool,
}

impl EventSourceMapping {
    /// The ARN of the function, without version or alias.
    pub fn function_arn(&self) -> Option<Arn> {
        unqualified_function(&self.function)
    }
}

/// Takes the version or alias off a function ARN: `…:function:name:live` becomes `…:function:name`.
pub(crate) fn unqualified_function(arn: &Arn) -> Option<Arn> {
    let mut parts = arn.resource().splitn(3, ':');
    let resource = match (parts.next(), parts.next()) {
        (Some("function"), Some(name)) => format!("function:{name}"),
        _ => return None,
    };
    Arn::build(
        arn.partition(),
        arn.service(),
        arn.region(),
        arn.account(),
        &resource,
    )
    .ok()
}

/// An EC2 instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// The instance's ARN.
    pub arn: Arn,
    /// The instance profile, which holds the role; none when the instance has no role.
    #[serde(default)]
    pub instance_profile: Option<Arn>,
}

/// What runs as a role besides Lambda functions and EC2 instances.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// What it is.
    pub kind: WorkloadKind,
    /// Its ARN.
    pub arn: Arn,
    /// The role, or the instance profile that holds it.
    pub runs_as: Arn,
    /// Tags that every session of it carries, as EKS Pod Identity gives them.
    #[serde(default)]
    pub session_tags: Vec<Tag>,
}

/// The sorts of such workloads.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadKind {
    /// An Auto Scaling group, by its launch template or launch configuration.
    AutoScalingGroup,
    /// An ECS task definition with its task role.
    Task,
    /// An ECS service, by its task definition.
    EcsService,
    /// An EKS pod identity association.
    PodIdentity,
    /// A Step Functions state machine.
    StateMachine,
    /// An EventBridge pipe.
    Pipe,
    /// An EventBridge Scheduler schedule.
    Schedule,
    /// A Glue crawler.
    Crawler,
}
