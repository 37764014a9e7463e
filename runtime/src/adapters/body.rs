//! What every adapter does with an answer: bound its body, and refuse a foreign one.

use bytes::Bytes;
#[cfg(feature = "reqwest")]
use http::Uri;

#[cfg(feature = "reqwest")]
use crate::protocol::location;
use crate::{Error, ErrorKind};

/// More than this is no answer to a check: Graph's are below a few kilobytes, a target's below a
/// megabyte. A server that sends for ever is cut off here.
pub(crate) const LIMIT: usize = 4 * 1024 * 1024;

/// A body that grows chunk by chunk, up to the limit. The chunks are copied, so that a kept body
/// does not keep an HTTP client's whole buffer.
#[derive(Default)]
pub(crate) struct Bounded(Vec<u8>);

impl Bounded {
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), Error> {
        if self.0.len().saturating_add(chunk.len()) > LIMIT {
            return Err(too_large());
        }
        self.0.extend_from_slice(chunk);
        Ok(())
    }

    pub(crate) fn finish(self) -> Bytes {
        self.0.into_boxed_slice().into()
    }
}

pub(crate) fn too_large() -> Error {
    Error::new(ErrorKind::Decode, format!("the answer is larger than {LIMIT} bytes"))
}

/// Fails if the answer to a request for `asked` came from another origin, because the HTTP client
/// followed a redirect.
#[cfg(feature = "reqwest")]
pub(crate) fn check_origin(asked: &Uri, answered: &str) -> Result<(), Error> {
    match answered.parse() {
        Ok(answered) if location::same_origin(asked, &answered) => Ok(()),
        _ => Err(Error::new(
            ErrorKind::ForeignLocation,
            format!(
                "the HTTP client followed a redirect from {asked} to {answered}; \
                 configure it to follow none"
            ),
        )),
    }
}

/// Reads a body up to the limit.
#[cfg(any(feature = "reqwest-blocking", feature = "ureq"))]
pub(crate) fn read(mut reader: impl std::io::Read) -> Result<Bytes, Error> {
    let mut body = Bounded::default();
    let mut chunk = [0; 8 * 1024];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(body.finish()),
            Ok(read) => body.push(chunk.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::transport(error)),
        }
    }
}
