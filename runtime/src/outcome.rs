//! What both kinds of `Completed` have in common: the result, without the client that reads it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Response, Uri};
use serde::de::DeserializeOwned;

use crate::handle::Handle;
use crate::model::Snapshot;
use crate::protocol::{Polling, TargetReader, resolve};
use crate::{Error, ErrorKind, ResumeToken};

/// The result of one operation.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) snapshot: Option<Arc<dyn Snapshot>>,
    pub(crate) target_location: Option<Box<str>>,
    /// The body that came at once, where one did.
    body: Bytes,
    /// Names the operation, and so tells where it was.
    operation: Option<ResumeToken>,
    polling: Polling,
}

/// How the target is had.
pub(crate) enum Target {
    /// It is here already.
    Here(Response<Bytes>),
    /// It has to be read.
    Remote(Box<TargetReader>),
}

impl Outcome {
    pub(crate) fn of(handle: &Handle) -> Self {
        let snapshot = handle.snapshot().cloned();
        let target_location = snapshot.as_ref().and_then(|snapshot| {
            let location = snapshot.target_location().filter(|location| !location.is_empty())?;
            Some(location.into())
        });
        Outcome {
            snapshot,
            target_location,
            body: handle.finished().map(|response| response.body().clone()).unwrap_or_default(),
            operation: handle.resume_token(),
            polling: handle.polling(),
        }
    }

    /// Where the target is read, decided at `now`.
    pub(crate) fn target(&self, root: &Uri, now: Instant, seed: u64) -> Result<Target, Error> {
        let Some(operation) = &self.operation else {
            return Ok(Target::Here(Response::new(self.body.clone())));
        };
        let Some(target) = &self.target_location else {
            let message = "the operation succeeded, but names no target to read";
            return Err(self.complete(Error::new(ErrorKind::MissingLocation, message)));
        };
        let target = resolve(root, Some(operation.location()), target.as_bytes())
            .map_err(|error| self.complete(error))?;
        Ok(Target::Remote(Box::new(TargetReader::new(target, self.polling, now, seed))))
    }

    /// Adds to an error what is known of the operation, which has succeeded.
    pub(crate) fn complete(&self, error: Error) -> Error {
        error.with_operation(self.snapshot.as_ref()).with_resume_token(self.operation.clone())
    }

    /// Reads the target's body. An empty one is a null, which is what `()` and `Value` read from.
    pub(crate) fn decode<T: DeserializeOwned>(&self, answer: &Response<Bytes>) -> Result<T, Error> {
        let body = if answer.body().is_empty() { b"null" } else { &answer.body()[..] };
        serde_json::from_slice(body).map_err(|error| {
            let message = "the target is not what it is read as";
            let error = Error::new(ErrorKind::Decode, message).with_source(error);
            self.complete(error.with_answer(answer))
        })
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completed").field("operation", &self.snapshot).finish_non_exhaustive()
    }
}
