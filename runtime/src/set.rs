//! Many operations at once, asynchronously.

use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Uri};
use serde_json::Value;

use crate::client::Client;
use crate::completed::Completed;
use crate::erased::{Connection, connect};
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::in_progress::{InProgress, take_over};
use crate::model::{Model, Reader, TeamsAsyncOperation};
use crate::operation::Operation;
use crate::protocol::{
    Counts, Poller, Polling, RateLimit, Report, Sent, Set, SetStep, Start, same_origin,
};
use crate::resume_token::ResumeToken;
use crate::spans::Spans;
use crate::trace::Span;
use crate::update::Update;

/// Many operations of one client: started a few at a time, checked up to twenty in one request, at
/// a limited rate.
///
#[cfg_attr(feature = "testing", doc = "```")]
#[cfg_attr(not(feature = "testing"), doc = "```ignore")]
/// use graph_operation::testing::{ScriptedClient, accepted, block_on, succeeded};
/// use graph_operation::{Client, Operation, OperationSet};
/// use http::Method;
///
/// # fn main() -> graph_operation::Result<()> {
/// let graph = ScriptedClient::new();
/// let mut set = OperationSet::new(graph.clone());
/// for team in ["1", "2", "3"] {
///     graph.answer(accepted(&format!("/teams('{team}')/operations('4')")));
///     let graph = graph.clone();
///     set.start(team, async move {
///         let request = graph.request(Method::POST, ["teams", team, "archive"])?;
///         Operation::start(graph, request).await // or a function with the attribute
///     })?;
/// }
/// for _ in 0..3 {
///     graph.answer(succeeded("/teams('…')"));
/// }
/// block_on(async {
///     while let Some((team, result)) = set.next().await {
///         match result {
///             Ok(completed) => println!("{team}: {:?}", completed.target_location()),
///             Err(error) => println!("{team}: {error}"),
///         }
///     }
/// });
/// assert_eq!(set.counts().succeeded, 3);
/// assert_eq!(graph.batches().len(), 1); // one request for the checks of all three
/// # Ok(())
/// # }
/// ```
///
/// Operations enter the set as starts ([`start`](Self::start),
/// [`start_request`](Self::start_request)), as handles ([`insert`](Self::insert)) or as tokens
/// ([`resume`](Self::resume)). Each has a key, and leaves the set when its result is returned. The
/// key can then be used again.
///
/// # Requests
///
/// Checks are sent as [JSON batches](https://learn.microsoft.com/graph/json-batching) of up to 20
/// operations of one API version. A check that is due waits for a batch to fill, for at most a
/// twentieth of the interval and at most 2 seconds. No operation is checked earlier than its policy
/// says, and in any `t` seconds there are at most `rate × t + 20` checks and starts. Each owner,
/// such as a team, gets at most four checks per second. The rate takes precedence over the
/// interval: 10,000 operations at 20 checks per second are each checked every 500 seconds
/// ([`pace`](Self::pace)). The last check before a deadline takes precedence over all others. If a
/// deadline passes while the service refuses batches, the operation ends without a last check.
///
/// When the service throttles, the rate halves, and recovers later. If the service does not accept
/// batches, each operation is checked with a separate request. So are operations whose address is
/// outside the service's API versions.
///
/// All requests go through the set's client, and so does [`Completed::target`].
///
/// # Driving it
///
/// Requests and starts make progress only while [`next`](Self::next) or
/// [`next_event`](Self::next_event) is polled. A long `await` in the body of the loop stops all of
/// them: spawn such work.
///
/// The future of `next` may be dropped at any time. A request in flight stays with the set, and the
/// next call resumes it. A check that is then older than
/// [`TimeLeft::DEFAULT`](crate::TimeLeft::DEFAULT) is sent again.
///
/// Dropping the set loses its state: the operations continue at the service, and a start in flight
/// may have been carried out. Store the [`tokens`](Self::tokens) and [`keys`](Self::keys) first, and
/// [`resume`](Self::resume) the tokens later.
#[must_use = "operations continue without the set, but nobody learns how they end"]
pub struct OperationSet<K, T = Value, M = TeamsAsyncOperation> {
    machine: Set<K>,
    reader: &'static Reader,
    connection: Arc<dyn Connection>,
    polling: Polling,
    spans: Spans<K>,
    /// Never contended: the lock makes the set `Sync` although its futures need not be.
    in_progress: Mutex<InProgress>,
    types: PhantomData<fn() -> (T, M)>,
}

/// What happened in an [`OperationSet`].
#[derive(Debug)]
#[non_exhaustive]
pub enum SetEvent<K, T = Value, M = TeamsAsyncOperation> {
    /// An operation was started.
    Started(K),
    /// A check found something new, or failed and is retried.
    Update(K, Update<M>),
    /// An operation has ended, or was not started.
    Ended(K, Result<Completed<T, M>>),
}

/// Why driving the set has stopped.
pub(crate) enum Stop<K> {
    Report(Report<K>),
    /// The set is empty.
    Empty,
    /// The time is up.
    TimeUp,
}

impl<K, T, M> OperationSet<K, T, M>
where
    K: Clone + Eq + Hash + Send,
    M: Model,
{
    /// An empty set whose requests go through `client`.
    pub fn new(client: impl Client) -> Self {
        Self::connected(connect(client))
    }

    pub(crate) fn connected(connection: Arc<dyn Connection>) -> Self {
        let reader = Reader::of::<M>();
        let (now, seed) = (connection.now(), connection.random());
        let root = connection.service_root().clone();
        OperationSet {
            machine: Set::with_reader(reader, root, now, seed),
            reader,
            connection,
            polling: M::POLLING(),
            spans: Spans::new(),
            in_progress: Mutex::new(InProgress::new()),
            types: PhantomData,
        }
    }

    /// Sets the policy of operations that the set resumes, or that it starts through
    /// [`start_request`](Self::start_request), from now on. Other operations keep their own.
    pub fn polling(mut self, polling: Polling) -> Self {
        self.polling = polling;
        self
    }

    /// Sets the maximum number of operations that one request checks: 1 to 20, by default 20. With
    /// 1, each operation is checked with a separate GET.
    pub fn batch(mut self, operations: usize) -> Self {
        self.machine.set_batch(operations);
        self
    }

    /// Sets the limit on checks and starts per second: at least 1, by default 20. Graph allows 30
    /// for an app and a tenant, and counts each request of a batch.
    pub fn rate(mut self, rate: u32) -> Self {
        self.machine.set_rate(rate);
        self
    }

    /// Shares a rate with other sets, and with a client's `send`; see [`RateLimit::admit`].
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.machine.set_rate_limit(limit);
        self
    }

    /// Sets the maximum number of requests in flight: at least 1, by default 4.
    pub fn requests_at_once(mut self, requests: usize) -> Self {
        self.machine.set_requests_at_once(requests);
        self
    }

    /// Sets the maximum number of starts in flight: at least 1, by default 4. A batch of
    /// [`start_request`](Self::start_request)s counts as one.
    pub fn starts_at_once(mut self, starts: usize) -> Self {
        self.machine.set_starts_at_once(starts);
        self
    }

    /// Adds an operation that `future` starts.
    ///
    /// The future is first polled when fewer starts than [`starts_at_once`](Self::starts_at_once)
    /// are in flight and the rate allows one more. An error of a type other than [`Error`] becomes
    /// the source of a [`NotStarted`](ErrorKind::NotStarted), whose `status` and the like are those
    /// of the first [`Error`] among its sources; see [`Client::Error`] for types that hide it.
    ///
    /// # Errors
    ///
    /// [`DuplicateKey`](ErrorKind::DuplicateKey) if the key is in the set.
    pub fn start<F, E>(&mut self, key: K, future: F) -> Result<()>
    where
        F: Future<Output = Result<Operation<T, M>, E>> + Send + 'static,
        E: Into<BoxError>,
        T: 'static,
    {
        let Some(ticket) = self.machine.queue(key) else { return Err(duplicate()) };
        let root = self.connection.service_root().clone();
        let starting = Box::pin(async move {
            let operation = future.await.map_err(|error| not_started(error.into()))?;
            if is_foreign(&root, &operation) {
                let message = "the operation does not have the origin of the set's service root";
                return Err(Error::new(ErrorKind::ForeignLocation, message));
            }
            Ok(operation.into_poller())
        });
        self.in_progress().queue(ticket, starting);
        Ok(())
    }

    /// Adds an operation that `request` starts. The set sends it, in a batch of up to 20 requests
    /// of the same API version.
    ///
    /// It is retried as [`Operation::start`] retries. In a batch, a write without a body gets an
    /// empty JSON object, which Graph requires there. The request's own `Authorization` header is
    /// not sent in a batch: the client adds one to each batch. A request with
    /// `Prefer: respond-async`, which a batch ignores, is sent by itself.
    ///
    /// # Errors
    ///
    /// [`DuplicateKey`](ErrorKind::DuplicateKey) if the key is in the set, and
    /// [`ForeignLocation`](ErrorKind::ForeignLocation) or
    /// [`InvalidLocation`](ErrorKind::InvalidLocation) if the request's URL does not have the
    /// origin of the service root.
    pub fn start_request(&mut self, key: K, request: Request<Bytes>) -> Result<()> {
        self.queue_request(key, request, false)
    }

    /// The same for a request that may be carried out twice without harm: it is also retried if it
    /// may have been carried out, as by [`Operation::start_idempotent`].
    ///
    /// # Errors
    ///
    /// Those of [`start_request`](Self::start_request).
    pub fn start_request_idempotent(&mut self, key: K, request: Request<Bytes>) -> Result<()> {
        self.queue_request(key, request, true)
    }

    fn queue_request(&mut self, key: K, request: Request<Bytes>, idempotent: bool) -> Result<()> {
        let connection = &self.connection;
        let (now, seed) = (connection.now(), connection.random());
        let root = connection.service_root();
        let start =
            Start::with_reader(self.reader, root, request, idempotent, self.polling, now, seed)?;
        if self.machine.contains(&key) {
            return Err(duplicate());
        }
        self.spans.keep(&key, Span::open());
        self.machine.queue_request(key, start).map_err(|_| duplicate())
    }

    /// Adds a running operation. It keeps its policy, and its deadline counts from its start; its
    /// checks go through the set's client.
    ///
    /// # Errors
    ///
    /// Returns the operation if the key is in the set, or if its address has another origin than
    /// the set's service root, which must not get the token.
    // The error is small: an operation is one pointer.
    pub fn insert(&mut self, key: K, operation: Operation<T, M>) -> Result<(), Operation<T, M>> {
        if self.machine.contains(&key) || is_foreign(self.connection.service_root(), &operation) {
            return Err(operation);
        }
        let (mut poller, span) = operation.into_poller();
        let traced = span.is_enabled().then(|| key.clone());
        take_over(&mut poller, &self.machine, &self.connection);
        match self.machine.insert(key, poller, self.connection.now()) {
            Ok(()) => {
                if let Some(key) = traced {
                    self.spans.keep(&key, span);
                }
                Ok(())
            }
            Err(poller) => Err(Operation::of_poller(*poller, Arc::clone(&self.connection), span)),
        }
    }

    /// Adds the operation that a token names; see [`Operation::resume`].
    ///
    /// # Errors
    ///
    /// [`DuplicateKey`](ErrorKind::DuplicateKey) if the key is in the set, and
    /// [`InvalidToken`](ErrorKind::InvalidToken) if the token has another origin or another
    /// model.
    pub fn resume(&mut self, key: K, token: ResumeToken) -> Result<()> {
        if self.machine.contains(&key) {
            return Err(duplicate());
        }
        let connection = Arc::clone(&self.connection);
        let operation = Operation::resumed(connection, self.reader, token)?;
        let operation = operation.with_polling(self.polling).typed();
        self.insert(key, operation).map_err(|_| duplicate())
    }

    /// Removes an operation from the set, and returns it with the set's client. For a start,
    /// returns `None`: one that waits for its turn is dropped, and one that has begun stays in the
    /// set.
    pub fn remove(&mut self, key: &K) -> Option<Operation<T, M>> {
        if let Some(ticket) = self.machine.ticket(key) {
            self.in_progress().unqueue(ticket);
            self.spans.take(key);
        }
        let poller = self.machine.remove(key, self.connection.now())?;
        let span = self.spans.take(key);
        Some(Operation::of_poller(poller, Arc::clone(&self.connection), span))
    }

    /// Returns the next operation that has ended, in the order in which the ends are observed;
    /// `None` if the set is empty. More operations may be added then.
    ///
    /// Other events are skipped. The future may be dropped at any time without losing anything.
    pub async fn next(&mut self) -> Option<(K, Result<Completed<T, M>>)> {
        self.begin_call();
        poll_fn(|cx| self.poll_end(cx)).await
    }

    /// Returns the next event; `None` if the set is empty.
    ///
    /// There is an update for each response that differs from the previous one, and for each check
    /// that failed and is retried, but none for a start that is retried. Events that `next` has
    /// skipped are not returned.
    pub async fn next_event(&mut self) -> Option<SetEvent<K, T, M>> {
        self.begin_call();
        poll_fn(|cx| self.poll_event(cx)).await
    }

    #[allow(clippy::type_complexity, reason = "the item of the stream")]
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<(K, Result<Completed<T, M>>)>> {
        self.begin_poll();
        loop {
            match ready!(self.poll_drive(false, None, cx)) {
                Stop::Report(Report::Ended(key, result)) => {
                    return Poll::Ready(Some((key, self.completed(result))));
                }
                Stop::Report(_) => {}
                Stop::Empty | Stop::TimeUp => return Poll::Ready(None),
            }
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<SetEvent<K, T, M>>> {
        self.begin_poll();
        loop {
            let event = match ready!(self.poll_drive(true, None, cx)) {
                // There is no operation yet that an update could show.
                Stop::Report(Report::RetryingStart(..)) => continue,
                Stop::Report(Report::Started(key)) => SetEvent::Started(key),
                Stop::Report(Report::Checked(key, fault)) => {
                    let update = self.machine.inspect(&key, |poller| Update::of(poller, fault));
                    let Some(update) = update else { continue };
                    SetEvent::Update(key, update)
                }
                Stop::Report(Report::Ended(key, result)) => {
                    SetEvent::Ended(key, self.completed(result))
                }
                Stop::Empty | Stop::TimeUp => return Poll::Ready(None),
            };
            return Poll::Ready(Some(event));
        }
    }

    pub(crate) fn completed(&self, result: Result<Box<Poller>>) -> Result<Completed<T, M>> {
        result.map(|poller| Completed::of(&poller, Arc::clone(&self.connection)))
    }

    /// The number of operations and starts whose result has not been returned yet.
    pub fn len(&self) -> usize {
        self.machine.len()
    }

    /// Whether every result has been returned.
    pub fn is_empty(&self) -> bool {
        self.machine.is_empty()
    }

    /// The number of operations in each state.
    pub fn counts(&self) -> Counts {
        self.machine.counts()
    }

    /// The keys whose result has not been returned yet.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.machine.keys()
    }

    /// The resume token of one operation, to store after its [`Started`](SetEvent::Started). `None`
    /// if no operation has this key, if it is not started, or if the service finished it at once.
    pub fn token(&self, key: &K) -> Option<ResumeToken> {
        self.machine.token(key)
    }

    /// The resume tokens of the operations whose result has not been returned yet, for a program to
    /// store before it stops. A start has none.
    pub fn tokens(&self) -> impl Iterator<Item = (&K, ResumeToken)> {
        self.machine.tokens()
    }

    /// The interval between two checks of an operation that the rate currently allows, whatever the
    /// policy says.
    pub fn pace(&self) -> Duration {
        self.machine.pace(self.connection.now())
    }
}

/// The part that does not depend on the types of the operations.
impl<K: Clone + Eq + Hash, T, M> OperationSet<K, T, M> {
    /// The latest instant: a finished sleep counts, whatever the clock says.
    #[cfg(feature = "blocking")]
    pub(crate) fn now(&self) -> Instant {
        self.connection.now().max(self.machine.latest())
    }

    fn in_progress(&mut self) -> &mut InProgress {
        self.in_progress.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call: checks whose responses could be stale are sent again. A start may have been
    /// carried out, and its response is never stale.
    pub(crate) fn begin_call(&mut self) {
        let now = self.connection.now();
        self.in_progress().drop_stale(now);
    }

    /// Begins a poll by the caller: what is in progress may be polled once.
    pub(crate) fn begin_poll(&mut self) {
        self.in_progress().begin_poll();
    }

    /// Drives the machine until there is an event, or until `until`.
    pub(crate) fn poll_drive(
        &mut self,
        watched: bool,
        until: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<Stop<K>> {
        loop {
            let OperationSet { machine, connection, spans, in_progress, .. } = self;
            let in_progress = in_progress.get_mut().unwrap_or_else(PoisonError::into_inner);
            in_progress.poll_requests(machine, connection, cx);
            in_progress.poll_starts(machine, spans, connection, cx);
            // Spans show starts and checks too, which `poll_end` skips. A start that has just ended
            // may have added the first span.
            machine.watch(watched || !spans.is_empty());
            let now = connection.now();
            if machine.counts().queued > 0 {
                // The time of the set may be ahead of the clock.
                machine.set_wall_clock(connection.system_time(), now.max(machine.latest()));
            }
            // The step borrows the machine until the end of the match.
            let driven = match machine.next(now) {
                SetStep::Wait(wait, _) => ControlFlow::Continue(wait),
                SetStep::Event(report) => ControlFlow::Break(report),
                SetStep::Send(dispatch) => {
                    let (anonymous, limit) = (dispatch.is_anonymous(), dispatch.time_left());
                    let (request, envelope) = dispatch.request();
                    let sent = Sent::built(request, anonymous, limit);
                    let exchange = Arc::clone(connection).send(sent);
                    in_progress.send(exchange, envelope, now, limit);
                    continue;
                }
                SetStep::Start(ticket) => {
                    in_progress.begin_start(ticket);
                    continue;
                }
                SetStep::Pending => return Poll::Pending,
                SetStep::Done => return Poll::Ready(Stop::Empty),
            };
            match driven {
                ControlFlow::Continue(wait) => {
                    if let Some(stop) = ready!(self.poll_wait(wait, until, cx)) {
                        return Poll::Ready(stop);
                    }
                }
                ControlFlow::Break(report) => {
                    spans.show(&report, machine);
                    return Poll::Ready(Stop::Report(report));
                }
            }
        }
    }

    /// Waits as the machine says, but not beyond `until`.
    fn poll_wait(
        &mut self,
        wait: Duration,
        until: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Stop<K>>> {
        let OperationSet { machine, connection, in_progress, .. } = self;
        let in_progress = in_progress.get_mut().unwrap_or_else(PoisonError::into_inner);
        let latest = machine.latest();
        let wake = latest + wait;
        if let Some(until) = until.filter(|&until| until < wake) {
            let rest = until.saturating_duration_since(latest);
            ready!(in_progress.poll_sleep(connection, rest, until, cx));
            machine.waited_until(until);
            return Poll::Ready(Some(Stop::TimeUp));
        }
        ready!(in_progress.poll_sleep(connection, wait, wake, cx));
        if in_progress.is_sending() && connection.now() < wake {
            // The clock has not moved as far as the sleep, and a request in flight takes the time
            // of the clock.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // A finished sleep counts, whatever the clock says.
        machine.waited();
        Poll::Ready(None)
    }
}

fn duplicate() -> Error {
    Error::new(ErrorKind::DuplicateKey, "the key is in the set already")
}

/// The error of a failed start. An error of another type becomes the source.
fn not_started(error: BoxError) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let retryable = Error::within(&*error).is_some_and(Error::is_retryable);
    Error::new(ErrorKind::NotStarted, "the operation was not started")
        .with_source(error)
        .with_retryable(retryable)
}

fn is_foreign<T, M>(root: &Uri, operation: &Operation<T, M>) -> bool {
    !same_origin(root, operation.connection().service_root())
}

/// Ends when the set is empty. More operations may be added then, and the stream continues.
impl<K, T, M> Stream for OperationSet<K, T, M>
where
    K: Clone + Eq + Hash + Send + Unpin,
    M: Model,
{
    type Item = (K, Result<Completed<T, M>>);

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_end(cx)
    }
}

impl<K, T, M> fmt::Debug for OperationSet<K, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OperationSet").field(&self.machine).finish()
    }
}
