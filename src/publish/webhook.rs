//! Any receiver of JSON: `patscan.notifications/v1`, at most a hundred findings a request, signed where there is a key.
//!
//! The signature is over the time and the body, `HMAC-SHA256(key, timestamp + "." + body)`, so that nobody else can post and
//! nobody can post again later what they overheard. A receiver checks it, in Python, like this:
//!
//! ```python
//! def is_genuine(headers, body: bytes, key: bytes) -> bool:
//!     stamp = headers["X-Patscan-Timestamp"]
//!     mac = hmac.new(key, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
//!     fresh = abs(time.time() - int(stamp)) < 300
//!     return fresh and hmac.compare_digest("sha256=" + mac, headers["X-Patscan-Signature"])
//! ```
//!
//! `X-Patscan-Delivery` is the same for the same findings in the same state: a receiver that has seen it may pass it over.

use chrono::Utc;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::batch::{Fate, deliver, runs};
use super::destination::Address;
use super::http::Poster;
use super::notice::{Notice, text, together};
use super::{Outcome, Secret, count, hex};
use crate::report::{self, Report};

/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-patscan-signature";

const SCHEMA: &str = "patscan.notifications/v1";
/// Findings in one request.
const MOST: usize = 100;
/// Bytes of them in one request.
const ROOM: usize = 512 * 1024;
const LONGEST: usize = 128 * 1024;

pub(super) struct Webhook<'a> {
    pub(super) poster: Poster,
    pub(super) address: &'a Address,
    pub(super) secret: Option<&'a Secret>,
}

impl Webhook<'_> {
    /// Posts what is new; gives back what arrived.
    pub(super) async fn send<'n>(
        &self,
        report: &Report,
        tell: &'n [Notice<'n>],
        outcome: &mut Outcome,
    ) -> Vec<&'n Notice<'n>> {
        let mut messages: Vec<(&Notice<'_>, Value, usize)> = Vec::new();
        for notice in tell {
            match notice.message(report, LONGEST) {
                Ok(message) => {
                    let size = text(&message).len() + 1;
                    messages.push((notice, message, size));
                }
                Err(why) => outcome.fail(format!("{}: {why}", notice.finding())),
            }
        }
        let runs = runs(messages, MOST, ROOM, |(_, _, size)| *size);
        let delivered = deliver(runs, async |run: &[(&Notice<'_>, Value, usize)]| {
            let delivery = together(run.iter().map(|(notice, _, _)| notice.id.as_str()));
            let messages: Vec<&Value> = run.iter().map(|(_, message, _)| message).collect();
            let body = text(&json!({
                "schema": SCHEMA,
                "delivery": delivery,
                "generated_at": report::time(report.generated_at),
                "complete": report.complete(),
                "notifications": messages,
            }));
            let headers = || self.headers(&delivery, &body);
            self.poster
                .post(self.address, body.as_bytes(), headers)
                .await?;
            Ok(vec![Fate::Taken; run.len()])
        })
        .await;
        outcome.keep(&delivered, |(notice, _, _)| notice.finding().to_owned());
        let taken = delivered.taken.into_iter();
        let arrived: Vec<_> = taken.map(|(notice, _, _)| notice).collect();
        if !arrived.is_empty() || outcome.failed.is_empty() {
            let signed = if self.secret.is_some() {
                "signed"
            } else {
                "not signed"
            };
            let told = count(arrived.len(), "finding");
            outcome.done.push(format!("told of {told}, {signed}"));
        }
        arrived
    }

    fn headers(&self, delivery: &str, body: &str) -> Vec<(&'static str, String)> {
        let stamp = Utc::now().timestamp().to_string();
        let mut headers = vec![
            ("x-patscan-delivery", delivery.to_owned()),
            ("x-patscan-timestamp", stamp.clone()),
        ];
        if let Some(signature) = self.secret.and_then(|key| signature(key, &stamp, body)) {
            headers.push((SIGNATURE_HEADER, signature));
        }
        headers
    }
}

/// `sha256=` and the signature in hex. A key of any length will do.
fn signature(Secret(key): &Secret, stamp: &str, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [stamp, ".", body] {
        mac.update(part.as_bytes());
    }
    Some(format!("sha256={}", hex(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_other_implementations() {
        // From Python: hmac.new(b"key", b"1700000000.{}", "sha256").hexdigest()
        let key = Secret::new(b" key\n").unwrap();
        assert_eq!(
            signature(&key, "1700000000", "{}").unwrap(),
            "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
        );
        assert_eq!(format!("{key:?}"), "Secret");
        assert!(Secret::new(b" \n").is_err());
    }
}
