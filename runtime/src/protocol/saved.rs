//! The machine as plain data, for drivers that store it between two steps.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::{Response, Uri};
use serde::{Deserialize, Serialize};

use super::accept::Origin;
use super::backoff::Jitter;
use super::clock::Clock;
use super::elapsed::Elapsed;
use super::location;
use super::machine::{Rare, Tracker};
use super::poller::{Poller, Subject};
use super::polling::Polling;
use super::recorded::{SavedBody, invalid_data, status_of};
use crate::error::{Error, ErrorKind, ResponseFacts};
use crate::model::{Model, Reader, State};

pub(super) const VERSION: u32 = 1;

/// A [`Poller`] as plain data: what [`Poller::save`] returns and [`Poller::restore`] takes.
///
/// It contains no credential of the client. It contains everything that affects its decisions: the
/// policy, the deadline, the number of faults, the jitter and the last response. Times are
/// durations since the start.
///
/// Like a [`ResumeToken`](crate::ResumeToken) of the same operation, it is a secret if the
/// operation's address is one. The last response in it can be private.
///
/// Serialize it in a self-describing format, such as JSON.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    version: u32,
    model: String,
    policy: Polling,
    subject: SavedSubject,
    tracker: SavedTracker,
}

/// The state of one operation. Values that are the same in a new tracker are not written.
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

/// Whether a property can be omitted.
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

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedError {
    kind: ErrorKind,
    message: String,
    retryable: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    response: Option<SavedFacts>,
}

impl From<&Error> for SavedError {
    fn from(error: &Error) -> Self {
        SavedError {
            kind: error.kind(),
            message: error.to_string(),
            retryable: error.is_retryable(),
            response: error.response().map(SavedFacts::from),
        }
    }
}

impl SavedError {
    pub(super) fn restored(self) -> Result<Error, Error> {
        let error = Error::new(self.kind, self.message).with_retryable(self.retryable);
        Ok(match self.response {
            Some(facts) => error.with_facts(facts.restored()?),
            None => error,
        })
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

impl From<&ResponseFacts> for SavedFacts {
    fn from(facts: &ResponseFacts) -> Self {
        SavedFacts {
            status: facts.status.as_u16(),
            request_id: facts.request_id.clone(),
            client_request_id: facts.client_request_id.clone(),
            date: facts.date.clone(),
        }
    }
}

impl SavedFacts {
    fn restored(self) -> Result<Arc<ResponseFacts>, Error> {
        let status = status_of(self.status)?;
        Ok(ResponseFacts::saved(status, self.request_id, self.client_request_id, self.date))
    }
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

    /// The saved state, if its address is valid for this root.
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
                Some(facts.into())
            }),
        }
    }

    pub(super) fn restored(self) -> Result<Tracker, Error> {
        let rare = Rare {
            first_retry_after: self.first_retry_after,
            fault: self.fault.map(SavedError::restored).transpose()?,
            failure: self.failure.map(SavedFacts::restored).transpose()?,
            ended: self.ended.map(SavedError::restored).transpose()?,
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

/// The reader of a model `M`, if the saved machine is of this model and of the version that this
/// library writes.
pub(super) fn reader<M: Model>(version: u32, model: &str) -> Result<&'static Reader, Error> {
    let reader = Reader::of::<M>();
    if version != VERSION {
        return Err(invalid_data(
            "the saved machine has a version that this library does not know",
        ));
    }
    if model != reader.model {
        return Err(invalid_data("the saved machine is for another model"));
    }
    Ok(reader)
}

impl Poller {
    /// The machine as plain data. It can be saved at any step without losing anything.
    pub fn save(&self) -> Saved {
        Saved {
            version: VERSION,
            model: self.reader.model.to_owned(),
            policy: self.policy,
            subject: SavedSubject::of(&self.subject),
            tracker: SavedTracker::of(&self.tracker),
        }
    }

    /// Restores a saved machine, for a service root. `now` is the instant, by the driver's clock,
    /// at which it was saved. A driver that was down since then passes later instants afterwards,
    /// so that the time counts.
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
    /// [`ErrorKind::InvalidToken`] if the machine has an unknown version, another model, or another
    /// origin than `root`.
    pub fn restore<M: Model>(saved: Saved, root: &Uri, now: Instant) -> Result<Self, Error> {
        let reader = reader::<M>(saved.version, &saved.model)?;
        let tracker = saved.tracker.restored()?;
        let mut poller = Poller {
            clock: Clock::new(now, tracker.now),
            tracker,
            reader,
            policy: saved.policy,
            subject: saved.subject.restored(reader, root)?,
        };
        if let Some(error) = poller.tracker.final_error().cloned() {
            poller.tracker.end(poller.complete(error).with_resume_token(None));
        }
        Ok(poller)
    }
}

/// Checks an address that this library has saved.
pub(crate) fn located(reader: &Reader, root: &Uri, text: &str) -> Result<Uri, Error> {
    location::resolve_at(reader.monitor, root, None, text.as_bytes()).map_err(|error| {
        let message = match error.kind() {
            ErrorKind::ForeignLocation => "the operation belongs to another service root",
            _ => "the operation's address is not usable",
        };
        invalid_data(message).with_source(error)
    })
}

/// Omits the address and the response.
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
