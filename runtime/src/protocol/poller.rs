//! The machine that follows one operation.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Response, StatusCode, Uri};

use super::accept::{Accepted, Origin, Started};
use super::clock::Clock;
use super::elapsed::Elapsed;
use super::fault;
use super::machine::{Fault, Next, Tracker, Unreadable};
use super::polling::Polling;
use super::request::Outgoing;
use super::retry_after;
use super::step::{Check, Event, Machine, Note, Step, verbs};
use crate::error::{Error, ErrorKind, ResponseFacts};
use crate::model::{Kept, Model, Monitor, Reader, State};
use crate::printable::{Printable, shown};
use crate::resume_token::ResumeToken;

/// Follows one operation: decides what to do next, and reads the responses.
///
/// Its methods are those of every [`Machine`].
pub struct Poller {
    pub(super) tracker: Tracker,
    pub(super) reader: &'static Reader,
    pub(super) policy: Polling,
    pub(super) clock: Clock,
    pub(super) subject: Subject,
}

/// What a poller follows.
#[derive(Clone)]
pub(crate) enum Subject {
    Operation(Arc<Origin>),
    /// Nothing: the service finished at once, with this response.
    Finished(Arc<Response<Bytes>>),
}

impl Subject {
    pub(crate) fn origin(&self) -> Option<&Arc<Origin>> {
        match self {
            Subject::Operation(origin) => Some(origin),
            Subject::Finished(_) => None,
        }
    }

    pub(crate) fn finished(&self) -> Option<&Response<Bytes>> {
        match self {
            Subject::Operation(_) => None,
            Subject::Finished(response) => Some(response),
        }
    }

    pub(crate) fn location(&self) -> Option<&Uri> {
        Some(&self.origin()?.location)
    }
}

impl Poller {
    /// Follows the operation that [`accept`](super::accept()) found, read as an `M`. The seed
    /// determines the jitter.
    pub fn new<M: Model>(
        accepted: impl Into<Accepted>,
        polling: Polling,
        now: Instant,
        seed: u64,
    ) -> Self {
        Self::with_reader(Reader::of::<M>(), accepted.into(), polling, now, seed)
    }

    pub(crate) fn with_reader(
        reader: &'static Reader,
        accepted: Accepted,
        policy: Polling,
        now: Instant,
        seed: u64,
    ) -> Self {
        let (tracker, subject) = match accepted {
            Accepted::Started(Started { origin, retry_after, fresh, age }) => {
                let retry_after = retry_after.map(Elapsed::from);
                let tracker = Tracker::new(fresh, retry_after, age.into(), seed);
                (tracker, Subject::Operation(Arc::new(origin)))
            }
            Accepted::Finished(response) => {
                let mut tracker = Tracker::new(false, None, Elapsed::ZERO, seed);
                tracker.state = State::Succeeded;
                (tracker, Subject::Finished(Arc::new(response)))
            }
        };
        let clock = Clock::new(now, tracker.now);
        Poller { tracker, reader, policy, clock, subject }
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Instant) -> Step<'_> {
        match self.tracker.next(&self.policy, self.clock.elapsed(now)) {
            Next::Wait(wait, why) => Step::Wait(wait.into(), why),
            Next::Send => match self.check() {
                Some(check) => Step::Send(check),
                None => Step::Done(Ok(())),
            },
            Next::Done => Step::Done(self.outcome()),
            Next::TimedOut => Step::Done(Err(self.timed_out())),
        }
    }

    /// A check to send at `now`, whatever the policy says; `None` after the operation has ended.
    pub fn check_now(&mut self, now: Instant) -> Option<Check<'_>> {
        self.tracker.advance(self.clock.elapsed(now));
        if self.tracker.is_ended() { None } else { self.check() }
    }

    /// How long a check that was sent at the latest instant may take.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.tracker.time_left(&self.policy).map(Duration::from)
    }

    fn check(&mut self) -> Option<Check<'_>> {
        let Subject::Operation(origin) = &self.subject else { return None };
        let time_left = self.tracker.time_left(&self.policy);
        let get = Outgoing::Get {
            uri: origin.location.clone(),
            anonymous: self.reader.monitor == Monitor::Anonymous,
        };
        Some(Check::new(get, time_left, &mut self.tracker))
    }

    /// Ends the wait that [`next`](Self::next) returned.
    pub fn waited(&mut self) {
        self.tracker.waited(&self.policy);
    }

    /// Changes the time at which the last check was sent to `now`.
    pub fn sent_at(&mut self, now: Instant) {
        self.tracker.sent_at(self.clock.elapsed(now));
    }

    /// Takes the response to a check, received at `now`.
    pub fn received(&mut self, response: Response<Bytes>, now: Instant) -> Event<()> {
        let now = self.tracker.advance(self.clock.elapsed(now));
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            if self.tracker.may_renew() {
                return Event::Unauthorized(response);
            }
        } else {
            self.tracker.forget_renewal();
        }
        if self.reader.monitor == Monitor::Anonymous
            && let Some(event) = self.received_from_monitor(&response, now)
        {
            return event;
        }
        if !status.is_success() {
            return self.refused(&response, now);
        }
        self.read(&response, now)
    }

    fn read(&mut self, response: &Response<Bytes>, now: Elapsed) -> Event<()> {
        let retry_after = retry_after::parse(response.headers()).map(Elapsed::from);
        let body = response.body();
        let keep = || body.clone();
        match self.tracker.read(self.reader, &self.policy, body, retry_after, keep, now) {
            Ok(_) => {
                if self.tracker.state == State::Failed {
                    self.tracker.keep_failure(ResponseFacts::of(response));
                }
                Event::Received(())
            }
            Err(unreadable) => self.unreadable(unreadable, response, now),
        }
    }

    /// Takes a body that could not be read.
    pub(super) fn unreadable(
        &mut self,
        unreadable: Unreadable,
        response: &Response<Bytes>,
        now: Elapsed,
    ) -> Event<()> {
        let fault = if unreadable.retryable { Fault::Transient } else { Fault::Final };
        let error = fault::unreadable(self.reader, unreadable, response);
        self.fault(error, fault, now)
    }

    /// Takes a response that means something else if it comes from a monitor on another host;
    /// `None` for other responses.
    ///
    /// Source: <https://learn.microsoft.com/graph/long-running-actions-overview>
    fn received_from_monitor(
        &mut self,
        response: &Response<Bytes>,
        now: Elapsed,
    ) -> Option<Event<()>> {
        let status = response.status();
        let redirected = status == StatusCode::SEE_OTHER;
        if redirected || status.is_server_error() {
            let summary = self.reader.summarize(response.body()).ok();
            if summary.as_ref().is_some_and(|summary| summary.state().is_terminal()) {
                return Some(self.read(response, now));
            }
            if redirected {
                // Success, whatever the Location.
                let body = summary.map(|_| response.body().clone());
                self.tracker.succeed(body, now);
                return Some(Event::Received(()));
            }
        }
        if status == StatusCode::NOT_FOUND && self.tracker.is_known() {
            let error = self.complete(fault::vanished(response)).with_resume_token(None);
            self.tracker.end(error.clone());
            return Some(Event::Failed(error));
        }
        None
    }

    fn refused(&mut self, response: &Response<Bytes>, now: Elapsed) -> Event<()> {
        let fault = self.tracker.fault_of(response.status());
        let error = fault::refused("the check", self.location(), response);
        self.fault(error, fault, now)
    }

    /// Takes the failure to send a check, or to receive its response, at `now`.
    pub fn failed(&mut self, error: Error, now: Instant) -> Event<()> {
        let now = self.tracker.advance(self.clock.elapsed(now));
        let fault = if error.is_retryable() { Fault::Transient } else { Fault::Final };
        self.fault(error, fault, now)
    }

    fn fault(&mut self, error: Error, fault: Fault, now: Elapsed) -> Event<()> {
        let retry_after = error.retry_after().map(Elapsed::from);
        let retry = self.tracker.fault(&self.policy, fault, retry_after, now);
        let error = self.complete(error);
        if retry {
            // Becomes the source of the error if the deadline passes.
            self.tracker.keep_fault(error.clone());
            Event::Retrying(error)
        } else {
            Event::Failed(error)
        }
    }

    /// Takes the result of an [`Event::Unauthorized`].
    pub fn authorized(
        &mut self,
        response: &Response<Bytes>,
        renewed: bool,
        now: Instant,
    ) -> Event<()> {
        let now = self.tracker.advance(self.clock.elapsed(now));
        if renewed {
            self.tracker.check_at_once();
            return Event::Authorized;
        }
        self.refused(response, now)
    }

    /// The fault that is being retried.
    pub fn retried_fault(&self) -> Option<&Error> {
        self.tracker.kept_fault()
    }

    /// Resets the count of consecutive faults, for a caller that decides itself whether to
    /// continue after each fault.
    pub fn reset_faults(&mut self) {
        self.tracker.begin_row();
    }

    /// The result of an operation that has ended.
    fn outcome(&self) -> Result<(), Error> {
        if let Some(error) = self.final_error() {
            return Err(error.clone());
        }
        if self.state() != State::Failed {
            return Ok(());
        }
        let facts = self.tracker.failure().cloned();
        let error = Error::failed(self.reader, self.kept(), facts);
        Err(error.with_effort(self.waited_for(), self.checks()))
    }

    pub(super) fn timed_out(&self) -> Error {
        let limit = Duration::from(self.policy.deadline().unwrap_or_default());
        let checks = match self.checks() {
            1 => "1 check".to_owned(),
            checks => format!("{checks} checks"),
        };
        let summary = self.reader.summarize(&self.tracker.body).ok();
        let status = summary.as_ref().map_or("unknown", |summary| summary.status());
        let error = Error::new(
            ErrorKind::TimedOut,
            format!(
                "the operation did not end within {limit:?}; after {checks} its status is {}",
                Printable(status)
            ),
        );
        let error = match self.tracker.kept_fault() {
            Some(fault) => error.with_source(fault.clone()),
            None => error,
        };
        self.complete(error)
    }

    /// Adds what is known about the operation to an error that does not end it.
    pub(super) fn complete(&self, error: Error) -> Error {
        error
            .with_operation(self.kept())
            .with_resume_token(self.resume_token())
            .with_effort(self.waited_for(), self.checks())
    }

    /// The last response that was read, decoded on first access.
    pub(crate) fn kept(&self) -> Option<Kept> {
        self.tracker.is_known().then(|| Kept::new(self.reader, self.tracker.body.clone()))
    }

    /// The error that ended the operation, if no response did.
    pub(crate) fn final_error(&self) -> Option<&Error> {
        self.tracker.final_error()
    }

    /// The state of the operation, according to the last response.
    pub fn state(&self) -> State {
        self.tracker.state
    }

    /// Whether the operation has ended, successfully or not.
    pub fn is_ended(&self) -> bool {
        self.tracker.is_ended()
    }

    /// The operation according to the last response, decoded as an `M`; `None` before the first
    /// response.
    pub fn operation<M: Model>(&self) -> Option<M> {
        M::from_json(self.tracker.is_known().then_some(&self.tracker.body)?).ok()
    }

    /// The operation's address; `None` if the service finished at once.
    pub fn location(&self) -> Option<&Uri> {
        self.subject.location()
    }

    pub(crate) fn origin(&self) -> Option<&Arc<Origin>> {
        self.subject.origin()
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The response of a service that finished at once; `None` if there is an operation to follow.
    pub fn finished(&self) -> Option<&Response<Bytes>> {
        self.subject.finished()
    }

    /// The number of checks sent; the same as [`checks`](Self::checks).
    pub fn requests(&self) -> u32 {
        self.checks()
    }

    /// The number of checks sent.
    pub fn checks(&self) -> u32 {
        self.tracker.checks
    }

    /// The time from the start of the operation to the latest instant seen.
    pub fn waited_for(&self) -> Duration {
        self.tracker.now.into()
    }

    /// Moves the clock: the instant that was `now` is `later` from here on. The operation's age
    /// does not change.
    pub(crate) fn move_clock(&mut self, now: Instant, later: Instant) {
        let age = self.tracker.advance(self.clock.elapsed(now));
        self.clock = Clock::new(later, age);
    }

    /// The latest instant seen.
    pub fn latest(&self) -> Instant {
        self.clock.instant(self.tracker.now)
    }

    /// How long the responses have been the same.
    pub fn unchanged_for(&self) -> Duration {
        self.tracker.unchanged_for().into()
    }

    /// Whether the last response showed that the service has retried the operation.
    pub fn is_retried(&self) -> bool {
        self.tracker.retried
    }

    /// The time from the latest instant seen to the next check, or `None` if no check follows.
    pub fn until_next(&self) -> Option<Duration> {
        Some(self.tracker.until_next(&self.policy)?.into())
    }

    /// A token with which another process can follow the operation; `None` if the service finished
    /// at once.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        Some(self.origin()?.resume_token(self.reader.model))
    }

    /// The wall-clock time at which the operation was started, if known.
    pub fn started_at(&self) -> Option<SystemTime> {
        self.origin()?.started_at
    }

    pub(crate) fn reader(&self) -> &'static Reader {
        self.reader
    }

    /// The policy in force.
    pub fn polling(&self) -> &Polling {
        &self.policy
    }

    /// Changes the policy, from the next decision on. The deadline still counts from the start.
    pub fn set_polling(&mut self, polling: Polling) {
        self.policy = polling;
    }
}

impl Note for Tracker {
    fn sent(&mut self) {
        Tracker::sent(self);
    }
}

verbs!(Poller, ());

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Poller");
        match &self.subject {
            Subject::Operation(origin) => debug
                .field("location", &shown(&origin.location))
                .field("polling", &self.policy)
                .field("checks", &self.checks())
                .field("faults", &self.tracker.faults)
                .field("operation", &self.kept()),
            Subject::Finished(response) => debug.field("finished", &response.status()),
        }
        .finish_non_exhaustive()
    }
}
