//! The machine that reads the target. It has patience, because an operation can succeed before its
//! result can be read.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, StatusCode, Uri};

use super::attempts::Attempts;
use super::backoff::backoff;
use super::elapsed::Elapsed;
use super::fault;
use super::polling::Polling;
use super::request::Outgoing;
use super::step::{Check, Event, Machine, Reason, Step, verbs};
use crate::error::{Error, ErrorKind, is_transient_status};
use crate::printable::shown;

/// The first pause after a 404, unless the policy's interval is shorter; it doubles.
const PAUSE: Elapsed = Elapsed::from_secs(2);

/// The longest of these pauses.
const LONGEST_PAUSE: Elapsed = Elapsed::from_secs(30);

/// The least time that a request is given: patience limits the retries, not the request.
const LEAST_TIME: Elapsed = Elapsed::from_secs(30);

/// Reads the target of an operation that has succeeded, and retries while it is not available.
///
/// It retries a 404, the faults that are retried for a check, and a 2xx whose body is empty or not
/// JSON, all within [`Polling::target_patience`].
///
/// Its methods are those of every [`Machine`].
#[derive(Clone)]
pub struct Target {
    location: Uri,
    policy: Polling,
    attempts: Attempts,
    /// How many responses were 404s.
    missing: u32,
}

impl Target {
    /// Reads `location`, an address that [`resolve`](super::resolve) has checked. The seed
    /// determines the jitter. Patience begins at `now`.
    pub fn new(location: Uri, polling: Polling, now: Instant, seed: u64) -> Self {
        Target { location, policy: polling, attempts: Attempts::new(now, seed), missing: 0 }
    }

    /// What to do at `now`: wait, or send. After a response that was read, the target can be read
    /// again.
    pub fn next(&mut self, now: Instant) -> Step<'_> {
        self.attempts.advance(now);
        if let Some((wait, why)) = self.attempts.wait() {
            return Step::Wait(wait, why);
        }
        let time_left = self.patience_left();
        let get = Outgoing::Get { uri: self.location.clone(), anonymous: false };
        Step::Send(Check::new(get, Some(time_left), &mut self.attempts))
    }

    /// How long a request that was sent at the latest instant may take.
    pub(crate) fn time_left(&self) -> Duration {
        self.patience_left().into()
    }

    fn patience_left(&self) -> Elapsed {
        self.policy.patience().minus(self.attempts.now).max(LEAST_TIME)
    }

    /// Ends the wait that [`next`](Self::next) returned.
    pub fn waited(&mut self) {
        self.attempts.waited();
    }

    /// Advances the time to `now`.
    pub fn sent_at(&mut self, now: Instant) {
        self.attempts.advance(now);
    }

    /// Takes the response to a request, received at `now`.
    pub fn received(&mut self, response: Response<Bytes>, now: Instant) -> Event<Response<Bytes>> {
        self.attempts.advance(now);
        let status = response.status();
        if self.attempts.may_renew(status) {
            return Event::Unauthorized(response);
        }
        if status.is_success() {
            return Event::Received(response);
        }
        self.refused(&response)
    }

    fn refused(&mut self, response: &Response<Bytes>) -> Event<Response<Bytes>> {
        let error = fault::refused("the request for the target", Some(&self.location), response);
        match response.status() {
            StatusCode::NOT_FOUND => {
                self.missing = self.missing.saturating_add(1);
                let pause = backoff(self.pause(), self.missing).min(LONGEST_PAUSE);
                if self.put_off(pause, &error) {
                    return Event::Retrying(error);
                }
                self.begin_row();
                let waited = Duration::from(self.attempts.now);
                let message = format!(
                    "the operation succeeded, but after {waited:?} its target is still not found"
                );
                let not_ready = Error::new(ErrorKind::TargetNotReady, message)
                    .with_response(response)
                    .with_source(error);
                Event::Failed(self.attempts.with_effort(not_ready))
            }
            status => self.fault(error, is_transient_status(status)),
        }
    }

    /// Takes the failure to send a request, or to receive its response, at `now`.
    pub fn failed(&mut self, error: Error, now: Instant) -> Event<Response<Bytes>> {
        self.attempts.advance(now);
        let transient = error.is_retryable();
        self.fault(error, transient)
    }

    /// Takes back a response that could not be read as the target, because its body is empty or not
    /// JSON.
    pub fn unreadable(&mut self, error: Error) -> Event<Response<Bytes>> {
        self.fault(error, true)
    }

    fn fault(&mut self, error: Error, transient: bool) -> Event<Response<Bytes>> {
        if transient {
            let faults = self.attempts.count_fault();
            let pause = backoff(self.pause(), faults);
            if self.policy.allows(faults) && self.put_off(pause, &error) {
                return Event::Retrying(error);
            }
        }
        self.begin_row();
        Event::Failed(self.attempts.with_effort(error))
    }

    fn pause(&self) -> Elapsed {
        PAUSE.min(self.policy.between())
    }

    /// Puts the next request off by `pause`, or for as long as `error` asks; `false` if that would
    /// be after the patience has ended. A caller who continues anyway keeps the backoff.
    fn put_off(&mut self, pause: Elapsed, error: &Error) -> bool {
        let left = self.policy.patience().minus(self.attempts.now);
        let (pause, why) = self.attempts.pause(error, pause);
        // The last request is made when patience ends, unless the service asked for more.
        let last = why == Reason::Backoff && pause > left && !left.is_zero();
        let (pause, why) = if last { (left, Reason::Deadline) } else { (pause, why) };
        self.attempts.put_off(pause, why);
        pause <= left
    }

    /// Takes the result of an [`Event::Unauthorized`].
    pub fn authorized(
        &mut self,
        response: &Response<Bytes>,
        renewed: bool,
        now: Instant,
    ) -> Event<Response<Bytes>> {
        self.attempts.advance(now);
        if renewed {
            self.attempts.retry_now();
            return Event::Authorized;
        }
        self.refused(response)
    }

    /// The latest instant seen.
    pub fn latest(&self) -> Instant {
        self.attempts.latest()
    }

    /// The number of requests sent.
    pub fn requests(&self) -> u32 {
        self.attempts.sent
    }

    /// The target's address.
    pub fn location(&self) -> &Uri {
        &self.location
    }

    /// Changes the policy, from the next decision on. Patience still counts from the beginning.
    pub fn set_polling(&mut self, polling: Polling) {
        self.policy = polling;
    }

    /// Resets the counts: the fault was returned to the caller.
    fn begin_row(&mut self) {
        self.attempts.faults = 0;
        self.attempts.renewed = false;
    }
}

verbs!(Target, Response<Bytes>);

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("location", &shown(&self.location))
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
