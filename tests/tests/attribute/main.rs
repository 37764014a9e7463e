//! What the attribute makes of a function, used as an author uses it.

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
