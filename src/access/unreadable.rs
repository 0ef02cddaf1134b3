//! Policy documents that take part in decisions but cannot be read: each is a gap, since what it says is unknown.

use std::collections::BTreeSet;

use super::{Access, Policy};
use crate::account::{Gap, GapEffect};
use crate::policy::PolicyKind;

impl Access<'_> {
    /// A gap for each document that is no policy, and for each that was never collected unless the account's coverage
    /// tells it already. With the index of the account.
    pub fn unreadable_policies(&self) -> Vec<(usize, Gap)> {
        let mut gaps = BTreeSet::new();
        for principal in &self.principals {
            for policy in principal.policies.iter().chain(&principal.boundary) {
                let missing = "what its holders may do is not known";
                gaps.extend(self.gap(principal.account, None, policy, missing));
            }
        }
        for (index, account) in self.accounts.iter().enumerate() {
            for role in &account.roles {
                let policy = Policy::parse(
                    format!("the trust policy of role {}", role.arn.name()),
                    role.arn.shared(),
                    role.trust.as_str(),
                    PolicyKind::Trust,
                );
                let missing = "who runs as the role is not known";
                gaps.extend(self.gap(index, None, &policy, missing));
            }
        }
        for audited in &self.queues {
            if let Some(policy) = &audited.policy {
                let region = Some(audited.queue.arn.region());
                let missing = "who may use the queue by its own policy is not known";
                gaps.extend(self.gap(audited.account, region, policy, missing));
            }
        }
        gaps.into_iter().collect()
    }

    fn gap(
        &self,
        account: usize,
        region: Option<&str>,
        policy: &Policy,
        missing: &str,
    ) -> Option<(usize, Gap)> {
        let document = &policy.document;
        if document.readable {
            return None;
        }
        let told = self.accounts.get(account).is_some_and(|account| {
            account
                .coverage
                .gaps
                .iter()
                .any(|gap| gap.resource.as_deref() == Some(&policy.owner))
        });
        let (operation, error, detail) = if document.collected {
            let problem = document.problems.first()?;
            (
                "ParsePolicy",
                "MalformedPolicyDocument",
                format!(
                    "{} is no policy: {problem}; {missing}; correct the document",
                    policy.name
                ),
            )
        } else if told {
            return None;
        } else {
            (
                "ReadPolicy",
                "NotCollected",
                format!("{} was not collected; {missing}; scan again", policy.name),
            )
        };
        let service = if region.is_some() { "sqs" } else { "iam" };
        let gap = Gap {
            region: region.map(str::to_owned),
            service: service.to_owned(),
            operation: operation.to_owned(),
            resource: Some(policy.owner.to_string()),
            error: error.to_owned(),
            effect: GapEffect::MayHide,
            detail,
        };
        Some((account, gap))
    }
}
