//! One limiter: when the next request may go out, and how the rate follows what AWS answers.
//!
//! Requests leave at even distances after a short burst (the generic cell rate algorithm). The rate rises by a fixed step and
//! falls by a factor (AIMD). As in DCTCP (RFC 8257), it falls by half the share of requests that were refused rather than by
//! half at the first of them: a service that refuses a few at random is not taken for one that is overrun.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::traffic::Sent;

/// The slowest rate, in requests a second.
pub(super) const FLOOR: f64 = 0.2;
/// How much may leave at once, in seconds of the rate.
const BURST: f64 = 2.0;
/// After how long, and how many answers at least, the rate is set anew.
const WINDOW: Duration = Duration::from_secs(1);
const ENOUGH: u32 = 4;
/// By what part of the ceiling the rate rises in a second.
const STEP: f64 = 0.1;
/// After so many failures in a row, for so long, a service of a region is given up.
const FAILURES: u32 = 20;
const DEAD_AFTER: Duration = Duration::from_secs(15);
/// One failure that takes as long as an answer may is soon followed by another; where few calls are made, twenty of them would
/// take a quarter of an hour.
const SILENT_AFTER: Duration = Duration::from_mins(1);
/// Refusals for coming too often mean that somebody is served: more patience.
const STARVED_AFTER: Duration = Duration::from_secs(90);

/// How a request ended, for the limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// AWS answered, whatever it said.
    Answered,
    /// AWS says that requests come too often.
    Throttled,
    /// No answer came, or one that says that the service is out of order.
    Failed,
}

#[derive(Debug)]
pub(super) struct Limiter {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    ceiling: f64,
    rate: f64,
    /// When the next request leaves if it does not use the burst.
    next: Option<Instant>,
    window: Window,
    failures: u32,
    /// Since when nothing but failures came.
    failing_since: Option<Instant>,
    /// How long these failures took, added up.
    failed_for: Duration,
    sent: Sent,
}

#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    answers: u32,
    throttled: u32,
}

impl Limiter {
    /// A limiter that starts at its ceiling, in requests a second.
    pub(super) fn new(ceiling: f64) -> Self {
        Self {
            state: Mutex::new(State {
                ceiling,
                rate: ceiling,
                next: None,
                window: Window::default(),
                failures: 0,
                failing_since: None,
                failed_for: Duration::ZERO,
                sent: Sent::default(),
            }),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the turn of one request; false when nothing is sent there any more.
    pub(super) async fn admit(&self) -> bool {
        let now = Instant::now();
        let Some(turn) = self.change(|state| {
            let turn = state.turn(now)?;
            state.sent.waited += turn - now;
            Some(turn)
        }) else {
            return false;
        };
        if turn > now {
            tokio::time::sleep_until(turn).await;
        }
        // Others may have found out meanwhile that nobody answers.
        self.change(|state| !state.is_given_up(Instant::now()))
    }

    /// Takes note of how a request ended that took so long.
    pub(super) fn ended(&self, how: Ending, took: Duration) {
        self.change(|state| state.ended(how, took, Instant::now()));
    }

    /// What was sent so far.
    pub(super) fn sent(&self) -> Sent {
        self.change(|state| state.sent.clone())
    }
}

impl State {
    fn turn(&mut self, now: Instant) -> Option<Instant> {
        if self.is_given_up(now) {
            return None;
        }
        let distance = Duration::from_secs_f64(1.0 / self.rate);
        let burst = Duration::from_secs_f64(BURST).max(distance);
        // What was not used for longer than the burst is lost.
        let earliest = now.checked_sub(burst).unwrap_or(now);
        let next = self.next.map_or(earliest, |next| next.max(earliest)) + distance;
        self.next = Some(next);
        Some(next.max(now))
    }

    fn ended(&mut self, how: Ending, took: Duration, now: Instant) {
        self.sent.requests += 1;
        self.sent.time += took;
        match how {
            Ending::Answered => {
                self.failures = 0;
                self.failing_since = None;
                self.failed_for = Duration::ZERO;
            }
            Ending::Throttled | Ending::Failed => {
                self.failures += 1;
                self.failing_since.get_or_insert(now - took);
                self.failed_for += took;
            }
        }
        match how {
            Ending::Throttled => self.sent.throttled += 1,
            Ending::Failed => self.sent.failed += 1,
            Ending::Answered => {}
        }
        // A dead service says nothing of how fast it would like to be asked.
        if how != Ending::Failed {
            self.window.answers += 1;
            self.window.throttled += u32::from(how == Ending::Throttled);
        }
        let since = *self.window.since.get_or_insert(now);
        if now - since >= WINDOW && self.window.answers >= ENOUGH {
            self.adapt((now - since).as_secs_f64());
            self.window = Window {
                since: Some(now),
                ..Window::default()
            };
        }
    }

    /// Sets the rate for what a window of answers says, of so many seconds.
    fn adapt(&mut self, seconds: f64) {
        let refused = f64::from(self.window.throttled) / f64::from(self.window.answers);
        let mut rate = self.rate * (1.0 - refused / 2.0);
        // Where most is refused, there is nothing to reach for.
        if refused < 0.5 {
            // Of time in which nothing was asked, answers say nothing.
            let busy = seconds.min(f64::from(self.window.answers) / self.rate);
            rate += self.ceiling * STEP * busy;
        }
        self.rate = rate.clamp(FLOOR.min(self.ceiling), self.ceiling);
    }

    /// Whether only failures came for so long that nothing else is to be expected in this scan.
    fn is_given_up(&self, now: Instant) -> bool {
        let Some(since) = self.failing_since else {
            return false;
        };
        let lasted = now - since;
        if self.sent.throttled > 0 {
            return self.failures >= FAILURES && lasted >= STARVED_AFTER;
        }
        let is_dead = self.failures >= FAILURES && lasted >= DEAD_AFTER;
        // Neither two quick failures with a minute between them, nor several that took a while at the same time.
        is_dead || self.failures > 1 && lasted.min(self.failed_for) >= SILENT_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks as often as the limiter lets within so many seconds; `answer` says how each request ends. How many were answered.
    async fn ask(limiter: &Limiter, seconds: u64, mut answer: impl FnMut() -> Ending) -> u32 {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut answered = 0;
        while Instant::now() < end && limiter.admit().await {
            let ending = answer();
            answered += u32::from(ending == Ending::Answered);
            limiter.ended(ending, Duration::ZERO);
        }
        answered
    }

    fn rate(limiter: &Limiter) -> f64 {
        limiter.change(|state| state.rate)
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_burst_requests_leave_at_the_rate() {
        let limiter = Limiter::new(10.0);
        let begun = Instant::now();
        for _ in 0..20 {
            limiter.admit().await;
        }
        assert!(begun.elapsed() < Duration::from_millis(20));
        for _ in 0..30 {
            limiter.admit().await;
        }
        let elapsed = begun.elapsed().as_secs_f64();
        assert!((2.9..3.1).contains(&elapsed), "{elapsed}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_minute_buys_no_more_than_a_burst() {
        let limiter = Limiter::new(10.0);
        ask(&limiter, 5, || Ending::Answered).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        let answered = ask(&limiter, 1, || Ending::Answered).await;
        assert!((29..=32).contains(&answered), "{answered}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_third_refused_at_random_costs_no_more_than_half_of_the_rate() {
        for ceiling in [5.0, 10.0, 50.0] {
            let limiter = Limiter::new(ceiling);
            let mut count = 0_u32;
            let answered = ask(&limiter, 200, || {
                count += 1;
                if count % 10 < 3 {
                    Ending::Throttled
                } else {
                    Ending::Answered
                }
            })
            .await;
            let share = f64::from(answered) / 200.0 / ceiling;
            assert!(share > 1.0 / 2.5, "{ceiling}: {share}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_takes_little_is_asked_little_more_than_it_takes() {
        let limiter = Limiter::new(50.0);
        // It takes five requests a second.
        let (mut tokens, mut last) = (0.0, Instant::now());
        let mut sent = 0_u32;
        let mut take = |sent: &mut u32| {
            tokens = (tokens + last.elapsed().as_secs_f64() * 5.0_f64).min(5.0);
            last = Instant::now();
            *sent += 1;
            if tokens >= 1.0 {
                tokens -= 1.0;
                Ending::Answered
            } else {
                Ending::Throttled
            }
        };
        ask(&limiter, 30, || take(&mut sent)).await;
        sent = 0;
        let answered = ask(&limiter, 60, || take(&mut sent)).await;
        assert!(answered >= 240, "{answered} of what it takes");
        assert!(sent <= 700, "{sent} where 300 are taken");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_minute_is_no_reason_to_ask_faster() {
        let limiter = Limiter::new(10.0);
        ask(&limiter, 20, || Ending::Throttled).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        for _ in 0..4 {
            limiter.ended(Ending::Answered, Duration::ZERO);
        }
        assert!(rate(&limiter) < 9.0, "{}", rate(&limiter));
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_comes_back_when_nothing_is_refused_any_more() {
        let limiter = Limiter::new(10.0);
        ask(&limiter, 20, || Ending::Throttled).await;
        assert!(rate(&limiter) < 1.0, "{}", rate(&limiter));
        ask(&limiter, 60, || Ending::Answered).await;
        assert!((rate(&limiter) - 10.0).abs() < f64::EPSILON);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_service_is_given_up_and_one_that_sometimes_answers_is_not() {
        let dead = Limiter::new(10.0);
        let begun = Instant::now();
        ask(&dead, 600, || Ending::Failed).await;
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert!(!dead.admit().await);

        // Each answer is waited for in vain.
        let silent = Limiter::new(10.0);
        silent.admit().await;
        for attempt in 0..2 {
            assert!(silent.admit().await, "{attempt}");
            tokio::time::sleep(Duration::from_secs(30)).await;
            silent.ended(Ending::Failed, Duration::from_secs(30));
        }
        assert!(!silent.admit().await);

        // Out of order twice, with much time between.
        let seldom = Limiter::new(10.0);
        for attempt in 0..3 {
            assert!(seldom.admit().await, "{attempt}");
            seldom.ended(Ending::Failed, Duration::from_millis(50));
            tokio::time::sleep(Duration::from_mins(2)).await;
        }
        assert!(seldom.admit().await);

        let starved = Limiter::new(10.0);
        let begun = Instant::now();
        ask(&starved, 600, || Ending::Throttled).await;
        let elapsed = begun.elapsed();
        assert!((90..130).contains(&elapsed.as_secs()), "{elapsed:?}");

        let shaky = Limiter::new(10.0);
        let mut count = 0_u32;
        ask(&shaky, 600, || {
            count += 1;
            if count.is_multiple_of(19) {
                Ending::Answered
            } else {
                Ending::Failed
            }
        })
        .await;
        assert!(shaky.admit().await);
    }
}
