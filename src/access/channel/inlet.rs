//! Where something can be put that AWS moves on: topics, buses, buckets, streams of Kinesis, functions, state machines, each with the action that
//! puts it there and the policy that guards it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::decide::Policy;
use super::super::key::Lock;
use crate::account::{Account, Filter};
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::policy::{
    Document, Effect, PolicyKind, PrincipalEntry, Reach, ResourcePattern, Statement,
};

pub(super) const INVOKE: &str = "lambda:invokefunction";
pub(super) const PUBLISH: &str = "sns:publish";
pub(super) const PUT_ACL: &str = "s3:putobjectacl";
pub(super) const PUT_EVENTS: &str = "events:putevents";
pub(super) const PUT_OBJECT: &str = "s3:putobject";
pub(super) const PUT_RECORD: &str = "kinesis:putrecord";
pub(super) const PUT_RECORDS: &str = "kinesis:putrecords";
pub(super) const PUT_TAGS: &str = "s3:putobjecttagging";
pub(super) const START: &str = "states:startexecution";
pub(super) const START_SYNC: &str = "states:startsyncexecution";

/// Every action that puts something into an inlet, in lower case.
pub(super) const ACTIONS: [&str; 10] = [
    INVOKE,
    PUBLISH,
    PUT_ACL,
    PUT_EVENTS,
    PUT_OBJECT,
    PUT_RECORD,
    PUT_RECORDS,
    PUT_TAGS,
    START,
    START_SYNC,
];

/// What an object key begins and ends with, for a delivery to take it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Keys {
    prefix: String,
    suffix: String,
}

impl Keys {
    pub(super) fn of(filter: &Filter) -> Self {
        Self {
            prefix: filter.prefix.clone().unwrap_or_default(),
            suffix: filter.suffix.clone().unwrap_or_default(),
        }
    }

    fn take(&self, key: &str) -> bool {
        key.len() >= self.prefix.len().max(self.suffix.len())
            && key.starts_with(&self.prefix)
            && key.ends_with(&self.suffix)
    }
}

/// What tells one inlet from another: a bucket is one for each action and each sort of key that some delivery takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct InletId {
    /// Of a function with the version or alias that a delivery names: each has a policy of its own.
    pub(super) arn: Arn,
    pub(super) action: &'static str,
    pub(super) keys: Keys,
}

/// A thing that something can be put into.
#[derive(Debug)]
pub struct Inlet {
    /// The topic, bus, bucket, stream, function or state machine.
    pub entity: Entity,
    /// The workload that starts with what is put in: the function or state machine itself.
    pub leads_to: Option<Place>,
    pub(super) id: InletId,
    /// The account that it belongs to.
    pub(super) owner: String,
    /// That account's index, when it is audited.
    pub(super) account: Option<usize>,
    /// Its resource policy, when it has one; unreadable when it is not known.
    pub(super) policy: Option<Policy>,
    /// Whether it was asked for a policy at all.
    pub(super) collected: bool,
    /// What encrypts what is put in.
    pub(super) lock: Lock,
    /// What a request to put something in can be about, whatever statements say; of a bucket one object.
    pub(super) plain: Vec<String>,
}

impl InletId {
    /// What a request to put something in can be about: of a bucket one object of any, and of a function also a version, unless a
    /// delivery names one.
    pub(super) fn plain(&self) -> Vec<String> {
        let arn = self.arn.as_str();
        match kind(&self.arn) {
            Kind::Bucket => {
                let Keys { prefix, suffix } = &self.keys;
                vec![format!("{arn}/{prefix}object{suffix}")]
            }
            Kind::Function if self.arn.resource().matches(':').count() == 1 => {
                vec![arn.to_owned(), format!("{arn}:$LATEST")]
            }
            _ => vec![arn.to_owned()],
        }
    }
}

/// A workload by its role and its place among what runs as it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The index of the role.
    pub principal: usize,
    /// The place among its workloads.
    pub workload: usize,
}

/// Whom a resource policy allows something, besides services.
#[derive(Debug, Default)]
pub(super) struct Guests {
    /// Everyone, or everyone but some.
    pub(super) anyone: bool,
    /// Users and roles of these accounts and names.
    pub(super) named: BTreeSet<(Kind, String, String)>,
    /// Those of these unique ids.
    pub(super) ids: BTreeSet<String>,
}

impl Inlet {
    /// What putting something in is called.
    pub fn word(&self) -> &'static str {
        match self.id.action {
            PUBLISH => "publish",
            PUT_EVENTS => "put-events",
            PUT_OBJECT | PUT_TAGS | PUT_ACL => "put-object",
            PUT_RECORD | PUT_RECORDS => "put-record",
            START | START_SYNC => "start",
            _ => "invoke",
        }
    }

    /// The action that puts something in, as AWS writes it.
    pub fn action(&self) -> &'static str {
        match self.id.action {
            PUBLISH => "sns:Publish",
            PUT_EVENTS => "events:PutEvents",
            PUT_OBJECT => "s3:PutObject",
            PUT_RECORD => "kinesis:PutRecord",
            PUT_RECORDS => "kinesis:PutRecords",
            PUT_TAGS => "s3:PutObjectTagging",
            PUT_ACL => "s3:PutObjectAcl",
            START => "states:StartExecution",
            START_SYNC => "states:StartSyncExecution",
            _ => "lambda:InvokeFunction",
        }
    }

    /// The patterns of resources that stand for everything that can be put in: of a bucket the objects that a delivery takes, of
    /// a function its versions too, unless a delivery names one.
    pub fn patterns(&self) -> Vec<String> {
        let arn = &self.id.arn;
        match self.entity.kind {
            Kind::Bucket => {
                let Keys { prefix, suffix } = &self.id.keys;
                vec![format!("{arn}/{prefix}*{suffix}")]
            }
            Kind::Function if arn.resource().matches(':').count() == 1 => {
                vec![arn.to_string(), format!("{arn}:*")]
            }
            _ => vec![arn.to_string()],
        }
    }

    /// The resources that a request to put something in can be about. `patterns` are those of statements that may allow it:
    /// of a bucket there are as many resources as keys, and what matters is whether one of them will do. The second part of
    /// the answer is whether some pattern may reach a key that is not among them.
    pub(super) fn resources<'p>(
        &self,
        patterns: impl Iterator<Item = (&'p ResourcePattern, PolicyKind)>,
    ) -> (Vec<String>, bool) {
        if self.entity.kind == Kind::Bucket {
            return self.objects(patterns);
        }
        (self.plain.clone(), false)
    }

    fn objects<'p>(
        &self,
        patterns: impl Iterator<Item = (&'p ResourcePattern, PolicyKind)>,
    ) -> (Vec<String>, bool) {
        let bucket = format!("{}/", self.id.arn);
        let Keys { prefix, suffix } = &self.id.keys;
        let mut objects = self.plain.clone();
        let mut open = false;
        for (pattern, kind) in patterns {
            let reach = pattern.widest_reach(kind);
            if !self.may_reach(pattern, &reach) {
                continue;
            }
            if objects
                .iter()
                .any(|object| reach.contains(object) == Some(true))
            {
                continue;
            }
            let written = pattern.text().replace(['*', '?'], "x");
            let longest = reach.prefix();
            let tail = pattern.text().rsplit(['*', '?']).next().unwrap_or_default();
            let tried = [
                written,
                format!("{longest}object{suffix}"),
                format!("{bucket}{prefix}object{tail}"),
                longest,
            ];
            let found = tried.into_iter().find(|object| {
                object
                    .strip_prefix(&bucket)
                    .is_some_and(|key| !key.is_empty() && self.id.keys.take(key))
                    && reach.contains(object) == Some(true)
            });
            match found {
                Some(object) if objects.len() < MOST_OBJECTS => objects.push(object),
                _ => open = true,
            }
        }
        (objects, open)
    }

    /// Whether a pattern may reach what this is about, whatever its variables hold.
    pub(super) fn may_reach(&self, pattern: &ResourcePattern, reach: &Reach<'_>) -> bool {
        if self.entity.kind == Kind::Bucket && !reach.is_everything() {
            let objects = format!("{}/{}", self.id.arn, self.id.keys.prefix);
            let prefix = reach.prefix();
            if prefix == pattern.text() {
                // Without wildcards it names one object, or a bucket, into which nothing is put by that name.
                let key = prefix
                    .strip_prefix(self.id.arn.as_str())
                    .and_then(|rest| rest.strip_prefix('/'));
                return key.is_some_and(|key| !key.is_empty() && self.id.keys.take(key));
            }
            return prefix.starts_with(&objects) || objects.starts_with(&prefix);
        }
        self.plain
            .iter()
            .any(|resource| reach.contains(resource) != Some(false))
    }

    /// Whom its policy allows to put something in.
    pub(super) fn guests(&self) -> Guests {
        let mut guests = Guests::default();
        for element in self
            .statements(Effect::Allow)
            .filter_map(|statement| statement.principal.as_ref())
        {
            guests.anyone |= element.negated;
            for entry in &element.entries {
                match entry {
                    PrincipalEntry::Everyone => guests.anyone = true,
                    PrincipalEntry::User(arn) => {
                        let name = (Kind::User, arn.account().to_owned(), arn.name().to_owned());
                        guests.named.insert(name);
                    }
                    PrincipalEntry::Role(arn) => {
                        let name = (Kind::Role, arn.account().to_owned(), arn.name().to_owned());
                        guests.named.insert(name);
                    }
                    PrincipalEntry::Session(session) => {
                        let name = (Kind::Role, session.account.clone(), session.role.clone());
                        guests.named.insert(name);
                    }
                    PrincipalEntry::UniqueId(id) => {
                        guests.ids.insert(id.clone());
                    }
                    PrincipalEntry::Account { .. }
                    | PrincipalEntry::FederatedUser(_)
                    | PrincipalEntry::Service(_)
                    | PrincipalEntry::Federated(_)
                    | PrincipalEntry::Unmatchable(_) => {}
                }
            }
        }
        guests
    }

    /// Whether its policy may refuse somebody whom identity policies allow.
    pub(super) fn may_refuse(&self) -> bool {
        let unreadable = |policy: &Policy| !policy.document.readable;
        self.policy.as_ref().is_some_and(unreadable)
            || self.statements(Effect::Deny).next().is_some()
    }

    fn statements(&self, effect: Effect) -> impl Iterator<Item = &Statement> {
        self.policy
            .iter()
            .flat_map(|policy| policy.document.readings.iter().flatten())
            .filter(move |statement| {
                statement.effect == effect && statement.actions.contains(self.id.action)
            })
    }
}

/// Keys of one bucket that are asked about at most.
const MOST_OBJECTS: usize = 16;

/// The resource policies of what messages pass through, by ARN; none where one could not be read.
pub(super) fn policies(accounts: &[Account]) -> BTreeMap<&Arn, Option<Policy>> {
    let channels = accounts.iter().flat_map(|account| &account.channels);
    channels
        .map(|channel| {
            let document = match (&channel.policy, channel.policy_unread) {
                (Some(text), _) => Document::parse(text.as_str(), PolicyKind::Resource),
                (None, true) => Document::uncollected(PolicyKind::Resource),
                (None, false) => return (&channel.arn, None),
            };
            let policy = Policy {
                name: channel.arn.shared(),
                owner: channel.arn.shared(),
                document: Arc::new(document),
            };
            (&channel.arn, Some(policy))
        })
        .collect()
}

/// What a thing is, by its ARN: of what messages come from, pass through, or go to.
pub(super) fn kind(arn: &Arn) -> Kind {
    match arn.service() {
        "sqs" => Kind::Queue,
        "sns" => Kind::Topic,
        "s3" => Kind::Bucket,
        "events" if arn.resource().starts_with("event-bus/") => Kind::Bus,
        "states" => Kind::StateMachine,
        "pipes" => Kind::Pipe,
        "glue" => Kind::Crawler,
        "apigateway" | "execute-api" => Kind::Api,
        "iot" => Kind::IotRule,
        "autoscaling" => Kind::AutoScalingGroup,
        "lambda" => Kind::Function,
        // Of EventBridge only rules and schedules of a clock are left.
        "events" | "scheduler" => Kind::Schedule,
        "kafka" | "mq" => Kind::Broker,
        // What else is polled.
        _ => Kind::Stream,
    }
}
