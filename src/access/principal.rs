//! The principals of an account with everything that decides for them: policies, boundary, trust, workloads.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::action::SQS_ACTIONS;
use super::context::session_name;
use super::decide::Policy;
use crate::account::{Account, InlinePolicy, ManagedPolicy, PolicyText, Tag, WorkloadKind};
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::parallel::in_parallel;
use crate::policy::{
    Clause, Document, Effect, PolicyKind, PrincipalEntry, Requester, RequesterKind, Statement,
};

/// A user or a role of an audited account.
#[derive(Debug)]
pub struct Principal<'a> {
    /// Its ARN.
    pub arn: &'a Arn,
    /// User or role.
    pub kind: Kind,
    /// Its unique id.
    pub id: &'a str,
    /// Its tags.
    pub tags: &'a [Tag],
    /// How policies see it.
    pub requester: Requester,
    /// Its identity-based policies: inline, attached, and those of its groups.
    pub policies: Vec<Policy>,
    /// Its permissions boundary.
    pub boundary: Option<Policy>,
    /// What its trust policy says; for users that nobody assumes them.
    pub trust: Trust,
    /// The trust policy itself, of a role.
    pub trust_policy: Option<Policy>,
    /// What runs as it, sorted.
    pub workloads: Vec<Entity>,
    /// The tags that the sessions of some of its workloads carry.
    pub session_tags: HashMap<Entity, &'a [Tag]>,
    /// The index of its account among those audited.
    pub account: usize,
}

impl Principal<'_> {
    /// Whether it is a role that belongs to an AWS service.
    pub(super) fn is_service_linked(&self) -> bool {
        matches!(
            self.requester.kind,
            RequesterKind::Role {
                service_linked: true,
                ..
            }
        )
    }

    /// How policies see the session as which one of its workloads runs.
    pub(super) fn requester_as(&self, workload: &Entity) -> Requester {
        let mut requester = self.requester.clone();
        if let RequesterKind::Role { session, .. } = &mut requester.kind {
            *session = session_name(workload).map(str::to_owned);
        }
        requester
    }

    /// Whether it has every action on every resource, and nothing of its own takes rights on queues away again.
    pub fn is_administrator(&self) -> bool {
        let allows_everything = |policy: &Policy| {
            policy
                .document
                .statements()
                .iter()
                .any(|statement| statement.effect == Effect::Allow && statement.is_unlimited())
        };
        let may_deny_queues = |policy: &Policy| {
            !policy.document.readable
                || policy.document.readings.iter().flatten().any(|statement| {
                    statement.effect == Effect::Deny
                        && SQS_ACTIONS
                            .iter()
                            .any(|action| statement.actions.contains(&action.name.to_lowercase()))
                })
        };
        self.policies.iter().any(allows_everything)
            && self.boundary.as_ref().is_none_or(allows_everything)
            && !self
                .policies
                .iter()
                .chain(&self.boundary)
                .any(may_deny_queues)
    }
}

/// What a role's trust policy says of the sessions that can exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Services that may assume the role, sorted.
    pub services: Vec<String>,
    /// Whether only services and OIDC providers may: such sessions never carry MFA.
    pub machines_only: bool,
    /// Whether whoever assumes the role may bring session tags.
    pub session_tags: bool,
    /// Whether an identity provider may assume it.
    pub federated: bool,
    /// The Kubernetes service accounts of EKS clusters that may, sorted: IAM roles for service accounts.
    pub service_accounts: Vec<Entity>,
}

impl Trust {
    fn read(document: &Document) -> Self {
        if !document.readable {
            return Self {
                session_tags: true,
                federated: true,
                ..Self::default()
            };
        }
        let mut trust = Self {
            machines_only: true,
            ..Self::default()
        };
        for statement in document.readings.iter().flatten() {
            if statement.effect != Effect::Allow {
                continue;
            }
            let Some(principal) = &statement.principal else {
                continue;
            };
            trust.session_tags |= statement.actions.contains("sts:tagsession");
            trust.machines_only &= !principal.negated;
            for entry in &principal.entries {
                match entry {
                    PrincipalEntry::Service(name) => trust.services.push(name.clone()),
                    PrincipalEntry::Federated(provider) => {
                        trust.federated = true;
                        trust
                            .service_accounts
                            .extend(service_accounts(provider, statement));
                        trust.machines_only &= provider.contains(":oidc-provider/");
                    }
                    _ => trust.machines_only = false,
                }
            }
        }
        trust.services.sort();
        trust.services.dedup();
        trust.service_accounts.sort();
        trust.service_accounts.dedup();
        trust
    }
}

/// The service accounts that a statement about the OIDC provider of an EKS cluster names, by its condition on the subject of
/// the token; patterns are kept as they are ("IAM roles for service accounts", Amazon EKS user guide).
fn service_accounts<'s>(
    provider: &'s str,
    statement: &'s Statement,
) -> impl Iterator<Item = Entity> + 's {
    let issuer = provider
        .split_once(":oidc-provider/")
        .map(|(_, issuer)| issuer)
        .filter(|issuer| issuer.starts_with("oidc.eks."));
    let subjects = issuer.into_iter().flat_map(move |issuer| {
        let key = format!("{}:sub", issuer.to_lowercase());
        let clauses = statement.conditions.iter();
        clauses.filter(move |clause| clause.key_lower() == key)
    });
    subjects
        .flat_map(Clause::values)
        .filter(|subject| subject.starts_with("system:serviceaccount:"))
        .map(move |subject| Entity::new(Kind::ServiceAccount, format!("{provider}/{subject}")))
}

/// Identity policy documents: those of an account, each text parsed once however many carry it; any other when it is asked for.
#[derive(Default)]
struct Documents<'a> {
    parsed: HashMap<&'a str, Arc<Document>, RandomState>,
}

fn identity_document(text: &str) -> Arc<Document> {
    Arc::new(Document::parse(text, PolicyKind::Identity))
}

impl<'a> Documents<'a> {
    /// The identity policies of an account.
    fn of_account(account: &'a Account) -> Self {
        let managed = account
            .policies
            .iter()
            .filter_map(|policy| policy.document.as_ref());
        let users = account.users.iter().map(|user| &user.inline);
        let groups = account.groups.iter().map(|group| &group.inline);
        let roles = account.roles.iter().map(|role| &role.inline);
        let inline = users.chain(groups).chain(roles).flatten();
        let texts: HashSet<&str, RandomState> = managed
            .chain(inline.map(|policy| &policy.document))
            .map(PolicyText::as_str)
            .collect();
        let texts: Vec<&str> = texts.into_iter().collect();
        let parsed = in_parallel(&texts, |text| (*text, identity_document(text)));
        Self {
            parsed: parsed.into_iter().collect(),
        }
    }

    fn of(&self, text: &PolicyText) -> Arc<Document> {
        let known = self.parsed.get(text.as_str());
        known.map_or_else(|| identity_document(text.as_str()), Arc::clone)
    }

    fn inline(&self, kind: Kind, owner: &Arn, policies: &[InlinePolicy]) -> Vec<Policy> {
        policies
            .iter()
            .map(|policy| Policy {
                name: Arc::from(inline_name(kind, owner, &policy.name)),
                owner: owner.shared(),
                document: self.of(&policy.document),
            })
            .collect()
    }
}

/// The managed policies of an account.
struct PolicyShelf<'a> {
    policies: HashMap<&'a Arn, Policy, RandomState>,
}

impl<'a> PolicyShelf<'a> {
    fn new(policies: &'a [ManagedPolicy], documents: &Documents<'_>) -> Self {
        let policies = policies
            .iter()
            .map(|policy| {
                let document = match &policy.document {
                    Some(text) => documents.of(text),
                    None => Arc::new(unread()),
                };
                (
                    &policy.arn,
                    Policy {
                        name: policy.arn.shared(),
                        owner: policy.arn.shared(),
                        document,
                    },
                )
            })
            .collect();
        Self { policies }
    }

    /// The policy; one that is attached but was never collected says nothing that is known.
    fn policy(&self, arn: &Arn) -> Policy {
        self.policies.get(arn).cloned().unwrap_or_else(|| Policy {
            name: arn.shared(),
            owner: arn.shared(),
            document: Arc::new(unread()),
        })
    }
}

fn unread() -> Document {
    Document::uncollected(PolicyKind::Identity)
}

/// The name under which an inline policy is shown: it has no ARN.
pub fn inline_name(kind: Kind, owner: &Arn, policy: &str) -> String {
    format!("inline policy {policy} of {kind} {}", owner.name())
}

/// The inline policies of a user, group or role.
pub fn inline_policies(kind: Kind, owner: &Arn, policies: &[InlinePolicy]) -> Vec<Policy> {
    Documents::default().inline(kind, owner, policies)
}

fn requester(kind: RequesterKind, arn: &Arn, id: &str, has_boundary: bool) -> Requester {
    Requester {
        kind,
        partition: Arc::from(arn.partition()),
        account: Some(Arc::from(arn.account())),
        unique_id: Some(id.to_owned()),
        has_boundary,
    }
}

/// The users and roles of an account, sorted by ARN.
pub(super) fn principals(account: &Account, index: usize) -> Vec<Principal<'_>> {
    let documents = Documents::of_account(account);
    let shelf = PolicyShelf::new(&account.policies, &documents);
    let attached = |arns: &[Arn]| arns.iter().map(|arn| shelf.policy(arn)).collect::<Vec<_>>();
    let groups: HashMap<&str, Vec<Policy>, RandomState> = account
        .groups
        .iter()
        .map(|group| {
            let mut policies = documents.inline(Kind::Group, &group.arn, &group.inline);
            policies.extend(attached(&group.attached));
            (group.arn.name(), policies)
        })
        .collect();
    let mut principals = in_parallel(&account.users, |user| {
        let mut policies = documents.inline(Kind::User, &user.arn, &user.inline);
        policies.extend(attached(&user.attached));
        for group in &user.groups {
            match groups.get(group.as_str()) {
                Some(shared) => policies.extend(shared.iter().cloned()),
                None => policies.push(Policy {
                    name: Arc::from(format!("group {group}")),
                    owner: user.arn.shared(),
                    document: Arc::new(unread()),
                }),
            }
        }
        Principal {
            arn: &user.arn,
            kind: Kind::User,
            id: &user.id,
            tags: &user.tags,
            requester: requester(
                RequesterKind::User(user.arn.clone()),
                &user.arn,
                &user.id,
                user.boundary.is_some(),
            ),
            policies,
            boundary: user.boundary.as_ref().map(|arn| shelf.policy(arn)),
            trust: Trust::default(),
            trust_policy: None,
            workloads: Vec::new(),
            session_tags: HashMap::new(),
            account: index,
        }
    });
    let workloads = workloads_by_role(account);
    let trusts = trusts(account);
    principals.extend(in_parallel(&account.roles, |role| {
        let (trust, trust_policy) = match trusts.get(role.trust.as_str()) {
            Some((trust, document)) => (trust.clone(), Some(trust_policy(&role.arn, document))),
            None => (Trust::default(), None),
        };
        let mut policies = documents.inline(Kind::Role, &role.arn, &role.inline);
        policies.extend(attached(&role.attached));
        let of_role = workloads.get(&role.arn);
        let mut running = of_role.map_or_else(Vec::new, |of_role| of_role.entities.clone());
        running.extend(trust.service_accounts.iter().cloned());
        running.sort();
        running.dedup();
        let session_tags = of_role.map(|of_role| of_role.session_tags.clone());
        Principal {
            arn: &role.arn,
            kind: Kind::Role,
            id: &role.id,
            tags: &role.tags,
            requester: requester(
                RequesterKind::Role {
                    name: role.arn.name().to_owned(),
                    session: None,
                    service_linked: role.arn.resource().starts_with("role/aws-service-role/"),
                },
                &role.arn,
                &role.id,
                role.boundary.is_some(),
            ),
            policies,
            boundary: role.boundary.as_ref().map(|arn| shelf.policy(arn)),
            trust,
            trust_policy,
            workloads: running,
            session_tags: session_tags.unwrap_or_default(),
            account: index,
        }
    }));
    principals.sort_by(|a, b| a.arn.cmp(b.arn));
    principals
}

/// What trust policies say, each text read once: most roles share theirs with many others.
fn trusts(account: &Account) -> HashMap<&str, (Trust, Arc<Document>), RandomState> {
    let texts: HashSet<&str, RandomState> = account
        .roles
        .iter()
        .map(|role| role.trust.as_str())
        .collect();
    let texts: Vec<&str> = texts.into_iter().collect();
    let read = in_parallel(&texts, |text| {
        let document = Document::parse(text, PolicyKind::Trust);
        (*text, (Trust::read(&document), Arc::new(document)))
    });
    read.into_iter().collect()
}

fn trust_policy(role: &Arn, document: &Arc<Document>) -> Policy {
    Policy {
        name: Arc::from(format!("trust policy of role {}", role.name())),
        owner: role.shared(),
        document: Arc::clone(document),
    }
}

/// What runs as one role.
#[derive(Default)]
struct WorkloadsOf<'a> {
    entities: Vec<Entity>,
    session_tags: HashMap<Entity, &'a [Tag]>,
}

/// Workloads by the role that they name, or by the one in the instance profile that they name.
fn workloads_by_role(account: &Account) -> HashMap<&Arn, WorkloadsOf<'_>, RandomState> {
    let profiles: HashMap<&Arn, &Arn, RandomState> = account
        .roles
        .iter()
        .flat_map(|role| {
            role.instance_profiles
                .iter()
                .map(move |profile| (profile, &role.arn))
        })
        .collect();
    let functions = account.functions.iter().map(|function| {
        let entity = Entity::new(Kind::Function, function.arn.shared());
        (&function.role, entity, &[][..])
    });
    let instances = account.instances.iter().filter_map(|instance| {
        let profile = instance.instance_profile.as_ref()?;
        let entity = Entity::new(Kind::Instance, instance.arn.shared());
        Some((profile, entity, &[][..]))
    });
    let others = account.workloads.iter().map(|workload| {
        let entity = Entity::new(kind(workload.kind), workload.arn.shared());
        (&workload.runs_as, entity, &*workload.session_tags)
    });
    let mut by_role: HashMap<&Arn, WorkloadsOf<'_>, RandomState> = HashMap::default();
    for (runs_as, entity, session_tags) in functions.chain(instances).chain(others) {
        let role = profiles.get(runs_as).copied().unwrap_or(runs_as);
        let of_role = by_role.entry(role).or_default();
        if !session_tags.is_empty() {
            of_role.session_tags.insert(entity.clone(), session_tags);
        }
        of_role.entities.push(entity);
    }
    by_role
}

fn kind(workload: WorkloadKind) -> Kind {
    match workload {
        WorkloadKind::AutoScalingGroup => Kind::AutoScalingGroup,
        WorkloadKind::Task => Kind::Task,
        WorkloadKind::EcsService => Kind::EcsService,
        WorkloadKind::PodIdentity => Kind::PodIdentity,
        WorkloadKind::StateMachine => Kind::StateMachine,
        WorkloadKind::Pipe => Kind::Pipe,
        WorkloadKind::Schedule => Kind::Schedule,
        WorkloadKind::Crawler => Kind::Crawler,
    }
}
