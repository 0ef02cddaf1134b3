//! An account that looks like a real one, at any size: the same seed gives the same account.
//!
//! What stands here is shared by the example that writes it to a file, by the benches that measure on it and by the tests
//! that keep it honest; each includes this file by its path. It is no part of the library, which has no use for it and
//! would then hold code that no user of the binary runs.
//!
//! Every number grows with the size that is asked for, so that an account ten times as large holds ten times as much of
//! everything: services, teams' queues, shared policies, keys. Only what a company has once stays: its organization, its
//! teams, the managed policies that everyone attaches. How often something occurs stands beside the place where it is
//! drawn; what a role may do is drawn in `roles`, who a queue's own policy names in `queues`.

mod channels;
mod document;
mod hostile;
mod landscape;
mod managed;
mod organization;
mod people;
mod queues;
mod random;
mod roles;
mod workloads;

use std::fmt;

use chrono::{TimeZone, Utc};
use patscan::account::{Account, Coverage};
use patscan::arn::{AccountId, Arn};

use self::landscape::Landscape;

const ACCOUNT: &str = "111122223333";
const MANAGEMENT: &str = "999988887777";
const PARTNER: &str = "444455556666";
const ORGANIZATION: &str = "o-a1b2c3d4e5";
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// How much of what an account shall have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) roles: usize,
    pub(crate) users: usize,
    pub(crate) queues: usize,
    pub(crate) functions: usize,
    /// Topics, buckets and rules, with what they deliver.
    pub(crate) channels: usize,
    /// Another seed gives another account.
    pub(crate) seed: u64,
    /// Whether somebody wants an audit of it never to end.
    pub(crate) hostile: bool,
}

/// A generated account, and what is known of it.
pub(crate) struct Generated {
    pub(crate) account: Account,
    /// The roles that were given both sides of one queue by literal ARN, with nothing in the way: each is a feedback loop,
    /// certain or conditional. Broader grants give more loops.
    pub(crate) narrow_loops: Vec<Arn>,
    /// A queue, topic or bucket of each way round over several that was put in.
    pub(crate) cycles: Vec<Arn>,
}

/// Makes an account.
pub(crate) fn generate(size: &Size) -> Generated {
    let land = Landscape::new(size);
    let mut shelf = managed::Shelf::new(&land);
    let mut roles = roles::roles(&land, size.roles, &mut shelf);
    let users = people::users(&land, size.users);
    let groups = people::groups(&land);
    let mut queues = queues::queues(&land, &roles);
    let keys = queues::keys(&land, &roles);
    let workloads = workloads::workloads(&land, size.functions, &roles);
    workloads::let_failures_through(&land, &workloads.functions, &mut roles);
    let channels = channels::channels(
        size.channels,
        &mut channels::Surroundings {
            land: &land,
            roles: &mut roles,
            queues: &mut queues,
            functions: &workloads.functions,
            mappings: &workloads.mappings,
        },
    );
    let mut narrow_loops: Vec<Arn> = roles
        .iter()
        .filter(|planned| planned.is_narrow_loop)
        .map(|planned| planned.role.arn.clone())
        .collect();
    narrow_loops.sort();
    let mut account = Account {
        id: account_id(ACCOUNT),
        alias: Some("generated".to_owned()),
        partition: "aws".to_owned(),
        regions: REGIONS.map(str::to_owned).into(),
        scanned_at: Utc
            .with_ymd_and_hms(2026, 11, 1, 8, 0, 0)
            .earliest()
            .unwrap_or_default(),
        users,
        groups,
        roles: roles
            .into_iter()
            .map(|planned| planned.role)
            .chain(channels.roles)
            .collect(),
        policies: shelf.into_policies(),
        queues,
        functions: workloads.functions,
        event_source_mappings: workloads.mappings,
        instances: workloads.instances,
        workloads: channels.workloads,
        deliveries: channels.deliveries,
        channels: channels.channels,
        keys,
        organization: Some(organization::organization()),
        coverage: Coverage::default(),
    };
    account.sort();
    if size.hostile {
        hostile::make_hostile(&mut account, size.seed);
    }
    Generated {
        account,
        narrow_loops,
        cycles: channels.cycles,
    }
}

#[expect(clippy::expect_used, reason = "the ids are constants")]
fn account_id(digits: &str) -> AccountId {
    digits.parse().expect("twelve digits")
}

/// The ARN of something in the account; IAM has no region.
#[expect(clippy::expect_used, reason = "the parts are written here")]
fn arn(service: &str, region: &str, resource: &str) -> Arn {
    Arn::build("aws", service, region, ACCOUNT, resource).expect("parts without colons")
}

impl fmt::Display for Generated {
    /// How many of what there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = &self.account;
        let with_policy = account
            .queues
            .iter()
            .filter_map(|queue| queue.attributes.as_ref())
            .filter(|attributes| attributes.policy.is_some())
            .count();
        let bounded = account
            .roles
            .iter()
            .filter(|role| role.boundary.is_some())
            .count();
        for (count, what) in [
            (account.roles.len(), "roles"),
            (bounded, "of them with a permissions boundary"),
            (account.users.len(), "users"),
            (account.groups.len(), "groups"),
            (account.policies.len(), "managed policies"),
            (account.queues.len(), "queues"),
            (with_policy, "of them with a policy"),
            (account.keys.len(), "keys"),
            (account.functions.len(), "functions"),
            (account.event_source_mappings.len(), "event source mappings"),
            (account.instances.len(), "instances"),
            (
                account.channels.len(),
                "topics, buckets, buses and functions with a policy",
            ),
            (account.deliveries.len(), "deliveries"),
            (
                self.cycles.len(),
                "ways back to where messages came from, over several queues or channels",
            ),
            (
                self.narrow_loops.len(),
                "roles that send to and receive from one queue of their own: feedback loops to be found, beside those of broader grants",
            ),
        ] {
            writeln!(f, "{count:>7} {what}")?;
        }
        Ok(())
    }
}
