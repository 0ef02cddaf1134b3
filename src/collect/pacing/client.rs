//! The HTTP client of the SDK, paced: each attempt waits for its turn, takes no longer than it may, and reads no more than an
//! answer of AWS can hold.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::time::Instant;

use super::limiter::{Ending, Limiter};
use super::throttling::is_throttled;
use super::truncation::is_truncated;
use super::{Endpoint, Pacing};

/// No answer of AWS to a read comes near it; what is longer comes from something else.
const LARGEST_ANSWER: usize = 64 << 20;
/// A request is signed once and then waits, and AWS takes a signature for five minutes.
const SIGNATURE_LASTS: Duration = Duration::from_mins(2);

/// The longest wait before a request is sent again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// Nothing is sent to a service of a region any more, since it did not answer for so long.
#[derive(Debug, thiserror::Error)]
#[error("{service} in {region} was given up: nothing but failures came from there")]
pub(in super::super) struct GaveUp {
    service: String,
    region: String,
}

/// What can be wrong with an answer beyond what the SDK tells.
#[derive(Debug, thiserror::Error)]
enum BadAnswer {
    #[error("no complete answer within {} s", .0.as_secs())]
    TooSlow(Duration),
    #[error("the answer is longer than {} MiB", LARGEST_ANSWER >> 20)]
    TooLong,
    #[error("the answer breaks off")]
    Truncated,
}

/// The client, paced.
pub(in super::super) fn paced(inner: SharedHttpClient, pacing: Arc<Pacing>) -> SharedHttpClient {
    SharedHttpClient::new(PacedClient { inner, pacing })
}

#[derive(Debug)]
struct PacedClient {
    inner: SharedHttpClient,
    pacing: Arc<Pacing>,
}

impl HttpClient for PacedClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(PacedConnector {
            inner: self.inner.http_connector(settings, components),
            pacing: Arc::clone(&self.pacing),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct PacedConnector {
    inner: SharedHttpConnector,
    pacing: Arc<Pacing>,
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = self.inner.clone();
        let pacing = Arc::clone(&self.pacing);
        HttpConnectorFuture::new(async move {
            match Endpoint::of(&request) {
                Some(endpoint) => send(&inner, request, &pacing, endpoint).await,
                // Not signed, so no call of a scan.
                None => answer(&inner, request, pacing.patience.answer).await,
            }
        })
    }
}

impl Endpoint {
    /// From the credential scope of the signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
    fn of(request: &HttpRequest) -> Option<Self> {
        let authorization = request.headers().get("authorization")?;
        let (_, credential) = authorization.split_once("Credential=")?;
        let scope = credential.split(',').next()?;
        let mut parts = scope.split('/').skip(2);
        let (region, service) = (parts.next()?, parts.next()?);
        Some(Self {
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }
}

/// Sends a request when its turn has come, and once more each time that it comes too often for AWS.
async fn send(
    inner: &SharedHttpConnector,
    mut request: HttpRequest,
    pacing: &Pacing,
    endpoint: Endpoint,
) -> Result<HttpResponse, ConnectorError> {
    let limiter = pacing.limiter(endpoint.clone());
    let patience = pacing.patience;
    let signed = Instant::now();
    let mut backoff = patience.backoff;
    let mut resends = 0;
    loop {
        if !limiter.admit().await {
            let Endpoint { region, service } = endpoint;
            return Err(ConnectorError::other(
                GaveUp { service, region }.into(),
                None,
            ));
        }
        let copy = request.try_clone();
        let answer = timed(inner, request, &limiter, patience.answer).await;
        let again = resends < patience.resends && signed.elapsed() + backoff < SIGNATURE_LASTS;
        match copy {
            Some(copy) if again && matches!(&answer, Ok(answer) if says_throttled(answer)) => {
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(LONGEST_BACKOFF);
                resends += 1;
                request = copy;
            }
            _ => return answer,
        }
    }
}

/// Sends a request now and tells the limiter how it went.
async fn timed(
    inner: &SharedHttpConnector,
    request: HttpRequest,
    limiter: &Limiter,
    patience: Duration,
) -> Result<HttpResponse, ConnectorError> {
    let begun = Instant::now();
    let answer = answer(inner, request, patience).await;
    let ending = match &answer {
        Ok(answer) if says_throttled(answer) => Ending::Throttled,
        Ok(answer) if answer.status().is_server_error() => Ending::Failed,
        Ok(_) => Ending::Answered,
        Err(_) => Ending::Failed,
    };
    limiter.ended(ending, begun.elapsed());
    answer
}

fn says_throttled(answer: &HttpResponse) -> bool {
    is_throttled(
        answer.status().as_u16(),
        answer.headers().get("x-amzn-errortype"),
        answer.body().bytes().unwrap_or_default(),
    )
}

/// The whole answer, body and all.
async fn answer(
    inner: &SharedHttpConnector,
    request: HttpRequest,
    patience: Duration,
) -> Result<HttpResponse, ConnectorError> {
    // What stores something may be answered by nothing but a status.
    let reads = request.method() != "PUT";
    let whole = async {
        let mut answer = inner.call(request).await?;
        let body = read(std::mem::replace(answer.body_mut(), SdkBody::taken())).await?;
        if reads && answer.status().is_success() && body.bytes().is_some_and(is_truncated) {
            // As if the connection had broken: worth another attempt.
            return Err(ConnectorError::io(BadAnswer::Truncated.into()));
        }
        *answer.body_mut() = body;
        Ok(answer)
    };
    match tokio::time::timeout(patience, whole).await {
        Ok(answer) => answer,
        Err(_) => Err(ConnectorError::timeout(BadAnswer::TooSlow(patience).into())),
    }
}

async fn read(body: SdkBody) -> Result<SdkBody, ConnectorError> {
    if body.bytes().is_some() {
        return Ok(body);
    }
    let mut stream = ByteStream::new(body);
    let mut whole = Vec::new();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| ConnectorError::io(error.into()))?;
        if whole.len() + part.len() > LARGEST_ANSWER {
            return Err(ConnectorError::other(BadAnswer::TooLong.into(), None));
        }
        whole.extend_from_slice(&part);
    }
    Ok(SdkBody::from(whole))
}
