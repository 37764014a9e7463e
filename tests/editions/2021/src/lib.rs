//! A user of edition 2021.
