//! What the context of a request to a queue or its key holds, for each kind of requester (section E of the project's
//! semantics).
//!
//! From "AWS global condition context keys", the principal key table of "IAM policy elements: Variables and tags", and
//! "AWS KMS condition keys".

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};

use super::principal::Principal;
use crate::account::{Key, Organization, Queue, Tag};
use crate::arn::Arn;
use crate::entity::{Entity, Kind};
use crate::policy::{ContextKeys, Domain, Glob, Lookup};

/// How a service that a policy admits without naming it is written.
pub(super) const ANY_SERVICE: &str = "*.amazonaws.com";

/// Who the request comes from, as far as context keys go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller<'a> {
    /// A user with a long-term access key.
    UserWithKey(&'a Principal<'a>),
    /// A user on the console or with `GetSessionToken` credentials.
    UserWithSession(&'a Principal<'a>),
    /// Any session of a role.
    Role(&'a Principal<'a>),
    /// The session of a role as which one function or instance runs.
    Workload {
        role: &'a Principal<'a>,
        workload: &'a Entity,
    },
    /// Some user or role of another account, or of any account when none is named.
    Outsider {
        partition: &'a str,
        account: Option<&'a str>,
        /// The ARN, when one user or role is meant.
        arn: Option<&'a str>,
    },
    /// A service on behalf of some resource.
    Service {
        name: &'a str,
        /// On behalf of which; none when it could be any.
        source: Option<Source<'a>>,
    },
    /// Nobody with credentials.
    Anonymous,
}

/// The resource on whose behalf a service calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) arn: &'a Arn,
    /// The account that it belongs to: the ARN of a bucket has none.
    pub(super) account: &'a str,
    /// The organization of that account, when it is known.
    pub(super) organization: Option<&'a Organization>,
}

/// What the request is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// A call to SQS.
    Queue(&'a Queue),
    /// The call to KMS that SQS makes with the caller's credentials for a message of the queue (K1); SNS and S3 do the same.
    Key { key: &'a Key, sealed: Sealed<'a> },
    /// A call to IAM or STS about a user, a role or a policy.
    Identity {
        arn: &'a Arn,
        /// None when they are not known.
        tags: Option<&'a [Tag]>,
    },
    /// A call to another service about a topic, bucket, bus, function or state machine.
    Channel {
        arn: &'a Arn,
        /// The account that it belongs to.
        account: &'a str,
    },
}

/// What is encrypted with a key: the messages of a queue or topic, the objects of a bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sealed<'a> {
    pub(super) arn: &'a Arn,
    /// The account that it belongs to: the ARN of a bucket has none.
    pub(super) account: &'a str,
}

impl Sealed<'_> {
    /// The name of the pair of the encryption context that the service gives to KMS (K7).
    fn pair(&self) -> &'static str {
        let [queue, topic, bucket] = ENCRYPTION_CONTEXTS;
        match self.arn.service() {
            "sns" => topic,
            "s3" => bucket,
            _ => queue,
        }
    }
}

/// The context of requests of one caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestContext<'a> {
    pub(super) caller: Caller<'a>,
    pub(super) target: Target<'a>,
    /// The organization of the caller's account, when it is known.
    pub(super) callers_organization: Option<&'a Organization>,
    /// The organization of the account that holds the target, when it is known.
    pub(super) targets_organization: Option<&'a Organization>,
    /// The moment for which conditions on time are decided.
    pub(super) now: DateTime<Utc>,
    /// Whether the action carries tags: creating and tagging do.
    pub(super) carries_tags: bool,
}

/// What calls on behalf of APIs. It always tells which.
const API_GATEWAY: &str = "apigateway.amazonaws.com";

/// The names of pairs of the encryption context that SQS, SNS and S3 give to KMS (K7), as they spell them.
pub(super) const ENCRYPTION_CONTEXTS: [&str; 3] = ["aws:sqs:arn", "aws:sns:topicArn", "aws:s3:arn"];

const OPEN: Lookup<'static> = Lookup::Open(Domain::ANYTHING);
const PRESENT: Lookup<'static> = Lookup::Open(Domain::PRESENT);

fn one(text: &str) -> Lookup<'_> {
    Lookup::One(Cow::Borrowed(text))
}

/// This value, or none.
fn maybe(text: &str) -> Lookup<'static> {
    Lookup::Open(Domain {
        may_be_absent: true,
        shape: Some(Glob::literal(text)),
        call: None,
    })
}

impl ContextKeys for RequestContext<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        // IAM and STS know the tags of users and roles by another name as well.
        let of_identity = matches!(self.target, Target::Identity { .. });
        let tag = key
            .strip_prefix("aws:resourcetag/")
            .or_else(|| key.strip_prefix("iam:resourcetag/").filter(|_| of_identity));
        if let Some(tag) = tag {
            return match self.target {
                Target::Queue(Queue {
                    tags: Some(tags), ..
                }) => tag_value(tags, tag),
                Target::Identity {
                    tags: Some(tags), ..
                } => tag_value(tags, tag),
                // Tags of keys, policies and channels are not collected.
                Target::Queue(_)
                | Target::Key { .. }
                | Target::Identity { .. }
                | Target::Channel { .. } => OPEN,
            };
        }
        if let Some(tag) = key.strip_prefix("aws:principaltag/") {
            return self.principal_tag(tag);
        }
        if key.starts_with("aws:requesttag/") || key == "aws:tagkeys" {
            return if self.carries_tags {
                OPEN
            } else {
                Lookup::Absent
            };
        }
        if key.starts_with("kms:") {
            return self.key_request(key);
        }
        if let Target::Channel { arn, .. } = self.target
            && key
                .split_once(':')
                .is_some_and(|(service, _)| service == arn.service())
        {
            return OPEN;
        }
        match key {
            "aws:resourceaccount" => one(self.target.account()),
            // Which endpoint of STS is called is the caller's choice.
            "aws:requestedregion" if of_identity => PRESENT,
            // The ARN of a bucket does not tell its region.
            "aws:requestedregion" if self.target.arn().region().is_empty() => PRESENT,
            "aws:requestedregion" => one(self.target.arn().region()),
            "aws:securetransport" => one("true"),
            "aws:currenttime" => Lookup::One(Cow::Owned(
                self.now.to_rfc3339_opts(SecondsFormat::Secs, true),
            )),
            "aws:epochtime" => Lookup::One(Cow::Owned(self.now.timestamp().to_string())),
            "aws:resourceorgid" => organization_id(self.targets_organization),
            "aws:resourceorgpaths" => organization_paths(self.targets_organization),
            "aws:useragent" | "aws:referer" | "aws:sourceip" => self.of_the_call(),
            "aws:vpcsourceip" | "aws:sourcevpc" | "aws:sourcevpce" | "aws:sourcevpcarn"
            | "aws:vpceaccount" | "aws:vpceorgid" | "aws:vpceorgpaths" => match self.caller {
                Caller::Service { .. } => Lookup::Absent,
                _ => self.of_the_call(),
            },
            "aws:sourcearn" | "aws:sourceaccount" | "aws:sourceowner" | "aws:sourceorgid"
            | "aws:sourceorgpaths" => self.source(key),
            "aws:viaawsservice" => match (self.target, self.caller) {
                (Target::Key { .. }, _) => one("true"),
                (_, Caller::Service { .. }) => one("false"),
                (_, Caller::Anonymous) => OPEN,
                _ => PRESENT,
            },
            "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast" => {
                match (self.target, self.caller) {
                    (Target::Key { .. }, _) => self.of_the_call(),
                    (_, Caller::Service { .. } | Caller::Anonymous) => Lookup::Absent,
                    _ => OPEN,
                }
            }
            _ => self.principal_key(key),
        }
    }
}

impl Target<'_> {
    pub(super) fn arn(&self) -> &Arn {
        match self {
            Self::Queue(queue) => &queue.arn,
            Self::Key { key, .. } => &key.arn,
            Self::Identity { arn, .. } | Self::Channel { arn, .. } => arn,
        }
    }

    /// The account that holds it.
    fn account(&self) -> &str {
        match self {
            Self::Channel { account, .. } => account,
            _ => self.arn().account(),
        }
    }
}

/// `aws:PrincipalOrgID` and `aws:ResourceOrgID`: there only for accounts of an organization.
fn organization_id(organization: Option<&Organization>) -> Lookup<'_> {
    match organization {
        None => OPEN,
        Some(Organization::None) => Lookup::Absent,
        Some(Organization::Member(membership)) => one(&membership.id),
    }
}

fn organization_paths(organization: Option<&Organization>) -> Lookup<'_> {
    match organization {
        None => OPEN,
        Some(Organization::None) => Lookup::Absent,
        Some(Organization::Member(membership)) => match &membership.path {
            Some(path) => Lookup::Many(vec![Cow::Borrowed(path)]),
            None => Lookup::Open(Domain::like(Glob::new(&format!("{}/*", membership.id)))),
        },
    }
}

impl RequestContext<'_> {
    /// A key of which nothing is known, and which the call to SQS and the one to KMS need not share.
    fn of_the_call(&self) -> Lookup<'static> {
        match self.target {
            Target::Queue(_) | Target::Identity { .. } | Target::Channel { .. } => OPEN,
            Target::Key { .. } => Lookup::Open(Domain::ANYTHING.in_call_to("kms")),
        }
    }

    /// The keys of KMS requests (K1, K7).
    fn key_request(&self, name: &str) -> Lookup<'_> {
        let Target::Key { key, sealed } = self.target else {
            return Lookup::Absent;
        };
        let of_bucket = sealed.arn.service() == "s3";
        if let Some(pair) = name.strip_prefix("kms:encryptioncontext:") {
            return match (pair.eq_ignore_ascii_case(sealed.pair()), of_bucket) {
                // It is the bucket, or the object where the bucket has no key of its own.
                (true, true) => Lookup::Open(Domain::like(Glob::new(&format!("{}*", sealed.arn)))),
                // Callers may add pairs to that of S3.
                (false, true) => OPEN,
                (true, false) => one(sealed.arn.as_str()),
                (false, false) => Lookup::Absent,
            };
        }
        match name {
            "kms:encryptioncontextkeys" if of_bucket => PRESENT,
            "kms:encryptioncontextkeys" => Lookup::Many(vec![Cow::Borrowed(sealed.pair())]),
            // Service names end otherwise in partitions of their own; only this form is documented. A key is used in its own
            // region.
            "kms:viaservice" if key.arn.partition() == "aws" => Lookup::One(Cow::Owned(format!(
                "{}.{}.amazonaws.com",
                sealed.arn.service(),
                if of_bucket {
                    key.arn.region()
                } else {
                    sealed.arn.region()
                }
            ))),
            "kms:viaservice" => PRESENT,
            "kms:calleraccount" => match self.caller {
                Caller::UserWithKey(principal)
                | Caller::UserWithSession(principal)
                | Caller::Role(principal)
                | Caller::Workload {
                    role: principal, ..
                } => one(principal.arn.account()),
                Caller::Outsider {
                    account: Some(account),
                    ..
                } => one(account),
                Caller::Outsider { .. } => PRESENT,
                Caller::Service { .. } | Caller::Anonymous => OPEN,
            },
            "kms:resourcealiases" => match &key.aliases {
                None => OPEN,
                Some(aliases) if aliases.is_empty() => Lookup::Absent,
                Some(aliases) => Lookup::Many(
                    aliases
                        .iter()
                        .map(|alias| Cow::Borrowed(alias.as_str()))
                        .collect(),
                ),
            },
            _ => OPEN,
        }
    }

    /// Only services on behalf of a resource carry the source keys. SNS, S3 and EventBridge always pass source and account.
    fn source(&self, key: &str) -> Lookup<'_> {
        let Caller::Service { name, source } = self.caller else {
            return Lookup::Absent;
        };
        let passes_both = matches!(
            name,
            "sns.amazonaws.com" | "s3.amazonaws.com" | "events.amazonaws.com"
        );
        match (key, source) {
            // Stage, verb and path come with the request.
            ("aws:sourcearn", Some(source)) if name == API_GATEWAY => {
                Lookup::Open(Domain::like(Glob::new(source.arn.as_str())))
            }
            ("aws:sourcearn", Some(source)) if passes_both => one(source.arn.as_str()),
            ("aws:sourceaccount", Some(source)) if passes_both => one(source.account),
            ("aws:sourcearn" | "aws:sourceaccount", _) if passes_both => PRESENT,
            // Others may leave a key out; one that they pass is about the source.
            ("aws:sourcearn", Some(source)) => maybe(source.arn.as_str()),
            ("aws:sourceaccount", Some(source)) => maybe(source.account),
            ("aws:sourceorgid", Some(source)) => match source.organization {
                Some(Organization::None) => Lookup::Absent,
                Some(Organization::Member(membership)) => maybe(&membership.id),
                None => OPEN,
            },
            _ => OPEN,
        }
    }

    fn principal_tag(&self, tag: &str) -> Lookup<'_> {
        match self.caller {
            Caller::UserWithKey(user) | Caller::UserWithSession(user) => tag_value(user.tags, tag),
            Caller::Role(principal) => role_tag(principal, tag),
            Caller::Workload { role, workload } => workload_tag(role, workload, tag),
            Caller::Outsider { .. } => OPEN,
            Caller::Service { .. } | Caller::Anonymous => Lookup::Absent,
        }
    }

    fn principal_key(&self, key: &str) -> Lookup<'_> {
        match self.caller {
            Caller::UserWithKey(user) | Caller::UserWithSession(user) => match key {
                "aws:principalarn" => one(user.arn.as_str()),
                "aws:principalaccount" => one(user.arn.account()),
                "aws:principaltype" => one("User"),
                "aws:userid" => one(user.id),
                "aws:username" => one(user.arn.name()),
                "aws:principalisawsservice" => one("false"),
                "aws:principalorgid" => organization_id(self.callers_organization),
                "aws:principalorgpaths" => organization_paths(self.callers_organization),
                "aws:tokenissuetime" | "aws:multifactorauthpresent" => match self.caller {
                    Caller::UserWithSession(_) => PRESENT,
                    _ => Lookup::Absent,
                },
                "aws:multifactorauthage" => match self.caller {
                    Caller::UserWithSession(_) => OPEN,
                    _ => Lookup::Absent,
                },
                _ => Lookup::Absent,
            },
            Caller::Role(_) | Caller::Workload { .. } if key == "aws:principalorgid" => {
                organization_id(self.callers_organization)
            }
            Caller::Role(_) | Caller::Workload { .. } if key == "aws:principalorgpaths" => {
                organization_paths(self.callers_organization)
            }
            Caller::Role(role) => role_key(role, key),
            Caller::Workload { role, workload } => workload_key(role, workload, key),
            Caller::Outsider {
                partition,
                account,
                arn,
            } => match key {
                "aws:principalarn" => match arn {
                    Some(arn) => one(arn),
                    None => Lookup::Open(Domain::like(Glob::new(&format!(
                        "arn:{partition}:iam::{}:*",
                        account.unwrap_or("*")
                    )))),
                },
                "aws:principalaccount" => account.map_or(PRESENT, one),
                "aws:principalisawsservice" => one("false"),
                "aws:principaltype" | "aws:userid" => PRESENT,
                "aws:principalorgid" => organization_id(self.callers_organization),
                "aws:principalorgpaths" => organization_paths(self.callers_organization),
                "aws:principalservicename"
                | "aws:principalservicenameslist"
                | "aws:assumedroot" => Lookup::Absent,
                // Whatever else a requester can carry, some outsider may.
                _ if key.starts_with("aws:") => OPEN,
                _ => Lookup::Absent,
            },
            Caller::Service { name, .. } => match key {
                "aws:principalisawsservice" => one("true"),
                "aws:principalservicename" if name == ANY_SERVICE => PRESENT,
                "aws:principalservicename" => one(name),
                "aws:principalservicenameslist" => PRESENT,
                // Not documented for services (E-SVC).
                "aws:principalaccount"
                | "aws:principaltype"
                | "aws:userid"
                | "aws:tokenissuetime" => OPEN,
                _ => Lookup::Absent,
            },
            Caller::Anonymous => match key {
                "aws:principalaccount" | "aws:userid" => one("anonymous"),
                "aws:principaltype" => one("Anonymous"),
                _ => Lookup::Absent,
            },
        }
    }
}

/// The tag of any session of a role.
fn role_tag<'a>(role: &'a Principal<'_>, tag: &str) -> Lookup<'a> {
    match tag_value(role.tags, tag) {
        // A session tag replaces the role's (E7).
        Lookup::Absent if role.trust.session_tags => OPEN,
        _ if role.trust.session_tags => PRESENT,
        own => own,
    }
}

/// The tag of a workload's session. Of the services only EKS Pod Identity brings tags; what a Kubernetes service account brings
/// with its token is not known.
fn workload_tag<'a>(role: &'a Principal<'_>, workload: &Entity, tag: &str) -> Lookup<'a> {
    match workload.kind {
        Kind::ServiceAccount => role_tag(role, tag),
        Kind::PodIdentity => match role.session_tags.get(workload) {
            Some(tags) if tags.iter().any(|known| known.key.to_lowercase() == tag) => {
                tag_value(tags, tag)
            }
            // The name and the id of the pod are tags, too.
            Some(_) if matches!(tag, "kubernetes-pod-name" | "kubernetes-pod-uid") => PRESENT,
            _ => tag_value(role.tags, tag),
        },
        _ => tag_value(role.tags, tag),
    }
}

fn role_key<'a>(role: &'a Principal<'_>, key: &str) -> Lookup<'a> {
    let trusts = |service: &str| role.trust.services.iter().any(|name| name == service);
    let open_if = |possible: bool| if possible { OPEN } else { Lookup::Absent };
    match key {
        "aws:principalarn" => one(role.arn.as_str()),
        "aws:principalaccount" => one(role.arn.account()),
        "aws:principaltype" => one("AssumedRole"),
        "aws:userid" => Lookup::Open(Domain::like(Glob::new(&format!("{}:*", role.id)))),
        "aws:principalisawsservice" => one("false"),
        "aws:sourceidentity" => OPEN,
        "aws:multifactorauthpresent" if role.trust.machines_only => one("false"),
        "aws:multifactorauthpresent" | "aws:tokenissuetime" => PRESENT,
        "aws:multifactorauthage" => open_if(!role.trust.machines_only),
        "aws:federatedprovider" => open_if(role.trust.federated),
        "aws:ec2instancesourcevpc"
        | "aws:ec2instancesourceprivateipv4"
        | "ec2:sourceinstancearn"
        | "ec2:roledelivery" => {
            // In China EC2 has a name of its own.
            open_if(trusts("ec2.amazonaws.com") || trusts("ec2.amazonaws.com.cn"))
        }
        "lambda:sourcefunctionarn" => open_if(trusts("lambda.amazonaws.com")),
        _ => {
            // Claims of an identity provider (`saml:…`, `host/path:sub`) can come with a federated session.
            let provider = key.split_once(':').map_or("", |(provider, _)| provider);
            let is_claim = provider == "saml" || provider.contains(['.', '/']);
            open_if(role.trust.federated && (is_claim || key.starts_with("identitystore:")))
        }
    }
}

/// The name of the session as which a workload runs, where it is known: Lambda names it after the function, EC2 after the
/// instance.
pub(super) fn session_name(workload: &Entity) -> Option<&str> {
    match workload.kind {
        Kind::Function => workload.arn.rsplit(':').next(),
        Kind::Instance => workload.arn.rsplit('/').next(),
        _ => None,
    }
}

/// What the session of a workload carries. No service brings MFA, an identity provider or a source identity.
fn workload_key<'a>(role: &'a Principal<'_>, workload: &'a Entity, key: &str) -> Lookup<'a> {
    if workload.kind == Kind::ServiceAccount {
        return role_key(role, key);
    }
    let is_function = workload.kind == Kind::Function;
    let is_instance = workload.kind == Kind::Instance;
    let is_on_ec2 = is_instance || workload.kind == Kind::AutoScalingGroup;
    match key {
        "aws:principalarn"
        | "aws:principalaccount"
        | "aws:principaltype"
        | "aws:principalisawsservice" => role_key(role, key),
        "aws:userid" => match session_name(workload) {
            Some(session) => Lookup::One(Cow::Owned(format!("{}:{session}", role.id))),
            None => role_key(role, key),
        },
        "aws:multifactorauthpresent" => one("false"),
        "aws:tokenissuetime" => PRESENT,
        "lambda:sourcefunctionarn" if is_function => one(&workload.arn),
        "ec2:sourceinstancearn" if is_instance => one(&workload.arn),
        "ec2:sourceinstancearn" | "ec2:roledelivery" if is_on_ec2 => PRESENT,
        "aws:ec2instancesourcevpc" | "aws:ec2instancesourceprivateipv4" if is_on_ec2 => OPEN,
        _ => Lookup::Absent,
    }
}

/// What is known of the context of every request of a user or role to one queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnyPrincipal<'a> {
    pub(super) queue: &'a Queue,
    /// The moment for which conditions on time are decided.
    pub(super) now: DateTime<Utc>,
}

impl ContextKeys for AnyPrincipal<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        if let Some(tag) = key.strip_prefix("aws:resourcetag/") {
            return match &self.queue.tags {
                Some(tags) => tag_value(tags, tag),
                None => OPEN,
            };
        }
        match key {
            "aws:resourceaccount" => one(self.queue.arn.account()),
            "aws:requestedregion" => one(self.queue.arn.region()),
            "aws:securetransport" => one("true"),
            "aws:currenttime" => Lookup::One(Cow::Owned(
                self.now.to_rfc3339_opts(SecondsFormat::Secs, true),
            )),
            "aws:epochtime" => Lookup::One(Cow::Owned(self.now.timestamp().to_string())),
            "aws:principalisawsservice" => one("false"),
            "aws:sourcearn"
            | "aws:sourceaccount"
            | "aws:sourceowner"
            | "aws:sourceorgid"
            | "aws:sourceorgpaths"
            | "aws:principalservicename"
            | "aws:principalservicenameslist" => Lookup::Absent,
            _ => OPEN,
        }
    }
}

/// The keys of one caller's requests, whatever the queue: what differs from queue to queue is open.
pub(super) struct WhateverQueue<'a>(pub(super) RequestContext<'a>);

impl ContextKeys for WhateverQueue<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        if key.starts_with("aws:resource") || key == "aws:requestedregion" {
            OPEN
        } else {
            self.0.lookup(key)
        }
    }
}

/// The same, whether a user comes with an access key or with a session: what differs between the two is open.
pub(super) struct WhateverSession<'a>(pub(super) WhateverQueue<'a>);

impl ContextKeys for WhateverSession<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        if is_of_session(key) {
            OPEN
        } else {
            self.0.lookup(key)
        }
    }
}

/// Whether a user's access key and session differ in the key.
pub(super) fn is_of_session(key: &str) -> bool {
    key == "aws:tokenissuetime" || key.starts_with("aws:multifactorauth")
}

/// Whether the key holds the same in the requests of all principals of one kind and account. `key` is in lower case.
pub(super) fn is_same_for_all(key: &str) -> bool {
    !is_settled_by_session(key)
        || matches!(
            key,
            "aws:currenttime"
                | "aws:epochtime"
                | "aws:principalaccount"
                | "aws:principalisawsservice"
                | "aws:principalservicename"
                | "aws:principalservicenameslist"
                | "aws:principaltype"
                | "aws:securetransport"
                | "aws:sourceaccount"
                | "aws:sourcearn"
                | "aws:sourceorgid"
                | "aws:sourceorgpaths"
                | "aws:sourceowner"
                | "aws:tagkeys"
        )
}

/// Whether the session of a workload may settle what is open for any session of its role: it does not settle where a request
/// comes from, when, and what it is about. `key` is in lower case.
pub(super) fn is_settled_by_session(key: &str) -> bool {
    const OPEN_FOR_EVERY_SESSION: [&str; 12] = [
        "aws:calledvia",
        "aws:principalorg",
        "aws:referer",
        "aws:request",
        "aws:resource",
        "aws:sourceip",
        "aws:sourcevpc",
        "aws:tokenissuetime",
        "aws:useragent",
        "aws:viaawsservice",
        "aws:vpc",
        "kms:",
    ];
    !OPEN_FOR_EVERY_SESSION
        .iter()
        .any(|prefix| key.starts_with(prefix))
}

/// The value of a tag; names compare without letter case, and two that differ by case only are ambiguous (E6).
fn tag_value<'a>(tags: &'a [Tag], name: &str) -> Lookup<'a> {
    let mut found = tags.iter().filter(|tag| tag.key.to_lowercase() == name);
    match (found.next(), found.next()) {
        (None, _) => Lookup::Absent,
        (Some(tag), None) => one(&tag.value),
        (Some(_), Some(_)) => PRESENT,
    }
}
