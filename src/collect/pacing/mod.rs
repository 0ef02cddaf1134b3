//! Pacing: how fast AWS is asked, how long for, and when patscan gives up.
//!
//! Every attempt of every call passes through here, below the retries of the SDK. Each service of each region has a limiter of
//! its own, since AWS counts requests per account, region and service, and a scan works for one account. What AWS refuses for
//! coming too often waits and is sent again; a service of a region that only ever fails is given up, so that the rest of the
//! scan goes on.

mod client;
mod limiter;
mod rates;
mod throttling;
mod traffic;
mod truncation;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) use client::{GaveUp, paced};
pub(super) use traffic::Calls;
pub use traffic::{ServiceTraffic, Traffic};

use limiter::Limiter;

/// How fast AWS may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pace {
    /// The most requests in a second to one service of one region, where it is less than patscan would send by itself.
    pub max_rate: Option<MaxRate>,
    /// A quarter of what patscan would send by itself.
    pub gentle: bool,
}

/// The most requests in a second to one service of one region.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(try_from = "f64")]
pub struct MaxRate(f64);

/// Not a rate that patscan can keep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no number of requests in a second from 0.2 to 1000")]
pub struct InvalidRate(String);

impl MaxRate {
    /// The lowest. A request is signed before it waits, and AWS takes a signature for five minutes: so many must not queue for
    /// so long.
    pub const LOWEST: f64 = limiter::FLOOR;
    /// The highest.
    pub const HIGHEST: f64 = 1000.0;
}

impl TryFrom<f64> for MaxRate {
    type Error = InvalidRate;

    fn try_from(rate: f64) -> Result<Self, InvalidRate> {
        if (Self::LOWEST..=Self::HIGHEST).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(InvalidRate(rate.to_string()))
        }
    }
}

impl FromStr for MaxRate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let rate: f64 = text.parse().map_err(|_| InvalidRate(text.to_owned()))?;
        Self::try_from(rate).map_err(|_| InvalidRate(text.to_owned()))
    }
}

impl Pace {
    /// The most requests in a second to a service.
    fn ceiling(self, service: &str) -> f64 {
        let own = rates::of(service);
        let own = if self.gentle { own / 4.0 } else { own };
        let asked = self.max_rate.map_or(own, |MaxRate(rate)| rate.min(own));
        asked.max(limiter::FLOOR)
    }
}

/// How stubborn one attempt is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How often a request that AWS refused for coming too often is sent again before the SDK hears of it.
    pub(super) resends: u32,
    /// The first wait before that; each further one is twice as long.
    pub(super) backoff: Duration,
    /// How long an answer may take, with its body.
    pub(super) answer: Duration,
}

/// The limiters of one scan.
#[derive(Debug)]
pub(super) struct Pacing {
    pace: Pace,
    patience: Patience,
    limiters: Mutex<HashMap<Endpoint, Arc<Limiter>>>,
}

/// What AWS counts requests by, in an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Endpoint {
    region: String,
    service: String,
}

impl Pacing {
    pub(super) fn new(pace: Pace, patience: Patience) -> Self {
        Self {
            pace,
            patience,
            limiters: Mutex::default(),
        }
    }

    fn limiter(&self, endpoint: Endpoint) -> Arc<Limiter> {
        let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let ceiling = self.pace.ceiling(&endpoint.service);
        let limiter = limiters
            .entry(endpoint)
            .or_insert_with(|| Arc::new(Limiter::new(ceiling)));
        Arc::clone(limiter)
    }

    /// What was sent so far, by service.
    pub(super) fn traffic(&self, calls: &Calls) -> Traffic {
        let limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = limiters
            .iter()
            .map(|(endpoint, limiter)| (endpoint.service.as_str(), limiter.sent()));
        Traffic::new(calls, sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_that_can_be_kept() {
        for good in ["0.2", "1", "12.5", "1000"] {
            assert!(good.parse::<MaxRate>().is_ok(), "{good}");
        }
        for bad in ["", "0", "-1", "0.1", "1001", "NaN", "inf", "fast"] {
            assert!(bad.parse::<MaxRate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_ceiling_is_the_least_of_what_is_said_and_never_nothing() {
        let own = Pace::default().ceiling("sqs");
        let pace = |rate: &str, gentle| Pace {
            max_rate: Some(rate.parse().unwrap()),
            gentle,
        };
        assert!(pace("1000", false).ceiling("sqs") <= own);
        assert!((pace("2", false).ceiling("sqs") - 2.0).abs() < f64::EPSILON);
        assert!((pace("1000", true).ceiling("sqs") - own / 4.0).abs() < f64::EPSILON);
        assert!(pace("0.2", true).ceiling("apigateway") >= limiter::FLOOR);
    }
}
