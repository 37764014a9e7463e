//! A worker of a durable engine: the engine owns the sleep and the restart, and the library's machine
//! is the step.

mod steps;
mod worker;

pub use steps::{Asked, Clock, Journal, ask};
pub use worker::{Kept, Operation, Status, start, wake};
