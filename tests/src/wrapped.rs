//! An author's error type.

use std::fmt;

use graph_operation::Error;

/// An author's error that has one of the library's as its source.
#[derive(Debug)]
pub struct Wrapped(pub Error);

impl From<Error> for Wrapped {
    fn from(error: Error) -> Self {
        Wrapped(error)
    }
}

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl std::error::Error for Wrapped {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
