//! A worker of a durable engine: the engine owns the sleep and the restart, and the library's machine
//! is the step.

mod engine;
mod operation;
mod steps;
mod task;
mod tenant;

pub use operation::{Kept, Operation, Status, finish, start, wake};
pub use steps::{Asked, Clock, Journal, ask};
pub use task::{Outcome, Submission, Task};
pub use tenant::{KeptSet, Tenant, Turn, add, turn};
