//! What runs already, and what of it a principal may change or enter.

use std::collections::{BTreeMap, HashSet};

use super::super::Access;
use super::super::context::Caller;
use super::super::index::QueueIndex;
use super::super::parts::{cut, cuts};
use super::applicant::{Applicant, Call};
use super::plan::{Action, Plan};
use super::way::{Beyond, Way};
use super::{Numbers, Parted, TakeoverFinder, fact_open, place_of, reach_of, statements_of};
use crate::account::{EventSourceMapping, unqualified_function};
use crate::arn::Arn;
use crate::entity::Kind;
use crate::policy::Formula;

/// What runs already and is of one kind.
pub(super) struct Fleet<'a> {
    pub(super) index: QueueIndex<'a>,
    /// For each the ARN and the index of its role.
    pub(super) members: Vec<(Arn, usize)>,
    /// For each a number that is equal for those of one account and region, and of one cluster.
    pub(super) likenesses: Vec<u32>,
    /// Those that a delivery starts, or that Systems Manager surely manages.
    pub(super) ready: Numbers,
}

impl<'a> TakeoverFinder<'a> {
    /// The roles of what runs and the principal may change.
    pub(super) fn over_running(
        &self,
        applicant: &Applicant<'_>,
        plan: &Plan,
        caller: Caller<'_>,
        kind: Kind,
        wanted: &Numbers,
    ) -> Vec<(Numbers, Formula)> {
        let Some(fleet) = self.fleets.get(&kind) else {
            return Vec::new();
        };
        let key = Parted {
            account: applicant.principal.account,
            plan: Some(std::ptr::from_ref(plan).addr()),
            statements: applicant.addresses(&plan.needs),
        };
        let parts = self
            .parted
            .of(key, |_| running_parts(applicant, plan, fleet).into());
        let mut found: Vec<(Numbers, Formula)> = Vec::new();
        for part in &*parts {
            let Some((arn, _)) = part
                .min()
                .and_then(|number| fleet.members.get(number as usize))
            else {
                continue;
            };
            if fleet.roles(part).is_disjoint(wanted) {
                continue;
            }
            let Call { when, .. } = applicant.call(plan, caller, place_of(arn));
            if !when.is_satisfiable() {
                continue;
            }
            let (ready, others) = match plan.way.beyond {
                Some(Beyond::Started | Beyond::Managed) => {
                    (part & &fleet.ready, part - &fleet.ready)
                }
                _ => (part.clone(), Numbers::new()),
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

    pub(super) fn fleet(&self, kind: Kind) -> Fleet<'a> {
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
        let mut known: BTreeMap<(&str, &str, &str), u32> = BTreeMap::new();
        let likenesses = members
            .iter()
            .map(|(_, arn, _)| {
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                let cluster = match kind {
                    Kind::EcsService => arn.resource().split('/').nth(1).unwrap_or_default(),
                    _ => "",
                };
                let likeness = (arn.account(), arn.region(), cluster);
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
            index: QueueIndex::new(&members.iter().map(|(text, ..)| *text).collect::<Vec<_>>()),
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
            about: vec![Some("ec2")],
        }];
        let applicant = Applicant::new(self.access, role, &actions);
        applicant
            .when_plainly(0, Caller::Role(role), instance)
            .is_always()
    }
}

/// What runs and the principal may change, in parts on which it fares alike.
fn running_parts(applicant: &Applicant<'_>, plan: &Plan, fleet: &Fleet<'_>) -> Vec<Numbers> {
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
    let statements = statements_of(applicant, plan);
    let (cuts, singles) = if plan.way.needs.iter().any(|need| is_about_target(need.on)) {
        cuts(&fleet.index, &statements)
    } else {
        // What is asked about a cluster or its tasks is the same for all services there.
        (Vec::new(), Numbers::new())
    };
    cut(&domain, &fleet.likenesses, &cuts, &singles)
}

impl Fleet<'_> {
    pub(super) fn roles(&self, members: &Numbers) -> Numbers {
        let roles = members
            .iter()
            .filter_map(|number| self.members.get(number as usize));
        roles
            .filter_map(|(_, role)| u32::try_from(*role).ok())
            .collect()
    }
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
                .filter_map(EventSourceMapping::function_arn),
        );
        let deliveries = account.deliveries.iter().filter(|one| one.enabled);
        started.extend(
            deliveries.map(|one| unqualified_function(&one.to).unwrap_or_else(|| one.to.clone())),
        );
    }
    started
}
