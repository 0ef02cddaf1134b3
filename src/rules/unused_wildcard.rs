//! `unused-wildcard`: an Allow statement names queues by a pattern that no queue has.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::carriers::{Carrier, carriers};
use super::{Audit, list, region, short};
use crate::access::{Policy, SQS_ACTIONS};
use crate::account::{Account, Gap};
use crate::finding::{Certainty, Evidence, Finding, Severity, finding_id};
use crate::policy::{Effect, ResourcePattern, Statement};

const RULE: &str = "unused-wildcard";
/// Patterns that are named in words.
const MOST_NAMED: usize = 3;

pub(super) fn check(audit: &Audit<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, account) in audit.accounts.iter().enumerate() {
        let carriers = carriers(audit, index, account);
        let found = carriers
            .iter()
            .filter_map(|carrier| finding(audit, account, carrier));
        findings.extend(found);
    }
    findings
}

/// Whether a pattern is one of queue names that certainly no queue has: it must be about one region of an audited account whose
/// queues were all listed. What variables hold, and which regions a wildcard for the region means, is not known.
pub(super) fn is_unused(audit: &Audit<'_>, pattern: &ResourcePattern) -> bool {
    let fields: Vec<&str> = pattern.text().splitn(6, ':').collect();
    let [_, partition, "sqs", region, account, name] = fields.as_slice() else {
        return false;
    };
    let has_fixed_part = name.contains(|character| !matches!(character, '*' | '?'));
    if !name.contains(['*', '?']) || !has_fixed_part || pattern.has_variables() {
        return false;
    }
    let was_listed = audit.accounts.iter().any(|known| {
        known.id.as_str() == *account && known.partition == *partition && lists(known, region)
    });
    was_listed && !audit.access.reaches_any(pattern)
}

/// Whether all queues of a region were listed.
fn lists(account: &Account, region: &str) -> bool {
    let coverage = &account.coverage;
    let is_missing = |gap: &Gap| {
        gap.service == "sqs"
            && gap.operation == "ListQueues"
            && gap.region.as_deref().is_none_or(|other| other == region)
    };
    account.regions.iter().any(|known| known == region)
        && !coverage.skipped.iter().any(|service| service == "sqs")
        && !coverage.gaps.iter().any(is_missing)
}

/// A pattern that no queue has, and where it stands.
struct Unused<'p> {
    policy: &'p Policy,
    statement: &'p Statement,
    pattern: &'p ResourcePattern,
}

fn unused<'p>(audit: &Audit<'_>, policy: &'p Policy) -> Vec<Unused<'p>> {
    let mut unused = Vec::new();
    for statement in policy.document.statements() {
        let Some(resources) = &statement.resources else {
            continue;
        };
        let gives = || {
            SQS_ACTIONS
                .iter()
                .any(|action| statement.actions.contains(&action.name.to_lowercase()))
        };
        if statement.effect != Effect::Allow || resources.negated {
            continue;
        }
        let patterns = resources.patterns.iter();
        let mut patterns = patterns
            .filter(|pattern| is_unused(audit, pattern))
            .peekable();
        if patterns.peek().is_some() && gives() {
            unused.extend(patterns.map(|pattern| Unused {
                policy,
                statement,
                pattern,
            }));
        }
    }
    unused
}

fn finding(audit: &Audit<'_>, account: &Account, carrier: &Carrier) -> Option<Finding> {
    let policies = carrier.policies.iter();
    let unused: Vec<Unused<'_>> = policies.flat_map(|policy| unused(audit, policy)).collect();
    if unused.is_empty() {
        return None;
    }
    let names: BTreeSet<String> = unused
        .iter()
        .map(|unused| name(unused.pattern).to_owned())
        .collect();
    let mut listed: Vec<String> = names.iter().take(MOST_NAMED).cloned().collect();
    if names.len() > MOST_NAMED {
        listed.push(format!("{} more", names.len() - MOST_NAMED));
    }
    let number = names.len();
    let (is_pattern, they) = if number == 1 {
        ("a name pattern", "it")
    } else {
        ("name patterns", "they")
    };
    let mut evidence: Vec<Evidence> = unused.iter().flat_map(proof).collect();
    evidence.sort();
    evidence.dedup();
    let subject = carrier.subject.clone();
    Some(Finding {
        id: finding_id(RULE, &account.id, &subject),
        rule: RULE,
        severity: Severity::Low,
        title: format!(
            "{} grants rights on {is_pattern} that no queue has: {}",
            short(&subject),
            list(&listed)
        ),
        detail: format!(
            "Every queue of the regions that {they} name{} was listed, and none is called so. The grant waits: whoever makes a \
             queue of that name hands it to everyone who carries the policy.",
            if number == 1 { "s" } else { "" }
        ),
        account: account.id.clone(),
        region: region(&subject.arn),
        principals: carrier.principals(audit),
        resources: [].into(),
        more_resources: 0,
        certainty: Certainty::Allowed,
        conditions: Vec::new(),
        evidence: evidence.into(),
        more_evidence: 0,
        remedy: "Take the pattern out of the statement, or the statement out of the policy; name the queue when there is one."
            .to_owned(),
        subject,
    })
}

/// The pattern of the name: the last field of the ARN.
fn name(pattern: &ResourcePattern) -> &str {
    let mut fields = pattern.text().splitn(6, ':');
    fields.nth(5).unwrap_or_default()
}

fn proof(unused: &Unused<'_>) -> impl Iterator<Item = Evidence> {
    let not = if unused.statement.actions.negated {
        "not "
    } else {
        ""
    };
    let resource: Arc<str> = Arc::from(unused.pattern.text());
    unused
        .statement
        .actions
        .texts
        .iter()
        .map(move |action| Evidence {
            capability: format!("{not}{action}").into(),
            resource: Arc::clone(&resource),
            layer: "identity",
            policy: Arc::clone(&unused.policy.name),
            statement: Arc::clone(&unused.statement.label),
            effect: unused.statement.effect.as_str(),
        })
}
