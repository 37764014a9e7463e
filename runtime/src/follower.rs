//! One operation and its client, without the type parameters of the handles, so that everything
//! that waits is compiled once.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use serde::de::DeserializeOwned;

use crate::erased::Connection;
use crate::error::{Error, Result};
use crate::line::{Driven, Line, Reading};
use crate::model::Reader;
use crate::protocol::{Accepted, Event, Poller, Polling, Target};
use crate::target::{Source, decode_final, poll_target};
use crate::trace::{Found, Span};

/// One operation and its client.
pub(crate) struct Follower {
    pub(crate) poller: Poller,
    /// Never contended: the lock only makes the handle `Sync`, although the futures inside need not
    /// be.
    line: Mutex<Line>,
    target: Option<Box<Target>>,
}

impl Follower {
    pub(crate) fn new(
        connection: Arc<dyn Connection>,
        reader: &'static Reader,
        accepted: Accepted,
        policy: Polling,
        span: Span,
    ) -> Box<Self> {
        let (now, seed) = (connection.now(), connection.random());
        let poller = Poller::with_reader(reader, accepted, policy, now, seed);
        let mut line = Line::new(connection, span);
        line.span.identify(operation_id(&poller));
        Self::of_parts(poller, line)
    }

    pub(crate) fn of_parts(poller: Poller, line: Line) -> Box<Self> {
        Box::new(Follower { poller, line: Mutex::new(line), target: None })
    }

    pub(crate) fn into_parts(self) -> (Poller, Span) {
        let line = self.line.into_inner().unwrap_or_else(PoisonError::into_inner);
        (self.poller, line.into_parts().1)
    }

    fn parts(&mut self) -> (&mut Poller, &mut Line) {
        let line = self.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        (&mut self.poller, line)
    }

    /// The client. Nothing else holds the line, so the lock is never contended.
    pub(crate) fn connection(&self) -> Arc<dyn Connection> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(line.connection())
    }

    /// See [`Line::begin_call`].
    pub(crate) fn begin_call(&mut self) {
        self.parts().1.begin_call();
    }

    /// Makes one check, whatever the policy says.
    pub(crate) fn poll_check(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            let (poller, line) = self.parts();
            if poller.is_ended() {
                return Poll::Ready(poller.final_error().cloned().map_or(Ok(()), Err));
            }
            if !line.is_sending() {
                let now = line.now(&mut None);
                let Some(check) = poller.check_now(now) else { return Poll::Ready(Ok(())) };
                line.send(check, now);
                line.span.sent(poller.checks());
            }
            match ready!(line.poll_flight(poller, false, &mut None, cx)) {
                Event::Received(()) => {
                    self.found();
                    return Poll::Ready(Ok(()));
                }
                // The caller decides what follows.
                Event::Retrying(error) => {
                    poller.reset_faults();
                    return Poll::Ready(Err(error));
                }
                Event::Failed(error) => return Poll::Ready(Err(error)),
                Event::Authorized | Event::Unauthorized(_) => {}
            }
        }
    }

    /// Makes checks according to the policy until the operation has succeeded, or an error says why
    /// not.
    pub(crate) fn poll_end(
        &mut self,
        cx: &mut Context<'_>,
        mut see: impl FnMut(&mut Self, Option<Error>),
    ) -> Poll<Result<()>> {
        let mut reading = None;
        loop {
            match ready!(self.poll_next_check(&mut reading, cx)) {
                Driven::Received(()) => see(self, None),
                Driven::Retrying(error) => see(self, Some(error)),
                Driven::Failed(error) => return Poll::Ready(Err(error)),
                Driven::Done(result) => return Poll::Ready(result),
            }
        }
    }

    /// Makes one check according to the policy, or finds that there is nothing more to do.
    pub(crate) fn poll_next_check(
        &mut self,
        reading: &mut Reading,
        cx: &mut Context<'_>,
    ) -> Poll<Driven<()>> {
        let (poller, line) = self.parts();
        if poller.is_ended() {
            // A request in flight can only be for the target.
            let now = poller.latest();
            if let crate::protocol::Step::Done(result) = poller.next(now) {
                return Poll::Ready(Driven::Done(result));
            }
        }
        let driven = ready!(line.poll_drive(poller, reading, cx));
        match &driven {
            Driven::Received(()) => self.found(),
            Driven::Done(Err(error)) => line.span.stopped(error),
            _ => {}
        }
        Poll::Ready(driven)
    }

    fn found(&mut self) {
        let (poller, line) = self.parts();
        show(&mut line.span, poller);
    }

    /// Reads the target of an operation that has succeeded.
    pub(crate) fn poll_target<T: DeserializeOwned>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T>> {
        let result = match self.begin_target() {
            Ok(Begun::Here(response)) => decode_final(&response),
            Ok(Begun::Target(target, line)) => ready!(poll_target(target, line, cx)),
            Err(error) => Err(error),
        };
        if result.is_ok() {
            // The next call starts over.
            self.target = None;
        }
        Poll::Ready(result.map_err(|error| complete(&self.poller, error)))
    }

    fn begin_target(&mut self) -> Result<Begun<'_>> {
        let poller = &self.poller;
        let line = self.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        let target = if let Some(target) = self.target.take() {
            target
        } else {
            let connection = line.connection();
            let root = connection.service_root();
            match Source::of(poller.subject(), poller.kept().as_ref(), root)? {
                Source::Here(response) => return Ok(Begun::Here(response)),
                Source::At(location) => {
                    let (now, seed) = (connection.now(), connection.random());
                    Box::new(Target::new(location, *poller.polling(), now, seed))
                }
            }
        };
        Ok(Begun::Target(self.target.insert(target), line))
    }

    /// Changes the policy, also of a target that is being read and of a request in flight.
    pub(crate) fn set_polling(&mut self, polling: Polling) {
        self.poller.set_polling(polling);
        let until = match &mut self.target {
            Some(target) => {
                target.set_polling(polling);
                target.latest().checked_add(target.time_left())
            }
            None => self.poller.time_left().and_then(|left| self.poller.latest().checked_add(left)),
        };
        self.parts().1.shorten(until);
    }
}

/// How the target of a follower is read.
enum Begun<'a> {
    /// It needs no request.
    Here(Response<Bytes>),
    Target(&'a mut Target, &'a mut Line),
}

/// Records in the span what the last check found.
pub(crate) fn show(span: &mut Span, poller: &Poller) {
    if !span.is_enabled() {
        return;
    }
    let kept = poller.kept();
    let summary = kept.as_ref().and_then(|kept| poller.reader().summarize(kept.body()).ok());
    let status = summary.as_ref().map_or("", |summary| summary.status());
    let found = Found { check: poller.checks(), state: poller.state(), status };
    span.updated(&found, || kept.clone());
}

/// Adds to an error of the target what is known of the operation, which has succeeded.
fn complete(poller: &Poller, error: Error) -> Error {
    error.with_operation(poller.kept()).with_resume_token(poller.resume_token())
}

/// The key of the last segment of the operation's address that names an operation, with or without
/// OData's syntax.
pub(crate) fn operation_id(poller: &Poller) -> Option<&str> {
    let (_, rest) = split_operations(poller.location()?.path())?;
    let key = match rest.strip_prefix('(') {
        Some(key) => key.strip_suffix(')')?,
        None => rest.strip_prefix('/')?,
    };
    let key = key.strip_prefix('\'').and_then(|key| key.strip_suffix('\'')).unwrap_or(key);
    (!key.is_empty() && !key.contains('/')).then_some(key)
}

/// What the operation works on, if its address or the starting response says so.
pub(crate) fn target_hint(poller: &Poller) -> Option<&str> {
    let named = poller.origin()?.content_location.as_deref();
    named.or_else(|| {
        let (owner, _) = split_operations(poller.location()?.path())?;
        Some(owner).filter(|owner| !owner.is_empty())
    })
}

/// Splits `/v1.0/teams('1')/operations('2')` into `/v1.0/teams('1')` and `('2')`.
fn split_operations(path: &str) -> Option<(&str, &str)> {
    let at = path.to_ascii_lowercase().rfind("operations")?;
    let (before, rest) = path.split_at(at);
    let owner = before.rsplit_once('/').map_or("", |(owner, _)| owner);
    Some((owner, rest.split_at("operations".len()).1))
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.poller.fmt(f)
    }
}
