//! What the benchmarks measure with: allocations, CPU time, instructions, tables.

pub mod allocations;
pub mod cpu;
pub mod futures;
pub mod table;

use tokio::runtime::{Builder, Runtime};

/// Sets up a program: turns off backtraces, which would make errors slow, and returns a runtime
/// with a timer in this thread.
///
/// # Panics
///
/// Panics if the runtime cannot be created.
#[must_use]
pub fn runtime() -> Runtime {
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value != "0") {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("RUST_BACKTRACE", "0") };
    }
    Builder::new_current_thread().enable_time().build().expect("a runtime without input and output")
}
