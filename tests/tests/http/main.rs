//! Annotated functions over real HTTP, against the simulator: every fault, the right outcome.
//!
//! The requests are real and the waits are virtual: a sleep advances the client's clock and
//! returns, so the default policy's hours pass in no time.

mod adapters;
mod blocking;
mod client;
mod families;
mod faults;
mod outcomes;
mod replay;
mod socket;
mod starts;
mod tokens;
