//! The trait through which a library's author sends requests.

use std::fmt::Display;
use std::future::{Future, ready};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use serde::Serialize;

use crate::error::{BoxError, Error, Result};
use crate::url;

/// A client of Microsoft Graph: how starting requests and checks are sent.
///
/// A handle keeps a clone of the client and calls it for every request, so it does no harm if a
/// token expires during the wait. `send` only gets requests to the service root's scheme, host and
/// port, whatever the service says, so it can add the token to each of them.
///
/// **Your HTTP client must not follow redirects** (with reqwest, `redirect::Policy::none()`): a
/// redirect that it follows could take the token to another host.
///
/// ```
/// use bytes::Bytes;
/// use graph_operation::{Client, Result};
/// use http::{HeaderValue, Request, Response, Uri, header::AUTHORIZATION};
///
/// #[derive(Clone)]
/// struct Graph {
///     service_root: Uri, // https://graph.microsoft.com/v1.0
///     // … and an HTTP client
/// }
///
/// # impl Graph {
/// #     async fn bearer(&self) -> graph_operation::Result<HeaderValue> { unimplemented!() }
/// #     async fn execute(&self, _: Request<Bytes>) -> graph_operation::Result<Response<Bytes>> { unimplemented!() }
/// # }
/// impl Client for Graph {
///     type Error = graph_operation::Error;
///
///     fn service_root(&self) -> &Uri {
///         &self.service_root
///     }
///
///     async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
///         request.headers_mut().insert(AUTHORIZATION, self.bearer().await?);
///         self.execute(request).await // such as graph_operation::reqwest::send
///     }
/// #   #[cfg(not(feature = "tokio"))]
/// #   async fn sleep(&self, _: std::time::Duration) {}
/// }
/// ```
///
/// Cloning should be cheap, as it is for HTTP clients and for anything in an [`Arc`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot send the requests of an operation: it does not implement `graph_operation::Client`",
    label = "does not implement `graph_operation::Client`",
    note = "implement `graph_operation::Client` for `{Self}`, or name another client: `#[async_operation(client = self.client)]`"
)]
pub trait Client: Clone + Send + Sync + 'static {
    /// The error of sending a request: [`Error`](crate::Error), or any type that converts to a
    /// boxed error.
    ///
    /// If an [`Error`](crate::Error) is among its sources, such as one of an adapter, the library
    /// acts on that one: whether the request was sent, and whether a retry may help. A wrapper
    /// hides it by returning the source of the error inside as its own, as `anyhow::Error` without
    /// a context and thiserror's `transparent` do. A failed connection of reqwest or ureq is
    /// recognized even then.
    type Error: Into<BoxError>;

    /// The service root: scheme, host, port and version, such as
    /// `https://graph.microsoft.com/v1.0`.
    fn service_root(&self) -> &Uri;

    /// Sends one request and reads its response, error responses included.
    ///
    /// Return an error response as a response: with reqwest, do not call `error_for_status`, which
    /// loses its body, its id and its `Retry-After`. Limit the size of the body, limit the duration
    /// of the request to what [`TimeLeft::of`](crate::TimeLeft::of) returns, and send
    /// `Content-Length: 0` with an empty body, which Graph requires of a POST; the adapters do all
    /// three. The handle abandons the request at the operation's deadline, or a little later if
    /// it was sent near the deadline: see [`Polling::timeout`](crate::Polling::timeout) and
    /// [`time_limit`](Self::time_limit).
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, Self::Error>> + Send;

    /// Sends one request to a host other than the service root's, **without a credential**, and
    /// reads its response. Do not follow redirects.
    ///
    /// The monitor of a drive item copy is on another host. Its address is the credential, and the
    /// monitor rejects any other. See [`Monitor::Anonymous`](crate::Monitor::Anonymous). The error
    /// type is always [`Error`], not [`Self::Error`].
    ///
    /// # Errors
    ///
    /// Returns an error if there is no response. The provided method always does.
    fn send_anonymous(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>>> + Send {
        drop(request);
        ready(Err(anonymous_not_implemented()))
    }

    /// Renews the credential after a 401, and returns whether there is a new one.
    ///
    /// Called at most once for a check, a start or a target that gets a 401; it can be called again
    /// once another response has come or the error has been returned. If it returns `true`, the
    /// request is retried at once. If it returns `false`, as the provided method does, the 401 is
    /// final. A claims challenge is in the response's `WWW-Authenticate`. The call counts towards
    /// the request's time limit, and many operations may call it at the same time: renew the
    /// credential once for all of them.
    fn unauthorized(&self, response: &Response<Bytes>) -> impl Future<Output = bool> + Send {
        let _ = response;
        ready(false)
    }

    /// Sleeps. A sleep that has finished counts in full, however long it really took: a client
    /// whose sleeps return at once polls at full speed.
    ///
    /// The provided method uses tokio's timer, and follows its paused clock.
    ///
    /// # Panics
    ///
    /// The provided method panics outside of a tokio runtime, and in one whose timer is not
    /// enabled.
    #[cfg(feature = "tokio")]
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(duration)
    }

    /// Sleeps. A sleep that has finished counts in full, however long it really took: a client
    /// whose sleeps return at once polls at full speed.
    #[cfg(not(feature = "tokio"))]
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// Completes when a request has to be abandoned, `duration` from now. The provided method calls
    /// [`sleep`](Self::sleep).
    ///
    /// It is polled only after a [`send`](Self::send) has pended, and the request is abandoned only
    /// if [`now`](Self::now) has advanced as well. A client whose sleeps advance its own clock
    /// returns a future that never completes.
    fn time_limit(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.sleep(duration)
    }

    /// The current instant, by tokio's clock with the feature `tokio`, and otherwise by std's.
    fn now(&self) -> Instant {
        #[cfg(feature = "tokio")]
        return tokio::time::Instant::now().into_std();
        #[cfg(not(feature = "tokio"))]
        Instant::now()
    }

    /// The current time of the wall clock, which resume tokens contain. The provided method uses
    /// std's.
    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Whether a retry may help after this error. The provided method returns `true`. Return
    /// `false` for an error such as a missing credential, and the wait ends.
    fn is_transient(&self, error: &Self::Error) -> bool {
        let _ = error;
        true
    }

    /// Random bits for the jitter, which spreads operations that were started together.
    fn random(&self) -> u64 {
        random()
    }

    /// A request to the path that these segments form below the service root, with
    /// `Accept: application/json`.
    ///
    /// Each segment is percent-encoded as one path segment, so no id can add, remove or escape one.
    /// `$ref` and `delta` are segments too; what they mean is up to the service.
    ///
    /// ```
    /// # fn example(graph: impl graph_operation::Client, team_id: &str) -> graph_operation::Result<()> {
    /// let request = graph.request(http::Method::POST, ["teams", team_id, "archive"])?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// The URL of the path that these segments form below the service root, encoded as in
    /// [`request`](Self::request).
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

    /// The URL of a literal path below the service root, joined with one slash.
    ///
    /// **It encodes nothing.** An argument in it could lead to any path of the service; use
    /// [`url_of`](Self::url_of) for arguments.
    ///
    /// ```
    /// # fn example(graph: impl graph_operation::Client) {
    /// let url = graph.url("me/joinedTeams?$select=id");
    /// # }
    /// ```
    fn url(&self, path: impl Display) -> String {
        url::join(self.service_root(), path)
    }
}

/// A new seed each time, from the source of randomness of std's hash maps.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(())
}

pub(crate) fn anonymous_not_implemented() -> Error {
    Error::transport(
        "the operation is monitored on another host: implement `Client::send_anonymous`, \
         which sends a request without a credential",
    )
    .with_retryable(false)
}

/// Forwards every method of a client to the one inside.
macro_rules! forward_client {
    ($pointer:ident) => {
        impl<C: Client> Client for $pointer<C> {
            type Error = C::Error;

            fn service_root(&self) -> &Uri {
                C::service_root(self)
            }

            fn send(
                &self,
                request: Request<Bytes>,
            ) -> impl Future<Output = Result<Response<Bytes>, Self::Error>> + Send {
                C::send(self, request)
            }

            fn send_anonymous(
                &self,
                request: Request<Bytes>,
            ) -> impl Future<Output = Result<Response<Bytes>>> + Send {
                C::send_anonymous(self, request)
            }

            fn unauthorized(
                &self,
                response: &Response<Bytes>,
            ) -> impl Future<Output = bool> + Send {
                C::unauthorized(self, response)
            }

            fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
                C::sleep(self, duration)
            }

            fn time_limit(&self, duration: Duration) -> impl Future<Output = ()> + Send {
                C::time_limit(self, duration)
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
