//! What a scan would be able to read with the credentials at hand, found out by the smallest calls that tell.
//!
//! Only operations of the table of [`CALLS`](super::CALLS) are called, each of them once, in one region, a few at a time; but for
//! the list of queues, which every region to be scanned is asked for. What an answer does not tell is unknown or untried here, and
//! never allowed.

mod clock;
mod credentials;
mod network;
mod probes;
mod regions;

use std::sync::{Mutex, PoisonError};

use aws_sdk_sts::config::Builder;
use chrono::{DateTime, Utc};

use super::calls::{Call, DESCRIBE_REGIONS, IfDenied, LIST_QUEUES};
use super::error::CollectError;
use super::reader::{Reader, Run};
use super::session::Session;
use super::{Options, Scan, ec2, regions as choice, sts};
use crate::account::GapEffect;
use crate::arn::{AccountId, Arn};

pub use clock::Clock;
pub use credentials::Held;
pub use network::{Network, Setting};
pub use regions::{Answering, AskedRegion};

/// Attempts of a call: what does not answer twice is worth saying, not waiting for.
const ATTEMPTS: u32 = 2;

/// What was found out.
#[derive(Debug)]
pub struct Examination {
    /// When it began.
    pub examined_at: DateTime<Utc>,
    /// The credentials.
    pub credentials: Held,
    /// How the clock of this machine goes; none when no answer told the time.
    pub clock: Option<Clock>,
    /// Where calls go, and by which way.
    pub network: Network,
    /// Whose credentials these are; none when AWS did not say.
    pub caller: Option<Identity>,
    /// Why nothing else could be found out.
    pub stopped: Option<CollectError>,
    /// Every region that the account has enabled or that was named, sorted.
    pub regions: Vec<AskedRegion>,
    /// The region that permissions of regional services were asked for in.
    pub asked_in: Option<String>,
    /// Every operation of the table, in its order.
    pub permissions: Vec<Permission>,
}

/// Who makes the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user, or the session of the role.
    pub arn: Arn,
    /// The account that would be scanned.
    pub account: AccountId,
}

/// What is known of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The operation.
    pub call: &'static Call,
    /// Where it was asked; none for global services.
    pub region: Option<String>,
    /// What came of it.
    pub standing: Standing,
    /// What a scan becomes without it.
    pub effect: IfDenied,
}

/// What the answer to a probe says of the permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    Allowed,
    /// AWS refused for lack of it.
    Denied {
        /// The error code.
        code: String,
        /// What the question was about, where it was about something of the account.
        on: Option<String>,
    },
    /// The answer does not tell.
    Unknown {
        /// What came instead, as a clause.
        why: String,
    },
    /// There was nothing to ask it with where it was asked; or it was left out on request.
    Untried {
        /// What is not there, as a clause.
        why: String,
    },
}

impl Permission {
    /// Whether a scan might miss findings by it.
    pub fn hides(&self) -> bool {
        let fails = matches!(
            self.standing,
            Standing::Denied { .. } | Standing::Unknown { .. }
        );
        fails && self.effect == IfDenied::Gap(GapEffect::MayHide)
    }

    fn is_denied(&self) -> bool {
        matches!(self.standing, Standing::Denied { .. })
    }
}

impl Examination {
    /// Whether a scan would be complete, as far as can be told.
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none()
            && !self.permissions.iter().any(Permission::hides)
            && self.regions.iter().all(AskedRegion::is_readable)
    }

    /// Whether that a scan would be incomplete is known, and not only that it may be.
    pub fn is_surely_incomplete(&self) -> bool {
        let mut hiding = self.permissions.iter().filter(|one| one.hides());
        hiding.any(Permission::is_denied) || !self.regions.iter().all(AskedRegion::is_readable)
    }
}

/// Examines credentials, clock, network, regions and permissions.
///
/// # Errors
/// [`CollectError`] when there are no credentials to begin with, or the regions asked for make no sense. What fails later is
/// part of what is found out.
pub async fn examine(options: &Options) -> Result<Examination, CollectError> {
    let examined_at = Utc::now();
    let session = Box::pin(Session::open(options)).await?;
    let (session, credentials) = Box::pin(credentials::held(session, options)).await?;
    let run = Run::new(&(), options.stop.clone());
    let reader = Reader::new(&run);
    let time_of_answer = clock::TimeOfAnswer::default();
    let client = aws_sdk_sts::Client::from_conf(
        Builder::from(session.global())
            .interceptor(time_of_answer.clone())
            .build(),
    );
    let caller = Box::pin(sts::caller_through(&client, &session, &reader)).await;
    let mut found = Examination {
        examined_at,
        credentials,
        clock: time_of_answer.read(),
        network: Network::of(&session, options),
        caller: None,
        stopped: None,
        regions: Vec::new(),
        asked_in: None,
        permissions: Vec::new(),
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => {
            found.stopped = Some(error);
            return Ok(found);
        }
    };
    found.credentials.completed_by(&caller.arn);
    found.caller = Some(Identity {
        arn: caller.arn.clone(),
        account: caller.account.clone(),
    });
    let scan = Scan {
        session: &session,
        reader: &reader,
        journal: None,
        partition: caller.arn.partition().to_owned(),
        account: caller.account,
    };

    let known = Box::pin(ec2::regions(&session, &reader)).await;
    let base = session.base_region();
    let chosen = choice::choose(options, known.as_ref().ok(), base)?;
    let (asked, queue) = Box::pin(regions::ask(&scan, known.as_ref().ok(), &chosen)).await;
    let region = regions::for_probes(&asked, queue.as_ref(), base);
    let ground = Ground {
        scan: &scan,
        options,
        listed: regions::standing_of_listing(&asked),
        enabled: probes::standing(known.map(|_| ()), &[]),
        region,
        queue,
        found: Mutex::default(),
    };
    found.permissions = Box::pin(probes::every(&ground)).await;
    found.regions = asked;
    found.asked_in = Some(ground.region);
    Ok(found)
}

/// What probes ask with.
struct Ground<'a> {
    scan: &'a Scan<'a>,
    options: &'a Options,
    /// The region that regional services are asked in.
    region: String,
    /// A queue of that region.
    queue: Option<regions::FoundQueue>,
    /// What the list of queues and of regions told of their own permissions.
    listed: Standing,
    enabled: Standing,
    /// What lists named that other calls can ask about.
    found: Mutex<Named>,
}

/// One of each, where there is one.
#[derive(Debug, Clone, Default)]
struct Named {
    key: Option<String>,
    bucket: Option<Bucket>,
    topic_rule: Option<String>,
    task_family: Option<String>,
    without_organization: bool,
}

#[derive(Debug, Clone)]
struct Bucket {
    name: String,
    region: Option<String>,
}

impl Ground<'_> {
    fn named(&self) -> Named {
        self.found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn name(&self, change: impl FnOnce(&mut Named)) {
        change(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The effect of an operation that fails in this run: regions that were named do not depend on the list of regions.
    fn effect(&self, call: &Call) -> IfDenied {
        if *call == DESCRIBE_REGIONS && !self.options.regions.is_empty() {
            return IfDenied::Note;
        }
        call.if_denied
    }

    /// Where an operation is asked; none for global services.
    fn region_of(&self, call: &Call) -> Option<String> {
        match call.service {
            "iam" | "organizations" | "s3" => None,
            "sts" => Some(self.scan.session.base_region().to_owned()),
            _ if *call == DESCRIBE_REGIONS => Some(self.scan.session.base_region().to_owned()),
            // Every region to be scanned was asked; a refusal says in which.
            _ if *call == LIST_QUEUES => None,
            _ => Some(self.region.clone()),
        }
    }
}
