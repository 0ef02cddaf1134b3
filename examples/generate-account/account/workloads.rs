//! What runs as the roles: functions, most with a role of their own, instances, and the polling of queues.

use std::collections::{BTreeMap, BTreeSet};

use patscan::account::{EventSourceMapping, Function, InlinePolicy, Instance};
use patscan::arn::Arn;

use super::document::{Statement, text};
use super::landscape::Landscape;
use super::roles::{PlannedRole, Trusted};
use super::{REGIONS, arn};

/// Functions in a thousand whose role may not send to their dead-letter queue.
const FORGOTTEN: usize = 10;

#[derive(Default)]
pub(super) struct Workloads {
    pub(super) functions: Vec<Function>,
    pub(super) mappings: Vec<EventSourceMapping>,
    pub(super) instances: Vec<Instance>,
}

pub(super) fn workloads(land: &Landscape, functions: usize, roles: &[PlannedRole]) -> Workloads {
    let mut workloads = Workloads::default();
    let for_functions: Vec<&PlannedRole> = trusting(roles, Trusted::Functions).collect();
    for number in 0..functions {
        workloads.add_function(land, number, &for_functions);
    }
    for (number, planned) in trusting(roles, Trusted::Instances).enumerate() {
        workloads.add_instances(land, number, planned);
    }
    workloads
}

/// Lets functions send what they failed on to their dead-letter queues, but for a few where that was forgotten, and where the
/// role takes from such queues: it would feed itself.
pub(super) fn let_failures_through(
    land: &Landscape,
    functions: &[Function],
    roles: &mut [PlannedRole],
) {
    let mut targets: BTreeMap<&Arn, BTreeSet<&str>> = BTreeMap::new();
    for (number, function) in functions.iter().enumerate() {
        if let Some(target) = &function.dead_letter_target
            && !land.random("failures", number).chance(FORGOTTEN)
        {
            targets
                .entry(&function.role)
                .or_default()
                .insert(target.as_str());
        }
    }
    let encrypted = land.queues.iter().filter_map(|queue| {
        let key = land.keys.get(queue.key?)?;
        Some((queue.arn.as_str(), key.as_str()))
    });
    let keys: BTreeMap<&str, &str> = encrypted.collect();
    for planned in roles {
        let takes_failures = |policy: &InlinePolicy| policy.name == "dead-letters";
        if planned.role.inline.iter().any(takes_failures) {
            continue;
        }
        if let Some(targets) = targets.get(&planned.role.arn) {
            let keys: BTreeSet<&str> = targets
                .iter()
                .filter_map(|target| keys.get(target).copied())
                .collect();
            let targets: Vec<&str> = targets.iter().copied().collect();
            let mut statements = vec![Statement::allow(&["sqs:SendMessage"]).on(&targets)];
            if !keys.is_empty() {
                let keys: Vec<&str> = keys.into_iter().collect();
                statements
                    .push(Statement::allow(&["kms:GenerateDataKey", "kms:Decrypt"]).on(&keys));
            }
            planned.role.inline.push(InlinePolicy {
                name: "failures".to_owned(),
                document: text(&statements),
            });
        }
    }
}

fn trusting(roles: &[PlannedRole], trusted: Trusted) -> impl Iterator<Item = &PlannedRole> {
    roles
        .iter()
        .filter(move |planned| planned.trusted == trusted)
}

impl Workloads {
    /// A function with the role of its number; one in ten shares one of the first roles with others. A role that is missing
    /// was deleted: the function stays.
    fn add_function(&mut self, land: &Landscape, number: usize, roles: &[&PlannedRole]) {
        let mut random = land.random("function", number);
        let shared = roles.len().div_ceil(20);
        let place = if random.chance(100) {
            random.below(shared)
        } else {
            number % roles.len().max(1)
        };
        let planned = roles.get(place);
        let role = planned.map_or_else(
            || arn("iam", "", "role/deleted"),
            |planned| planned.role.arn.clone(),
        );
        let consumed = planned
            .and_then(|planned| planned.consumes)
            .and_then(|queue| land.queues.get(queue));
        let region = consumed.map_or(REGIONS[0], |queue| queue.arn.region());
        let function = arn(
            "lambda",
            region,
            &format!("function:{}-{number}", role.name()),
        );
        if let Some(queue) = consumed
            && random.chance(850)
        {
            self.mappings.push(EventSourceMapping {
                id: random.uuid(),
                source: queue.arn.clone(),
                function: function.clone(),
                enabled: random.chance(950),
            });
        }
        let target = random.below(land.queues.len());
        let dead_letter_target: Option<Arn> = land
            .queues
            .get(target)
            .filter(|queue| queue.is_dead_letters && queue.arn.region() == region)
            .map(|queue| queue.arn.clone());
        self.functions.push(Function {
            arn: function,
            role,
            dead_letter_target,
        });
    }

    /// One to three instances with the role's profile, and now and then one without any.
    fn add_instances(&mut self, land: &Landscape, number: usize, planned: &PlannedRole) {
        let mut random = land.random("instance", number);
        let profile = planned.role.instance_profiles.first();
        for _ in 0..=random.below(3) {
            self.instances.push(Instance {
                arn: arn(
                    "ec2",
                    random.pick(&REGIONS),
                    &format!("instance/i-0{}", random.hex(16)),
                ),
                instance_profile: profile.filter(|_| !random.chance(30)).cloned(),
            });
        }
    }
}
