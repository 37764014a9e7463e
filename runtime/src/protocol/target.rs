//! Reading the target: an operation's success can be known before its result can be read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, StatusCode, Uri};

use super::polling::{Jitter, Polling, backoff, lengthen};
use super::{Get, last_request};
use crate::connection::Sent;
use crate::error::{BoxError, is_passing};
use crate::{Error, ErrorKind};

/// The first pause after a target that is not found, unless the policy's interval is shorter; it
/// doubles.
const PAUSE: Duration = Duration::from_secs(2);

/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Follows the reading of one target.
#[derive(Debug)]
pub(crate) struct TargetReader {
    location: Arc<Uri>,
    polling: Polling,
    jitter: Jitter,
    begun: Instant,
    now: Instant,
    tries: u32,
    faults: u32,
    due: Instant,
}

/// What came of an answer.
pub(crate) enum TargetStep {
    /// The target.
    Found(Response<Bytes>),
    /// Ask again when it is due.
    Again,
}

impl TargetReader {
    pub(crate) fn new(location: Uri, polling: Polling, now: Instant, seed: u64) -> Self {
        let jitter = Jitter::new(seed);
        TargetReader {
            location: Arc::new(location),
            polling,
            jitter,
            begun: now,
            now,
            tries: 0,
            faults: 0,
            due: now,
        }
    }

    /// How long to wait before asking, at `now`.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now.max(self.now))
    }

    /// The request to send now: a wait that has ended counts as waited.
    pub(crate) fn request(&mut self) -> Get {
        self.now = self.now.max(self.due);
        self.tries += 1;
        let left = self.polling.patience().saturating_sub(self.now.duration_since(self.begun));
        let time_left = left.max(last_request(self.polling.patience()));
        Get { uri: Arc::clone(&self.location), time_left: Some(time_left) }
    }

    /// Takes what a request came to.
    pub(crate) fn settle(&mut self, sent: Sent, now: Instant) -> Result<TargetStep, Error> {
        match sent {
            Ok(answer) => self.received(answer, now),
            Err((error, transient)) => self.failed(error, transient, now),
        }
    }

    fn received(&mut self, answer: Response<Bytes>, now: Instant) -> Result<TargetStep, Error> {
        self.now = self.now.max(now);
        let status = answer.status();
        if status.is_success() {
            return Ok(TargetStep::Found(answer));
        }
        let error = Error::rejected("reading the target", &answer);
        if status == StatusCode::NOT_FOUND {
            let pause = backoff(self.pause(), self.tries).min(LONGEST_PAUSE);
            return self.again(pause, &error).map_err(|()| {
                let waited = self.now.duration_since(self.begun);
                let error = Error::new(
                    ErrorKind::TargetNotReady,
                    format!("the operation succeeded, but after {waited:?} its target is still not found"),
                )
                .with_answer(&answer)
                .with_source(error);
                self.tried(error)
            });
        }
        if is_passing(status) { self.fault(error) } else { Err(self.tried(error)) }
    }

    fn failed(
        &mut self,
        error: BoxError,
        transient: bool,
        now: Instant,
    ) -> Result<TargetStep, Error> {
        self.now = self.now.max(now);
        let error = Error::of_client(error, transient);
        if error.is_retryable() { self.fault(error) } else { Err(self.tried(error)) }
    }

    fn fault(&mut self, error: Error) -> Result<TargetStep, Error> {
        self.faults += 1;
        let pause = backoff(self.pause(), self.faults);
        match self.polling.allows(self.faults).then(|| self.again(pause, &error)) {
            Some(Ok(step)) => Ok(step),
            _ => Err(self.tried(error)),
        }
    }

    fn pause(&self) -> Duration {
        PAUSE.min(self.polling.between())
    }

    /// Asks again after `pause`, or a longer one that `error` asks for, if patience allows.
    fn again(&mut self, pause: Duration, error: &Error) -> Result<TargetStep, ()> {
        let waited = self.now.duration_since(self.begun);
        let left = self.polling.patience().saturating_sub(waited);
        if left.is_zero() {
            return Err(());
        }
        let pause =
            lengthen(pause.max(error.retry_after().unwrap_or_default()), self.jitter.draw());
        // The last try is made when patience ends.
        self.due = self.now.checked_add(pause.min(left)).ok_or(())?;
        Ok(TargetStep::Again)
    }

    fn tried(&self, error: Error) -> Error {
        error.with_effort(self.now.duration_since(self.begun), self.tries)
    }
}
