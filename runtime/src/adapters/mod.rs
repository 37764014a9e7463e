//! Adapters for HTTP clients.

#[cfg(any(feature = "reqwest", feature = "ureq", feature = "http-body"))]
mod body;
#[cfg(feature = "http-body")]
pub mod http_body;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "reqwest-blocking")]
mod reqwest_blocking;
#[cfg(feature = "ureq")]
pub mod ureq;
