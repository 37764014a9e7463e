//! A worker of a durable engine: the engine owns the sleep and the restart, and the library's machine
//! is the step.

mod graph;
mod steps;
mod worker;

pub use graph::Graph;
pub use steps::{Asked, Clock, Journal, ask};
pub use worker::{Kept, Operation, Pace, Status, start, wake};
