//! What the suites of this workspace share: a simulator of Microsoft Graph's long-running
//! operations.

pub mod simulator;
