//! Where an account stands in AWS Organizations, and the control policies above it.

use serde::{Deserialize, Serialize};

use super::principal::PolicyText;
use crate::arn::AccountId;

/// What is known of the account's organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "membership", rename_all = "kebab-case")]
pub enum Organization {
    /// The account belongs to no organization: no control policy applies, and no request carries an organization id.
    None,
    /// The account belongs to one.
    Member(Membership),
}

/// An account's place in its organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The organization's id, `o-…`.
    pub id: String,
    /// The management account. Control policies do not bind it.
    pub management_account: AccountId,
    /// The path of the account as `aws:PrincipalOrgPaths` holds it (`o-…/r-…/ou-…/`); none when it could not be read.
    #[serde(default)]
    pub path: Option<String>,
    /// Service control policies by level, from the root down to the account; none when they could not be read, empty where
    /// the policy type is not enabled.
    #[serde(default)]
    pub service_controls: Option<Vec<ControlLevel>>,
    /// Resource control policies, likewise.
    #[serde(default)]
    pub resource_controls: Option<Vec<ControlLevel>>,
}

/// The control policies attached to the root, an organizational unit, or the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlLevel {
    /// The id of what they are attached to: `r-…`, `ou-…`, or the account id.
    pub target: String,
    /// The policies, sorted by id.
    pub policies: Vec<ControlPolicy>,
}

/// A service or resource control policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPolicy {
    /// Its id, `p-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its text; none when it could not be read (a gap says why).
    #[serde(default)]
    pub document: Option<PolicyText>,
}
