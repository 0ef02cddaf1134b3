//! What runs and what is delivered, changed: a workload that gets another role, an instance profile for that role, and a delivery
//! that goes.

use crate::account::{Account, Delivery, EventSourceMapping, Role, Sender, unqualified_function};
use crate::arn::Arn;
use crate::entity::{Entity, Kind};

use super::command::quoted;

/// A workload that gets another role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The workload.
    pub workload: Entity,
    /// The role as which it runs.
    pub from: Arn,
    /// The role as which it is to run.
    pub to: Arn,
    /// The instance profile of that role, where the workload names one instead of the role.
    pub profile: Option<Arn>,
}

/// A delivery that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// What it is configured as, in words.
    pub kind: &'static str,
    /// The ARN of what configures it, or the id of an event source mapping.
    pub configured_by: String,
    /// Where messages come from; what configures it where nothing has to be put in.
    pub from: Entity,
    /// Where they go.
    pub to: Entity,
}

/// Whether something of this kind names an instance profile and no role.
pub(super) fn names_a_profile(kind: Kind) -> bool {
    matches!(kind, Kind::Instance | Kind::AutoScalingGroup)
}

impl Moved {
    pub(super) fn apply(&self, account: &mut Account) {
        let is_it = |arn: &Arn| arn.as_str() == &*self.workload.arn;
        for function in &mut account.functions {
            if is_it(&function.arn) {
                function.role = self.to.clone();
            }
        }
        for instance in &mut account.instances {
            if is_it(&instance.arn) && self.profile.is_some() {
                instance.instance_profile.clone_from(&self.profile);
            }
        }
        for workload in &mut account.workloads {
            if is_it(&workload.arn) {
                workload.runs_as = match &self.profile {
                    Some(profile) if workload.runs_as != self.from => profile.clone(),
                    _ => self.to.clone(),
                };
            }
        }
        // What it delivers as its role it delivers as the new one.
        for delivery in &mut account.deliveries {
            if is_it(&delivery.configured_by) && delivery.sender == Sender::Role(self.from.clone())
            {
                delivery.sender = Sender::Role(self.to.clone());
            }
        }
    }

    pub(super) fn words(&self) -> String {
        let kind = self.workload.kind.words();
        format!("run {kind} {} as role {}", self.name(), self.to.name())
    }

    fn name(&self) -> &str {
        name(&self.workload.arn)
    }

    /// The command that gives the workload its role. Where the role is a part of a larger definition, a comment says what to do.
    pub(super) fn command(&self) -> String {
        let region = self.workload.arn.split(':').nth(3).unwrap_or_default();
        let region = format!("--region {}", quoted(region));
        let role = quoted(self.to.as_str());
        match self.workload.kind {
            Kind::Function => format!(
                "aws lambda update-function-configuration {region} --function-name {} --role {role}",
                quoted(&self.workload.arn)
            ),
            Kind::StateMachine => format!(
                "aws stepfunctions update-state-machine {region} --state-machine-arn {} --role-arn {role}",
                quoted(&self.workload.arn)
            ),
            _ => comment(&self.by_hand()),
        }
    }

    fn by_hand(&self) -> String {
        let role = self.to.name();
        match self.workload.kind {
            Kind::Task => format!("register a revision of it with role {role} as its task role"),
            Kind::EcsService => {
                format!(
                    "register a revision of its task definition with role {role} as the task role, and deploy that"
                )
            }
            Kind::Instance => {
                format!(
                    "replace its instance profile by that of role {role} (aws ec2 replace-iam-instance-profile-association)"
                )
            }
            Kind::AutoScalingGroup => {
                format!(
                    "name the instance profile of role {role} in its launch template, and refresh its instances"
                )
            }
            Kind::PodIdentity => {
                format!(
                    "give the association role {role} (aws eks update-pod-identity-association)"
                )
            }
            _ => format!("give it role {role}"),
        }
    }
}

impl Removed {
    fn is_mapping(&self, mapping: &EventSourceMapping) -> bool {
        mapping.id == self.configured_by
            && mapping.function_arn().is_some_and(|arn| self.goes_to(&arn))
    }

    fn goes_to(&self, to: &Arn) -> bool {
        to.as_str() == &*self.to.arn
            || unqualified_function(to).is_some_and(|plain| plain.as_str() == &*self.to.arn)
    }

    fn is_delivery(&self, delivery: &Delivery) -> bool {
        let comes_from = delivery.from.as_ref().unwrap_or(&delivery.configured_by);
        let comes_from_there = comes_from.as_str() == &*self.from.arn
            || unqualified_function(comes_from)
                .is_some_and(|plain| plain.as_str() == &*self.from.arn);
        delivery.configured_by.as_str() == self.configured_by
            && comes_from_there
            && self.goes_to(&delivery.to)
    }

    pub(super) fn apply(&self, account: &mut Account) {
        account
            .event_source_mappings
            .retain(|mapping| !self.is_mapping(mapping));
        account
            .deliveries
            .retain(|delivery| !self.is_delivery(delivery));
        for function in &mut account.functions {
            let is_it = function.arn.as_str() == self.configured_by;
            if is_it
                && function
                    .dead_letter_target
                    .as_ref()
                    .is_some_and(|to| self.goes_to(to))
            {
                function.dead_letter_target = None;
            }
        }
    }

    pub(super) fn words(&self) -> String {
        format!(
            "remove the {} from {} {} to {} {}",
            self.kind,
            self.from.kind.words(),
            name(&self.from.arn),
            self.to.kind.words(),
            name(&self.to.arn)
        )
    }

    /// The command that removes the delivery; a comment where AWS has no command for one delivery alone.
    pub(super) fn command(&self) -> String {
        let region = self.to.arn.split(':').nth(3).unwrap_or_default();
        match (self.kind, Arn::parse(&self.configured_by)) {
            ("event source mapping", _) => format!(
                "aws lambda delete-event-source-mapping --region {} --uuid {}",
                quoted(region),
                quoted(&self.configured_by)
            ),
            ("subscription", Ok(subscription)) if subscription.service() == "sns" => format!(
                "aws sns unsubscribe --region {} --subscription-arn {}",
                quoted(subscription.region()),
                quoted(subscription.as_str())
            ),
            _ => comment(&format!(
                "take it out of what configures it, and leave the rest there as it is: {}",
                self.configured_by
            )),
        }
    }
}

/// The role with an instance profile.
pub(super) fn add_profile(account: &mut Account, profile: &Arn, role: &Arn) {
    let is_it = |known: &&mut Role| known.arn == *role;
    if let Some(role) = account.roles.iter_mut().find(is_it) {
        role.instance_profiles.push(profile.clone());
    }
}

/// A line that a shell passes over, whatever is in it.
fn comment(words: &str) -> String {
    let plain = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    format!("# {}", words.chars().map(plain).collect::<String>())
}

/// The last part of a name.
fn name(arn: &str) -> &str {
    arn.rsplit(['/', ':']).next().unwrap_or(arn)
}
