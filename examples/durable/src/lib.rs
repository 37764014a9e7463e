//! A worker for a durable engine: the engine sleeps and restarts, and each step drives one of the
//! library's machines.

mod engine;
mod operation;
mod steps;
mod task;
mod tenant;

pub use operation::{Kept, Operation, Status, finish, start, wake};
pub use steps::{Asked, Clock, Journal, ask};
pub use task::{Outcome, Submission, Task};
pub use tenant::{KeptSet, Tenant, Turn, add, turn};
