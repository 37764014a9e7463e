//! What each adapter's `send` bounds: the time of a request, and the origin that answers it.

use std::error::Error as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::{Error, ErrorKind, Result, TimeLeft};
use http::{Request, Response};

use crate::socket::{serve, serve_slowly};

fn get(origin: &str, time: Duration) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = origin.parse().unwrap();
    request.extensions_mut().insert(TimeLeft(time));
    request
}

type Send = fn(Request<Bytes>) -> Result<Response<Bytes>>;

fn async_reqwest(request: Request<Bytes>) -> Result<Response<Bytes>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(graph_operation::reqwest::send(&reqwest::Client::new(), request))
}

fn blocking_reqwest(request: Request<Bytes>) -> Result<Response<Bytes>> {
    graph_operation::reqwest::blocking::send(&reqwest::blocking::Client::new(), request)
}

fn ureq(request: Request<Bytes>) -> Result<Response<Bytes>> {
    graph_operation::ureq::send(&ureq::agent(), request)
}

#[test]
fn a_request_takes_no_longer_than_it_has_left() {
    let sends: [Send; 3] = [async_reqwest, blocking_reqwest, ureq];
    for send in sends {
        for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
            let (origin, server) = serve(answer);
            let begun = Instant::now();
            let outcome = send(get(&origin, Duration::from_millis(200)));
            let kind = outcome.as_ref().err().map(Error::kind);
            assert_eq!(kind, Some(ErrorKind::Transport), "{outcome:?}");
            // The provided limit is 100 s, and that of reqwest's blocking client 30 s.
            assert!(begun.elapsed() < Duration::from_secs(20));
            server.join().unwrap();
        }
    }
}

#[test]
fn a_time_that_is_up_is_not_called_a_deadline() {
    for (answer, source) in [
        ("", "the time for the request is up"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", "the body of the response took too long"),
    ] {
        let (origin, _) = serve(answer);
        let error = async_reqwest(get(&origin, Duration::from_millis(200))).unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), source);
    }
}

/// The body would be complete after 10 s, and each of its bytes comes in time.
#[test]
fn a_body_that_comes_slowly_takes_no_longer_than_the_request_has_left() {
    let sends: [Send; 3] = [async_reqwest, blocking_reqwest, ureq];
    for send in sends {
        let (origin, _) = serve_slowly("HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n", 200);
        let outcome = send(get(&origin, Duration::from_millis(500)));
        let kind = outcome.as_ref().err().map(Error::kind);
        assert_eq!(kind, Some(ErrorKind::Transport), "{outcome:?}");
    }
}

/// The clients here follow redirects, which the library's documentation tells them not to.
#[test]
fn an_answer_of_another_origin_is_refused() {
    let sends: [Send; 2] = [async_reqwest, blocking_reqwest];
    for send in sends {
        let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
        let (foreign, _) = serve(ok);
        let redirect = format!(
            "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {foreign}/?tempauth=secret\r\n\
             content-length: 0\r\n\r\n"
        );
        let (origin, _) = serve(redirect);
        let asked = format!("{origin}/?token=secret");
        let error = send(get(&asked, TimeLeft::DEFAULT.0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ForeignLocation, "{error:?}");
        let shown = format!("{error:#} {error:?}");
        assert!(shown.contains(&origin) && shown.contains(&foreign), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
