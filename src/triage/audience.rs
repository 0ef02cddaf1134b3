//! For whom a finding is: a team that can act on it, or an auditor who wants to see everything.

use std::str::FromStr;

use crate::finding::{Entity, Finding, Kind};

/// Who can do something about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Audience {
    /// The account's own people.
    #[default]
    Team,
    /// Nobody in the account: AWS made the roles, and only AWS changes them.
    Auditor,
}

/// A word that names no audience.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no persona `{0}`; use team or auditor")]
pub struct UnknownAudience(String);

impl FromStr for Audience {
    type Err = UnknownAudience;

    /// Reads an audience in any letter case.
    fn from_str(word: &str) -> Result<Self, UnknownAudience> {
        Self::ALL
            .into_iter()
            .find(|audience| audience.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownAudience(word.to_owned()))
    }
}

impl Audience {
    /// Every audience, the default first.
    pub const ALL: [Self; 2] = [Self::Team, Self::Auditor];

    /// The word of the command line and of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Auditor => "auditor",
        }
    }

    /// Whom a finding is for: the auditor where everyone who holds the access is a role that belongs to an AWS service, or
    /// where nobody holds what an AWS managed policy would give.
    pub(super) fn of(finding: &Finding) -> Self {
        let all_of_aws = finding
            .principals
            .iter()
            .all(|holder| belongs_to_aws(&holder.entity));
        let is_ours = match finding.subject.kind {
            Kind::Role => !belongs_to_aws(&finding.subject),
            Kind::Policy if finding.subject.arn.contains(":iam::aws:policy/") => !all_of_aws,
            _ => true,
        };
        if is_ours { Self::Team } else { Self::Auditor }
    }
}

/// A service-linked role: its policies cannot be changed in the account.
fn belongs_to_aws(entity: &Entity) -> bool {
    entity.kind == Kind::Role && entity.arn.contains(":role/aws-service-role/")
}
