//! Posting to what is no AWS service: over the connector that the AWS clients use, with its proxies and its trust.
//!
//! No redirect is followed: it would carry findings, and the secret in an address, to where nobody sent them. What fails for
//! now (no connection, 429, 5xx) is tried again a few times, after as long as the answer asks for.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use chrono::{DateTime, Utc};

use super::batch::Broken;
use super::destination::Address;
use crate::collect::{self, CollectError};
use crate::report::sanitise;

const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest that an answer may ask to wait.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// From connecting to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Of an answer that says what is wrong, as much is shown.
const SHOWN: usize = 200;

/// Posts.
pub(super) struct Poster {
    connector: Connector,
}

/// An answer, as far as it matters.
struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    text: String,
}

impl Poster {
    pub(super) fn new() -> Result<Self, CollectError> {
        Ok(Self {
            connector: collect::connector()?,
        })
    }

    /// Posts JSON until it is taken. `headers` are made anew for each attempt, as a signature over the time must be.
    ///
    /// # Errors
    /// Why it was not taken, in words that show no secret. It lasts where nobody answers for all the attempts.
    pub(super) async fn post(
        &self,
        to: &Address,
        body: &[u8],
        headers: impl Fn() -> Vec<(&'static str, String)>,
    ) -> Result<(), Broken> {
        let now = |why| Broken {
            why,
            is_lasting: false,
        };
        let lasting = |why| Broken {
            why,
            is_lasting: true,
        };
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let (why, asked) = match self.attempt(to, body, headers()).await {
                Ok(Answer { status, .. }) if (200..300).contains(&status) => return Ok(()),
                Ok(Answer {
                    status: status @ (429 | 500 | 502 | 503 | 504),
                    retry_after,
                    ..
                }) => (format!("it answers {status}"), retry_after),
                Ok(Answer {
                    status: status @ 300..400,
                    ..
                }) => {
                    return Err(lasting(format!(
                        "it answers {status} and sends elsewhere, which is not followed; give the final address"
                    )));
                }
                Ok(Answer { status, text, .. }) => {
                    let told = if text.is_empty() {
                        "nothing more"
                    } else {
                        &text
                    };
                    return Err(now(format!("it answers {status}, and says: {told}")));
                }
                Err(why) => (why, None),
            };
            if attempt == ATTEMPTS {
                return Err(lasting(format!(
                    "{why}, and did so {ATTEMPTS} times; publish again later"
                )));
            }
            if let Some(asked) = asked.filter(|asked| *asked > LONGEST_PAUSE) {
                let seconds = asked.as_secs();
                return Err(lasting(format!(
                    "{why} and asks to wait {seconds} seconds; publish again later"
                )));
            }
            tokio::time::sleep(asked.unwrap_or(pause)).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn attempt(
        &self,
        to: &Address,
        body: &[u8],
        headers: Vec<(&'static str, String)>,
    ) -> Result<Answer, String> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        let invalid = "the address cannot be used in a request";
        request.set_method("POST").map_err(|_| invalid)?;
        request.set_uri(to.secret()).map_err(|_| invalid)?;
        let length = body.len().to_string();
        let fixed = [
            ("content-type", "application/json".to_owned()),
            ("content-length", length),
            (
                "user-agent",
                concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
            ),
        ];
        for (name, value) in fixed.into_iter().chain(headers) {
            let inserted = request.headers_mut().try_insert(name, value);
            inserted.map_err(|_| "a header of the request cannot be written")?;
        }
        // Errors of the connection may repeat the address, so what they say in their own words stays unsaid.
        let answer = tokio::time::timeout(TIMEOUT, async {
            let answer = self.connector.call(request).await.map_err(|error| {
                if error.is_timeout() {
                    "it does not answer in time"
                } else {
                    "no connection to it can be made"
                }
            })?;
            let status = answer.status().as_u16();
            let retry_after = answer.headers().get("retry-after").and_then(waiting_time);
            let mut text = Vec::new();
            let mut body = ByteStream::new(answer.into_body());
            // Half an answer whose status is known is answer enough.
            while text.len() < SHOWN
                && let Some(Ok(part)) = body.next().await
            {
                text.extend_from_slice(&part);
            }
            let text: String = String::from_utf8_lossy(&text).chars().take(SHOWN).collect();
            Ok::<_, &str>(Answer {
                status,
                retry_after,
                text: sanitise(text.trim()).into_owned(),
            })
        });
        Ok(answer.await.unwrap_or(Err("it does not answer in time"))?)
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn waiting_time(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    let left = then.to_utc() - Utc::now();
    Some(left.to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(waiting_time(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(
            waiting_time("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::ZERO)
        );
        let soon = (Utc::now() + chrono::TimeDelta::seconds(90)).to_rfc2822();
        let wait = waiting_time(&soon).unwrap();
        assert!((80..=90).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(waiting_time("soon"), None);
    }
}
