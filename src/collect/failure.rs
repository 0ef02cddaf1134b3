//! A failed call in our words: the code that goes into a gap, and whose fault it is.
//!
//! Decided by type and by error code, never by message text.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
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
/// What services other than SQS and KMS say of a resource that does not exist.
const MISSING_RESOURCE: &[&str] = &[
    "NoSuchBucket",
    "NotFound",
    "NotFoundException",
    "ResourceNotFound",
    "ResourceNotFoundException",
];
const MISSING_BUCKET_POLICY: &str = "NoSuchBucketPolicy";
const UNKNOWN_OPERATION: &[&str] = &[
    "InvalidAction",
    "UnknownOperation",
    "UnknownOperationException",
];
/// Our own word, for a host name that does not resolve.
const UNKNOWN_HOST: &str = "UnknownHost";
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
                    None if (200..300).contains(&status) => malformed(),
                    None => (http(status), Kind::Other),
                }
            }
            SdkError::TimeoutError(_) => ("Timeout".to_owned(), Kind::Unreachable),
            SdkError::DispatchFailure(_) if has_source::<CredentialsError>(error) => {
                ("CredentialsFailure".to_owned(), Kind::Other)
            }
            SdkError::DispatchFailure(_) if has_source::<ResolveDnsError>(error) => {
                (UNKNOWN_HOST.to_owned(), Kind::Unreachable)
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                ("Timeout".to_owned(), Kind::Unreachable)
            }
            SdkError::DispatchFailure(failure)
                if failure.is_io() || failure.as_other().is_some() =>
            {
                ("ConnectionFailure".to_owned(), Kind::Unreachable)
            }
            SdkError::ResponseError(_) => malformed(),
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

    /// Whether a resource, listed a moment ago, does not exist.
    pub(super) fn is_missing_resource(&self) -> bool {
        MISSING_RESOURCE.contains(&self.code.as_str())
    }

    /// Whether a bucket has no policy.
    pub(super) fn is_missing_bucket_policy(&self) -> bool {
        self.code == MISSING_BUCKET_POLICY
    }

    /// Whether a region looks like one that does not offer the service: its endpoint has no address, or does not know the
    /// operation. Only for regions in which another endpoint has answered: without a network, no name resolves.
    pub(super) fn is_not_offered(&self) -> bool {
        self.code == UNKNOWN_HOST || UNKNOWN_OPERATION.contains(&self.code.as_str())
    }

    /// Whether the account belongs to no organization.
    pub(super) fn is_without_organization(&self) -> bool {
        self.code == WITHOUT_ORGANIZATION
    }
}

/// A good answer whose body cannot be read; the SDK has two ways to say so.
fn malformed() -> (String, Kind) {
    ("MalformedResponse".to_owned(), Kind::Other)
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

/// Whether an error of a type is among the sources. A credentials provider that fails in the middle of the scan and a host
/// name that does not resolve are both reported by the SDK as a failed dispatch.
fn has_source<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<T>() {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use aws_config::retry::RetryConfig;
    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::Credentials;
    use aws_sdk_pipes::Client;
    use aws_sdk_pipes::config::Builder;

    use super::*;
    use crate::collect::http;

    async fn failure(endpoint: &str) -> Failure {
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http::client(None).unwrap())
            .credentials_provider(Credentials::new(
                "AKIDEXAMPLE",
                "secret",
                None,
                None,
                "test",
            ))
            .region(Region::from_static("eu-west-1"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(endpoint)
            .build();
        let answer = Client::from_conf(config).list_pipes().send().await;
        Failure::of(&answer.unwrap_err())
    }

    #[tokio::test]
    async fn a_host_without_an_address_is_told_from_one_that_does_not_answer() {
        // The domain is reserved for names that never resolve.
        let unknown = failure("http://pipes.eu-west-1.invalid").await;
        assert_eq!(
            (unknown.code.as_str(), unknown.kind),
            (UNKNOWN_HOST, Kind::Unreachable)
        );
        assert!(unknown.is_not_offered());

        let silent = failure("http://127.0.0.1:1").await;
        assert_eq!(
            (silent.code.as_str(), silent.kind),
            ("ConnectionFailure", Kind::Unreachable)
        );
        assert!(!silent.is_not_offered());
    }
}
