//! An AWS without sockets: an HTTP client that answers by plan, for tests whose clock stands still between calls.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::{Body, Frame};

use super::answer::ENDLESS;
use super::fault::Faults;
use super::{Answer, Ending, Fault, Record, Request, Seen};

/// How long every answer takes to begin.
const LATENCY: Duration = Duration::from_millis(40);
/// The time from one byte of a dripping answer to the next.
const BYTE: Duration = Duration::from_millis(100);

type Account = dyn Fn(&Request) -> Option<Answer> + Send + Sync;

/// The AWS.
#[derive(Clone)]
pub(crate) struct Memory {
    account: Arc<Account>,
    faults: Arc<Faults>,
    records: Arc<Mutex<Vec<Record>>>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Memory")
    }
}

impl Memory {
    /// What the account leaves open is answered as by an empty one; the plan says what goes wrong.
    pub(crate) fn new(
        account: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
        plan: impl Fn(&Request, Seen) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Self {
            account: Arc::new(account),
            faults: Arc::new(Faults::new(plan)),
            records: Arc::default(),
        }
    }

    pub(crate) fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Every call so far with what became of it.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    fn answer(&self, request: &HttpRequest) -> Answer {
        let header = |name: &str| request.headers().get(name).unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let request = Request::of(request.method(), request.uri(), header, body);
        let real =
            || (self.account)(&request).unwrap_or_else(|| Answer::of_empty_account(&request));
        let (answer, fault) = self.faults.answer(&request, real);
        self.records.lock().unwrap().push(Record {
            request,
            fault,
            status: answer.status,
        });
        answer
    }
}

impl HttpClient for Memory {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            aws: self.clone(),
            connect_timeout: settings.connect_timeout(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    aws: Memory,
    connect_timeout: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.aws.clone();
        let connect_timeout = self.connect_timeout;
        HttpConnectorFuture::new(async move {
            let answer = aws.answer(&request);
            tokio::time::sleep(LATENCY).await;
            match answer.ending {
                Ending::ResetBefore => Err(ConnectorError::io("connection reset".into())),
                Ending::Silent => std::future::pending().await,
                Ending::Unreachable => match connect_timeout {
                    Some(patience) => {
                        tokio::time::sleep(patience).await;
                        Err(ConnectorError::timeout("no connection".into()))
                    }
                    None => std::future::pending().await,
                },
                _ => response(answer),
            }
        })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as connectors have it")]
fn response(answer: Answer) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(answer.status).unwrap();
    let half = answer.body.len() / 2;
    let whole = Bytes::from(answer.body);
    let body = match answer.ending {
        Ending::Whole => SdkBody::from(whole.to_vec()),
        Ending::Short | Ending::ResetWithin => {
            SdkBody::from_body_1_x(Parts::of([Part::Data(whole.slice(..half)), Part::Broken]))
        }
        Ending::Dripping => {
            let bytes = (0..whole.len()).map(move |at| Part::Late(whole.slice(at..=at)));
            SdkBody::from_body_1_x(Parts::of(bytes))
        }
        Ending::Endless => {
            let more = Bytes::from(vec![b' '; 1 << 20]);
            let more = std::iter::repeat_n(Part::Data(more.clone()), ENDLESS / more.len());
            SdkBody::from_body_1_x(Parts::of(std::iter::once(Part::Data(whole)).chain(more)))
        }
        Ending::ResetBefore | Ending::Silent | Ending::Unreachable => SdkBody::empty(),
    };
    let mut response = HttpResponse::new(status, body);
    for (name, value) in answer.headers {
        response.headers_mut().insert(name.into_owned(), value);
    }
    Ok(response)
}

#[derive(Clone)]
enum Part {
    Data(Bytes),
    /// What comes only after a while.
    Late(Bytes),
    Broken,
}

/// A body that comes in parts.
struct Parts {
    parts: Box<dyn Iterator<Item = Part> + Send + Sync>,
    waiting: Option<(Pin<Box<tokio::time::Sleep>>, Bytes)>,
}

impl Parts {
    fn of(
        parts: impl IntoIterator<IntoIter = impl Iterator<Item = Part> + Send + Sync + 'static>,
    ) -> Self {
        Self {
            parts: Box::new(parts.into_iter()),
            waiting: None,
        }
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if self.waiting.is_none() {
            match self.parts.next() {
                None => return Poll::Ready(None),
                Some(Part::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Part::Broken) => {
                    let error = std::io::ErrorKind::ConnectionReset.into();
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Part::Late(data)) => {
                    self.waiting = Some((Box::pin(tokio::time::sleep(BYTE)), data));
                }
            }
        }
        if let Some((sleep, _)) = &mut self.waiting
            && sleep.as_mut().poll(context).is_pending()
        {
            return Poll::Pending;
        }
        let late = self.waiting.take().map(|(_, data)| Ok(Frame::data(data)));
        Poll::Ready(late)
    }
}
