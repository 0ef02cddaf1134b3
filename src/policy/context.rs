//! What is known of a request's context keys when a statement is matched.
//!
//! Implements the availability notions of "AWS global condition context keys" and "Single-valued vs. multivalued context
//! keys" (IAM user guide). Who carries which key is decided by the implementors of [`ContextKeys`].

use std::borrow::Cow;

use super::glob::Glob;

/// What is known of one context key of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup<'a> {
    /// The request does not carry the key.
    Absent,
    /// The request carries the key with one value.
    One(Cow<'a, str>),
    /// The request carries the key with these values (a multivalued key, or more than one value given).
    Many(Vec<Cow<'a, str>>),
    /// Not known at scan time, within these limits.
    Open(Domain),
}

/// What an unknown key could be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Domain {
    /// Whether the request may come without the key.
    pub may_be_absent: bool,
    /// The shape of a present value, when something is known of it (`AROA…:*` for the user id of a role session).
    pub shape: Option<Glob>,
    /// The call whose key it is, by the prefix of the service called: `kms` when SQS calls KMS with the caller's rights to
    /// encrypt a message. None for the request itself. What the key holds in one call says nothing of another: the network
    /// path of the caller to SQS is not that of the forwarded call.
    pub call: Option<&'static str>,
}

impl Domain {
    /// Anything, also absence.
    pub const ANYTHING: Self = Self {
        may_be_absent: true,
        shape: None,
        call: None,
    };
    /// Some value, never absence.
    pub const PRESENT: Self = Self {
        may_be_absent: false,
        shape: None,
        call: None,
    };

    /// Some value of this shape, never absence.
    pub fn like(shape: Glob) -> Self {
        Self {
            may_be_absent: false,
            shape: Some(shape),
            call: None,
        }
    }

    /// The same in a call that the request leads to.
    #[must_use]
    pub fn in_call_to(self, service: &'static str) -> Self {
        Self {
            call: Some(service),
            ..self
        }
    }

    /// Which call it is about, as an addition to a condition in words; empty for the request itself.
    pub(super) fn which_call(&self) -> String {
        self.call.map_or_else(String::new, |service| {
            format!(" (in the call to {})", service.to_uppercase())
        })
    }
}

/// The context of a request, asked key by key.
pub trait ContextKeys {
    /// What is known of a key; `key` is in lower case.
    fn lookup(&self, key: &str) -> Lookup<'_>;
}

/// Whether a key holds several values by its type (rule S1). `key` is in lower case.
pub fn is_multivalued(key: &str) -> bool {
    matches!(
        key,
        "aws:principalorgpaths"
            | "aws:resourceorgpaths"
            | "aws:sourceorgpaths"
            | "aws:vpceorgpaths"
            | "aws:principalservicenameslist"
            | "aws:calledvia"
            | "aws:tagkeys"
            | "kms:encryptioncontextkeys"
            | "kms:resourcealiases"
            | "kms:grantoperations"
    )
}

/// What every value of a key is read as, where its type says so ("AWS global condition context keys").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyType {
    Boolean,
    Number,
    Date,
    Address,
    /// Text, or a key of which nothing is known.
    Text,
}

impl KeyType {
    /// `key` is in lower case.
    pub(super) fn of(key: &str) -> Self {
        match key {
            "aws:multifactorauthpresent"
            | "aws:securetransport"
            | "aws:viaawsservice"
            | "aws:principalisawsservice"
            | "aws:assumedroot"
            | "aws:ismcpserviceaction"
            | "aws:viaawsmcpservice" => Self::Boolean,
            "aws:multifactorauthage" => Self::Number,
            "aws:currenttime" | "aws:epochtime" | "aws:tokenissuetime" => Self::Date,
            "aws:sourceip" | "aws:vpcsourceip" | "aws:ec2instancesourceprivateipv4" => {
                Self::Address
            }
            _ => Self::Text,
        }
    }
}
