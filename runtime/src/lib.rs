//! Handles for Microsoft Graph's long-running operations.
//!
//! Graph answers long requests (create, clone or archive a team, create a shared channel) with
//! `202 Accepted` and a `Location` header that names a [`teamsAsyncOperation`][resource]. The caller
//! has to read that, more than 30 seconds apart, until its status says that it has ended, and then
//! finds the result at the operation's opaque `targetResourceLocation`. This crate does all of that.
//!
//! # For callers
//!
//! A function of a client library that starts such an operation returns an [`Operation`]. Awaiting it
//! waits for the end; the rest is there for those who need more:
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
//! let done: Completed = graph.archive_team("…").await?.await?; // started, then ended
//! let team = done.target().await?; // read at the opaque location, patiently
//!
//! let mut operation = graph.archive_team("…").await?;
//! operation.wait_with(|update| println!("{:?} after {:?}", update.state(), update.waited())).await?;
//!
//! let token: Option<ResumeToken> = operation.resume_token(); // for another process
//! let operation = Operation::resume(client, token.unwrap())?;
//! # Ok(())
//! # }
//! ```
//!
//! Thousands at once are an [`OperationSet`]'s. An [`Error`] says why something failed, and
//! [`Error::resume_token`] names the operation where it is still alive.
//!
//! # For the author of a client library
//!
//! Write the function that makes the request, and annotate it with
//! [`#[async_operation]`](macro@async_operation). Say once, with [`Client`](trait@Client), how to send
//! a request:
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
//!         request.headers_mut().insert(AUTHORIZATION, self.bearer().await?); // each time: tokens expire
//!         graph_operation::reqwest::send(&self.http, request).await
//!     }
//! }
//!
//! impl Graph {
//!     /// Archives a team. To archive it twice does no harm.
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
//! | [Starting](docs::starting) | is the start repeated, what if I drop it, what does each answer mean, how does another process go on |
//! | [Errors and what to do](docs::errors) | which error comes from where, which carry a token, what on 401, what is worth a retry |
//! | [Many operations](docs::many) | how are thousands started and checked, how is the rate kept |
//! | [Testing](docs::testing) | how are annotated functions tested without a network |
//! | [Other families](docs::families) | which operations are there besides those of Teams, how is one added |
//! | [Driving the protocol yourself](docs::driving) | how does a durable engine drive the machines of [`protocol`], what stands in its journal, what can it not promise |
//!
//! # What is repeated
//!
//! - **The start**, if the function returns its request: 429, 503 and 509, and what surely never left.
//!   With `idempotent` also what may have been carried out. A dropped start may have been carried out.
//! - **The checks**: broken connections, throttling, a service that is down, a proxy's page in place of
//!   JSON; ten in a row, by [`Polling`].
//! - **The target**: 404 and the same faults, within [`Polling::target_patience`].
//! - **401** asks [`Client::unauthorized`] once for a new credential. As provided, it is final.
//!
//! # What never happens
//!
//! - No request that [`Client::send`] gets, and so no token, goes to another origin than the service
//!   root's.
//! - No check comes sooner than the policy or a `Retry-After` allows, but for the last one before the
//!   deadline, and one that [`Operation::poll`] asks for.
//! - No dropped future of a handle loses a response: the request stays with the handle.
//! - No `error` property is taken for the end: the body's status alone decides. A copy's monitor may
//!   end with a 303.
//!
//! # Features
//!
//! | feature | default | |
//! |---|---|---|
//! | `macros` | yes | the attribute |
//! | `tokio` | yes | [`Client::sleep`] and [`Client::now`] on tokio's clock; without it `sleep` has to be written |
//! | `reqwest` | | [`Response`](trait@Response) for reqwest 0.13, and [`reqwest::send`](https://docs.rs/graph-operation/latest/graph_operation/reqwest/) |
//! | `blocking` | | [`blocking`](https://docs.rs/graph-operation/latest/graph_operation/blocking/), for programs without an executor |
//! | `ureq` | | the same for ureq 3 |
//! | `reqwest-blocking` | | the same for reqwest's blocking client |
//! | `http-body` | | collects any `http_body::Body`, for every other HTTP client |
//! | `tracing` | | a span for each operation, events for its checks and retries |
//! | `families` | | models of Graph's other families of operations |
//! | `testing` | | a scripted client with a virtual clock, for the tests of annotated functions |
//!
//! [resource]: https://learn.microsoft.com/graph/api/resources/teamsasyncoperation
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
#[path = "macro_support.rs"]
pub mod __private;
mod adapters;
#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "blocking")]
mod blocking_set;
mod client;
mod completed;
/// Longer explanations: a page for each question.
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
mod line;
mod model;
mod operation;
mod printable;
pub mod protocol;
mod rate_limit;
mod response;
mod resume_token;
mod set;
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
