//! What decisions lack: documents that are no policy, and what was never collected. Each is a gap that says what it does to
//! the answers, unless the account's own coverage tells it already.

use std::collections::BTreeSet;

use super::context::Sealed;
use super::key::{Lock, NamedKeys, lock_of};
use super::{Access, Policy};
use crate::account::{Account, ControlLevel, Encryption, Gap, GapEffect, Organization};

/// Where a document was read, and what its loss means.
struct Place<'a> {
    region: Option<&'a str>,
    service: &'a str,
    missing: &'a str,
}

impl Access<'_> {
    /// The gaps, each with the index of its account, sorted.
    pub fn gaps(&self) -> Vec<(usize, Gap)> {
        let mut gaps = BTreeSet::new();
        gaps.extend(self.unreadable_policies());
        for (index, account) in self.accounts.iter().enumerate() {
            gaps.extend(unread_controls(account).map(|gap| (index, gap)));
        }
        gaps.extend(self.unread_keys());
        gaps.into_iter().collect()
    }

    fn unreadable_policies(&self) -> BTreeSet<(usize, Gap)> {
        let mut gaps = BTreeSet::new();
        let iam = |missing| Place {
            region: None,
            service: "iam",
            missing,
        };
        for principal in &self.principals {
            for policy in principal.policies.iter().chain(&principal.boundary) {
                let place = iam("what its holders may do is not known");
                gaps.extend(self.unreadable(principal.account, policy, &place));
            }
            if let Some(policy) = &principal.trust_policy {
                let place = iam("who runs as the role, or becomes it, is not known");
                gaps.extend(self.unreadable(principal.account, policy, &place));
            }
        }
        for audited in &self.queues {
            let place = Place {
                region: Some(audited.queue.arn.region()),
                service: "sqs",
                missing: "who may use the queue by its own policy is not known",
            };
            if let Some(policy) = &audited.policy {
                gaps.extend(self.unreadable(audited.account, policy, &place));
            }
        }
        for audited in &self.keys {
            let place = Place {
                region: Some(audited.key.arn.region()),
                service: "kms",
                missing: "who may use the key is not known",
            };
            for policy in &audited.policies {
                gaps.extend(self.unreadable(audited.account, policy, &place));
            }
        }
        for (index, controls) in self.controls.iter().enumerate() {
            let place = Place {
                region: None,
                service: "organizations",
                missing: "what it denies is not known",
            };
            for policy in controls.policies() {
                gaps.extend(self.unreadable(index, policy, &place));
            }
        }
        gaps
    }

    fn unreadable(
        &self,
        account: usize,
        policy: &Policy,
        place: &Place<'_>,
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
        let (name, missing) = (&policy.name, place.missing);
        let (operation, error, detail) = if document.collected {
            let problem = document.problems.first()?;
            (
                "ParsePolicy",
                "MalformedPolicyDocument",
                format!("{name} is no policy: {problem}; {missing}; correct the document"),
            )
        } else if told {
            return None;
        } else {
            (
                "ReadPolicy",
                NOT_COLLECTED,
                format!("{name} was not collected; {missing}; scan again"),
            )
        };
        let gap = Gap {
            region: place.region.map(str::to_owned),
            service: place.service.to_owned(),
            operation: operation.to_owned(),
            resource: Some(policy.owner.to_string()),
            error: error.to_owned(),
            effect: GapEffect::MayHide,
            detail,
        };
        Some((account, gap))
    }

    /// Customer keys that could not be read, so that they refuse nobody here.
    fn unread_keys(&self) -> BTreeSet<(usize, Gap)> {
        let queues = self.queues.iter().filter_map(|audited| {
            let attributes = audited.queue.attributes.as_ref()?;
            let of = (audited.account, &audited.queue.arn);
            (audited.lock == Lock::Unread).then_some((of, &attributes.encryption))
        });
        let keys = &NamedKeys::new(self.accounts, &self.keys);
        let accounts = self.accounts.iter().enumerate();
        let channels = accounts.flat_map(|(account, of)| {
            of.channels.iter().filter_map(move |channel| {
                let sealed = Sealed {
                    arn: &channel.arn,
                    account: of.id.as_str(),
                };
                let lock = lock_of(&channel.encryption, sealed, keys);
                let of = (account, &channel.arn);
                (lock == Lock::Unread).then_some((of, &channel.encryption))
            })
        });
        let unread = queues.chain(channels).filter_map(|((index, arn), encryption)| {
            let Encryption::Kms { key } = encryption else {
                return None;
            };
            let account = self.accounts.get(index)?;
            if is_told(account, "kms") {
                return None;
            }
            let gap = not_collected(
                Some(arn.region()).filter(|region| !region.is_empty()),
                "kms",
                "GetKeyPolicy",
                Some(key),
                format!(
                    "policy and grants of key {key} were not collected: access to what it encrypts can only be \
                     smaller than shown; scan again"
                ),
            );
            Some((index, gap))
        });
        unread.collect()
    }
}

const NOT_COLLECTED: &str = "NotCollected";

/// Control policies that could not be read, so that they refuse nobody here. Said once for an account.
fn unread_controls(account: &Account) -> Option<Gap> {
    let operation = match &account.organization {
        None => "DescribeOrganization",
        // Nothing binds the management account, so nothing is missing.
        Some(Organization::Member(membership)) if membership.management_account == account.id => {
            return None;
        }
        Some(Organization::Member(membership)) => {
            [&membership.service_controls, &membership.resource_controls]
                .into_iter()
                .find_map(|levels| unread_part(levels.as_deref()))?
        }
        Some(Organization::None) => return None,
    };
    if is_told(account, "organizations") {
        return None;
    }
    Some(not_collected(
        None,
        "organizations",
        operation,
        None,
        "service and resource control policies were not collected: access can only be smaller than shown; scan again"
            .to_owned(),
    ))
}

/// The call that would have read what is missing of the control policies of one type.
fn unread_part(levels: Option<&[ControlLevel]>) -> Option<&'static str> {
    // Where a policy type is in force something is attached at every level (SCP2).
    let Some(levels) = levels.filter(|levels| levels.iter().all(|one| !one.policies.is_empty()))
    else {
        return Some("ListPoliciesForTarget");
    };
    let mut policies = levels.iter().flat_map(|level| &level.policies);
    policies
        .any(|policy| policy.document.is_none())
        .then_some("DescribePolicy")
}

/// Whether the coverage says already that something of the service is missing, or that it was left out on request.
fn is_told(account: &Account, service: &str) -> bool {
    let coverage = &account.coverage;
    coverage.gaps.iter().any(|gap| gap.service == service)
        || coverage.skipped.iter().any(|skipped| skipped == service)
}

fn not_collected(
    region: Option<&str>,
    service: &str,
    operation: &str,
    resource: Option<&str>,
    detail: String,
) -> Gap {
    Gap {
        region: region.map(str::to_owned),
        service: service.to_owned(),
        operation: operation.to_owned(),
        resource: resource.map(str::to_owned),
        error: NOT_COLLECTED.to_owned(),
        effect: GapEffect::MayOverstate,
        detail,
    }
}
