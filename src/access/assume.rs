//! Who can become which role: `sts:AssumeRole` between the users and roles of the audited accounts, step by step and over
//! several steps (F.1, B.8).
//!
//! From "`AssumeRole`", "How AWS enforcement code logic evaluates requests" and "Available keys for AWS STS". Each step is a
//! decision of its own, over the trust policy, the caller's policies, and the control policies of both accounts. Nobody is
//! asked about every role: a trust policy says whom it could mean, and where it means a whole account, the caller's own policies
//! say which roles they reach. Services and identity providers that enter a role from outside are not told here.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use super::Access;
use super::candidates::Candidates;
use super::choices::without_choices;
use super::context::{Caller, RequestContext, Target};
use super::control::ControlsAbout;
use super::decide::{Layer, Layers, Matched, reborrowed, when_allowed};
use super::documents::address;
use super::index::QueueSet;
use super::principal::Principal;
use super::sides::Own;
use crate::entity::Kind;
use crate::policy::{
    ContextKeys, Document, Domain, Effect, Formula, Lookup, PolicyKind, PrincipalEntry, Request,
};

const ASSUME: &str = "sts:assumerole";
/// Steps of the longest path under conditions that is looked for.
const MOST_STEPS: usize = 5;
/// Paths to one role that are followed further; more differ in their conditions only.
const MOST_PATHS: usize = 3;

/// Numbers of doors.
type DoorSet = QueueSet;

/// Who can become which role.
#[derive(Debug)]
pub struct Becoming<'a> {
    access: &'a Access<'a>,
    /// The roles that users or roles might assume.
    doors: Vec<Door<'a>>,
    /// For each principal the doors whose trust policies name it.
    named: HashMap<usize, DoorSet>,
    /// For each account id the doors that trust the account as a whole.
    delegated: HashMap<String, DoorSet>,
    /// The doors that anyone may come to.
    open: DoorSet,
    /// The doors that the assuming statements of a document could reach, by its address: documents are shared.
    reached: HashMap<usize, DoorSet>,
    /// For each audited account what its control policies say.
    controls: Vec<ControlsAbout<'a>>,
    /// For each principal its steps, once they were asked for.
    steps: Vec<OnceLock<Vec<Step>>>,
}

/// A role with what its trust policy says about assuming it.
#[derive(Debug)]
struct Door<'a> {
    role: usize,
    trust: Candidates<'a>,
    /// Whether whoever assumes the role may bring a source identity.
    source_identity: bool,
}

/// A role that a principal can assume.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The index of the role among the principals.
    pub role: usize,
    /// When; what the caller itself chooses, such as an external id, is no condition.
    pub when: Formula,
}

/// A role that a principal can become over one or more steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The roles on the way, the last one that which it leads to; by their index among the principals.
    pub roles: Vec<usize>,
    /// When every step can be taken.
    pub when: Formula,
}

impl Path {
    /// The role that it leads to.
    pub fn role(&self) -> Option<usize> {
        self.roles.last().copied()
    }
}

/// A statement that takes part in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepProof {
    /// The layer of the statement: `Resource` is the trust policy.
    pub layer: Layer,
    /// The policy's name.
    pub policy: Arc<str>,
    /// The statement's `Sid` or `#index`.
    pub statement: Arc<str>,
    /// Allow, or a Deny that may take it away.
    pub effect: Effect,
}

impl StepProof {
    pub(super) fn of(matched: &Matched<'_>) -> Self {
        Self {
            layer: matched.layer,
            policy: Arc::clone(&matched.policy.name),
            statement: Arc::clone(&matched.statement.label),
            effect: matched.statement.effect,
        }
    }

    /// The proofs without repetitions.
    pub(super) fn once_each(proofs: Vec<Self>) -> Vec<Self> {
        let mut each: Vec<Self> = Vec::with_capacity(proofs.len());
        for proof in proofs {
            if !each.contains(&proof) {
                each.push(proof);
            }
        }
        each
    }
}

impl Access<'_> {
    /// Who can become which role.
    pub fn becoming(&self) -> Becoming<'_> {
        Becoming::new(self)
    }
}

impl<'a> Becoming<'a> {
    fn new(access: &'a Access<'a>) -> Self {
        let doors: Vec<Door<'a>> = access
            .principals
            .iter()
            .enumerate()
            .filter_map(|(index, principal)| door(index, principal))
            .collect();
        let mut becoming = Self {
            access,
            doors,
            named: HashMap::new(),
            delegated: HashMap::new(),
            open: DoorSet::new(),
            reached: HashMap::new(),
            controls: access
                .controls
                .iter()
                .map(|controls| controls.about(ASSUME))
                .collect(),
            steps: access.principals.iter().map(|_| OnceLock::new()).collect(),
        };
        becoming.sort_out_trust();
        becoming.sort_out_reach();
        becoming
    }

    /// Notes whom each trust policy could mean.
    fn sort_out_trust(&mut self) {
        if self.doors.is_empty() {
            return;
        }
        let principals = self.access.principals.iter().enumerate();
        let mut by_name: HashMap<(Kind, &str, &str), Vec<usize>> = HashMap::new();
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        for (index, principal) in principals {
            by_name
                .entry((
                    principal.kind,
                    principal.arn.account(),
                    principal.arn.name(),
                ))
                .or_default()
                .push(index);
            by_id.insert(principal.id, index);
        }
        for (number, door) in (0..).zip(&self.doors) {
            let allows = door
                .trust
                .statements()
                .filter(|statement| statement.effect == Effect::Allow);
            for element in allows.filter_map(|statement| statement.principal.as_ref()) {
                if element.negated {
                    self.open.insert(number);
                    continue;
                }
                for entry in &element.entries {
                    let key = match entry {
                        PrincipalEntry::Everyone => {
                            self.open.insert(number);
                            continue;
                        }
                        PrincipalEntry::Account { account, .. } => {
                            let delegated = self.delegated.entry(account.clone()).or_default();
                            delegated.insert(number);
                            continue;
                        }
                        PrincipalEntry::UniqueId(id) => {
                            if let Some(index) = by_id.get(id.as_str()) {
                                self.named.entry(*index).or_default().insert(number);
                            }
                            continue;
                        }
                        PrincipalEntry::User(arn) => (Kind::User, arn.account(), arn.name()),
                        PrincipalEntry::Role(arn) => (Kind::Role, arn.account(), arn.name()),
                        PrincipalEntry::Session(session) => {
                            (Kind::Role, session.account.as_str(), session.role.as_str())
                        }
                        PrincipalEntry::FederatedUser(_)
                        | PrincipalEntry::Service(_)
                        | PrincipalEntry::Federated(_)
                        | PrincipalEntry::Unmatchable(_) => continue,
                    };
                    for index in by_name.get(&key).into_iter().flatten() {
                        self.named.entry(*index).or_default().insert(number);
                    }
                }
            }
        }
    }

    /// Notes which doors each document could reach.
    fn sort_out_reach(&mut self) {
        if self.delegated.is_empty() && self.open.is_empty() {
            return;
        }
        for principal in &self.access.principals {
            for policy in &principal.policies {
                let address = address(&policy.document);
                if !self.reached.contains_key(&address) {
                    let reached = self.reached_by(&policy.document);
                    self.reached.insert(address, reached);
                }
            }
        }
    }

    fn reached_by(&self, document: &Document) -> DoorSet {
        let mut reached = DoorSet::new();
        if !document.readable {
            return reached;
        }
        let allows = document.readings.iter().flatten().filter(|statement| {
            statement.effect == Effect::Allow && statement.actions.contains(ASSUME)
        });
        for statement in allows {
            let patterns = match &statement.resources {
                Some(resources) if !resources.negated => &resources.patterns,
                _ => return self.every_door(),
            };
            for pattern in patterns {
                let reach = pattern.widest_reach(PolicyKind::Identity);
                if reach.is_everything() {
                    return self.every_door();
                }
                for (number, door) in (0..).zip(&self.doors) {
                    let arn = self.access.principals.get(door.role).map(|role| role.arn);
                    if arn.is_some_and(|arn| reach.contains(arn.as_str()) != Some(false)) {
                        reached.insert(number);
                    }
                }
            }
        }
        reached
    }

    fn every_door(&self) -> DoorSet {
        (0..).zip(&self.doors).map(|(number, _)| number).collect()
    }

    /// The doors that a principal could pass; every other one is closed to it.
    fn candidates(&self, index: usize, principal: &Principal<'_>) -> DoorSet {
        let mut doors = DoorSet::new();
        for policy in &principal.policies {
            if let Some(reached) = self.reached.get(&address(&policy.document)) {
                doors |= reached;
            }
        }
        // Whom the trust policy does not name itself needs a policy of its own.
        let mut trusting = self.open.clone();
        if let Some(delegated) = self.delegated.get(principal.arn.account()) {
            trusting |= delegated;
        }
        doors &= trusting;
        doors |= &self.open;
        if let Some(named) = self.named.get(&index) {
            doors |= named;
        }
        doors
    }

    /// The roles that a principal can assume itself, sorted by ARN. Itself is not among them, nor what only an unreadable policy
    /// could give.
    pub fn steps(&self, principal: usize) -> &[Step] {
        let Some(known) = self.steps.get(principal) else {
            return &[];
        };
        known.get_or_init(|| self.decide_steps(principal))
    }

    fn decide_steps(&self, index: usize) -> Vec<Step> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        let candidates = self.candidates(index, principal);
        if candidates.is_empty() {
            return Vec::new();
        }
        let own = Own::of(principal, &principal.policies, ASSUME);
        let steps = candidates
            .iter()
            .filter_map(|number| self.doors.get(number as usize))
            .filter_map(|door| self.step(index, principal, &own, door))
            .collect();
        self.sorted(steps)
    }

    fn sorted(&self, mut steps: Vec<Step>) -> Vec<Step> {
        steps.sort_by_key(|step| self.arn(step.role));
        steps
    }

    fn arn(&self, principal: usize) -> &str {
        let principal = self.access.principals.get(principal);
        principal.map_or("", |principal| principal.arn.as_str())
    }

    /// The same, asking about every role: what [`Becoming::steps`] must equal.
    #[doc(hidden)]
    pub fn steps_pair_by_pair(&self, index: usize) -> Vec<Step> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        let own = Own::of(principal, &principal.policies, ASSUME);
        let steps = self
            .doors
            .iter()
            .filter_map(|door| self.step(index, principal, &own, door))
            .collect();
        self.sorted(steps)
    }

    fn step(
        &self,
        index: usize,
        principal: &Principal<'_>,
        own: &Own<'_>,
        door: &Door<'_>,
    ) -> Option<Step> {
        if door.role == index {
            return None;
        }
        let when = self.when(principal, own, door, None);
        when.rests_on_what_was_read().then_some(Step {
            role: door.role,
            when,
        })
    }

    fn when<'s>(
        &'s self,
        principal: &Principal<'_>,
        own: &'s Own<'s>,
        door: &'s Door<'_>,
        mut record: Option<&mut dyn FnMut(Matched<'s>)>,
    ) -> Formula
    where
        'a: 's,
    {
        let Some(role) = self.access.principals.get(door.role) else {
            return Formula::Never;
        };
        // A user chooses between access key and session (E.3).
        let callers = match principal.kind {
            Kind::User => vec![
                Caller::UserWithKey(principal),
                Caller::UserWithSession(principal),
            ],
            _ => vec![Caller::Role(principal)],
        };
        let mut any = Formula::Never;
        for caller in callers {
            let keys = StepKeys {
                request: RequestContext {
                    caller,
                    target: Target::Identity {
                        arn: role.arn,
                        tags: Some(role.tags),
                    },
                    callers_organization: self.access.organization(principal.account),
                    targets_organization: self.access.organization(role.account),
                    now: self.access.scanned_at(role.account),
                    carries_tags: role.trust.session_tags,
                },
                source_identity: door.source_identity,
            };
            let request = Request {
                requester: &principal.requester,
                action: ASSUME,
                resource: role.arn.as_str(),
                keys: &keys,
            };
            let layers = Layers {
                identity: &own.identity,
                boundary: own.boundary.as_ref(),
                session: None,
                resource: &door.trust,
                scps: self
                    .controls
                    .get(principal.account)
                    .map_or(&[], |about| &about.scps),
                rcps: self
                    .controls
                    .get(role.account)
                    .map_or(&[], |about| &about.rcps),
                endpoint: None,
            };
            let record = reborrowed(&mut record);
            let when = when_allowed(&request, role.arn.account(), &layers, record);
            any = any.or(without_choices(&when, is_chosen));
            if any.is_always() {
                break;
            }
        }
        any.settled()
    }

    /// The statements behind one step, each once.
    pub fn prove(&self, from: usize, to: usize) -> Vec<StepProof> {
        let mut proofs: Vec<StepProof> = Vec::new();
        let door = self.doors.iter().find(|door| door.role == to);
        if let (Some(principal), Some(door)) = (self.access.principals.get(from), door) {
            let own = Own::of(principal, &principal.policies, ASSUME);
            let mut note = |matched: Matched<'_>| proofs.push(StepProof::of(&matched));
            self.when(principal, &own, door, Some(&mut note));
        }
        StepProof::once_each(proofs)
    }

    /// The roles that a principal can become, sorted by ARN: for each the shortest path that can always be taken, or else the
    /// shortest of at most five steps whose conditions can hold together. Roles that `may_enter` refuses are neither told nor
    /// passed through.
    pub fn paths(&self, principal: usize, may_enter: impl Fn(usize) -> bool) -> Vec<Path> {
        let mut found: BTreeMap<usize, Vec<Path>> = BTreeMap::new();
        let mut next = VecDeque::from([Path {
            roles: Vec::new(),
            when: Formula::Always,
        }]);
        while let Some(path) = next.pop_front() {
            for step in self.steps(path.role().unwrap_or(principal)) {
                if step.role == principal
                    || path.roles.contains(&step.role)
                    || !may_enter(step.role)
                {
                    continue;
                }
                let known = found.entry(step.role).or_default();
                if known.iter().any(|path| path.when.is_always()) {
                    continue;
                }
                let when = path.when.clone().and(step.when.clone());
                // Each role is reached once without conditions, and in ever more ways with them.
                let tells_more = when.is_always()
                    || (path.roles.len() < MOST_STEPS
                        && known.len() < MOST_PATHS
                        && known.iter().all(|path| path.when != when)
                        && when.is_satisfiable());
                if tells_more {
                    let mut roles = path.roles.clone();
                    roles.push(step.role);
                    let path = Path { roles, when };
                    known.push(path.clone());
                    next.push_back(path);
                }
            }
        }
        let mut paths: Vec<Path> = found
            .into_values()
            .filter_map(|mut paths| {
                let surest = paths.iter().position(|path| path.when.is_always());
                let best = surest.unwrap_or_default();
                (best < paths.len()).then(|| paths.swap_remove(best))
            })
            .collect();
        paths.sort_by_key(|path| path.role().map(|role| self.arn(role)));
        paths
    }
}

/// The role as a door; none when no user and no role could ever assume it. Service-linked roles are their service's alone.
fn door<'a>(index: usize, principal: &'a Principal<'_>) -> Option<Door<'a>> {
    let policy = principal.trust_policy.as_ref()?;
    if principal.is_service_linked() || !policy.document.readable {
        return None;
    }
    let is_for_principals = |entry: &PrincipalEntry| {
        !matches!(
            entry,
            PrincipalEntry::Service(_)
                | PrincipalEntry::Federated(_)
                | PrincipalEntry::Unmatchable(_)
        )
    };
    let trust = Candidates::of([policy], ASSUME);
    let admits_somebody = trust
        .statements()
        .filter(|statement| statement.effect == Effect::Allow)
        .filter_map(|statement| statement.principal.as_ref())
        .any(|element| element.negated || element.entries.iter().any(is_for_principals));
    let source_identity = Candidates::of([policy], "sts:setsourceidentity");
    admits_somebody.then(|| Door {
        role: index,
        trust,
        source_identity: !source_identity.allows_nothing(),
    })
}

/// The context of a request to assume a role.
struct StepKeys<'a> {
    request: RequestContext<'a>,
    source_identity: bool,
}

impl ContextKeys for StepKeys<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        let brought = |may_bring: bool| {
            if may_bring {
                Lookup::Open(Domain::ANYTHING)
            } else {
                Lookup::Absent
            }
        };
        match key {
            "sts:externalid" => brought(true),
            "sts:rolesessionname" => Lookup::Open(Domain::PRESENT),
            "sts:sourceidentity" => brought(self.source_identity),
            "sts:transitivetagkeys" => brought(self.request.carries_tags),
            _ if key.starts_with("sts:") => brought(true),
            _ => match self.request.lookup(key) {
                Lookup::Open(domain) if !outlasts_a_step(key) => {
                    Lookup::Open(domain.in_call_to("sts"))
                }
                known => known,
            },
        }
    }
}

/// Whether the key holds the same in the calls that follow as another principal: where the caller is does not change, but
/// the session does, and each service has VPC endpoints of its own.
fn outlasts_a_step(key: &str) -> bool {
    matches!(
        key,
        "aws:sourceip"
            | "aws:sourcevpc"
            | "aws:sourcevpcarn"
            | "aws:vpcsourceip"
            | "aws:useragent"
            | "aws:referer"
            | "aws:principalorgid"
            | "aws:principalorgpaths"
    )
}

/// Whether the caller puts the key into the request as it likes: that confuses nobody but a third party (F.1).
fn is_chosen(key: &str) -> bool {
    matches!(
        key,
        "sts:externalid"
            | "sts:rolesessionname"
            | "sts:sourceidentity"
            | "sts:transitivetagkeys"
            | "aws:tagkeys"
    ) || key.starts_with("aws:requesttag/")
}
