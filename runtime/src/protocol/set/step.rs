//! What a set tells its driver.

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::dispatch::Dispatch;
use super::envelope::Envelope;
use super::queue::Id;
use crate::error::Error;
use crate::protocol::poller::Poller;
use crate::protocol::step::Reason;

/// What to do next.
#[derive(Debug)]
pub enum SetStep<'a, K: Clone + Eq + Hash> {
    /// Wait this long, for this reason, or until a request or a start in flight completes.
    Wait(Duration, Reason),
    /// Wait until a request or a start in flight completes.
    Pending,
    /// Send a request.
    Send(Dispatch<'a, K>),
    /// Begin the start with this ticket, and call [`Set::started`](super::Set::started) with its
    /// result.
    Start(Ticket),
    /// Something happened.
    Event(Report<K>),
    /// Nothing: the set is empty.
    Done,
}

/// A start that waits for its turn, or is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub(super) Id);

/// What happened to one operation.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report<K> {
    /// The start, which the set sends itself, failed with this error and is retried.
    RetryingStart(K, Error),
    /// It was started.
    Started(K),
    /// A check found something new, or failed with this error and is retried.
    /// [`Set::inspect`](super::Set::inspect) returns the operation.
    Checked(K, Option<Error>),
    /// The operation has ended, and has been removed from the set.
    Ended(K, Result<Box<Poller>, Error>),
}

/// What the set made of a response.
#[must_use = "a credential may have to be renewed"]
pub enum Received {
    /// The response was processed.
    Done,
    /// The service refused the credential for these operations. Renew it, and call
    /// [`Set::authorized`](super::Set::authorized).
    Unauthorized(Envelope, Response<Bytes>),
}

/// Shows no response: its headers and its body can contain secrets.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Received::Done => f.write_str("Done"),
            Received::Unauthorized(envelope, _) => {
                f.debug_tuple("Unauthorized").field(envelope).finish_non_exhaustive()
            }
        }
    }
}
