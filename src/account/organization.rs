//! Where an account stands in AWS Organizations, and the control policies above it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::principal::PolicyText;
use crate::arn::AccountId;

/// What is known of the account's organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "membership",
    rename_all = "kebab-case",
    try_from = "OrganizationIn"
)]
#[schemars(!try_from)]
pub enum Organization {
    /// The account belongs to no organization: no control policy applies, and no request carries an organization id.
    None,
    /// The account belongs to one.
    Member(Membership),
}

/// An account's place in its organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Membership {
    /// The organization's id, `o-…`.
    pub id: String,
    /// The management account. Control policies do not bind it.
    pub management_account: AccountId,
    /// The path of the account as `aws:PrincipalOrgPaths` holds it (`o-…/r-…/ou-…/`); none when it could not be read.
    pub path: Option<String>,
    /// Service control policies by level, from the root down to the account; none when they could not be read, empty where
    /// the policy type is not enabled.
    pub service_controls: Option<Vec<ControlLevel>>,
    /// Resource control policies, likewise.
    pub resource_controls: Option<Vec<ControlLevel>>,
}

/// The control policies attached to the root, an organizational unit, or the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ControlLevel {
    /// The id of what they are attached to: `r-…`, `ou-…`, or the account id.
    pub target: String,
    /// The policies, sorted by id.
    pub policies: Vec<ControlPolicy>,
}

/// A service or resource control policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ControlPolicy {
    /// Its id, `p-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its text; none when it could not be read (a gap says why).
    #[serde(default)]
    pub document: Option<PolicyText>,
}

/// An [`Organization`] as it is read. A tagged enum would be buffered on the way in, and the text of a policy cannot be
/// taken out of such a buffer.
#[derive(Deserialize)]
struct OrganizationIn {
    membership: Tag,
    id: Option<String>,
    management_account: Option<AccountId>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    service_controls: Option<Vec<ControlLevel>>,
    #[serde(default)]
    resource_controls: Option<Vec<ControlLevel>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Tag {
    None,
    Member,
}

impl TryFrom<OrganizationIn> for Organization {
    type Error = String;

    fn try_from(read: OrganizationIn) -> Result<Self, Self::Error> {
        let missing = |field: &str| format!("missing field `{field}` of the organization");
        Ok(match read.membership {
            Tag::None => Self::None,
            Tag::Member => Self::Member(Membership {
                id: read.id.ok_or_else(|| missing("id"))?,
                management_account: read
                    .management_account
                    .ok_or_else(|| missing("management_account"))?,
                path: read.path,
                service_controls: read.service_controls,
                resource_controls: read.resource_controls,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_policies_are_read_as_they_were_written() {
        let member = Organization::Member(Membership {
            id: "o-example".to_owned(),
            management_account: "999988887777".parse().unwrap(),
            path: None,
            service_controls: Some(vec![ControlLevel {
                target: "r-root".to_owned(),
                policies: vec![ControlPolicy {
                    id: "p-1".to_owned(),
                    name: "one".to_owned(),
                    document: Some(PolicyText::new(r#"{"Statement": []}"#)),
                }],
            }]),
            resource_controls: None,
        });
        for organization in [member, Organization::None] {
            let text = serde_json::to_string(&organization).unwrap();
            assert_eq!(
                serde_json::from_str::<Organization>(&text).unwrap(),
                organization,
                "{text}"
            );
        }
    }

    #[test]
    fn a_member_must_say_of_what() {
        let error =
            serde_json::from_str::<Organization>(r#"{"membership": "member"}"#).unwrap_err();
        assert!(error.to_string().contains("`id`"), "{error}");
    }
}
