//! What one check found.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::error::Error;
use crate::model::{Kept, Model, Progress, State, TeamsAsyncOperation, json};
use crate::protocol::{Origin, Poller};
use crate::resume_token::ResumeToken;

/// An operation as one check found it.
pub struct Update<M = TeamsAsyncOperation> {
    kept: Option<Kept>,
    state: State,
    checks: u32,
    waited: Duration,
    next_check: Option<Duration>,
    unchanged_for: Duration,
    retried: bool,
    fault: Option<Error>,
    origin: Option<Arc<Origin>>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Update<M> {
    pub(crate) fn of(poller: &Poller, fault: Option<Error>) -> Self {
        Update {
            kept: poller.kept(),
            state: poller.state(),
            checks: poller.checks(),
            waited: poller.waited_for(),
            next_check: poller.until_next(),
            unchanged_for: poller.unchanged_for(),
            retried: poller.is_retried(),
            fault,
            origin: poller.origin().cloned(),
            model: PhantomData,
        }
    }

    /// The operation, decoded on the first call; `None` before the first response that could be
    /// read, and if the service finished at once.
    pub fn operation(&self) -> Option<&M> {
        self.kept.as_ref()?.downcast_ref()
    }

    /// Whether the operation is running, or how it ended.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the operation has ended, successfully or not.
    pub fn is_terminal(&self) -> bool {
        self.state.is_terminal()
    }

    /// Why this check failed, if it did and is retried; [`operation`](Self::operation) is then the
    /// last one that was read.
    pub fn fault(&self) -> Option<&Error> {
        self.fault.as_ref()
    }

    /// How many checks have been sent so far.
    pub fn checks(&self) -> u32 {
        self.checks
    }

    /// The time from the start of the operation to the last check.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// How long after this update the next check is due; `None` if no check follows.
    pub fn next_check(&self) -> Option<Duration> {
        self.next_check
    }

    /// How far the operation has come, if the service says so.
    pub fn progress(&self) -> Option<Progress> {
        self.kept.as_ref()?.snapshot()?.progress()
    }

    /// Whether this check showed that the service has retried the operation: its count of attempts
    /// has grown.
    pub fn is_retried(&self) -> bool {
        self.retried
    }

    /// How long the responses have been the same.
    pub fn unchanged_for(&self) -> Duration {
        self.unchanged_for
    }

    /// Whether the operation is running and the responses have been the same for at least `time`: a
    /// sign of an outage, which can keep operations in progress for hours.
    pub fn is_stalled(&self, time: Duration) -> bool {
        !self.is_terminal() && self.unchanged_for >= time
    }

    /// A token with which another process can follow the operation.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        Some(self.origin.as_ref()?.resume_token(M::TYPE))
    }
}

impl<M> Clone for Update<M> {
    fn clone(&self) -> Self {
        Update {
            kept: self.kept.clone(),
            fault: self.fault.clone(),
            origin: self.origin.clone(),
            ..*self
        }
    }
}

/// For status pages and journals. Durations are in seconds, the operation is written as the service
/// sent it, and a fault as its message.
impl<M: Model> Serialize for Update<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut update = serializer.serialize_struct("Update", 8)?;
        update.serialize_field("state", &self.state)?;
        update.serialize_field("checks", &self.checks)?;
        update.serialize_field("waited", &self.waited.as_secs_f64())?;
        update.serialize_field("nextCheck", &self.next_check.map(|wait| wait.as_secs_f64()))?;
        update.serialize_field("unchangedFor", &self.unchanged_for.as_secs_f64())?;
        update.serialize_field("progress", &self.progress())?;
        update.serialize_field("fault", &self.fault.as_ref().map(ToString::to_string))?;
        let operation =
            self.kept.as_ref().and_then(|kept| json::value(&json::text_of(kept.body())));
        update.serialize_field("operation", &operation)?;
        update.end()
    }
}

impl<M> fmt::Debug for Update<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("operation", &self.kept)
            .field("state", &self.state)
            .field("checks", &self.checks)
            .field("waited", &self.waited)
            .field("next_check", &self.next_check)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
