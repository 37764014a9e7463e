//! The request that is sent next: what is in it, and what sending it changes.

use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::Set;
use super::envelope::{Envelope, SentItem};
use super::member::{Place, with_path};
use super::queue::{Id, SINGLES};
use crate::model::Monitor;
use crate::protocol::batch::Writer;
use crate::protocol::elapsed::Elapsed;
use crate::protocol::rate::{Admitted, Reservation};
use crate::protocol::request::{Outgoing, limit};

/// A request that can be sent now.
///
/// Taking the request counts as sending it. Dropping this instead changes nothing.
#[must_use = "a request that is not taken is not sent"]
pub struct Dispatch<'a, K: Clone + Eq + Hash> {
    set: &'a mut Set<K>,
    picked: Option<Picked>,
}

/// What can be sent now.
pub(super) struct Picked {
    pub(super) members: Vec<u32>,
    pub(super) queue: usize,
    pub(super) starts: bool,
    pub(super) reservation: Reservation,
}

impl Picked {
    pub(super) fn into_dispatch<K: Clone + Eq + Hash>(self, set: &mut Set<K>) -> Dispatch<'_, K> {
        Dispatch { set, picked: Some(self) }
    }
}

impl<K: Clone + Eq + Hash> Dispatch<'_, K> {
    fn members(&self) -> &[u32] {
        self.picked.as_ref().map_or(&[], |picked| &picked.members)
    }

    /// How long the request may take: the longest time that any of its operations has left; `None`
    /// if one has no deadline.
    pub fn time_left(&self) -> Option<Duration> {
        let mut longest = Elapsed::ZERO;
        for &number in self.members() {
            let member = self.set.members.get(number)?;
            let left = if let Some(start) = member.own_start() {
                start.time_left(self.set.latest())
            } else {
                let policy = self.set.policies.get(member.policy);
                policy.time_left(member.elapsed(self.set.now))
            };
            longest = longest.max(left?);
        }
        Some(longest.into())
    }

    /// Whether the request has to be sent without a credential; see
    /// [`Monitor::Anonymous`](crate::Monitor::Anonymous).
    pub fn is_anonymous(&self) -> bool {
        self.set.reader.monitor == Monitor::Anonymous
            && self.picked.as_ref().is_some_and(|picked| !picked.starts)
    }

    /// Whether the request starts operations instead of checking them.
    pub fn is_start(&self) -> bool {
        self.picked.as_ref().is_some_and(|picked| picked.starts)
    }

    /// Returns the request, which counts as sent, and the envelope to return with its result.
    pub fn request(mut self) -> (Request<Bytes>, Envelope) {
        let (anonymous, time_left) = (self.is_anonymous(), self.time_left());
        let picked = self.picked.take();
        let (members, queue, starts) = match picked {
            Some(Picked { members, queue, starts, reservation }) => {
                reservation.used();
                (members, queue, starts)
            }
            None => (Vec::new(), SINGLES, false),
        };
        let set = &mut *self.set;
        let single = members.len() == 1;
        let mut request = match members.first() {
            Some(&number) if single => set.single_request(number, anonymous, starts),
            _ => set.batch_request(&members, queue, starts),
        };
        limit(&mut request, time_left);
        if set.shares_limit {
            request.extensions_mut().insert(Admitted(set.limit.clone()));
        }
        let envelope = Envelope {
            items: set.note_sending(members, starts),
            queue,
            single,
            starts,
            sent: set.now,
            dropped: set.dropped.clone(),
        };
        (request, envelope)
    }
}

/// A request that was not taken can be sent the next time.
impl<K: Clone + Eq + Hash> Drop for Dispatch<'_, K> {
    fn drop(&mut self) {
        let Some(Picked { members, starts, .. }) = self.picked.take() else { return };
        if !starts {
            self.set.put_back(members);
            return;
        }
        for number in members.into_iter().rev() {
            if let Some(member) = self.set.members.get(number) {
                self.set.starts.push_front(Id { member: number, stamp: member.stamp });
            }
        }
    }
}

impl<K: Clone + Eq + Hash> fmt::Debug for Dispatch<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").field("items", &self.members().len()).finish_non_exhaustive()
    }
}

impl<K: Clone + Eq + Hash> Set<K> {
    fn single_request(&self, number: u32, anonymous: bool, starts: bool) -> Request<Bytes> {
        let Some(member) = self.members.get(number) else { return Request::default() };
        match member.own_start() {
            Some(start) if starts => Request::clone(&start.request),
            _ => Outgoing::Get { uri: member.location(&self.root), anonymous }.into_request(None),
        }
    }

    fn batch_request(&self, members: &[u32], queue: usize, starts: bool) -> Request<Bytes> {
        let Some(queue) = self.queues.get(queue) else { return Request::default() };
        let mut writer = Writer::new(members.len());
        for &number in members {
            let Some(member) = self.members.get(number) else { continue };
            match member.own_start() {
                Some(start) if starts => {
                    writer.request(queue.relative(start.path()), &start.request);
                }
                _ => writer.check(queue.relative(member.path())),
            }
        }
        writer.finish(with_path(&self.root, &format!("{}/$batch", queue.base)))
    }

    fn note_sending(&mut self, members: Vec<u32>, starts: bool) -> Vec<SentItem> {
        if starts {
            return self.note_starts(members);
        }
        self.requests_in_flight += 1;
        let (now, lengthening) = (self.now, self.jitter.draw());
        let mut items = Vec::with_capacity(members.len());
        for number in members {
            let stamp = self.new_stamp();
            let Some(member) = self.members.get_mut(number) else { continue };
            let policy = self.policies.get(member.policy);
            member.tracker.advance(member.elapsed(now));
            let before = member.tracker.before_sending();
            member.tracker.sent_in_step(lengthening);
            (member.stamp, member.place) = (stamp, Place::InFlight);
            let left = policy.time_left(member.elapsed(now));
            let id = Id { member: number, stamp };
            items.push(SentItem { id, before: Some(before) });
            if let Some(left) = left {
                self.remind(now.plus(left), id);
            }
        }
        items
    }

    fn note_starts(&mut self, members: Vec<u32>) -> Vec<SentItem> {
        let now = self.latest();
        // A batch of starts counts as one.
        self.starts_in_flight += 1;
        let mut items = Vec::with_capacity(members.len());
        for number in members {
            self.begin_start(number);
            let Some(id) = self.restamp(number) else { continue };
            items.push(SentItem { id, before: None });
            let member = self.members.get_mut(number);
            let Some(start) = member.and_then(|member| member.rest().own_start.as_mut()) else {
                continue;
            };
            start.sending(now);
            if let Some(left) = start.time_left(now) {
                self.remind(self.now.plus(left), id);
            }
        }
        items
    }
}
