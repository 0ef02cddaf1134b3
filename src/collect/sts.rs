//! Whose credentials these are: `GetCallerIdentity` of the AWS STS API.

use aws_sdk_sts::Client;

use super::calls::GET_CALLER_IDENTITY;
use super::error::CollectError;
use super::failure::{Failure, Kind};
use super::reader::Reader;
use super::session::Session;
use crate::arn::{AccountId, Arn};

/// Who makes the calls.
pub(super) struct Caller {
    /// The user, or the session of the role.
    pub(super) arn: Arn,
    /// The account that is scanned.
    pub(super) account: AccountId,
}

/// Names the caller. Every failure here is fatal: without credentials that work, nothing else can.
pub(super) async fn caller(session: &Session, reader: &Reader<'_>) -> Result<Caller, CollectError> {
    caller_through(&Client::new(session.global()), session, reader).await
}

/// The same with a client of one's own.
pub(super) async fn caller_through(
    client: &Client,
    session: &Session,
    reader: &Reader<'_>,
) -> Result<Caller, CollectError> {
    let region = session.base_region();
    let request = client.get_caller_identity().send();
    let identity = reader
        .call(&GET_CALLER_IDENTITY, Some(region), request)
        .await
        .map_err(|failure| classify(failure, session))?;
    let arn = identity.arn().and_then(|arn| Arn::parse(arn).ok());
    let account = identity.account().and_then(|id| AccountId::parse(id).ok());
    match (arn, account) {
        (Some(arn), Some(account)) => Ok(Caller { arn, account }),
        _ => Err(CollectError::UnknownCaller {
            code: "MalformedResponse".to_owned(),
            cause: "the answer names no account".to_owned(),
        }),
    }
}

fn classify(failure: Failure, session: &Session) -> CollectError {
    let Failure { code, kind, cause } = failure;
    match kind {
        Kind::Expired => CollectError::ExpiredCredentials { code },
        Kind::Rejected => CollectError::RejectedCredentials { code },
        Kind::Unreachable => unreachable_endpoint(
            session,
            GET_CALLER_IDENTITY.service,
            session.base_region(),
            cause,
        ),
        Kind::Stopped => CollectError::Interrupted,
        Kind::Refused | Kind::Other => CollectError::UnknownCaller { code, cause },
    }
}

/// The error for a service that gives no answer.
pub(super) fn unreachable_endpoint(
    session: &Session,
    service: &str,
    region: &str,
    cause: String,
) -> CollectError {
    CollectError::Unreachable {
        endpoint: session
            .endpoint()
            .map_or_else(|| "AWS".to_owned(), |url| format!("`{url}`")),
        service: service.to_owned(),
        region: region.to_owned(),
        cause,
    }
}
