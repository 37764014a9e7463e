//! Sets of operations, by the scripted client in virtual time.

#![allow(missing_docs)]

mod driving;
