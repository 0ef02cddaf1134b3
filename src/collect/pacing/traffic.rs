//! What a scan sent, for whoever shares the quotas of the account with it.

use std::collections::BTreeMap;
use std::time::Duration;

/// What went to one service of one region.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    pub(super) requests: u64,
    pub(super) throttled: u64,
    pub(super) failed: u64,
    pub(super) waited: Duration,
    pub(super) time: Duration,
}

/// Calls by service, as collectors make them: however often the request for one had to be sent.
pub(in super::super) type Calls = BTreeMap<&'static str, u64>;

/// What a scan sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By service, sorted by name.
    pub services: Vec<ServiceTraffic>,
}

/// What a scan sent to one service, in all regions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceTraffic {
    /// The service namespace.
    pub service: String,
    /// API calls.
    pub calls: u64,
    /// Requests for these, with those that were sent again.
    pub requests: u64,
    /// Requests that AWS refused for coming too often.
    pub throttled: u64,
    /// Requests without an answer, and those that a service answered with an error of its own (5xx).
    pub failed: u64,
    /// How long requests waited for their turn, added up over all that waited at the same time.
    pub waited: Duration,
    /// How long requests took, added up in the same way.
    pub time: Duration,
}

impl Traffic {
    pub(super) fn new<'a>(calls: &Calls, sent: impl Iterator<Item = (&'a str, Sent)>) -> Self {
        let mut services: BTreeMap<String, ServiceTraffic> = BTreeMap::new();
        for (service, sent) in sent {
            let entry = services.entry(service.to_owned()).or_default();
            entry.requests += sent.requests;
            entry.throttled += sent.throttled;
            entry.failed += sent.failed;
            entry.waited += sent.waited;
            entry.time += sent.time;
        }
        for (&service, calls) in calls {
            services.entry(service.to_owned()).or_default().calls += calls;
        }
        let named = |(service, traffic)| ServiceTraffic { service, ..traffic };
        Self {
            services: services.into_iter().map(named).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_add_up_and_every_service_that_was_called_is_there() {
        let sent = |requests, throttled| Sent {
            requests,
            throttled,
            time: Duration::from_millis(10),
            ..Sent::default()
        };
        let calls = Calls::from([("sqs", 3), ("iam", 1)]);
        let traffic = Traffic::new(
            &calls,
            [("sqs", sent(2, 0)), ("sqs", sent(3, 2))].into_iter(),
        );
        let [iam, sqs] = traffic.services.as_slice() else {
            panic!("{traffic:?}");
        };
        assert_eq!(
            (iam.service.as_str(), iam.calls, iam.requests),
            ("iam", 1, 0)
        );
        assert_eq!((sqs.calls, sqs.requests, sqs.throttled), (3, 5, 2));
        assert_eq!(sqs.time, Duration::from_millis(20));
    }
}
