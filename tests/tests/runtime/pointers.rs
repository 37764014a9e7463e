//! A pointer to a client forwards every method to the client.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use graph_operation::testing::{block_on, status};
use graph_operation::{Client, Error, Result, blocking};
use http::{Request, Response, Uri};

/// A client none of whose methods does what the provided one does.
#[derive(Clone)]
struct Unusual {
    service_root: Uri,
    instant: Instant,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Unusual {
    fn new() -> Self {
        let service_root = Uri::from_static("https://graph.microsoft.com/v1.0");
        Unusual { service_root, instant: Instant::now(), calls: Arc::default() }
    }

    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }

    fn long_ago() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(7)
    }
}

const CALLS: [&str; 6] =
    ["send", "send_anonymous", "unauthorized", "sleep", "time_limit", "is_transient"];

impl Client for Unusual {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>> {
        self.note("send");
        Ok(status(200))
    }

    async fn send_anonymous(&self, _: Request<Bytes>) -> Result<Response<Bytes>> {
        self.note("send_anonymous");
        Ok(status(201))
    }

    async fn unauthorized(&self, _: &Response<Bytes>) -> bool {
        self.note("unauthorized");
        true
    }

    async fn sleep(&self, _: Duration) {
        self.note("sleep");
    }

    async fn time_limit(&self, _: Duration) {
        self.note("time_limit");
    }

    fn now(&self) -> Instant {
        self.instant
    }

    fn system_time(&self) -> SystemTime {
        Self::long_ago()
    }

    fn is_transient(&self, _: &Error) -> bool {
        self.note("is_transient");
        false
    }

    fn random(&self) -> u64 {
        42
    }
}

/// The same, blocking.
impl blocking::Client for Unusual {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        Client::service_root(self)
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        block_on(Client::send(self, request))
    }

    fn send_anonymous(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        block_on(Client::send_anonymous(self, request))
    }

    fn unauthorized(&self, response: &Response<Bytes>) -> bool {
        block_on(Client::unauthorized(self, response))
    }

    fn sleep(&self, duration: Duration) {
        block_on(Client::sleep(self, duration));
    }

    fn now(&self) -> Instant {
        Client::now(self)
    }

    fn system_time(&self) -> SystemTime {
        Client::system_time(self)
    }

    fn is_transient(&self, error: &Error) -> bool {
        Client::is_transient(self, error)
    }

    fn random(&self) -> u64 {
        Client::random(self)
    }
}

#[test]
fn a_pointer_forwards_every_method() {
    fn call<C: Client<Error = Error>>(client: &C, unusual: &Unusual) {
        assert_eq!(*client.service_root(), unusual.service_root);
        assert_eq!(client.now(), unusual.instant);
        assert_eq!(client.system_time(), Unusual::long_ago());
        assert_eq!(client.random(), 42);
        block_on(async {
            assert_eq!(client.send(Request::default()).await.unwrap().status(), 200);
            assert_eq!(client.send_anonymous(Request::default()).await.unwrap().status(), 201);
            assert!(client.unauthorized(&status(401)).await);
            client.sleep(Duration::ZERO).await;
            client.time_limit(Duration::ZERO).await;
        });
        assert!(!client.is_transient(&Error::transport("reset")));
        assert_eq!(std::mem::take(&mut *unusual.calls.lock().unwrap()), CALLS);
    }

    let unusual = Unusual::new();
    call(&Arc::new(unusual.clone()), &unusual);
    call(&Box::new(unusual.clone()), &unusual);
}

#[test]
fn a_pointer_forwards_every_method_of_a_blocking_client() {
    fn call<C: blocking::Client<Error = Error>>(client: &C, unusual: &Unusual) {
        assert_eq!(*client.service_root(), unusual.service_root);
        assert_eq!(client.now(), unusual.instant);
        assert_eq!(client.system_time(), Unusual::long_ago());
        assert_eq!(client.random(), 42);
        assert_eq!(client.send(Request::default()).unwrap().status(), 200);
        assert_eq!(client.send_anonymous(Request::default()).unwrap().status(), 201);
        assert!(client.unauthorized(&status(401)));
        client.sleep(Duration::ZERO);
        assert!(!client.is_transient(&Error::transport("reset")));
        let calls = std::mem::take(&mut *unusual.calls.lock().unwrap());
        assert!(calls.iter().eq(CALLS.iter().filter(|&&call| call != "time_limit")), "{calls:?}");
    }

    let unusual = Unusual::new();
    call(&Arc::new(unusual.clone()), &unusual);
    call(&Box::new(unusual.clone()), &unusual);
}
