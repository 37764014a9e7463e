//! The machine as plain data, for drivers that keep it between two steps.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Response, StatusCode, Uri};
use serde::{Deserialize, Serialize};

use super::accept::Origin;
use super::backoff::Jitter;
use super::elapsed::Elapsed;
use super::location;
use super::machine::{Rare, Tracker};
use super::poller::{Clock, Poller, Subject};
use super::polling::Polling;
use crate::error::{Error, ErrorKind, ResponseFacts};
use crate::model::{Model, Monitor, Reader, State};

pub(super) const VERSION: u32 = 1;

/// A [`Poller`] as plain data: what [`Poller::save`] returns and [`Poller::restore`] takes.
///
/// It contains no credential of the client. It contains everything that decides: the policy, the
/// deadline, the count of faults, the jitter and the last response. Times are durations since the
/// start.
///
/// Like a [`ResumeToken`](crate::ResumeToken) of the same operation, it is a secret if the
/// operation's address is one.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    version: u32,
    model: String,
    policy: Polling,
    subject: SavedSubject,
    tracker: SavedTracker,
}

/// What decides about one operation. What is as in a new one is not written.
#[allow(clippy::struct_excessive_bools, reason = "they are those of the machine")]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SavedTracker {
    pub(super) now: Elapsed,
    #[serde(skip_serializing_if = "is_default")]
    begun: Elapsed,
    #[serde(skip_serializing_if = "is_default")]
    sent: Option<Elapsed>,
    #[serde(skip_serializing_if = "is_default")]
    not_before: Elapsed,
    #[serde(skip_serializing_if = "is_default")]
    changed: Elapsed,
    jitter: u64,
    lengthening: u16,
    early: u16,
    #[serde(skip_serializing_if = "is_default")]
    checks: u32,
    #[serde(skip_serializing_if = "is_default")]
    faults: u32,
    #[serde(skip_serializing_if = "is_default")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "is_default")]
    other_json: u8,
    #[serde(skip_serializing_if = "is_default")]
    state: SavedState,
    #[serde(skip_serializing_if = "is_default")]
    asked: bool,
    #[serde(skip_serializing_if = "is_default")]
    fresh: bool,
    #[serde(skip_serializing_if = "is_default")]
    retried: bool,
    #[serde(skip_serializing_if = "is_default")]
    renewed: bool,
    #[serde(skip_serializing_if = "is_default")]
    at_once: bool,
    #[serde(skip_serializing_if = "is_default")]
    body: SavedBody,
    #[serde(skip_serializing_if = "is_default")]
    first_retry_after: Option<Elapsed>,
    #[serde(skip_serializing_if = "is_default")]
    fault: Option<SavedError>,
    #[serde(skip_serializing_if = "is_default")]
    ended: Option<SavedError>,
    #[serde(skip_serializing_if = "is_default")]
    failure: Option<SavedFacts>,
}

/// Whether a property need not be written.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum SavedSubject {
    #[serde(rename_all = "camelCase")]
    Operation {
        location: String,
        #[serde(default, skip_serializing_if = "is_default")]
        request_id: Option<Box<str>>,
        #[serde(default, skip_serializing_if = "is_default")]
        client_request_id: Option<Box<str>>,
        #[serde(default, skip_serializing_if = "is_default")]
        content_location: Option<Box<str>>,
        #[serde(default, skip_serializing_if = "is_default")]
        started_at: Option<Duration>,
    },
    Finished {
        status: u16,
        body: SavedBody,
    },
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SavedState {
    #[default]
    Running,
    Succeeded,
    Failed,
}

/// Text as such, anything else byte by byte.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SavedBody {
    Text(String),
    Bytes(Vec<u8>),
}

impl Default for SavedBody {
    fn default() -> Self {
        SavedBody::Text(String::new())
    }
}

impl From<&Bytes> for SavedBody {
    fn from(body: &Bytes) -> Self {
        match std::str::from_utf8(body) {
            Ok(text) => SavedBody::Text(text.to_owned()),
            Err(_) => SavedBody::Bytes(body.to_vec()),
        }
    }
}

impl From<SavedBody> for Bytes {
    fn from(body: SavedBody) -> Self {
        match body {
            SavedBody::Text(text) => text.into(),
            SavedBody::Bytes(bytes) => bytes.into(),
        }
    }
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedError {
    kind: ErrorKind,
    message: String,
}

impl From<&Error> for SavedError {
    fn from(error: &Error) -> Self {
        SavedError { kind: error.kind(), message: error.to_string() }
    }
}

impl From<SavedError> for Error {
    fn from(error: SavedError) -> Self {
        Error::new(error.kind, error.message)
    }
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedFacts {
    status: u16,
    request_id: Option<String>,
    client_request_id: Option<String>,
    date: Option<String>,
}

impl SavedSubject {
    pub(super) fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Operation(origin) => SavedSubject::Operation {
                location: origin.location.to_string(),
                request_id: origin.request_id.clone(),
                client_request_id: origin.client_request_id.clone(),
                content_location: origin.content_location.clone(),
                started_at: origin
                    .started_at
                    .and_then(|instant| instant.duration_since(UNIX_EPOCH).ok()),
            },
            Subject::Finished(response) => SavedSubject::Finished {
                status: response.status().as_u16(),
                body: response.body().into(),
            },
        }
    }

    /// What was saved, if its address is one for this root.
    pub(super) fn restored(self, reader: &Reader, root: &Uri) -> Result<Subject, Error> {
        Ok(match self {
            SavedSubject::Operation {
                location,
                request_id,
                client_request_id,
                content_location,
                started_at,
            } => Subject::Operation(
                Origin {
                    request_id,
                    client_request_id,
                    content_location,
                    started_at: started_at.and_then(|after| UNIX_EPOCH.checked_add(after)),
                    ..Origin::at(located(reader, root, &location)?)
                }
                .into(),
            ),
            SavedSubject::Finished { status, body } => {
                let mut response = Response::new(body.into());
                *response.status_mut() = status_of(status)?;
                Subject::Finished(response.into())
            }
        })
    }
}

impl SavedTracker {
    pub(super) fn of(tracker: &Tracker) -> Self {
        let rare = tracker.rare.as_deref();
        SavedTracker {
            now: tracker.now,
            begun: tracker.begun,
            sent: tracker.sent,
            not_before: tracker.not_before,
            changed: tracker.changed,
            jitter: tracker.jitter.state(),
            lengthening: tracker.lengthening,
            early: tracker.early,
            checks: tracker.checks,
            faults: tracker.faults,
            attempts: tracker.attempts,
            other_json: tracker.other_json,
            state: match tracker.state {
                State::Running => SavedState::Running,
                State::Succeeded => SavedState::Succeeded,
                State::Failed => SavedState::Failed,
            },
            asked: tracker.asked,
            fresh: tracker.fresh,
            retried: tracker.retried,
            renewed: tracker.renewed,
            at_once: tracker.at_once,
            body: (&tracker.body).into(),
            first_retry_after: rare.and_then(|rare| rare.first_retry_after),
            fault: rare.and_then(|rare| Some(rare.fault.as_ref()?.into())),
            ended: rare.and_then(|rare| Some(rare.ended.as_ref()?.into())),
            failure: rare.and_then(|rare| {
                let facts = rare.failure.as_deref()?;
                Some(SavedFacts {
                    status: facts.status.as_u16(),
                    request_id: facts.request_id.clone(),
                    client_request_id: facts.client_request_id.clone(),
                    date: facts.date.clone(),
                })
            }),
        }
    }

    pub(super) fn restored(self) -> Result<Tracker, Error> {
        let failure = match self.failure {
            Some(facts) => Some(ResponseFacts::saved(
                status_of(facts.status)?,
                facts.request_id,
                facts.client_request_id,
                facts.date,
            )),
            None => None,
        };
        let rare = Rare {
            first_retry_after: self.first_retry_after,
            fault: self.fault.map(Error::from),
            failure,
            ended: self.ended.map(Error::from),
        };
        Ok(Tracker {
            now: self.now,
            begun: self.begun,
            sent: self.sent,
            not_before: self.not_before,
            changed: self.changed,
            jitter: Jitter::new(self.jitter),
            body: self.body.into(),
            rare: (!rare.is_empty()).then(|| Box::new(rare)),
            checks: self.checks,
            faults: self.faults,
            attempts: self.attempts,
            lengthening: self.lengthening,
            early: self.early,
            other_json: self.other_json,
            state: match self.state {
                SavedState::Running => State::Running,
                SavedState::Succeeded => State::Succeeded,
                SavedState::Failed => State::Failed,
            },
            asked: self.asked,
            fresh: self.fresh,
            retried: self.retried,
            renewed: self.renewed,
            at_once: self.at_once,
        })
    }
}

/// The reader of a model `M`, if that is what was saved, in the version that this library writes.
pub(super) fn reader<M: Model>(version: u32, model: &str) -> Result<&'static Reader, Error> {
    let reader = Reader::of::<M>();
    if version != VERSION {
        return Err(refused("the saved machine is of a version that this library does not know"));
    }
    if model != reader.model {
        return Err(refused("the saved machine is of another model"));
    }
    Ok(reader)
}

impl Poller {
    /// The machine in plain data. Nothing is lost by saving it at any step.
    pub fn save(&self) -> Saved {
        Saved {
            version: VERSION,
            model: self.reader.model.to_owned(),
            policy: self.policy,
            subject: SavedSubject::of(&self.subject),
            tracker: SavedTracker::of(&self.tracker),
        }
    }

    /// The machine that was saved, for a service root. `now` is the instant at which it was saved, by
    /// the driver's clock: a driver that was away shows it later instants afterwards, and the time
    /// counts.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use graph_operation::TeamsAsyncOperation;
    /// use graph_operation::protocol::{Poller, Saved, Started, Step};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let root = "https://graph.microsoft.com/v1.0".parse()?;
    /// let address = "https://graph.microsoft.com/v1.0/teams('1')/operations('2')".parse()?;
    /// let started = Started::at(address);
    /// let now = Instant::now();
    /// let mut poller = Poller::new::<TeamsAsyncOperation>(started, Default::default(), now, 7);
    /// let Step::Wait(pause, _) = poller.next(now) else { unreachable!() };
    /// let saved = serde_json::to_string(&poller.save())?; // and the wall clock's time
    ///
    /// // In another process, after the pause:
    /// let saved: Saved = serde_json::from_str(&saved)?;
    /// let base = Instant::now();
    /// let mut poller = Poller::restore::<TeamsAsyncOperation>(saved, &root, base)?;
    /// assert!(matches!(poller.next(base + pause), Step::Send(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidToken`] if the machine is of an unknown version, of another model, or of
    /// another origin than `root`.
    pub fn restore<M: Model>(saved: Saved, root: &Uri, now: Instant) -> Result<Self, Error> {
        let reader = reader::<M>(saved.version, &saved.model)?;
        let tracker = saved.tracker.restored()?;
        Ok(Poller {
            clock: Clock::new(now, tracker.now),
            tracker,
            reader,
            policy: saved.policy,
            subject: saved.subject.restored(reader, root)?,
        })
    }
}

/// Checks an address that was written down by this library.
pub(crate) fn located(reader: &Reader, root: &Uri, text: &str) -> Result<Uri, Error> {
    let located = match reader.monitor {
        Monitor::Anonymous => location::resolve_anonymous(text.as_bytes()),
        Monitor::ServiceRoot => location::resolve(root, None, text.as_bytes()),
    };
    located.map_err(|error| {
        let message = match error.kind() {
            ErrorKind::ForeignLocation => "the operation is of another service root",
            _ => "the operation's address is not usable",
        };
        refused(message).with_source(error)
    })
}

pub(super) fn status_of(code: u16) -> Result<StatusCode, Error> {
    StatusCode::from_u16(code).map_err(|error| refused("a status is not one").with_source(error))
}

pub(super) fn refused(message: &str) -> Error {
    Error::new(ErrorKind::InvalidToken, message)
}

/// Without the address and the response.
impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved")
            .field("model", &self.model)
            .field("policy", &self.policy)
            .field("now", &Duration::from(self.tracker.now))
            .field("checks", &self.tracker.checks)
            .field("faults", &self.tracker.faults)
            .finish_non_exhaustive()
    }
}

/// The result of a request as plain data, for the journal of an engine.
///
/// A step of an engine sends the request of a [`Check`](super::Check) and returns this; the instants
/// come from inside the step. [`Machine::replay`](super::Machine::replay) takes it from the journal.
///
/// Only the headers that the protocol reads are kept. The body can be private.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    sent: Duration,
    received: Duration,
    outcome: RecordedOutcome,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RecordedOutcome {
    Response {
        status: u16,
        headers: Vec<(String, String)>,
        body: SavedBody,
    },
    #[serde(rename_all = "camelCase")]
    NoResponse {
        message: String,
        retryable: bool,
        not_sent: bool,
    },
}

/// The headers that the protocol reads.
const HEADERS: [&str; 9] = [
    "location",
    "operation-location",
    "content-location",
    "retry-after",
    "date",
    "request-id",
    "client-request-id",
    "www-authenticate",
    "content-type",
];

impl Recorded {
    /// The result of sending a request, with the wall clock's time before and after it.
    pub fn new(
        outcome: &Result<Response<Bytes>, Error>,
        sent: SystemTime,
        received: SystemTime,
    ) -> Self {
        let outcome = match outcome {
            Ok(response) => RecordedOutcome::Response {
                status: response.status().as_u16(),
                headers: response
                    .headers()
                    .iter()
                    .filter(|(name, _)| HEADERS.contains(&name.as_str()))
                    .filter_map(|(name, value)| {
                        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
                    })
                    .collect(),
                body: response.body().into(),
            },
            Err(error) => RecordedOutcome::NoResponse {
                message: format!("{error:#}"),
                retryable: error.is_retryable(),
                not_sent: error.is_not_sent(),
            },
        };
        let since_epoch = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Recorded { sent: since_epoch(sent), received: since_epoch(received), outcome }
    }

    /// When the request was sent, by the wall clock.
    pub fn sent(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(self.sent).unwrap_or(UNIX_EPOCH)
    }

    /// When the response was received, or its failure noticed, by the wall clock.
    pub fn received(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(self.received).unwrap_or(UNIX_EPOCH)
    }

    /// The response, with the headers that the protocol reads, or the error in its place.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transport`], as it was recorded.
    pub fn into_outcome(self) -> Result<Response<Bytes>, Error> {
        match self.outcome {
            RecordedOutcome::Response { status, headers, body } => {
                let mut response = Response::new(body.into());
                *response.status_mut() = status_of(status)?;
                for (name, value) in headers {
                    if let (Ok(name), Ok(value)) =
                        (name.parse::<http::HeaderName>(), value.parse::<http::HeaderValue>())
                    {
                        response.headers_mut().append(name, value);
                    }
                }
                Ok(response)
            }
            RecordedOutcome::NoResponse { message, retryable, not_sent } => {
                Err(if not_sent { Error::not_sent(message) } else { Error::transport(message) }
                    .with_retryable(retryable))
            }
        }
    }
}

/// Without the body.
impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Recorded");
        debug.field("sent", &self.sent).field("received", &self.received);
        match &self.outcome {
            RecordedOutcome::Response { status, .. } => debug.field("status", status),
            RecordedOutcome::NoResponse { message, .. } => debug.field("error", message),
        }
        .finish_non_exhaustive()
    }
}
