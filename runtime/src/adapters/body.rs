//! What every adapter does with a response: it limits the body, and refuses a response from another
//! origin.

#[cfg(any(feature = "reqwest-blocking", feature = "ureq"))]
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
#[cfg(feature = "reqwest")]
use http::Uri;
#[cfg(any(feature = "reqwest", feature = "ureq"))]
use http::{HeaderValue, Method, Request, header::CONTENT_LENGTH};

#[cfg(feature = "reqwest")]
use crate::protocol::location;
use crate::{Error, ErrorKind};

/// The largest body that is read. Graph's responses to checks are a few kilobytes, and targets less
/// than a megabyte; without a limit, a server that never stops sending would fill the memory.
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

/// Sets the length of an empty body, if requests with this method usually have a body: HTTP clients
/// omit it, and Graph then responds with 411.
#[cfg(any(feature = "reqwest", feature = "ureq"))]
pub(crate) fn announce_length(request: &mut Request<Bytes>) {
    let has_bodies = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    if has_bodies && request.body().is_empty() {
        request.headers_mut().entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::Decode, format!("the response is larger than {} MiB", LIMIT >> 20))
}

pub(crate) fn took_too_long() -> Error {
    Error::transport("the body of the response took too long")
}

/// Returns an error if the response to a request for `asked` came from another origin, because the
/// HTTP client followed a redirect.
#[cfg(feature = "reqwest")]
pub(crate) fn check_origin(asked: &Uri, answered: &str) -> Result<(), Error> {
    match answered.parse() {
        Ok(answered) if location::same_origin(asked, &answered) => Ok(()),
        _ => Err(location::foreign_response(asked, answered)),
    }
}

/// How long to wait for the body of a 202: nearly all that matters is in its headers.
const PATIENCE_WITH_ACCEPTED: Duration = Duration::from_secs(5);

/// How much of the time that is left may be spent on reading the body of a response.
pub(crate) fn time_for_body(status: StatusCode, time: Duration) -> Duration {
    match status {
        StatusCode::ACCEPTED => time.min(PATIENCE_WITH_ACCEPTED),
        _ => time,
    }
}

/// Whether a body can be used. The part of a 202's body that was received always can: an operation
/// may be running, and a fault in the body must not lose it. So can that of an error response,
/// whose status says whether the request is retried.
pub(crate) fn usable(status: StatusCode, outcome: Result<(), Error>) -> Result<(), Error> {
    let by_status =
        status == StatusCode::ACCEPTED || status.is_client_error() || status.is_server_error();
    if by_status { Ok(()) } else { outcome }
}

/// Reads a body for at most this long, however slowly it arrives.
#[cfg(any(feature = "reqwest-blocking", feature = "ureq"))]
pub(crate) fn read_response(
    status: StatusCode,
    reader: impl std::io::Read + Send + 'static,
    time: Duration,
) -> Result<Bytes, Error> {
    let (body, outcome) = read_in_time(reader, time_for_body(status, time));
    usable(status, outcome)?;
    Ok(body)
}

/// Reads a body up to the limit, for at most this long.
///
/// A reader that blocks cannot be interrupted, so a separate thread reads it, and ends when the
/// reader does.
#[cfg(any(feature = "reqwest-blocking", feature = "ureq"))]
fn read_in_time(
    mut reader: impl std::io::Read + Send + 'static,
    limit: Duration,
) -> (Bytes, Result<(), Error>) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let read_all = move || {
        let mut chunk = [0; 8 * 1024];
        loop {
            let read = match reader.read(&mut chunk) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.map(|read| chunk.get(..read).unwrap_or_default().to_vec()),
            };
            let ended = read.as_ref().map_or(true, Vec::is_empty);
            if sender.send(read).is_err() || ended {
                return;
            }
        }
    };
    let mut body = Bounded::default();
    let outcome = match std::thread::Builder::new().spawn(read_all) {
        Ok(_) => collect_in_time(&receiver, limit, &mut body),
        Err(error) => Err(Error::transport(error)),
    };
    (body.finish(), outcome)
}

#[cfg(any(feature = "reqwest-blocking", feature = "ureq"))]
fn collect_in_time(
    chunks: &std::sync::mpsc::Receiver<std::io::Result<Vec<u8>>>,
    limit: Duration,
    body: &mut Bounded,
) -> Result<(), Error> {
    let start = std::time::Instant::now();
    loop {
        let chunk = match chunks.recv_timeout(limit.saturating_sub(start.elapsed())) {
            Ok(chunk) => chunk.map_err(Error::transport)?,
            Err(RecvTimeoutError::Timeout) => return Err(took_too_long()),
            // The reader has panicked.
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::transport("the body of the response cannot be read"));
            }
        };
        if chunk.is_empty() {
            return Ok(());
        }
        body.push(&chunk)?;
    }
}

#[cfg(all(test, any(feature = "reqwest-blocking", feature = "ureq")))]
mod tests {
    use std::io::Read;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A connection that delivers one byte, and then blocks for as long as its other end lives.
    struct Dripping(Receiver<()>, bool);

    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if std::mem::replace(&mut self.1, true) {
                let _ = self.0.recv();
                return Ok(0);
            }
            buffer[0] = b'x';
            Ok(1)
        }
    }

    fn dripping() -> (Sender<()>, Dripping) {
        let (sender, receiver) = channel();
        (sender, Dripping(receiver, false))
    }

    #[test]
    fn a_body_that_never_ends_is_abandoned() {
        let (other_end, dripping) = dripping();
        let (body, outcome) = read_in_time(dripping, Duration::from_millis(20));
        assert_eq!(body, "x");
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(format!("{error:#}").ends_with("the body of the response took too long"));
        drop(other_end);
    }

    #[test]
    fn the_body_of_a_202_gets_a_few_seconds() {
        let time = |status, seconds| time_for_body(status, Duration::from_secs(seconds)).as_secs();
        assert_eq!(time(StatusCode::ACCEPTED, 100), 5);
        assert_eq!(time(StatusCode::ACCEPTED, 2), 2);
        assert_eq!(time(StatusCode::OK, 100), 100);
    }

    #[test]
    fn the_part_of_a_202_that_arrived_is_returned() {
        for (silent, received) in [(false, "x"), (true, "")] {
            let (other_end, mut dripping) = dripping();
            dripping.1 = silent;
            let body = read_response(StatusCode::ACCEPTED, dripping, Duration::from_millis(20));
            assert_eq!(body.unwrap(), received);
            drop(other_end);
        }
    }

    #[test]
    fn a_body_that_ends_is_read_whole() {
        let text = vec![7; 20_000];
        let (body, outcome) = read_in_time(std::io::Cursor::new(text.clone()), Duration::MAX);
        assert!(outcome.is_ok() && body == text);
        let body =
            read_response(StatusCode::OK, std::io::Cursor::new(vec![0; LIMIT]), Duration::MAX)
                .unwrap();
        assert_eq!(body.len(), LIMIT);
        let error =
            read_response(StatusCode::OK, std::io::Cursor::new(vec![0; LIMIT + 1]), Duration::MAX);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Decode);
    }
}
