//! A request and its policies become a decision, in the words of the contract.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::documents::Documents;
use super::request::{Keys, Policy as PolicyText, RequestLine, requester};
use crate::access::{
    Candidates, Decision, Layer, Layers, Matched, Policy, Verdict, authorized_as, decide,
    has_resource,
};
use crate::policy::{Assumption, Effect, PolicyKind, Request};

/// Places in a request that policies are named by without a new text each.
const USUAL_PLACES: usize = 32;

/// Decides requests; remembers the policies of those before.
pub(super) struct Answers {
    documents: Documents,
    /// `0`, `1`, `2`, …
    places: Vec<Arc<str>>,
}

/// A decision as it is written, but for the id.
pub(super) struct Answer {
    decision: &'static str,
    explicit: bool,
    layer: Option<&'static str>,
    matched: Vec<MatchedStatement>,
    conditions: Vec<String>,
    assumptions: Vec<&'static str>,
}

#[derive(Serialize)]
pub(super) struct AnswerLine<'a> {
    id: &'a Value,
    decision: &'static str,
    explicit: bool,
    layer: Option<&'static str>,
    matched: &'a [MatchedStatement],
    conditions: &'a [String],
    assumptions: &'a [&'static str],
}

#[derive(Serialize)]
struct MatchedStatement {
    layer: &'static str,
    policy: usize,
    statement: Arc<str>,
    effect: &'static str,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            documents: Documents::new(),
            places: (0..USUAL_PLACES)
                .map(|place| Arc::from(place.to_string()))
                .collect(),
        }
    }

    /// Decides one request.
    ///
    /// # Errors
    /// In words, when its principal or its action is none.
    pub(super) fn answer(&mut self, mut line: RequestLine<'_>) -> Result<Answer, String> {
        let keys = Keys::new(
            std::mem::take(&mut line.context),
            std::mem::take(&mut line.unknown),
        );
        let has_boundary = line
            .permissions_boundaries
            .as_ref()
            .is_some_and(|policies| !policies.is_empty());
        let requester = requester(&line.principal, &keys, has_boundary)?;
        let action = authorized_as(&line.action);
        if action
            .split_once(':')
            .is_none_or(|(service, name)| service.is_empty() || name.is_empty())
        {
            return Err(format!(
                "`{}` is not an action: write it as `service:Name`",
                line.action
            ));
        }
        let resource_account = match &line.resource_account {
            Some(account) => &*account.0,
            None => line.resource.split(':').nth(4).unwrap_or_default(),
        };

        let policies = self.policies(&line, kind_of_resource_policy(&action));
        let about = PoliciesAbout::of(&policies, &action);
        let request = Request {
            requester: &requester,
            action: &action,
            resource: if has_resource(&action) {
                &line.resource
            } else {
                "*"
            },
            keys: &keys,
        };
        let mut matched = Vec::new();
        let decision = decide(
            &request,
            resource_account,
            &about.layers(),
            &mut |statement| matched.push(matched_statement(&statement)),
        );
        Ok(Answer::new(decision, matched))
    }

    fn policies(&mut self, line: &RequestLine<'_>, resource_kind: PolicyKind) -> Policies {
        Policies {
            identity: self.numbered(&line.identity_policies, PolicyKind::Identity, 0),
            boundaries: self.layer(line.permissions_boundaries.as_deref(), PolicyKind::Identity),
            sessions: self.layer(line.session_policies.as_deref(), PolicyKind::Session),
            resource: line
                .resource_policy
                .iter()
                // An empty text is what SQS stores for no policy (T221).
                .filter(|policy| !policy.text().trim().is_empty())
                .map(|policy| self.policy(policy, resource_kind, 0))
                .collect(),
            scps: self.levels(&line.scps, PolicyKind::ServiceControl),
            rcps: self.levels(&line.rcps, PolicyKind::ResourceControl),
            endpoints: self.layer(line.endpoint_policies.as_deref(), PolicyKind::Endpoint),
        }
    }

    /// The policies of a layer; an empty list is a layer that does not apply.
    fn layer(
        &mut self,
        policies: Option<&[PolicyText<'_>]>,
        kind: PolicyKind,
    ) -> Option<Vec<Policy>> {
        policies
            .filter(|policies| !policies.is_empty())
            .map(|policies| self.numbered(policies, kind, 0))
    }

    /// The policies of control levels, numbered through all levels.
    fn levels(&mut self, levels: &[Vec<PolicyText<'_>>], kind: PolicyKind) -> Vec<Vec<Policy>> {
        let mut first = 0;
        levels
            .iter()
            .map(|level| {
                let policies = self.numbered(level, kind, first);
                first += level.len();
                policies
            })
            .collect()
    }

    /// The policies of one layer, named by their place in the request.
    fn numbered(
        &mut self,
        policies: &[PolicyText<'_>],
        kind: PolicyKind,
        first: usize,
    ) -> Vec<Policy> {
        policies
            .iter()
            .enumerate()
            .map(|(index, policy)| self.policy(policy, kind, first + index))
            .collect()
    }

    fn policy(&mut self, policy: &PolicyText<'_>, kind: PolicyKind, place: usize) -> Policy {
        let name = match self.places.get(place) {
            Some(name) => Arc::clone(name),
            None => Arc::from(place.to_string()),
        };
        Policy {
            owner: Arc::clone(&name),
            name,
            document: self.documents.parsed(policy.text(), kind),
        }
    }
}

/// Roles are the resources whose policies are trust policies.
fn kind_of_resource_policy(action: &str) -> PolicyKind {
    if action.starts_with("sts:assumerole")
        || matches!(action, "sts:tagsession" | "sts:setsourceidentity")
    {
        PolicyKind::Trust
    } else {
        PolicyKind::Resource
    }
}

impl Answer {
    fn new(decision: Decision, matched: Vec<MatchedStatement>) -> Self {
        let granting = matched
            .iter()
            .find(|statement| {
                statement.effect == Effect::Allow.as_str()
                    && [Layer::Identity.as_str(), Layer::Resource.as_str()]
                        .contains(&statement.layer)
            })
            .map(|statement| statement.layer);
        let (word, explicit, layer, conditions) = match decision.verdict {
            Verdict::Allowed => ("allowed", false, granting, Vec::new()),
            Verdict::Conditional(formula) => ("conditional", false, granting, formula.conditions()),
            Verdict::Denied(denial) => (
                "denied",
                denial.explicit,
                Some(denial.layer.as_str()),
                Vec::new(),
            ),
        };
        Self {
            decision: word,
            explicit,
            layer,
            matched,
            conditions,
            assumptions: decision.assumptions.iter().map(Assumption::id).collect(),
        }
    }

    /// The line of output that answers the request of this id.
    pub(super) fn with_id<'a>(&'a self, id: &'a Value) -> AnswerLine<'a> {
        AnswerLine {
            id,
            decision: self.decision,
            explicit: self.explicit,
            layer: self.layer,
            matched: &self.matched,
            conditions: &self.conditions,
            assumptions: &self.assumptions,
        }
    }
}

/// The policies of a request, layer by layer.
struct Policies {
    identity: Vec<Policy>,
    boundaries: Option<Vec<Policy>>,
    sessions: Option<Vec<Policy>>,
    resource: Vec<Policy>,
    scps: Vec<Vec<Policy>>,
    rcps: Vec<Vec<Policy>>,
    endpoints: Option<Vec<Policy>>,
}

/// The statements about one action among the policies of a request.
struct PoliciesAbout<'a> {
    identity: Candidates<'a>,
    boundaries: Option<Candidates<'a>>,
    sessions: Option<Candidates<'a>>,
    resource: Candidates<'a>,
    scps: Vec<Candidates<'a>>,
    rcps: Vec<Candidates<'a>>,
    endpoints: Option<Candidates<'a>>,
}

impl<'a> PoliciesAbout<'a> {
    fn of(policies: &'a Policies, action: &str) -> Self {
        let layer = |policies: &'a Option<Vec<Policy>>| {
            policies
                .as_ref()
                .map(|policies| Candidates::of(policies, action))
        };
        let levels = |levels: &'a [Vec<Policy>]| {
            levels
                .iter()
                .map(|level| Candidates::of(level, action))
                .collect()
        };
        Self {
            identity: Candidates::of(&policies.identity, action),
            boundaries: layer(&policies.boundaries),
            sessions: layer(&policies.sessions),
            resource: Candidates::of(&policies.resource, action),
            scps: levels(&policies.scps),
            rcps: levels(&policies.rcps),
            endpoints: layer(&policies.endpoints),
        }
    }

    fn layers(&'a self) -> Layers<'a> {
        Layers {
            identity: &self.identity,
            boundary: self.boundaries.as_ref(),
            session: self.sessions.as_ref(),
            resource: &self.resource,
            scps: &self.scps,
            rcps: &self.rcps,
            endpoint: self.endpoints.as_ref(),
        }
    }
}

fn matched_statement(matched: &Matched<'_>) -> MatchedStatement {
    MatchedStatement {
        layer: matched.layer.as_str(),
        policy: matched.policy.name.parse().unwrap_or_default(),
        statement: Arc::clone(&matched.statement.label),
        effect: matched.statement.effect.as_str(),
    }
}
