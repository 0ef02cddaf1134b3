//! A loopback proxy before an emulator: it records every call and lets go wrong what a plan says.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::fault::Faults;
use super::request::Received;
use super::{Answer, Fault, Request, Seen};

/// A call that went through.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) request: Request,
    /// What went wrong with it.
    pub(crate) fault: Option<Fault>,
    /// Of the answer, whether or not it arrived.
    pub(crate) status: u16,
}

/// The proxy.
pub(crate) struct Proxy {
    url: String,
    records: Arc<Mutex<Vec<Record>>>,
}

impl Proxy {
    /// Starts a proxy before the server at an URL. The plan is asked about each call.
    pub(crate) fn start(
        before: &str,
        plan: impl Fn(&Request, Seen) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let records = Arc::new(Mutex::new(Vec::new()));
        let faults = Arc::new(Faults::new(plan));
        let before = before.to_owned();
        let log = Arc::clone(&records);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (faults, log) = (Arc::clone(&faults), Arc::clone(&log));
                let before = before.clone();
                // A client that goes away in the middle is no concern of the proxy.
                std::thread::spawn(move || pass(&stream, &before, &faults, &log).ok());
            }
        });
        Self { url, records }
    }

    /// Starts a proxy that only records.
    pub(crate) fn recording(before: &str) -> Self {
        Self::start(before, |_, _| None)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Every call so far with what became of it, in the order in which they were answered.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }
}

fn pass(
    stream: &TcpStream,
    before: &str,
    faults: &Faults,
    log: &Mutex<Vec<Record>>,
) -> std::io::Result<()> {
    let Some(received) = Received::read(BufReader::new(stream))? else {
        return Ok(());
    };
    let Received {
        request,
        head,
        body,
    } = &received;
    let real = || {
        Answer::forwarded(before, head, body)
            .unwrap_or_else(|error| panic!("{}: {error}", request.call()))
    };
    let (answer, fault) = faults.answer(request, real);
    log.lock().unwrap().push(Record {
        request: request.clone(),
        fault,
        status: answer.status,
    });
    answer.send(stream)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::time::Duration;

    use aws_config::retry::RetryConfig;
    use aws_config::timeout::TimeoutConfig;
    use aws_smithy_runtime_api::client::result::SdkError;
    use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
    use patscan::collect::collect;
    use serde_json::json;

    use super::*;
    use crate::emulator::{Canned, Moto, Proxy, Record, options};

    #[tokio::test]
    async fn an_account_looks_the_same_through_the_proxy() {
        let moto = Moto::start();
        moto.seed("messaging.py");
        let proxy = Proxy::recording(&moto.url());
        let regions = ["eu-west-1", "us-east-1"];
        let direct = Box::pin(collect(&options(&moto.url(), &regions).await, &())).await;
        let through = Box::pin(collect(&options(proxy.url(), &regions).await, &())).await;
        let (mut direct, mut through) = (direct.unwrap(), through.unwrap());
        through.scanned_at = direct.scanned_at;
        // When each part was read.
        direct.coverage.parts.clear();
        through.coverage.parts.clear();
        // Emulators name queues by the host that was asked.
        let text = serde_json::to_string(&through).unwrap();
        assert_eq!(
            text.replace(proxy.url(), &moto.url()),
            serde_json::to_string(&direct).unwrap()
        );
        let records = proxy.records();
        for (call, region) in [
            ("sqs:ListQueues", "eu-west-1"),
            ("sns:ListSubscriptions", "us-east-1"),
            ("s3:GetBucketPolicy", "eu-west-1"),
        ] {
            assert!(
                records
                    .iter()
                    .any(|Record { request, .. }| request.call() == call
                        && request.region == region
                        && request.access_key == "AKIDEXAMPLE"),
                "{call}"
            );
        }
        assert!(
            records
                .iter()
                .all(|record| record.fault.is_none() && record.status < 500)
        );
    }

    /// A client that asks once and waits for a second.
    async fn client(url: &str) -> aws_sdk_sqs::Client {
        let config = options(url, &[]).await.sdk_config.unwrap();
        let patience = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(1))
            .build();
        let config = config
            .into_builder()
            .endpoint_url(url)
            .retry_config(RetryConfig::disabled())
            .timeout_config(patience)
            .build();
        aws_sdk_sqs::Client::new(&config)
    }

    #[tokio::test]
    async fn each_fault_arrives_as_what_it_is() {
        let aws = Canned::start(|request| {
            (request.operation == "ListQueues")
                .then(|| Answer::ok(r#"{"QueueUrls":["https://host/queue"]}"#))
        });
        for fault in Fault::ALL {
            let proxy = Proxy::start(aws.url(), move |_, _| Some(fault));
            if fault == Fault::EndlessBody {
                continue;
            }
            let answer = client(proxy.url()).await.list_queues().send().await;
            let seen = match answer {
                Ok(page) => match (page.queue_urls().len(), page.next_token()) {
                    (1, None) => "whole".to_owned(),
                    (1, Some(_)) => "more".to_owned(),
                    (0, Some(_)) => "none, and more".to_owned(),
                    other => format!("{other:?}"),
                },
                Err(SdkError::ServiceError(context)) => {
                    let status = context.raw().status().as_u16();
                    format!("{status} {}", context.err().code().unwrap_or_default())
                }
                Err(SdkError::TimeoutError(_)) => "late".to_owned(),
                Err(SdkError::DispatchFailure(_)) => "no answer".to_owned(),
                Err(SdkError::ResponseError(_)) => "no good answer".to_owned(),
                Err(other) => format!("{other:?}"),
            };
            let expected = match fault {
                Fault::Throttled => "403 RequestThrottled",
                Fault::Server(500) => "500 InternalFailure",
                Fault::Server(502) => "502 ",
                Fault::Server(_) => "503 ServiceUnavailable",
                Fault::Denied => "403 AccessDenied",
                Fault::Expired => "403 ExpiredToken",
                Fault::ResetBefore | Fault::Unreachable => "no answer",
                Fault::ResetWithin | Fault::ShortBody => "no good answer",
                Fault::CutBody | Fault::Captive => "200 ",
                Fault::Drip => "whole",
                Fault::Silence => "late",
                Fault::EndlessBody => "",
                Fault::Redirect => "302 ",
                Fault::RepeatedToken | Fault::CycledTokens | Fault::DuplicatedPage => "more",
                Fault::EmptyPage => "none, and more",
            };
            assert_eq!(seen, expected, "{fault:?}");
            assert_eq!(proxy.records()[0].fault, Some(fault));
        }
    }

    #[tokio::test]
    async fn an_endless_body_goes_on() {
        let aws = Canned::start(|_| None);
        let proxy = Proxy::start(aws.url(), |_, _| Some(Fault::EndlessBody));
        let mut stream = TcpStream::connect(proxy.url().strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        stream.read_exact(&mut vec![0; 1 << 22]).unwrap();
    }

    #[tokio::test]
    async fn tokens_repeat_go_round_and_give_way() {
        let aws = Canned::start(|request| {
            (request.operation == "ListQueues").then(|| {
                let next = (!request.mentions("second")).then_some("second");
                Answer::ok(json!({"QueueUrls": ["q"], "NextToken": next}).to_string())
            })
        });
        for (fault, expected) in [
            (Fault::RepeatedToken, "a a a a"),
            (Fault::CycledTokens, "a b a b"),
            (Fault::DuplicatedPage, "a second - "),
            (Fault::EmptyPage, "a second - "),
        ] {
            let proxy = Proxy::start(aws.url(), move |_, seen| (seen.all == 0).then_some(fault));
            let client = client(proxy.url()).await;
            let mut token = None;
            let mut tokens = String::new();
            for _ in 0..4 {
                if tokens.ends_with("- ") {
                    break;
                }
                let page = client.list_queues().set_next_token(token).send().await;
                token = page.unwrap().next_token().map(str::to_owned);
                let shown = token.as_deref().unwrap_or("-");
                tokens.push_str(shown.rsplit('0').next().unwrap());
                tokens.push(' ');
            }
            assert_eq!(tokens.trim(), expected.trim(), "{fault:?}");
        }
    }
}
