//! KMS keys that queues, topics and buckets are encrypted with, as `DescribeKey`, `GetKeyPolicy`, `ListGrants` and `ListAliases` describe them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::principal::PolicyText;
use crate::arn::Arn;

/// One key that some queue, topic or bucket names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// The key's ARN, by id and not by alias.
    pub arn: Arn,
    /// Its aliases (`alias/orders`), sorted; none when they could not be read.
    #[serde(default)]
    pub aliases: Option<Vec<String>>,
    /// Who manages it.
    pub manager: KeyManager,
    /// Its state as AWS writes it; only an `Enabled` key encrypts and decrypts.
    pub state: String,
    /// The key policy; none when it could not be read (a gap says why), and of the AWS managed key.
    #[serde(default)]
    pub policy: Option<PolicyText>,
    /// Its grants, sorted by id; none when they could not be read, and of the AWS managed key.
    #[serde(default)]
    pub grants: Option<Vec<Grant>>,
}

impl Key {
    /// Whether the key encrypts and decrypts now.
    pub fn is_enabled(&self) -> bool {
        self.state == "Enabled"
    }
}

/// Who manages a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyManager {
    /// The account: key policy and grants decide.
    Customer,
    /// AWS, for one service: every principal of the account may use it through that service.
    Aws,
}

/// A grant on a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    /// The grant's id.
    pub id: String,
    /// Who may use the key: the ARN of a user, role or session, an account, or a service name.
    pub grantee: String,
    /// The operations, as AWS writes them (`Decrypt`), sorted.
    pub operations: Vec<String>,
    /// Pairs that the encryption context of a request must hold, others besides allowed (`EncryptionContextSubset`).
    #[serde(default)]
    pub context_subset: BTreeMap<String, String>,
    /// Pairs that must be the whole encryption context (`EncryptionContextEquals`); none when it is not constrained so.
    #[serde(default)]
    pub context_equals: Option<BTreeMap<String, String>>,
    /// The resource on whose behalf a service must come, when the grant is bound to one.
    #[serde(default)]
    pub source_arn: Option<String>,
}
