//! The protocol without I/O or a clock.
//!
//! All decisions are made here: which responses accept a request, where the operation is found,
//! when to check it, what a response means, which faults are retried, when to stop. The handles
//! ([`Operation`](crate::Operation) and the blocking one) only send and sleep. Another driver,
//! such as a workflow engine, does the same:
//!
//! 1. [`Start`] sends the starting request, or [`accept`] reads the response to one that was sent.
//! 2. [`Poller`] follows the operation.
//! 3. [`Target`] reads the result.
//!
//! All three have the methods of a [`Machine`], whose page has the diagram:
//!
//! ```
//! use std::time::{Duration, Instant};
//! use graph_operation::{State, TeamsAsyncOperation};
//! use graph_operation::protocol::{Accepted, Answer, Event, Poller, Reason, Step, accept};
//!
//! # fn main() -> graph_operation::Result<()> {
//! let root = "https://graph.microsoft.com/v1.0".parse().unwrap();
//! let response = http::Response::builder()
//!     .status(202)
//!     .header("Location", "/teams('1')/operations('2')")
//!     .body(bytes::Bytes::new())
//!     .unwrap();
//! let accepted = accept(&root, Answer::from(response))?;
//!
//! let mut now = Instant::now();
//! let mut poller = Poller::new::<TeamsAsyncOperation>(accepted, Default::default(), now, 7);
//! let Step::Wait(pause, Reason::FirstCheck) = poller.next(now) else { unreachable!() };
//! assert!(pause >= Duration::from_secs(5));
//!
//! now += pause;
//! let Step::Send(check) = poller.next(now) else { unreachable!() };
//! let request = check.request(); // records that it was sent
//! assert_eq!(request.uri(), "https://graph.microsoft.com/v1.0/teams('1')/operations('2')");
//!
//! let response = http::Response::new(bytes::Bytes::from(r#"{"id":"2","status":"succeeded"}"#));
//! assert!(matches!(poller.received(response, now), Event::Received(())));
//! assert_eq!(poller.state(), State::Succeeded);
//! assert!(matches!(poller.next(now), Step::Done(Ok(()))));
//! # Ok(())
//! # }
//! ```
//!
//! Internally, time is a duration since the start, so [`Poller::save`] returns plain data at any
//! step, and [`Poller::restore`] continues from it, even in another process.

mod accept;
mod answer;
mod attempts;
mod backoff;
pub(crate) mod base64;
mod batch;
mod clock;
mod elapsed;
mod fault;
pub(crate) mod location;
mod machine;
mod poller;
pub(crate) mod polling;
mod rate;
mod recorded;
mod recovery;
mod request;
pub(crate) mod retry_after;
mod saved;
mod set;
mod start;
mod step;
mod target;

pub use accept::{Accepted, Started, accept};
pub(crate) use accept::{Origin, accept_from};
pub use answer::Answer;
pub(crate) use location::resolve_at;
pub use location::{resolve, same_origin};
pub use poller::Poller;
pub(crate) use poller::Subject;
pub use polling::Polling;
pub(crate) use rate::Admitted;
pub use rate::RateLimit;
pub use recorded::Recorded;
pub use request::TimeLeft;
pub use saved::Saved;
pub(crate) use saved::located;
pub use set::{Counts, Dispatch, Envelope, Received, Report, SavedSet, Set, SetStep, Ticket};
pub use start::Start;
pub(crate) use step::Sent;
pub use step::{Check, Event, Machine, Reason, Step};
pub use target::Target;
