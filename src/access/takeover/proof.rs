//! The statements behind a way to act as another.

use std::sync::Arc;

use super::super::assume::StepProof;
use super::super::context::Caller;
use super::super::principal::Principal;
use super::applicant::{Applicant, Call};
use super::plan::Plan;
use super::way::{Over, PASS_ROLE};
use super::{Takeover, TakeoverFinder, place_of, place_of_user};
use crate::arn::Arn;
use crate::policy::Formula;

/// What runs as one role and is looked at to prove a way.
const MOST_TRIED: usize = 32;

/// Statements by which one action of a way may be done.
#[derive(Debug)]
pub struct TakeoverStep {
    /// The action, as AWS writes it.
    pub action: &'static str,
    /// What it is about.
    pub resource: Arc<str>,
    /// The statements.
    pub proofs: Vec<StepProof>,
}

impl TakeoverFinder<'_> {
    /// The statements by which the principal may go a way to one that it could take over, action by action.
    pub fn prove(&self, index: usize, takeover: &Takeover, target: usize) -> Vec<TakeoverStep> {
        let plan = self
            .plans
            .iter()
            .find(|plan| std::ptr::eq(plan.way, takeover.way));
        let (Some(principal), Some(role), Some(plan)) = (
            self.access.principals.get(index),
            self.access.principals.get(target),
            plan,
        ) else {
            return Vec::new();
        };
        let applicant = Applicant::new(self.access, principal, &self.actions);
        let mut proved = Vec::new();
        for caller in applicant.callers() {
            let Some((steps, when)) = self.prove_as(&applicant, plan, caller, (target, role))
            else {
                continue;
            };
            if when.is_always() {
                return steps;
            }
            if proved.is_empty() {
                proved = steps;
            }
        }
        proved
    }

    fn prove_as(
        &self,
        applicant: &Applicant<'_>,
        plan: &Plan,
        caller: Caller<'_>,
        (target, role): (usize, &Principal<'_>),
    ) -> Option<(Vec<TakeoverStep>, Formula)> {
        let mut steps = Vec::new();
        let mut passes = Formula::Always;
        if plan.way.passes_to().is_some() {
            let mut proofs = Vec::new();
            passes = applicant.when_passing(
                plan,
                caller,
                role,
                Some(&mut |matched| {
                    proofs.push(StepProof::of(&matched));
                }),
            );
            steps.push(TakeoverStep {
                action: PASS_ROLE,
                resource: role.arn.shared(),
                proofs: StepProof::once_each(proofs),
            });
        }
        let (call, changed) = match plan.way.over {
            Over::Running(kind) => {
                let members = &self.fleets.get(&kind)?.members;
                let of_role = members.iter().filter(|(_, index)| *index == target);
                let calls = of_role
                    .take(MOST_TRIED)
                    .map(|(arn, _)| (applicant.call(plan, caller, place_of(arn)), arn));
                let (call, arn) = surest(calls)?;
                (call, Some((arn, None)))
            }
            Over::User => {
                let call = applicant.call(plan, caller, place_of_user(role));
                (call, Some((role.arn, Some(role.tags))))
            }
            Over::Passed(_) | Over::InProfile => {
                let regions = applicant.regions(plan);
                (applicant.surest_call(plan, caller, &regions), None)
            }
        };
        if !call.when.is_satisfiable() {
            return None;
        }
        for about in &call.about {
            steps.push(TakeoverStep {
                action: plan.way.needs.get(about.need)?.action,
                resource: Arc::from(about.resource.as_str()),
                proofs: applicant.prove(plan, caller, changed, about),
            });
        }
        Some((steps, passes.and(call.when)))
    }
}

fn surest<'m>(calls: impl Iterator<Item = (Call, &'m Arn)>) -> Option<(Call, &'m Arn)> {
    let mut best = None;
    for (call, arn) in calls {
        if call.when.is_always() {
            return Some((call, arn));
        }
        if best.is_none() && call.when.is_satisfiable() {
            best = Some((call, arn));
        }
    }
    best
}
