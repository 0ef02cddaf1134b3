//! What `patscan iam-policy` writes the policy as.

use std::str::FromStr;

use crate::report::{choice, sanitise};

/// What a policy is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyFormat {
    /// The policy alone.
    Json,
    /// A role that holds the policy, in HCL.
    Terraform,
    /// The same role, as a template.
    CloudFormation,
}

/// A word that names no format of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a policy is not written as `{0}`; choose {choice}",
    choice = choice(&PolicyFormat::ALL.map(PolicyFormat::as_str))
)]
pub struct UnknownPolicyFormat(String);

impl PolicyFormat {
    const ALL: [Self; 3] = [Self::Json, Self::Terraform, Self::CloudFormation];

    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Terraform => "terraform",
            Self::CloudFormation => "cloudformation",
        }
    }
}

impl FromStr for PolicyFormat {
    type Err = UnknownPolicyFormat;

    fn from_str(word: &str) -> Result<Self, UnknownPolicyFormat> {
        match word {
            // A StackSet is made from a template like any other.
            "stackset" => Ok(Self::CloudFormation),
            word => Self::ALL
                .into_iter()
                .find(|format| format.as_str() == word)
                .ok_or_else(|| UnknownPolicyFormat(sanitise(word).into_owned())),
        }
    }
}
