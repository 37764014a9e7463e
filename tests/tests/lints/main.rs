//! What lints say of annotated functions.

pub mod forbidden;
mod twins;
