//! Requests to send, and how long they may take.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, HeaderName, Method, Request, Uri};

use super::elapsed::Elapsed;

/// The time that a request may take: an extension of each request that is sent while a deadline is
/// near.
///
/// The adapters obey it; a `send` that calls one of them need not read it.
///
/// ```
/// use graph_operation::TimeLeft;
///
/// # let request = http::Request::new(());
/// let timeout = TimeLeft::of(&request); // what is left, or 100 seconds
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeLeft(pub Duration);

impl TimeLeft {
    /// The time limit of a request if no deadline is nearer, the same as in Graph's own SDKs.
    ///
    /// A check that gets no response is abandoned after this time and retried, instead of blocking
    /// the caller until the deadline.
    pub const DEFAULT: TimeLeft = TimeLeft(Duration::from_secs(100));

    /// The value of the extension of `request`, or [`TimeLeft::DEFAULT`].
    pub fn of<B>(request: &Request<B>) -> Duration {
        request.extensions().get().copied().unwrap_or(TimeLeft::DEFAULT).0
    }
}

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What every GET accepts.
pub(super) const APPLICATION_JSON: &str = "application/json";

/// What every GET prefers: without it, the service replaces every member that was added to an
/// enumeration later with `unknownFutureValue`.
///
/// Source: <https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations>
pub(super) const INCLUDE_UNKNOWN_MEMBERS: &str = "include-unknown-enum-members";

/// The headers of every GET. Cloning them is cheaper than hashing their names.
static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    let json = (ACCEPT, HeaderValue::from_static(APPLICATION_JSON));
    let unknown_members = (PREFER, HeaderValue::from_static(INCLUDE_UNKNOWN_MEMBERS));
    HeaderMap::from_iter([json, unknown_members])
});

/// A request to send.
#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    Get {
        uri: Uri,
        /// Whether it goes to another host than the service root's, without a credential.
        anonymous: bool,
    },
    /// A starting request, which may be sent more than once.
    Start(Arc<Request<Bytes>>),
    /// A request that a set has built.
    Built { request: Box<Request<Bytes>>, anonymous: bool },
}

impl Outgoing {
    pub(super) fn is_anonymous(&self) -> bool {
        matches!(
            self,
            Outgoing::Get { anonymous: true, .. } | Outgoing::Built { anonymous: true, .. }
        )
    }

    pub(super) fn into_uri(self) -> Uri {
        match self {
            Outgoing::Get { uri, .. } => uri,
            Outgoing::Start(request) => request.uri().clone(),
            Outgoing::Built { request, .. } => request.uri().clone(),
        }
    }

    pub(super) fn into_request(self, time_left: Option<Elapsed>) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        match self {
            Outgoing::Get { uri, .. } => {
                *request.method_mut() = Method::GET;
                *request.uri_mut() = uri;
                *request.headers_mut() = HEADERS.clone();
            }
            Outgoing::Start(start) => request = Request::clone(&start),
            Outgoing::Built { request: built, .. } => request = *built,
        }
        limit(&mut request, time_left.map(Duration::from));
        request
    }
}

/// Adds the time that the request may take. An extension costs three allocations, so one that would
/// only repeat the default is left out.
pub(super) fn limit(request: &mut Request<Bytes>, time_left: Option<Duration>) {
    if let Some(left) = time_left.filter(|&left| left < TimeLeft::DEFAULT.0) {
        request.extensions_mut().insert(TimeLeft(left));
    }
}
