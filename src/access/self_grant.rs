//! What a principal could grant itself: rights on queues that it lacks, by changing a queue's policy, its own policies, or who
//! may become a role (F.2: X1, X9 to X11, X13).
//!
//! Only what is sure to help is told. `AddPermission` names accounts, which gives nobody in the own account anything (B.3);
//! removing a statement or switching to an older version of a policy helps only if that happens to say the right thing.

use std::sync::Arc;

use super::asker::{Asker, Comer};
use super::assume::StepProof;
use super::context::{Caller, RequestContext, Target};
use super::control::ControlsAbout;
use super::decide::{Candidates, Layers, decide};
use super::principal::Principal;
use super::rights::SessionsOn;
use super::sides::{Own, QueueSide, RequesterSide};
use super::{Access, Capability, QueueSet};
use crate::account::Tag;
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::policy::{ContextKeys, Domain, Formula, Lookup, Request};

const SET_ATTRIBUTES: &str = "sqs:setqueueattributes";
/// The rights that a loop is made of.
const MESSAGES: [Capability; 2] = [Capability::Send, Capability::Receive];

/// Rights on a queue that a principal could grant itself in the queue's policy.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueGrant {
    /// The index of the queue.
    pub queue: usize,
    /// What it lacks now and would have then.
    pub gains: Vec<Capability>,
    /// When it can do so and use it.
    pub when: Formula,
}

/// A way to more rights through IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamGrant {
    /// The action, as AWS writes it.
    pub action: &'static str,
    /// What it changes: the principal itself, a policy that it carries, a role that it could become.
    pub target: Entity,
    /// The statements that allow it.
    pub proofs: Vec<StepProof>,
}

/// Finds out what principals could grant themselves.
pub struct SelfGranter<'a> {
    access: &'a Access<'a>,
    asker: Asker<'a>,
    /// The side of a queue whose policy lets everybody do everything.
    open: QueueSide<'a>,
    /// For each principal the queues on which it surely has a right of a generator or consumer.
    sure: Vec<[QueueSet; MESSAGES.len()]>,
}

impl Access<'_> {
    /// What finds out what principals could grant themselves.
    pub fn self_granter(&self) -> SelfGranter<'_> {
        SelfGranter {
            access: self,
            asker: Asker::new(self),
            open: QueueSide::open_to_all(self.tags_matter),
            sure: (0..self.principals.len())
                .map(|principal| {
                    MESSAGES.map(|capability| {
                        self.queues_where(principal, |sessions| {
                            sessions.when(capability).is_always()
                        })
                    })
                })
                .collect(),
        }
    }

    /// The queues on which the rights of a principal are as wanted.
    fn queues_where(
        &self,
        principal: usize,
        is_wanted: impl Fn(SessionsOn<'_>) -> bool,
    ) -> QueueSet {
        let mut queues = QueueSet::new();
        for rights in self.rights(principal) {
            if is_wanted(rights.on_each()) {
                queues |= &*rights.queues;
            }
        }
        queues
    }
}

impl SelfGranter<'_> {
    /// The queues of its own account in whose policies a principal could grant itself sending or receiving, sorted.
    ///
    /// The policy could name it in a way that passes its boundary (B.3), and whoever sets a queue's attributes can turn its
    /// encryption off: what remains are explicit denies and control policies.
    pub fn queue_grants(&self, index: usize) -> Vec<QueueGrant> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        let candidates = self.access.queues_where(index, |sessions| {
            !sessions.when(Capability::Administer).is_never()
                && MESSAGES
                    .iter()
                    .any(|capability| sessions.when(*capability).is_never())
        });
        if candidates.is_empty() {
            return Vec::new();
        }
        let side = RequesterSide::of(
            principal,
            &principal.policies.iter(),
            self.access.tags_matter,
        );
        let own = Own::of(principal, &principal.policies, SET_ATTRIBUTES);
        let above = self.controls(principal.account, SET_ATTRIBUTES);
        candidates
            .iter()
            .filter_map(|queue| self.queue_grant(index, principal, &side, &own, &above, queue))
            .collect()
    }

    fn queue_grant(
        &self,
        index: usize,
        principal: &Principal<'_>,
        side: &RequesterSide<'_>,
        own: &Own<'_>,
        above: &ControlsAbout<'_>,
        number: u32,
    ) -> Option<QueueGrant> {
        let queue = number as usize;
        let audited = self.access.queues.get(queue)?;
        if audited.account != principal.account {
            return None;
        }
        let policy = Candidates::of(&audited.policy, SET_ATTRIBUTES);
        if own.identity.allows_nothing() && policy.allows_nothing() {
            return None;
        }
        let held = self.access.rights_on(index, queue)?;
        let lacking = MESSAGES
            .into_iter()
            .filter(|capability| held.when(*capability).is_never());
        let callers = self.access.callers(principal, &principal.policies);
        let (mut gains, mut any) = (Vec::new(), Formula::Never);
        let mut formulas = Vec::new();
        for caller in callers {
            let keys = RequestContext {
                caller,
                target: Target::Queue(audited.queue),
                callers_organization: self.access.organization(principal.account),
                targets_organization: self.access.organization(audited.account),
                now: self.access.scanned_at(audited.account),
                carries_tags: false,
            };
            let request = Request {
                requester: &principal.requester,
                action: SET_ATTRIBUTES,
                resource: audited.queue.arn.as_str(),
                keys: &keys,
            };
            let layers = Layers {
                identity: &own.identity,
                boundary: own.boundary.as_ref(),
                session: None,
                resource: &policy,
                scps: &above.scps,
                rcps: &above.rcps,
                endpoint: None,
            };
            let verdict =
                decide(&request, audited.queue.arn.account(), &layers, &mut |_| ()).verdict;
            let may_set = verdict.formula();
            if may_set.rests_on_what_was_read() {
                let comer = Comer {
                    requester: &principal.requester,
                    caller,
                    account: Some(principal.account),
                };
                let then = lacking.clone().map(|capability| {
                    self.asker
                        .when_without_key(comer, side, audited, &self.open, capability, &mut None)
                });
                let then: Vec<Formula> = then.collect();
                formulas.push((may_set, then));
            }
        }
        for (place, capability) in lacking.clone().enumerate() {
            let mut when = Formula::Never;
            for (may_set, then) in &formulas {
                let then = then.get(place).unwrap_or(&Formula::Never);
                when = when.or(may_set.clone().and(then.clone()));
            }
            if when.rests_on_what_was_read() {
                gains.push(capability);
                any = any.or(when);
            }
        }
        (!gains.is_empty()).then(|| QueueGrant {
            queue,
            gains,
            when: any.settled(),
        })
    }

    /// The statements that let a principal set a queue's attributes.
    pub fn prove_queue(&self, index: usize, queue: usize) -> Vec<StepProof> {
        let (Some(principal), Some(audited)) = (
            self.access.principals.get(index),
            self.access.queues.get(queue),
        ) else {
            return Vec::new();
        };
        let policy = Candidates::of(&audited.policy, SET_ATTRIBUTES);
        let target = Target::Queue(audited.queue);
        let (_, proofs) = self.may(principal, SET_ATTRIBUTES, target, &policy, audited.account);
        proofs
    }

    /// The ways through IAM by which a principal is sure to come to rights on queues that it lacks, sorted. `queues` are those
    /// of its account.
    pub fn iam_grants(&self, index: usize) -> Vec<IamGrant> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        if principal.is_service_linked() {
            return Vec::new();
        }
        let mut grants = self.own_policies(index, principal);
        grants.extend(self.takeovers(index, principal));
        grants.sort_by(|a, b| (a.action, &a.target).cmp(&(b.action, &b.target)));
        grants
    }

    fn own_policies(&self, index: usize, principal: &Principal<'_>) -> Vec<IamGrant> {
        let inline_and_attached = match principal.kind {
            Kind::User => [
                ("iam:PutUserPolicy", "iam:putuserpolicy"),
                ("iam:AttachUserPolicy", "iam:attachuserpolicy"),
            ],
            _ => [
                ("iam:PutRolePolicy", "iam:putrolepolicy"),
                ("iam:AttachRolePolicy", "iam:attachrolepolicy"),
            ],
        };
        let mut grants = Vec::new();
        if !is_aws_own(principal.arn) {
            for (name, action) in inline_and_attached {
                grants.extend(self.iam(
                    principal,
                    (name, action),
                    principal.arn,
                    Some(principal.tags),
                    principal.kind,
                ));
            }
        }
        let customer_managed = principal.policies.iter().filter_map(|policy| {
            let arn = Arn::parse(&policy.owner).ok()?;
            let is_customers =
                arn.account() == principal.arn.account() && arn.resource().starts_with("policy/");
            is_customers.then_some(arn)
        });
        let new_version = ("iam:CreatePolicyVersion", "iam:createpolicyversion");
        if !Own::of(principal, &principal.policies, new_version.1)
            .identity
            .allows_nothing()
        {
            for arn in customer_managed {
                grants.extend(self.iam(principal, new_version, &arn, None, Kind::Policy));
            }
        }
        if grants.is_empty() || !self.would_gain(index, principal) {
            return Vec::new();
        }
        grants.dedup();
        grants
    }

    /// The roles with rights that the principal lacks and whose trust policies it can rewrite.
    fn takeovers(&self, index: usize, principal: &Principal<'_>) -> Vec<IamGrant> {
        let rewrite = ("iam:UpdateAssumeRolePolicy", "iam:updateassumerolepolicy");
        let own = Own::of(principal, &principal.policies, rewrite.1);
        if own.identity.allows_nothing() {
            return Vec::new();
        }
        let lacking = self.lacking(index, principal.account);
        let roles = self.access.principals.iter().zip(&self.sure);
        roles
            .enumerate()
            .filter(|(role, _)| *role != index)
            .filter(|(_, (role, sure))| {
                role.kind == Kind::Role
                    && role.account == principal.account
                    && !is_aws_own(role.arn)
                    && sure
                        .iter()
                        .zip(&lacking)
                        .any(|(sure, lacking)| !sure.is_disjoint(lacking))
            })
            .filter_map(|(_, (role, _))| {
                self.iam(principal, rewrite, role.arn, Some(role.tags), Kind::Role)
            })
            .filter(|_| self.may_assume_roles(principal))
            .collect()
    }

    /// Whether nothing but a trust policy keeps the principal from assuming a role that names it: no explicit Deny, no control
    /// policy. The trust policy can name a session, which passes the boundary (B.3).
    fn may_assume_roles(&self, principal: &Principal<'_>) -> bool {
        let target = Target::Identity {
            arn: principal.arn,
            tags: None,
        };
        let open = Candidates::open(Formula::Always);
        let (when, _) = self.may(
            principal,
            "sts:assumerole",
            target,
            &open,
            principal.account,
        );
        when.is_always()
    }

    /// For each right the queues of an account on which the principal never has it.
    fn lacking(&self, index: usize, account: usize) -> [QueueSet; MESSAGES.len()] {
        let queues: QueueSet = self
            .access
            .queues
            .iter()
            .zip(0..)
            .filter(|(audited, _)| audited.account == account)
            .map(|(_, number)| number)
            .collect();
        MESSAGES.map(|capability| {
            let held = self
                .access
                .queues_where(index, |sessions| !sessions.when(capability).is_never());
            &queues - held
        })
    }

    /// Whether a policy that allows everything would surely give the principal a right that it lacks: its boundary, explicit
    /// denies, control policies and keys may stand before it.
    fn would_gain(&self, index: usize, principal: &Principal<'_>) -> bool {
        let side = RequesterSide::allowing_everything(principal, self.access.tags_matter);
        let comer = Comer {
            requester: &principal.requester,
            caller: caller(principal),
            account: Some(principal.account),
        };
        let lacking = self.lacking(index, principal.account);
        MESSAGES
            .into_iter()
            .zip(&lacking)
            .any(|(capability, queues)| {
                self.access.queues_of(queues).any(|(_, audited)| {
                    let queue_side = QueueSide::of(audited, self.access.tags_matter);
                    self.asker
                        .when(comer, &side, audited, &queue_side, capability, None)
                        .is_always()
                })
            })
    }

    /// The way, if it surely exists.
    fn iam(
        &self,
        principal: &Principal<'_>,
        (name, action): (&'static str, &'static str),
        arn: &Arn,
        tags: Option<&[Tag]>,
        kind: Kind,
    ) -> Option<IamGrant> {
        let target = Target::Identity { arn, tags };
        let (when, proofs) = self.may(
            principal,
            action,
            target,
            &Candidates::default(),
            principal.account,
        );
        when.is_always().then(|| IamGrant {
            action: name,
            target: Entity::new(kind, arn.shared()),
            proofs,
        })
    }

    /// When the principal may do one action, and the statements behind it.
    fn may(
        &self,
        principal: &Principal<'_>,
        action: &str,
        target: Target<'_>,
        policy: &Candidates<'_>,
        account: usize,
    ) -> (Formula, Vec<StepProof>) {
        let own = Own::of(principal, &principal.policies, action);
        let mut proofs: Vec<StepProof> = Vec::new();
        if own.identity.allows_nothing() && policy.allows_nothing() {
            return (Formula::Never, proofs);
        }
        let above = self.controls(principal.account, action);
        let keys = IamKeys(RequestContext {
            caller: caller(principal),
            target,
            callers_organization: self.access.organization(principal.account),
            targets_organization: self.access.organization(account),
            now: self.access.scanned_at(account),
            carries_tags: false,
        });
        let arn = target.arn();
        let request = Request {
            requester: &principal.requester,
            action,
            resource: arn.as_str(),
            keys: &keys,
        };
        let layers = Layers {
            identity: &own.identity,
            boundary: own.boundary.as_ref(),
            session: None,
            resource: policy,
            scps: &above.scps,
            // Resource control policies know no actions of IAM (RCP1).
            rcps: if action.starts_with("iam:") {
                &[]
            } else {
                &above.rcps
            },
            endpoint: None,
        };
        let decision = decide(&request, arn.account(), &layers, &mut |matched| {
            let proof = StepProof {
                layer: matched.layer,
                policy: Arc::clone(&matched.policy.name),
                statement: Arc::clone(&matched.statement.label),
                effect: matched.statement.effect,
            };
            if !proofs.contains(&proof) {
                proofs.push(proof);
            }
        });
        (decision.verdict.formula(), proofs)
    }

    fn controls(&self, account: usize, action: &str) -> ControlsAbout<'_> {
        let controls = self.access.controls.get(account);
        controls
            .map(|controls| controls.about(action))
            .unwrap_or_default()
    }
}

/// Any way in which the principal can come; of a user the access key, which is the one that carries less.
fn caller<'p>(principal: &'p Principal<'p>) -> Caller<'p> {
    match principal.kind {
        Kind::User => Caller::UserWithKey(principal),
        _ => Caller::Role(principal),
    }
}

/// Roles that AWS keeps itself, for services and for IAM Identity Center: IAM lets nobody change them.
fn is_aws_own(arn: &Arn) -> bool {
    arn.resource().starts_with("role/aws-service-role/")
        || arn.resource().starts_with("role/aws-reserved/")
}

/// The context of a request to IAM: what the keys of IAM say hangs on the request.
struct IamKeys<'a>(RequestContext<'a>);

impl ContextKeys for IamKeys<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        if key.starts_with("iam:") && !key.starts_with("iam:resourcetag/") {
            Lookup::Open(Domain::ANYTHING)
        } else {
            self.0.lookup(key)
        }
    }
}
