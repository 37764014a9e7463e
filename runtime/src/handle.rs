//! What both handles have in common: everything but sending and sleeping.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, Uri};

use crate::connection::Sent;
use crate::model::{Reader, Snapshot, State};
use crate::protocol::{
    Accepted, Answer, Get, Poller, Polling, Started, Step, accept, location, resolve,
};
use crate::trace::Span;
use crate::{Error, ErrorKind, ResumeToken};

/// One operation, without its client.
pub(crate) struct Handle {
    stage: Stage,
    origin: Option<Box<Origin>>,
}

enum Stage {
    Running(Box<Poller>),
    /// The answer that had everything at once.
    Finished(Box<Response<Bytes>>),
}

/// What the starting answer said, the address aside.
struct Origin {
    request_id: Option<String>,
    client_request_id: Option<String>,
    content_location: Option<String>,
}

/// Whether a check keeps to the policy or is made at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Policy,
    Now,
}

/// What a driver does next: sleep, then send.
pub(crate) struct Plan {
    pub(crate) sleep: Duration,
    pub(crate) request: Get,
    pub(crate) due: Instant,
}

/// What a check came to.
pub(crate) enum Turn {
    Updated,
    Failed(Error),
    /// There was nothing to check.
    Nothing,
}

impl Handle {
    /// Reads the answer to the starting request.
    pub(crate) fn accept(
        reader: &'static Reader,
        root: &Uri,
        answer: Answer,
        polling: Polling,
        now: Instant,
        seed: u64,
    ) -> Result<Self, Error> {
        Ok(match accept(root, answer)? {
            Accepted::Started(started) => Self::follow(reader, started, polling, now, seed),
            Accepted::Finished(response) => {
                Handle { stage: Stage::Finished(Box::new(response)), origin: None }
            }
        })
    }

    /// Follows the operation that a header or another process named.
    pub(crate) fn at(
        reader: &'static Reader,
        root: &Uri,
        reference: &str,
        now: Instant,
        seed: u64,
    ) -> Result<Self, Error> {
        let location = resolve(root, None, reference.as_bytes())?;
        Ok(Self::follow(reader, Started::at(location), Polling::default(), now, seed))
    }

    /// Follows the operation that a token names.
    pub(crate) fn resume(
        reader: &'static Reader,
        root: &Uri,
        token: &ResumeToken,
        now: Instant,
        seed: u64,
    ) -> Result<Self, Error> {
        if token.model() != reader.model {
            return Err(Error::new(
                ErrorKind::InvalidToken,
                format!("the resume token is of a {}, not of a {}", token.model(), reader.model),
            ));
        }
        location::check(root, token.location()).map_err(|error| {
            let message = match error.kind() {
                ErrorKind::ForeignLocation => "the resume token is of another service root",
                _ => "the resume token holds no usable address",
            };
            Error::new(ErrorKind::InvalidToken, message).with_source(error)
        })?;
        let started = Started::at(token.location().clone());
        Ok(Self::follow(reader, started, Polling::default(), now, seed))
    }

    fn follow(
        reader: &'static Reader,
        mut started: Started,
        polling: Polling,
        now: Instant,
        seed: u64,
    ) -> Self {
        let origin = Origin {
            request_id: started.request_id.take(),
            client_request_id: started.client_request_id.take(),
            content_location: started.content_location.take(),
        };
        let poller = Poller::with_reader(reader, started, polling, now, seed);
        Handle { stage: Stage::Running(Box::new(poller)), origin: Some(Box::new(origin)) }
    }

    fn poller(&self) -> Option<&Poller> {
        match &self.stage {
            Stage::Running(poller) => Some(poller),
            Stage::Finished(_) => None,
        }
    }

    fn poller_mut(&mut self) -> Option<&mut Poller> {
        match &mut self.stage {
            Stage::Running(poller) => Some(poller),
            Stage::Finished(_) => None,
        }
    }

    /// The check to make next; `None` if the operation has ended, or its time has.
    pub(crate) fn plan(&mut self, now: Instant, pace: Pace) -> Option<Plan> {
        let poller = self.poller_mut().filter(|poller| !poller.state().is_terminal())?;
        let sleep = match pace {
            Pace::Now => Duration::ZERO,
            Pace::Policy => match poller.next(now) {
                Step::Wait(wait) => wait,
                Step::Send => Duration::ZERO,
                Step::Done | Step::TimedOut => return None,
            },
        };
        // Counted on the machine's clock, which sleeps that took no time may have put ahead.
        let now = poller.now().max(now);
        let due = now.checked_add(sleep).unwrap_or(now);
        Some(Plan { sleep, request: poller.get(due), due })
    }

    /// Notes that the planned check was sent.
    pub(crate) fn sent(&mut self, now: Instant, span: &Span) {
        if let Some(poller) = self.poller_mut() {
            poller.sent(now);
        }
        span.sent(self);
    }

    /// Takes what the check came to; `None` if it is to be tried again.
    pub(crate) fn settle(
        &mut self,
        sent: Sent,
        now: Instant,
        pace: Pace,
        span: &Span,
    ) -> Option<Turn> {
        let Some(poller) = self.poller_mut() else { return Some(Turn::Nothing) };
        let result = match sent {
            Ok(answer) => poller.received(answer, now),
            Err((error, transient)) => Err(poller.failed(error, transient, now)),
        };
        match result {
            Ok(()) => {
                span.updated(self);
                Some(Turn::Updated)
            }
            Err(fault) if fault.retry && pace == Pace::Policy => {
                span.retrying(&fault.error);
                // It is the reason, should time run out.
                poller.remember(fault.error);
                None
            }
            Err(fault) => {
                poller.forgive();
                span.stopped(&fault.error);
                Some(Turn::Failed(fault.error))
            }
        }
    }

    /// What waiting for the operation comes to, now that there is nothing more to do.
    pub(crate) fn end(&mut self, span: &Span) -> Result<(), Error> {
        let result = self.poller_mut().map_or(Ok(()), Poller::end);
        if let (Err(error), State::Running) = (&result, self.state()) {
            span.stopped(error);
        }
        result
    }

    pub(crate) fn state(&self) -> State {
        self.poller().map_or(State::Succeeded, Poller::state)
    }

    pub(crate) fn checks(&self) -> u32 {
        self.poller().map_or(0, Poller::checks)
    }

    pub(crate) fn waited(&self) -> Duration {
        self.poller().map_or(Duration::ZERO, Poller::waited)
    }

    pub(crate) fn unchanged_for(&self) -> Duration {
        self.poller().map_or(Duration::ZERO, Poller::unchanged_for)
    }

    pub(crate) fn retried(&self) -> bool {
        self.poller().is_some_and(Poller::retried)
    }

    /// How long until the next check, after the last one.
    pub(crate) fn next_check(&self) -> Option<Duration> {
        let poller = self.poller()?;
        match poller.state() {
            State::Running => poller.until_next(),
            State::Succeeded | State::Failed => None,
        }
    }

    pub(crate) fn snapshot(&self) -> Option<&Arc<dyn Snapshot>> {
        self.poller()?.snapshot()
    }

    /// The answer that had everything at once.
    pub(crate) fn finished(&self) -> Option<&Response<Bytes>> {
        match &self.stage {
            Stage::Running(_) => None,
            Stage::Finished(response) => Some(response),
        }
    }

    pub(crate) fn location(&self) -> Option<&Uri> {
        Some(self.poller()?.location())
    }

    pub(crate) fn shared_location(&self) -> Option<Arc<Uri>> {
        Some(self.poller()?.shared_location())
    }

    pub(crate) fn resume_token(&self) -> Option<ResumeToken> {
        Some(self.poller()?.resume_token())
    }

    pub(crate) fn polling(&self) -> Polling {
        self.poller().map_or_else(Polling::default, |poller| *poller.polling())
    }

    pub(crate) fn set_polling(&mut self, polling: Polling) {
        if let Some(poller) = self.poller_mut() {
            poller.set_polling(polling);
        }
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        match (&self.origin, &self.stage) {
            (Some(origin), _) => origin.request_id.as_deref(),
            (None, Stage::Finished(response)) => {
                response.headers().get("request-id")?.to_str().ok()
            }
            (None, Stage::Running(_)) => None,
        }
    }

    pub(crate) fn client_request_id(&self) -> Option<&str> {
        match (&self.origin, &self.stage) {
            (Some(origin), _) => origin.client_request_id.as_deref(),
            (None, Stage::Finished(response)) => {
                response.headers().get("client-request-id")?.to_str().ok()
            }
            (None, Stage::Running(_)) => None,
        }
    }

    /// The key of the last segment that names an operation, with or without OData's syntax.
    pub(crate) fn operation_id(&self) -> Option<&str> {
        let path = self.location()?.path();
        let (_, rest) = split_operations(path)?;
        let key = match rest.strip_prefix('(') {
            Some(key) => key.strip_suffix(')')?,
            None => rest.strip_prefix('/')?,
        };
        let key = key.strip_prefix('\'').and_then(|key| key.strip_suffix('\'')).unwrap_or(key);
        (!key.is_empty() && !key.contains('/')).then_some(key)
    }

    pub(crate) fn target_hint(&self) -> Option<&str> {
        let named = self.origin.as_ref()?.content_location.as_deref();
        named.or_else(|| {
            let (owner, _) = split_operations(self.location()?.path())?;
            Some(owner).filter(|owner| !owner.is_empty())
        })
    }
}

/// `/v1.0/teams('1')` and `('2')` of `/v1.0/teams('1')/operations('2')`.
fn split_operations(path: &str) -> Option<(&str, &str)> {
    let at = path.to_ascii_lowercase().rfind("operations")?;
    let (before, rest) = path.split_at(at);
    let owner = before.rsplit_once('/').map_or("", |(owner, _)| owner);
    Some((owner, rest.split_at("operations".len()).1))
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stage {
            Stage::Running(poller) => poller.fmt(f),
            Stage::Finished(response) => f
                .debug_struct("Finished")
                .field("status", &response.status())
                .finish_non_exhaustive(),
        }
    }
}
