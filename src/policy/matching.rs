//! A statement against a request: who, what, on what, and under which conditions.

use super::assumption::{Assumption, Assumptions};
use super::condition::{Base, Operator, Quantifier, Test, Value};
use super::context::{ContextKeys, Domain};
use super::document::{Effect, PolicyKind, PrincipalElement, Statement};
use super::formula::{Formula, OpenReason};
use super::glob::Glob;
use super::principal::{EntryMatch, PrincipalEntry, Requester, RequesterKind};
use super::resource::EntryResult;

/// One authorization request.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub requester: &'a Requester,
    /// The action, `service:name` in lower case.
    pub action: &'a str,
    /// The resource's ARN, or `*` for actions that know none.
    pub resource: &'a str,
    /// What is known of the context.
    pub keys: &'a dyn ContextKeys,
}

/// When a principal element means the requester, told apart by how it does (section B.3).
#[derive(Debug, Clone, PartialEq)]
pub struct PrincipalMatch {
    /// It names the requester itself, or everyone.
    pub direct: Formula,
    /// It names the role or user behind the requester's session.
    pub entity: Formula,
    /// It names the requester's account.
    pub account: Formula,
}

impl PrincipalMatch {
    const NEVER: Self = Self {
        direct: Formula::Never,
        entity: Formula::Never,
        account: Formula::Never,
    };

    fn direct(formula: Formula) -> Self {
        Self {
            direct: formula,
            ..Self::NEVER
        }
    }

    /// When it means the requester in any way.
    pub fn any(self) -> Formula {
        self.direct.or(self.entity).or(self.account)
    }

    /// Whether it never means the requester.
    pub fn is_never(&self) -> bool {
        self.direct.is_never() && self.entity.is_never() && self.account.is_never()
    }
}

impl Statement {
    /// When the resource and the conditions of the statement match. The action is the caller's to check
    /// ([`super::ActionSet::contains`]), since it does not depend on the request's other parts.
    pub fn matches(
        &self,
        request: &Request<'_>,
        kind: PolicyKind,
        assumed: &mut Assumptions,
    ) -> Formula {
        let mut formula = self.matches_resource(request, kind, assumed);
        if !formula.is_never() {
            assumed.extend(self.assumed);
        }
        for clause in &self.conditions {
            if formula.is_never() {
                return formula;
            }
            if matches!(request.requester.kind, RequesterKind::Service(_))
                && is_undocumented_for_services(clause.key_lower())
            {
                assumed.insert(Assumption::ServiceKeys);
            }
            formula = formula.and(clause.evaluate(request.keys, assumed));
        }
        if self.valid {
            formula
        } else {
            formula.and(Formula::open(
                OpenReason::InvalidStatement,
                format!("statement {} is invalid and may still block", self.label),
            ))
        }
    }

    fn matches_resource(
        &self,
        request: &Request<'_>,
        kind: PolicyKind,
        assumed: &mut Assumptions,
    ) -> Formula {
        let Some(resources) = &self.resources else {
            return Formula::Always;
        };
        let mut matched = Formula::Never;
        let mut unresolved = false;
        for pattern in &resources.patterns {
            match pattern.matches(request.resource, kind, request.keys, assumed) {
                EntryResult::Decided(formula) => matched = matched.or(formula),
                EntryResult::Unresolved => unresolved = true,
            }
            if matched.is_always() {
                break;
            }
        }
        if !resources.negated {
            return matched;
        }
        let outside = matched.negated();
        if unresolved && self.effect == Effect::Deny && !outside.is_never() {
            // V5: the entry excludes nothing, says the documentation; that a Deny then hits is only inferred.
            return outside.and(Formula::open(
                OpenReason::Variable,
                format!(
                    "statement {} denies although a variable in its NotResource has no value",
                    self.label
                ),
            ));
        }
        outside
    }

    /// When the principal element means the requester; always for policies that belong to their principal.
    pub fn matches_principal(
        &self,
        requester: &Requester,
        assumed: &mut Assumptions,
    ) -> PrincipalMatch {
        match &self.principal {
            None => PrincipalMatch::direct(Formula::Always),
            Some(element) if element.negated => PrincipalMatch::direct(matches_not_principal(
                element,
                requester,
                self.effect,
                assumed,
            )),
            Some(element) => {
                if element.entries.is_empty() {
                    // Only by assumption does a statement without a principal mean nobody (A-NOPRIN).
                    assumed.extend(self.assumed);
                }
                matches_principal(element, requester, self.effect, assumed)
            }
        }
    }
}

/// Keys of which AWS does not say whether requests by services carry them.
fn is_undocumented_for_services(key: &str) -> bool {
    matches!(
        key,
        "aws:principalarn" | "aws:principalaccount" | "aws:principaltype" | "aws:userid"
    )
}

fn matches_principal(
    element: &PrincipalElement,
    requester: &Requester,
    effect: Effect,
    assumed: &mut Assumptions,
) -> PrincipalMatch {
    let mut matched = PrincipalMatch::NEVER;
    for entry in &element.entries {
        match requester.matched_by(entry) {
            EntryMatch::No => {}
            EntryMatch::Direct => {
                if *entry == PrincipalEntry::Everyone
                    && matches!(requester.kind, RequesterKind::Service(_))
                {
                    assumed.insert(Assumption::StarCoversServices);
                }
                matched.direct = Formula::Always;
            }
            EntryMatch::DirectForSession => {
                if let PrincipalEntry::Session(session) = entry {
                    matched.direct = matched.direct.or(session_is_named(&session.session));
                }
            }
            EntryMatch::Entity => {
                let is_federated = matches!(requester.kind, RequesterKind::FederatedUser { .. });
                if is_federated && effect == Effect::Deny {
                    assumed.insert(Assumption::FederatedDeny);
                }
                matched.entity = Formula::Always;
            }
            EntryMatch::Account => matched.account = Formula::Always,
        }
    }
    matched
}

/// The session of a role, whose name is not known, has this name.
fn session_is_named(name: &str) -> Formula {
    let base = Base::StringEquals;
    Formula::test(Test {
        operator: Operator {
            quantifier: Quantifier::Single,
            base,
            negated: false,
            if_exists: false,
        },
        key: "sts:RoleSessionName".to_owned(),
        values: vec![Value::new(
            base,
            name,
            Glob::literal(name),
            &mut Assumptions::default(),
        )],
        domain: Domain::PRESENT,
    })
}

/// Rules P7 to P11.
fn matches_not_principal(
    element: &PrincipalElement,
    requester: &Requester,
    effect: Effect,
    assumed: &mut Assumptions,
) -> Formula {
    let mut named = Formula::Never;
    let mut account_named = false;
    for entry in &element.entries {
        match requester.matched_by(entry) {
            EntryMatch::No => {}
            EntryMatch::Direct | EntryMatch::Entity => named = Formula::Always,
            EntryMatch::DirectForSession => {
                if let PrincipalEntry::Session(session) = entry {
                    named = named.or(session_is_named(&session.session));
                }
            }
            EntryMatch::Account => account_named = true,
        }
    }
    let is_identity = matches!(
        requester.kind,
        RequesterKind::User(_) | RequesterKind::Role { .. }
    );
    let everyone_named = element.entries.contains(&PrincipalEntry::Everyone);
    if effect == Effect::Deny && is_identity && requester.has_boundary && !everyone_named {
        return Formula::Always;
    }
    if account_named {
        if !named.is_always() {
            assumed.insert(Assumption::NotPrincipalAccount);
        }
        return Formula::Never;
    }
    let not_named = named.clone().negated();
    if effect == Effect::Deny && requester.account.is_some() && !everyone_named && !named.is_never()
    {
        // P9: without the account beside it, AWS may deny the named principal too.
        return not_named.or(Formula::open(
            OpenReason::Variable,
            "notprincipal-missing-account: AWS denies the named principal because its account is not named",
        ));
    }
    not_named
}
