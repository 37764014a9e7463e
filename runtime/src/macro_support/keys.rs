//! The keys of the attribute, for editors: under rust-analyzer, an expansion names the keys that
//! the author wrote, so that they can be completed and documented.
#![allow(non_upper_case_globals, reason = "they are named like the keys")]

/// The client that sends the request and the checks. The function clones it:
/// `client = self.graph`. By default, `self`.
pub const client: () = ();

/// What the operation's target deserializes to: `target = Team`. By default, `serde_json::Value`.
pub const target: () = ();

/// The family of operations: `model = EngagementAsyncOperation`. By default,
/// `TeamsAsyncOperation`.
pub const model: () = ();

/// The wait before the first check, unless the service sends one: `first_check = "5s"`.
pub const first_check: () = ();

/// The wait between two checks, unless the service sends one: `interval = "45s"`.
pub const interval: () = ();

/// The limit on the operation's total time: `timeout = "20m"`.
pub const timeout: () = ();

/// The complete policy, instead of the three durations: `polling = Polling::frequent()`.
pub const polling: () = ();

/// Retries the request that the function returns even if it may have been carried out, as after a
/// lost connection.
pub const idempotent: () = ();

/// The function that converts a `graph_operation::Error` into the function's error:
/// `map_err = MyError::from_graph`. By default, `From`.
pub const map_err: () = ();
