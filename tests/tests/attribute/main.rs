//! Annotated functions of every kind, as an author writes and uses them.

#![allow(
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    reason = "functions as authors write them, not as this project does"
)]

mod beside_others;
mod drop_order;
mod requests;
mod sendness;
mod shapes;
mod support;
mod temporaries;
