//! The simulator, seen through raw HTTP: what it says byte by byte is what the suites rely on.

mod batch;
mod control;
mod copies;
mod dialect;
mod families;
mod faults;
mod http;
mod lives;
mod process;
mod rate;
mod reach;
mod resources;
