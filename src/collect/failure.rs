//! A failed call in our words: the code that goes into a gap, and whose fault it is.
//!
//! Decided by type and by error code, never by message text.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::error::one_line;

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The error code of AWS, or a word for what failed on the way there.
    pub(super) code: String,
    /// Whose fault it is.
    pub(super) kind: Kind,
    /// The error and its sources, on one line.
    pub(super) cause: String,
}

/// Whose fault a failed call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The caller lacks the permission.
    Refused,
    /// The credentials have run out.
    Expired,
    /// The credentials are not accepted.
    Rejected,
    /// No answer came.
    Unreachable,
    /// Anything else.
    Other,
}

const REFUSED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "Client.UnauthorizedOperation",
    "NotAuthorized",
    "UnauthorizedAccess",
    "UnauthorizedException",
    "UnauthorizedOperation",
];
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "RequestExpired"];
const REJECTED: &[&str] = &[
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
const MISSING_QUEUE: &[&str] = &[
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
];
const MISSING_KEY: &str = "NotFoundException";
const WITHOUT_ORGANIZATION: &str = "AWSOrganizationsNotInUseException";

impl Failure {
    /// Reads the SDK's error.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let (code, kind) = match error {
            SdkError::ServiceError(context) => {
                let status = context.raw().status().as_u16();
                match context.err().code().filter(|code| !code.is_empty()) {
                    Some(code) => (code.to_owned(), kind_of(code)),
                    None if matches!(status, 401 | 403) => (http(status), Kind::Refused),
                    None => (http(status), Kind::Other),
                }
            }
            SdkError::TimeoutError(_) => ("Timeout".to_owned(), Kind::Unreachable),
            SdkError::DispatchFailure(_) if lacks_credentials(error) => {
                ("CredentialsFailure".to_owned(), Kind::Other)
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                ("Timeout".to_owned(), Kind::Unreachable)
            }
            SdkError::DispatchFailure(failure)
                if failure.is_io() || failure.as_other().is_some() =>
            {
                ("ConnectionFailure".to_owned(), Kind::Unreachable)
            }
            SdkError::ResponseError(_) => ("MalformedResponse".to_owned(), Kind::Other),
            _ => ("InvalidRequest".to_owned(), Kind::Other),
        };
        Self {
            code,
            kind,
            cause: one_line(error),
        }
    }

    /// A failure that no single call reported, such as an answer without the field that matters.
    pub(super) fn word(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            kind: Kind::Other,
            cause: String::new(),
        }
    }

    /// What to do about a failure that no permission mends.
    pub(super) fn advice(&self) -> &'static str {
        match self.kind {
            Kind::Expired | Kind::Rejected => "log in again and repeat the scan",
            Kind::Refused | Kind::Unreachable | Kind::Other => "repeat the scan",
        }
    }

    /// Whether the queue was deleted since it was listed.
    pub(super) fn is_missing_queue(&self) -> bool {
        MISSING_QUEUE.contains(&self.code.as_str())
    }

    /// Whether KMS knows no such key.
    pub(super) fn is_missing_key(&self) -> bool {
        self.code == MISSING_KEY
    }

    /// Whether the account belongs to no organization.
    pub(super) fn is_without_organization(&self) -> bool {
        self.code == WITHOUT_ORGANIZATION
    }
}

fn http(status: u16) -> String {
    format!("Http{status}")
}

fn kind_of(code: &str) -> Kind {
    if REFUSED.contains(&code) {
        Kind::Refused
    } else if EXPIRED.contains(&code) {
        Kind::Expired
    } else if REJECTED.contains(&code) {
        Kind::Rejected
    } else {
        Kind::Other
    }
}

/// Whether a credentials provider failed in the middle of the scan (the SDK reports that as a failed dispatch).
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}
