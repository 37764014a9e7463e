//! Responses of any client that has an `http_body::Body`.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use graph_operation::http_body::collect;
use graph_operation::testing::block_on;
use graph_operation::{ErrorKind, Operation};
use http::Response;
use http_body::{Body, Frame};

/// A body that comes in chunks, and may be cut off.
struct Chunks(VecDeque<Result<Frame<Bytes>, std::io::Error>>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(self.0.pop_front())
    }
}

fn answer(
    status: u16,
    chunks: impl IntoIterator<Item = Result<Frame<Bytes>, std::io::Error>>,
) -> Response<Chunks> {
    Response::builder()
        .status(status)
        .header("location", crate::LOCATION)
        .body(Chunks(chunks.into_iter().collect()))
        .unwrap()
}

type Chunk = Result<Frame<Bytes>, std::io::Error>;

#[expect(clippy::unnecessary_wraps, reason = "as it comes from a connection")]
fn data(text: &'static str) -> Chunk {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

fn broken() -> Chunk {
    Err(std::io::ErrorKind::ConnectionReset.into())
}

#[test]
fn chunks_are_joined_and_trailers_left_out() {
    let trailers = Ok(Frame::trailers(http::HeaderMap::new()));
    let response = answer(200, [data("{\"id\":"), data(""), data("\"1\"}"), trailers]);
    let response = block_on(collect(response)).unwrap();
    assert_eq!(response.body(), "{\"id\":\"1\"}");
    assert_eq!(response.headers()["location"], crate::LOCATION);
}

#[test]
fn a_body_that_is_cut_off_is_an_error_except_for_a_202() {
    let error = block_on(collect(answer(200, [data("{"), broken()]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);

    let response = block_on(collect(answer(202, [data("{"), broken()]))).unwrap();
    let client = graph_operation::testing::ScriptedClient::new();
    let operation = block_on(Operation::from_response(client, response)).unwrap();
    assert_eq!(operation.location().unwrap(), crate::OPERATION);
}

/// What the service refused is retried, or not, by the status alone.
#[test]
fn a_body_that_breaks_off_hides_no_refusal() {
    for status in [401, 403, 404, 429, 500, 503] {
        let mut refused = answer(status, [data("{\"error\":"), broken()]);
        refused.headers_mut().insert("request-id", "r".parse().unwrap());
        let refused = block_on(collect(refused)).unwrap();
        let client = graph_operation::testing::ScriptedClient::new();
        let error = block_on(Operation::from_response(client, refused)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert_eq!((error.status().unwrap().as_u16(), error.request_id()), (status, Some("r")));
    }
}

#[test]
fn a_body_without_an_end_is_an_error() {
    const CHUNK: &[u8] = &[b' '; 1024 * 1024];
    let chunks = || (0..1_000).map(|_| Ok(Frame::data(Bytes::from_static(CHUNK))));
    let error = block_on(collect(answer(200, chunks()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    block_on(collect(answer(202, chunks()))).unwrap();
}
