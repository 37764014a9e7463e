//! What each adapter's `send` limits, the time of a request and the origin of its response, and how
//! an HTTP client's own error is converted.

use std::error::Error as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::testing::ScriptedClient;
use graph_operation::{Client, Error, ErrorKind, Operation, Result, TimeLeft, blocking};
use http::{Method, Request, Response, Uri};

use crate::socket::{listen, refusing, serve, serve_slowly};

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

/// Graph answers a POST without a length with a 411.
#[test]
fn a_post_without_a_body_has_a_content_length() {
    let sends: [Send; 3] = [async_reqwest, blocking_reqwest, ureq];
    for send in sends {
        for method in [Method::POST, Method::PUT, Method::PATCH] {
            let (origin, server) = listen();
            let mut request = get(&origin, Duration::from_secs(20));
            *request.method_mut() = method;
            send(request).unwrap();
            let head = server.join().unwrap();
            assert!(head.contains("\r\ncontent-length: 0\r\n"), "{head}");
            assert!(!head.contains("transfer-encoding"), "{head}");
        }
    }
}

#[test]
fn a_request_takes_no_longer_than_it_has_left() {
    let sends: [Send; 3] = [async_reqwest, blocking_reqwest, ureq];
    for send in sends {
        for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"] {
            let (origin, server) = serve(answer);
            let start = Instant::now();
            let outcome = send(get(&origin, Duration::from_millis(200)));
            let kind = outcome.as_ref().err().map(Error::kind);
            assert_eq!(kind, Some(ErrorKind::Transport), "{outcome:?}");
            // The provided limit is 100 s, and that of reqwest's blocking client 30 s.
            assert!(start.elapsed() < Duration::from_secs(20));
            server.join().unwrap();
        }
    }
}

#[test]
fn a_request_may_have_any_time_left() {
    let sends: [Send; 3] = [async_reqwest, blocking_reqwest, ureq];
    for send in sends {
        let (origin, server) = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        assert_eq!(send(get(&origin, Duration::MAX)).unwrap().body(), "{}");
        server.join().unwrap();
    }
}

#[test]
fn the_error_of_a_request_that_timed_out_mentions_no_deadline() {
    for (answer, source) in [
        ("", "the request timed out"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", "the body of the response took too long"),
    ] {
        let (origin, _) = serve(answer);
        let error = async_reqwest(get(&origin, Duration::from_millis(200))).unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), source);
    }
}

#[test]
fn a_body_that_breaks_off_is_a_fault_of_the_transport() {
    let sends: [Send; 3] = [async_reqwest, blocking_reqwest, ureq];
    for send in sends {
        // No chunk has this length.
        let (origin, _) = serve("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n");
        let error = send(get(&origin, Duration::from_secs(20))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport, "{error:#}");
        assert!(!format!("{error:#}").contains("127.0.0.1"), "{error:#}");
    }
}

/// A response that was built by hand, as in a test: reqwest makes up a URL for it.
#[test]
fn a_response_that_reqwest_did_not_receive_has_no_url() {
    let made = || {
        let made = Response::builder().status(202);
        made.header("location", "/teams('a')/operations('b')").body("").unwrap()
    };
    let client = ScriptedClient::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let response = reqwest::Response::from(made());
    let operation = runtime.block_on(Operation::from_response(client.clone(), response)).unwrap();
    assert_eq!(operation.operation_id(), Some("b"));
    let response = reqwest::blocking::Response::from(made());
    let operation = blocking::Operation::from_response(client, response).unwrap();
    assert_eq!(operation.operation_id(), Some("b"));
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
fn a_response_from_another_origin_is_refused() {
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

/// Clients whose error is that of their HTTP client.
#[derive(Clone)]
struct Plain<C> {
    http: C,
    service_root: Uri,
}

impl Client for Plain<reqwest::Client> {
    type Error = reqwest::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
        let response = self.http.execute(request.try_into()?).await?.error_for_status()?;
        let mut head = Response::new(());
        *head.headers_mut() = response.headers().clone();
        let body = response.bytes().await?;
        Ok(head.map(|()| body))
    }

    async fn sleep(&self, _: Duration) {}
}

impl blocking::Client for Plain<ureq::Agent> {
    type Error = ureq::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, mut body) = self.http.run(request.map(Vec::from))?.into_parts();
        Ok(Response::from_parts(head, body.read_to_vec()?.into()))
    }

    fn sleep(&self, _: Duration) {}
}

/// As with the adapter: it was not sent, and the URL is not shown.
#[tokio::test]
async fn an_http_clients_own_error_is_read_like_the_adapters() {
    let service_root: Uri = refusing().parse().unwrap();
    let graph = Plain { http: reqwest::Client::new(), service_root: service_root.clone() };
    let request = graph.request(Method::POST, ["teams", "a", "archive"]).unwrap();
    let error = Operation::start(graph.clone(), request).await.unwrap_err();
    assert_eq!((error.kind(), error.checks()), (ErrorKind::Transport, Some(11)), "{error:?}");

    let mut operation =
        Operation::from_location(graph, "/operations('1')?sessionId=secret").unwrap();
    let error = operation.poll().await.unwrap_err();
    let shown = format!("{error:#} {error:?}");
    assert!(!shown.contains("secret"), "{shown}");

    let graph = Plain { http: ureq::agent(), service_root };
    let request = blocking::Client::request(&graph, Method::POST, ["teams", "a", "archive"]);
    let error = blocking::Operation::start(graph, request.unwrap()).unwrap_err();
    assert_eq!((error.kind(), error.checks()), (ErrorKind::Transport, Some(11)), "{error:?}");
}

/// Clients whose error hides the one that it was made from.
#[derive(Clone)]
struct Opaque<C>(Plain<C>);

impl Client for Opaque<reqwest::Client> {
    type Error = anyhow::Error;

    fn service_root(&self) -> &Uri {
        &self.0.service_root
    }

    async fn send(&self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        Ok(graph_operation::reqwest::send(&self.0.http, request).await?)
    }

    async fn sleep(&self, _: Duration) {}
}

impl blocking::Client for Opaque<ureq::Agent> {
    type Error = anyhow::Error;

    fn service_root(&self) -> &Uri {
        &self.0.service_root
    }

    fn send(&self, request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        Ok(graph_operation::ureq::send(&self.0.http, request)?)
    }

    fn sleep(&self, _: Duration) {}
}

#[tokio::test]
async fn a_refused_connection_is_found_within_an_error_of_any_type() {
    let service_root: Uri = refusing().parse().unwrap();
    let graph = Opaque(Plain { http: reqwest::Client::new(), service_root: service_root.clone() });
    let request = graph.request(Method::POST, ["teams", "a", "archive"]).unwrap();
    let error = Operation::start(graph, request).await.unwrap_err();
    assert_eq!((error.kind(), error.checks()), (ErrorKind::Transport, Some(11)), "{error:?}");

    let graph = Opaque(Plain { http: ureq::agent(), service_root });
    let request = blocking::Client::request(&graph, Method::POST, ["teams", "a", "archive"]);
    let error = blocking::Operation::start(graph, request.unwrap()).unwrap_err();
    assert_eq!((error.kind(), error.checks()), (ErrorKind::Transport, Some(11)), "{error:?}");
}
