//! The process that is killed: starts what was not started, goes on with what was.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use graph_operation::{Client, ErrorKind, Operation, Polling, Result, async_operation};
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, Request, Response, Uri};
use tokio::sync::Semaphore;

use crate::journal::{Journal, Pen};
use crate::team;

const TOKEN: &str = "Bearer soak";

/// So many operations at once.
const AT_ONCE: usize = 400;

#[derive(Clone)]
struct Graph {
    http: reqwest::Client,
    service_root: Uri,
}

impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static(TOKEN));
        graph_operation::reqwest::send(&self.http, request).await
    }

    // Moments in place of seconds, also before a start that is repeated.
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.min(MOMENT)).await;
    }

    async fn time_limit(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Graph {
    #[async_operation(polling = polling(), idempotent)]
    async fn archive_team(&self, team_id: &str) -> Result<Request<Bytes>> {
        self.request(Method::POST, ["teams", team_id, "archive"])
    }
}

const MOMENT: Duration = Duration::from_millis(30);

fn polling() -> Polling {
    // A third of the responses are faulty: rows of more than ten happen in a soak.
    Polling::default().first_check(MOMENT).interval(MOMENT).retries(40)
}

pub(crate) fn work(root: &str, path: &Path, operations: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let graph = Graph {
            http: http.build().expect("an HTTP client"),
            service_root: root.parse().expect("a service root"),
        };
        let journal = Journal::read(path);
        let pen = Arc::new(Pen::open(path));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = tokio::task::JoinSet::new();
        for number in (0..operations).filter(|&number| journal.outcomes(number).is_empty()) {
            let (graph, pen, token) = (graph.clone(), Arc::clone(&pen), journal.token(number));
            let place = Arc::clone(&places).acquire_owned().await.expect("a place");
            tasks.spawn(async move {
                let operation = match token {
                    Some(token) => {
                        pen.write(number, "resumed");
                        let operation = Operation::resume(graph, token).expect("our own token");
                        operation.with_polling(polling())
                    }
                    None => start(&graph, &pen, number).await,
                };
                follow(operation, &pen, number).await;
                drop(place);
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no task panics");
        }
    });
}

/// Starts an operation, and writes its token down at once.
async fn start(graph: &Graph, pen: &Pen, number: usize) -> Operation {
    let started = graph.archive_team(&team(number)).await;
    let operation = started.unwrap_or_else(|error| panic!("{}: {error:#}", team(number)));
    let token = operation.resume_token().expect("an operation was started");
    pen.write(number, &token.to_string());
    operation
}

async fn follow(mut operation: Operation, pen: &Pen, number: usize) {
    loop {
        match operation.wait().await {
            Ok(_) => return pen.write(number, "succeeded"),
            Err(error) if error.kind() == ErrorKind::Failed => return pen.write(number, "failed"),
            Err(error) => assert!(error.is_retryable(), "{}: {error:#}", team(number)),
        }
    }
}
