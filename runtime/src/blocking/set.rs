//! Many operations at once, for programs without an executor.

use std::fmt;
use std::future::poll_fn;
use std::hash::Hash;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use super::client::{Client, connect};
use super::completed::Completed;
use super::operation::Operation;
use crate::block_on::block_on;
use crate::error::{BoxError, Result};
use crate::model::{Model, TeamsAsyncOperation};
use crate::protocol::{Counts, Polling, RateLimit, Report};
use crate::resume_token::ResumeToken;
use crate::set::Stop;
use crate::update::Update;

/// Many operations of one client; see the asynchronous [`OperationSet`](crate::OperationSet).
///
/// An iterator over the operations as they end. It sends one request at a time, while
/// [`next`](Iterator::next), [`next_within`](Self::next_within) or [`next_event`](Self::next_event)
/// runs, on the thread that calls it.
///
#[cfg_attr(feature = "testing", doc = "```")]
#[cfg_attr(not(feature = "testing"), doc = "```ignore")]
/// use graph_operation::blocking::{Client, Operation, OperationSet};
/// use graph_operation::testing::{ScriptedClient, accepted, succeeded};
/// use http::Method;
///
/// # fn main() -> graph_operation::Result<()> {
/// let graph = ScriptedClient::new();
/// let mut set = OperationSet::new(graph.clone());
/// for team in ["1", "2", "3"] {
///     graph.answer(accepted(&format!("/teams('{team}')/operations('4')")));
///     let graph = graph.clone();
///     set.start(team, move || {
///         let request = Client::request(&graph, Method::POST, ["teams", team, "archive"])?;
///         Operation::start(graph, request) // or a function with the attribute
///     })?;
/// }
/// for _ in 0..3 {
///     graph.answer(succeeded("/teams('…')"));
/// }
/// for (team, result) in &mut set {
///     println!("{team}: {:?}", result?.target_location());
/// }
/// assert_eq!(set.counts().succeeded, 3);
/// assert_eq!(graph.batches().len(), 1); // one request for the checks of all three
/// # Ok(())
/// # }
/// ```
#[must_use = "operations continue without the set, but nobody learns how they end"]
pub struct OperationSet<K, T = Value, M = TeamsAsyncOperation> {
    inner: crate::OperationSet<K, T, M>,
}

/// What [`OperationSet::next_within`] returns.
#[derive(Debug)]
#[must_use = "each end is returned only once"]
pub enum Next<K, T = Value, M = TeamsAsyncOperation> {
    /// An operation has ended, or was not started.
    Ended(K, Result<Completed<T, M>>),
    /// The time is up, and there are operations left.
    TimeUp,
    /// The set is empty.
    Empty,
}

/// What happened in an [`OperationSet`]; see the asynchronous [`SetEvent`](crate::SetEvent).
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

fn blocking<T, M>(result: Result<crate::Completed<T, M>>) -> Result<Completed<T, M>> {
    result.map(|inner| Completed { inner })
}

impl<K, T, M> OperationSet<K, T, M>
where
    K: Clone + Eq + Hash + Send,
    M: Model,
{
    /// An empty set whose requests go through `client`.
    pub fn new(client: impl Client) -> Self {
        let inner = crate::OperationSet::connected(connect(client));
        OperationSet { inner: inner.requests_at_once(1).starts_at_once(1) }
    }

    /// Sets the policy of operations that the set resumes, or that it starts through
    /// [`start_request`](Self::start_request), from now on. Other operations keep their own.
    pub fn polling(self, polling: Polling) -> Self {
        OperationSet { inner: self.inner.polling(polling) }
    }

    /// Sets the maximum number of operations that one request checks: 1 to 20, by default 20; see
    /// [`OperationSet::batch`](crate::OperationSet::batch).
    pub fn batch(self, operations: usize) -> Self {
        OperationSet { inner: self.inner.batch(operations) }
    }

    /// Sets the limit on checks and starts per second: at least 1, by default 20; see
    /// [`OperationSet::rate`](crate::OperationSet::rate).
    pub fn rate(self, rate: u32) -> Self {
        OperationSet { inner: self.inner.rate(rate) }
    }

    /// Shares a rate with other sets, and with a client's `send`; see [`RateLimit::admit`].
    pub fn rate_limit(self, limit: RateLimit) -> Self {
        OperationSet { inner: self.inner.rate_limit(limit) }
    }

    /// Adds an operation that `start` starts. The set calls it when its turn comes.
    ///
    /// An error of a type other than [`Error`](crate::Error) becomes the source of a
    /// [`NotStarted`](crate::ErrorKind::NotStarted).
    ///
    /// # Errors
    ///
    /// [`DuplicateKey`](crate::ErrorKind::DuplicateKey) if the key is in the set.
    pub fn start<F, E>(&mut self, key: K, start: F) -> Result<()>
    where
        F: FnOnce() -> Result<Operation<T, M>, E> + Send + 'static,
        E: Into<BoxError>,
        T: 'static,
    {
        self.inner.start(key, async move { start().map(|operation| operation.inner) })
    }

    /// Adds an operation that `request` starts. The set sends it, in a batch of up to 20; see
    /// [`OperationSet::start_request`](crate::OperationSet::start_request).
    ///
    /// # Errors
    ///
    /// Those of [`OperationSet::start_request`](crate::OperationSet::start_request).
    pub fn start_request(&mut self, key: K, request: Request<Bytes>) -> Result<()> {
        self.inner.start_request(key, request)
    }

    /// The same for a request that may be carried out twice without harm; see
    /// [`OperationSet::start_request_idempotent`](crate::OperationSet::start_request_idempotent).
    ///
    /// # Errors
    ///
    /// Those of [`OperationSet::start_request`](crate::OperationSet::start_request).
    pub fn start_request_idempotent(&mut self, key: K, request: Request<Bytes>) -> Result<()> {
        self.inner.start_request_idempotent(key, request)
    }

    /// Adds a running operation. It keeps its policy, and its deadline counts from its start; its
    /// checks go through the set's client.
    ///
    /// # Errors
    ///
    /// Returns the operation if the key is in the set, or if its address has another origin than
    /// the set's service root, which must not get the token.
    pub fn insert(&mut self, key: K, operation: Operation<T, M>) -> Result<(), Operation<T, M>> {
        self.inner.insert(key, operation.inner).map_err(|inner| Operation { inner })
    }

    /// Adds the operation that a token names; see [`Operation::resume`].
    ///
    /// # Errors
    ///
    /// [`DuplicateKey`](crate::ErrorKind::DuplicateKey) if the key is in the set, and
    /// [`InvalidToken`](crate::ErrorKind::InvalidToken) if the token has another origin or
    /// another model.
    pub fn resume(&mut self, key: K, token: ResumeToken) -> Result<()> {
        self.inner.resume(key, token)
    }

    /// Removes an operation from the set, and returns it with the set's client. For a start,
    /// returns `None`: one that waits for its turn is dropped, and one that has begun stays in the
    /// set.
    pub fn remove(&mut self, key: &K) -> Option<Operation<T, M>> {
        self.inner.remove(key).map(|inner| Operation { inner })
    }

    /// Returns the next operation that ends within this time.
    ///
    /// Nothing else can interrupt the set: call it with a short time to do other work in between.
    /// It still sends the requests and starts that are due, so the call can take longer.
    ///
    #[cfg_attr(feature = "testing", doc = "```")]
    #[cfg_attr(not(feature = "testing"), doc = "```ignore")]
    /// use std::time::Duration;
    ///
    /// use graph_operation::blocking::{Next, Operation, OperationSet};
    /// use graph_operation::testing::{ScriptedClient, in_progress, succeeded};
    ///
    /// # fn main() -> graph_operation::Result<()> {
    /// let graph = ScriptedClient::new();
    /// let mut set = OperationSet::new(graph.clone());
    /// set.insert("a", Operation::from_location(graph.clone(), "/teams('1')/operations('2')")?)
    ///     .unwrap();
    /// graph.answer(in_progress()).answer(succeeded("/teams('1')"));
    /// loop {
    ///     match set.next_within(Duration::from_secs(5)) {
    ///         Next::Ended(key, result) => println!("{key}: {result:?}"),
    ///         Next::TimeUp => println!("{} left", set.len()),
    ///         Next::Empty => break,
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_within(&mut self, time: Duration) -> Next<K, T, M> {
        let until = self.inner.now().checked_add(time);
        self.inner.begin_call();
        loop {
            let stop = block_on(poll_fn(|cx| {
                self.inner.begin_poll();
                self.inner.poll_drive(false, until, cx)
            }));
            match stop {
                Stop::Report(Report::Ended(key, result)) => {
                    return Next::Ended(key, blocking(self.inner.completed(result)));
                }
                Stop::Report(_) => {}
                Stop::TimeUp => return Next::TimeUp,
                Stop::Empty => return Next::Empty,
            }
        }
    }

    /// Returns the next event; `None` if the set is empty. See
    /// [`OperationSet::next_event`](crate::OperationSet::next_event).
    pub fn next_event(&mut self) -> Option<SetEvent<K, T, M>> {
        Some(match block_on(self.inner.next_event())? {
            crate::SetEvent::Started(key) => SetEvent::Started(key),
            crate::SetEvent::Update(key, update) => SetEvent::Update(key, update),
            crate::SetEvent::Ended(key, result) => SetEvent::Ended(key, blocking(result)),
        })
    }

    /// The number of operations and starts whose result has not been returned yet.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether every result has been returned.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// The number of operations in each state.
    pub fn counts(&self) -> Counts {
        self.inner.counts()
    }

    /// The keys whose result has not been returned yet.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.inner.keys()
    }

    /// The resume token of one operation, to store after its [`Started`](SetEvent::Started). `None`
    /// if no operation has this key, if it is not started, or if the service finished it at once.
    pub fn token(&self, key: &K) -> Option<ResumeToken> {
        self.inner.token(key)
    }

    /// The resume tokens of the operations whose result has not been returned yet, for a program to
    /// store before it stops. A start has none.
    pub fn tokens(&self) -> impl Iterator<Item = (&K, ResumeToken)> {
        self.inner.tokens()
    }

    /// The interval between two checks of an operation that the rate currently allows, whatever the
    /// policy says.
    pub fn pace(&self) -> Duration {
        self.inner.pace()
    }
}

/// Ends when the set is empty. More operations may be added then, and the iteration continues.
impl<K, T, M> Iterator for OperationSet<K, T, M>
where
    K: Clone + Eq + Hash + Send,
    M: Model,
{
    type Item = (K, Result<Completed<T, M>>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, result) = block_on(self.inner.next())?;
        Some((key, blocking(result)))
    }
}

impl<K, T, M> fmt::Debug for OperationSet<K, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
