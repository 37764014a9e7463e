//! Requests in flight.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::queue::Id;
use crate::protocol::elapsed::Elapsed;
use crate::protocol::machine::BeforeSending;

/// The operations that one request checks or starts.
///
/// Return it to the set with the result of the request. Dropping it counts as a lost response: its
/// operations lose this check, and its starts may have been carried out.
#[must_use = "return it to the set with the result of the request"]
pub struct Envelope {
    pub(super) items: Vec<SentItem>,
    /// The number of the queue that the operations came from.
    pub(super) queue: usize,
    /// Whether the request is for a single operation, not a batch.
    pub(super) single: bool,
    pub(super) starts: bool,
    pub(super) sent: Elapsed,
    pub(super) dropped: DroppedRequests,
}

impl Envelope {
    /// How many operations the request checks or starts.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether no operation is left in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the request starts its operations instead of checking them.
    pub(crate) fn is_start(&self) -> bool {
        self.starts
    }
}

impl Drop for Envelope {
    fn drop(&mut self) {
        if !self.items.is_empty() {
            self.dropped.add(std::mem::take(&mut self.items), self.starts);
        }
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("items", &self.items.len())
            .field("single", &self.single)
            .field("starts", &self.starts)
            .finish_non_exhaustive()
    }
}

/// An operation that a request checks or starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentItem {
    pub(super) id: Id,
    /// What to restore if the check turns out not to have been sent; `None` for a start.
    pub(super) before: Option<BeforeSending>,
}

/// A request that was dropped in flight.
#[derive(Debug)]
pub(super) struct Dropped {
    pub(super) items: Vec<SentItem>,
    pub(super) starts: bool,
}

/// The requests that were dropped since the set last looked. A driver may drop an envelope while
/// the set is elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct DroppedRequests(Arc<Mutex<Vec<Dropped>>>);

impl DroppedRequests {
    pub(super) fn add(&self, items: Vec<SentItem>, starts: bool) {
        self.lock().push(Dropped { items, starts });
    }

    pub(super) fn take(&self) -> Vec<Dropped> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Dropped>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
