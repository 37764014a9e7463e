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

mod client;
mod completed;
mod operation;
mod response;
mod set;

pub use client::Client;
pub use completed::Completed;
pub use operation::{Operation, Updates};
pub use response::Response;
pub use set::{Next, OperationSet, SetEvent};
