//! How a principal could come to more rights on queues through IAM: by its own policies, those of its groups, a policy that it
//! carries, or the trust policy of a role (F.2: X9 to X11, X13).
//!
//! Only what is sure to help is told: the way must be open whatever the circumstances, and lead to a right that is lacking.
//! Everything is asked once for a principal, and of roles and queues once for those that its statements cannot tell apart.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::Access;
use super::asker::{Asker, Comer};
use super::assume::StepProof;
use super::candidates::Candidates;
use super::control::ControlsAbout;
use super::decide::Matched;
use super::documents::ByDocument;
use super::iam_request::{ASSUME, IamAsking, Way, caller, controls_about, of_controls};
use super::index::{QueueIndex, QueueSet};
use super::parts::{cut, cuts, reached, whole};
use super::principal::Principal;
use super::queue_grant::MESSAGES;
use super::rights::Wanted;
use super::sides::{QueueSide, RequesterSide};
use crate::account::Tag;
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::policy::{Document, Effect, Formula, PolicyKind, Statement};

const OWN_OF_USER: [Way; 2] = [
    ("iam:PutUserPolicy", "iam:putuserpolicy"),
    ("iam:AttachUserPolicy", "iam:attachuserpolicy"),
];
const OWN_OF_ROLE: [Way; 2] = [
    ("iam:PutRolePolicy", "iam:putrolepolicy"),
    ("iam:AttachRolePolicy", "iam:attachrolepolicy"),
];
const OF_GROUP: [Way; 2] = [
    ("iam:PutGroupPolicy", "iam:putgrouppolicy"),
    ("iam:AttachGroupPolicy", "iam:attachgrouppolicy"),
];
const NEW_VERSION: Way = ("iam:CreatePolicyVersion", "iam:createpolicyversion");
const NEW_TRUST: Way = ("iam:UpdateAssumeRolePolicy", "iam:updateassumerolepolicy");

/// For each of [`MESSAGES`] some queues.
type Queues = [QueueSet; MESSAGES.len()];

/// A way to more rights through IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IamGrant {
    /// The action, as AWS writes it.
    pub action: &'static str,
    /// What it changes: the principal itself, a group of its, a policy that it carries, a role that it could become.
    pub target: Entity,
    /// The index of what it changes among the principals, where that is a user or a role.
    changes: Option<usize>,
}

/// Finds out how principals could come to more rights through IAM, and proves it.
pub struct SelfGranter<'a> {
    access: &'a Access<'a>,
    asker: Asker<'a>,
    /// The side of a queue without a policy.
    bare: QueueSide<'a>,
    /// Which users and roles a pattern reaches, by their index among the principals.
    roster: QueueIndex<'a>,
    /// Whether a document allows some way.
    opens_ways: ByDocument<bool>,
    /// For each queue a number that is equal for queues which only names and policies tell apart.
    likenesses: OnceLock<Vec<u32>>,
}

impl Access<'_> {
    /// What finds out how principals could come to more rights on queues.
    pub fn self_granter(&self) -> SelfGranter<'_> {
        let arns = self
            .principals
            .iter()
            .map(|principal| principal.arn.as_str());
        SelfGranter {
            access: self,
            asker: Asker::new(self),
            bare: QueueSide::without_policy(self.tags_matter),
            roster: QueueIndex::new(&arns.collect::<Vec<_>>()),
            opens_ways: self.by_document(opens_ways),
            likenesses: OnceLock::new(),
        }
    }
}

/// Whether the document allows an action of a way on something that IAM could hold.
fn opens_ways(document: &Document) -> bool {
    let ways = || {
        let own = OWN_OF_USER.iter().chain(&OWN_OF_ROLE).chain(&OF_GROUP);
        own.chain([&NEW_VERSION, &NEW_TRUST])
    };
    document.readings.iter().flatten().any(|statement| {
        statement.effect == Effect::Allow
            && may_reach_iam(statement)
            && ways().any(|(_, action)| statement.actions.contains(action))
    })
}

fn may_reach_iam(statement: &Statement) -> bool {
    let Some(resources) = &statement.resources else {
        return true;
    };
    resources.negated
        || resources.patterns.iter().any(|pattern| {
            let prefix = pattern.widest_reach(PolicyKind::Identity).prefix();
            match prefix.match_indices(':').nth(2) {
                Some(_) => prefix.split(':').nth(2) == Some("iam"),
                None => true,
            }
        })
}

impl<'a> SelfGranter<'a> {
    /// The ways through IAM by which a principal is sure to come to rights on queues that it lacks, sorted.
    pub fn iam_grants(&self, index: usize) -> Vec<IamGrant> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        if !self.opens_some_way(principal) {
            return Vec::new();
        }
        let lacking = self.lacking(index, principal.account);
        let mut grants = self.by_policies(index, principal, &lacking);
        grants.extend(self.by_trust(index, principal, &lacking));
        grants.sort_by(|a, b| (a.action, &a.target).cmp(&(b.action, &b.target)));
        grants.dedup();
        grants
    }

    /// Whether a policy of the principal opens any way at all.
    fn opens_some_way(&self, principal: &Principal<'_>) -> bool {
        let opens_ways = |document: &Arc<Document>| {
            let known = self.opens_ways.get(document);
            known.copied().unwrap_or_default()
        };
        let mut policies = principal.policies.iter();
        !principal.is_service_linked() && policies.any(|policy| opens_ways(&policy.document))
    }

    /// Whether a principal is sure to come to any policy by itself: no way through another tells more of it then.
    pub(super) fn gives_itself_anything(&self, index: usize) -> bool {
        let Some(principal) = self.access.principals.get(index) else {
            return false;
        };
        if !self.opens_some_way(principal) {
            return false;
        }
        let lacking = self.lacking(index, principal.account);
        !self.by_policies(index, principal, &lacking).is_empty()
    }

    /// The roles that a principal could make trust it, by index, to come to rights that it lacks.
    pub(super) fn trusts_rewritten(&self, index: usize) -> Vec<usize> {
        let grants = self.iam_grants(index).into_iter();
        let of_trust = grants.filter(|grant| grant.action == NEW_TRUST.0);
        of_trust.filter_map(|grant| grant.changes).collect()
    }

    /// The ways by which it could allow itself what it likes.
    fn by_policies(
        &self,
        index: usize,
        principal: &Principal<'_>,
        lacking: &Queues,
    ) -> Vec<IamGrant> {
        let mut grants = Vec::new();
        let own = match principal.kind {
            Kind::User => OWN_OF_USER,
            _ => OWN_OF_ROLE,
        };
        if !is_aws_own(principal.arn) {
            let tags = Some(principal.tags);
            for way in own {
                let asking = self.asking(principal, way);
                let grant = grant(&asking, principal.arn, tags, principal.kind);
                grants.extend(grant.map(|grant| IamGrant {
                    changes: Some(index),
                    ..grant
                }));
            }
        }
        let groups = self.groups(principal);
        if !groups.is_empty() {
            for way in OF_GROUP {
                let asking = self.asking(principal, way);
                for group in &groups {
                    // IAM knows no tags of groups.
                    grants.extend(grant(&asking, group, Some(&[]), Kind::Group));
                }
            }
        }
        let asking = self.asking(principal, NEW_VERSION);
        if !asking.own.identity.allows_nothing() {
            for policy in &principal.policies {
                let Ok(arn) = Arn::parse(&policy.owner) else {
                    continue;
                };
                let is_customers = arn.account() == principal.arn.account()
                    && arn.resource().starts_with("policy/");
                if is_customers {
                    grants.extend(grant(&asking, &arn, None, Kind::Policy));
                }
            }
        }
        if grants.is_empty() || !self.would_gain(principal, lacking) {
            return Vec::new();
        }
        grants
    }

    /// The groups of a user.
    fn groups(&self, principal: &Principal<'_>) -> Vec<&'a Arn> {
        let Some(account) = self.access.accounts.get(principal.account) else {
            return Vec::new();
        };
        if principal.kind != Kind::User {
            return Vec::new();
        }
        let user = account.users.iter().find(|user| user.arn == *principal.arn);
        let names = user.map_or(&[][..], |user| &user.groups);
        let groups = account.groups.iter().map(|group| &group.arn);
        groups
            .filter(|arn| names.iter().any(|name| name == arn.name()))
            .collect()
    }

    /// The roles with rights that the principal lacks and whose trust policies it can rewrite to become them.
    fn by_trust(&self, index: usize, principal: &Principal<'_>, lacking: &Queues) -> Vec<IamGrant> {
        let rewriting = self.asking(principal, NEW_TRUST);
        if rewriting.own.identity.allows_nothing() {
            return Vec::new();
        }
        let roles = self.rewritable(index, &rewriting);
        let mut wanted = Wanted::new(MESSAGES.into_iter().zip(lacking).collect());
        let helpful = roles.iter().filter(|role| {
            let row = self.access.rows.get(*role as usize);
            row.is_some_and(|row| wanted.is_one_held_by(row))
        });
        helpful
            .filter_map(|number| {
                let changes = number as usize;
                let role = self.access.principals.get(changes)?;
                Some(IamGrant {
                    action: NEW_TRUST.0,
                    target: Entity::new(Kind::Role, role.arn.shared()),
                    changes: Some(changes),
                })
            })
            .collect()
    }

    /// The roles whose trust policies the principal surely can rewrite, and which it surely can assume once they trust it.
    fn rewritable(&self, index: usize, rewriting: &IamAsking<'_>) -> QueueSet {
        let principal = rewriting.principal;
        let assuming = self.asking(principal, ASSUME);
        let statements: Vec<(&Statement, PolicyKind)> = [rewriting, &assuming]
            .into_iter()
            .flat_map(IamAsking::statements)
            .collect();
        let mut rewritten = QueueSet::new();
        for statement in rewriting.own.identity.statements() {
            if statement.effect == Effect::Allow {
                rewritten |= whole(reached(&self.roster, statement, PolicyKind::Identity));
            }
        }
        let candidates = rewritten.iter().filter(|number| {
            let role = self.access.principals.get(*number as usize);
            role.is_some_and(|role| {
                *number as usize != index
                    && role.kind == Kind::Role
                    && role.account == principal.account
                    && !is_aws_own(role.arn)
            })
        });
        let candidates: QueueSet = candidates.collect();
        let (cuts, singles) = cuts(&self.roster, &statements);
        let numbers = self.numbers_of_roles(&candidates, &statements);
        let parts = cut(&candidates, &numbers, &cuts, &singles);
        let mut found = QueueSet::new();
        for part in parts {
            let role = part
                .min()
                .and_then(|role| self.access.principals.get(role as usize));
            let Some(role) = role else {
                continue;
            };
            let tags = Some(role.tags);
            // The trust policy can name a session, which passes the boundary (B.3).
            let trusted = Candidates::open(Formula::Always);
            if rewriting.is_sure(role.arn, tags, &Candidates::default())
                && assuming.is_sure(role.arn, tags, &trusted)
            {
                found |= part;
            }
        }
        found
    }

    /// For each principal a number; equal for roles whose tags are, where a statement looks at tags.
    fn numbers_of_roles(
        &self,
        roles: &QueueSet,
        statements: &[(&Statement, PolicyKind)],
    ) -> Vec<u32> {
        let looks_at_tags = statements
            .iter()
            .flat_map(|(statement, _)| statement.context_keys())
            .any(|key| key.contains(":resourcetag/"));
        if !looks_at_tags {
            return Vec::new();
        }
        let mut known: BTreeMap<&[Tag], u32> = BTreeMap::new();
        let mut numbers = vec![0; self.access.principals.len()];
        for role in roles {
            let place = role as usize;
            let (Some(number), Some(role)) =
                (numbers.get_mut(place), self.access.principals.get(place))
            else {
                continue;
            };
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            *number = *known.entry(role.tags).or_insert(next);
        }
        numbers
    }

    /// Whether a policy that allows everything would surely give the principal a right that it lacks: its boundary, explicit
    /// denies, control policies and keys may stand before it.
    fn would_gain(&self, principal: &Principal<'_>, lacking: &Queues) -> bool {
        let side = RequesterSide::allowing_everything(principal, self.access.tags_matter);
        let comer = Comer {
            requester: &principal.requester,
            caller: caller(principal),
            account: Some(principal.account),
        };
        MESSAGES
            .into_iter()
            .zip(lacking)
            .any(|(capability, queues)| {
                let own = side.own.of(capability).iter();
                let of_its_own = own.flat_map(|own| {
                    let boundary = own.boundary.iter().flat_map(Candidates::statements);
                    own.identity.statements().chain(boundary)
                });
                let above: Vec<ControlsAbout<'_>> = capability
                    .actions(self.access.tags_matter)
                    .iter()
                    .map(|action| controls_about(self.access, principal.account, action))
                    .collect();
                let statements: Vec<(&Statement, PolicyKind)> = of_its_own
                    .map(|statement| (statement, PolicyKind::Identity))
                    .chain(above.iter().flat_map(of_controls))
                    .collect();
                let (cuts, singles) = cuts(&self.access.index, &statements);
                cut(queues, self.likenesses(), &cuts, &singles)
                    .into_iter()
                    .any(|part| {
                        let mut queues = self.access.queues_of(&part);
                        let is_open = queues.next().is_some_and(|(_, audited)| {
                            let bare = &self.bare;
                            self.asker
                                .when_without_key(
                                    comer, &side, audited, bare, capability, &mut None,
                                )
                                .is_always()
                        });
                        // What limits the principal leaves these queues; their own policies and keys may still refuse.
                        is_open
                            && self.access.queues_of(&part).any(|(_, audited)| {
                                let queue_side = QueueSide::of(audited, self.access.tags_matter);
                                self.asker
                                    .when(comer, &side, audited, &queue_side, capability, None)
                                    .is_always()
                            })
                    })
            })
    }

    fn likenesses(&self) -> &[u32] {
        self.likenesses.get_or_init(|| {
            let mut known = BTreeMap::new();
            let queues = self.access.queues.iter();
            queues
                .map(|audited| {
                    let arn = &audited.queue.arn;
                    let tags = self.access.tags_matter.then_some(&audited.queue.tags);
                    let likeness = (audited.account, arn.region(), arn.account(), tags);
                    let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                    *known.entry(likeness).or_insert(next)
                })
                .collect()
        })
    }

    /// For each right the queues of an account on which the principal never has it.
    fn lacking(&self, index: usize, account: usize) -> Queues {
        let queues = self.access.queues.iter().zip(0..);
        let own: QueueSet = queues
            .filter(|(audited, _)| audited.account == account)
            .map(|(_, number)| number)
            .collect();
        let mut lacking = [own.clone(), own];
        for rights in self.access.rights(index) {
            for (capability, queues) in MESSAGES.into_iter().zip(&mut lacking) {
                if !rights.on_each().when(capability).is_never() {
                    *queues -= &*rights.queues;
                }
            }
        }
        lacking
    }

    fn asking<'s>(&'s self, principal: &'s Principal<'s>, way: Way) -> IamAsking<'s> {
        IamAsking::new(self.access, principal, way)
    }

    /// The statements by which a principal may go a way through IAM.
    pub fn prove(&self, index: usize, grant: &IamGrant) -> Vec<StepProof> {
        let ways = OWN_OF_USER.into_iter().chain(OWN_OF_ROLE).chain(OF_GROUP);
        let way = ways
            .chain([NEW_VERSION, NEW_TRUST])
            .find(|(name, _)| *name == grant.action);
        let (Some(principal), Some(way), Ok(arn)) = (
            self.access.principals.get(index),
            way,
            Arn::parse(&grant.target.arn),
        ) else {
            return Vec::new();
        };
        let changed = grant
            .changes
            .and_then(|index| self.access.principals.get(index));
        let tags = match grant.target.kind {
            Kind::Group => Some(&[][..]),
            _ => changed.map(|changed| changed.tags),
        };
        let asking = self.asking(principal, way);
        let mut proofs = Vec::new();
        let nothing = Candidates::default();
        let mut note = |matched: Matched<'_>| proofs.push(StepProof::of(&matched));
        asking.when(&arn, tags, &nothing, Some(&mut note));
        StepProof::once_each(proofs)
    }
}

/// The way, if it surely exists.
fn grant(asking: &IamAsking<'_>, arn: &Arn, tags: Option<&[Tag]>, kind: Kind) -> Option<IamGrant> {
    asking
        .is_sure(arn, tags, &Candidates::default())
        .then(|| IamGrant {
            action: asking.way.0,
            target: Entity::new(kind, arn.shared()),
            changes: None,
        })
}

/// Roles that AWS keeps itself, for services and for IAM Identity Center: IAM lets nobody change them.
fn is_aws_own(arn: &Arn) -> bool {
    arn.resource().starts_with("role/aws-service-role/")
        || arn.resource().starts_with("role/aws-reserved/")
}
