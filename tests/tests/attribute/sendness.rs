//! A function's future is `Send` when it would be without the attribute.

use super::support::{Answer, Graph};
use graph_operation::async_operation;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;

type Result<T> = graph_operation::Result<T>;

impl Graph {
    #[async_operation]
    async fn sends_by_value(
        &self,
        a: Cell<u8>,
        _: Cell<u8>,
        (b, _): (Cell<u8>, Cell<u8>),
    ) -> Result<Answer> {
        let answer = self.post().await;
        a.set(b.get());
        answer
    }

    #[async_operation]
    async fn sends_generic<T: Send>(&self, value: T, values: &mut [T]) -> Result<Answer> {
        let answer = self.post().await;
        values[0] = value;
        answer
    }

    #[async_operation]
    async fn sends_closure(&self, url: impl FnOnce() -> String + Send) -> Result<Answer> {
        let _ = url();
        self.post().await
    }

    #[async_operation]
    async fn sends_text<'a>(&'a self, id: &'a str, names: &[&'a str]) -> Result<Answer> {
        let _ = (id, names);
        self.post().await
    }

    #[async_operation]
    fn sends_future(&self, id: &str) -> impl Future<Output = Result<Answer>> + Send {
        let _ = id.len();
        self.post()
    }

    #[async_operation]
    fn sends_boxed(&self, id: String) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send + '_>> {
        Box::pin(async move {
            let _ = id;
            self.post().await
        })
    }
}

/// Errors that are not `Send`, such as boxed ones.
type Boxed<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Debug)]
struct Local(#[allow(dead_code)] std::rc::Rc<graph_operation::Error>);

fn local(error: graph_operation::Error) -> Local {
    Local(std::rc::Rc::new(error))
}

type Hidden = std::result::Result<Answer, Box<dyn std::error::Error>>;

impl Graph {
    #[async_operation]
    async fn sends_with_boxed_error(&self, id: String) -> Boxed<Answer> {
        let _ = id;
        Ok(self.post().await?)
    }

    #[async_operation]
    async fn sends_with_hidden_error(&self) -> Hidden {
        Ok(self.post().await?)
    }

    #[async_operation(map_err = local)]
    async fn sends_with_mapped_error(&self) -> std::result::Result<Answer, Local> {
        self.post().await.map_err(local)
    }

    #[async_operation]
    async fn sends_request_with_boxed_error(&self) -> Boxed<http::Request<String>> {
        Ok(http::Request::post("https://graph.microsoft.com/v1.0/teams").body(String::new())?)
    }

    #[async_operation(idempotent)]
    async fn sends_idempotent_request_with_boxed_error(&self) -> Boxed<http::Request<String>> {
        Ok(http::Request::post("https://graph.microsoft.com/v1.0/teams").body(String::new())?)
    }

    #[async_operation]
    fn sends_future_with_boxed_error(&self) -> impl Future<Output = Boxed<Answer>> + Send {
        async { Ok(self.post().await?) }
    }

    #[async_operation]
    fn sends_box_with_boxed_error(
        &self,
    ) -> Pin<Box<dyn Future<Output = Boxed<Answer>> + Send + '_>> {
        Box::pin(async { Ok(self.post().await?) })
    }
}

/// `Send` and not `Sync`.
#[derive(Clone)]
struct Session {
    graph: Graph,
    count: Cell<u8>,
}

impl Session {
    #[async_operation(client = self.graph)]
    async fn mutable(&mut self) -> Result<Answer> {
        let graph = self.graph.clone();
        let answer = graph.post().await;
        self.count.set(self.count.get() + 1);
        answer
    }

    #[async_operation(client = self.graph)]
    async fn owned(self) -> Result<Answer> {
        let graph = self.graph.clone();
        let answer = graph.post().await;
        self.count.set(1);
        answer
    }
}

trait Teams: Clone + graph_operation::Client {
    fn answer(&self) -> impl Future<Output = Result<Answer>> + Send;

    #[async_operation]
    fn archive(&self, id: &str) -> impl Future<Output = Result<Answer>> + Send;

    #[async_operation]
    fn restore(&self, id: &str) -> impl Future<Output = Result<Answer>> + Send {
        let _ = id.len();
        self.answer()
    }
}

impl Teams for Graph {
    fn answer(&self) -> impl Future<Output = Result<Answer>> + Send {
        self.post()
    }

    #[async_operation]
    async fn archive(&self, id: &str) -> Result<Answer> {
        let _ = id.len();
        self.post().await
    }
}

fn send<T: Send>(value: T) -> T {
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn spawned() {
    let operation = tokio::spawn(async {
        let graph = Graph::new();
        let cell = || Cell::new(1);
        let _ = send(graph.sends_by_value(cell(), cell(), (cell(), cell()))).await?;
        let _ = send(graph.sends_generic(1, &mut [2])).await?;
        let _ = send(graph.sends_closure(String::new)).await?;
        let _ = send(graph.sends_text("id", &["a"])).await?;
        let _ = send(graph.sends_future("id")).await?;
        let _ = send(graph.sends_boxed(String::new())).await?;
        let mut session = Session { graph: graph.clone(), count: cell() };
        let _ = send(session.mutable()).await?;
        let _ = send(session.owned()).await?;
        let _ = send(graph.archive("id")).await?;
        send(graph.restore("id")).await
    });
    assert!(operation.await.expect("no panic").is_ok());
}

/// A spawned future may not return an error that is not `Send`, but it may await one.
#[tokio::test(flavor = "multi_thread")]
async fn spawned_with_other_errors() {
    let operations = tokio::spawn(async {
        let graph = Graph::new();
        // Each has a statement of its own, at the end of which its error is dropped.
        let boxed = send(graph.sends_with_boxed_error(String::new())).await.is_ok();
        let hidden = send(graph.sends_with_hidden_error()).await.is_ok();
        let mapped = send(graph.sends_with_mapped_error()).await.is_ok();
        let future = send(graph.sends_future_with_boxed_error()).await.is_ok();
        let pinned = send(graph.sends_box_with_boxed_error()).await.is_ok();
        [boxed, hidden, mapped, future, pinned]
    });
    assert_eq!(operations.await.expect("no panic"), [true; 5]);
    let graph = Graph::new();
    let _ = send(graph.sends_request_with_boxed_error());
    let _ = send(graph.sends_idempotent_request_with_boxed_error());
}

/// Generic over the implementation, the hardest case for the compiler's higher-ranked `Send`
/// checks.
fn spawn_generic<T: Teams>(teams: T) -> tokio::task::JoinHandle<bool> {
    tokio::spawn(async move {
        let id = String::from("id");
        teams.archive(&id).await.is_ok() && teams.restore(&id).await.is_ok()
    })
}

#[tokio::test]
async fn spawned_generically() {
    assert!(spawn_generic(Graph::new()).await.expect("no panic"));
}
