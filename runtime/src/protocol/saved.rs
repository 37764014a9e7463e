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

const VERSION: u32 = 1;

/// A [`Poller`] as plain data: what [`Poller::save`] returns and [`Poller::restore`] takes.
///
/// It contains no credential of the client. It contains everything that decides: the policy, the
/// deadline, the count of faults, the jitter and the last response. Times are durations since the
/// start.
///
/// Like a [`ResumeToken`](crate::ResumeToken) of the same operation, it is a secret if the
/// operation's address is one.
#[allow(clippy::struct_excessive_bools, reason = "they are those of the machine")]
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    version: u32,
    model: String,
    policy: Polling,
    subject: SavedSubject,
    now: Elapsed,
    begun: Elapsed,
    sent: Option<Elapsed>,
    not_before: Elapsed,
    changed: Elapsed,
    jitter: u64,
    lengthening: u16,
    early: u16,
    checks: u32,
    faults: u32,
    attempts: Option<u32>,
    other_json: u8,
    state: SavedState,
    asked: bool,
    fresh: bool,
    retried: bool,
    renewed: bool,
    at_once: bool,
    body: SavedBody,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_retry_after: Option<Elapsed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<SavedError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<SavedError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<SavedFacts>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SavedSubject {
    #[serde(rename_all = "camelCase")]
    Operation {
        location: String,
        request_id: Option<Box<str>>,
        client_request_id: Option<Box<str>>,
        content_location: Option<Box<str>>,
        started_at: Option<Duration>,
    },
    Finished {
        status: u16,
        body: SavedBody,
    },
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SavedState {
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
struct SavedError {
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

impl Poller {
    /// The machine as plain data. It can be saved at any step without losing anything.
    pub fn save(&self) -> Saved {
        let tracker = &self.tracker;
        let rare = tracker.rare.as_deref();
        Saved {
            version: VERSION,
            model: self.reader.model.to_owned(),
            policy: self.policy,
            subject: match &self.subject {
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
            },
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

    /// Restores a saved machine for a service root. `now` is the instant at which it was saved, by
    /// the driver's clock: pass later instants afterwards, and the time in between counts.
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
        let reader = Reader::of::<M>();
        if saved.version != VERSION {
            return Err(refused(
                "the saved machine is of a version that this library does not know",
            ));
        }
        if saved.model != reader.model {
            return Err(refused("the saved machine is of another model"));
        }
        let subject = match saved.subject {
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
        };
        let failure = match saved.failure {
            Some(facts) => Some(ResponseFacts::saved(
                status_of(facts.status)?,
                facts.request_id,
                facts.client_request_id,
                facts.date,
            )),
            None => None,
        };
        let rare = Rare {
            first_retry_after: saved.first_retry_after,
            fault: saved.fault.map(Error::from),
            failure,
            ended: saved.ended.map(Error::from),
        };
        Ok(Poller {
            tracker: Tracker {
                now: saved.now,
                begun: saved.begun,
                sent: saved.sent,
                not_before: saved.not_before,
                changed: saved.changed,
                jitter: Jitter::new(saved.jitter),
                body: saved.body.into(),
                rare: (!rare.is_empty()).then(|| Box::new(rare)),
                checks: saved.checks,
                faults: saved.faults,
                attempts: saved.attempts,
                lengthening: saved.lengthening,
                early: saved.early,
                other_json: saved.other_json,
                state: match saved.state {
                    SavedState::Running => State::Running,
                    SavedState::Succeeded => State::Succeeded,
                    SavedState::Failed => State::Failed,
                },
                asked: saved.asked,
                fresh: saved.fresh,
                retried: saved.retried,
                renewed: saved.renewed,
                at_once: saved.at_once,
            },
            reader,
            policy: saved.policy,
            clock: Clock::new(now, saved.now),
            subject,
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

fn status_of(code: u16) -> Result<StatusCode, Error> {
    StatusCode::from_u16(code).map_err(|error| refused("a status is not one").with_source(error))
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::InvalidToken, message)
}

/// Without the address and the response.
impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved")
            .field("model", &self.model)
            .field("policy", &self.policy)
            .field("now", &Duration::from(self.now))
            .field("checks", &self.checks)
            .field("faults", &self.faults)
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
