//! The client of programs without an executor.

use std::fmt::Display;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Uri};
use serde::Serialize;

use crate::client::{anonymous_not_implemented, random};
use crate::erased::{Connection, connect_blocking};
use crate::error::{BoxError, Result};
use crate::url;

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
