//! The attempts of a machine that sends one request until it gets the answer.

use std::time::{Duration, Instant};

use http::StatusCode;

use super::backoff::Jitter;
use super::clock::Clock;
use super::elapsed::Elapsed;
use super::step::{Note, Reason};
use crate::error::Error;

/// The attempts so far, and when the next request is due. Times count from the first request.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    pub(super) clock: Clock,
    pub(super) now: Elapsed,
    pub(super) due: Elapsed,
    pub(super) why: Reason,
    pub(super) sent: u32,
    pub(super) faults: u32,
    /// Whether the credential was renewed after a 401, and no other response has come since.
    pub(super) renewed: bool,
    pub(super) jitter: Jitter,
}

impl Attempts {
    pub(super) fn new(now: Instant, seed: u64) -> Self {
        Attempts {
            clock: Clock::new(now, Elapsed::ZERO),
            now: Elapsed::ZERO,
            due: Elapsed::ZERO,
            why: Reason::Backoff,
            sent: 0,
            faults: 0,
            renewed: false,
            jitter: Jitter::new(seed),
        }
    }

    /// The later of `now` and the latest time seen.
    pub(super) fn advance(&mut self, now: Instant) -> Elapsed {
        self.now = self.now.max(self.clock.elapsed(now));
        self.now
    }

    pub(super) fn latest(&self) -> Instant {
        self.clock.instant(self.now)
    }

    /// How long the next request has to wait, and why; `None` if it is due.
    pub(super) fn wait(&self) -> Option<(Duration, Reason)> {
        (self.due > self.now).then(|| (self.due.minus(self.now).into(), self.why))
    }

    /// Ends the wait.
    pub(super) fn waited(&mut self) {
        self.now = self.now.max(self.due);
    }

    /// Whether to renew the credential after a response with this status: after the first of
    /// consecutive 401s.
    pub(super) fn may_renew(&mut self, status: StatusCode) -> bool {
        let refused = status == StatusCode::UNAUTHORIZED;
        let renewed = std::mem::replace(&mut self.renewed, refused);
        refused && !renewed
    }

    /// Counts a fault, and returns how many there were in a row.
    pub(super) fn count_fault(&mut self) -> u32 {
        self.faults = self.faults.saturating_add(1);
        self.faults
    }

    /// The pause after an error, and its reason: what the service asked for, or `backoff`.
    pub(super) fn pause(&mut self, error: &Error, backoff: Elapsed) -> (Elapsed, Reason) {
        let (pause, why) = match error.retry_after() {
            Some(asked) => (asked.into(), Reason::RetryAfter),
            None => (backoff, Reason::Backoff),
        };
        (pause.lengthened(self.jitter.draw()), why)
    }

    /// Puts the next request off by `pause`.
    pub(super) fn put_off(&mut self, pause: Elapsed, why: Reason) {
        (self.due, self.why) = (self.now.plus(pause), why);
    }

    /// Makes the next request due.
    pub(super) fn retry_now(&mut self) {
        self.due = self.now;
    }

    pub(super) fn with_effort(&self, error: Error) -> Error {
        error.with_effort(self.now.into(), self.sent)
    }
}

impl Note for Attempts {
    fn sent(&mut self) {
        self.sent = self.sent.saturating_add(1);
    }
}
