//! What each adapter's `send` bounds: the time of a request, and the origin that answers it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::{Error, ErrorKind, Result, TimeLeft};
use http::{Request, Response};

/// Answers one request with `answer`, then waits for the client to leave.
fn serve(answer: String) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let _ = connection.read(&mut [0; 4096]).unwrap();
        connection.write_all(answer.as_bytes()).unwrap();
        let _ = connection.read(&mut [0; 1]);
    });
    (origin, server)
}

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

fn assert_bounded(outcome: &Result<Response<Bytes>>, begun: Instant) {
    assert_eq!(outcome.as_ref().err().map(Error::kind), Some(ErrorKind::Transport), "{outcome:?}");
    // The provided limit is 100 s.
    assert!(begun.elapsed() < Duration::from_secs(50));
}

#[test]
fn a_request_takes_no_longer_than_it_has_left() {
    let sends: [Send; 3] = [async_reqwest, blocking_reqwest, ureq];
    for send in sends {
        for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
            let (origin, server) = serve(answer.to_owned());
            let begun = Instant::now();
            assert_bounded(&send(get(&origin, Duration::from_millis(200))), begun);
            server.join().unwrap();
        }
    }
}

/// The clients here follow redirects, which the library's documentation tells them not to.
#[test]
fn an_answer_of_another_origin_is_refused() {
    let sends: [Send; 2] = [async_reqwest, blocking_reqwest];
    for send in sends {
        let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
        let (foreign, _) = serve(ok.to_owned());
        let redirect = format!(
            "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {foreign}/\r\n\
             content-length: 0\r\n\r\n"
        );
        let (origin, _) = serve(redirect);
        let outcome = send(get(&origin, TimeLeft::DEFAULT.0));
        let kind = outcome.as_ref().err().map(Error::kind);
        assert_eq!(kind, Some(ErrorKind::ForeignLocation), "{outcome:?}");
    }
}
