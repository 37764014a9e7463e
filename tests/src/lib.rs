//! What the suites of this workspace share: a simulator of Microsoft Graph's long-running
//! operations, the machines of the protocol and the readers driven by arbitrary bytes, and an
//! author's error type.

pub mod documents;
pub mod machine;
pub mod set;
pub mod simulator;
pub mod wrapped;

/// The README's programs compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
