//! Handles for programs without an executor. They implement the same protocol, and block the
//! thread.
//!
//! Each type here has the name of an asynchronous one and behaves in the same way; errors, updates,
//! policies and tokens are the same types. One thing differs: nothing can interrupt a
//! [`Client::send`] that does not return, so the deadline limits a request only through
//! [`TimeLeft`](crate::TimeLeft), which the adapters obey.
//!
//! An annotated function that is not `async` returns an [`Operation`] of this module:
//!
//! ```
//! # #[cfg(not(all(feature = "macros", feature = "testing")))] fn main() {}
//! # #[cfg(all(feature = "macros", feature = "testing"))] fn main() -> graph_operation::Result<()> {
//! use bytes::Bytes;
//! use graph_operation::blocking::Client;
//! use graph_operation::{Result, async_operation};
//! use http::{Method, Request};
//! # use graph_operation::testing::{ScriptedClient as Graph, accepted, succeeded};
//!
//! #[async_operation(client = graph, idempotent)]
//! fn archive_team(graph: &Graph, team_id: &str) -> Result<Request<Bytes>> {
//!     graph.request(Method::POST, ["teams", team_id, "archive"])
//! }
//!
//! # let graph = Graph::new(); // implements `blocking::Client`
//! # graph.answer(accepted("/teams('1')/operations('2')")).answer(succeeded("/teams('1')"));
//! let completed = archive_team(&graph, "1")?.wait()?; // starts it, then waits for its end
//! # assert_eq!(completed.target_location(), Some("/teams('1')"));
//! # Ok(())
//! # }
//! ```

use std::fmt::{self, Display};
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::block_on::block_on;
use crate::client::{anonymous_not_implemented, random};
use crate::erased::{Connection, connect_blocking};
use crate::error::{BoxError, Result};
use crate::model::{Model, Reader, TeamsAsyncOperation};
use crate::protocol::{Answer, Polling};
use crate::response::ready_responses;
use crate::resume_token::ResumeToken;
use crate::update::Update;
use crate::url;

pub use crate::blocking_set::{Next, OperationSet, SetEvent};

/// A client of Microsoft Graph that blocks; see the asynchronous [`Client`](trait@crate::Client).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot send the requests of an operation: it does not implement `graph_operation::blocking::Client`",
    label = "does not implement `graph_operation::blocking::Client`",
    note = "only a function that blocks needs it; did you mean `async fn`?",
    note = "implement `graph_operation::blocking::Client` for `{Self}`, or name another client: `#[async_operation(client = self.client)]`"
)]
pub trait Client: Clone + Send + Sync + 'static {
    /// The error of sending a request: [`Error`](crate::Error), or any type that converts to a
    /// boxed error; see [`Client::Error`](crate::Client::Error).
    type Error: Into<BoxError>;

    /// The service root: scheme, host, port and version, such as
    /// `https://graph.microsoft.com/v1.0`.
    fn service_root(&self) -> &Uri;

    /// Sends one request and reads its response, error responses included; see
    /// [`Client::send`](crate::Client::send).
    ///
    /// By default, a `ureq::Agent` turns error responses into errors, and loses their body, request
    /// id and `Retry-After`. Send requests with [`ureq::send`](crate::ureq::send), which prevents
    /// that, or configure the agent with `http_status_as_error(false)`.
    fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>, Self::Error>;

    /// Sends one request to another host without a credential; see
    /// [`Client::send_anonymous`](crate::Client::send_anonymous).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no response. The provided method always does.
    fn send_anonymous(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>> {
        drop(request);
        Err(anonymous_not_implemented())
    }

    /// Renews the credential after a 401, and returns whether there is a new one; see
    /// [`Client::unauthorized`](crate::Client::unauthorized). The provided method returns `false`.
    fn unauthorized(&self, response: &http::Response<Bytes>) -> bool {
        let _ = response;
        false
    }

    /// Sleeps. A sleep that has finished counts in full, however long it really took: a client
    /// whose sleeps return at once polls at full speed.
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    /// The current instant.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// The current time of the wall clock, which resume tokens contain.
    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Whether a retry may help after this error. The provided method returns `true`.
    fn is_transient(&self, error: &Self::Error) -> bool {
        let _ = error;
        true
    }

    /// Random bits for the jitter, which spreads operations that were started together.
    fn random(&self) -> u64 {
        random()
    }

    /// A request to the path that these segments form below the service root, each of them encoded;
    /// see [`Client::request`](crate::Client::request).
    ///
    /// # Errors
    ///
    /// [`InvalidLocation`](crate::ErrorKind::InvalidLocation) if a segment is empty, `.` or `..`.
    fn request<I>(&self, method: Method, segments: I) -> Result<Request<Bytes>>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        url::request(self.service_root(), method, segments)
    }

    /// The same with a JSON body and its `Content-Type`.
    ///
    /// # Errors
    ///
    /// Those of [`request`](Self::request), and [`Transport`](crate::ErrorKind::Transport) if
    /// `body` cannot be serialized.
    fn request_json<I>(
        &self,
        method: Method,
        segments: I,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Request<Bytes>>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        url::request_json(self.service_root(), method, segments, body)
    }

    /// The URL of the path that these segments form below the service root, each of them encoded.
    ///
    /// # Errors
    ///
    /// [`InvalidLocation`](crate::ErrorKind::InvalidLocation) if a segment is empty, `.` or `..`.
    fn url_of<I>(&self, segments: I) -> Result<String>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        url::of(self.service_root(), segments)
    }

    /// The URL of a literal path below the service root. It encodes nothing; see
    /// [`Client::url`](crate::Client::url).
    fn url(&self, path: impl Display) -> String {
        url::join(self.service_root(), path)
    }
}

/// Forwards every method of a client to the one inside.
macro_rules! forward_client {
    ($pointer:ident) => {
        impl<C: Client> Client for $pointer<C> {
            type Error = C::Error;

            fn service_root(&self) -> &Uri {
                C::service_root(self)
            }

            fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>, Self::Error> {
                C::send(self, request)
            }

            fn send_anonymous(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>> {
                C::send_anonymous(self, request)
            }

            fn unauthorized(&self, response: &http::Response<Bytes>) -> bool {
                C::unauthorized(self, response)
            }

            fn sleep(&self, duration: Duration) {
                C::sleep(self, duration);
            }

            fn now(&self) -> Instant {
                C::now(self)
            }

            fn system_time(&self) -> SystemTime {
                C::system_time(self)
            }

            fn is_transient(&self, error: &Self::Error) -> bool {
                C::is_transient(self, error)
            }

            fn random(&self) -> u64 {
                C::random(self)
            }
        }
    };
}

forward_client!(Arc);
forward_client!(Box);

/// The response to a request that starts an operation, in a blocking function; see
/// the asynchronous [`Response`](trait@crate::Response).
///
/// Implemented for `http::Response` with a body of `Bytes`, `Vec<u8>`, `String` or `()`, for ureq's
/// with the feature `ureq`, and for `reqwest::blocking::Response` with `reqwest-blocking`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a request nor the response to one: it does not implement `graph_operation::blocking::Response`",
    label = "does not implement `graph_operation::blocking::Response`",
    note = "return the HTTP response itself from the function, such as `http::Response<Bytes>` or, with the feature `ureq`, `http::Response<ureq::Body>`",
    note = "for the response type of another HTTP client, implement `graph_operation::blocking::Response`"
)]
pub trait Response {
    /// Reads the response. Limit the size of the body: the response to a starting request is small.
    fn into_answer(self) -> Result<Answer>;
}

ready_responses!(Response,);

/// Adapts a blocking client to the asynchronous trait: its futures are always ready.
#[derive(Clone)]
struct AlwaysReady<C>(C);

impl<C: Client> crate::client::Client for AlwaysReady<C> {
    type Error = C::Error;

    fn service_root(&self) -> &Uri {
        self.0.service_root()
    }

    async fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>, C::Error> {
        self.0.send(request)
    }

    async fn send_anonymous(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>> {
        self.0.send_anonymous(request)
    }

    async fn unauthorized(&self, response: &http::Response<Bytes>) -> bool {
        self.0.unauthorized(response)
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration);
    }

    // Not used: it limits only a `send` that has pended.
    fn time_limit(&self, _: Duration) -> impl Future<Output = ()> + Send {
        pending()
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn system_time(&self) -> SystemTime {
        self.0.system_time()
    }

    fn is_transient(&self, error: &C::Error) -> bool {
        self.0.is_transient(error)
    }

    fn random(&self) -> u64 {
        self.0.random()
    }
}

pub(crate) fn connect<C: Client>(client: C) -> Arc<dyn Connection> {
    connect_blocking(AlwaysReady(client))
}

/// A long-running operation of Microsoft Graph; see the asynchronous
/// [`Operation`](crate::Operation).
#[must_use = "an operation continues without its handle, but nobody learns how it ends"]
pub struct Operation<T = Value, M = TeamsAsyncOperation> {
    pub(crate) inner: crate::Operation<T, M>,
}

/// # Starting, without the attribute
impl Operation {
    /// Sends a request that starts an operation; see [`Operation::start`](crate::Operation::start).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::start`](crate::Operation::start).
    pub fn start(client: impl Client, request: Request<Bytes>) -> Result<Self> {
        Self::start_as(client, request)
    }

    /// The same for an operation of another model.
    pub fn start_as<M: Model>(
        client: impl Client,
        request: Request<Bytes>,
    ) -> Result<Operation<Value, M>> {
        let reader = Reader::of::<M>();
        Ok(Self::begin(client, reader, M::POLLING(), request, false)?.typed())
    }

    /// Sends a request that may be carried out twice without harm; see
    /// [`Operation::start_idempotent`](crate::Operation::start_idempotent).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::start`](crate::Operation::start).
    pub fn start_idempotent(client: impl Client, request: Request<Bytes>) -> Result<Self> {
        Self::start_idempotent_as(client, request)
    }

    /// The same for an operation of another model.
    pub fn start_idempotent_as<M: Model>(
        client: impl Client,
        request: Request<Bytes>,
    ) -> Result<Operation<Value, M>> {
        let reader = Reader::of::<M>();
        Ok(Self::begin(client, reader, M::POLLING(), request, true)?.typed())
    }

    /// Reads the response to a request that starts an operation; see
    /// [`Operation::from_response`](crate::Operation::from_response).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::from_response`](crate::Operation::from_response).
    pub fn from_response(client: impl Client, response: impl Response) -> Result<Self> {
        Self::from_response_as(client, response)
    }

    /// The same for an operation of another model.
    pub fn from_response_as<M: Model>(
        client: impl Client,
        response: impl Response,
    ) -> Result<Operation<Value, M>> {
        let answer = response.into_answer()?;
        Ok(Self::accept(client, Reader::of::<M>(), M::POLLING(), answer)?.typed())
    }

    /// Follows the operation at a known address, absolute or relative to the service root; see
    /// [`Operation::from_location`](crate::Operation::from_location).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::from_location`](crate::Operation::from_location).
    pub fn from_location(client: impl Client, location: impl AsRef<str>) -> Result<Self> {
        Self::from_location_as(client, location)
    }

    /// The same for an operation of another model.
    pub fn from_location_as<M: Model>(
        client: impl Client,
        location: impl AsRef<str>,
    ) -> Result<Operation<Value, M>> {
        let inner = crate::Operation::at(connect(client), Reader::of::<M>(), location.as_ref())?;
        Ok(Operation { inner: inner.typed() })
    }

    /// Follows the operation that a token names, perhaps one of another process; see
    /// [`Operation::resume`](crate::Operation::resume).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::resume`](crate::Operation::resume).
    pub fn resume(client: impl Client, token: ResumeToken) -> Result<Self> {
        Self::resume_as(client, token)
    }

    /// The same for an operation of another model.
    pub fn resume_as<M: Model>(
        client: impl Client,
        token: ResumeToken,
    ) -> Result<Operation<Value, M>> {
        let inner = crate::Operation::resumed(connect(client), Reader::of::<M>(), token)?;
        Ok(Operation { inner: inner.typed() })
    }

    pub(crate) fn accept<C: Client>(
        client: C,
        reader: &'static Reader,
        policy: Polling,
        answer: Answer,
    ) -> Result<Self> {
        let inner = crate::Operation::accepted(connect(client), reader, policy, answer)?;
        Ok(Operation { inner })
    }

    pub(crate) fn begin<C: Client>(
        client: C,
        reader: &'static Reader,
        policy: Polling,
        request: Request<Bytes>,
        idempotent: bool,
    ) -> Result<Self> {
        let connection = connect(client);
        let starting =
            crate::operation::Starting::new(connection, reader, policy, request, idempotent);
        Ok(Operation { inner: block_on(starting)? })
    }
}

impl<T, M> Operation<T, M> {
    /// Changes the type parameters; `N` has to be the model of the operation.
    pub(crate) fn typed<U, N>(self) -> Operation<U, N> {
        Operation { inner: self.inner.typed() }
    }
}

impl<T, M: Model> Operation<T, M> {
    /// Sends one check now, whatever the policy says; see
    /// [`Operation::poll`](crate::Operation::poll).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::poll`](crate::Operation::poll).
    pub fn poll(&mut self) -> Result<Update<M>> {
        block_on(self.inner.poll())
    }

    /// Polls according to the policy until the operation has succeeded; see
    /// [`Operation::wait`](crate::Operation::wait).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::wait`](crate::Operation::wait).
    pub fn wait(&mut self) -> Result<Completed<T, M>> {
        Ok(Completed { inner: block_on(self.inner.wait())? })
    }

    /// The same, and calls `see` with each check; see
    /// [`Operation::wait_with`](crate::Operation::wait_with).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::wait_with`](crate::Operation::wait_with).
    pub fn wait_with(&mut self, see: impl FnMut(Update<M>)) -> Result<Completed<T, M>> {
        Ok(Completed { inner: block_on(self.inner.wait_with(see))? })
    }

    /// Polls according to the policy, and yields each check; see
    /// [`Operation::updates`](crate::Operation::updates).
    pub fn updates(&mut self) -> Updates<'_, T, M> {
        Updates { inner: self.inner.updates() }
    }

    /// Waits, then reads the target; see [`Operation::target`](crate::Operation::target).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::target`](crate::Operation::target).
    pub fn target(&mut self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        block_on(self.inner.target())
    }

    /// The result of the last check.
    pub fn update(&self) -> Update<M> {
        self.inner.update()
    }

    /// The operation's address, resolved; `None` if the service finished at once.
    pub fn location(&self) -> Option<&Uri> {
        self.inner.location()
    }

    /// A token with which another process can follow the operation; `None` if the service finished
    /// at once.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.inner.resume_token()
    }

    /// The `request-id` of the response to the starting request, which Microsoft's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.inner.request_id()
    }

    /// The `client-request-id` of the response to the starting request.
    pub fn client_request_id(&self) -> Option<&str> {
        self.inner.client_request_id()
    }

    /// The body of the starting 202; see
    /// [`Operation::accepted_body`](crate::Operation::accepted_body).
    pub fn accepted_body(&self) -> Option<&[u8]> {
        self.inner.accepted_body()
    }

    /// The operation's id, if its address contains it.
    pub fn operation_id(&self) -> Option<&str> {
        self.inner.operation_id()
    }

    /// What the operation works on, if the starting response says so; see
    /// [`Operation::target_hint`](crate::Operation::target_hint).
    pub fn target_hint(&self) -> Option<&str> {
        self.inner.target_hint()
    }

    /// Changes the type that the target deserializes to.
    pub fn with_target<U>(self) -> Operation<U, M> {
        self.typed()
    }

    /// Changes the policy from here on. The deadline still counts from the start.
    pub fn set_polling(&mut self, polling: Polling) {
        self.inner.set_polling(polling);
    }

    /// Returns the operation with another policy. The deadline still counts from the start.
    pub fn with_polling(mut self, polling: Polling) -> Self {
        self.set_polling(polling);
        self
    }
}

impl<T, M> fmt::Debug for Operation<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The checks of an [`Operation`]; see [`Operation::updates`].
#[must_use = "iterators do nothing unless advanced"]
pub struct Updates<'a, T = Value, M = TeamsAsyncOperation> {
    inner: crate::Updates<'a, T, M>,
}

/// Ends after the operation has, and after an error.
impl<T, M: Model> Iterator for Updates<'_, T, M> {
    type Item = Result<Update<M>>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.inner.next())
    }
}

impl<T, M> fmt::Debug for Updates<'_, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// An operation that has succeeded; see the asynchronous [`Completed`](crate::Completed).
pub struct Completed<T = Value, M = TeamsAsyncOperation> {
    pub(crate) inner: crate::Completed<T, M>,
}

impl<T, M: Model> Completed<T, M> {
    /// The operation as it ended; see [`Completed::operation`](crate::Completed::operation).
    pub fn operation(&self) -> Option<&M> {
        self.inner.operation()
    }

    /// The id of what the operation worked on, or of its result.
    pub fn target_id(&self) -> Option<&str> {
        self.inner.target_id()
    }

    /// Where the result is, as the service wrote it; see
    /// [`Completed::target_location`](crate::Completed::target_location).
    pub fn target_location(&self) -> Option<&str> {
        self.inner.target_location()
    }

    /// Reads the result; see [`Completed::target`](crate::Completed::target).
    ///
    /// # Errors
    ///
    /// Those of [`Completed::target`](crate::Completed::target).
    pub fn target(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        block_on(self.inner.target())
    }

    /// Reads the result by its id; see [`Completed::target_at`](crate::Completed::target_at).
    ///
    /// # Errors
    ///
    /// Those of [`Completed::target_at`](crate::Completed::target_at).
    pub fn target_at<P: AsRef<str>>(&self, path: impl FnOnce(&str) -> P) -> Result<T>
    where
        T: DeserializeOwned,
    {
        block_on(self.inner.target_at(path))
    }
}

impl<T, M> Clone for Completed<T, M> {
    fn clone(&self) -> Self {
        Completed { inner: self.inner.clone() }
    }
}

impl<T, M> fmt::Debug for Completed<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
