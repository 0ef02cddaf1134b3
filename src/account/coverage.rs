//! What a scan could not read, and what that does to the answer.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The operation that reads access keys.
const ACCESS_KEYS: &str = "ListAccessKeys";

/// What was left unread, was skipped on request, or is worth knowing about the scan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Reads that failed, each with its effect on the report.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// Events that change nothing but that a reader may wonder about.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// Services left out on request (`--skip`), sorted.
    #[serde(default)]
    pub skipped: Vec<String>,
    /// When each part of the account was read, sorted by part and region. A scan that was interrupted and gone on with has older
    /// ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartRead>,
}

/// When a part of the account was read.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct PartRead {
    /// What was read: the service, and what of it.
    pub part: String,
    /// The region; none for what is global.
    #[serde(default)]
    pub region: Option<String>,
    /// When reading it began.
    pub read_at: DateTime<Utc>,
}

impl Coverage {
    /// Whether nothing that could hide a finding was left unread.
    pub fn is_complete(&self) -> bool {
        !self.gaps.iter().any(|gap| gap.effect == GapEffect::MayHide)
    }

    /// Whether nothing about who may do what was left unread in IAM: access keys tell only who works as a user.
    pub fn principals_were_read(&self) -> bool {
        !self.gaps.iter().any(|gap| {
            gap.service == "iam" && gap.effect == GapEffect::MayHide && gap.operation != ACCESS_KEYS
        })
    }

    /// Whether some failed read says why access keys are unknown.
    pub fn lacks_access_keys(&self) -> bool {
        let mut gaps = self.gaps.iter();
        gaps.any(|gap| gap.service == "iam" && gap.operation == ACCESS_KEYS)
    }

    pub(super) fn sort(&mut self) {
        self.gaps.sort();
        self.gaps.dedup();
        self.notes.sort();
        self.notes.dedup();
        self.skipped.sort();
        self.skipped.dedup();
        self.parts.sort();
    }
}

/// One read that failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The region of the call; none for global services.
    #[serde(default)]
    pub region: Option<String>,
    /// The service namespace as in IAM actions, such as `sqs`.
    pub service: String,
    /// The API operation, such as `GetQueueAttributes`.
    pub operation: String,
    /// The resource that the call was about, when it was about one.
    #[serde(default)]
    pub resource: Option<String>,
    /// The error code that AWS gave, or a word for what failed on the way there.
    pub error: String,
    /// What the gap does to the report.
    pub effect: GapEffect,
    /// What is missing and what to do, in words.
    pub detail: String,
}

/// What a gap does to the report.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum GapEffect {
    /// A finding may be missing: the report is incomplete.
    MayHide,
    /// Access can only be smaller than shown: the report stays complete.
    MayOverstate,
}

impl GapEffect {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MayHide => "may-hide",
            Self::MayOverstate => "may-overstate",
        }
    }
}

/// Something that happened during the scan and that hides nothing, such as a queue deleted between list and read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// The region concerned; none for global services.
    #[serde(default)]
    pub region: Option<String>,
    /// The service namespace.
    pub service: String,
    /// The resource concerned, when there is one.
    #[serde(default)]
    pub resource: Option<String>,
    /// What happened, in words.
    pub detail: String,
}
