//! The clock of this machine against that of AWS, by the `Date` header of an answer.
//!
//! A signature holds for five minutes around its time ("Elements of an AWS API request signature", IAM User Guide), so a clock that
//! goes wrong looks like credentials that are wrong.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use chrono::{DateTime, Utc};

/// Seconds that the clock may be off before it is worth a warning; the network and whole seconds in headers make a few.
const TOLERABLE: u64 = 120;
/// Seconds from which on AWS refuses signatures.
const REFUSED: u64 = 300;

/// How the clock of this machine goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Seconds that it is ahead of AWS; behind when negative.
    pub ahead: i64,
}

impl Clock {
    /// Whether it is so far off that it should be set.
    pub fn is_off(self) -> bool {
        self.ahead.unsigned_abs() > TOLERABLE
    }

    /// Whether it is so far off that AWS refuses what it signs.
    pub fn breaks_signatures(self) -> bool {
        self.ahead.unsigned_abs() >= REFUSED
    }
}

/// Notes when a request was sent and which time the answer gives.
#[derive(Debug, Clone, Default)]
pub(super) struct TimeOfAnswer(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    sent: Option<DateTime<Utc>>,
    clock: Option<Clock>,
}

impl TimeOfAnswer {
    pub(super) fn read(&self) -> Option<Clock> {
        self.change(|noted| noted.clock)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Noted) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[dyn_dispatch_hint]
impl Intercept for TimeOfAnswer {
    fn name(&self) -> &'static str {
        "TimeOfAnswer"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.change(|noted| noted.sent = Some(Utc::now()));
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let arrived = Utc::now();
        let date = context.response().headers().get("date");
        self.change(|noted| {
            let sent = noted.sent.unwrap_or(arrived);
            // An answer without the header leaves what an earlier one told.
            noted.clock = date
                .and_then(|date| between(sent, arrived, date))
                .or(noted.clock);
        });
        Ok(())
    }
}

/// The clock of a machine that sent a request and got the answer at these times of its own.
fn between(sent: DateTime<Utc>, arrived: DateTime<Utc>, date: &str) -> Option<Clock> {
    let theirs = DateTime::parse_from_rfc2822(date).ok()?.with_timezone(&Utc);
    // The answer was dated somewhere between, and its date has no parts of a second.
    let ahead = if theirs > arrived {
        arrived - theirs
    } else {
        (sent - theirs - chrono::Duration::seconds(1)).max(chrono::Duration::zero())
    };
    Some(Clock {
        ahead: ahead.num_seconds(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(sent: &str, arrived: &str, date: &str) -> Option<i64> {
        let time = |text: &str| {
            DateTime::parse_from_rfc3339(&format!("2026-11-26T{text}Z"))
                .unwrap()
                .to_utc()
        };
        between(time(sent), time(arrived), date).map(|clock| clock.ahead)
    }

    #[test]
    fn a_date_between_question_and_answer_is_no_difference() {
        let date = "Thu, 26 Nov 2026 10:00:02 GMT";
        assert_eq!(ahead("10:00:00", "10:00:05", date), Some(0));
        // The header has no milliseconds.
        assert_eq!(ahead("10:00:02.900", "10:00:02.950", date), Some(0));
        assert_eq!(ahead("10:10:03", "10:10:04", date), Some(600));
        assert_eq!(ahead("09:59:00", "09:59:02", date), Some(-60));
    }

    #[test]
    fn what_is_no_date_tells_no_time() {
        for date in ["", "yesterday", "2026-11-26T10:00:00Z"] {
            assert_eq!(ahead("10:00:00", "10:00:01", date), None, "{date}");
        }
    }

    #[test]
    fn minutes_are_worth_a_warning_and_five_of_them_break_signatures() {
        let clock = |ahead| Clock { ahead };
        assert!(!clock(-120).is_off());
        assert!(clock(-121).is_off() && !clock(-121).breaks_signatures());
        assert!(clock(300).breaks_signatures() && clock(i64::MIN).breaks_signatures());
    }
}
