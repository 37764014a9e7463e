//! A user of edition 2018.
