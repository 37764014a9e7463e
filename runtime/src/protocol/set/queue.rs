//! The queues of a set: which operation is due when.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::protocol::elapsed::Elapsed;

/// A member as a queue knows it: its number, and its stamp when it was queued. A member with
/// another stamp has moved. Of two members due at the same time, the one that has waited longer
/// comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id {
    pub(super) stamp: u32,
    pub(super) member: u32,
}

/// Members by time.
#[derive(Debug, Default)]
pub(super) struct Timed {
    heap: BinaryHeap<Reverse<(Elapsed, Id)>>,
    swept: usize,
}

impl Timed {
    /// Adds a member. Entries of members that have moved are swept out before they outnumber the
    /// others.
    pub(super) fn push(&mut self, at: Elapsed, id: Id, is_current: impl Fn(Id) -> bool) {
        if self.heap.len() > 2 * self.swept + 64 {
            self.heap.retain(|Reverse((_, id))| is_current(*id));
            self.swept = self.heap.len();
        }
        self.heap.push(Reverse((at, id)));
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        self.heap.iter().map(|Reverse((_, id))| *id)
    }

    pub(super) fn next(&self) -> Option<(Elapsed, Id)> {
        self.heap.peek().map(|Reverse(next)| *next)
    }

    pub(super) fn pop(&mut self, now: Elapsed) -> Option<Id> {
        let &Reverse((at, id)) = self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some(id)
    }

    /// Drops the first entry, whose member has moved.
    pub(super) fn skip(&mut self) {
        self.heap.pop();
    }
}

/// The operations of one API version, or those that are checked with separate requests.
#[derive(Debug)]
pub(super) struct Queue {
    /// The path of the API version, such as `/v1.0`.
    pub(super) base: Box<str>,
    pub(super) waiting: Timed,
    /// Operations that are due for their last check before the deadline.
    pub(super) urgent: VecDeque<Id>,
    /// Operations that are due, the oldest first.
    pub(super) ready: VecDeque<Id>,
    /// Until when operations that are due wait for a batch to fill.
    pub(super) send_at: Elapsed,
    pub(super) batching: bool,
    /// Consecutive batches that were refused as a whole.
    pub(super) refusals: u8,
    /// Operations that a batch refused and a separate request did not.
    pub(super) contradictions: u8,
    /// Whether a separate request has confirmed what a batch said.
    pub(super) believed: bool,
}

impl Queue {
    pub(super) fn new(base: &str, batching: bool) -> Self {
        Queue {
            base: base.into(),
            waiting: Timed::default(),
            urgent: VecDeque::new(),
            ready: VecDeque::new(),
            send_at: Elapsed::from_nanos(u64::MAX),
            batching,
            refusals: 0,
            contradictions: 0,
            believed: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.urgent.len() + self.ready.len()
    }

    pub(super) fn pop(&mut self) -> Option<Id> {
        self.urgent.pop_front().or_else(|| self.ready.pop_front())
    }
}
