//! The machine that follows one operation.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::LOCATION;
use http::{Request, Response, StatusCode, Uri};

use super::accept::Started;
use super::polling::{Jitter, Polling, backoff, lengthen};
use super::{Get, last_request, location, retry_after};
use crate::error::{AnswerFacts, BoxError, is_passing};
use crate::model::{Model, Reader, Snapshot, State};
use crate::{Error, ErrorKind, ResumeToken};

/// How long an operation that was just accepted may be unknown to the service. Nothing documents
/// that it happens; a replica that lags behind is what one would expect.
const GRACE: Duration = Duration::from_secs(60);

/// How often an address that answers with JSON of something else is tried again.
const TRIES_AT_A_STRANGER: u32 = 2;

/// Follows one operation: decides what to do next, and reads what comes.
///
/// Instants are values: a machine that is asked later than it wanted to be acts as late, and one
/// that is shown an earlier instant than before stays at the later one.
pub struct Poller {
    reader: &'static Reader,
    location: Arc<Uri>,
    polling: Polling,
    jitter: Jitter,
    /// What the current wait is lengthened by, in thousandths.
    lengthening: u32,
    first_retry_after: Option<Duration>,
    fresh: bool,
    created: Instant,
    /// The latest instant seen.
    now: Instant,
    sent: Option<Instant>,
    /// What `Retry-After` or a row of faults forbids to check before.
    not_before: Option<Instant>,
    changed: Instant,
    checks: u32,
    faults: u32,
    /// How many answers were JSON, and no operation, before the first that was one.
    strange: u32,
    retried: bool,
    /// The last answer: the next one is decoded only if it differs.
    body: Bytes,
    snapshot: Option<Arc<dyn Snapshot>>,
    last_fault: Option<Error>,
    /// What the answer that told of a failure said about itself.
    failure: Option<Arc<AnswerFacts>>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing, for so long.
    Wait(Duration),
    /// Send a check.
    Send,
    /// Nothing more: the operation has ended.
    Done,
    /// Nothing more: the deadline has passed, and the last check was made.
    TimedOut,
}

/// A check that brought no snapshot.
#[derive(Debug)]
pub struct Fault {
    /// Why.
    pub error: Error,
    /// Whether the machine goes on by itself: the fault is a passing one, and there were not too
    /// many in a row.
    pub retry: bool,
}

impl Poller {
    /// Follows what was started, read as an `M`. The seed decides the jitter.
    pub fn new<M: Model>(started: Started, polling: Polling, now: Instant, seed: u64) -> Self {
        Self::with_reader(Reader::of::<M>(), started, polling, now, seed)
    }

    pub(crate) fn with_reader(
        reader: &'static Reader,
        started: Started,
        polling: Polling,
        now: Instant,
        seed: u64,
    ) -> Self {
        let mut jitter = Jitter::new(seed);
        Poller {
            reader,
            location: Arc::new(started.location),
            polling,
            lengthening: jitter.draw(),
            jitter,
            first_retry_after: started.retry_after,
            fresh: started.fresh,
            created: now,
            now,
            sent: None,
            not_before: None,
            changed: now,
            checks: 0,
            faults: 0,
            strange: 0,
            retried: false,
            body: Bytes::new(),
            snapshot: None,
            last_fault: None,
            failure: None,
        }
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Instant) -> Step {
        if self.state().is_terminal() {
            return Step::Done;
        }
        let now = self.advance(now);
        let mut due = self.due();
        if let Some(deadline) = self.deadline() {
            if self.sent.is_some_and(|sent| sent >= deadline) {
                return Step::TimedOut;
            }
            due = due.min(deadline);
        }
        match due.checked_duration_since(now) {
            Some(wait) if !wait.is_zero() => Step::Wait(wait),
            _ => Step::Send,
        }
    }

    /// The check to send at `now`.
    pub fn request(&self, now: Instant) -> Request<Bytes> {
        self.get(now).into_request()
    }

    pub(crate) fn get(&self, now: Instant) -> Get {
        let now = now.max(self.now);
        let time_left = self.deadline().zip(self.polling.limit()).map(|(deadline, limit)| {
            deadline.saturating_duration_since(now).max(last_request(limit))
        });
        Get { uri: Arc::clone(&self.location), time_left }
    }

    /// Notes that a check was sent at `now`. The wait for the next one counts from here, whatever
    /// becomes of this one.
    pub fn sent(&mut self, now: Instant) {
        self.sent = Some(self.advance(now));
        self.checks = self.checks.saturating_add(1);
        self.lengthening = self.jitter.draw();
    }

    /// Takes the answer to a check, received at `now`.
    ///
    /// # Errors
    ///
    /// Any but a readable snapshot of the operation is a [`Fault`].
    pub fn received(&mut self, answer: Response<Bytes>, now: Instant) -> Result<(), Fault> {
        let now = self.advance(now);
        if !answer.status().is_success() {
            let retry = is_passing(answer.status())
                || (answer.status() == StatusCode::NOT_FOUND && self.may_be_unknown(now));
            return Err(self.fault(self.refusal(&answer), retry, now));
        }
        if answer.body() == &self.body && self.snapshot.is_some() {
            self.retried = false;
        } else {
            match self.read(answer.body()) {
                Ok(()) => self.changed = now,
                Err(error) => {
                    // A page of a proxy passes. JSON that is no operation, again and again, means
                    // that the address names something else.
                    let stranger = error.is_data() && self.snapshot.is_none();
                    self.strange = self.strange.saturating_add(stranger.into());
                    let retry = !stranger || self.strange <= TRIES_AT_A_STRANGER;
                    let error = Error::new(ErrorKind::Decode, self.unreadable(stranger))
                        .with_source(error)
                        .with_answer(&answer);
                    return Err(self.fault(error, retry, now));
                }
            }
        }
        self.faults = 0;
        self.last_fault = None;
        self.obey(retry_after::parse(answer.headers()), now);
        if self.state() == State::Failed {
            self.failure = Some(AnswerFacts::of(&answer));
        }
        self.body = answer.into_body();
        Ok(())
    }

    /// Takes the failure to send a check, or to receive its answer, at `now`.
    ///
    /// `transient` says whether another try can help.
    pub fn failed(&mut self, error: BoxError, transient: bool, now: Instant) -> Fault {
        let now = self.advance(now);
        let error = Error::of_client(error, transient);
        let retry = error.is_retryable();
        self.fault(error, retry, now)
    }

    /// Remembers a fault that is tried again: should time run out, it says why.
    pub fn remember(&mut self, fault: Error) {
        self.last_fault = Some(fault);
    }

    /// Begins a new row of faults: the last one was given to the caller, who decides what follows.
    pub fn forgive(&mut self) {
        self.faults = 0;
        self.strange = 0;
    }

    /// The error that an end has which is none of success, and that a deadline has.
    pub fn end(&mut self) -> Result<(), Error> {
        match self.state() {
            State::Succeeded => Ok(()),
            State::Failed => {
                let Some(snapshot) = &self.snapshot else { return Ok(()) };
                Err(Error::failed(snapshot, self.failure.clone())
                    .with_effort(self.waited(), self.checks))
            }
            State::Running => Err(self.timed_out()),
        }
    }

    fn timed_out(&mut self) -> Error {
        let limit = self.polling.limit().unwrap_or_default();
        let status = self.snapshot.as_ref().map_or("unknown", |snapshot| snapshot.status());
        let error = Error::new(
            ErrorKind::TimedOut,
            format!(
                "the operation did not end within {limit:?}; after {} checks its status is {status}",
                self.checks
            ),
        );
        let error = match self.last_fault.take() {
            Some(fault) => error.with_source(fault),
            None => error,
        };
        self.alive(error)
    }

    /// Completes an error that leaves the operation alive.
    fn alive(&self, error: Error) -> Error {
        error
            .with_operation(self.snapshot.as_ref())
            .with_resume_token(Some(self.resume_token()))
            .with_effort(self.waited(), self.checks)
    }

    fn fault(&mut self, error: Error, passing: bool, now: Instant) -> Fault {
        let asked = error.retry_after();
        let error = self.alive(error);
        self.faults = self.faults.saturating_add(1);
        let retry = passing && self.polling.allows(self.faults);
        let pause = backoff(self.polling.between(), self.faults);
        let sent = self.sent.unwrap_or(now);
        self.not_before = self.not_before.max(sent.checked_add(lengthen(pause, self.lengthening)));
        self.obey(asked, now);
        if !retry {
            // Whoever waits again begins a new row.
            self.forgive();
        }
        Fault { error, retry }
    }

    /// Puts the next check off for as long as the service asked, counted from `now`.
    fn obey(&mut self, retry_after: Option<Duration>, now: Instant) {
        let asked =
            retry_after.and_then(|asked| now.checked_add(lengthen(asked, self.lengthening)));
        self.not_before = self.not_before.max(asked);
    }

    /// What an answer outside of 2xx says.
    fn refusal(&self, answer: &Response<Bytes>) -> Error {
        if answer.status().is_redirection()
            && let Some(location) = answer.headers().get(LOCATION)
            && let Err(error) = location::resolve(&self.location, None, location.as_bytes())
            && error.kind() == ErrorKind::ForeignLocation
        {
            return error.with_answer(answer);
        }
        Error::rejected("the check", answer)
    }

    fn unreadable(&self, stranger: bool) -> String {
        let model = self.reader.model;
        if stranger {
            format!("the answer is no {model}: does the Location name an operation?")
        } else {
            format!("the answer is no {model}")
        }
    }

    fn may_be_unknown(&self, now: Instant) -> bool {
        self.fresh
            && self.snapshot.is_none()
            && now.saturating_duration_since(self.created) <= GRACE
    }

    /// Reads an answer that differs from the last one.
    fn read(&mut self, body: &[u8]) -> serde_json::Result<()> {
        let read = self.reader.decode(body)?;
        let before = self.snapshot.as_ref().and_then(|snapshot| snapshot.attempts());
        self.retried = before.zip(read.attempts()).is_some_and(|(before, now)| now > before);
        self.snapshot = Some(read.into());
        Ok(())
    }

    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// When the next check is to be sent, the deadline aside.
    fn due(&self) -> Instant {
        let (from, wait) = match self.sent {
            Some(sent) => (sent, self.polling.between()),
            None => (self.created, self.polling.first(self.first_retry_after)),
        };
        // An instant that no clock can show is never reached; the waits are too short for it.
        let due = from.checked_add(lengthen(wait, self.lengthening)).unwrap_or(from);
        due.max(self.not_before.unwrap_or(due))
    }

    /// How long from the latest instant seen until the next check.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let due = self.due();
        let due = self.deadline().map_or(due, |deadline| due.min(deadline));
        let last = self.sent.zip(self.deadline()).is_some_and(|(sent, deadline)| sent >= deadline);
        (!last).then(|| due.saturating_duration_since(self.now))
    }

    fn deadline(&self) -> Option<Instant> {
        self.created.checked_add(self.polling.limit()?)
    }

    /// Where the operation stands, by the last answer.
    pub fn state(&self) -> State {
        self.snapshot.as_ref().map_or(State::Running, |snapshot| snapshot.state())
    }

    /// The operation as the last answer told, if it is an `M`.
    pub fn operation<M: Model>(&self) -> Option<&M> {
        self.snapshot.as_ref()?.downcast_ref()
    }

    pub(crate) fn snapshot(&self) -> Option<&Arc<dyn Snapshot>> {
        self.snapshot.as_ref()
    }

    /// The operation's address.
    pub fn location(&self) -> &Uri {
        &self.location
    }

    pub(crate) fn shared_location(&self) -> Arc<Uri> {
        Arc::clone(&self.location)
    }

    /// How many checks were sent.
    pub fn checks(&self) -> u32 {
        self.checks
    }

    /// How long the operation has been followed, until the latest instant seen.
    pub fn waited(&self) -> Duration {
        self.now.saturating_duration_since(self.created)
    }

    /// The latest instant seen.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// How long the answers have been the same.
    pub(crate) fn unchanged_for(&self) -> Duration {
        self.now.saturating_duration_since(self.changed)
    }

    /// Whether the last answer showed that the service has tried again.
    pub(crate) fn retried(&self) -> bool {
        self.retried
    }

    /// Names the operation for another process.
    pub fn resume_token(&self) -> ResumeToken {
        ResumeToken::new(self.reader.model, Uri::clone(&self.location))
    }

    /// The policy in force.
    pub fn polling(&self) -> &Polling {
        &self.polling
    }

    /// Changes the policy, from the next decision on. The deadline still counts from the start.
    pub fn set_polling(&mut self, polling: Polling) {
        self.polling = polling;
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller")
            .field("location", &self.location)
            .field("polling", &self.polling)
            .field("checks", &self.checks)
            .field("faults", &self.faults)
            .field("snapshot", &self.snapshot)
            .finish_non_exhaustive()
    }
}
