//! Which operations are checked or started next, and when: first the policy, then the owner's rate,
//! then the set's rate.

use std::hash::Hash;

use super::dispatch::Picked;
use super::envelope::SentItem;
use super::member::{Member, Place, Single};
use super::owners::owner_of;
use super::queue::{Id, Queue, SINGLES};
use super::slab::Slab;
use super::step::{SetStep, Ticket};
use super::{Change, Set, current, is_at};
use crate::error::Error;
use crate::model::Monitor;
use crate::protocol::elapsed::Elapsed;
use crate::protocol::machine::Next;
use crate::protocol::polling::Polling;
use crate::protocol::rate::Reservation;
use crate::protocol::step::Reason;

/// The longest time that an operation that is due waits for a batch to fill.
const LONGEST_SLACK: Elapsed = Elapsed::from_secs(2);

/// The same, in thousandths of the interval.
const SLACK: u16 = 50;

impl Member {
    /// The number of its queue.
    pub(super) fn queue(&self) -> usize {
        if self.single == Single::No { self.version.into() } else { SINGLES }
    }

    /// Its deadline, by the set's clock.
    pub(super) fn deadline(&self, policy: &Polling) -> Option<Elapsed> {
        policy.deadline().map(|deadline| self.start.plus(deadline))
    }

    /// When it stops waiting for a batch to fill, once it is due.
    fn send_at(&self, policy: &Polling) -> Elapsed {
        let due = self.tracker.due(policy).map_or(Elapsed::ZERO, |(due, _)| due);
        let slack = policy.between().thousandths(SLACK).min(LONGEST_SLACK);
        let limit = due.plus(slack);
        // Not beyond the deadline.
        let limit = policy.deadline().map_or(limit, |deadline| limit.min(deadline.max(due)));
        self.start.plus(limit)
    }
}

/// The operations of a queue that are due, and that are still in it.
pub(super) fn lined_up<K: Eq + Hash>(
    queue: &Queue,
    members: &Slab<K, Member>,
) -> impl Iterator<Item = Id> {
    let urgent = queue.urgent.iter().filter(|&&id| is_at(members, id, Place::Urgent));
    let ready = queue.ready.iter().filter(|&&id| is_at(members, id, Place::Ready));
    urgent.chain(ready).copied()
}

/// Drops the ids at the heads of a queue whose operations have left it. An empty queue does not
/// wait for a batch to fill.
fn forget_stale<K: Eq + Hash>(queue: &mut Queue, members: &Slab<K, Member>) {
    while queue.urgent.front().is_some_and(|&id| !is_at(members, id, Place::Urgent)) {
        queue.urgent.pop_front();
    }
    while queue.ready.front().is_some_and(|&id| !is_at(members, id, Place::Ready)) {
        queue.ready.pop_front();
    }
    if queue.len() == 0 {
        queue.send_at = Elapsed::MAX;
    }
}

/// How the next start begins.
enum NextStart {
    /// The driver makes it.
    Ticket(Ticket),
    /// The set sends it, with others if possible.
    Send(Picked),
}

/// When to call again, and why.
#[derive(Default)]
struct Wake(Option<(Elapsed, Reason)>);

impl Wake {
    fn by(&mut self, at: Elapsed, why: Reason) {
        if self.0.is_none_or(|(before, _)| at < before) {
            self.0 = Some((at, why));
        }
    }
}

impl<K: Clone + Eq + Hash> Set<K> {
    /// Schedules the next check of an operation.
    pub(super) fn schedule(&mut self, number: u32) {
        let stamp = self.new_stamp();
        let now = self.now;
        let Some(member) = self.members.get_mut(number) else { return };
        member.stamp = stamp;
        member.tracker.advance(member.elapsed(now));
        self.arrange(number);
    }

    /// The same for a member that keeps its stamp.
    pub(super) fn arrange(&mut self, number: u32) {
        let Some(member) = self.members.get_mut(number) else { return };
        let stamp = member.stamp;
        let policy = self.policies.get(member.policy);
        let ended = member.is_finished() || member.outcome().is_some() || member.tracker.is_ended();
        let due = if ended { None } else { member.tracker.due(&policy) };
        let Some((due, _)) = due else {
            member.place = Place::Ended;
            self.events.push_back((number, Change::Ended));
            return;
        };
        member.place = Place::Waiting;
        let due = member.start.plus(due);
        let (queue, members) = (member.queue(), &self.members);
        if let Some(queue) = self.queues.get_mut(queue) {
            let id = Id { member: number, stamp };
            queue.waiting.push(due, id, |id| is_at(members, id, Place::Waiting));
        }
    }

    /// Moves the operations that are due to their lines.
    pub(super) fn collect(&mut self) {
        let now = self.now;
        for at in 0..self.queues.len() {
            while let Some(id) = self.queues.get_mut(at).and_then(|queue| queue.waiting.pop(now)) {
                if is_at(&self.members, id, Place::Waiting) {
                    self.fall_due(id);
                }
            }
        }
        let mut released = Vec::new();
        self.owners.release(now, |id| released.push(id));
        for id in released.into_iter().rev() {
            if is_at(&self.members, id, Place::Aside) {
                self.make_ready(id, true);
            }
        }
    }

    fn fall_due(&mut self, id: Id) {
        let now = self.now;
        let Some(member) = self.members.get_mut(id.member) else { return };
        let policy = self.policies.get(member.policy);
        match member.tracker.next(&policy, member.elapsed(now)) {
            Next::Send => self.make_ready(id, false),
            Next::TimedOut => self.time_out(id.member, None),
            Next::Wait(..) | Next::Done => self.schedule(id.member),
        }
    }

    /// Puts an operation that is due at the head or the tail of its line.
    pub(super) fn make_ready(&mut self, id: Id, first: bool) {
        if self.end_if_put_off(id.member) {
            return;
        }
        let now = self.now;
        let Some(member) = self.members.get_mut(id.member) else { return };
        let policy = self.policies.get(member.policy);
        let last = member.tracker.last_due(&policy).map(|last| member.start.plus(last));
        let urgent = last.is_some_and(|last| last <= now);
        member.place = if urgent { Place::Urgent } else { Place::Ready };
        let deadline = member.deadline(&policy);
        let (send_at, queue) = (member.send_at(&policy), member.queue());
        if let Some(queue) = self.queues.get_mut(queue) {
            forget_stale(queue, &self.members);
            queue.send_at = queue.send_at.min(send_at);
            let line = if urgent { &mut queue.urgent } else { &mut queue.ready };
            if first { line.push_front(id) } else { line.push_back(id) }
        }
        let remind_at = if urgent { deadline } else { last };
        if let Some(at) = remind_at.filter(|&at| at > now) {
            self.remind(at, id);
        }
    }

    /// Ends an operation whose deadline has passed while the set is paused: its last check might be
    /// refused too, and the deadline does not wait for the end of the pause. `false` if the
    /// operation continues.
    fn end_if_put_off(&mut self, number: u32) -> bool {
        let Some(member) = self.members.get(number) else { return false };
        let deadline = member.deadline(&self.policies.get(member.policy));
        let overdue = deadline.is_some_and(|deadline| deadline <= self.now);
        if !overdue || self.put_off.until <= self.now {
            return false;
        }
        let reason = self.put_off.reason.clone();
        self.time_out(number, reason);
        true
    }

    /// Ends the operations whose deadline has passed while the set is paused.
    pub(super) fn end_put_off(&mut self) {
        let lines = self.queues.iter().flat_map(|queue| queue.urgent.iter().copied());
        let urgent = lines.filter(|&id| is_at(&self.members, id, Place::Urgent));
        for id in urgent.collect::<Vec<_>>() {
            self.end_if_put_off(id.member);
        }
    }

    pub(super) fn remind(&mut self, at: Elapsed, id: Id) {
        let members = &self.members;
        self.deadlines.push(at, id, |id| current(members, id).is_some());
    }

    /// Handles operations whose deadline is near or has passed.
    pub(super) fn expire(&mut self) {
        while let Some(id) = self.deadlines.pop(self.now) {
            let Some(member) = current(&self.members, id) else { continue };
            match member.place {
                // Its entry in the line of operations that are merely ready is skipped.
                Place::Ready => self.make_ready(id, false),
                Place::Urgent => {
                    self.end_if_put_off(id.member);
                }
                Place::InFlight => {
                    let error = Error::transport("the check timed out");
                    self.fail_check(id.member, error);
                }
                // One that waits for a retry has another id.
                Place::Starting => {
                    let error = Error::transport("the request timed out");
                    let item = SentItem { id, before: None };
                    self.decide_start(&item, |start, now| start.failed(error, now));
                }
                _ => {}
            }
        }
    }

    /// Ends an operation that will not be checked again before its deadline.
    pub(super) fn time_out(&mut self, number: u32, reason: Option<Error>) {
        let error = self.decide(number, |poller, now| {
            poller.tracker.advance(poller.clock.elapsed(now));
            if let Some(reason) = reason {
                let fault = poller.complete(reason);
                poller.tracker.keep_fault(fault);
            }
            poller.timed_out()
        });
        if let Some(error) = error {
            self.end(number, error);
        }
    }

    /// The next step once there is no event to report.
    pub(super) fn next_step(&mut self) -> SetStep<'_, K> {
        let mut wake = Wake::default();
        match self.next_start(&mut wake) {
            Some(NextStart::Ticket(ticket)) => return SetStep::Start(ticket),
            Some(NextStart::Send(picked)) => return SetStep::Send(picked.into_dispatch(self)),
            None => {}
        }
        if let Some(picked) = self.next_check(&mut wake) {
            return SetStep::Send(picked.into_dispatch(self));
        }
        self.wait(wake)
    }

    /// The step if nothing can be sent now: to wait for the next change.
    fn wait(&mut self, mut wake: Wake) -> SetStep<'_, K> {
        let members = &self.members;
        for queue in &mut self.queues {
            if let Some((due, id)) = queue.waiting.next(|id| is_at(members, id, Place::Waiting)) {
                let why = members.get(id.member).and_then(|member| {
                    Some(member.tracker.due(&self.policies.get(member.policy))?.1)
                });
                wake.by(due, why.unwrap_or(Reason::Interval));
            }
        }
        if let Some((at, _)) = self.deadlines.next(|id| current(members, id).is_some()) {
            wake.by(at, Reason::Deadline);
        }
        if let Some(due) = self.owners.due() {
            wake.by(due, Reason::Owner);
        }
        match wake.0 {
            Some((at, why)) => {
                self.wake = Some(at);
                SetStep::Wait(at.minus(self.now).into(), why)
            }
            None if self.is_empty() => SetStep::Done,
            None => SetStep::Pending,
        }
    }

    /// The maximum number of items in this queue's next batch.
    fn batch_of(&self, queue: usize) -> usize {
        match self.queues.get(queue) {
            Some(queue) if queue.batching => self.recovery.of(self.batch, self.now),
            _ => 1,
        }
    }

    fn next_check(&mut self, wake: &mut Wake) -> Option<Picked> {
        if self.queues.iter().all(|queue| queue.len() == 0) {
            self.reserved = None;
            return None;
        }
        if self.requests_in_flight >= self.requests_at_once {
            return None;
        }
        let now = self.now;
        if let Some((until, why)) = self.put_off.pause(now) {
            wake.by(until, why);
            return None;
        }
        if let Some(reserved) = &self.reserved {
            let at = self.clock.elapsed(reserved.at());
            if at > now {
                wake.by(at, Reason::Rate);
                return None;
            }
        }
        for queue in self.by_age() {
            let Some(mut members) = self.pick(queue, wake) else { continue };
            let count = members.len();
            let mut reservation = self.reserved.take().unwrap_or_else(|| self.reserve(count));
            let admitted = count.min(reservation.count());
            if !self.claim(&mut reservation, admitted, wake) {
                self.put_back(members);
                self.reserved = Some(reservation);
                return None;
            }
            let excess = members.split_off(admitted);
            self.put_back(excess);
            return Some(Picked { members, queue, starts: false, reservation });
        }
        None
    }

    fn reserve(&self, count: usize) -> Reservation {
        self.limit.reserve(u32::try_from(count).unwrap_or(1), self.latest())
    }

    /// Takes this many tokens, if the rate allows it now.
    fn claim(&self, reservation: &mut Reservation, count: usize, wake: &mut Wake) -> bool {
        let claimed = self.clock.elapsed(reservation.at()) <= self.now
            && reservation.claim(count, self.latest());
        if !claimed {
            wake.by(self.clock.elapsed(reservation.at()), Reason::Rate);
        }
        claimed
    }

    /// The queues that are not empty: those with urgent operations first, then those with older
    /// ones.
    fn by_age(&mut self) -> Vec<usize> {
        let mut queues = Vec::new();
        for (number, queue) in self.queues.iter_mut().enumerate() {
            let members = &self.members;
            forget_stale(queue, members);
            if let Some(id) = queue.urgent.front().or(queue.ready.front()) {
                let due = members.get(id.member).and_then(|member| {
                    let (due, _) = member.tracker.due(&self.policies.get(member.policy))?;
                    Some(member.start.plus(due))
                });
                queues.push((queue.urgent.is_empty(), due, number));
            }
        }
        queues.sort_unstable();
        queues.into_iter().map(|(_, _, number)| number).collect()
    }

    /// Picks the operations for one request now, if there are enough to send it.
    fn pick(&mut self, number: usize, wake: &mut Wake) -> Option<Vec<u32>> {
        let now = self.now;
        let most = self.batch_of(number);
        let queue = self.queues.get(number)?;
        let waits = most > 1 && queue.send_at > now;
        if waits && lined_up(queue, &self.members).take(most).count() < most {
            wake.by(queue.send_at, Reason::Batch);
            return None;
        }
        let mut picked = Vec::with_capacity(most);
        while picked.len() < most
            && let Some(id) = self.queues.get_mut(number).and_then(Queue::pop)
        {
            let is_due = current(&self.members, id)
                .is_some_and(|member| matches!(member.place, Place::Ready | Place::Urgent));
            // An operation that has become urgent is still in the other line too.
            if is_due && !picked.contains(&id.member) && self.admit(id) {
                picked.push(id.member);
            }
        }
        if picked.is_empty() || (waits && picked.len() < most) {
            let send_at = self.queues.get(number)?.send_at;
            if !picked.is_empty() {
                wake.by(send_at, Reason::Batch);
            }
            self.put_back(picked);
            return None;
        }
        self.update_send_at(number, most);
        Some(picked)
    }

    /// Whether the owner's rate allows a check of this operation now. If not, puts it aside.
    fn admit(&mut self, id: Id) -> bool {
        let Some(owner) = self.owner_of(id.member) else { return true };
        let admitted = self.owners.admit(owner, self.now);
        if !admitted {
            if let Some(member) = self.members.get_mut(id.member) {
                member.place = Place::Aside;
            }
            self.owners.put_aside(owner, id);
        }
        admitted
    }

    /// The owner towards whose rate the check of a member counts.
    pub(super) fn owner_of(&self, number: u32) -> Option<u64> {
        if self.reader.monitor == Monitor::Anonymous {
            return None;
        }
        let member = self.members.get(number)?;
        let base = match self.queues.get(usize::from(member.version)) {
            Some(queue) if !queue.base.is_empty() => &*queue.base,
            _ => self.root.path().trim_end_matches('/'),
        };
        let path = member.path();
        Some(owner_of(path.strip_prefix(base).unwrap_or(path)))
    }

    /// Sets when the remaining operations stop waiting; those that fill a batch do not wait.
    fn update_send_at(&mut self, number: usize, most: usize) {
        let Some(queue) = self.queues.get(number) else { return };
        let left: Vec<Id> = lined_up(queue, &self.members).take(most).collect();
        if left.len() >= most {
            return;
        }
        let send_at = left.into_iter().filter_map(|id| {
            let member = self.members.get(id.member)?;
            Some(member.send_at(&self.policies.get(member.policy)))
        });
        let send_at = send_at.min().unwrap_or(Elapsed::MAX);
        if let Some(queue) = self.queues.get_mut(number) {
            queue.send_at = send_at;
        }
    }

    /// Puts operations that are not sent now back at the head of their line.
    pub(super) fn put_back(&mut self, members: Vec<u32>) {
        for number in members.into_iter().rev() {
            if let Some(owner) = self.owner_of(number) {
                self.owners.revoke(owner);
            }
            let Some(member) = self.members.get(number) else { continue };
            let id = Id { member: number, stamp: member.stamp };
            let send_at = member.send_at(&self.policies.get(member.policy));
            let urgent = member.place == Place::Urgent;
            if let Some(queue) = self.queues.get_mut(member.queue()) {
                queue.send_at = queue.send_at.min(send_at);
                if urgent { queue.urgent.push_front(id) } else { queue.ready.push_front(id) }
            }
        }
    }

    /// The start whose turn is next, whether or not it may begin now.
    fn first_start(&mut self, wake: &mut Wake) -> Option<Id> {
        while let Some(id) = self.retries.pop(self.now) {
            self.starts.push_front(id);
        }
        let members = &self.members;
        if let Some((at, id)) = self.retries.next(|id| is_at(members, id, Place::Starting)) {
            let start = members.get(id.member).and_then(Member::own_start);
            wake.by(at, start.map_or(Reason::Backoff, |start| start.attempts.why));
        }
        while let Some(&id) = self.starts.front() {
            if is_at(members, id, Place::Queued) || is_at(members, id, Place::Starting) {
                return Some(id);
            }
            self.starts.pop_front();
        }
        None
    }

    /// The next start, if one may begin.
    fn next_start(&mut self, wake: &mut Wake) -> Option<NextStart> {
        let now = self.now;
        let Some(first) = self.first_start(wake) else {
            self.reserved_for_start = None;
            return None;
        };
        if self.starts_in_flight >= self.starts_at_once {
            return None;
        }
        let version = self.version_of_start(first);
        if version.is_some()
            && let Some((until, why)) = self.put_off.pause(now)
        {
            wake.by(until, why);
            return None;
        }
        let most = version.map_or(1, |version| self.batch_of(version));
        let starts = self.starts.iter().take(most);
        let count = starts.take_while(|&&id| self.version_of_start(id) == version).count().max(1);
        let mut reservation = self.reserved_for_start.take().unwrap_or_else(|| self.reserve(count));
        let count = if version.is_some() { count.min(reservation.count()) } else { 1 };
        if !self.claim(&mut reservation, count, wake) {
            self.reserved_for_start = Some(reservation);
            return None;
        }
        let taken: Vec<Id> = self.starts.drain(..count).collect();
        if let Some(queue) = version {
            let members = taken.into_iter().map(|id| id.member).collect();
            return Some(NextStart::Send(Picked { members, queue, starts: true, reservation }));
        }
        reservation.used();
        self.starts_in_flight += 1;
        self.begin_start(first.member);
        Some(NextStart::Ticket(Ticket(first)))
    }

    /// The API version of a start that the set sends itself.
    fn version_of_start(&self, id: Id) -> Option<usize> {
        let member = current(&self.members, id)?;
        member.own_start()?;
        Some(member.version.into())
    }

    pub(super) fn begin_start(&mut self, number: u32) {
        if let Some(member) = self.members.get_mut(number)
            && member.place == Place::Queued
        {
            member.place = Place::Starting;
            self.queued = self.queued.saturating_sub(1);
            self.starting += 1;
        }
    }
}
