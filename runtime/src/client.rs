//! What a library's author brings: the client that sends, and the answer of the request.

use std::fmt::Display;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Uri};

use crate::protocol::Answer;
use crate::{BoxError, Result};

/// A client of Microsoft Graph: how an operation's checks are sent.
///
/// A handle keeps a clone of the client and asks it for each check, so that a token that expires
/// during the wait is no matter. `send` gets requests to the service root's own scheme, host and
/// port and to no other place, whatever the service says, so it may add its token without looking.
///
/// **Your HTTP client must not follow redirects** (with reqwest,
/// `redirect::Policy::none()`): only it could carry a token elsewhere.
///
/// ```
/// use bytes::Bytes;
/// use graph_operation::Client;
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
///     async fn send(&self, mut request: Request<Bytes>) -> graph_operation::Result<Response<Bytes>> {
///         request.headers_mut().insert(AUTHORIZATION, self.bearer().await?);
///         self.execute(request).await // with reqwest: graph_operation::reqwest::send(&self.http, request)
///     }
/// #   #[cfg(not(feature = "tokio"))]
/// #   async fn sleep(&self, _: std::time::Duration) {}
/// }
/// ```
///
/// Cloning should be cheap, as it is for HTTP clients and for anything in an [`Arc`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot send the checks of an operation: it is no `graph_operation::Client`",
    label = "does not implement `graph_operation::Client`",
    note = "implement `graph_operation::Client` for `{Self}`, or name another client: `#[async_operation(client = self.client)]`"
)]
pub trait Client: Clone + Send + Sync + 'static {
    /// What goes wrong in sending: [`Error`](crate::Error), or anything that boxes as an error.
    type Error: Into<BoxError>;

    /// The service root: scheme, host, port and version, such as
    /// `https://graph.microsoft.com/v1.0`.
    fn service_root(&self) -> &Uri;

    /// Sends one request and reads its answer, error answers included.
    ///
    /// Limit the body that is read, and the time that it takes, which
    /// [`TimeLeft::of`](crate::TimeLeft::of) tells: **the deadline of an operation binds an answer
    /// that never comes only if `send` does.** The adapters do both.
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<http::Response<Bytes>, Self::Error>> + Send;

    /// Sleeps. A sleep that has finished counts as slept, however long it really took, so one that
    /// returns at once polls through at full speed.
    ///
    /// Provided by tokio's timer, and so by its paused clock.
    ///
    /// # Panics
    ///
    /// As provided, outside of a tokio runtime, and inside of one whose timer is not enabled.
    #[cfg(feature = "tokio")]
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(duration)
    }

    /// Sleeps. A sleep that has finished counts as slept, however long it really took, so one that
    /// returns at once polls through at full speed.
    #[cfg(not(feature = "tokio"))]
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// The present instant. Provided by tokio's clock with the feature `tokio`, else by std's.
    fn now(&self) -> Instant {
        #[cfg(feature = "tokio")]
        return tokio::time::Instant::now().into_std();
        #[cfg(not(feature = "tokio"))]
        Instant::now()
    }

    /// Whether another try may help after this error. Provided as `true`; a client whose
    /// credential is wrong says `false`, and the wait ends.
    fn is_transient(&self, error: &Self::Error) -> bool {
        let _ = error;
        true
    }

    /// Random bits that keep operations which were started together from being checked together.
    fn random(&self) -> u64 {
        random()
    }

    /// The URL of a path below the service root, joined with one slash.
    ///
    /// In an `async fn`, in a statement without an await: what `format_args!` gives cannot be sent
    /// between threads.
    ///
    /// ```
    /// # fn example(graph: impl graph_operation::Client, team_id: &str) {
    /// let url = graph.url(format_args!("teams/{team_id}/archive"));
    /// # }
    /// ```
    fn url(&self, path: impl Display) -> String {
        join(self.service_root(), path)
    }
}

/// A new seed each time, from the randomness that std's hash maps have.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(())
}

pub(crate) fn join(root: &Uri, path: impl Display) -> String {
    let origin = match (root.scheme(), root.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => String::new(),
    };
    let path = path.to_string();
    format!("{origin}{}/{}", root.path().trim_end_matches('/'), path.trim_start_matches('/'))
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
            ) -> impl Future<Output = Result<http::Response<Bytes>, Self::Error>> + Send {
                C::send(self, request)
            }

            fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
                C::sleep(self, duration)
            }

            fn now(&self) -> Instant {
                C::now(self)
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

/// What a request function returns: the answer to the request that starts an operation.
///
/// Implemented for `http::Response` with a body of `Bytes`, `Vec<u8>`, `String` or `()`, and for
/// `reqwest::Response` with the feature `reqwest`. For the response of another HTTP client:
///
/// ```
/// use bytes::Bytes;
/// use graph_operation::{Response, protocol::Answer};
///
/// struct OtherResponse {
///     status: http::StatusCode,
///     headers: http::HeaderMap,
///     text: String,
/// }
///
/// impl Response for OtherResponse {
///     async fn into_answer(self) -> graph_operation::Result<Answer> {
///         let mut answer = http::Response::new(Bytes::from(self.text));
///         *answer.status_mut() = self.status;
///         *answer.headers_mut() = self.headers;
///         Ok(Answer::from(answer)) // and .with_url(…) where it is known
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the answer to a request: it is no `graph_operation::Response`",
    label = "does not implement `graph_operation::Response`",
    note = "return the HTTP response itself from the function, such as `http::Response<Bytes>` or, with the feature `reqwest`, `reqwest::Response`",
    note = "for the response type of another HTTP client, implement `graph_operation::Response`"
)]
pub trait Response {
    /// Reads the answer. Limit the body that is read: an answer to a starting request is small.
    fn into_answer(self) -> impl Future<Output = Result<Answer>> + Send;
}

/// Implements a response trait for the bodies that are there at once.
macro_rules! ready_responses {
    ($trait:ident, $($async:ident)?) => {
        /// As it is.
        impl $trait for crate::protocol::Answer {
            $($async)? fn into_answer(self) -> crate::Result<crate::protocol::Answer> {
                Ok(self)
            }
        }

        ready_responses!(@ $trait, [$($async)?], bytes::Bytes, |body| body);
        ready_responses!(@ $trait, [$($async)?], Vec<u8>, bytes::Bytes::from);
        ready_responses!(@ $trait, [$($async)?], String, bytes::Bytes::from);
        ready_responses!(@ $trait, [$($async)?], (), |()| bytes::Bytes::new());
    };
    (@ $trait:ident, [$($async:ident)?], $body:ty, $into:expr) => {
        impl $trait for http::Response<$body> {
            $($async)? fn into_answer(self) -> crate::Result<crate::protocol::Answer> {
                Ok(crate::protocol::Answer::from(self.map($into)))
            }
        }
    };
}

#[cfg(feature = "blocking")]
pub(crate) use ready_responses;

ready_responses!(Response, async);
