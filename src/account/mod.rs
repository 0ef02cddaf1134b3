//! One AWS account as plain data: what `collect` read and everything after it works on.
//!
//! An [`Account`] is immutable once collected, holds no secret, and is what a snapshot file stores. Policy documents are kept
//! as the text that AWS returned ([`PolicyText`]); parsing them belongs to [`crate::policy`]. Nothing here decides anything.

mod coverage;
mod delivery;
mod key;
mod organization;
mod principal;
mod queue;
mod snapshot;
mod workload;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use coverage::{Coverage, Gap, GapEffect, Note, PartRead};
pub use delivery::{Channel, Delivery, DeliveryKind, Filter, Sender};
pub use key::{Grant, Key, KeyManager};
pub use organization::{ControlLevel, ControlPolicy, Membership, Organization};
pub use principal::{AccessKeys, Group, InlinePolicy, ManagedPolicy, PolicyText, Role, Tag, User};
pub use queue::{Encryption, Queue, QueueAttributes, Redrive, RedriveAllow};
pub use snapshot::{SnapshotError, SnapshotFile, from_slice, read, snapshot_schema};
pub(crate) use workload::unqualified_function;
pub use workload::{EventSourceMapping, Function, Instance, Workload, WorkloadKind};

use crate::arn::AccountId;

/// Everything that was read of one account at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// The twelve-digit account id.
    pub id: AccountId,
    /// The account alias of the IAM console, when there is one and it was readable.
    #[serde(default)]
    pub alias: Option<String>,
    /// The partition, `aws` for the commercial regions.
    pub partition: String,
    /// The regions that were asked, sorted.
    pub regions: Vec<String>,
    /// When collecting began. Conditions on the current time are decided for this moment.
    pub scanned_at: DateTime<Utc>,
    /// IAM users, sorted by ARN.
    #[serde(default)]
    pub users: Vec<User>,
    /// IAM groups, sorted by ARN.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// IAM roles, sorted by ARN.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Managed policies: every customer managed one, and the AWS managed ones in use, sorted by ARN.
    #[serde(default)]
    pub policies: Vec<ManagedPolicy>,
    /// SQS queues, sorted by ARN.
    #[serde(default)]
    pub queues: Vec<Queue>,
    /// Lambda functions, sorted by ARN.
    #[serde(default)]
    pub functions: Vec<Function>,
    /// Lambda event source mappings, sorted by id.
    #[serde(default)]
    pub event_source_mappings: Vec<EventSourceMapping>,
    /// EC2 instances that exist (not terminated), sorted by ARN.
    #[serde(default)]
    pub instances: Vec<Instance>,
    /// What else runs as a role, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<Workload>,
    /// What AWS moves by itself, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<Delivery>,
    /// What messages pass through besides queues, sorted by ARN; of functions those that deliveries invoke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// KMS keys that queues are encrypted with, sorted by ARN. The AWS managed key for SQS is not among them unless a queue
    /// names it by its id.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// The organization around the account; none when it could not be read.
    #[serde(default)]
    pub organization: Option<Organization>,
    /// What could not be read, and what that means.
    #[serde(default)]
    pub coverage: Coverage,
}

impl Account {
    /// Puts every list into its documented order, so that equal accounts are equal files.
    pub fn sort(&mut self) {
        self.regions.sort();
        self.regions.dedup();
        self.users.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.groups.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.roles.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.policies.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.queues.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.functions.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.event_source_mappings.sort_by(|a, b| a.id.cmp(&b.id));
        self.instances.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.workloads.sort();
        self.deliveries.sort();
        self.channels.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.keys.sort_by(|a, b| a.arn.cmp(&b.arn));
        self.coverage.sort();
    }
}
