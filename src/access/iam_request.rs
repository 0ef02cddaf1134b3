//! Requests of a principal to IAM and STS about users, roles, groups and policies of its own account.

use super::Access;
use super::candidates::Candidates;
use super::context::{Caller, RequestContext, Target};
use super::control::ControlsAbout;
use super::decide::{Layers, Matched, when_allowed};
use super::principal::Principal;
use super::sides::Own;
use crate::account::Tag;
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::{ContextKeys, Domain, Formula, Lookup, PolicyKind, Request, Statement};

/// An action that leads to more rights, as AWS writes it and in lower case.
pub(super) type Way = (&'static str, &'static str);

/// Becoming a role.
pub(super) const ASSUME: Way = ("sts:AssumeRole", "sts:assumerole");

/// What one principal asks for, with what does not change from target to target.
pub(super) struct IamAsking<'s> {
    access: &'s Access<'s>,
    pub(super) principal: &'s Principal<'s>,
    pub(super) way: Way,
    pub(super) own: Own<'s>,
    above: ControlsAbout<'s>,
}

impl<'s> IamAsking<'s> {
    pub(super) fn new(access: &'s Access<'s>, principal: &'s Principal<'s>, way: Way) -> Self {
        let mut own = Own::of(principal, &principal.policies, way.1);
        own.keep(|statement| statement.could_mean("iam"));
        Self {
            access,
            principal,
            way,
            own,
            above: controls_about(access, principal.account, way.1),
        }
    }

    /// Every statement that has a say, with the kind of its policy.
    pub(super) fn statements(&self) -> impl Iterator<Item = (&Statement, PolicyKind)> {
        let boundary = self.own.boundary.iter().flat_map(Candidates::statements);
        let own = self.own.identity.statements().chain(boundary);
        own.map(|statement| (statement, PolicyKind::Identity))
            .chain(of_controls(&self.above))
    }

    /// Whether the principal may do it whatever the circumstances; `policy` is the target's own policy.
    pub(super) fn is_sure(&self, arn: &Arn, tags: Option<&[Tag]>, policy: &Candidates<'_>) -> bool {
        if self.own.identity.allows_nothing() && policy.allows_nothing() {
            return false;
        }
        self.when(arn, tags, policy, None).is_always()
    }

    /// When the principal may do it; `record` is told of the statements that have a part in it.
    pub(super) fn when<'t>(
        &'t self,
        arn: &Arn,
        tags: Option<&[Tag]>,
        policy: &'t Candidates<'t>,
        record: Option<&mut dyn FnMut(Matched<'t>)>,
    ) -> Formula {
        let principal = self.principal;
        let organization = self.access.organization(principal.account);
        let keys = IamKeys(RequestContext {
            caller: caller(principal),
            target: Target::Identity { arn, tags },
            callers_organization: organization,
            targets_organization: organization,
            now: self.access.scanned_at(principal.account),
            carries_tags: false,
        });
        let (_, action) = self.way;
        let request = Request {
            requester: &principal.requester,
            action,
            resource: arn.as_str(),
            keys: &keys,
        };
        let layers = Layers {
            identity: &self.own.identity,
            boundary: self.own.boundary.as_ref(),
            session: None,
            resource: policy,
            scps: &self.above.scps,
            // Resource control policies know no actions of IAM (RCP1).
            rcps: if self.way == ASSUME {
                &self.above.rcps
            } else {
                &[]
            },
            endpoint: None,
        };
        when_allowed(&request, arn.account(), &layers, record)
    }
}

/// What the control policies above an account say about an action.
pub(super) fn controls_about<'s>(
    access: &'s Access<'_>,
    account: usize,
    action: &str,
) -> ControlsAbout<'s> {
    let controls = access.controls.get(account);
    controls
        .map(|controls| controls.about(action))
        .unwrap_or_default()
}

/// The statements of control policies, with the kind of their policy.
pub(super) fn of_controls<'s>(
    above: &'s ControlsAbout<'_>,
) -> impl Iterator<Item = (&'s Statement, PolicyKind)> {
    let of = |levels: &'s [Candidates<'_>], kind| {
        levels
            .iter()
            .flat_map(Candidates::statements)
            .map(move |statement| (statement, kind))
    };
    of(&above.scps, PolicyKind::ServiceControl).chain(of(&above.rcps, PolicyKind::ResourceControl))
}

/// Any way in which the principal can come; of a user the access key, which is the one that carries less.
pub(super) fn caller<'p>(principal: &'p Principal<'p>) -> Caller<'p> {
    match principal.kind {
        Kind::User => Caller::UserWithKey(principal),
        _ => Caller::Role(principal),
    }
}

/// The context of a request to IAM or STS: what their own keys say hangs on the request.
struct IamKeys<'a>(RequestContext<'a>);

impl ContextKeys for IamKeys<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        let is_of_request = (key.starts_with("iam:") && !key.starts_with("iam:resourcetag/"))
            || key.starts_with("sts:");
        if is_of_request {
            Lookup::Open(Domain::ANYTHING)
        } else {
            self.0.lookup(key)
        }
    }
}
