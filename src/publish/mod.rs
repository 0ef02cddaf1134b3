//! Sending a finished report to where people and programs look: AWS Security Hub, S3, SNS, EventBridge, webhooks, Slack.
//!
//! It begins when the report is complete and written, and only where somebody asked for it: a scan itself never writes to AWS.
//! Security Hub and S3 get everything that the report says; the others are told of what is new (see [`notice`]). One destination
//! that fails keeps no other from being served, and every failure is told. Nothing here decides what a finding is, and no
//! secret is shown, logged or kept.

mod batch;
mod calls;
mod destination;
mod eventbridge;
mod http;
mod notice;
mod s3;
mod security_hub;
mod sent;
mod slack;
mod sns;
mod webhook;

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::time::Instant;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

pub use self::calls::{CALLS, Call, Permission, Service, Statement, statements};
pub use self::destination::{Address, Bucket, Bus, Destination, DestinationError};
pub use self::sent::{Sent, SentError};
pub use self::webhook::SIGNATURE_HEADER;

use self::batch::{Broken, Delivered};
use self::http::Poster;
use self::notice::{About, GONE, Notice, Notices, notices};
use crate::collect::{Failure, FailureKind, Options, Session};
use crate::finding::Severity;
use crate::input::{self, LARGEST_WORD};
use crate::report::Report;

/// What to publish with.
#[derive(Debug)]
pub struct Publishing {
    /// Where to, in this order.
    pub destinations: Vec<Destination>,
    /// The least severity that is told of; Security Hub and S3 get all.
    pub least: Severity,
    /// With which credentials.
    pub options: Options,
    /// What webhooks are signed with.
    pub secret: Option<Secret>,
    /// What was told before; none where nobody keeps that.
    pub sent: Option<Sent>,
}

/// A key that signs. It is never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret of the webhook from `{}`: {why}; check the path", .path.display())]
    Unreadable {
        /// The file.
        path: std::path::PathBuf,
        /// What the system says.
        why: String,
    },
    /// There is nothing in it.
    #[error("the secret of the webhook is empty; put the key in, on one line")]
    Empty,
}

impl Secret {
    /// The key that a text is; the white space around it belongs to the file that it comes from.
    ///
    /// # Errors
    /// [`SecretError::Empty`].
    pub fn new(text: &[u8]) -> Result<Self, SecretError> {
        match text.trim_ascii() {
            [] => Err(SecretError::Empty),
            key => Ok(Self(key.to_owned())),
        }
    }

    /// The key that a file holds.
    ///
    /// # Errors
    /// [`SecretError`] says what is wrong with the file.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let text = input::read(path, LARGEST_WORD).map_err(|error| SecretError::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        Self::new(&text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What publishing to one destination came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The destination, without secrets.
    pub destination: String,
    /// What was done, a line each.
    pub done: Vec<String>,
    /// What was not, a line each, with what to do.
    pub failed: Vec<String>,
}

impl Outcome {
    /// Tells what was not taken; what one reason kept back together is told together.
    fn keep<T>(&mut self, delivered: &Delivered<T>, finding: impl Fn(&T) -> String) {
        for (item, why) in &delivered.failed {
            self.fail(format!("{}: {why}", finding(item)));
        }
        for (items, why) in &delivered.broken {
            self.fail(format!(
                "{} not taken: {why}",
                count(items.len(), "finding")
            ));
        }
    }

    fn fail(&mut self, why: impl Into<String>) {
        self.failed.push(why.into());
    }
}

/// Publishes a report. `json` is what its JSON file holds.
pub async fn publish(report: &Report, json: &[u8], publishing: &mut Publishing) -> Vec<Outcome> {
    let mut session = None;
    let mut outcomes = Vec::new();
    let Publishing {
        destinations,
        least,
        options,
        secret,
        sent,
    } = publishing;
    for destination in destinations.iter() {
        let mut outcome = Outcome {
            destination: destination.to_string(),
            ..Outcome::default()
        };
        if destination.is_aws() && session.is_none() {
            // Boxed: the state of all that finds credentials is large.
            session = Some(
                Box::pin(Session::open(options))
                    .await
                    .map_err(|error| error.to_string()),
            );
        }
        let known = sent.as_ref().map(|sent| sent.to(&destination.key()));
        let news = if destination.is_told() {
            notices(report, *least, known.as_ref())
        } else {
            Notices::default()
        };
        let told = match (destination, &session) {
            (Destination::Webhook(address), _) => match Poster::new() {
                Ok(poster) => {
                    let webhook = webhook::Webhook {
                        poster,
                        address,
                        secret: secret.as_ref(),
                    };
                    webhook.send(report, &news.tell, &mut outcome).await
                }
                Err(error) => unusable(&mut outcome, &error.to_string()),
            },
            (Destination::Slack(address), _) => match Poster::new() {
                Ok(poster) => slack::send(&poster, address, report, &news.tell, &mut outcome).await,
                Err(error) => unusable(&mut outcome, &error.to_string()),
            },
            (_, Some(Err(error))) => unusable(&mut outcome, error),
            (_, None) => unusable(&mut outcome, "there are no credentials"),
            (Destination::SecurityHub { region, account }, Some(Ok(session))) => {
                let hub = security_hub::Target {
                    region: region.as_deref(),
                    account: account.as_ref(),
                };
                Box::pin(security_hub::import(session, report, &hub, &mut outcome)).await;
                Vec::new()
            }
            (Destination::S3(bucket), Some(Ok(session))) => {
                Box::pin(s3::store(session, report, json, bucket, &mut outcome)).await;
                Vec::new()
            }
            (Destination::Sns(topic), Some(Ok(session))) => {
                Box::pin(sns::send(session, topic, report, &news.tell, &mut outcome)).await
            }
            (Destination::EventBridge(bus), Some(Ok(session))) => {
                Box::pin(eventbridge::send(
                    session,
                    bus,
                    report,
                    &news.tell,
                    &mut outcome,
                ))
                .await
            }
        };
        if destination.is_told()
            && let Some(sent) = sent.as_mut()
        {
            note(sent, destination, &news, told, &mut outcome);
        }
        outcomes.push(outcome);
    }
    outcomes
}

fn unusable<'a>(outcome: &mut Outcome, why: &str) -> Vec<&'a Notice<'a>> {
    outcome.fail(why);
    Vec::new()
}

/// Keeps what a destination was told, right after it was.
fn note(
    sent: &mut Sent,
    destination: &Destination,
    news: &Notices<'_>,
    told: Vec<&Notice<'_>>,
    outcome: &mut Outcome,
) {
    let told = told.into_iter().map(|notice| {
        let last = match notice.about {
            About::Found(_) => notice.id.clone(),
            About::Gone(_) => GONE.to_owned(),
        };
        (notice.finding().to_owned(), last)
    });
    let seed = news
        .seed
        .iter()
        .map(|(finding, id)| ((*finding).to_owned(), id.clone()));
    // What was told now is later than what was known before.
    let all: Vec<_> = seed.chain(told).collect();
    // A destination that could not be told anything the first time knows nothing yet.
    if all.is_empty() && !outcome.failed.is_empty() {
        return;
    }
    sent.note(&destination.key(), all, &news.forget);
    if let Err(error) = sent.save() {
        outcome.fail(error.to_string());
    }
}

/// Makes a call and logs it, as a scan does: service, operation, region and time, never content.
async fn made<O, E>(
    call: &Call,
    region: &str,
    request: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
) -> Result<O, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let begun = Instant::now();
    // Boxed: the state of a call is large.
    let answer = Box::pin(request).await;
    let (service, operation) = call.operation.split_once(':').unwrap_or_default();
    let error = answer.as_ref().err().map(|error| Failure::of(error).code);
    tracing::debug!(
        service,
        operation,
        region,
        ms = begun.elapsed().as_millis(),
        error,
        "call"
    );
    answer
}

/// Why a call took none of its items.
fn broken<E>(call: &Call, error: &SdkError<E, HttpResponse>) -> Broken
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let failure = Failure::of(error);
    Broken {
        why: failed(call, &failure),
        is_lasting: failure.kind != FailureKind::Other,
    }
}

/// A failed call in words, with what to do about it.
fn failed(call: &Call, failure: &Failure) -> String {
    let Failure { code, kind, cause } = failure;
    let advice = match kind {
        FailureKind::Refused => format!(
            "; attach what `patscan iam-policy --with {}` adds",
            call.service.word()
        ),
        FailureKind::Expired | FailureKind::Rejected => {
            "; log in again, and publish again".to_owned()
        }
        FailureKind::Unreachable => {
            "; check the network and the region, and publish again".to_owned()
        }
        FailureKind::Stopped | FailureKind::Other => String::new(),
    };
    format!("{} failed ({code}): {cause}{advice}", call.operation)
}

/// Bytes in words.
fn hex<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> String {
    use fmt::Write as _;

    bytes.into_iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `1 finding`, `2 findings`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}
