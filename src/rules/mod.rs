//! The rules: each a plain function of the audit to its findings, each in a file of its own with a page under `findings/`.
//!
//! Adding a rule means its file, its page, a fixture account in which it fires and one in which it does not, and one line of
//! [`RULES`].

mod abandoned;
mod assumable_loop;
mod breadth;
mod broken_delivery;
mod can_self_grant;
mod can_take_over;
mod carriers;
mod cross_environment;
mod direct_user_policy;
mod excess_queue_right;
mod exposure;
mod external_access;
mod lists;
mod message_cycle;
mod name_pattern;
mod names;
mod overbroad_wildcard;
mod page;
mod public_queue;
mod queue_feedback_loop;
mod queue_without_consumer;
mod queue_without_generator;
mod settings;
mod shared_role;
mod unscoped_service;
mod unused_wildcard;
mod user_as_service;
mod user_without_group;

use std::sync::Arc;

pub(crate) use self::assumable_loop::{Switching, switching};
pub use self::names::{NamePattern, NamedKind, Names, NamesError, UnknownNamedKind};
pub use self::page::FrontMatter;
pub use self::settings::{Choice, Parameter, Settings};
pub(crate) use self::shared_role::sides;

use crate::access::{Access, Principal, Proof, StepProof};
use crate::account::Account;
use crate::finding::{Entity, Evidence, Finding, Kind, PrincipalRef};
use crate::graph::Graph;
use crate::parallel::few_in_parallel;

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The id, the same in file names, findings and documentation.
    pub id: &'static str,
    /// The page of the catalogue, Markdown with front matter.
    pub page: &'static str,
    /// Finds what breaks the rule.
    pub check: fn(&Audit<'_>) -> Vec<Finding>,
    /// The numbers that the rule goes by.
    pub parameters: &'static [Parameter],
}

impl Rule {
    /// The facts of its page; none when the page cannot be read, which a test rules out.
    pub fn front_matter(&self) -> Option<FrontMatter> {
        FrontMatter::read(page::split(self.page)?.0)
    }

    /// The page without its front matter.
    pub fn text(&self) -> &'static str {
        page::split(self.page).map_or(self.page, |(_, text)| text.trim_start())
    }

    /// The rule in a few words, from its page.
    pub fn title(&self) -> &'static str {
        self.front_matter().map_or("", |front| front.title)
    }

    /// The usual severity, from its page.
    pub fn severity(&self) -> &'static str {
        self.front_matter()
            .map_or("", |front| front.severity.as_str())
    }
}

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    /// The audited accounts.
    pub accounts: &'a [Account],
    /// Who may do what.
    pub access: &'a Access<'a>,
    /// How messages travel.
    pub graph: &'a Graph<'a>,
    /// What the rules are told from outside.
    pub settings: &'a Settings,
}

macro_rules! rule {
    ($module:ident, $id:literal) => {
        rule!($module, $id, &[])
    };
    ($module:ident, $id:literal, $parameters:expr) => {
        Rule {
            id: $id,
            page: include_str!(concat!("../../findings/", $id, ".md")),
            check: $module::check,
            parameters: $parameters,
        }
    };
}

/// Every rule, sorted by id.
pub const RULES: &[Rule] = &[
    rule!(assumable_loop, "assumable-loop"),
    rule!(broken_delivery, "broken-delivery"),
    rule!(can_self_grant, "can-self-grant"),
    rule!(can_take_over, "can-take-over"),
    rule!(
        cross_environment,
        "cross-environment",
        &[cross_environment::ONE_BY_ONE]
    ),
    rule!(direct_user_policy, "direct-user-policy"),
    rule!(excess_queue_right, "excess-queue-right"),
    rule!(external_access, "external-access"),
    rule!(message_cycle, "message-cycle"),
    rule!(name_pattern, "name-pattern", &[name_pattern::ONE_BY_ONE]),
    rule!(overbroad_wildcard, "overbroad-wildcard"),
    rule!(public_queue, "public-queue"),
    rule!(queue_feedback_loop, "queue-feedback-loop"),
    rule!(
        queue_without_consumer,
        "queue-without-consumer",
        &[abandoned::ONE_BY_ONE]
    ),
    rule!(
        queue_without_generator,
        "queue-without-generator",
        &[abandoned::ONE_BY_ONE]
    ),
    rule!(shared_role, "shared-role"),
    rule!(unscoped_service, "unscoped-service"),
    rule!(unused_wildcard, "unused-wildcard"),
    rule!(user_as_service, "user-as-service"),
    rule!(user_without_group, "user-without-group"),
];

/// The findings of every rule that is not switched off.
pub fn check_all(audit: &Audit<'_>) -> Vec<Finding> {
    // Some rules look at one thing after the other, others use every processor: side by side they fill each other's gaps. The
    // one that takes longest by itself begins, and has given its memory back when findings fill it.
    let mut rules: Vec<&Rule> = audit.settings.on().collect();
    rules.sort_by_key(|rule| rule.id != message_cycle::RULE);
    let mut found = few_in_parallel(&rules, |rule| {
        let mut findings = (rule.check)(audit);
        audit.settings.grade(rule.id, &mut findings);
        (rule.id, findings)
    });
    found.sort_by_key(|(id, _)| *id);
    let number = found.iter().map(|(_, findings)| findings.len()).sum();
    let mut all = Vec::with_capacity(number);
    for (_, findings) in found {
        all.extend(findings);
    }
    all
}

/// A principal with what runs as it.
fn principal_ref(principal: &Principal<'_>) -> PrincipalRef {
    PrincipalRef {
        entity: Entity::new(principal.kind, principal.arn.shared()),
        workloads: principal.workloads.clone(),
    }
}

/// A holder of access as which nothing is known to run.
fn holder(entity: Entity) -> PrincipalRef {
    PrincipalRef {
        entity,
        workloads: Vec::new(),
    }
}

/// A statement that proves a capability on a resource.
fn evidence(proof: &Proof, resource: &Arc<str>) -> Evidence {
    Evidence {
        capability: proof.capability.as_str().into(),
        resource: Arc::clone(resource),
        layer: proof.layer.as_str(),
        policy: Arc::clone(&proof.policy),
        statement: Arc::clone(&proof.statement),
        effect: proof.effect.as_str(),
    }
}

/// A statement that takes part in a step to more rights.
fn step_evidence(step: &StepProof, action: &'static str, resource: &Arc<str>) -> Evidence {
    Evidence {
        capability: action.into(),
        resource: Arc::clone(resource),
        layer: step.layer.as_str(),
        policy: Arc::clone(&step.policy),
        statement: Arc::clone(&step.statement),
        effect: step.effect.as_str(),
    }
}

/// `"one queue"`, `"3 queues"`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("one {noun}")
    } else {
        let (stem, plural) = match noun.strip_suffix('y') {
            // "queries", but "keys".
            Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => (stem, "ies"),
            None if noun.ends_with('s') => (noun, "es"),
            _ => (noun, "s"),
        };
        format!("{number} {stem}{plural}")
    }
}

/// `"a"`, `"a and b"`, `"a, b and c"`.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}

/// The region of a resource, `global` where its ARN has none.
fn region(arn: &str) -> String {
    match arn.split(':').nth(3) {
        Some(region) if !region.is_empty() => region.to_owned(),
        _ => "global".to_owned(),
    }
}

/// `role app`, `queue orders`: the kind and the last part of the name.
fn short(entity: &Entity) -> String {
    let name = entity.arn.rsplit(['/', ':']).next().unwrap_or(&entity.arn);
    match entity.kind {
        Kind::Anyone => "anyone".to_owned(),
        Kind::Service => entity.arn.to_string(),
        Kind::Api => format!("API {}", api_id(&entity.arn).unwrap_or(name)),
        kind => format!("{} {name}", kind.words()),
    }
}

/// The id of the API that an integration belongs to: `…/restapis/ID/…` or `…/apis/ID/…`.
fn api_id(integration: &str) -> Option<&str> {
    let mut parts = integration.split('/');
    parts.find(|part| matches!(*part, "restapis" | "apis"))?;
    parts.next()
}
