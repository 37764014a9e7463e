//! Functions that return their request, which the library then sends.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use graph_operation::testing::{ScriptedClient, accepted, block_on, in_progress, succeeded};
use graph_operation::{Client, Operation, Polling, Result, async_operation, blocking};
use http::Request;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

type HttpRequest = std::result::Result<Request<Bytes>, MyError>;

#[derive(Debug)]
enum MyError {
    Graph(graph_operation::Error),
    Number,
}

impl From<graph_operation::Error> for MyError {
    fn from(error: graph_operation::Error) -> Self {
        MyError::Graph(error)
    }
}

impl From<std::num::ParseIntError> for MyError {
    fn from(_: std::num::ParseIntError) -> Self {
        MyError::Number
    }
}

fn mapped(error: graph_operation::Error) -> String {
    error.to_string()
}

#[derive(Clone)]
struct Graph {
    client: ScriptedClient,
}

impl Graph {
    /// A service that accepts one request.
    fn new() -> Self {
        let client = ScriptedClient::new();
        client.answer(accepted("/teams('t')/operations('o')"));
        Graph { client }
    }

    fn post<B>(&self, body: B) -> Request<B> {
        let url = "https://graph.microsoft.com/v1.0/teams/t/archive";
        Request::post(url).header("Prefer", "x").body(body).expect("a valid request")
    }

    #[async_operation(client = self.client)]
    async fn bytes(&self) -> Result<Request<Bytes>> {
        Ok(self.post(Bytes::from("body")))
    }

    #[async_operation(client = self.client)]
    async fn vector(&self) -> Result<Request<Vec<u8>>> {
        Ok(self.post(b"body".to_vec()))
    }

    #[async_operation(client = self.client)]
    async fn text(&self) -> Result<Request<String>> {
        Ok(self.post("body".to_owned()))
    }

    #[async_operation(client = self.client)]
    async fn nothing(&self) -> Result<Request<()>> {
        Ok(self.post(()))
    }

    #[async_operation(client = self.client, idempotent, target = Vec<u8>, timeout = "20m")]
    async fn hidden(&self, number: &str) -> HttpRequest {
        let _ = number.parse::<u8>()?;
        Ok(self.post("body".into()))
    }

    #[async_operation(client = self.client, idempotent, map_err = mapped)]
    async fn mapped(&self) -> std::result::Result<Request<Bytes>, String> {
        Ok(self.post("body".into()))
    }

    #[async_operation(client = self.client)]
    fn future(&self, number: String) -> impl Future<Output = HttpRequest> + Send {
        async move {
            let _ = number.parse::<u8>()?;
            Ok(self.post("body".into()))
        }
    }

    #[async_operation(client = self.client, idempotent)]
    fn idempotent_future(&self, number: String) -> impl Future<Output = HttpRequest> + Send {
        async move {
            let _ = number.parse::<u8>()?;
            Ok(self.post("body".into()))
        }
    }

    #[async_operation(client = self.client, idempotent)]
    fn boxed(&self, number: &str) -> Pin<Box<dyn Future<Output = HttpRequest> + Send + '_>> {
        let Ok(_) = number.parse::<u8>() else {
            return Box::pin(async { Err(MyError::Number) });
        };
        Box::pin(async { Ok(self.post("body".into())) })
    }

    #[async_operation(client = self.client, polling = Polling::frequent())]
    fn box_future(&self) -> BoxFuture<'_, HttpRequest> {
        Box::pin(async { Ok(self.post("body".into())) })
    }

    #[async_operation(client = self.client)]
    fn blocking(&self, number: &str) -> HttpRequest {
        let _ = number.parse::<u8>()?;
        Ok(self.post("body".into()))
    }

    #[async_operation(client = self.client, idempotent)]
    fn idempotent_blocking(&self) -> Result<Request<String>> {
        Ok(self.post("body".into()))
    }

    #[async_operation(client = self.client, idempotent, map_err = mapped)]
    fn mapped_blocking(&self) -> std::result::Result<Request<()>, String> {
        Ok(self.post(()))
    }
}

/// The request is sent once, as the function made it.
fn sent(graph: &Graph, body: &str) {
    let requests = graph.client.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].method(), "POST");
    assert_eq!(requests[0].uri(), "https://graph.microsoft.com/v1.0/teams/t/archive");
    assert_eq!(requests[0].headers()["Prefer"], "x");
    assert_eq!(requests[0].body(), body);
}

macro_rules! sends {
    ($($test:ident: $body:literal, |$graph:ident| $call:expr;)*) => {
        $(
            #[test]
            fn $test() {
                let $graph = Graph::new();
                let operation = $call.expect("an operation");
                assert_eq!(operation.operation_id(), Some("o"));
                sent(&$graph, $body);
            }
        )*
    };
}

sends! {
    bytes: "body", |graph| block_on(graph.bytes());
    vector: "body", |graph| block_on(graph.vector());
    text: "body", |graph| block_on(graph.text());
    nothing: "", |graph| block_on(graph.nothing());
    hidden: "body", |graph| block_on(graph.hidden("1"));
    mapped_error: "body", |graph| block_on(graph.mapped());
    future: "body", |graph| block_on(graph.future("1".into()));
    idempotent_future: "body", |graph| block_on(graph.idempotent_future("1".into()));
    boxed: "body", |graph| block_on(graph.boxed("1"));
    box_future: "body", |graph| block_on(graph.box_future());
    blocks: "body", |graph| graph.blocking("1");
    idempotent_blocking: "body", |graph| graph.idempotent_blocking();
    mapped_blocking: "", |graph| graph.mapped_blocking();
    by_trait: "body", |graph| block_on(Teams::archive(&graph));
    by_trait_blocking: "body", |graph| Teams::block(&graph);
    by_async_trait: "body", |graph| block_on(Boxed::archive(&graph, "1".into()));
    counted: "body", |graph| block_on(Rc::new(graph.clone()).counted());
    pinned: "body", |graph| block_on(Box::pin(graph.clone()).pinned());
    shared: "body", |graph| block_on(Pin::new(Arc::new(graph.clone())).shared());
}

#[test]
fn a_function_that_fails_sends_nothing() {
    let graph = Graph::new();
    assert!(matches!(block_on(graph.hidden("x")), Err(MyError::Number)));
    assert!(matches!(block_on(graph.future("x".into())), Err(MyError::Number)));
    assert!(matches!(block_on(graph.idempotent_future("x".into())), Err(MyError::Number)));
    assert!(matches!(block_on(graph.boxed("x")), Err(MyError::Number)));
    assert!(matches!(graph.blocking("x"), Err(MyError::Number)));
    assert_eq!(graph.client.requests().len(), 0);
}

#[test]
fn a_refusal_is_the_functions_error() {
    let graph = Graph { client: ScriptedClient::new() };
    let refused = || http::Response::builder().status(403).body(Bytes::new()).expect("valid");
    graph.client.answer(refused()).answer(refused()).answer(refused());
    assert!(
        matches!(block_on(graph.hidden("1")), Err(MyError::Graph(error)) if error.status() == Some(http::StatusCode::FORBIDDEN))
    );
    assert!(block_on(graph.mapped()).is_err_and(|error| error.contains("403")));
    assert!(graph.mapped_blocking().is_err_and(|error| error.contains("403")));
}

/// A service that answers once with an error, then accepts.
fn refusing_first(status: u16) -> Graph {
    let client = ScriptedClient::new();
    let refusal = http::Response::builder().status(status).body(Bytes::new()).expect("valid");
    client.answer(refusal).answer(accepted("/teams('t')/operations('o')"));
    Graph { client }
}

#[test]
fn a_refused_request_is_retried() {
    for status in [429, 503] {
        let graph = refusing_first(status);
        assert!(block_on(graph.bytes()).is_ok(), "{status}");
        assert_eq!(graph.client.requests().len(), 2, "{status}");
        let graph = refusing_first(status);
        assert!(graph.blocking("1").is_ok(), "{status}");
        assert_eq!(graph.client.requests().len(), 2, "{status}");
    }
}

#[test]
fn a_request_that_may_have_been_carried_out_is_retried_only_if_idempotent() {
    for status in [500, 502, 504] {
        let graph = refusing_first(status);
        assert!(block_on(graph.bytes()).is_err_and(|error| !error.is_retryable()), "{status}");
        assert_eq!(graph.client.requests().len(), 1, "{status}");
        let graph = refusing_first(status);
        assert!(block_on(graph.hidden("1")).is_ok(), "{status}");
        assert_eq!(graph.client.requests().len(), 2, "{status}");
        let graph = refusing_first(status);
        assert!(block_on(graph.idempotent_future("1".into())).is_ok(), "{status}");
        assert_eq!(graph.client.requests().len(), 2, "{status}");
        let graph = refusing_first(status);
        assert!(graph.blocking("1").is_err(), "{status}");
        assert_eq!(graph.client.requests().len(), 1, "{status}");
        let graph = refusing_first(status);
        assert!(graph.idempotent_blocking().is_ok(), "{status}");
        assert_eq!(graph.client.requests().len(), 2, "{status}");
    }
}

#[test]
fn the_operation_can_be_awaited() {
    let graph = Graph::new();
    graph.client.answer(in_progress()).answer(succeeded("/teams('t')"));
    let operation: Result<Operation> = block_on(graph.bytes());
    let completed = block_on(async { operation?.await }).expect("a success");
    assert_eq!(completed.target_location(), Some("/teams('t')"));
    assert_eq!(graph.client.requests().len(), 3);
}

trait Teams {
    #[async_operation]
    async fn archive(&self) -> Result<Request<Bytes>>;

    #[async_operation]
    fn block(&self) -> HttpRequest;
}

impl Teams for Graph {
    #[async_operation(client = self.client, idempotent)]
    async fn archive(&self) -> Result<Request<Bytes>> {
        Ok(self.post("body".into()))
    }

    #[async_operation(client = self.client)]
    fn block(&self) -> HttpRequest {
        Ok(self.post("body".into()))
    }
}

#[async_trait::async_trait]
trait Boxed {
    #[async_operation]
    async fn archive(&self, number: String) -> HttpRequest;
}

#[async_trait::async_trait]
impl Boxed for Graph {
    #[async_operation(client = self.client, idempotent)]
    async fn archive(&self, number: String) -> HttpRequest {
        let _ = number.parse::<u8>()?;
        Ok(self.post("body".into()))
    }
}

/// `Graph` is a client itself, so that receivers which point to it can be tested.
impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &http::Uri {
        Client::service_root(&self.client)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>> {
        Client::send(&self.client, request).await
    }
}

impl Graph {
    #[async_operation]
    async fn counted(self: Rc<Self>) -> Result<Request<Bytes>> {
        Ok(self.post("body".into()))
    }

    #[async_operation]
    async fn pinned(self: Pin<Box<Self>>) -> Result<Request<Bytes>> {
        Ok(self.post("body".into()))
    }

    #[async_operation]
    async fn shared(self: Pin<Arc<Self>>) -> Result<Request<Bytes>> {
        Ok(self.post("body".into()))
    }
}

/// Arguments are dropped before the request is sent, and the function's code runs once.
#[test]
fn arguments_drop_before_the_request_is_sent() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    static CALLED: AtomicUsize = AtomicUsize::new(0);

    struct Permit;

    impl Drop for Permit {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn permit() -> Permit {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Permit
    }

    #[derive(Clone)]
    struct Watching(Graph);

    impl Client for Watching {
        type Error = graph_operation::Error;

        fn service_root(&self) -> &http::Uri {
            Client::service_root(&self.0.client)
        }

        async fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>> {
            assert_eq!(ALIVE.load(Ordering::SeqCst), 0, "an argument is still alive");
            Client::send(&self.0.client, request).await
        }
    }

    impl blocking::Client for Watching {
        type Error = graph_operation::Error;

        fn service_root(&self) -> &http::Uri {
            Client::service_root(&self.0.client)
        }

        fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>> {
            assert_eq!(ALIVE.load(Ordering::SeqCst), 0, "an argument is still alive");
            blocking::Client::send(&self.0.client, request)
        }
    }

    impl Watching {
        #[async_operation]
        async fn begin(&self, permit: Permit, _: Permit) -> Result<Request<Bytes>> {
            CALLED.fetch_add(1, Ordering::SeqCst);
            let _ = permit;
            Ok(self.0.post("body".into()))
        }

        #[async_operation]
        fn future(&self, _permit: Permit) -> impl Future<Output = Result<Request<Bytes>>> {
            CALLED.fetch_add(1, Ordering::SeqCst);
            async { Ok(self.0.post("body".into())) }
        }

        #[async_operation]
        fn block(&self, _permit: Permit, _: Permit) -> Result<Request<Bytes>> {
            CALLED.fetch_add(1, Ordering::SeqCst);
            Ok(self.0.post("body".into()))
        }
    }

    let new = || Watching(Graph::new());
    assert!(block_on(new().begin(permit(), permit())).is_ok());
    assert!(block_on(new().future(permit())).is_ok());
    assert!(new().block(permit(), permit()).is_ok());
    assert_eq!(CALLED.load(Ordering::SeqCst), 3);
}
