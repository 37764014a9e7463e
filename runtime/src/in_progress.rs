//! The requests, starts and sleep of a set that are in progress.

use std::collections::VecDeque;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::erased::{Connection, Exchange, Outcome, Sleeper, left};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Envelope, Poller, Received, Set, Ticket, TimeLeft};
use crate::spans::Spans;
use crate::trace::Span;

type StartFuture = Pin<Box<dyn Future<Output = Result<(Poller, Span)>> + Send>>;

/// What is in progress.
pub(crate) struct InProgress {
    requests: Vec<Sending>,
    /// Starts that wait for their turn.
    queued: VecDeque<(Ticket, StartFuture)>,
    starts: Vec<(Ticket, OncePerPoll<StartFuture>)>,
    /// The start that is being polled. It is still set in the next poll if the start has panicked.
    polled: Option<Ticket>,
    sleeper: Option<Box<dyn Sleeper>>,
    /// When the sleep ends.
    until: Option<Instant>,
}

/// A request in flight.
struct Sending {
    exchange: OncePerPoll<Exchange>,
    envelope: Envelope,
    since: Instant,
    limit: Option<Duration>,
}

/// A future that is polled at most once in one poll of the set.
struct OncePerPoll<F> {
    future: F,
    polled: bool,
}

impl<F: Future + Unpin> OncePerPoll<F> {
    fn new(future: F) -> Self {
        OncePerPoll { future, polled: false }
    }

    /// Polls the future, or returns pending if it was already polled.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        if std::mem::replace(&mut self.polled, true) {
            return Poll::Pending;
        }
        Pin::new(&mut self.future).poll(cx)
    }
}

/// Puts back what `swap_remove` took from `at`.
fn put_back<T>(values: &mut Vec<T>, at: usize, value: T) {
    values.push(value);
    let last = values.len() - 1;
    values.swap(at, last);
}

impl InProgress {
    pub(crate) fn new() -> Self {
        InProgress {
            requests: Vec::new(),
            queued: VecDeque::new(),
            starts: Vec::new(),
            polled: None,
            sleeper: None,
            until: None,
        }
    }

    /// Drops the checks whose responses could be stale.
    pub(crate) fn drop_stale(&mut self, now: Instant) {
        self.requests.retain(|sending| {
            sending.envelope.is_start()
                || now.saturating_duration_since(sending.since) <= TimeLeft::DEFAULT.0
        });
    }

    /// Allows each future to be polled once.
    pub(crate) fn begin_poll(&mut self) {
        for sending in &mut self.requests {
            sending.exchange.polled = false;
        }
        for (_, start) in &mut self.starts {
            start.polled = false;
        }
    }

    pub(crate) fn queue(&mut self, ticket: Ticket, start: StartFuture) {
        self.queued.push_back((ticket, start));
    }

    /// Drops a start that has not begun.
    pub(crate) fn unqueue(&mut self, ticket: Ticket) {
        self.queued.retain(|(other, _)| *other != ticket);
    }

    /// Adds a request in flight, whose result goes to the set with `envelope`.
    pub(crate) fn send(
        &mut self,
        exchange: Exchange,
        envelope: Envelope,
        since: Instant,
        limit: Option<Duration>,
    ) {
        self.requests.push(Sending {
            exchange: OncePerPoll::new(exchange),
            envelope,
            since,
            limit,
        });
    }

    pub(crate) fn is_sending(&self) -> bool {
        !self.requests.is_empty()
    }

    pub(crate) fn begin_start(&mut self, ticket: Ticket) {
        let position = self.queued.iter().position(|(queued, _)| *queued == ticket);
        if let Some((ticket, start)) = position.and_then(|position| self.queued.remove(position)) {
            self.starts.push((ticket, OncePerPoll::new(start)));
        }
    }

    pub(crate) fn poll_requests<K: Clone + Eq + Hash>(
        &mut self,
        machine: &mut Set<K>,
        connection: &Arc<dyn Connection>,
        cx: &mut Context<'_>,
    ) {
        let mut at = 0;
        while at < self.requests.len() {
            // Taken out while it is polled: a `send` that panics is not polled again.
            let mut sending = self.requests.swap_remove(at);
            let Poll::Ready(outcome) = sending.exchange.poll(cx) else {
                put_back(&mut self.requests, at, sending);
                at += 1;
                continue;
            };
            let Sending { exchange, envelope, since, limit } = sending;
            drop(exchange);
            let now = connection.now();
            match outcome {
                Outcome::Sent(Ok(response)) => {
                    if let Received::Unauthorized(envelope, response) =
                        machine.received(envelope, response, now)
                    {
                        let left = left(limit, since, now);
                        let exchange = Arc::clone(connection).renew(response, left);
                        self.send(exchange, envelope, since, limit);
                    }
                }
                Outcome::Sent(Err(error)) => machine.failed(envelope, &error, now),
                Outcome::Renewed(response, renewed) => {
                    machine.authorized(envelope, &response, renewed, now);
                }
            }
        }
    }

    pub(crate) fn poll_starts<K: Clone + Eq + Hash>(
        &mut self,
        machine: &mut Set<K>,
        spans: &mut Spans<K>,
        connection: &Arc<dyn Connection>,
        cx: &mut Context<'_>,
    ) {
        if let Some(ticket) = self.polled.take() {
            let error = Error::new(ErrorKind::NotStarted, "the start panicked");
            machine.started(ticket, Err(error), connection.now());
        }
        let mut at = 0;
        while at < self.starts.len() {
            // Taken out while it is polled: a start that panics is not polled again.
            let (ticket, mut start) = self.starts.swap_remove(at);
            self.polled = Some(ticket);
            let polled = start.poll(cx);
            self.polled = None;
            match polled {
                Poll::Ready(result) => {
                    let result = result.map(|(mut poller, span)| {
                        if let Some(key) = machine.key_of(ticket) {
                            spans.keep(key, span);
                        }
                        take_over(&mut poller, machine, connection);
                        poller
                    });
                    machine.started(ticket, result, connection.now());
                }
                Poll::Pending => {
                    put_back(&mut self.starts, at, (ticket, start));
                    at += 1;
                }
            }
        }
    }

    /// Sleeps for `wait`, which ends at `until`. The sleep is reused while `until` stays the same,
    /// unless it has panicked.
    pub(crate) fn poll_sleep(
        &mut self,
        connection: &Arc<dyn Connection>,
        wait: Duration,
        until: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let sleeper = self.sleeper.get_or_insert_with(|| Arc::clone(connection).sleeper());
        if self.until.take() != Some(until) {
            sleeper.start(wait);
        }
        let polled = sleeper.poll(cx);
        self.until = polled.is_pending().then_some(until);
        polled
    }
}

/// Lets a poller continue at the set's time. It is ahead of the client's clock if sleeps took no
/// time.
pub(crate) fn take_over<K: Clone + Eq + Hash>(
    poller: &mut Poller,
    machine: &Set<K>,
    connection: &Arc<dyn Connection>,
) {
    let now = connection.now();
    poller.move_clock(now, machine.latest().max(now));
}
