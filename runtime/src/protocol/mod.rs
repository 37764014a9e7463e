//! The protocol without input, output or clock.
//!
//! Every decision stands here once: which answers accept a request, where the operation is found,
//! when to check it, what an answer means, which fault is worth another try, when to stop. The
//! handles ([`Operation`](crate::Operation) and its blocking twin) only send and sleep; a driver of another kind, such as a workflow engine, does the same:
//!
//! 1. [`accept`] reads the answer to the starting request.
//! 2. [`Poller::next`] says what to do at a given instant: wait, send, or stop.
//! 3. [`Poller::request`] is what to send; [`Poller::sent`] notes that it was.
//! 4. [`Poller::received`] or [`Poller::failed`] take what came of it.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use graph_operation::{State, TeamsAsyncOperation};
//! use graph_operation::protocol::{Accepted, Answer, Poller, Step, accept};
//!
//! # fn main() -> graph_operation::Result<()> {
//! let root = "https://graph.microsoft.com/v1.0".parse().unwrap();
//! let answer = http::Response::builder()
//!     .status(202)
//!     .header("Location", "/teams('1')/operations('2')")
//!     .body(bytes::Bytes::new())
//!     .unwrap();
//! let Accepted::Started(started) = accept(&root, Answer::from(answer))? else { unreachable!() };
//!
//! let mut now = Instant::now();
//! let mut poller = Poller::new::<TeamsAsyncOperation>(started, Default::default(), now, 7);
//! let Step::Wait(pause) = poller.next(now) else { unreachable!() };
//! assert!(pause >= Duration::from_secs(5));
//!
//! now += pause;
//! assert!(matches!(poller.next(now), Step::Send));
//! let request = poller.request(now);
//! assert_eq!(request.uri(), "https://graph.microsoft.com/v1.0/teams('1')/operations('2')");
//! poller.sent(now);
//!
//! let answer = http::Response::new(bytes::Bytes::from(r#"{"id":"2","status":"succeeded"}"#));
//! poller.received(answer, now).unwrap();
//! assert_eq!(poller.state(), State::Succeeded);
//! assert!(matches!(poller.next(now), Step::Done));
//! # Ok(())
//! # }
//! ```

mod accept;
pub(crate) mod location;
mod poller;
mod polling;
pub(crate) mod retry_after;
mod target;

pub use accept::{Accepted, Answer, Started, accept};
pub use location::{resolve, same_origin};
pub use poller::{Fault, Poller, Step};
pub use polling::Polling;
pub(crate) use target::{TargetReader, TargetStep};

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderName, Method, Request, Uri};

/// The time that a request may take: an extension of each request that a handle sends while its
/// deadline is near.
///
/// An author's `send` need not look at it where it goes through one of the adapters, which obey it.
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
    /// What a request may take where no deadline is nearer, as long as Graph's own SDKs wait.
    ///
    /// A check that the service never answers is thereby given up and made again, in place of
    /// keeping the caller until the deadline.
    pub const DEFAULT: TimeLeft = TimeLeft(Duration::from_secs(100));

    /// What the extension of `request` says, or [`TimeLeft::DEFAULT`].
    pub fn of<B>(request: &Request<B>) -> Duration {
        request.extensions().get().copied().unwrap_or(TimeLeft::DEFAULT).0
    }
}

/// The time that the last request before a limit may take: some it needs too.
fn last_request(limit: Duration) -> Duration {
    (limit / 10).clamp(Duration::from_secs(1), Duration::from_secs(10))
}

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A request that is still to be made: while an operation waits, this is all that is kept of it.
pub(crate) struct Get {
    uri: Arc<Uri>,
    time_left: Option<Duration>,
}

impl Get {
    pub(crate) fn into_request(self) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = Uri::clone(&self.uri);
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // Without it, members of an enumeration that came later are all delivered as one.
        // https://learn.microsoft.com/graph/best-practices-concept#handling-future-members-in-evolvable-enumerations
        headers.insert(PREFER, HeaderValue::from_static("include-unknown-enum-members"));
        // An extension costs three allocations, so one that would only repeat the default is left
        // out.
        if let Some(time_left) = self.time_left.filter(|&left| left < TimeLeft::DEFAULT.0) {
            request.extensions_mut().insert(TimeLeft(time_left));
        }
        request
    }
}
