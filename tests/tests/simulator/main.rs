//! The simulator, seen through raw HTTP: what it says byte by byte is what the suites rely on.

mod dialect;
mod faults;
mod http;
mod lives;
mod process;
