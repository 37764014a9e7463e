//! The queues of a set: which operation is due when.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::protocol::elapsed::Elapsed;

/// The number of the queue of operations that are checked with separate requests.
pub(super) const SINGLES: usize = 0;

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
    /// How many entries the last sweep left.
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

    /// The members that are due, in their order.
    pub(super) fn due(&self, now: Elapsed) -> Vec<Id> {
        let mut due: Vec<_> = self.heap.iter().filter(|Reverse((at, _))| *at <= now).collect();
        due.sort_unstable_by_key(|entry| entry.0);
        due.into_iter().map(|Reverse((_, id))| *id).collect()
    }

    /// The first member. The entries before it, whose members have moved, are dropped.
    pub(super) fn next(&mut self, is_current: impl Fn(Id) -> bool) -> Option<(Elapsed, Id)> {
        while let Some(&Reverse((at, id))) = self.heap.peek() {
            if is_current(id) {
                return Some((at, id));
            }
            self.heap.pop();
        }
        None
    }

    /// Takes the first entry out if its time has come; its member may have moved.
    pub(super) fn pop(&mut self, now: Elapsed) -> Option<Id> {
        let &Reverse((at, id)) = self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        Some(id)
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
    /// When the operations that are due stop waiting for a batch to fill; [`Elapsed::MAX`] if none
    /// are due.
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
            send_at: Elapsed::MAX,
            batching,
            refusals: 0,
            contradictions: 0,
            believed: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.urgent.len() + self.ready.len()
    }

    /// The path below the API version.
    pub(super) fn relative<'a>(&self, path: &'a str) -> &'a str {
        path.strip_prefix(&*self.base).unwrap_or(path)
    }

    /// Takes out the operation to check first; it may have left this place.
    pub(super) fn pop(&mut self) -> Option<Id> {
        self.urgent.pop_front().or_else(|| self.ready.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Id {
        Id { stamp: number, member: number }
    }

    #[test]
    fn stale_entries_are_swept_out_before_they_outnumber_the_others() {
        let mut timed = Timed::default();
        // A hundred members that move a hundred times each.
        for stamp in 0..10_000 {
            timed.push(Elapsed::from_secs(stamp.into()), id(stamp), |id| id.stamp + 100 > stamp);
            assert!(timed.heap.len() <= 2 * 100 + 64 + 1, "{}", timed.heap.len());
        }
        assert!((9_900..10_000).all(|stamp| timed.ids().any(|other| other == id(stamp))));
    }

    /// A sweep looks at all entries, and pays off only if there are many more than at the last one.
    #[test]
    fn sweeps_are_rare() {
        let looks = std::cell::Cell::new(0_u32);
        let mut timed = Timed::default();
        for number in 0..10_000 {
            timed.push(Elapsed::ZERO, id(number), |_| {
                looks.set(looks.get() + 1);
                true
            });
        }
        assert!(looks.get() <= 2 * 10_000, "{looks:?}");
    }

    #[test]
    fn of_two_that_are_due_at_once_the_one_that_has_waited_longer_comes_first() {
        let mut timed = Timed::default();
        for number in [3, 1, 2] {
            timed.push(Elapsed::from_secs(1), id(number), |_| true);
        }
        assert_eq!(timed.next(|_| true), Some((Elapsed::from_secs(1), id(1))));
        assert_eq!(timed.pop(Elapsed::ZERO), None);
        // A member that has moved is not the next one.
        assert_eq!(timed.next(|other| other != id(1)), Some((Elapsed::from_secs(1), id(2))));
        let popped: Vec<_> =
            std::iter::from_fn(|| timed.pop(Elapsed::from_secs(1))).map(|id| id.member).collect();
        assert_eq!(popped, [2, 3]);
    }

    #[test]
    fn the_urgent_come_first_in_their_order() {
        let mut queue = Queue::new("/v1.0", true);
        queue.ready.extend([id(1), id(2)]);
        queue.urgent.extend([id(3), id(4)]);
        assert_eq!(queue.len(), 4);
        let popped: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|id| id.member).collect();
        assert_eq!(popped, [3, 4, 1, 2]);
        assert_eq!(queue.len(), 0);
    }
}
