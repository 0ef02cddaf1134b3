//! Policy documents that take part in decisions but cannot be read: each is a gap, since what it says is unknown.

use std::collections::BTreeSet;

use super::{Access, Policy};
use crate::account::{Gap, GapEffect};
use crate::policy::{Document, PolicyKind};

impl Access<'_> {
    /// A gap for each document that was collected but is no policy, with the index of its account. What was not collected
    /// has a gap of its own already.
    pub fn unreadable_policies(&self) -> Vec<(usize, Gap)> {
        let mut gaps = BTreeSet::new();
        for principal in &self.principals {
            for policy in principal.policies.iter().chain(&principal.boundary) {
                if let Some(problem) = unreadable(&policy.document) {
                    let missing = "what its holders may do is not known";
                    gaps.insert((
                        principal.account,
                        gap(None, "iam", policy, &problem, missing),
                    ));
                }
            }
        }
        for (index, account) in self.accounts.iter().enumerate() {
            for role in &account.roles {
                let trust = Document::parse(role.trust.as_str(), PolicyKind::Trust);
                if let Some(problem) = unreadable(&trust) {
                    let policy = Policy {
                        name: format!("the trust policy of role {}", role.arn.name()).into(),
                        owner: role.arn.shared(),
                        document: trust.into(),
                    };
                    let missing = "who runs as the role is not known";
                    gaps.insert((index, gap(None, "iam", &policy, &problem, missing)));
                }
            }
        }
        for audited in &self.queues {
            let collected = audited.queue.attributes.is_some();
            if let Some(policy) = audited.policy.as_ref().filter(|_| collected)
                && let Some(problem) = unreadable(&policy.document)
            {
                let region = Some(audited.queue.arn.region().to_owned());
                let missing = "who may use the queue by its own policy is not known";
                gaps.insert((
                    audited.account,
                    gap(region, "sqs", policy, &problem, missing),
                ));
            }
        }
        gaps.into_iter().collect()
    }
}

/// Why a document cannot be read; none when it can, or when it was never collected.
fn unreadable(document: &Document) -> Option<String> {
    if document.readable || !document.collected {
        return None;
    }
    document.problems.first().map(ToString::to_string)
}

fn gap(
    region: Option<String>,
    service: &str,
    policy: &Policy,
    problem: &str,
    missing: &str,
) -> Gap {
    Gap {
        region,
        service: service.to_owned(),
        operation: "ParsePolicy".to_owned(),
        resource: Some(policy.owner.to_string()),
        error: "MalformedPolicyDocument".to_owned(),
        effect: GapEffect::MayHide,
        detail: format!(
            "{} is no policy: {problem}; {missing}; correct the document",
            policy.name
        ),
    }
}
