//! What lints say about annotated functions.

pub mod forbidden;
mod twins;
