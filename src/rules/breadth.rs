//! How much more one Allow statement grants than one could mean: its actions and resources by what they really match.
//!
//! For SQS action by action and queue by queue, for other services by `*` alone (H.1 to H.3 of the project's semantics).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::exposure::range_is_narrow;
use crate::access::{Capability, SQS_ACTIONS, SqsAction};
use crate::finding::Severity;
use crate::policy::{Base, PolicyKind, Quantifier, ResourcePattern, Statement};

/// What is too wide about a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breadth {
    pub(super) severity: Severity,
    /// The widest thing first.
    pub(super) reasons: Vec<Reason>,
    /// Whether it concerns queues, so that what it reaches can be told queue by queue.
    pub(super) about_queues: bool,
    /// Whether of queues it concerns none but by name patterns that none has.
    pub(super) on_no_queue: bool,
}

/// One thing that is too wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) severity: Severity,
    pub(super) text: String,
}

/// How far a statement's resources reach among queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// No queue at all.
    Nowhere,
    /// A name pattern that no queue has.
    PatternOfNone,
    /// One queue by its full name.
    OneQueue,
    /// One name in every region.
    EveryRegion,
    /// A name pattern that one queue has.
    PatternOfOne,
    /// A name pattern, a variable, or one name in every account.
    Pattern,
    /// Every queue of an account or of all.
    EveryQueue,
}

static SERVICES_WITHOUT_RESOURCES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    include_str!("services-without-resources.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect()
});

/// What is too wide about a statement of an identity-based policy; none when nothing is.
/// `matched` counts the account's queues that a pattern could match.
pub(super) fn of_identity_statement(
    statement: &Statement,
    matched: &dyn Fn(&ResourcePattern) -> u64,
) -> Option<Breadth> {
    let resources = statement.resources.as_ref()?;
    if names_everything_in_full(statement) {
        return None;
    }
    let scope = scope(statement, matched);
    let mut reasons = Vec::new();
    if resources.negated {
        reasons.push(Reason {
            severity: Severity::High,
            text: "NotResource grants its actions on every other resource".to_owned(),
        });
    }
    if statement.actions.negated {
        let elsewhere = scope == Scope::Nowhere && !resources.is_everything();
        reasons.push(if elsewhere {
            Reason {
                severity: Severity::Medium,
                text: "NotAction grants every other action on its resources".to_owned(),
            }
        } else {
            Reason {
                severity: Severity::High.lowered(steps_of_actions(scope)),
                text: "NotAction grants every other action of every service".to_owned(),
            }
        });
    } else {
        if resources.is_everything() {
            reasons.extend(whole_services(statement));
        } else if statement.actions.is_everything() && scope == Scope::Nowhere {
            reasons.push(Reason {
                severity: Severity::Medium,
                text: "every action on its resources".to_owned(),
            });
        }
        if scope != Scope::Nowhere {
            reasons.extend(action_patterns(statement, steps_of_actions(scope)));
            reasons.extend(named_actions(statement, scope));
        }
    }
    Some(Breadth {
        about_queues: scope != Scope::Nowhere,
        on_no_queue: scope == Scope::PatternOfNone,
        ..breadth(statement, reasons)?
    })
}

/// Whether every action and every resource of a statement is written out: then nothing about it can be too wide.
fn names_everything_in_full(statement: &Statement) -> bool {
    let in_full = |text: &str| !text.contains(['*', '?', '$']);
    let is_one = |pattern: &ResourcePattern| {
        let mut fields = pattern.text().splitn(6, ':').skip(4);
        in_full(pattern.text())
            && fields.next().is_some_and(|account| !account.is_empty())
            && fields.next().is_some()
    };
    !statement.actions.negated
        && statement.actions.texts.iter().all(|text| in_full(text))
        && statement
            .resources
            .as_ref()
            .is_some_and(|set| !set.negated && set.patterns.iter().all(is_one))
}

/// What is too wide about a statement of a queue policy, which is about its queue alone.
pub(super) fn of_queue_statement(statement: &Statement) -> Option<Breadth> {
    let reasons = if statement.actions.negated {
        vec![Reason {
            severity: Severity::High.lowered(1),
            text: "NotAction grants every other action on the queue".to_owned(),
        }]
    } else {
        action_patterns(statement, steps_of_actions(Scope::OneQueue))
    };
    breadth(statement, reasons)
}

fn breadth(statement: &Statement, mut reasons: Vec<Reason>) -> Option<Breadth> {
    if is_confined(statement) {
        for reason in &mut reasons {
            reason.severity = reason.severity.lowered(1);
        }
    }
    reasons.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| a.text.cmp(&b.text))
    });
    reasons.dedup();
    Some(Breadth {
        severity: reasons.first()?.severity,
        reasons,
        about_queues: true,
        on_no_queue: false,
    })
}

/// Whether a condition on fixed values confines the statement.
fn is_confined(statement: &Statement) -> bool {
    statement.conditions.iter().any(|clause| {
        let confines = clause.operator().is_some_and(|operator| {
            !operator.negated
                && !operator.if_exists
                && operator.base != Base::Null
                && operator.quantifier != Quantifier::ForAllValues
        });
        let fixed = clause.values().next().is_some()
            && clause
                .values()
                .all(|value| !value.contains(['*', '?', '$']));
        let key = clause.key_lower();
        let addresses = matches!(key, "aws:sourceip" | "aws:vpcsourceip");
        confines
            && fixed
            && (!addresses || clause.values().all(range_is_narrow))
            && !matches!(
                key,
                "aws:securetransport"
                    | "aws:useragent"
                    | "aws:referer"
                    | "aws:viaawsservice"
                    | "aws:currenttime"
                    | "aws:epochtime"
                    | "aws:principaltype"
                    | "aws:tokenissuetime"
            )
    })
}

/// By how much a wildcard among the actions weighs less where the resources are fewer than all queues.
fn steps_of_actions(scope: Scope) -> u8 {
    match scope {
        Scope::EveryQueue | Scope::Nowhere => 0,
        Scope::Pattern | Scope::OneQueue | Scope::EveryRegion | Scope::PatternOfOne => 1,
        Scope::PatternOfNone => 4,
    }
}

fn scope(statement: &Statement, matched: &dyn Fn(&ResourcePattern) -> u64) -> Scope {
    let Some(resources) = &statement.resources else {
        return Scope::Nowhere;
    };
    if resources.negated {
        return Scope::EveryQueue;
    }
    resources
        .patterns
        .iter()
        .map(|pattern| pattern_scope(pattern, matched))
        .max()
        .unwrap_or(Scope::Nowhere)
}

fn pattern_scope(pattern: &ResourcePattern, matched: &dyn Fn(&ResourcePattern) -> u64) -> Scope {
    if pattern.is_everything() {
        return Scope::EveryQueue;
    }
    if is_of_another_service(pattern.text()) {
        return Scope::Nowhere;
    }
    // Two queues that share nothing: a pattern for both is a pattern for all.
    let reaches = |arn: &str| pattern.could_match(arn, PolicyKind::Identity);
    let fields: Vec<&str> = pattern.text().splitn(6, ':').collect();
    let partition = fields
        .get(1)
        .copied()
        .filter(|field| !field.contains(['*', '?']));
    let partition = partition.unwrap_or("aws");
    let probe = |region: &str, account: &str, name: &str| {
        reaches(&format!("arn:{partition}:sqs:{region}:{account}:{name}"))
    };
    if probe("xx-probe-1", "000000000000", "0probe-a")
        && probe("yy-probe-2", "999999999999", "Zprobe_b")
    {
        return Scope::EveryQueue;
    }
    let [_, _, service, region, account, name] = fields.as_slice() else {
        return Scope::Nowhere;
    };
    let is_wild = |field: &str| field.contains(['*', '?']);
    if !reaches(&format!("arn:{partition}:sqs:{region}:{account}:{name}")) || *service == "s3" {
        // The pattern read as a name of its own: when not even that is a queue, none is.
        return Scope::Nowhere;
    }
    if *name == "*" {
        return Scope::EveryQueue;
    }
    if pattern.has_variables() {
        return Scope::Pattern;
    }
    if is_wild(name) {
        return match matched(pattern) {
            0 => Scope::PatternOfNone,
            1 => Scope::PatternOfOne,
            _ => Scope::Pattern,
        };
    }
    if is_wild(account) || account.is_empty() {
        return Scope::Pattern;
    }
    if is_wild(region) {
        return Scope::EveryRegion;
    }
    Scope::OneQueue
}

/// Whether the text begins as no ARN of SQS does, whatever its wildcards stand for: most patterns do.
fn is_of_another_service(text: &str) -> bool {
    let mut fields = text.splitn(4, ':');
    let head: Vec<&str> = fields.by_ref().take(3).collect();
    let is_fixed = |field: &&str| !field.contains(['*', '?', '$']);
    fields.next().is_some() && head.iter().all(is_fixed) && head.last() != Some(&"sqs")
}

/// `*`, and `service:*` of other services, on every resource.
fn whole_services(statement: &Statement) -> Vec<Reason> {
    if statement.actions.is_everything() {
        return vec![Reason {
            severity: Severity::Critical,
            text: "every action on every resource".to_owned(),
        }];
    }
    statement
        .actions
        .texts
        .iter()
        .filter_map(|text| text.strip_suffix(":*"))
        .map(str::to_lowercase)
        .filter(|service| {
            service != "sqs" && !SERVICES_WITHOUT_RESOURCES.contains(&service.as_str())
        })
        .map(|service| Reason {
            severity: Severity::Medium,
            text: format!("every action of {service} on every resource"),
        })
        .collect()
}

/// The SQS actions that one pattern of the statement matches.
fn matched_actions(statement: &Statement, index: usize) -> Vec<&'static SqsAction> {
    SQS_ACTIONS
        .iter()
        .filter(|action| {
            statement
                .actions
                .pattern_matches(index, &action.name.to_lowercase())
        })
        .collect()
}

/// Patterns with a wildcard that match more than one could mean.
fn action_patterns(statement: &Statement, steps: u8) -> Vec<Reason> {
    statement
        .actions
        .texts
        .iter()
        .enumerate()
        .filter(|(_, text)| text.contains(['*', '?']))
        .filter_map(|(index, text)| {
            let matched = matched_actions(statement, index);
            let (severity, gives) = weigh(&matched)?;
            Some(Reason {
                severity: severity.lowered(steps),
                text: format!("the action {text} gives {gives}"),
            })
        })
        .collect()
}

fn weigh(matched: &[&SqsAction]) -> Option<(Severity, String)> {
    let gives = |capability: Capability| {
        matched
            .iter()
            .any(|action| action.capability == Some(capability))
    };
    if matched.iter().all(|action| action.capability.is_none()) {
        return None;
    }
    if matched.len() == SQS_ACTIONS.len() {
        return Some((Severity::High, "every action of SQS".to_owned()));
    }
    let names: Vec<String> = matched
        .iter()
        .filter(|action| action.capability.is_some())
        .map(|action| action.name.trim_start_matches("sqs:").to_owned())
        .collect();
    let text = super::list(&names);
    let mixes = gives(Capability::Send)
        && (gives(Capability::Receive) || gives(Capability::Delete) || gives(Capability::Purge));
    let administers = matched.iter().any(|action| {
        action.capability == Some(Capability::Administer)
            && !matches!(
                action.name,
                "sqs:DeleteQueue" | "sqs:TagQueue" | "sqs:UntagQueue"
            )
    });
    let severity = match matched {
        _ if mixes || administers => Severity::High,
        [only] => {
            return Some((
                Severity::Low,
                format!("{} today, and whatever AWS adds to it", only.name),
            ));
        }
        _ => Severity::Medium,
    };
    Some((severity, text))
}

/// Actions named one by one, in full or by a pattern that matches no other, on more queues than one could mean.
fn named_actions(statement: &Statement, scope: Scope) -> Vec<Reason> {
    let (steps, place) = match scope {
        Scope::Nowhere | Scope::OneQueue => return Vec::new(),
        Scope::EveryQueue => (0, "on every queue"),
        Scope::Pattern => (1, "on every queue of a name pattern"),
        Scope::EveryRegion => (2, "in every region"),
        Scope::PatternOfOne => (4, "on a name pattern that one queue has"),
        Scope::PatternOfNone => (4, "on a name pattern that no queue has"),
    };
    let named: Vec<&'static SqsAction> = statement
        .actions
        .texts
        .iter()
        .enumerate()
        .map(|(index, text)| (text, matched_actions(statement, index)))
        .filter(|(text, matched)| matched.len() == 1 || !text.contains(['*', '?']))
        .flat_map(|(_, matched)| matched)
        .filter(|action| action.on_queues && action.capability.is_some())
        .collect();
    let Some(severity) = named
        .iter()
        .map(|action| match action.capability {
            Some(Capability::Administer)
                if !matches!(action.name, "sqs:TagQueue" | "sqs:UntagQueue") =>
            {
                Severity::High
            }
            _ => Severity::Medium,
        })
        .max()
    else {
        return Vec::new();
    };
    let actions: BTreeSet<&str> = named.iter().map(|action| action.name).collect();
    let what = if actions.len() > 4 {
        format!("{} actions of SQS", actions.len())
    } else {
        super::list(&actions.into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    vec![Reason {
        severity: severity.lowered(steps),
        text: format!("{what} {place}"),
    }]
}
