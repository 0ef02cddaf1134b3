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
mod fleet;
mod help;
mod plan;
mod proof;
mod standing;
mod trust;
mod way;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

pub use proof::TakeoverStep;
pub use way::Way;

use self::applicant::{Applicant, Call, Place};
use self::fleet::Fleet;
use self::help::Help;
use self::plan::{Action, Actions, Plan, allowed_by, by_service, plans};
use self::way::{Beyond, Over, PASS_ROLE, WAYS};
use super::Access;
use super::context::Caller;
use super::documents::ByDocument;
use super::index::{QueueIndex, QueueSet};
use super::parts::{cut, cuts, reached, whole};
use super::principal::Principal;
use super::self_grant::SelfGranter;
use crate::account::Tag;
use crate::arn::Arn;
use crate::entity::Kind;
use crate::memo::Memo;
use crate::policy::{Effect, Formula, OpenReason, PolicyKind, Statement};

/// Numbers of principals, or of what runs.
type Numbers = QueueSet;

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

/// Finds out whom principals could act as.
pub struct TakeoverFinder<'a> {
    access: &'a Access<'a>,
    granter: SelfGranter<'a>,
    /// Every action of a way, each once.
    actions: Vec<Action>,
    plans: Vec<Plan>,
    /// The actions that each document allows on something.
    allowed: ByDocument<Actions>,
    /// Which users and roles a pattern reaches.
    roster: QueueIndex<'a>,
    /// The roles that stand in an instance profile.
    in_profile: Numbers,
    /// The principals of each account.
    by_account: Vec<Numbers>,
    fleets: BTreeMap<Kind, Fleet<'a>>,
    /// For each service the roles that trust it, by when they do.
    trusting: BTreeMap<&'static str, OnceLock<Vec<(Numbers, Formula)>>>,
    /// What everybody has and lacks, once it was asked for.
    help: OnceLock<Help>,
    /// The parts into which statements cut what they are about: many carry the same statements.
    parted: Memo<Parted, Arc<[Numbers]>>,
}

/// What tells into which parts statements cut what they are about.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Parted {
    /// The account of the principal.
    account: usize,
    /// The way whose running things are cut, by address; none for the roles that may be passed.
    plan: Option<usize>,
    /// The statements that have a say, by address and layer.
    statements: Vec<usize>,
}

impl Access<'_> {
    /// What finds out whom principals could act as.
    pub fn takeover_finder(&self) -> TakeoverFinder<'_> {
        TakeoverFinder::new(self)
    }
}

impl<'a> TakeoverFinder<'a> {
    fn new(access: &'a Access<'a>) -> Self {
        let (actions, plans) = plans();
        let by_service = by_service(&actions);
        let allowed = access.by_document(|document| allowed_by(document, &actions, &by_service));
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
            roster: QueueIndex::new(&arns.collect::<Vec<_>>()),
            in_profile,
            fleets: BTreeMap::new(),
            trusting: passed_to
                .map(|service| (service, OnceLock::new()))
                .collect(),
            help: OnceLock::new(),
            parted: Memo::default(),
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
            all | self.allowed.get(&policy.document).copied().unwrap_or(0)
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
        let Some(lacking) = self.lacks(index) else {
            return Vec::new();
        };
        let helpful = self.helpful(lacking);
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
                    Over::Running(kind) => {
                        self.over_running(&applicant, plan, caller, kind, &wanted)
                    }
                    Over::User => self.over_users(&applicant, plan, caller, &wanted),
                    Over::Passed(_) | Over::InProfile => {
                        let service = plan.way.passes_to().unwrap_or_default();
                        let roles = passing
                            .entry((service, number))
                            .or_insert_with(|| self.passed(&applicant, plan, caller, service));
                        // What it takes besides is asked only where a role that helps may be passed: under many statements it
                        // may be called many things.
                        if roles.iter().all(|(roles, _)| roles.is_disjoint(&wanted)) {
                            continue;
                        }
                        let Call { when, .. } =
                            applicant.surest_call(plan, caller, &applicant.regions(plan));
                        if !when.is_satisfiable() {
                            continue;
                        }
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
        // Whatever the service, the same statements cut the roles into those that fare alike.
        let statements = applicant.statements(pass_role);
        let key = Parted {
            account: applicant.principal.account,
            plan: None,
            statements: applicant.addresses(&[pass_role]),
        };
        let parts = self.parted.of(key, |_| {
            let mut domain = reach_of(applicant, pass_role, &self.roster);
            // A role of another account cannot be passed.
            if let Some(of_account) = self.by_account.get(applicant.principal.account) {
                domain &= of_account;
            }
            let (cuts, singles) = cuts(&self.roster, &statements);
            let numbers = self.numbers_of_tags(&domain, &statements);
            cut(&domain, &numbers, &cuts, &singles).into()
        });
        let mut found = Vec::new();
        for (trusting, trusts) in self.trusting(service) {
            for part in &*parts {
                let part = part & trusting;
                let Some(role) = self.first(&part) else {
                    continue;
                };
                let when = applicant.when_passing(plan, caller, role, None);
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
        let statements = statements_of(applicant, plan);
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

/// Every statement that has a say about an action of a way.
fn statements_of<'s>(
    applicant: &'s Applicant<'_>,
    plan: &Plan,
) -> Vec<(&'s Statement, PolicyKind)> {
    let actions: BTreeSet<usize> = plan.needs.iter().copied().collect();
    actions
        .into_iter()
        .flat_map(|action| applicant.statements(action))
        .collect()
}
