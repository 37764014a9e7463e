//! The methods that every machine of the protocol has.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Request, Response, Uri};
use serde::Serialize;

use super::elapsed::Elapsed;
use super::recorded::Recorded;
use super::request::Outgoing;
use crate::Error;

/// A machine of the protocol: it says what to do next, and takes the result.
///
/// [`Start`](super::Start) sends a starting request, [`Poller`](super::Poller) follows the operation,
/// and [`Target`](super::Target) reads the result. All have the same methods, so that one driver
/// serves them:
///
/// ```text
///           ┌──────────────────────────── next(now) ◄───────────────────────────┐
///           │                │                      │                           │
///       Wait(time, why)   Send(check)             Done(result)                  │
///           │                │ check.request()                                  │
///         sleep              │   … send it …                                    │
///           │                ├─ response ─► received(response, now) ─┐          │
///       waited()             └─ no response ─► failed(error, now) ───┤          │
///           │                                                        ▼          │
///           │                         Received(answer) · Retrying(fault) · Failed(error)
///           │                         Unauthorized(response) ─► authorized(…) ──┤
///           └───────────────────────────────────────────────────────────────────┘
/// ```
///
/// A driver cannot forget a step: taking the request of a [`Check`] records that it was sent, a
/// wait that [`waited`](Self::waited) does not end is ended by the clock, and a 401 that
/// [`authorized`](Self::authorized) does not follow up is retried once; the next one is final.
///
/// Instants are values. A machine that is called later than it asked for acts late, and one that is
/// given an earlier instant than before keeps the later one.
pub trait Machine {
    /// The type that a response is read as.
    type Answer;

    /// What to do at `now`.
    fn next(&mut self, now: Instant) -> Step<'_>;

    /// Ends the wait that [`next`](Self::next) returned, even if the clock has not advanced: a
    /// client whose sleeps take no time polls at full speed.
    fn waited(&mut self);

    /// Moves the time at which the last request was sent to `now`, for a driver that sent the
    /// request some time after taking it. The time is never moved back.
    fn sent_at(&mut self, now: Instant);

    /// Takes the response to the last request, received at `now`.
    fn received(&mut self, response: Response<Bytes>, now: Instant) -> Event<Self::Answer>;

    /// Takes the failure to send the last request, or to receive its response, at `now`.
    ///
    /// [`Error::is_retryable`] says whether a retry can help; an error that is not an
    /// [`Error`](crate::Error) is passed as [`Error::transport`].
    fn failed(&mut self, error: Error, now: Instant) -> Event<Self::Answer>;

    /// Takes the result of an [`Event::Unauthorized`]: its response, and whether there is a new
    /// credential. If there is, [`next`](Self::next) retries the request at once; otherwise the
    /// response is final.
    fn authorized(
        &mut self,
        response: &Response<Bytes>,
        renewed: bool,
        now: Instant,
    ) -> Event<Self::Answer>;

    /// The latest instant seen; a [`waited`](Self::waited) moves it too.
    fn latest(&self) -> Instant;

    /// The number of requests sent.
    fn requests(&self) -> u32;

    /// Takes the result of the last request from the journal of an engine. `instant` translates the
    /// wall clock's time to the driver's instants.
    fn replay(
        &mut self,
        recorded: Recorded,
        instant: impl Fn(SystemTime) -> Instant,
    ) -> Event<Self::Answer>
    where
        Self: Sized,
    {
        self.sent_at(instant(recorded.sent()));
        let received = instant(recorded.received());
        match recorded.into_outcome() {
            Ok(response) => self.received(response, received),
            Err(error) => self.failed(error, received),
        }
    }
}

/// What to do next.
#[derive(Debug)]
pub enum Step<'a> {
    /// Wait this long, for this reason.
    Wait(Duration, Reason),
    /// Send a request.
    Send(Check<'a>),
    /// Nothing more: the machine has succeeded, or failed for good.
    Done(Result<(), Error>),
}

/// Why to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Reason {
    /// The first check comes after the policy's first wait.
    FirstCheck,
    /// The policy's interval between two checks.
    Interval,
    /// The service asked for it.
    RetryAfter,
    /// Backoff after faults.
    Backoff,
    /// The last check before the deadline, or the deadline itself if `Retry-After` allows no check
    /// before it. For a target, the last request, at the end of the policy's patience.
    Deadline,
    /// In a set, a check waits a moment for others, to share a request with them.
    Batch,
    /// In a set, the rate limit.
    Rate,
    /// In a set, the rate limit of one owner, such as a team.
    Owner,
}

/// A request to send.
#[must_use = "a check that is not sent is not made"]
pub struct Check<'a> {
    outgoing: Outgoing,
    time_left: Option<Elapsed>,
    note: &'a mut dyn Note,
}

/// A request that is recorded as sent.
pub(crate) struct Sent {
    outgoing: Outgoing,
    time_left: Option<Elapsed>,
}

impl Sent {
    /// A request that has already been built.
    pub(crate) fn built(
        request: Request<Bytes>,
        anonymous: bool,
        time_left: Option<Duration>,
    ) -> Self {
        let outgoing = Outgoing::Built { request: Box::new(request), anonymous };
        Sent { outgoing, time_left: time_left.map(Elapsed::from) }
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        self.outgoing.is_anonymous()
    }

    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.time_left.map(Duration::from)
    }

    pub(crate) fn into_request(self) -> Request<Bytes> {
        self.outgoing.into_request(self.time_left)
    }
}

/// Records that a request was sent.
pub(super) trait Note: Send + Sync {
    fn sent(&mut self);
}

impl<'a> Check<'a> {
    pub(super) fn new(
        outgoing: Outgoing,
        time_left: Option<Elapsed>,
        note: &'a mut dyn Note,
    ) -> Self {
        Check { outgoing, time_left, note }
    }

    /// How long the request may take; `None` without a deadline.
    pub fn time_left(&self) -> Option<Duration> {
        self.time_left.map(Duration::from)
    }

    /// Whether the request has to be sent without a credential, because it goes to a host other
    /// than the service root's; see [`Monitor::Anonymous`](crate::Monitor::Anonymous).
    pub fn is_anonymous(&self) -> bool {
        self.outgoing.is_anonymous()
    }

    /// The address alone, for a driver that builds the request itself, such as an item of a batch.
    /// The request is recorded as sent.
    pub fn into_uri(self) -> Uri {
        self.note.sent();
        self.outgoing.into_uri()
    }

    /// The request, which is recorded as sent.
    pub fn request(self) -> Request<Bytes> {
        self.into_sent().into_request()
    }

    /// The same, but built only when it is sent: until then it is smaller than a request.
    pub(crate) fn into_sent(self) -> Sent {
        self.note.sent();
        Sent { outgoing: self.outgoing, time_left: self.time_left }
    }
}

impl fmt::Debug for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("time_left", &self.time_left()).finish_non_exhaustive()
    }
}

/// The result of a request.
#[must_use = "it may contain an error"]
pub enum Event<A> {
    /// The response was read.
    Received(A),
    /// The request failed, and [`Machine::next`] says when to retry it.
    Retrying(Error),
    /// The service refused the credential. Renew it, and call [`Machine::authorized`].
    Unauthorized(Response<Bytes>),
    /// There is a new credential, and [`Machine::next`] retries the request at once.
    Authorized,
    /// The request failed, and is not retried unless the driver decides to continue.
    Failed(Error),
}

/// Shows no response: its headers and its body can contain secrets.
impl<A> fmt::Debug for Event<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Received(_) => f.write_str("Received(..)"),
            Event::Retrying(error) => f.debug_tuple("Retrying").field(error).finish(),
            Event::Unauthorized(_) => f.write_str("Unauthorized(..)"),
            Event::Authorized => f.write_str("Authorized"),
            Event::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

/// Implements [`Machine`] for a type by its own methods of the same names.
macro_rules! verbs {
    ($machine:ty, $answer:ty) => {
        impl Machine for $machine {
            type Answer = $answer;

            fn next(&mut self, now: std::time::Instant) -> Step<'_> {
                self.next(now)
            }

            fn waited(&mut self) {
                self.waited();
            }

            fn sent_at(&mut self, now: std::time::Instant) {
                self.sent_at(now);
            }

            fn received(
                &mut self,
                response: http::Response<bytes::Bytes>,
                now: std::time::Instant,
            ) -> Event<$answer> {
                self.received(response, now)
            }

            fn failed(&mut self, error: crate::Error, now: std::time::Instant) -> Event<$answer> {
                self.failed(error, now)
            }

            fn authorized(
                &mut self,
                response: &http::Response<bytes::Bytes>,
                renewed: bool,
                now: std::time::Instant,
            ) -> Event<$answer> {
                self.authorized(response, renewed, now)
            }

            fn latest(&self) -> std::time::Instant {
                self.latest()
            }

            fn requests(&self) -> u32 {
                self.requests()
            }
        }
    };
}

pub(super) use verbs;
