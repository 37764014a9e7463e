//! An operation that has succeeded, and how its result is read.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;

use http::Uri;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::erased::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::line::Line;
use crate::model::{Kept, Model, TeamsAsyncOperation};
use crate::protocol::{Poller, Polling, Subject, Target, resolve};
use crate::target::{Source, decode_final, poll_target, target_id};
use crate::trace::Span;

/// An operation that has succeeded.
pub struct Completed<T = Value, M = TeamsAsyncOperation> {
    result: Arc<Succeeded>,
    connection: Arc<dyn Connection>,
    /// An unfinished read of the target. A call takes it out, so that concurrent calls do
    /// not wait for each other, and puts it back when its future is dropped, so that the backoff
    /// and the patience survive.
    reading: Mutex<Option<Box<TargetReading>>>,
    types: PhantomData<fn() -> (T, M)>,
}

/// What is known of an operation that has succeeded.
struct Succeeded {
    kept: Option<Kept>,
    subject: Subject,
    model: &'static str,
    policy: Polling,
    /// Where the target is, found on the first call that needs it.
    source: OnceLock<Result<Source>>,
    target_location: OnceLock<Option<Box<str>>>,
}

impl Succeeded {
    fn complete(&self, error: Error) -> Error {
        let token = self.subject.origin().map(|origin| origin.resume_token(self.model));
        error.with_operation(self.kept.clone()).with_resume_token(token)
    }
}

/// A target that is being read.
struct TargetReading {
    target: Target,
    line: Line,
}

impl<T, M: Model> Completed<T, M> {
    pub(crate) fn of(poller: &Poller, connection: Arc<dyn Connection>) -> Self {
        let result = Succeeded {
            kept: poller.kept(),
            subject: poller.subject().clone(),
            model: poller.reader().model,
            policy: *poller.polling(),
            source: OnceLock::new(),
            target_location: OnceLock::new(),
        };
        Completed {
            result: Arc::new(result),
            connection,
            reading: Mutex::new(None),
            types: PhantomData,
        }
    }

    /// The operation as it ended, decoded on the first call; `None` if the service finished at
    /// once.
    pub fn operation(&self) -> Option<&M> {
        self.result.kept.as_ref()?.downcast_ref()
    }

    /// The id of what the operation worked on, or of its result.
    pub fn target_id(&self) -> Option<&str> {
        self.result.kept.as_ref()?.snapshot()?.target_id()
    }

    /// Where the result is, as the service wrote it. The address is opaque: do not parse it. For
    /// some families it belongs to another service, to which the library sends no request.
    pub fn target_location(&self) -> Option<&str> {
        let snapshot = self.result.kept.as_ref()?.snapshot()?;
        match snapshot.target_location()? {
            Cow::Borrowed(location) => Some(location),
            Cow::Owned(location) => {
                self.result.target_location.get_or_init(|| Some(location.into())).as_deref()
            }
        }
        .filter(|location| !location.is_empty())
    }

    /// Reads the result.
    ///
    /// A 404 is retried for as long as [`Polling::target_patience`] says, because an operation can
    /// succeed before its result can be read. So are the faults that are retried for a check, and a
    /// response that is empty or not JSON. A result that came with the response to the starting
    /// request, or with the operation, is decoded without a request.
    ///
    /// The future may be dropped: its request and its backoff stay with this value, and the next
    /// call resumes them. Concurrent calls each read the target.
    ///
    /// # Errors
    ///
    /// [`TargetNotReady`](ErrorKind::TargetNotReady) if the target could not be read in that time,
    /// [`Decode`](ErrorKind::Decode) if the target is not a `T`,
    /// [`MissingLocation`](ErrorKind::MissingLocation) if the operation names no target, or only
    /// its id (see [`target_at`](Self::target_at)), [`ForeignLocation`](ErrorKind::ForeignLocation)
    /// if its origin is not that of the service root, and otherwise the fault that was not retried.
    pub async fn target(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        match self.source() {
            Ok(Source::Here(response)) => {
                decode_final(response).map_err(|error| self.result.complete(error))
            }
            Ok(Source::At(location)) => self.read(location).await,
            Err(error) => Err(error.clone()),
        }
    }

    /// Reads the result of an operation that names it only by its id, from the path below the
    /// service root that `path` returns for the id, which is not encoded. Otherwise the same as
    /// [`target`](Self::target).
    ///
    /// ```no_run
    /// # async fn example(copied: graph_operation::Completed) -> graph_operation::Result<()> {
    /// let item = copied.target_at(|id| format!("/me/drive/items/{id}")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`MissingLocation`](ErrorKind::MissingLocation) if there is no id, and those of
    /// [`target`](Self::target).
    pub async fn target_at<P: AsRef<str>>(&self, path: impl FnOnce(&str) -> P) -> Result<T>
    where
        T: DeserializeOwned,
    {
        let location = {
            if let Ok(Source::Here(_)) = self.source() {
                return self.target().await;
            }
            let Some(id) = target_id(self.result.kept.as_ref()) else {
                let message = "the operation succeeded, but does not give the id of its target";
                return Err(self.result.complete(Error::new(ErrorKind::MissingLocation, message)));
            };
            let root = self.connection.service_root();
            resolve(root, self.result.subject.location(), path(&id).as_ref().as_bytes())
                .map_err(|error| self.result.complete(error))?
        };
        self.read(&location).await
    }

    async fn read(&self, location: &Uri) -> Result<T>
    where
        T: DeserializeOwned,
    {
        let mut taken = Taken { place: &self.reading, reading: Some(self.take(location)) };
        let result = poll_fn(|cx| match taken.reading.as_deref_mut() {
            Some(TargetReading { target, line }) => poll_target(target, line, cx),
            None => Poll::Pending,
        })
        .await;
        if result.is_ok() {
            taken.reading = None;
        }
        result.map_err(|error| self.result.complete(error))
    }

    fn take(&self, location: &Uri) -> Box<TargetReading> {
        let taken = self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut reading) = taken.filter(|reading| reading.target.location() == location) {
            reading.line.begin_call();
            return reading;
        }
        let (now, seed) = (self.connection.now(), self.connection.random());
        Box::new(TargetReading {
            target: Target::new(location.clone(), self.result.policy, now, seed),
            line: Line::new(Arc::clone(&self.connection), Span::none()),
        })
    }

    /// Where the target is.
    fn source(&self) -> &Result<Source> {
        self.result.source.get_or_init(|| {
            let Succeeded { kept, subject, .. } = &*self.result;
            Source::of(subject, kept.as_ref(), self.connection.service_root())
                .map_err(|error| self.result.complete(error))
        })
    }
}

/// An unfinished read, which is put back when the call that took it is dropped.
struct Taken<'a> {
    place: &'a Mutex<Option<Box<TargetReading>>>,
    reading: Option<Box<TargetReading>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(reading) = self.reading.take() {
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        }
    }
}

impl<T, M> Clone for Completed<T, M> {
    fn clone(&self) -> Self {
        Completed {
            result: Arc::clone(&self.result),
            connection: Arc::clone(&self.connection),
            reading: Mutex::new(None),
            types: PhantomData,
        }
    }
}

impl<T, M> fmt::Debug for Completed<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completed").field("operation", &self.result.kept).finish_non_exhaustive()
    }
}
