//! The machine that sends a starting request.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Uri};

use super::accept::{Accepted, accept_from, is_ambiguous, was_refused};
use super::answer::Answer;
use super::attempts::Attempts;
use super::backoff::backoff;
use super::clock::Clock;
use super::elapsed::Elapsed;
use super::location;
use super::polling::Polling;
use super::request::Outgoing;
use super::step::{Check, Event, Machine, Note, Step, verbs};
use crate::error::{Error, ErrorKind, is_transient_status};
use crate::model::{Model, Monitor, Reader};
use crate::printable::shown;

/// The wait after the first fault, as in Graph's own SDKs; it doubles, up to three minutes.
const PAUSE: Elapsed = Elapsed::from_secs(3);

/// Sends the request that starts an operation, and retries it where that is safe.
///
/// 429, 503 and 509 are retried, because the service refused the request. A request that may have
/// been carried out (no response, 408, 500, 502, 504) is retried only if it is idempotent. The wait
/// is `Retry-After`, or 3 seconds, doubled after each failure up to three minutes. If it would end
/// after the deadline, the start fails at once.
///
/// Its methods are those of every [`Machine`].
pub struct Start {
    pub(super) root: Uri,
    pub(super) monitor: Monitor,
    pub(super) request: Arc<Request<Bytes>>,
    pub(super) idempotent: bool,
    pub(super) policy: Polling,
    pub(super) attempts: Attempts,
    /// Whether its time runs although the request does not count as sent: a batch that contained it
    /// was refused.
    pub(super) begun: bool,
    /// How it ended.
    pub(super) done: Option<Result<(), Error>>,
}

impl Start {
    /// Sends `request`, which has to have the origin of `root`, and reads the response for a model
    /// `M`. The seed determines the jitter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ForeignLocation`](crate::ErrorKind::ForeignLocation) if the request has another
    /// origin, and [`ErrorKind::InvalidLocation`](crate::ErrorKind::InvalidLocation) if its URL
    /// holds credentials or dot segments.
    pub fn new<M: Model>(
        root: &Uri,
        request: Request<Bytes>,
        idempotent: bool,
        polling: Polling,
        now: Instant,
        seed: u64,
    ) -> Result<Self, Error> {
        Self::with_reader(Reader::of::<M>(), root, request, idempotent, polling, now, seed)
    }

    pub(crate) fn with_reader(
        reader: &'static Reader,
        root: &Uri,
        request: Request<Bytes>,
        idempotent: bool,
        policy: Polling,
        now: Instant,
        seed: u64,
    ) -> Result<Self, Error> {
        location::check(root, request.uri())?;
        Ok(Start {
            root: root.clone(),
            monitor: reader.monitor,
            request: Arc::new(request),
            idempotent,
            policy,
            attempts: Attempts::new(now, seed),
            begun: false,
            done: None,
        })
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Instant) -> Step<'_> {
        if let Some(result) = &self.done {
            return Step::Done(result.clone());
        }
        self.begin(now);
        let now = self.attempts.advance(now);
        if let Some((wait, why)) = self.attempts.wait() {
            return Step::Wait(wait, why);
        }
        let time_left = self.policy.time_left(now);
        let start = Outgoing::Start(Arc::clone(&self.request));
        Step::Send(Check::new(start, time_left, &mut self.attempts))
    }

    /// The path and query of the request's URL.
    pub(super) fn path(&self) -> &str {
        self.request.uri().path_and_query().map_or("", |path| path.as_str())
    }

    /// How long a request that is sent at `now` may take; `None` without a deadline.
    pub(super) fn time_left(&self, now: Instant) -> Option<Elapsed> {
        let elapsed =
            if self.is_begun() { self.attempts.clock.elapsed(now) } else { Elapsed::ZERO };
        self.policy.time_left(elapsed)
    }

    fn is_begun(&self) -> bool {
        self.begun || self.attempts.sent > 0
    }

    /// Time counts from when the request is first sent.
    fn begin(&mut self, now: Instant) {
        if !self.is_begun() {
            self.attempts.clock = Clock::new(now, Elapsed::ZERO);
        }
    }

    /// Records that the request is sent at `now`, perhaps in one batch with others.
    pub(super) fn sending(&mut self, now: Instant) {
        self.begin(now);
        self.attempts.advance(now);
        self.attempts.sent();
    }

    /// Takes the refusal, at `now`, of the batch with the request.
    pub(super) fn refused(&mut self, now: Instant) {
        self.begun = true;
        self.attempts.advance(now);
    }

    /// Returns the error if a retry at `until` would be after the deadline.
    pub(super) fn too_late(&self, error: &Error, until: Instant) -> Option<Error> {
        let until = self.attempts.clock.elapsed(until);
        let deadline = self.policy.deadline().filter(|_| self.is_begun())?;
        (until > deadline).then(|| self.attempts.with_effort(error.clone()))
    }

    /// Undoes the last `sending`: the request counts as not sent.
    pub(super) fn unsent(&mut self) {
        self.attempts.sent = self.attempts.sent.saturating_sub(1);
        self.attempts.retry_now();
    }

    /// Ends the wait that [`next`](Self::next) returned.
    pub fn waited(&mut self) {
        self.attempts.waited();
    }

    /// Advances the time to `now`.
    pub fn sent_at(&mut self, now: Instant) {
        self.attempts.advance(now);
    }

    /// Takes the response to the request, received at `now`.
    pub fn received(&mut self, response: Response<Bytes>, now: Instant) -> Event<Accepted> {
        self.attempts.advance(now);
        if self.attempts.may_renew(response.status()) {
            return Event::Unauthorized(response);
        }
        self.accept(response)
    }

    fn accept(&mut self, response: Response<Bytes>) -> Event<Accepted> {
        let status = response.status();
        let answer = Answer::from(response).with_url(self.request.uri().clone());
        match accept_from(&self.root, self.monitor, answer, self.idempotent) {
            Ok(accepted) => {
                self.done = Some(Ok(()));
                Event::Received(match accepted {
                    Accepted::Started(started) => started.aged(self.attempts.now.into()).into(),
                    finished @ Accepted::Finished(_) => finished,
                })
            }
            Err(error) => {
                let may_repeat = was_refused(status) || self.idempotent;
                self.fault(error, is_transient_status(status) && may_repeat)
            }
        }
    }

    /// Takes the failure to send the request, or to receive its response, at `now`.
    pub fn failed(&mut self, error: Error, now: Instant) -> Event<Accepted> {
        self.attempts.advance(now);
        let ambiguous = match error.status() {
            // The client returned a response as an error.
            Some(status) if error.kind() == ErrorKind::Rejected => is_ambiguous(status),
            _ => !error.is_not_sent(),
        };
        let may_repeat = self.idempotent || !ambiguous;
        let retry = error.is_retryable() && may_repeat;
        self.fault(if may_repeat { error } else { error.perhaps_carried_out() }, retry)
    }

    fn fault(&mut self, error: Error, retry: bool) -> Event<Accepted> {
        let faults = self.attempts.count_fault();
        let error = self.attempts.with_effort(error);
        if retry && self.policy.allows(faults) && self.put_off(&error) {
            return Event::Retrying(error);
        }
        self.done = Some(Err(error.clone()));
        Event::Failed(error)
    }

    /// Waits before the next attempt; `false` if the wait would end after the deadline.
    fn put_off(&mut self, error: &Error) -> bool {
        let (pause, why) = self.attempts.pause(error, backoff(PAUSE, self.attempts.faults));
        self.attempts.put_off(pause, why);
        self.policy.deadline().is_none_or(|deadline| self.attempts.due <= deadline)
    }

    /// Takes the result of an [`Event::Unauthorized`].
    pub fn authorized(
        &mut self,
        response: &Response<Bytes>,
        renewed: bool,
        now: Instant,
    ) -> Event<Accepted> {
        self.attempts.advance(now);
        if renewed {
            self.attempts.retry_now();
            return Event::Authorized;
        }
        self.accept(response.clone())
    }

    /// The latest instant seen.
    pub fn latest(&self) -> Instant {
        self.attempts.latest()
    }

    /// The number of requests sent.
    pub fn requests(&self) -> u32 {
        self.attempts.sent
    }

    /// How long ago the request was first sent, at the latest instant seen.
    pub fn waited_for(&self) -> Duration {
        self.attempts.now.into()
    }
}

verbs!(Start, Accepted);

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("method", self.request.method())
            .field("url", &shown(self.request.uri()))
            .field("idempotent", &self.idempotent)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
