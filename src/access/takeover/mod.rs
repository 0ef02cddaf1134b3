//! How a principal could act as another role or user without being let in by it, and so come to rights on queues that it lacks:
//! by what it makes run as a role, by what it changes that runs as one already, by credentials that it makes for a user (F.2).
//!
//! None of it is a right of the principal. It is told by a rule of its own, `can-take-over`, and as edges of a kind of their own
//! in the graph; what may be done directly, by assuming roles, and loops over both know nothing of it. Every action of a way is
//! decided over all layers, passing the role and the trust of the role in the service among them, and what is not known stays a
//! condition. Told is nothing of whom it would not help: who lacks nothing, administrators, and who can give itself any policy,
//! as no single role tells more about those.
//!
//! Roles, functions and instances are asked about once for all that statements cannot tell apart, and only of those who may do
//! everything that a way takes somewhere. Steps of several ways one after the other are not followed: who is taken over has
//! findings of its own.

mod applicant;
mod way;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub use way::Way;

use self::applicant::{Applicant, Call, Place};
use self::way::{Beyond, EC2, Gain, Over, PASS_ROLE, WAYS};
use super::Access;
use super::action::Capability;
use super::assume::StepProof;
use super::context::{Caller, RequestContext, Target};
use super::decide::{Candidates, Layers, decide};
use super::iam_request::controls_about;
use super::index::{QueueIndex, QueueSet};
use super::parts::{cut, cuts, reached, whole};
use super::principal::Principal;
use super::self_grant::SelfGranter;
use crate::account::{Tag, unqualified_function};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::{
    ContextKeys, Document, Domain, Effect, Formula, Glob, Lookup, OpenReason, PolicyKind, Request,
    Requester, RequesterKind, Statement,
};

/// Numbers of principals, or of what runs.
type Numbers = QueueSet;

/// Actions by their place, one bit each.
type Actions = u128;

/// Those that could be taken over in one way under one condition.
#[derive(Debug, Clone)]
pub struct Takeover {
    /// The way.
    pub way: &'static Way,
    /// Who could be taken over, by index among the principals.
    pub targets: QueueSet,
    /// When the way is open.
    pub when: Formula,
    /// Whether the rights that would be gained hold whatever the circumstances.
    pub rights_are_sure: bool,
}

impl Takeover {
    /// Whether the way is open and helps whatever the circumstances.
    pub fn is_sure(&self) -> bool {
        self.when.is_always() && self.rights_are_sure
    }
}

/// Statements by which one action of a way may be done.
#[derive(Debug)]
pub struct TakeoverStep {
    /// The action, as AWS writes it.
    pub action: &'static str,
    /// What it is about.
    pub resource: Arc<str>,
    /// The statements.
    pub proofs: Vec<StepProof>,
}

/// Finds out whom principals could act as.
pub struct TakeoverFinder<'a> {
    access: &'a Access<'a>,
    granter: SelfGranter<'a>,
    /// Every action of a way, each once.
    actions: Vec<Action>,
    plans: Vec<Plan>,
    /// The actions that each document allows on something, by its address: documents are shared.
    allowed: HashMap<usize, Actions>,
    /// Which users and roles a pattern reaches.
    roster: QueueIndex<'a>,
    /// The roles that stand in an instance profile.
    in_profile: Numbers,
    /// The principals of each account.
    by_account: Vec<Numbers>,
    fleets: BTreeMap<Kind, Fleet<'a>>,
    /// For each service the roles that trust it, by when they do.
    trusting: BTreeMap<&'static str, OnceLock<Vec<(Numbers, Formula)>>>,
    /// For each principal the queues on which it has rights.
    holdings: Vec<OnceLock<Holding>>,
    /// Who would help those that lack the same.
    helpful: Mutex<Vec<(Lacking, Arc<Helpful>)>>,
}

/// An action as AWS writes it, and in lower case.
pub(super) struct Action {
    name: &'static str,
    lower: String,
}

/// A way with the places of its actions.
pub(super) struct Plan {
    way: &'static Way,
    /// For each of its needs.
    needs: Vec<usize>,
    /// All of them, and passing the role.
    all: Actions,
}

/// What runs already and is of one kind.
struct Fleet<'a> {
    index: QueueIndex<'a>,
    /// For each the ARN and the index of its role.
    members: Vec<(Arn, usize)>,
    /// For each a number that is equal for those of one account and region.
    likenesses: Vec<u32>,
    /// Those that a delivery starts, or that Systems Manager surely manages.
    ready: Numbers,
}

/// For sending and receiving, queues.
type Lacking = [QueueSet; 2];

/// The queues on which one has a right, for sending and receiving.
#[derive(Debug, Default)]
struct Holding {
    surely: Lacking,
    perhaps: Lacking,
}

/// Who has what somebody lacks.
#[derive(Debug, Default)]
struct Helpful {
    all: Sureness,
    send: Sureness,
    receive: Sureness,
    polled: Sureness,
    administrators: Sureness,
}

/// Principals by whether their rights hold whatever the circumstances.
#[derive(Debug, Default, Clone)]
struct Sureness {
    surely: Numbers,
    perhaps: Numbers,
}

/// Sets of what is lacking that are remembered.
const MOST_KNOWN: usize = 64;

impl Access<'_> {
    /// What finds out whom principals could act as.
    pub fn takeover_finder(&self) -> TakeoverFinder<'_> {
        TakeoverFinder::new(self)
    }
}

/// The name of a service in a partition: that of EC2 ends otherwise in China.
pub(super) fn in_partition(service: &str, partition: &str) -> String {
    if service == EC2 && partition == "aws-cn" {
        format!("{service}.cn")
    } else {
        service.to_owned()
    }
}

fn address(document: &Arc<Document>) -> usize {
    Arc::as_ptr(document).addr()
}

/// The actions of all ways, and the ways with their places among them.
fn plans() -> (Vec<Action>, Vec<Plan>) {
    let mut actions: Vec<Action> = Vec::new();
    let mut place = |name: &'static str| {
        let known = actions.iter().position(|action| action.name == name);
        known.unwrap_or_else(|| {
            actions.push(Action {
                name,
                lower: name.to_ascii_lowercase(),
            });
            actions.len() - 1
        })
    };
    let pass_role = place(PASS_ROLE);
    let plans = WAYS
        .iter()
        .map(|way| {
            let needs: Vec<usize> = way.needs.iter().map(|need| place(need.action)).collect();
            let passes = way.passes_to().map(|_| pass_role);
            let all = needs.iter().copied().chain(passes);
            Plan {
                way,
                all: all.fold(0, |all, place| all | bit(place)),
                needs,
            }
        })
        .collect();
    (actions, plans)
}

fn bit(place: usize) -> Actions {
    u32::try_from(place)
        .ok()
        .and_then(|place| Actions::from(1_u8).checked_shl(place))
        .unwrap_or(0)
}

impl<'a> TakeoverFinder<'a> {
    fn new(access: &'a Access<'a>) -> Self {
        let (actions, plans) = plans();
        let mut allowed: HashMap<usize, Actions> = HashMap::new();
        for policy in access
            .principals
            .iter()
            .flat_map(|principal| &principal.policies)
        {
            allowed
                .entry(address(&policy.document))
                .or_insert_with(|| allowed_by(&policy.document, &actions));
        }
        let arns = access.principals.iter().map(|one| one.arn.as_str());
        let in_profiles: HashSet<&Arn> = access
            .accounts
            .iter()
            .flat_map(|account| &account.roles)
            .filter(|role| !role.instance_profiles.is_empty())
            .map(|role| &role.arn)
            .collect();
        let in_profile = (0..)
            .zip(&access.principals)
            .filter(|(_, role)| in_profiles.contains(role.arn))
            .map(|(number, _)| number)
            .collect();
        let passed_to = WAYS.iter().filter_map(Way::passes_to);
        let mut by_account = vec![Numbers::new(); access.accounts.len()];
        for (number, principal) in (0..).zip(&access.principals) {
            if let Some(numbers) = by_account.get_mut(principal.account) {
                numbers.insert(number);
            }
        }
        let mut finder = Self {
            by_account,
            granter: access.self_granter(),
            roster: QueueIndex::new(arns.collect()),
            in_profile,
            fleets: BTreeMap::new(),
            trusting: passed_to
                .map(|service| (service, OnceLock::new()))
                .collect(),
            holdings: access.principals.iter().map(|_| OnceLock::new()).collect(),
            helpful: Mutex::default(),
            access,
            actions,
            plans,
            allowed,
        };
        let kinds = WAYS.iter().filter_map(|way| match way.over {
            Over::Running(kind) => Some(kind),
            _ => None,
        });
        let kinds: BTreeSet<Kind> = kinds.collect();
        finder.fleets = kinds
            .into_iter()
            .map(|kind| (kind, finder.fleet(kind)))
            .collect();
        finder
    }

    /// The roles that a principal could make trust it, by index, if it cannot give itself any policy anyway.
    pub fn trusts_rewritten(&self, index: usize) -> Vec<usize> {
        if self.granter.gives_itself_anything(index) {
            return Vec::new();
        }
        self.granter.trusts_rewritten(index)
    }

    /// Whom a principal could act as who has rights on queues that it lacks, the surest ways first. Of several ways that are
    /// told apart by nothing but what they take besides, the surest.
    pub fn takeovers(&self, index: usize) -> Vec<Takeover> {
        let Some(principal) = self.access.principals.get(index) else {
            return Vec::new();
        };
        let may = principal.policies.iter().fold(0, |all, policy| {
            all | self
                .allowed
                .get(&address(&policy.document))
                .copied()
                .unwrap_or(0)
        });
        let open: Vec<&Plan> = self
            .plans
            .iter()
            .filter(|plan| plan.all & !may == 0)
            .collect();
        if open.is_empty()
            || principal.is_service_linked()
            || principal.is_administrator()
            || self.granter.gives_itself_anything(index)
        {
            return Vec::new();
        }
        let Some(of_account) = self.by_account.get(principal.account) else {
            return Vec::new();
        };
        let helpful = self.helpful(index);
        let applicant = Applicant::new(self.access, principal, &self.actions);
        let mut passing: HashMap<(&str, usize), Vec<(Numbers, Formula)>> = HashMap::new();
        let mut found: Vec<(usize, Takeover)> = Vec::new();
        for (place, plan) in open.into_iter().enumerate() {
            let help = helpful.by(plan.way.gain);
            let mut wanted = &help.surely | &help.perhaps;
            wanted &= of_account;
            wanted.remove(u32::try_from(index).unwrap_or(u32::MAX));
            if wanted.is_empty() {
                continue;
            }
            for (number, caller) in applicant.callers().into_iter().enumerate() {
                let ways = match plan.way.over {
                    Over::Running(kind) => self.over_running(&applicant, plan, caller, kind),
                    Over::User => self.over_users(&applicant, plan, caller, &wanted),
                    Over::Passed(_) | Over::InProfile => {
                        let Call { when, .. } =
                            applicant.surest_call(plan, caller, &applicant.regions(plan));
                        if !when.is_satisfiable() {
                            continue;
                        }
                        let service = plan.way.passes_to().unwrap_or_default();
                        let roles = passing
                            .entry((service, number))
                            .or_insert_with(|| self.passed(&applicant, plan, caller, service));
                        let roles = roles.iter();
                        roles
                            .map(|(roles, passes)| {
                                (roles.clone(), passes.clone().and(when.clone()))
                            })
                            .collect()
                    }
                };
                for (targets, when) in ways {
                    let mut targets = targets & &wanted;
                    if plan.way.over == Over::InProfile {
                        targets &= &self.in_profile;
                    }
                    let when = match plan.way.beyond {
                        Some(Beyond::Fact(fact)) => when.and(fact_open(fact)),
                        _ => when,
                    };
                    let when = when.settled();
                    if !when.rests_on_what_was_read() {
                        continue;
                    }
                    for (targets, rights_are_sure) in [
                        (&targets & &help.surely, true),
                        (targets - &help.surely, false),
                    ] {
                        if !targets.is_empty() {
                            let takeover = Takeover {
                                way: plan.way,
                                targets,
                                when: when.clone(),
                                rights_are_sure,
                            };
                            found.push((place, takeover));
                        }
                    }
                }
            }
        }
        surest_of_each(found)
    }

    /// The roles that the principal may pass to a service which they trust, by when both hold.
    fn passed(
        &self,
        applicant: &Applicant<'_>,
        plan: &Plan,
        caller: Caller<'_>,
        service: &'static str,
    ) -> Vec<(Numbers, Formula)> {
        let Some(pass_role) = self
            .actions
            .iter()
            .position(|action| action.name == PASS_ROLE)
        else {
            return Vec::new();
        };
        let statements = applicant.statements(pass_role);
        let reach = reach_of(applicant, pass_role, &self.roster);
        let (cuts, singles) = cuts(&self.roster, &statements);
        let mut found = Vec::new();
        for (trusting, trusts) in self.trusting(service) {
            // A role of another account cannot be passed.
            let mut domain = trusting & &reach;
            if let Some(of_account) = self.by_account.get(applicant.principal.account) {
                domain &= of_account;
            }
            let numbers = self.numbers_of_tags(&domain, &statements);
            for part in cut(&domain, &numbers, &cuts, &singles) {
                let Some(role) = self.first(&part) else {
                    continue;
                };
                let when = applicant.when_passing(plan, caller, role, &mut |_| ());
                let when = when.and(trusts.clone());
                if when.is_satisfiable() {
                    found.push((part, when));
                }
            }
        }
        found
    }

    fn first(&self, part: &Numbers) -> Option<&Principal<'a>> {
        self.access.principals.get(part.min()? as usize)
    }

    /// For each principal a number; equal for those whose tags are, where a statement looks at tags.
    fn numbers_of_tags(
        &self,
        domain: &Numbers,
        statements: &[(&Statement, PolicyKind)],
    ) -> Vec<u32> {
        let mut keys = statements
            .iter()
            .flat_map(|(statement, _)| statement.context_keys());
        if !keys.any(|key| key.contains(":resourcetag/")) {
            return Vec::new();
        }
        let mut known: BTreeMap<&[Tag], u32> = BTreeMap::new();
        let mut numbers = vec![0; self.access.principals.len()];
        for number in domain {
            let place = number as usize;
            if let (Some(number), Some(one)) =
                (numbers.get_mut(place), self.access.principals.get(place))
            {
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                *number = *known.entry(one.tags).or_insert(next);
            }
        }
        numbers
    }

    /// The users whom the principal may make credentials for.
    fn over_users(
        &self,
        applicant: &Applicant<'_>,
        plan: &Plan,
        caller: Caller<'_>,
        wanted: &Numbers,
    ) -> Vec<(Numbers, Formula)> {
        let Some(first) = plan.needs.first() else {
            return Vec::new();
        };
        let reach = reach_of(applicant, *first, &self.roster) & wanted;
        let users = reach.iter().filter(|number| {
            let one = self.access.principals.get(*number as usize);
            one.is_some_and(|one| one.kind == Kind::User)
        });
        let domain: Numbers = users.collect();
        let statements = self.statements(applicant, plan);
        let (cuts, singles) = cuts(&self.roster, &statements);
        let numbers = self.numbers_of_tags(&domain, &statements);
        let mut found = Vec::new();
        for part in cut(&domain, &numbers, &cuts, &singles) {
            let Some(user) = self.first(&part) else {
                continue;
            };
            let Call { when, .. } = applicant.call(plan, caller, place_of_user(user));
            if when.is_satisfiable() {
                found.push((part, when));
            }
        }
        found
    }

    fn statements<'s>(
        &self,
        applicant: &'s Applicant<'_>,
        plan: &Plan,
    ) -> Vec<(&'s Statement, PolicyKind)> {
        let actions: BTreeSet<usize> = plan.needs.iter().copied().collect();
        actions
            .into_iter()
            .flat_map(|action| applicant.statements(action))
            .collect()
    }

    /// The roles of what runs and the principal may change.
    fn over_running(
        &self,
        applicant: &Applicant<'_>,
        plan: &Plan,
        caller: Caller<'_>,
        kind: Kind,
    ) -> Vec<(Numbers, Formula)> {
        let Some(fleet) = self.fleets.get(&kind) else {
            return Vec::new();
        };
        let account = applicant.principal.arn.account();
        let domain = (0..)
            .zip(&fleet.members)
            .filter(|(_, (arn, _))| arn.account() == account);
        let mut domain: Numbers = domain.map(|(number, _)| number).collect();
        let is_about_target = |on: &str| on == "{t}";
        for (need, action) in plan.way.needs.iter().zip(&plan.needs) {
            if is_about_target(need.on) {
                domain &= reach_of(applicant, *action, &fleet.index);
            }
        }
        if domain.is_empty() {
            return Vec::new();
        }
        let statements = self.statements(applicant, plan);
        let (cuts, singles) = cuts(&fleet.index, &statements);
        let mut found: Vec<(Numbers, Formula)> = Vec::new();
        // What is asked about a cluster or its tasks is not told apart by the services.
        let singles = if plan.way.needs.iter().any(|need| is_about_target(need.on)) {
            singles
        } else {
            domain.clone()
        };
        for part in cut(&domain, &fleet.likenesses, &cuts, &singles) {
            let Some((arn, _)) = part
                .min()
                .and_then(|number| fleet.members.get(number as usize))
            else {
                continue;
            };
            let Call { when, .. } = applicant.call(plan, caller, place_of(arn));
            if !when.is_satisfiable() {
                continue;
            }
            let (ready, others) = match plan.way.beyond {
                Some(Beyond::Started | Beyond::Managed) => {
                    (&part & &fleet.ready, &part - &fleet.ready)
                }
                _ => (part, Numbers::new()),
            };
            let unknown = when.clone().and(lacks_words(plan.way));
            for (members, when) in [(ready, when), (others, unknown)] {
                let roles = fleet.roles(&members);
                if roles.is_empty() {
                    continue;
                }
                match found.iter_mut().find(|(_, known)| *known == when) {
                    Some((known, _)) => *known |= roles,
                    None => found.push((roles, when)),
                }
            }
        }
        found
    }

    fn fleet(&self, kind: Kind) -> Fleet<'a> {
        let mut members: Vec<(&'a str, Arn, usize)> = Vec::new();
        let access: &'a Access<'a> = self.access;
        for (index, principal) in access.principals.iter().enumerate() {
            let of_kind = principal.workloads.iter().filter(|one| one.kind == kind);
            for workload in of_kind {
                if let Ok(arn) = Arn::parse(&workload.arn) {
                    members.push((&workload.arn, arn, index));
                }
            }
        }
        let mut known: BTreeMap<(String, String), u32> = BTreeMap::new();
        let likenesses = members
            .iter()
            .map(|(_, arn, _)| {
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                let likeness = (arn.account().to_owned(), arn.region().to_owned());
                *known.entry(likeness).or_insert(next)
            })
            .collect();
        let started: HashSet<Arn> = if kind == Kind::Instance {
            HashSet::new()
        } else {
            started(access)
        };
        let ready = (0..)
            .zip(&members)
            .filter(|(_, (_, arn, role))| match kind {
                Kind::Instance => self.registers(*role, arn),
                _ => started.contains(arn),
            });
        Fleet {
            index: QueueIndex::new(members.iter().map(|(text, ..)| *text).collect()),
            likenesses,
            ready: ready.map(|(number, _)| number).collect(),
            members: members
                .into_iter()
                .map(|(_, arn, role)| (arn, role))
                .collect(),
        }
    }

    /// Whether the role surely may register an instance with Systems Manager, as its agent does.
    fn registers(&self, role: usize, instance: &Arn) -> bool {
        const REGISTER: &str = "ssm:updateinstanceinformation";
        let Some(role) = self.access.principals.get(role) else {
            return false;
        };
        let actions = [Action {
            name: "ssm:UpdateInstanceInformation",
            lower: REGISTER.to_owned(),
        }];
        let applicant = Applicant::new(self.access, role, &actions);
        applicant
            .when_plainly(0, Caller::Role(role), instance)
            .is_always()
    }

    /// The roles that trust a service, by when they do.
    fn trusting(&self, service: &'static str) -> &[(Numbers, Formula)] {
        let Some(known) = self.trusting.get(service) else {
            return &[];
        };
        known.get_or_init(|| {
            let mut by_when: Vec<(Numbers, Formula)> = Vec::new();
            for (number, role) in (0..).zip(&self.access.principals) {
                let name = in_partition(service, role.arn.partition());
                if !role.trust.services.contains(&name) || role.is_service_linked() {
                    continue;
                }
                let when = self.when_trusting(role, &name);
                if !when.is_satisfiable() {
                    continue;
                }
                match by_when.iter_mut().find(|(_, known)| *known == when) {
                    Some((roles, _)) => {
                        roles.insert(number);
                    }
                    None => by_when.push((Numbers::from_iter([number]), when)),
                }
            }
            by_when
        })
    }

    /// When a service may assume a role for something in its account.
    fn when_trusting(&self, role: &Principal<'_>, service: &str) -> Formula {
        const ASSUME: &str = "sts:assumerole";
        let requester = Requester {
            kind: RequesterKind::Service(service.to_owned()),
            partition: "".into(),
            account: None,
            unique_id: None,
            has_boundary: false,
        };
        let keys = ServiceKeys {
            request: RequestContext {
                caller: Caller::Service {
                    name: service,
                    source: None,
                },
                target: Target::Identity {
                    arn: role.arn,
                    tags: Some(role.tags),
                },
                callers_organization: None,
                targets_organization: self.access.organization(role.account),
                now: self.access.scanned_at(role.account),
                carries_tags: false,
            },
            account: role.arn.account(),
        };
        let nothing = Candidates::default();
        let trust = Candidates::of(&role.trust_policy, ASSUME);
        let above = controls_about(self.access, role.account, ASSUME);
        let request = Request {
            requester: &requester,
            action: ASSUME,
            resource: role.arn.as_str(),
            keys: &keys,
        };
        let layers = Layers {
            identity: &nothing,
            boundary: None,
            session: None,
            resource: &trust,
            scps: &[],
            rcps: &above.rcps,
            endpoint: None,
        };
        decide(&request, role.arn.account(), &layers, &mut |_| ())
            .verdict
            .formula()
    }

    fn holding(&self, index: usize) -> &Holding {
        static NONE: OnceLock<Holding> = OnceLock::new();
        let Some(known) = self.holdings.get(index) else {
            return NONE.get_or_init(Holding::default);
        };
        known.get_or_init(|| {
            let mut holding = Holding::default();
            for rights in self.access.rights(index) {
                // Whoever acts as a role need not have the session of what ran as it before.
                let Some(session) = rights.on_each().sessions().next() else {
                    continue;
                };
                let capabilities = [Capability::Send, Capability::Receive];
                let sets = holding.surely.iter_mut().zip(&mut holding.perhaps);
                for (capability, (surely, perhaps)) in capabilities.into_iter().zip(sets) {
                    let when = session.when(capability);
                    if when.is_always() {
                        *surely |= &*rights.queues;
                    } else if when.rests_on_what_was_read() {
                        *perhaps |= &*rights.queues;
                    }
                }
            }
            holding
        })
    }

    /// For sending and receiving the queues on which a principal never has the right.
    fn lacking(&self, index: usize) -> Lacking {
        let every = self.access.every_queue();
        let mut lacking = [every.clone(), every];
        for rights in self.access.rights(index) {
            let capabilities = [Capability::Send, Capability::Receive];
            for (capability, queues) in capabilities.into_iter().zip(&mut lacking) {
                if !rights.on_each().when(capability).is_never() {
                    *queues -= &*rights.queues;
                }
            }
        }
        lacking
    }

    /// What a principal gains by acting as another in some way: queues to send to and to receive from, those first on which the
    /// right is sure, then those on which it hangs on conditions.
    pub fn gains(&self, index: usize, takeover: &Takeover, target: usize) -> [[QueueSet; 2]; 2] {
        let [send, receive] = self.lacking(index);
        let holding = self.holding(target);
        let (sends, receives) = match takeover.way.gain {
            Gain::Send => (true, false),
            Gain::Receive => (false, true),
            Gain::All | Gain::Polled | Gain::Administrator => (true, true),
        };
        let of = |held: &Lacking| {
            let [held_send, held_receive] = held;
            let part = |does: bool, held: &QueueSet, lacks: &QueueSet| {
                if does { held & lacks } else { QueueSet::new() }
            };
            [
                part(sends, held_send, &send),
                part(receives, held_receive, &receive),
            ]
        };
        [of(&holding.surely), of(&holding.perhaps)]
    }

    fn helpful(&self, index: usize) -> Arc<Helpful> {
        let lacking = self.lacking(index);
        // Nobody panics while holding the lock, and what is in the list is whole in any case.
        let known = || self.helpful.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known()
            .iter()
            .find(|(known, _)| *known == lacking)
            .map(|(_, helpful)| Arc::clone(helpful));
        if let Some(helpful) = same {
            return helpful;
        }
        let helpful = Arc::new(self.who_helps(&lacking));
        let mut known = known();
        if known.len() < MOST_KNOWN {
            known.push((lacking, Arc::clone(&helpful)));
        }
        helpful
    }

    fn who_helps(&self, [send, receive]: &Lacking) -> Helpful {
        let mut helpful = Helpful::default();
        for (number, principal) in (0..).zip(&self.access.principals) {
            let Holding { surely, perhaps } = self.holding(number as usize);
            let has = |held: &Lacking| {
                let [held_send, held_receive] = held;
                (
                    !held_send.is_disjoint(send),
                    !held_receive.is_disjoint(receive),
                )
            };
            let (sure, open) = (has(surely), has(perhaps));
            if sure == (false, false) && open == (false, false) {
                continue;
            }
            helpful.send.add(number, sure.0, open.0);
            helpful.receive.add(number, sure.1, open.1);
            let (any, may_any) = (sure.0 || sure.1, open.0 || open.1);
            helpful.all.add(number, any, may_any);
            let [_, polled] = surely;
            let [_, may_be_polled] = perhaps;
            let is_polled = !polled.is_empty();
            helpful.polled.add(
                number,
                any && is_polled,
                is_polled || !may_be_polled.is_empty(),
            );
            if principal.is_administrator() {
                helpful.administrators.add(number, any, may_any);
            }
        }
        helpful
    }

    /// The statements by which the principal may go a way to one that it could take over, action by action.
    pub fn prove(&self, index: usize, takeover: &Takeover, target: usize) -> Vec<TakeoverStep> {
        let plan = self
            .plans
            .iter()
            .find(|plan| std::ptr::eq(plan.way, takeover.way));
        let (Some(principal), Some(role), Some(plan)) = (
            self.access.principals.get(index),
            self.access.principals.get(target),
            plan,
        ) else {
            return Vec::new();
        };
        let applicant = Applicant::new(self.access, principal, &self.actions);
        let mut proved = Vec::new();
        for caller in applicant.callers() {
            let Some((steps, when)) = self.prove_as(&applicant, plan, caller, (target, role))
            else {
                continue;
            };
            if when.is_always() {
                return steps;
            }
            if proved.is_empty() {
                proved = steps;
            }
        }
        proved
    }

    fn prove_as(
        &self,
        applicant: &Applicant<'_>,
        plan: &Plan,
        caller: Caller<'_>,
        (target, role): (usize, &Principal<'_>),
    ) -> Option<(Vec<TakeoverStep>, Formula)> {
        let mut steps = Vec::new();
        let mut passes = Formula::Always;
        if plan.way.passes_to().is_some() {
            let mut proofs = Vec::new();
            passes = applicant.when_passing(plan, caller, role, &mut |matched| {
                proofs.push(StepProof::of(&matched));
            });
            steps.push(TakeoverStep {
                action: PASS_ROLE,
                resource: role.arn.shared(),
                proofs: StepProof::once_each(proofs),
            });
        }
        let (call, changed) = match plan.way.over {
            Over::Running(kind) => {
                let members = &self.fleets.get(&kind)?.members;
                let of_role = members.iter().filter(|(_, index)| *index == target);
                let calls = of_role
                    .take(MOST_TRIED)
                    .map(|(arn, _)| (applicant.call(plan, caller, place_of(arn)), arn));
                let (call, arn) = surest(calls)?;
                (call, Some((arn, None)))
            }
            Over::User => {
                let call = applicant.call(plan, caller, place_of_user(role));
                (call, Some((role.arn, Some(role.tags))))
            }
            Over::Passed(_) | Over::InProfile => {
                let regions = applicant.regions(plan);
                (applicant.surest_call(plan, caller, &regions), None)
            }
        };
        if !call.when.is_satisfiable() {
            return None;
        }
        for about in &call.about {
            steps.push(TakeoverStep {
                action: plan.way.needs.get(about.need)?.action,
                resource: Arc::from(about.resource.as_str()),
                proofs: applicant.prove(plan, caller, changed, about),
            });
        }
        Some((steps, passes.and(call.when)))
    }
}

/// What runs as one role and is looked at to prove a way.
const MOST_TRIED: usize = 32;

fn surest<'m>(calls: impl Iterator<Item = (Call, &'m Arn)>) -> Option<(Call, &'m Arn)> {
    let mut best = None;
    for (call, arn) in calls {
        if call.when.is_always() {
            return Some((call, arn));
        }
        if best.is_none() && call.when.is_satisfiable() {
            best = Some((call, arn));
        }
    }
    best
}

/// Of ways with one name each target once, where it is surest; then the surest ways, in the order in which they are listed.
fn surest_of_each(mut found: Vec<(usize, Takeover)>) -> Vec<Takeover> {
    let unsureness = |one: &Takeover| (!one.is_sure(), !one.when.is_always());
    found.sort_by_key(|(place, takeover)| (unsureness(takeover), *place));
    let mut told: HashMap<&'static str, Numbers> = HashMap::new();
    let mut kept: Vec<Takeover> = Vec::new();
    for (_, mut takeover) in found {
        let told = told.entry(takeover.way.name()).or_default();
        takeover.targets -= &*told;
        if takeover.targets.is_empty() {
            continue;
        }
        *told |= &takeover.targets;
        let like = kept.iter_mut().find(|known| {
            std::ptr::eq(known.way, takeover.way)
                && known.when == takeover.when
                && known.rights_are_sure == takeover.rights_are_sure
        });
        match like {
            Some(known) => known.targets |= takeover.targets,
            None => kept.push(takeover),
        }
    }
    kept
}

impl Helpful {
    fn by(&self, gain: Gain) -> &Sureness {
        match gain {
            Gain::All => &self.all,
            Gain::Polled => &self.polled,
            Gain::Send => &self.send,
            Gain::Receive => &self.receive,
            Gain::Administrator => &self.administrators,
        }
    }
}

impl Sureness {
    fn add(&mut self, number: u32, surely: bool, perhaps: bool) {
        if surely {
            self.surely.insert(number);
        } else if perhaps {
            self.perhaps.insert(number);
        }
    }
}

impl Fleet<'_> {
    fn roles(&self, members: &Numbers) -> Numbers {
        let roles = members
            .iter()
            .filter_map(|number| self.members.get(number as usize));
        roles
            .filter_map(|(_, role)| u32::try_from(*role).ok())
            .collect()
    }
}

fn place_of(arn: &Arn) -> Place<'_> {
    Place {
        region: arn.region(),
        target: Some(arn),
        tags: None,
    }
}

fn place_of_user<'p>(user: &'p Principal<'_>) -> Place<'p> {
    Place {
        region: "",
        target: Some(user.arn),
        tags: Some(user.tags),
    }
}

fn fact_open(fact: &str) -> Formula {
    Formula::open(OpenReason::NotCollected, fact)
}

/// What has to hold where it is not known that something starts what runs, or manages it.
fn lacks_words(way: &Way) -> Formula {
    match way.beyond {
        Some(Beyond::Managed) => fact_open("the instance is managed by Systems Manager"),
        _ => fact_open("something starts it"),
    }
}

/// The functions and state machines that an enabled delivery starts.
fn started(access: &Access<'_>) -> HashSet<Arn> {
    let mut started = HashSet::new();
    for account in access.accounts {
        let mappings = account.event_source_mappings.iter();
        started.extend(
            mappings
                .filter(|mapping| mapping.enabled)
                .filter_map(|mapping| mapping.function_arn()),
        );
        let deliveries = account.deliveries.iter().filter(|one| one.enabled);
        started.extend(
            deliveries.map(|one| unqualified_function(&one.to).unwrap_or_else(|| one.to.clone())),
        );
    }
    started
}

/// The actions of ways that a document allows on something.
fn allowed_by(document: &Document, actions: &[Action]) -> Actions {
    let mut allowed = 0;
    for statement in document.readings.iter().flatten() {
        if statement.effect != Effect::Allow {
            continue;
        }
        for (place, action) in actions.iter().enumerate() {
            if allowed & bit(place) == 0 && statement.actions.contains(&action.lower) {
                allowed |= bit(place);
            }
        }
    }
    allowed
}

/// The members of an index that statements of the principal's own may allow an action on.
fn reach_of(applicant: &Applicant<'_>, action: usize, index: &QueueIndex<'_>) -> Numbers {
    let mut all = Numbers::new();
    for statement in applicant.identity(action) {
        if statement.effect == Effect::Allow {
            all |= whole(reached(index, statement, PolicyKind::Identity));
        }
    }
    all
}

/// The context in which a service assumes a role: for something in the role's account, which not every service tells.
struct ServiceKeys<'k> {
    request: RequestContext<'k>,
    account: &'k str,
}

impl ContextKeys for ServiceKeys<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        let maybe = |shape: Glob| {
            Lookup::Open(Domain {
                may_be_absent: true,
                shape: Some(shape),
                call: Some("sts"),
            })
        };
        match key {
            "aws:sourceaccount" => maybe(Glob::literal(self.account)),
            "aws:sourcearn" => maybe(Glob::new(&format!("arn:*:*:*:{}:*", self.account))),
            _ if key.starts_with("sts:") => Lookup::Absent,
            _ => self.request.lookup(key),
        }
    }
}
