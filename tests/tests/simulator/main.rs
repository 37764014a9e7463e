//! The simulator, tested through raw HTTP, because the other suites rely on every byte of it.

mod batch;
mod control;
mod copies;
mod dialect;
mod families;
mod faults;
mod http;
mod lives;
mod process;
mod published;
mod rate;
mod reach;
mod resources;
