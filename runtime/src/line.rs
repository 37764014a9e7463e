//! What one handle has in progress: a sleep, or a request that outlives the future that sent it.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::erased::{Connection, Exchange, Outcome, Sleeper, left};
use crate::error::{Error, Result};
use crate::protocol::{Check, Event, Machine, Step, TimeLeft};
use crate::trace::Span;

/// One handle's line to its client: at most one sleep or one request at a time.
pub(crate) struct Line {
    connection: Arc<dyn Connection>,
    sleeper: Option<Box<dyn Sleeper>>,
    flight: Flight,
    pub(crate) span: Span,
}

enum Flight {
    Idle,
    Sleeping,
    Sending { exchange: Exchange, since: Instant, limit: Option<Duration> },
}

/// What driving a machine has led to: an [`Event`], or the machine's end.
pub(crate) enum Driven<A> {
    Received(A),
    Retrying(Error),
    Failed(Error),
    Done(Result<()>),
}

/// The client's clock, if it has just been read.
pub(crate) type Reading = Option<Instant>;

impl Line {
    pub(crate) fn new(connection: Arc<dyn Connection>, span: Span) -> Self {
        Line { connection, sleeper: None, flight: Flight::Idle, span }
    }

    pub(crate) fn into_parts(self) -> (Arc<dyn Connection>, Span) {
        (self.connection, self.span)
    }

    pub(crate) fn connection(&self) -> &Arc<dyn Connection> {
        &self.connection
    }

    pub(crate) fn now(&self, reading: &mut Reading) -> Instant {
        reading.take().unwrap_or_else(|| self.connection.now())
    }

    /// Called first by every method of a handle that waits. A sleep is recomputed, because the
    /// policy may have changed; a request stays, unless its response could be stale.
    pub(crate) fn begin_call(&mut self) {
        let stale = match &self.flight {
            Flight::Idle => return,
            Flight::Sleeping => true,
            Flight::Sending { since, .. } => {
                self.connection.now().saturating_duration_since(*since) > TimeLeft::DEFAULT.0
            }
        };
        if stale {
            self.flight = Flight::Idle;
            if let Some(sleeper) = &mut self.sleeper {
                sleeper.stop();
            }
        }
    }

    pub(crate) fn is_sending(&self) -> bool {
        matches!(self.flight, Flight::Sending { .. })
    }

    pub(crate) fn send(&mut self, check: Check<'_>, since: Instant) {
        let limit = check.time_left();
        let exchange = Arc::clone(&self.connection).send(check.into_sent());
        self.flight = Flight::Sending { exchange, since, limit };
    }

    /// Gives the request in flight no more time than until `until`.
    pub(crate) fn shorten(&mut self, until: Option<Instant>) {
        let Some(until) = until else { return };
        let shorter = |since| until.saturating_duration_since(since);
        match std::mem::replace(&mut self.flight, Flight::Idle) {
            Flight::Sending { exchange, since, limit }
                if limit.is_none_or(|limit| shorter(since) < limit) =>
            {
                let left = shorter(self.connection.now());
                let exchange = Arc::clone(&self.connection).limit(exchange, left);
                self.flight = Flight::Sending { exchange, since, limit: Some(shorter(since)) };
            }
            flight => self.flight = flight,
        }
    }

    /// Drives the machine until it has something to report.
    pub(crate) fn poll_drive<M: Machine>(
        &mut self,
        machine: &mut M,
        reading: &mut Reading,
        cx: &mut Context<'_>,
    ) -> Poll<Driven<M::Answer>> {
        // Whether the last wait was over at once, so that the clock was not read after it.
        let mut unread = false;
        loop {
            match self.flight {
                Flight::Idle => {
                    let now = self.now(reading);
                    match machine.next(now) {
                        Step::Wait(duration, _) => {
                            self.sleep(duration);
                            if self.poll_sleep(cx).is_pending() {
                                return Poll::Pending;
                            }
                            // A sleep that has finished counts in full, whatever the clock says.
                            machine.waited();
                            unread = !self.connection.blocks();
                            *reading = unread.then(|| machine.latest());
                        }
                        Step::Send(check) => {
                            self.send(check, now);
                            self.span.sent(machine.requests());
                        }
                        Step::Done(result) => return Poll::Ready(Driven::Done(result)),
                    }
                }
                Flight::Sleeping => {
                    ready!(self.poll_sleep(cx));
                    machine.waited();
                }
                Flight::Sending { .. } => {
                    let event = ready!(self.poll_flight(machine, unread, reading, cx));
                    unread = false;
                    match event {
                        Event::Received(answer) => return Poll::Ready(Driven::Received(answer)),
                        Event::Retrying(error) => return Poll::Ready(Driven::Retrying(error)),
                        Event::Failed(error) => return Poll::Ready(Driven::Failed(error)),
                        Event::Authorized | Event::Unauthorized(_) => {}
                    }
                }
            }
        }
    }

    fn sleep(&mut self, duration: Duration) {
        let sleeper = self.sleeper.get_or_insert_with(|| Arc::clone(&self.connection).sleeper());
        sleeper.start(duration);
        self.flight = Flight::Sleeping;
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let span = &self.span;
        if let Some(sleeper) = &mut self.sleeper {
            ready!(span.enter(|| sleeper.poll(cx)));
        }
        self.flight = Flight::Idle;
        Poll::Ready(())
    }

    /// Polls the request in flight. If `unread`, the clock was not read after the last wait, and the
    /// request was recorded as sent when the wait was due; a response that is ready at once corrects
    /// that time.
    pub(crate) fn poll_flight<M: Machine>(
        &mut self,
        machine: &mut M,
        unread: bool,
        reading: &mut Reading,
        cx: &mut Context<'_>,
    ) -> Poll<Event<M::Answer>> {
        loop {
            // Taken out while it is polled: a `send` that panics is not polled again.
            let Flight::Sending { mut exchange, since, limit } =
                std::mem::replace(&mut self.flight, Flight::Idle)
            else {
                // None is in flight: the machine says what to do next.
                return Poll::Ready(Event::Authorized);
            };
            let Poll::Ready(outcome) = self.span.enter(|| exchange.as_mut().poll(cx)) else {
                self.flight = Flight::Sending { exchange, since, limit };
                return Poll::Pending;
            };
            drop(exchange);
            let now = self.connection.now();
            *reading = Some(now);
            if unread {
                machine.sent_at(now);
            }
            let event = match outcome {
                Outcome::Sent(Ok(response)) => machine.received(response, now),
                Outcome::Sent(Err(error)) => machine.failed(error, now),
                Outcome::Renewed(response, renewed) => machine.authorized(&response, renewed, now),
            };
            match event {
                Event::Unauthorized(response) => {
                    let left = left(limit, since, now);
                    let exchange = Arc::clone(&self.connection).renew(response, left);
                    self.flight = Flight::Sending { exchange, since, limit };
                }
                event => {
                    match &event {
                        Event::Retrying(error) => self.span.retrying(error),
                        Event::Failed(error) => self.span.stopped(error),
                        _ => {}
                    }
                    return Poll::Ready(event);
                }
            }
        }
    }
}
