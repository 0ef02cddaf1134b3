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
use super::pacing::GaveUp;

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The error code of AWS, or a word for what failed on the way there.
    pub(crate) code: String,
    /// Whose fault it is.
    pub(crate) kind: Kind,
    /// The error and its sources, on one line.
    pub(crate) cause: String,
}

/// Whose fault a failed call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The caller lacks the permission.
    Refused,
    /// The credentials have run out.
    Expired,
    /// The credentials are not accepted.
    Rejected,
    /// No answer came.
    Unreachable,
    /// The scan was stopped before the call was made, or answered.
    Stopped,
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
/// What services say of a resource that does not exist, where the code says only that.
const MISSING_RESOURCE: &[&str] = &[
    "AWS.SimpleQueueService.NonExistentQueue",
    "ClusterNotFoundException",
    "NoSuchBucket",
    "NoSuchEntity",
    "NotFound",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "StateMachineDoesNotExist",
];
const MISSING_KEY: &str = "NotFoundException";
const MISSING_BUCKET_POLICY: &str = "NoSuchBucketPolicy";
const MISSING_LAUNCH_TEMPLATE: &[&str] = &[
    "InvalidLaunchTemplateId.NotFound",
    "InvalidLaunchTemplateId.NotFoundException",
    "InvalidLaunchTemplateId.VersionNotFound",
    "InvalidLaunchTemplateName.NotFoundException",
];
/// How Step Functions says that it could not use a key on behalf of the caller.
const KEY_TROUBLE: &[&str] = &["KmsAccessDeniedException", "KmsInvalidStateException"];
/// What an endpoint says that does not know the service or operation, or does not sell it to the account.
const NOT_OFFERED: &[&str] = &[
    "InvalidAction",
    "OptInRequired",
    "SubscriptionRequiredException",
    "UnknownOperation",
    "UnknownOperationException",
];
/// Our own word, for a host name that does not resolve.
const UNKNOWN_HOST: &str = "UnknownHost";
const WITHOUT_ORGANIZATION: &str = "AWSOrganizationsNotInUseException";

impl Failure {
    /// Reads the SDK's error.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
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
            SdkError::DispatchFailure(_) if has_cause::<CredentialsError>(error) => {
                // They were there when the scan began.
                ("CredentialsFailure".to_owned(), Kind::Expired)
            }
            SdkError::DispatchFailure(_) if has_cause::<ResolveDnsError>(error) => {
                (UNKNOWN_HOST.to_owned(), Kind::Unreachable)
            }
            SdkError::DispatchFailure(_) if has_cause::<GaveUp>(error) => {
                ("GaveUp".to_owned(), Kind::Unreachable)
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
    pub(crate) fn word(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            kind: Kind::Other,
            cause: String::new(),
        }
    }

    /// What to do about a failure that no permission mends.
    pub(crate) fn advice(&self) -> &'static str {
        match self.kind {
            Kind::Expired | Kind::Rejected => "log in again and repeat the scan",
            Kind::Stopped => "the scan was stopped before",
            Kind::Refused | Kind::Unreachable | Kind::Other => "repeat the scan",
        }
    }

    /// Whether KMS knows no such key.
    pub(crate) fn is_missing_key(&self) -> bool {
        self.code == MISSING_KEY
    }

    /// Whether a resource, listed a moment ago, does not exist.
    pub(crate) fn is_missing_resource(&self) -> bool {
        MISSING_RESOURCE.contains(&self.code.as_str())
    }

    /// Whether EC2 knows no such launch template, or no such version of it.
    pub(crate) fn is_missing_launch_template(&self) -> bool {
        MISSING_LAUNCH_TEMPLATE.contains(&self.code.as_str())
    }

    /// Whether a definition could not be decrypted for the caller.
    pub(crate) fn is_key_trouble(&self) -> bool {
        KEY_TROUBLE.contains(&self.code.as_str())
    }

    /// Whether a bucket has no policy.
    pub(crate) fn is_missing_bucket_policy(&self) -> bool {
        self.code == MISSING_BUCKET_POLICY
    }

    /// Whether a bucket has no default encryption.
    pub(crate) fn is_missing_bucket_encryption(&self) -> bool {
        self.code == "ServerSideEncryptionConfigurationNotFoundError"
    }

    /// Whether a region looks like one that does not offer the service: its endpoint has no address, or says that it knows no
    /// such thing. Only for regions in which another endpoint has answered: without a network, no name resolves.
    pub(crate) fn is_not_offered(&self) -> bool {
        self.code == UNKNOWN_HOST || NOT_OFFERED.contains(&self.code.as_str())
    }

    /// Whether the account belongs to no organization.
    pub(crate) fn is_without_organization(&self) -> bool {
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

/// Whether an error of a type is among the sources. That a credentials provider failed in the middle of the scan, or that a
/// name has no address, the SDK reports as a failed dispatch.
fn has_cause<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<T>() {
            return true;
        }
        next = match error.downcast_ref::<std::io::Error>() {
            // The source of an I/O error is that of the error inside it, which would be passed over.
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_cause_is_found_inside_an_io_error_too() {
        // TLS connectors wrap what the connection under them failed of.
        let nameless = || ResolveDnsError::new("no such name");
        for error in [
            io::Error::other(nameless()),
            io::Error::other(io::Error::other(nameless())),
        ] {
            assert!(has_cause::<ResolveDnsError>(&error));
            assert!(!has_cause::<CredentialsError>(&error));
        }
    }
}
