//! One authorization request against every layer of policies. Implements "Policy evaluation logic" of the IAM user guide;
//! the procedure is B.5 and the table of what a resource policy bypasses is B.3 of the project's semantics.

use std::sync::Arc;

use super::action;
use super::candidates::{Candidate, Candidates};
use crate::policy::{
    Assumption, Assumptions, Document, Formula, PolicyKind, PrincipalMatch, Request, RequesterKind,
    Statement,
};

/// A policy document with the name under which it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// An ARN, or words for an inline policy.
    pub name: Arc<str>,
    /// The ARN of what one would change: the managed policy, the owner of an inline policy, the resource.
    pub owner: Arc<str>,
    /// The document, shared by everyone who carries the policy.
    pub document: Arc<Document>,
}

/// The layers that decide a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Identity-based policies, those of groups included.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// Session policies.
    Session,
    /// The policy of the resource.
    Resource,
    /// Service control policies.
    Scp,
    /// Resource control policies.
    Rcp,
    /// The policy of the VPC endpoint.
    Endpoint,
    /// The key that encrypts the resource.
    Kms,
    /// The service itself: partitions, and actions that never work across accounts.
    Service,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Self; 9] = [
        Self::Identity,
        Self::Boundary,
        Self::Session,
        Self::Resource,
        Self::Scp,
        Self::Rcp,
        Self::Endpoint,
        Self::Kms,
        Self::Service,
    ];

    /// Whether an Allow of the layer gives something; one of the others only does not take it away (B6).
    pub fn gives(self) -> bool {
        matches!(self, Self::Identity | Self::Resource | Self::Kms)
    }

    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Boundary => "boundary",
            Self::Session => "session",
            Self::Resource => "resource",
            Self::Scp => "scp",
            Self::Rcp => "rcp",
            Self::Endpoint => "endpoint",
            Self::Kms => "kms",
            Self::Service => "service",
        }
    }
}

/// The answer to "may this requester do that".
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// If the formula holds; it neither always does nor never.
    Conditional(Formula),
    /// No.
    Denied(Denial),
}

/// What refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// The layer that refuses.
    pub layer: Layer,
    /// Whether a Deny statement does, rather than the lack of an Allow.
    pub explicit: bool,
}

impl Verdict {
    /// When the request is allowed, as a formula.
    pub fn formula(&self) -> Formula {
        match self {
            Self::Allowed => Formula::Always,
            Self::Conditional(formula) => formula.clone(),
            Self::Denied(_) => Formula::Never,
        }
    }
}

/// A verdict, and the rules without a public page that took part in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// The assumptions met on the way.
    pub assumptions: Assumptions,
}

/// The statements of every layer that are about the action of a request. A layer that is `None`, or a list that is empty,
/// does not apply.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// Identity-based policies.
    pub identity: &'a Candidates<'a>,
    /// The permissions boundary.
    pub boundary: Option<&'a Candidates<'a>>,
    /// Session policies.
    pub session: Option<&'a Candidates<'a>>,
    /// The resource's policy.
    pub resource: &'a Candidates<'a>,
    /// Service control policies, a list for each level from the root down.
    pub scps: &'a [Candidates<'a>],
    /// Resource control policies, likewise.
    pub rcps: &'a [Candidates<'a>],
    /// VPC endpoint policies.
    pub endpoint: Option<&'a Candidates<'a>>,
}

/// A statement that took part in a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched<'a> {
    /// Its layer.
    pub layer: Layer,
    /// Its policy.
    pub policy: &'a Policy,
    /// The statement.
    pub statement: &'a Statement,
    /// When it matches.
    pub when: Formula,
    /// Whether it names the requester by its account only: then it gives nothing beside what identity policies give.
    pub by_account: bool,
}

/// Decides a request whose resource belongs to `resource_account`.
///
/// `record` is told of every statement that matches in some request, in the order of the layers.
pub fn decide<'a>(
    request: &Request<'_>,
    resource_account: &str,
    layers: &Layers<'a>,
    record: &mut dyn FnMut(Matched<'a>),
) -> Decision {
    let mut evaluation = Evaluation {
        request,
        assumptions: Assumptions::default(),
        record: Some(record),
    };
    let verdict = evaluation.verdict(resource_account, layers);
    Decision {
        verdict,
        assumptions: evaluation.assumptions,
    }
}

/// When the request that [`decide`] decides is allowed. Without a `record` statements are matched until the answer stands: what
/// else matches could only be told to somebody.
pub(super) fn when_allowed<'a>(
    request: &Request<'_>,
    resource_account: &str,
    layers: &Layers<'a>,
    mut record: Option<&mut dyn FnMut(Matched<'a>)>,
) -> Formula {
    let mut evaluation = Evaluation {
        request,
        assumptions: Assumptions::default(),
        record: reborrowed(&mut record),
    };
    evaluation.verdict(resource_account, layers).formula()
}

/// The same record for one of several requests.
pub(super) fn reborrowed<'r, 'a>(
    record: &'r mut Option<&mut dyn FnMut(Matched<'a>)>,
) -> Option<&'r mut dyn FnMut(Matched<'a>)> {
    match record {
        Some(record) => Some(&mut **record),
        None => None,
    }
}

struct Evaluation<'r, 'q, 'a> {
    request: &'r Request<'q>,
    assumptions: Assumptions,
    /// None where only the answer counts: neither matched statements nor assumptions are asked for then.
    record: Option<&'r mut dyn FnMut(Matched<'a>)>,
}

/// What the Allow statements of a resource policy give, by whom they name.
struct ResourceGrant {
    direct: Formula,
    entity: Formula,
    account: Formula,
}

impl<'a> Evaluation<'_, '_, 'a> {
    fn verdict(&mut self, resource_account: &str, layers: &Layers<'a>) -> Verdict {
        let requester = self.request.requester;
        let same_account = requester.account.as_deref() == Some(resource_account);
        if let Some(denial) = self.refused_by_service(same_account) {
            return Verdict::Denied(denial);
        }

        let (denied, denying_layer) = self.explicit_denies(resource_account, layers);
        if denied.is_always() {
            return Verdict::Denied(Denial {
                layer: denying_layer,
                explicit: true,
            });
        }

        let scp = self.allowed_at_every_level(layers.scps);
        let endpoint = layers.endpoint.map_or(Formula::Always, |policies| {
            self.allowed_by(policies, Layer::Endpoint)
        });
        let (grant, lacking) = self.grant(same_account, layers);

        // Layer by layer, so that a request that is refused can say where.
        let mut formula = Formula::Always;
        for (part, layer, explicit) in [
            (scp, Layer::Scp, false),
            (endpoint, Layer::Endpoint, false),
            (grant, lacking, false),
            (denied.negated(), denying_layer, true),
        ] {
            formula = formula.and(part);
            if !formula.is_satisfiable() {
                return Verdict::Denied(Denial { layer, explicit });
            }
        }
        if formula.is_valid() {
            Verdict::Allowed
        } else {
            Verdict::Conditional(formula)
        }
    }

    /// What SQS and the partition refuse before any policy is read (B8, C.1).
    fn refused_by_service(&self, same_account: bool) -> Option<Denial> {
        let requester = self.request.requester;
        let partition = self.request.resource.split(':').nth(1);
        let other_partition = requester.account.is_some()
            && partition.is_some_and(|partition| *partition != *requester.partition);
        // The root user is no caller of AssumeRole (F.1).
        let root_assumes =
            requester.kind == RequesterKind::Root && self.request.action == "sts:assumerole";
        (other_partition
            || root_assumes
            || (!same_account && action::never_works_across_accounts(self.request.action)))
        .then_some(Denial {
            layer: Layer::Service,
            explicit: false,
        })
    }

    /// When an explicit Deny hits, and the layer of the first one that may.
    fn explicit_denies(&mut self, resource_account: &str, layers: &Layers<'a>) -> (Formula, Layer) {
        let mut denied = Formula::Never;
        let mut first = None;
        let mut add = |formula: Formula, layer: Layer| {
            if formula.is_never() {
                return;
            }
            // A Deny that always hits is the reason, whatever came before.
            if first.is_none() || formula.is_always() {
                first = Some(layer);
            }
            denied = std::mem::replace(&mut denied, Formula::Never).or(formula);
        };
        if self.has_identity_policies() {
            add(
                self.denied_by(layers.identity, Layer::Identity),
                Layer::Identity,
            );
            if let Some(boundary) = layers.boundary {
                add(self.denied_by(boundary, Layer::Boundary), Layer::Boundary);
            }
            if let Some(session) = layers.session {
                add(self.denied_by(session, Layer::Session), Layer::Session);
            }
        }
        if !self.root_repairs_policy(resource_account) {
            add(
                self.denied_by(layers.resource, Layer::Resource),
                Layer::Resource,
            );
        }
        if self.scp_applies() {
            for level in layers.scps {
                add(self.denied_by(level, Layer::Scp), Layer::Scp);
            }
        }
        if self.rcp_applies() {
            for level in layers.rcps {
                add(self.denied_by(level, Layer::Rcp), Layer::Rcp);
            }
        }
        if let Some(endpoint) = layers.endpoint {
            add(self.denied_by(endpoint, Layer::Endpoint), Layer::Endpoint);
        }
        (denied, first.unwrap_or(Layer::Resource))
    }

    fn has_identity_policies(&self) -> bool {
        matches!(
            self.request.requester.kind,
            RequesterKind::User(_)
                | RequesterKind::Role { .. }
                | RequesterKind::FederatedUser { .. }
        )
    }

    fn is_service_linked(&self) -> bool {
        matches!(
            self.request.requester.kind,
            RequesterKind::Role {
                service_linked: true,
                ..
            }
        )
    }

    /// Service control policies bind the principals of an account, not services or service-linked roles (B.2).
    fn scp_applies(&self) -> bool {
        self.request.requester.account.is_some() && !self.is_service_linked()
    }

    /// RCP3: not to service-linked roles, and not to `kms:RetireGrant`.
    fn rcp_applies(&self) -> bool {
        !self.is_service_linked() && self.request.action != "kms:retiregrant"
    }

    /// A queue policy that denies everyone does not bind the root user of the queue's account in repairing it (RT3).
    fn root_repairs_policy(&self, resource_account: &str) -> bool {
        let requester = self.request.requester;
        requester.kind == RequesterKind::Root
            && requester.account.as_deref() == Some(resource_account)
            && matches!(
                self.request.action,
                "sqs:setqueueattributes"
                    | "sqs:getqueueattributes"
                    | "sqs:getqueueurl"
                    | "sqs:listqueues"
            )
    }

    /// Service control policies must allow at every level (SCP1). Resource control policies have no such step: the policy
    /// that allows everything cannot be detached from any level, so they refuse by Deny only (RCP2).
    fn allowed_at_every_level(&mut self, levels: &[Candidates<'a>]) -> Formula {
        if !self.scp_applies() {
            return Formula::Always;
        }
        levels.iter().fold(Formula::Always, |all, level| {
            all.and(self.allowed_by(level, Layer::Scp))
        })
    }

    /// What grants the request, and the layer that lacks when nothing does (B.3, B4, B5).
    fn grant(&mut self, same_account: bool, layers: &Layers<'a>) -> (Formula, Layer) {
        let resource = self.granted_by_resource(layers.resource);
        let kind = &self.request.requester.kind;
        if !self.has_identity_policies() && *kind != RequesterKind::Root {
            return (resource.direct, Layer::Resource);
        }

        let identity = if *kind == RequesterKind::Root {
            Formula::Always
        } else {
            self.allowed_by(layers.identity, Layer::Identity)
        };
        let boundary = layers.boundary.map_or(Formula::Always, |policies| {
            self.allowed_by(policies, Layer::Boundary)
        });
        let is_federated = matches!(kind, RequesterKind::FederatedUser { .. });
        let session = match layers.session {
            Some(policies) => self.allowed_by(policies, Layer::Session),
            // Without a session policy a federated session has no identity rights at all.
            None => Formula::constant(!is_federated),
        };
        let limit = if boundary.is_never() {
            Layer::Boundary
        } else {
            Layer::Session
        };
        let within = boundary.and(session);
        // The first layer on the way through the identity's own policies that refuses.
        let lacking_identity = if identity.is_never() {
            Layer::Identity
        } else {
            limit
        };
        let by_identity = identity.and(within.clone());

        if !same_account {
            let by_resource = resource.direct.or(resource.entity).or(resource.account);
            let lacking = if by_resource.is_never() {
                Layer::Resource
            } else {
                lacking_identity
            };
            return (by_resource.and(by_identity), lacking);
        }
        let names_entity = !resource.entity.is_never();
        let by_entity = resource.entity.and(within);
        if action::needs_resource_policy(self.request.action) {
            let lacking = if names_entity {
                limit
            } else if resource.account.is_never() {
                Layer::Resource
            } else {
                lacking_identity
            };
            let by_account = resource.account.and(by_identity);
            return (resource.direct.or(by_entity).or(by_account), lacking);
        }
        let lacking = if names_entity {
            limit
        } else {
            lacking_identity
        };
        (resource.direct.or(by_entity).or(by_identity), lacking)
    }

    fn granted_by_resource(&mut self, policies: &Candidates<'a>) -> ResourceGrant {
        let mut grant = ResourceGrant {
            direct: Formula::Never,
            entity: Formula::Never,
            account: Formula::Never,
        };
        self.assumptions.extend(policies.assumed);
        for candidate in &policies.allows {
            let (matched, when) = self.matched(candidate, Layer::Resource);
            if when.is_never() {
                continue;
            }
            let add = |to: &mut Formula, part: Formula| {
                let part = part.and(when.clone());
                *to = std::mem::replace(to, Formula::Never).or(part);
            };
            add(&mut grant.direct, matched.direct);
            add(&mut grant.entity, matched.entity);
            add(&mut grant.account, matched.account);
        }
        grant
    }

    fn allowed_by(&mut self, policies: &Candidates<'a>, layer: Layer) -> Formula {
        if policies.allowed {
            return Formula::Always;
        }
        self.assumptions.extend(policies.assumed);
        self.any_of(&policies.allows, layer)
    }

    fn denied_by(&mut self, policies: &Candidates<'a>, layer: Layer) -> Formula {
        if policies.denied {
            return Formula::Always;
        }
        let denied = self.any_of(&policies.denies, layer);
        if !denied.is_never() && self.request.requester.kind == RequesterKind::Root {
            self.assumptions.insert(Assumption::RootDeny);
        }
        denied
    }

    fn any_of(&mut self, candidates: &[Candidate<'a>], layer: Layer) -> Formula {
        let mut any = Formula::Never;
        for candidate in candidates {
            if any.is_always() && self.record.is_none() {
                break;
            }
            let (principal, when) = self.matched(candidate, layer);
            if !when.is_never() {
                any = any.or(principal.any().and(when));
            }
        }
        any
    }

    /// Whom the statement names, and when the rest of it matches.
    fn matched(&mut self, candidate: &Candidate<'a>, layer: Layer) -> (PrincipalMatch, Formula) {
        let everyone = PrincipalMatch {
            direct: Formula::Always,
            entity: Formula::Never,
            account: Formula::Never,
        };
        let Some((policy, statement)) = candidate.source else {
            return (everyone, candidate.guard.clone());
        };
        let mut assumed = Assumptions::default();
        let principal = statement.matches_principal(self.request.requester, &mut assumed);
        if principal.is_never() {
            self.assumptions.extend(assumed);
            return (principal, Formula::Never);
        }
        let kind = policy.document.kind;
        let when = statement
            .matches(self.request, kind, &mut assumed)
            .and(candidate.guard.clone());
        self.assumptions.extend(assumed);
        if !when.is_never()
            && let Some(record) = &mut self.record
        {
            record(Matched {
                layer,
                policy,
                statement,
                when: principal.clone().any().and(when.clone()),
                by_account: principal.direct.is_never() && principal.entity.is_never(),
            });
        }
        (principal, when)
    }
}

impl Policy {
    /// A policy from its text.
    pub fn parse(
        name: impl Into<Arc<str>>,
        owner: impl Into<Arc<str>>,
        text: &str,
        kind: PolicyKind,
    ) -> Self {
        Self {
            name: name.into(),
            owner: owner.into(),
            document: Arc::new(Document::parse(text, kind)),
        }
    }
}
