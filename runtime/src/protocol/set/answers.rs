//! Responses, and what each means for its operations.

use std::hash::Hash;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, StatusCode};

use super::envelope::{Envelope, SentItem};
use super::member::{Member, Place, Single};
use super::queue::Id;
use super::step::Received;
use super::{Change, PutOff, Set, current_mut, is_at};
use crate::error::{Error, ErrorKind, ResponseFacts};
use crate::model::State;
use crate::model::json::lossy;
use crate::protocol::accept::Accepted;
use crate::protocol::backoff::backoff;
use crate::protocol::batch::{self, Item, ItemAnswer};
use crate::protocol::elapsed::Elapsed;
use crate::protocol::machine::Fault;
use crate::protocol::poller::Poller;
use crate::protocol::retry_after;
use crate::protocol::start::Start;
use crate::protocol::step::{Event, Step};

/// The wait after a refused batch, as in Graph's own SDKs; it doubles, up to three minutes.
const PAUSE: Elapsed = Elapsed::from_secs(3);

/// The number of operations, refused in a batch but read with a separate request, after which a
/// version gets no more batches.
const CONTRADICTIONS: u8 = 3;

/// The number of consecutive batches, refused as malformed, after which a version gets no more
/// batches.
const MALFORMED: u8 = 2;

/// How a batch is refused as a whole.
enum Refusal {
    /// Temporarily.
    Throttled,
    /// As malformed, or otherwise.
    Malformed,
    /// As not supported.
    Unsupported,
}

impl Refusal {
    fn of(status: StatusCode) -> Option<Self> {
        match status.as_u16() {
            429 | 503 | 509 => Some(Refusal::Throttled),
            404 | 405 | 501 => Some(Refusal::Unsupported),
            408 | 500 | 502 | 504 => None,
            // The service may accept the items although it refuses the batch: send them separately.
            _ => Some(Refusal::Malformed),
        }
    }
}

impl<K: Clone + Eq + Hash> Set<K> {
    /// Takes the response to a request, received at `now`.
    pub fn received(
        &mut self,
        mut envelope: Envelope,
        mut response: Response<Bytes>,
        now: Instant,
    ) -> Received {
        let items = self.open(&mut envelope, now);
        let mut refused = if envelope.single {
            self.receive_single(&envelope, items, &response)
        } else if response.status().is_success() {
            let (refused, first) = self.receive_batch(&envelope, items, &response);
            // The item's response is the one that refuses the credential.
            response = first.unwrap_or(response);
            refused
        } else if response.status() == StatusCode::UNAUTHORIZED {
            items.into_iter().filter(|item| self.receive_item(item, response.clone())).collect()
        } else if let Some(refusal) = Refusal::of(response.status()) {
            self.refuse(&envelope, items, &refusal, &response);
            Vec::new()
        } else {
            let error = Error::rejected("the batch", &response);
            self.fail_all(items, &error);
            Vec::new()
        };
        if refused.is_empty() {
            return Received::Done;
        }
        for item in &mut refused {
            // The time for the request is not that for the credential.
            if is_at(&self.members, item.id, Place::Starting)
                && let Some(id) = self.restamp(item.id.member)
            {
                item.id = id;
            }
        }
        envelope.items = refused;
        *self.in_flight(envelope.starts) += 1;
        Received::Unauthorized(envelope, response)
    }

    /// Takes the failure to send a request, or to receive its response, at `now`.
    pub fn failed(&mut self, mut envelope: Envelope, error: &Error, now: Instant) {
        let items = self.open(&mut envelope, now);
        self.fail_all(items, error);
    }

    /// Takes back a request that was not sent: it counts as neither a check nor a fault, and its
    /// operations are due as before.
    pub fn unsent(&mut self, mut envelope: Envelope, now: Instant) {
        let items = self.open(&mut envelope, now);
        self.take_back(items);
    }

    /// Takes the result of a [`Received::Unauthorized`]: its response, and whether there is a new
    /// credential. If there is, the operations are due at once; otherwise the response is final.
    pub fn authorized(
        &mut self,
        mut envelope: Envelope,
        response: &Response<Bytes>,
        renewed: bool,
        now: Instant,
    ) {
        for item in self.open(&mut envelope, now) {
            let number = item.id.member;
            if is_at(&self.members, item.id, Place::InFlight) {
                let event =
                    self.decide(number, |poller, now| poller.authorized(response, renewed, now));
                self.apply(number, event);
            } else {
                self.decide_start(&item, |start, now| start.authorized(response, renewed, now));
            }
        }
    }

    /// Takes the items out of an envelope that has come back at `now`.
    fn open(&mut self, envelope: &mut Envelope, now: Instant) -> Vec<SentItem> {
        self.advance(now);
        self.release(envelope.starts);
        std::mem::take(&mut envelope.items)
    }

    /// How many requests of this kind are in flight.
    fn in_flight(&mut self, starts: bool) -> &mut usize {
        if starts { &mut self.starts_in_flight } else { &mut self.requests_in_flight }
    }

    /// Counts a request as no longer in flight.
    fn release(&mut self, starts: bool) {
        let in_flight = self.in_flight(starts);
        *in_flight = in_flight.saturating_sub(1);
    }

    /// Takes the dropped requests: their operations are checked again when they are due.
    pub(super) fn take_dropped(&mut self) {
        for dropped in self.dropped.take() {
            self.release(dropped.starts);
            for item in dropped.items {
                if is_at(&self.members, item.id, Place::InFlight) {
                    self.schedule(item.id.member);
                } else {
                    let error = Error::transport("the request was dropped");
                    self.decide_start(&item, |start, now| start.failed(error, now));
                }
            }
        }
    }

    /// Carries out the poller's decision. Returns `true` if the check needs a new credential.
    fn apply(&mut self, number: u32, event: Option<Event<()>>) -> bool {
        match event {
            Some(Event::Unauthorized(_)) => return true,
            Some(Event::Failed(error)) => {
                self.end(number, error);
                return false;
            }
            Some(Event::Retrying(error)) => {
                self.events.push_back((number, Change::Checked(Some(error))));
            }
            Some(Event::Received(()) | Event::Authorized) | None => {}
        }
        self.schedule(number);
        false
    }

    /// Takes the response to one check. Returns `true` if the check needs a new credential.
    fn receive_check(&mut self, number: u32, response: Response<Bytes>) -> bool {
        let before = self.members.get(number).map(changed);
        let event = self.decide(number, |poller, now| poller.received(response, now));
        let after = self.members.get(number).map(changed);
        if matches!(event, Some(Event::Received(()))) && before != after {
            self.events.push_back((number, Change::Checked(None)));
        }
        self.apply(number, event)
    }

    /// Takes the fault of one check.
    pub(super) fn fail_check(&mut self, number: u32, error: Error) {
        let event = self.decide(number, |poller, now| poller.failed(error, now));
        self.apply(number, event);
    }

    fn fail_all(&mut self, items: Vec<SentItem>, error: &Error) {
        for item in items {
            self.fail_item(&item, error.clone());
        }
    }

    fn fail_item(&mut self, item: &SentItem, error: Error) {
        if is_at(&self.members, item.id, Place::InFlight) {
            self.fail_check(item.id.member, error);
        } else {
            self.decide_start(item, |start, now| start.failed(error, now));
        }
    }

    /// Takes the response to one item; `true` if it needs a new credential.
    fn receive_item(&mut self, item: &SentItem, response: Response<Bytes>) -> bool {
        if is_at(&self.members, item.id, Place::InFlight) {
            self.receive_check(item.id.member, response)
        } else {
            self.decide_start(item, |start, now| start.received(response, now))
        }
    }

    /// Takes the response to a separate request. Returns the items that need a new credential.
    fn receive_single(
        &mut self,
        envelope: &Envelope,
        items: Vec<SentItem>,
        response: &Response<Bytes>,
    ) -> Vec<SentItem> {
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.slow_down(envelope.sent);
        }
        for item in &items {
            if is_at(&self.members, item.id, Place::InFlight) {
                self.confirm(item.id.member, status);
            }
        }
        items.into_iter().filter(|item| self.receive_item(item, response.clone())).collect()
    }

    /// Compares the response to a separate request with the batch's.
    fn confirm(&mut self, number: u32, status: StatusCode) {
        let Some(member) = self.members.get_mut(number) else { return };
        let doubted = member.rest.as_ref().and_then(|rest| rest.doubted);
        let version = usize::from(member.version);
        match doubted {
            None if member.single == Single::Once => member.single = Single::No,
            Some(_) if status.is_success() => {
                member.single = Single::Always;
                member.rest().doubted = None;
                if let Some(queue) = self.queues.get_mut(version) {
                    queue.contradictions = queue.contradictions.saturating_add(1);
                    queue.batching &= queue.contradictions < CONTRADICTIONS;
                }
            }
            Some(doubted) if status == doubted => {
                member.single = Single::No;
                member.rest().doubted = None;
                if let Some(queue) = self.queues.get_mut(version) {
                    queue.believed = true;
                }
            }
            None | Some(_) => {}
        }
    }

    /// Takes the response to a batch. Returns the items that need a new credential, and the first
    /// response that says so.
    fn receive_batch(
        &mut self,
        envelope: &Envelope,
        items: Vec<SentItem>,
        response: &Response<Bytes>,
    ) -> (Vec<SentItem>, Option<Response<Bytes>>) {
        let text = lossy(response.body());
        let answers = match batch::take_apart(&text, response.headers(), items.len()) {
            Ok(answers) => answers,
            Err(error) => {
                let message = "the response is not a batch response";
                let error = Error::new(ErrorKind::Decode, message).with_json(error);
                self.fail_all(items, &error.with_response(response));
                return (Vec::new(), None);
            }
        };
        if let Some(queue) = self.queues.get_mut(envelope.queue) {
            queue.refusals = 0;
        }
        self.put_off.refusals = 0;
        let (mut refused, mut first) = (Vec::new(), None);
        for (item, answer) in items.into_iter().zip(answers) {
            let complaint = match answer {
                ItemAnswer::Item(answer) => {
                    if self.receive_batch_item(envelope, &item, &answer) {
                        refused.push(item);
                        first.get_or_insert_with(|| answer.response());
                    }
                    continue;
                }
                ItemAnswer::Missing => "the response to the batch has no response to this request",
                ItemAnswer::Duplicated => {
                    "the response to the batch has two responses to this request"
                }
                ItemAnswer::Unusable => "the response to the batch has no status for this request",
            };
            let facts = ResponseFacts::without_retry_after(response);
            self.fail_item(&item, Error::new(ErrorKind::Decode, complaint).with_facts(facts));
        }
        (refused, first)
    }

    /// Takes the response to one item of a batch; `true` if it needs a new credential.
    fn receive_batch_item(
        &mut self,
        envelope: &Envelope,
        item: &SentItem,
        answer: &Item<'_>,
    ) -> bool {
        let (number, status) = (item.id.member, answer.status);
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.slow_down(envelope.sent);
        }
        if status == StatusCode::FAILED_DEPENDENCY {
            // It was not carried out, because another item was not.
            let error = Error::rejected("the request", &answer.response());
            self.fail_item(item, error.not_carried_out());
            return false;
        }
        if !is_at(&self.members, item.id, Place::InFlight) {
            return self.decide_start(item, |start, now| start.received(answer.response(), now));
        }
        if status.is_success() {
            self.read(number, answer);
            return false;
        }
        if self.is_doubtful(envelope, number, status) {
            if let Some(member) = self.members.get_mut(number) {
                member.single = Single::Once;
                member.rest().doubted = Some(status);
                member.tracker.forget_renewal();
                member.tracker.check_at_once();
            }
            self.schedule(number);
            return false;
        }
        self.receive_check(number, answer.response())
    }

    /// Whether a separate request has to confirm the batch's response.
    fn is_doubtful(&self, envelope: &Envelope, number: u32, status: StatusCode) -> bool {
        let doubtful = matches!(status.as_u16(), 400 | 404 | 405);
        let believed = self.queues.get(envelope.queue).is_some_and(|queue| queue.believed);
        doubtful
            && !believed
            && self
                .members
                .get(number)
                .is_some_and(|member| member.tracker.fault_of(status) != Fault::NotYetKnown)
    }

    /// Reads an operation from the batch, in place.
    fn read(&mut self, number: u32, answer: &Item<'_>) {
        let now = self.now;
        let Some(member) = self.members.get_mut(number) else { return };
        let policy = self.policies.get(member.policy);
        let body = answer.body();
        let retry_after = answer.may_ask_to_wait().then(|| retry_after::parse(&answer.headers()));
        let retry_after = retry_after.flatten().map(Elapsed::from);
        let elapsed = member.elapsed(now);
        // Copied, so that what is kept does not keep the whole batch alive.
        let keep = || Bytes::copy_from_slice(&body);
        match member.tracker.read(self.reader, &policy, &body, retry_after, keep, elapsed) {
            Ok(changed) => {
                if member.tracker.state == State::Failed {
                    member.tracker.keep_failure(ResponseFacts::of(&answer.response()));
                }
                if changed.is_some() {
                    self.events.push_back((number, Change::Checked(None)));
                }
                self.schedule(number);
            }
            Err(unreadable) => {
                let response = answer.response();
                let event = self
                    .decide(number, |poller, _| poller.unreadable(unreadable, &response, elapsed));
                self.apply(number, event);
            }
        }
    }

    /// Lowers the rate after a refusal.
    fn slow_down(&mut self, sent: Elapsed) {
        self.limit.refused(self.clock.instant(sent), self.clock.instant(self.now));
    }

    /// Takes the refusal of a whole batch: none of its items was carried out.
    fn refuse(
        &mut self,
        envelope: &Envelope,
        items: Vec<SentItem>,
        refusal: &Refusal,
        response: &Response<Bytes>,
    ) {
        match refusal {
            Refusal::Throttled => {
                self.slow_down(envelope.sent);
                self.recovery.refused(envelope.sent, self.now);
                let asked = retry_after::parse(response.headers()).map(Elapsed::from);
                let error = Error::rejected("the batch", response);
                self.put_off_by(asked, error.clone());
                self.end_late_starts(&items, &error);
            }
            Refusal::Malformed => {
                if let Some(queue) = self.queues.get_mut(envelope.queue) {
                    queue.refusals = queue.refusals.saturating_add(1);
                    queue.batching &= queue.refusals < MALFORMED;
                }
                for item in &items {
                    if let Some(member) = current_mut(&mut self.members, item.id)
                        && member.single == Single::No
                    {
                        member.single = Single::Once;
                    }
                }
            }
            Refusal::Unsupported => {
                if let Some(queue) = self.queues.get_mut(envelope.queue) {
                    queue.batching = false;
                }
            }
        }
        self.take_back(items);
    }

    fn put_off_by(&mut self, asked: Option<Elapsed>, reason: Error) {
        let refusals = self.put_off.refusals.saturating_add(1);
        let pause = asked.unwrap_or_else(|| backoff(PAUSE, refusals));
        let until = self.now.plus(pause.lengthened(self.jitter.draw()));
        if until > self.put_off.until {
            self.put_off = PutOff { until, asked: asked.is_some(), refusals, reason: Some(reason) };
            self.end_put_off();
        }
        self.put_off.refusals = refusals;
    }

    /// Ends the starts whose deadline is before the end of the pause: those that were refused, and
    /// those that wait for a retry.
    fn end_late_starts(&mut self, refused: &[SentItem], error: &Error) {
        let now = self.latest();
        for item in refused {
            if let Some(start) = self.start_at(item.id) {
                start.refused(now);
            }
        }
        let until = self.clock.instant(self.put_off.until);
        let waiting = self.starts.iter().copied().chain(self.retries.ids());
        let ids: Vec<Id> = refused.iter().map(|item| item.id).chain(waiting).collect();
        for id in ids {
            if let Some(error) = self.start_at(id).and_then(|start| start.too_late(error, until)) {
                self.settle_start(id.member, Err(error));
            }
        }
        let members = &self.members;
        self.starts
            .retain(|&id| is_at(members, id, Place::Queued) || is_at(members, id, Place::Starting));
    }

    /// The start with this id, if it has begun and the set sends it itself.
    fn start_at(&mut self, id: Id) -> Option<&mut Start> {
        if !is_at(&self.members, id, Place::Starting) {
            return None;
        }
        self.members.get_mut(id.member)?.rest().own_start.as_mut()
    }

    /// Puts what was not sent at the head of its line.
    fn take_back(&mut self, items: Vec<SentItem>) {
        for item in items.into_iter().rev() {
            let number = item.id.member;
            if is_at(&self.members, item.id, Place::Starting) {
                self.take_start_back(item.id);
                continue;
            }
            if !is_at(&self.members, item.id, Place::InFlight) {
                continue;
            }
            let Some(id) = self.restamp(number) else { continue };
            if let Some(before) = item.before
                && let Some(member) = self.members.get_mut(number)
            {
                member.tracker.unsent(before);
            }
            self.make_ready(id, true);
        }
    }

    fn take_start_back(&mut self, id: Id) {
        let Some(member) = self.members.get_mut(id.member) else { return };
        if member.single == Single::Once {
            // It is sent separately, because the batch was refused as malformed.
            member.single = Single::No;
            member.version = 0;
        }
        if let Some(start) = &mut member.rest().own_start {
            start.unsent();
        }
        if let Some(id) = self.restamp(id.member) {
            self.starts.push_front(id);
        }
    }

    /// Lets a start in flight make a decision, and carries it out. Returns `true` if the start needs
    /// a new credential.
    pub(super) fn decide_start(
        &mut self,
        item: &SentItem,
        decide: impl FnOnce(&mut Start, Instant) -> Event<Accepted>,
    ) -> bool {
        let (number, now) = (item.id.member, self.latest());
        if !is_at(&self.members, item.id, Place::Starting) {
            return false;
        }
        let Some(member) = self.members.get_mut(number) else { return false };
        let Some(start) = &mut member.rest().own_start else { return false };
        match decide(start, now) {
            Event::Unauthorized(_) => return true,
            Event::Received(accepted) => {
                let policy = start.policy;
                let accepted = self.dated(accepted);
                let seed = self.jitter.seed();
                let poller = Poller::with_reader(self.reader, accepted, policy, now, seed);
                self.settle_start(number, Ok(poller));
            }
            Event::Failed(error) => self.settle_start(number, Err(error)),
            event @ (Event::Retrying(_) | Event::Authorized) => {
                let paused = self.put_off.until > self.now;
                if let (true, Event::Retrying(error)) = (paused, &event)
                    && let Some(error) =
                        start.too_late(error, self.clock.instant(self.put_off.until))
                {
                    self.settle_start(number, Err(error));
                    return false;
                }
                let wait = match start.next(now) {
                    Step::Wait(wait, _) => wait.into(),
                    _ => Elapsed::ZERO,
                };
                if let Event::Retrying(error) = event {
                    self.events.push_back((number, Change::RetryingStart(error)));
                }
                let Some(id) = self.restamp(number) else { return false };
                let (at, members) = (self.now.plus(wait), &self.members);
                self.retries.push(at, id, |id| is_at(members, id, Place::Starting));
            }
        }
        false
    }

    /// The accepted operation, with the wall-clock time of its start.
    fn dated(&self, accepted: Accepted) -> Accepted {
        let Accepted::Started(started) = accepted else { return accepted };
        let started_at = self.wall_clock.and_then(|(at, time)| {
            let since = Duration::from(self.now.minus(at));
            time.checked_add(since)?.checked_sub(started.age)
        });
        Accepted::Started(match started_at {
            Some(started_at) => started.started_at(started_at),
            None => started,
        })
    }
}

/// What differs once a response has brought something new.
fn changed(member: &Member) -> (Elapsed, bool, State) {
    (member.tracker.changed, member.tracker.is_known(), member.tracker.state)
}
