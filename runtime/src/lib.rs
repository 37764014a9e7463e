//! Handles for Microsoft Graph's long-running operations.
//!
//! Graph answers long requests (create, clone or archive a team, create a shared channel) with
//! `202 Accepted` and a `Location` header that names a [`teamsAsyncOperation`][resource]. The client
//! has to poll it, more than 30 seconds apart, until its status is terminal, and then reads the result
//! at the operation's opaque `targetResourceLocation`. This crate does all of that.
//!
//! # For callers
//!
//! A function that starts such an operation returns an [`Operation`]. Await it to wait until the
//! operation ends. Its methods show progress, read the result, and hand the operation over to
//! another process:
//!
//! ```no_run
//! # #[cfg(feature = "testing")]
//! # async fn example() -> graph_operation::Result<()> {
//! # use graph_operation::{Completed, Operation, ResumeToken};
//! # struct Graph;
//! # impl Graph {
//! #     async fn archive_team(&self, _: &str) -> graph_operation::Result<Operation> { unimplemented!() }
//! # }
//! # let graph = Graph;
//! # let client = graph_operation::testing::ScriptedClient::new();
//! let done: Completed = graph.archive_team("…").await?.await?; // starts it, waits for its end
//! let team = done.target().await?; // reads the result
//!
//! let mut operation = graph.archive_team("…").await?;
//! operation.wait_with(|update| println!("{:?}", update.state())).await?;
//!
//! let token: Option<ResumeToken> = operation.resume_token(); // for another process
//! let operation = Operation::resume(client, token.unwrap())?;
//! # Ok(())
//! # }
//! ```
//!
//! An [`OperationSet`] handles thousands at once. An [`Error`] says what failed, and
//! [`Error::resume_token`] names the operation if it may still be running.
//!
//! # For authors of client libraries
//!
//! Write a function that returns the request, and annotate it with
//! [`#[async_operation]`](macro@async_operation). Implement [`Client`](trait@Client) once, to send
//! requests:
//!
//! ```
//! # #[cfg(all(feature = "macros", feature = "reqwest", feature = "tokio"))]
//! # mod example {
//! use bytes::Bytes;
//! use graph_operation::{Client, Result, async_operation};
//! use http::{HeaderValue, Method, Request, Response, Uri, header::AUTHORIZATION};
//!
//! #[derive(Clone)]
//! struct Graph {
//!     http: reqwest::Client, // with redirect::Policy::none()
//!     service_root: Uri,     // https://graph.microsoft.com/v1.0
//! }
//! # impl Graph {
//! #     async fn bearer(&self) -> Result<HeaderValue> { unimplemented!() }
//! # }
//!
//! impl Client for Graph {
//!     type Error = graph_operation::Error;
//!
//!     fn service_root(&self) -> &Uri {
//!         &self.service_root
//!     }
//!
//!     async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
//!         // For every request, because a token can expire during the wait.
//!         request.headers_mut().insert(AUTHORIZATION, self.bearer().await?);
//!         graph_operation::reqwest::send(&self.http, request).await
//!     }
//! }
//!
//! impl Graph {
//!     /// Archives a team. Archiving it twice does no harm.
//!     #[async_operation(idempotent)]
//!     pub async fn archive_team(&self, team_id: &str) -> Result<Request<Bytes>> {
//!         self.request(Method::POST, ["teams", team_id, "archive"])
//!     }
//! }
//! # }
//! ```
//!
//! # Questions
//!
//! | page | answers |
//! |---|---|
//! | [Starting](docs::starting) | Is the start retried? What if I drop it? What does each response mean? How does another process continue? |
//! | [Errors](docs::errors) | Which error comes from where? Which ones carry a token? What happens on a 401? Is a retry worthwhile? |
//! | [Many operations](docs::many) | How are thousands started and checked? How is the rate limited? |
//! | [Testing](docs::testing) | How do I test annotated functions without a network? How do I run a simulator? |
//! | [Other families](docs::families) | Which operations are there besides those of Teams? How do I add one? |
//! | [Driving the protocol yourself](docs::driving) | How does a durable engine drive the machines of [`protocol`]? What goes into its journal? What can it not guarantee? |
//!
//! # What is retried
//!
//! - **The start**, if the function returns its request: after 429, 503 and 509, and after a failure
//!   before it was sent. With `idempotent`, also when it may have been carried out.
//! - **The checks**: broken connections, throttling, unavailability, and a proxy's page in place of
//!   JSON; up to ten in a row, see [`Polling`].
//! - **The target**: 404 and the same faults, within [`Polling::target_patience`].
//! - **401**: [`Client::unauthorized`] is asked once for a new credential. The provided method makes
//!   the 401 final.
//!
//! # Guarantees
//!
//! - [`Client::send`] only gets requests to the service root's origin, so no token goes elsewhere.
//! - No check comes earlier than the policy or a `Retry-After` allows, except one that
//!   [`Operation::poll`] asks for, and a retry with a renewed credential. The policy allows a last
//!   check shortly before the deadline, however little of the interval has passed.
//! - Dropping the future of a handle's method loses no response: the request stays with the handle.
//! - Only the status in the body says that an operation has ended, not its `error` property. The
//!   monitor of a copy may also end with a 303.
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `macros` | yes | the attribute |
//! | `tokio` | yes | [`Client::sleep`] and [`Client::now`] on tokio's clock; without it `sleep` is a required method |
//! | `reqwest` | | [`Response`](trait@Response) for reqwest 0.13, and [`reqwest::send`](https://docs.rs/graph-operation/latest/graph_operation/reqwest/) |
//! | `blocking` | | [`blocking`](https://docs.rs/graph-operation/latest/graph_operation/blocking/), for programs without an executor |
//! | `ureq` | | [`Response`](trait@Response) and a `send` for ureq 3; enables `blocking` |
//! | `reqwest-blocking` | | the same for reqwest's blocking client |
//! | `http-body` | | collects any `http_body::Body`, for other HTTP clients |
//! | `tracing` | | [a span](docs::errors#tracing) for each operation, and events for its checks and retries |
//! | `families` | | models of Graph's other families of operations |
//! | `testing` | | a scripted client with a virtual clock, for tests |
//!
//! [resource]: https://learn.microsoft.com/graph/api/resources/teamsasyncoperation
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
#[path = "macro_support/mod.rs"]
pub mod __private;
mod adapters;
#[cfg(any(feature = "blocking", feature = "testing"))]
mod block_on;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod completed;
/// Guides: a page for each subject.
pub mod docs {
    #[doc = include_str!("docs/starting.md")]
    pub mod starting {}

    #[doc = include_str!("docs/errors.md")]
    pub mod errors {}

    #[doc = include_str!("docs/many.md")]
    pub mod many {}

    #[doc = include_str!("docs/testing.md")]
    pub mod testing {}

    #[doc = include_str!("docs/families.md")]
    pub mod families {}

    #[doc = include_str!("docs/driving.md")]
    pub mod driving {}
}
mod erased;
mod error;
mod follower;
mod in_progress;
mod line;
mod model;
mod operation;
mod printable;
pub mod protocol;
mod rate_limit;
mod response;
mod resume_token;
mod set;
mod spans;
mod target;
#[cfg(feature = "testing")]
pub mod testing;
mod trace;
mod update;
mod url;

#[cfg(feature = "http-body")]
pub use adapters::http_body;
#[cfg(feature = "reqwest")]
pub use adapters::reqwest;
#[cfg(feature = "ureq")]
pub use adapters::ureq;
pub use client::Client;
pub use completed::Completed;
pub use error::{BoxError, Error, ErrorKind, Result};
#[cfg(feature = "macros")]
#[doc = include_str!("async_operation.md")]
pub use graph_operation_macros::async_operation;
pub use model::{
    AdditionalData, EngagementAsyncOperation, EngagementAsyncOperationType, GraphError,
    LongRunningOperationStatus, Model, Monitor, OperationError, Progress, State, Summary,
    TargetRef, TeamsAsyncOperation, TeamsAsyncOperationStatus, TeamsAsyncOperationType,
};
#[cfg(feature = "families")]
pub use model::{
    ConnectionOperation, ConnectionOperationStatus, DriveItemCopy, DriveItemCopyStatus,
    LongRunningOperation, OnenoteOperation, OnenoteOperationStatus, PrintOperation,
    PrintOperationProcessingState, PrintOperationStatus, RichLongRunningOperation,
    WorkbookOperation, WorkbookOperationStatus,
};
pub use operation::{Operation, OperationFuture, Updates};
pub use protocol::{Counts, Polling, RateLimit, TimeLeft};
pub use response::Response;
pub use resume_token::ResumeToken;
pub use set::{OperationSet, SetEvent};
pub use update::Update;
