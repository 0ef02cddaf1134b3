//! The control policies of AWS Organizations above each account (B.5.1, B.5.2).

use super::candidates::Candidates;
use super::decide::Policy;
use crate::account::{Account, ControlLevel, ControlPolicy, Organization};
use crate::policy::PolicyKind;

/// The control policies that bind one account, level by level from the root down.
#[derive(Debug, Default)]
pub(super) struct Controls {
    scps: Vec<Vec<Control>>,
    rcps: Vec<Vec<Control>>,
}

/// A control policy; without its text when that could not be read. Then it refuses nothing, and a gap says that access can
/// only be smaller.
#[derive(Debug)]
struct Control(Option<Policy>);

/// What the control policies of an account say about one action.
#[derive(Debug, Default)]
pub(super) struct ControlsAbout<'a> {
    pub(super) scps: Vec<Candidates<'a>>,
    pub(super) rcps: Vec<Candidates<'a>>,
}

impl Controls {
    /// Reads what binds the account: nothing outside an organization, and nothing the management account (SCP5, RCP3).
    pub(super) fn of(account: &Account) -> Self {
        let Some(Organization::Member(membership)) = &account.organization else {
            return Self::default();
        };
        if membership.management_account == account.id {
            return Self::default();
        }
        Self {
            scps: levels(
                membership.service_controls.as_deref(),
                PolicyKind::ServiceControl,
            ),
            rcps: levels(
                membership.resource_controls.as_deref(),
                PolicyKind::ResourceControl,
            ),
        }
    }

    /// The statements about an action.
    pub(super) fn about(&self, action: &str) -> ControlsAbout<'_> {
        ControlsAbout {
            scps: about(&self.scps, action),
            rcps: about(&self.rcps, action),
        }
    }

    /// Every policy that was read.
    pub(super) fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.scps
            .iter()
            .chain(&self.rcps)
            .flatten()
            .filter_map(|control| control.0.as_ref())
    }
}

fn levels(levels: Option<&[ControlLevel]>, kind: PolicyKind) -> Vec<Vec<Control>> {
    let control = |policy: &ControlPolicy| {
        Control(policy.document.as_ref().map(|text| {
            let name = format!("{} ({})", policy.name, policy.id);
            Policy::parse(name, policy.id.as_str(), text.as_str(), kind)
        }))
    };
    levels
        .unwrap_or_default()
        .iter()
        // Something is always attached where a policy type is in force; a level without anything was not read.
        .filter(|level| !level.policies.is_empty())
        .map(|level| level.policies.iter().map(control).collect())
        .collect()
}

fn about<'a>(levels: &'a [Vec<Control>], action: &str) -> Vec<Candidates<'a>> {
    levels
        .iter()
        .map(|level| {
            let read = level.iter().filter_map(|control| control.0.as_ref());
            let mut candidates = Candidates::limiting(read, action);
            if level.iter().any(|control| control.0.is_none()) {
                candidates.allow_everything();
            }
            candidates
        })
        .collect()
}
