//! A live AWS account, read into an [`Account`].
//!
//! Everything is read through the table of [`CALLS`], one file per AWS service. What cannot be read becomes a gap in the
//! coverage and the scan goes on; only what makes the whole scan pointless is a [`CollectError`]. Nothing is decided here, and
//! no secret is kept or logged.

mod apigateway;
mod around;
mod attributes;
mod autoscaling;
mod calls;
mod config_files;
mod credentials;
mod deliveries;
mod destinations;
pub mod doctor;
mod ec2;
mod ecs;
mod eks;
mod environment;
mod error;
mod eventbridge;
mod failure;
mod flow;
mod glue;
mod http;
mod iam;
mod identity;
mod integration;
mod iot;
mod journal;
mod kms;
mod lambda;
mod mfa;
mod move_tasks;
mod organizations;
mod pacing;
mod part;
mod pipes;
mod reader;
mod regional;
mod regions;
mod s3;
mod scheduler;
mod session;
mod sns;
mod sqs;
mod states;
mod states_language;
mod stop;
mod sts;
mod tags;
#[doc(hidden)]
pub mod untrusted;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use aws_types::SdkConfig;
use chrono::{DateTime, Utc};

pub use calls::{CALLS, Call, IfDenied};
pub use error::{Cause, CollectError};
pub(crate) use failure::{Failure, Kind as FailureKind};
pub(crate) use http::connector;
pub use journal::{JournalError, Keep, Resume};
pub use pacing::{InvalidRate, MaxRate, Pace, ServiceTraffic, Traffic};
pub(crate) use session::Session;
pub use stop::Stop;

use crate::account::{Account, Coverage, Encryption};
use crate::arn::{AccountId, Arn};
use journal::Journal;
use reader::{Reader, Run, Tally};
use regional::every_region;
use tags::{any_document_looks_at_tags, tag_queues};

/// Regions read at once.
const REGIONS_AT_ONCE: usize = 8;

/// What to collect, and with whose credentials.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The profile of the AWS config files; it outranks credentials in the environment.
    pub profile: Option<String>,
    /// The regions to scan; every enabled one when empty.
    pub regions: Vec<String>,
    /// Regions to leave out.
    pub exclude_regions: Vec<String>,
    /// Services to leave out.
    pub skip: BTreeSet<Skippable>,
    /// The endpoint of every service, in place of AWS.
    pub endpoint_url: Option<String>,
    /// The role to assume first.
    pub assume_role: Option<AssumeRole>,
    /// How fast AWS may be asked.
    pub pace: Pace,
    /// Ends the scan early.
    pub stop: Stop,
    /// Where what is read is kept while the scan goes on, so that another can go on with it.
    pub keep: Option<Keep>,
    /// For tests: a ready configuration, so that neither environment nor config files are read.
    #[doc(hidden)]
    pub sdk_config: Option<SdkConfig>,
}

/// A role to assume before scanning, as `sts:AssumeRole` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// The ARN of the role.
    pub role_arn: String,
    /// The external id that its trust policy asks for.
    pub external_id: Option<String>,
}

/// A service that a scan can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skippable {
    /// REST, HTTP and WebSocket APIs that send.
    ApiGateway,
    /// Auto Scaling groups with their launch templates and lifecycle hooks.
    AutoScaling,
    /// EC2 instances (regions are still asked for).
    Ec2,
    /// ECS task definitions and services.
    Ecs,
    /// EKS pod identity associations.
    Eks,
    /// EventBridge buses and rules.
    Events,
    /// Glue crawlers that poll queues.
    Glue,
    /// IoT rules that send.
    Iot,
    /// KMS keys that queues, topics and buckets are encrypted with.
    Kms,
    /// Lambda functions, event source mappings and destinations.
    Lambda,
    /// The organization and its control policies.
    Organizations,
    /// EventBridge pipes.
    Pipes,
    /// Notifications of S3 buckets.
    S3,
    /// EventBridge Scheduler schedules.
    Scheduler,
    /// SNS subscriptions and topics.
    Sns,
    /// Step Functions state machines.
    States,
}

/// A word that names no service that can be skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be skipped: {reason}; --skip takes {services}", reason = reason(.0), services = Skippable::listed())]
pub struct UnknownService(String);

fn reason(service: &str) -> &'static str {
    match service {
        "iam" | "sqs" => "without it there is nothing to audit",
        _ => "a scan does not read it",
    }
}

impl FromStr for Skippable {
    type Err = UnknownService;

    /// Reads a service in any letter case.
    fn from_str(word: &str) -> Result<Self, UnknownService> {
        Self::ALL
            .iter()
            .copied()
            .find(|service| service.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownService(word.to_owned()))
    }
}

impl Skippable {
    /// Every service that can be skipped, sorted by name.
    pub const ALL: &[Self] = &[
        Self::ApiGateway,
        Self::AutoScaling,
        Self::Ec2,
        Self::Ecs,
        Self::Eks,
        Self::Events,
        Self::Glue,
        Self::Iot,
        Self::Kms,
        Self::Lambda,
        Self::Organizations,
        Self::Pipes,
        Self::S3,
        Self::Scheduler,
        Self::Sns,
        Self::States,
    ];

    /// All of them in words: `a, b or c`.
    pub fn listed() -> String {
        let mut text = String::new();
        for (index, service) in Self::ALL.iter().enumerate() {
            text.push_str(match Self::ALL.len() - index {
                _ if index == 0 => "",
                1 => " or ",
                _ => ", ",
            });
            text.push_str(service.as_str());
        }
        text
    }

    /// The service namespace.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiGateway => "apigateway",
            Self::AutoScaling => "autoscaling",
            Self::Ec2 => "ec2",
            Self::Ecs => "ecs",
            Self::Eks => "eks",
            Self::Events => "events",
            Self::Glue => "glue",
            Self::Iot => "iot",
            Self::Kms => "kms",
            Self::Lambda => "lambda",
            Self::Organizations => "organizations",
            Self::Pipes => "pipes",
            Self::S3 => "s3",
            Self::Scheduler => "scheduler",
            Self::Sns => "sns",
            Self::States => "states",
        }
    }
}

/// A part of the work that progress is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unit<'a> {
    /// The service, or what of it is read.
    pub service: &'static str,
    /// The region; none for global services.
    pub region: Option<&'a str>,
}

/// Is told how the work goes, from several tasks at once. `()` ignores it.
pub trait Progress: Send + Sync {
    /// A unit begins.
    fn started(&self, _unit: Unit<'_>) {}
    /// A unit has so many items in all.
    fn known(&self, _unit: Unit<'_>, _total: usize) {}
    /// So many more items of a unit are done.
    fn advanced(&self, _unit: Unit<'_>, _by: usize) {}
    /// A unit is done, well or not.
    fn finished(&self, _unit: Unit<'_>) {}
    /// Something that whoever waits should know.
    fn told(&self, _words: &str) {}
    /// Nothing more is sent; this is what was.
    fn sent(&self, _traffic: &Traffic) {}
}

impl Progress for () {}

/// What every collector needs.
struct Scan<'a> {
    session: &'a Session,
    reader: &'a Reader<'a>,
    journal: Option<&'a Journal>,
    partition: String,
    account: AccountId,
}

impl Scan<'_> {
    /// The ARN of a resource of this account.
    fn arn(&self, service: &str, region: &str, resource: &str) -> Option<Arn> {
        Arn::build(
            &self.partition,
            service,
            region,
            self.account.as_str(),
            resource,
        )
        .ok()
    }
}

/// Reads the account that the credentials belong to.
///
/// # Errors
/// [`CollectError`] when the credentials, the regions or the network make every read pointless. A read that fails alone is a
/// gap in the account's coverage instead.
pub async fn collect(options: &Options, progress: &dyn Progress) -> Result<Account, CollectError> {
    // Boxed, as below: the state of all calls at once is large, and a caller may keep this future on a stack.
    let session = Box::pin(Session::open(options)).await?;
    let run = Run::new(progress, options.stop.clone());
    let account = Box::pin(read(options, &session, &run)).await;
    progress.sent(&session.traffic(&run.calls()));
    account
}

async fn read(
    options: &Options,
    session: &Session,
    run: &Run<'_>,
) -> Result<Account, CollectError> {
    let scanned_at = Utc::now();
    let reader = Reader::new(run);
    let caller = Box::pin(sts::caller(session, &reader)).await?;
    let scan = Scan {
        session,
        reader: &reader,
        journal: None,
        partition: caller.arn.partition().to_owned(),
        account: caller.account.clone(),
    };

    let (alias, regions) = tokio::join!(
        Box::pin(iam::alias(&scan)),
        Box::pin(choose_regions(&scan, options))
    );
    let regions = regions?;
    // Not before it is clear that there is something to keep.
    let journal = open_journal(options, &caller.account, scanned_at, run)?;
    let scan = Scan {
        journal: journal.as_ref(),
        ..scan
    };
    let organization = async {
        if options.skip.contains(&Skippable::Organizations) {
            return None;
        }
        let read = async |scan: &Scan<'_>| organizations::organization(scan).await;
        scan.part("organizations", None, &(), read).await
    };
    let identities = scan.part("iam", None, &(), async |scan| iam::identities(scan).await);
    let (identities, organization, found) = tokio::join!(
        Box::pin(identities),
        Box::pin(organization),
        Box::pin(every_region(&scan, &regions, options))
    );
    let mut account = Account {
        id: caller.account,
        alias,
        partition: scan.partition.clone(),
        regions,
        scanned_at,
        users: identities.users,
        groups: identities.groups,
        roles: identities.roles,
        policies: identities.policies,
        queues: found.queues,
        functions: found.functions,
        event_source_mappings: found.mappings,
        instances: found.instances,
        workloads: found.flow.workloads,
        deliveries: found.flow.deliveries,
        channels: Vec::new(),
        keys: found.keys,
        organization,
        coverage: Coverage::default(),
    };
    around::complete_paths(&mut account);
    if any_document_looks_at_tags(&account) {
        account.queues = Box::pin(tag_queues(&scan, account.queues)).await;
    }
    let flow = Box::pin(deliveries::deliveries(&scan, &account, options)).await;
    account.deliveries.extend(flow.deliveries);
    account.channels.extend(flow.channels);
    account.workloads.extend(flow.workloads);
    if !options.skip.contains(&Skippable::Lambda) {
        // After everything else that delivers.
        let invoked = destinations::invoked(&account);
        let read = async |scan: &Scan<'_>| destinations::policies(scan, invoked.clone()).await;
        let policies = scan.part("lambda policies", None, &invoked, read);
        let policies = Box::pin(policies).await;
        account.channels.extend(policies);
    }
    deliveries::drop_untouched_channels(&mut account);
    if !options.skip.contains(&Skippable::Kms) {
        let encrypted = account.channels.iter();
        let encrypted: BTreeMap<&Arn, &Encryption> = encrypted
            .map(|channel| (&channel.arn, &channel.encryption))
            .collect();
        // Keys that are known already, and those of regions that are not scanned, are not read for channels.
        let known: BTreeSet<&Arn> = account.keys.iter().map(|key| &key.arn).collect();
        let given = (&account.regions, known, encrypted);
        let read = async |scan: &Scan<'_>| kms::keys_of_channels(scan, &account).await;
        let keys = Box::pin(scan.part("kms of channels", None, &given, read)).await;
        account.keys.extend(keys);
    }

    check_anything_was_read(&run.tally(), session, caller.arn)?;
    account.coverage = reader.into_coverage();
    // Collecting began when the oldest part was read.
    let oldest = account.coverage.parts.iter().map(|part| part.read_at).min();
    account.scanned_at = oldest.map_or(scanned_at, |oldest| oldest.min(scanned_at));
    if let Some(problem) = journal.as_ref().and_then(Journal::problem) {
        run.progress().told(&problem);
    }
    account.coverage.skipped.extend(
        options
            .skip
            .iter()
            .map(|service| service.as_str().to_owned()),
    );
    account.sort();
    drop_duplicates(&mut account);
    Ok(account)
}

/// Opens the journal, where one is kept, and tells what is there already.
fn open_journal(
    options: &Options,
    account: &AccountId,
    now: DateTime<Utc>,
    run: &Run<'_>,
) -> Result<Option<Journal>, CollectError> {
    let Some(keep) = &options.keep else {
        return Ok(None);
    };
    let (journal, found) = Journal::open(keep, account, now)?;
    if let Some(words) = found.in_words() {
        run.progress().told(&words);
    }
    Ok(Some(journal))
}

async fn choose_regions(scan: &Scan<'_>, options: &Options) -> Result<Vec<String>, CollectError> {
    let base = scan.session.base_region();
    let known = match ec2::regions(scan.session, scan.reader).await {
        Ok(known) => Some(known),
        Err(failure) => {
            // Regions that were named do not depend on the list.
            if options.regions.is_empty() {
                scan.reader
                    .failed(&calls::DESCRIBE_REGIONS, Some(base), None, &failure);
            }
            None
        }
    };
    regions::choose(options, known.as_ref(), base)
}

fn check_anything_was_read(
    tally: &Tally,
    session: &Session,
    caller: Arn,
) -> Result<(), CollectError> {
    match (tally, &tally.last_unreachable) {
        (Tally { other: 1.., .. }, _) => Ok(()),
        (
            Tally {
                refused: 1..,
                unreachable: 0,
                ..
            },
            _,
        ) => Err(CollectError::NoPermission { caller }),
        (Tally { refused: 0, .. }, Some((service, region, cause))) => {
            Err(sts::unreachable_endpoint(
                session,
                service,
                region.as_deref().unwrap_or("global"),
                cause.clone(),
            ))
        }
        _ => Ok(()),
    }
}

/// A list that changes while it is paged through can name a thing twice.
fn drop_duplicates(account: &mut Account) {
    account.users.dedup_by(|a, b| a.arn == b.arn);
    account.groups.dedup_by(|a, b| a.arn == b.arn);
    account.roles.dedup_by(|a, b| a.arn == b.arn);
    account.policies.dedup_by(|a, b| a.arn == b.arn);
    account.queues.dedup_by(|a, b| a.arn == b.arn);
    account.functions.dedup_by(|a, b| a.arn == b.arn);
    account.event_source_mappings.dedup_by(|a, b| a.id == b.id);
    account.instances.dedup_by(|a, b| a.arn == b.arn);
    account.workloads.dedup();
    account.deliveries.dedup();
    account.channels.dedup_by(|a, b| a.arn == b.arn);
    account.keys.dedup_by(|a, b| a.arn == b.arn);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_in_the_table_once() {
        let names: BTreeSet<_> = CALLS
            .iter()
            .map(|call| (call.service, call.operation))
            .collect();
        assert_eq!(names.len(), CALLS.len());
        for call in CALLS {
            if let Some(action) = call.iam_action {
                assert!(
                    action.starts_with(&format!("{}:", call.service)),
                    "{action}"
                );
            }
        }
    }
}
