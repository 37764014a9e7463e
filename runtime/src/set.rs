//! Many operations at once, asynchronously.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::marker::PhantomData;
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
use crate::erased::{Connection, Exchange, Outcome, Sleeper, connect};
use crate::error::{BoxError, Error, ErrorKind, Result};
use crate::model::{Model, Reader, TeamsAsyncOperation};
use crate::operation::Operation;
use crate::protocol::{
    Counts, Envelope, Poller, Polling, RateLimit, Received, Report, Sent, Set, SetStep, Start,
    Ticket, TimeLeft, same_origin,
};
use crate::resume_token::ResumeToken;
use crate::update::Update;

/// Many operations of one client: started a few at a time, checked up to twenty in one request, at a
/// rate that the service bears.
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
/// Operations come into the set as starts ([`start`](Self::start),
/// [`start_request`](Self::start_request)), as handles ([`insert`](Self::insert)) or as tokens
/// ([`resume`](Self::resume)), each with a key, and leave it when their end is delivered. From then on
/// the key is free again.
///
/// # Requests
///
/// Checks are sent as [JSON batches](https://learn.microsoft.com/graph/json-batching) of up to 20
/// operations of one version. What is due waits a moment for a batch to fill: at most a twentieth of
/// the interval and 2 seconds. No operation is checked earlier than its policy says, and in any `t`
/// seconds there are at most `rate × t + 20` checks and starts. Of one owner, such as a team, there
/// are at most four checks a second. Where these allow less than the policies ask for, the rate wins:
/// 10,000 operations at 20 checks a second are each checked every 500 seconds
/// ([`pace`](Self::pace)). Last checks at a deadline go before all others. An operation whose deadline
/// passes while the service refuses the batches ends without one.
///
/// When the service throttles, the rate halves, and grows back. Where it does not take batches,
/// operations are checked by requests of their own, as are those whose address is not below the
/// version of the service root's.
///
/// All requests go through the set's client, and so does [`Completed::target`].
///
/// # Driving it
///
/// Requests and starts advance while [`next`](Self::next) or [`next_event`](Self::next_event) is
/// polled, and only then. A long `await` in the body of the loop stops them all: spawn what takes
/// long.
///
/// The future of `next` may be dropped at any time. A request that is under way stays with the set
/// and is taken up by the next call; one that is then older than
/// [`TimeLeft::DEFAULT`](crate::TimeLeft::DEFAULT) is made again.
///
/// Dropping the set loses what [`tokens`](Self::tokens) and [`keys`](Self::keys) would have named: the
/// operations run on, and a start under way may have been carried out. Write the tokens down before,
/// and [`resume`](Self::resume) them later.
#[must_use = "operations run on without the set, but nobody learns how they end"]
pub struct OperationSet<K, T = Value, M = TeamsAsyncOperation> {
    machine: Set<K>,
    reader: &'static Reader,
    connection: Arc<dyn Connection>,
    polling: Polling,
    /// Never contended: the lock only makes the set `Sync`, although its futures need not be.
    under_way: Mutex<UnderWay>,
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

type Starting = Pin<Box<dyn Future<Output = Result<Poller>> + Send>>;

/// What happens at the moment.
struct UnderWay {
    requests: Vec<Sending>,
    queued: VecDeque<(Ticket, Starting)>,
    starts: Vec<(Ticket, Polled<Starting>)>,
    /// The start that is being polled: still here in the next poll if it has panicked.
    polled: Option<Ticket>,
    sleeper: Option<Box<dyn Sleeper>>,
    /// Until when it sleeps.
    until: Option<Instant>,
}

/// A request under way.
struct Sending {
    exchange: Polled<Exchange>,
    envelope: Envelope,
    since: Instant,
    limit: Option<Duration>,
}

/// A future, and whether it was polled since the caller polled.
struct Polled<F>(F, bool);

impl<F: Future + Unpin> Polled<F> {
    /// No future is polled twice in one poll.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        if std::mem::replace(&mut self.1, true) {
            return Poll::Pending;
        }
        Pin::new(&mut self.0).poll(cx)
    }
}

/// What a set came to.
pub(crate) enum Turn<K> {
    Report(Report<K>),
    /// There is nothing left.
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
            under_way: Mutex::new(UnderWay {
                requests: Vec::new(),
                queued: VecDeque::new(),
                starts: Vec::new(),
                polled: None,
                sleeper: None,
                until: None,
            }),
            types: PhantomData,
        }
    }

    /// The policy of operations that are resumed or started by
    /// [`start_request`](Self::start_request) from here on. Others keep their own.
    pub fn polling(mut self, polling: Polling) -> Self {
        self.polling = polling;
        self
    }

    /// How many operations one request may check: 1 to 20, and 20 by default. With 1, each is read by
    /// a GET of its own.
    pub fn batch(mut self, operations: usize) -> Self {
        self.machine.set_batch(operations);
        self
    }

    /// How many checks and starts a second there are, at least 1, and 20 by default. Graph allows 30
    /// for an app and a tenant, in batches or not.
    pub fn rate(mut self, rate: u32) -> Self {
        self.machine.set_rate(rate);
        self
    }

    /// Shares a rate with other sets, and with an author's own `send`; see [`RateLimit::admit`].
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.machine.set_rate_limit(limit);
        self
    }

    /// How many requests may be under way at once, at least 1, and 4 by default.
    pub fn requests_at_once(mut self, requests: usize) -> Self {
        self.machine.set_requests_at_once(requests);
        self
    }

    /// How many starts may be under way at once, at least 1, and 4 by default. A batch of
    /// [`start_request`](Self::start_request)s counts as one.
    pub fn starts_at_once(mut self, starts: usize) -> Self {
        self.machine.set_starts_at_once(starts);
        self
    }

    /// Adds an operation that `future` starts, when it is its turn.
    ///
    /// The future is first polled when fewer starts are under way than
    /// [`starts_at_once`](Self::starts_at_once) and the rate allows one more. It is polled by the set.
    /// An error that is not an [`Error`] is delivered as the source of
    /// [`NotStarted`](ErrorKind::NotStarted).
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
                let message = "the operation is of another origin than the set's service root";
                return Err(Error::new(ErrorKind::ForeignLocation, message));
            }
            Ok(operation.into_poller())
        });
        self.under_way().queued.push_back((ticket, starting));
        Ok(())
    }

    /// Adds an operation that `request` starts. The set sends it, up to 20 in one request, with
    /// others of the same version.
    ///
    /// What is repeated is what [`Operation::start`] repeats. In a batch, a write without a body gets
    /// an empty JSON object, which Graph demands there. The request's own `Authorization` is left out
    /// of a batch: the client adds one to each request, a batch included.
    ///
    /// # Errors
    ///
    /// [`DuplicateKey`](ErrorKind::DuplicateKey) if the key is in the set, and
    /// [`ForeignLocation`](ErrorKind::ForeignLocation) or
    /// [`InvalidLocation`](ErrorKind::InvalidLocation) if the request is not of the service root's
    /// origin.
    pub fn start_request(&mut self, key: K, request: Request<Bytes>) -> Result<()> {
        self.begin(key, request, false)
    }

    /// The same for a request that may be carried out twice without harm: it is also repeated when
    /// nobody knows whether it was carried out, as in [`Operation::start_idempotent`].
    ///
    /// # Errors
    ///
    /// Those of [`start_request`](Self::start_request).
    pub fn start_request_idempotent(&mut self, key: K, request: Request<Bytes>) -> Result<()> {
        self.begin(key, request, true)
    }

    fn begin(&mut self, key: K, request: Request<Bytes>, idempotent: bool) -> Result<()> {
        let connection = &self.connection;
        let (now, seed) = (connection.now(), connection.random());
        let root = connection.service_root();
        let start =
            Start::with_reader(self.reader, root, request, idempotent, self.polling, now, seed)?;
        self.machine.queue_request(key, start).map_err(|_| duplicate())
    }

    /// Adds an operation that runs already. It keeps its policy, and its deadline counts from its
    /// start; its checks go through the set's client.
    ///
    /// # Errors
    ///
    /// Gives the operation back if the key is in the set, or if it is of another origin than the set's
    /// service root, so that no token goes astray.
    // The handle itself is one pointer.
    pub fn insert(&mut self, key: K, operation: Operation<T, M>) -> Result<(), Operation<T, M>> {
        if self.machine.contains(&key) || is_foreign(self.connection.service_root(), &operation) {
            return Err(operation);
        }
        let poller = operation.into_poller();
        let inserted = self.machine.insert(key, poller, self.connection.now());
        inserted.map_err(|poller| Operation::of_poller(*poller, Arc::clone(&self.connection)))
    }

    /// Adds an operation that another handle, perhaps in another process, has named; see
    /// [`Operation::resume`].
    ///
    /// # Errors
    ///
    /// [`DuplicateKey`](ErrorKind::DuplicateKey) if the key is in the set, and
    /// [`InvalidToken`](ErrorKind::InvalidToken) if the token is of another origin or another model.
    pub fn resume(&mut self, key: K, token: ResumeToken) -> Result<()> {
        if self.machine.contains(&key) {
            return Err(duplicate());
        }
        let connection = Arc::clone(&self.connection);
        let operation = Operation::resumed(connection, self.reader, token)?;
        let poller = operation.with_polling(self.polling).into_poller();
        self.machine.insert(key, poller, self.connection.now()).map_err(|_| duplicate())
    }

    /// Takes an operation out of the set, with the set's client. A start that waits for its turn is
    /// dropped and gives `None`, as does one under way, which stays.
    pub fn remove(&mut self, key: &K) -> Option<Operation<T, M>> {
        if let Some(ticket) = self.machine.ticket(key) {
            self.under_way().queued.retain(|(other, _)| *other != ticket);
        }
        let poller = self.machine.remove(key, self.connection.now())?;
        Some(Operation::of_poller(poller, Arc::clone(&self.connection)))
    }

    /// The next end, in the order in which they are found; `None` if the set is empty. More may be
    /// added then.
    ///
    /// Other events are passed over. The future may be dropped at any time, and nothing is lost.
    pub async fn next(&mut self) -> Option<(K, Result<Completed<T, M>>)> {
        self.begin_call();
        poll_fn(|cx| self.poll_end(cx)).await
    }

    /// The next event; `None` if the set is empty.
    ///
    /// There is an update for each response that differs from the one before, and for each check that
    /// failed and is retried. What `next` has passed over is not given again.
    pub async fn next_event(&mut self) -> Option<SetEvent<K, T, M>> {
        self.begin_call();
        poll_fn(|cx| self.poll_event(cx)).await
    }

    #[allow(clippy::type_complexity, reason = "the item of the stream")]
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<(K, Result<Completed<T, M>>)>> {
        loop {
            match ready!(self.poll_turn(false, None, cx)) {
                Turn::Report(Report::Ended(key, result)) => {
                    return Poll::Ready(Some((key, self.completed(result))));
                }
                Turn::Report(_) => {}
                Turn::Empty | Turn::TimeUp => return Poll::Ready(None),
            }
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<SetEvent<K, T, M>>> {
        loop {
            return Poll::Ready(Some(match ready!(self.poll_turn(true, None, cx)) {
                Turn::Report(Report::Started(key)) => SetEvent::Started(key),
                Turn::Report(Report::Checked(key, fault)) => {
                    match self.machine.inspect(&key, |poller| Update::of(poller, fault)) {
                        Some(update) => SetEvent::Update(key, update),
                        None => continue,
                    }
                }
                Turn::Report(Report::Ended(key, result)) => {
                    SetEvent::Ended(key, self.completed(result))
                }
                Turn::Empty | Turn::TimeUp => return Poll::Ready(None),
            }));
        }
    }

    pub(crate) fn completed(&self, result: Result<Box<Poller>>) -> Result<Completed<T, M>> {
        result.map(|poller| Completed::of(&poller, Arc::clone(&self.connection)))
    }

    /// How many operations and starts there are whose end was not delivered.
    pub fn len(&self) -> usize {
        self.machine.len()
    }

    /// Whether every end was delivered.
    pub fn is_empty(&self) -> bool {
        self.machine.is_empty()
    }

    /// How many there are of each sort.
    pub fn counts(&self) -> Counts {
        self.machine.counts()
    }

    /// The keys whose end was not delivered.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.machine.keys()
    }

    /// The resume token of one operation: what a journal keeps when
    /// [`Started`](SetEvent::Started) is told. `None` if there is none with this key, if it is not
    /// started, or if the service finished at once.
    pub fn token(&self, key: &K) -> Option<ResumeToken> {
        self.machine.token(key)
    }

    /// The resume tokens of the operations that run, and of those whose end was not delivered: what a
    /// program writes down before it stops. A start has none.
    pub fn tokens(&self) -> impl Iterator<Item = (&K, ResumeToken)> {
        self.machine.tokens()
    }

    /// The interval between two checks of an operation that the rate allows now, whatever the policy
    /// says.
    pub fn pace(&self) -> Duration {
        self.machine.pace(self.connection.now())
    }
}

/// What does not depend on the types of the operations.
impl<K: Clone + Eq + Hash, T, M> OperationSet<K, T, M> {
    #[cfg(feature = "blocking")]
    pub(crate) fn now(&self) -> Instant {
        self.connection.now()
    }

    fn under_way(&mut self) -> &mut UnderWay {
        self.under_way.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call of a caller's: a request whose response could be stale is made again.
    pub(crate) fn begin_call(&mut self) {
        let now = self.connection.now();
        self.under_way()
            .requests
            .retain(|sending| now.saturating_duration_since(sending.since) <= TimeLeft::DEFAULT.0);
    }

    /// Does what the machine says until there is something to tell, or `until` is over.
    pub(crate) fn poll_turn(
        &mut self,
        watched: bool,
        until: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<Turn<K>> {
        let machine = &mut self.machine;
        let connection = &self.connection;
        let under_way = self.under_way.get_mut().unwrap_or_else(PoisonError::into_inner);
        machine.watch(watched);
        under_way.begin_poll();
        loop {
            under_way.poll_requests(machine, connection, cx);
            under_way.poll_starts(machine, connection, cx);
            let now = connection.now();
            if machine.counts().queued > 0 {
                machine.set_wall_clock(connection.system_time(), now);
            }
            let wait = match machine.next(now) {
                SetStep::Wait(wait, _) => wait,
                SetStep::Event(report) => return Poll::Ready(Turn::Report(report)),
                SetStep::Send(dispatch) => {
                    let (anonymous, limit) = (dispatch.is_anonymous(), dispatch.time_left());
                    let (request, envelope) = dispatch.request();
                    let sent = Sent::built(request, anonymous, limit);
                    let exchange = Arc::clone(connection).send(sent);
                    let exchange = Polled(exchange, false);
                    under_way.requests.push(Sending { exchange, envelope, since: now, limit });
                    continue;
                }
                SetStep::Start(ticket) => {
                    under_way.begin_start(ticket);
                    continue;
                }
                SetStep::Pending => return Poll::Pending,
                SetStep::Done => return Poll::Ready(Turn::Empty),
            };
            let wake = machine.latest() + wait;
            if let Some(until) = until.filter(|&until| until < wake) {
                ready!(under_way.poll_sleep(connection, now, until, cx));
                return Poll::Ready(Turn::TimeUp);
            }
            ready!(under_way.poll_sleep(connection, now, wake, cx));
            // A sleep that has finished counts as slept.
            machine.waited();
        }
    }
}

impl UnderWay {
    fn begin_poll(&mut self) {
        for sending in &mut self.requests {
            sending.exchange.1 = false;
        }
        for (_, start) in &mut self.starts {
            start.1 = false;
        }
    }

    fn begin_start(&mut self, ticket: Ticket) {
        let position = self.queued.iter().position(|(queued, _)| *queued == ticket);
        if let Some((ticket, start)) = position.and_then(|position| self.queued.remove(position)) {
            self.starts.push((ticket, Polled(start, false)));
        }
    }

    fn poll_requests<K: Clone + Eq + Hash>(
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
                self.requests.push(sending);
                let last = self.requests.len() - 1;
                self.requests.swap(at, last);
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
                        let exchange = Arc::clone(connection).renew(response, limit);
                        let exchange = Polled(exchange, false);
                        self.requests.push(Sending { exchange, envelope, since, limit });
                    }
                }
                Outcome::Sent(Err(error)) => machine.failed(envelope, &error, now),
                Outcome::Renewed(response, renewed) => {
                    machine.authorized(envelope, &response, renewed, now);
                }
            }
        }
    }

    fn poll_starts<K: Clone + Eq + Hash>(
        &mut self,
        machine: &mut Set<K>,
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
                Poll::Ready(result) => machine.started(ticket, result, connection.now()),
                Poll::Pending => {
                    self.starts.push((ticket, start));
                    let last = self.starts.len() - 1;
                    self.starts.swap(at, last);
                    at += 1;
                }
            }
        }
    }

    /// Sleeps until `until`. One sleep serves as long as that stays the same.
    fn poll_sleep(
        &mut self,
        connection: &Arc<dyn Connection>,
        now: Instant,
        until: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let sleeper = self.sleeper.get_or_insert_with(|| Arc::clone(connection).sleeper());
        if self.until != Some(until) {
            sleeper.start(until.saturating_duration_since(now));
            self.until = Some(until);
        }
        ready!(sleeper.poll(cx));
        self.until = None;
        Poll::Ready(())
    }
}

fn duplicate() -> Error {
    Error::new(ErrorKind::DuplicateKey, "the key is in the set already")
}

/// What a start failed with. An error of another type is the source.
fn not_started(error: BoxError) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let mut source: Option<&(dyn StdError + 'static)> = Some(&*error);
    let mut retryable = false;
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<Error>() {
            retryable = error.is_retryable();
            break;
        }
        source = error.source();
    }
    Error::new(ErrorKind::NotStarted, "the operation was not started")
        .with_source(error)
        .with_retryable(retryable)
}

fn is_foreign<T, M>(root: &Uri, operation: &Operation<T, M>) -> bool {
    !same_origin(root, operation.connection().service_root())
}

/// Ends when the set is empty. More may be added then, and the stream goes on.
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
