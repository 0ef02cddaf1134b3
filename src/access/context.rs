//! What the context of a request to a queue holds, for each kind of requester (section E of the project's semantics).
//!
//! From "AWS global condition context keys" and the principal key table of "IAM policy elements: Variables and tags".

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};

use super::principal::Principal;
use crate::account::{Queue, Tag};
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
    /// A session of a role.
    Role(&'a Principal<'a>),
    /// Some user or role of another account, or of any account when none is named.
    Outsider {
        partition: &'a str,
        account: Option<&'a str>,
        /// The ARN, when one user or role is meant.
        arn: Option<&'a str>,
    },
    /// A service on behalf of some resource.
    Service(&'a str),
    /// Nobody with credentials.
    Anonymous,
}

/// The context of requests of one caller to one queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueContext<'a> {
    pub(super) caller: Caller<'a>,
    pub(super) queue: &'a Queue,
    /// The moment for which conditions on time are decided.
    pub(super) now: DateTime<Utc>,
    /// Whether the action carries tags: creating and tagging do.
    pub(super) carries_tags: bool,
}

const OPEN: Lookup<'static> = Lookup::Open(Domain::ANYTHING);
const PRESENT: Lookup<'static> = Lookup::Open(Domain::PRESENT);

fn one(text: &str) -> Lookup<'_> {
    Lookup::One(Cow::Borrowed(text))
}

impl ContextKeys for QueueContext<'_> {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        if let Some(tag) = key.strip_prefix("aws:resourcetag/") {
            return match &self.queue.tags {
                Some(tags) => tag_value(tags, tag),
                None => OPEN,
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
        match key {
            "aws:resourceaccount" => one(self.queue.arn.account()),
            "aws:requestedregion" => one(self.queue.arn.region()),
            "aws:securetransport" => one("true"),
            "aws:currenttime" => Lookup::One(Cow::Owned(
                self.now.to_rfc3339_opts(SecondsFormat::Secs, true),
            )),
            "aws:epochtime" => Lookup::One(Cow::Owned(self.now.timestamp().to_string())),
            "aws:resourceorgid"
            | "aws:resourceorgpaths"
            | "aws:useragent"
            | "aws:referer"
            | "aws:sourceip" => OPEN,
            "aws:vpcsourceip" | "aws:sourcevpc" | "aws:sourcevpce" | "aws:sourcevpcarn"
            | "aws:vpceaccount" | "aws:vpceorgid" | "aws:vpceorgpaths" => match self.caller {
                Caller::Service(_) => Lookup::Absent,
                _ => OPEN,
            },
            "aws:sourcearn" | "aws:sourceaccount" | "aws:sourceowner" | "aws:sourceorgid"
            | "aws:sourceorgpaths" => self.source(key),
            "aws:viaawsservice" => match self.caller {
                Caller::Service(_) => one("false"),
                Caller::Anonymous => OPEN,
                _ => PRESENT,
            },
            "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast" => match self.caller {
                Caller::Service(_) | Caller::Anonymous => Lookup::Absent,
                _ => OPEN,
            },
            _ => self.principal_key(key),
        }
    }
}

impl QueueContext<'_> {
    /// Only services on behalf of a resource carry the source keys. SNS, S3 and EventBridge always pass source and account.
    fn source(&self, key: &str) -> Lookup<'_> {
        match self.caller {
            Caller::Service("sns.amazonaws.com" | "s3.amazonaws.com" | "events.amazonaws.com")
                if matches!(key, "aws:sourcearn" | "aws:sourceaccount") =>
            {
                PRESENT
            }
            Caller::Service(_) => OPEN,
            _ => Lookup::Absent,
        }
    }

    fn principal_tag(&self, tag: &str) -> Lookup<'_> {
        match self.caller {
            Caller::UserWithKey(user) | Caller::UserWithSession(user) => tag_value(user.tags, tag),
            Caller::Role(principal) => {
                let own = tag_value(principal.tags, tag);
                match own {
                    // A session tag replaces the role's (E7).
                    Lookup::Absent if principal.trust.session_tags => OPEN,
                    _ if principal.trust.session_tags => PRESENT,
                    own => own,
                }
            }
            Caller::Outsider { .. } => OPEN,
            Caller::Service(_) | Caller::Anonymous => Lookup::Absent,
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
                "aws:principalorgid" | "aws:principalorgpaths" => OPEN,
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
            Caller::Role(role) => role_key(role, key),
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
                "aws:principalservicename"
                | "aws:principalservicenameslist"
                | "aws:assumedroot" => Lookup::Absent,
                // Whatever else a requester can carry, some outsider may.
                _ if key.starts_with("aws:") => OPEN,
                _ => Lookup::Absent,
            },
            Caller::Service(name) => match key {
                "aws:principalisawsservice" => one("true"),
                "aws:principalservicename" if *name == *ANY_SERVICE => PRESENT,
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

fn role_key<'a>(role: &'a Principal<'_>, key: &str) -> Lookup<'a> {
    let trusts = |service: &str| role.trust.services.iter().any(|name| name == service);
    let open_if = |possible: bool| if possible { OPEN } else { Lookup::Absent };
    match key {
        "aws:principalarn" => one(role.arn.as_str()),
        "aws:principalaccount" => one(role.arn.account()),
        "aws:principaltype" => one("AssumedRole"),
        "aws:userid" => Lookup::Open(Domain::like(Glob::new(&format!("{}:*", role.id)))),
        "aws:principalisawsservice" => one("false"),
        "aws:principalorgid" | "aws:principalorgpaths" | "aws:sourceidentity" => OPEN,
        "aws:multifactorauthpresent" if role.trust.machines_only => one("false"),
        "aws:multifactorauthpresent" | "aws:tokenissuetime" => PRESENT,
        "aws:multifactorauthage" => open_if(!role.trust.machines_only),
        "aws:federatedprovider" => open_if(role.trust.federated),
        "aws:ec2instancesourcevpc"
        | "aws:ec2instancesourceprivateipv4"
        | "ec2:sourceinstancearn"
        | "ec2:roledelivery" => open_if(trusts("ec2.amazonaws.com")),
        "lambda:sourcefunctionarn" => open_if(trusts("lambda.amazonaws.com")),
        _ => {
            // Claims of an identity provider (`saml:…`, `host/path:sub`) can come with a federated session.
            let provider = key.split_once(':').map_or("", |(provider, _)| provider);
            let is_claim = provider == "saml" || provider.contains(['.', '/']);
            open_if(role.trust.federated && (is_claim || key.starts_with("identitystore:")))
        }
    }
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
