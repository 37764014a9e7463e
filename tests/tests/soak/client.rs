//! The client of the processes that are killed: its sleeps are short.

use std::time::Duration;

use bytes::Bytes;
use graph_operation::{Client, Polling, Result, async_operation};
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, Request, Response, Uri};
use tokio::runtime::{Builder, Runtime};

const TOKEN: &str = "Bearer soak";

#[derive(Clone)]
pub(crate) struct Graph {
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

    // Milliseconds instead of seconds, even before a start is retried.
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.min(MOMENT)).await;
    }

    async fn time_limit(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Graph {
    pub(crate) fn new(service_root: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Graph {
            http: http.build().expect("an HTTP client"),
            service_root: service_root.parse().expect("a service root"),
        }
    }

    #[async_operation(polling = polling(), idempotent)]
    pub(crate) async fn archive_team(&self, team_id: &str) -> Result<Request<Bytes>> {
        self.request(Method::POST, ["teams", team_id, "archive"])
    }
}

const MOMENT: Duration = Duration::from_millis(30);

pub(crate) fn polling() -> Polling {
    // A third of the responses are faulty: more than ten faults in a row happen in a soak.
    Polling::default().first_check(MOMENT).interval(MOMENT).retries(40)
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
