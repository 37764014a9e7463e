//! What one check found.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::handle::Handle;
use crate::model::{Model, Snapshot, State};
use crate::{Progress, ResumeToken, TeamsAsyncOperation};

/// An operation as one check found it.
pub struct Update<M = TeamsAsyncOperation> {
    snapshot: Option<Arc<dyn Snapshot>>,
    state: State,
    checks: u32,
    waited: Duration,
    next_check: Option<Duration>,
    unchanged_for: Duration,
    retried: bool,
    location: Option<Arc<Uri>>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Update<M> {
    pub(crate) fn of(handle: &Handle) -> Self {
        Update {
            snapshot: handle.snapshot().cloned(),
            state: handle.state(),
            checks: handle.checks(),
            waited: handle.waited(),
            next_check: handle.next_check(),
            unchanged_for: handle.unchanged_for(),
            retried: handle.retried(),
            location: handle.shared_location(),
            model: PhantomData,
        }
    }

    /// The operation; `None` if the service had finished at once, without one.
    pub fn operation(&self) -> Option<&M> {
        self.snapshot.as_ref()?.downcast_ref()
    }

    /// Whether the operation runs, or how it ended.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the operation has ended, in whichever way.
    pub fn is_terminal(&self) -> bool {
        self.state.is_terminal()
    }

    /// How many checks were sent so far.
    pub fn checks(&self) -> u32 {
        self.checks
    }

    /// How long the operation has been waited for, since it was started or resumed, as of the last
    /// check.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// How long from then until the next check, by the policy; `None` if there is none to come.
    pub fn next_check(&self) -> Option<Duration> {
        self.next_check
    }

    /// How far the operation has come, where the service tells.
    pub fn progress(&self) -> Option<Progress> {
        self.snapshot.as_ref()?.progress()
    }

    /// Whether this check showed that the service has tried again: its count of attempts grew.
    pub fn is_retried(&self) -> bool {
        self.retried
    }

    /// How long the service has been answering the same.
    pub fn unchanged_for(&self) -> Duration {
        self.unchanged_for
    }

    /// Whether the operation runs and the service has answered the same for at least `time`: the
    /// mark of an outage, which can keep operations in progress for hours.
    pub fn is_stalled(&self, time: Duration) -> bool {
        !self.is_terminal() && self.unchanged_for >= time
    }

    /// Names the operation, so that another process can wait for it.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        Some(ResumeToken::new(M::TYPE, Uri::clone(self.location.as_ref()?)))
    }
}

impl<M> Clone for Update<M> {
    fn clone(&self) -> Self {
        Update { snapshot: self.snapshot.clone(), location: self.location.clone(), ..*self }
    }
}

impl<M> fmt::Debug for Update<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Update")
            .field("operation", &self.snapshot)
            .field("state", &self.state)
            .field("checks", &self.checks)
            .field("waited", &self.waited)
            .field("next_check", &self.next_check)
            .finish_non_exhaustive()
    }
}
