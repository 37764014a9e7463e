//! azure_core's `Poller`, with a state function like that in its documentation.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use async_trait::async_trait;
use azure_core::async_runtime::{AsyncRuntime, SpawnedTask, TaskFuture, set_async_runtime};
use azure_core::http::headers::Headers;
use azure_core::http::poller::{
    Poller, PollerContinuation, PollerResult, PollerState, PollerStatus, StatusMonitor,
};
use azure_core::http::{
    AsyncRawResponse, ClientOptions, Context, HttpClient, Method, NoFormat, Pipeline, RawResponse,
    Request, StatusCode, Transport, Url,
};
use azure_core::time::Duration;
use azure_core::{Bytes, json};
use benchmark_floor::{Operation, Status};
use benchmark_wire::{URL, Wire};
use futures::StreamExt;

/// The floor's model: what is decoded is the same.
#[derive(Debug)]
pub struct Monitor(pub Operation);

impl StatusMonitor for Monitor {
    type Output = ();
    type Format = NoFormat;

    fn status(&self) -> PollerStatus {
        match self.0.status {
            Status::Succeeded => PollerStatus::Succeeded,
            Status::Failed => PollerStatus::Failed,
            _ => PollerStatus::InProgress,
        }
    }
}

/// A poller whose state function calls the wire itself.
pub fn by_hand(wire: Wire, wait: std::time::Duration) -> Poller<Monitor> {
    let url: Url = URL.parse().expect("a URL");
    let wait = Duration::try_from(wait).expect("a short wait");
    Poller::new(
        move |state, _| {
            let wire = wire.clone();
            let url = next(state, &url);
            Box::pin(async move {
                let body = wire.get(url.as_str());
                read(url, StatusCode::Ok, Headers::new(), body, wait)
            })
        },
        None,
    )
}

/// A poller that sends through azure_core's pipeline.
pub fn through_pipeline(wire: Wire, wait: std::time::Duration) -> Poller<Monitor> {
    let url: Url = URL.parse().expect("a URL");
    let wait = Duration::try_from(wait).expect("a short wait");
    let transport = Transport::new(Arc::new(WireClient(wire)));
    let options = ClientOptions { transport: Some(transport), ..ClientOptions::default() };
    let pipeline =
        Pipeline::new(Some("benchmarks"), Some("1.0"), options, Vec::new(), Vec::new(), None);
    Poller::new(
        move |state, options| {
            let pipeline = pipeline.clone();
            let mut request = Request::new(next(state, &url), Method::Get);
            Box::pin(async move {
                let context: &Context<'_> = &options.context;
                let answer = pipeline.send(context, &mut request, None).await?;
                let (status, headers, body) = answer.deconstruct();
                read(request.url().clone(), status, headers, body.into(), wait)
            })
        },
        None,
    )
}

fn next(state: PollerState, first: &Url) -> Url {
    match state {
        PollerState::More(PollerContinuation::Links { next_link, .. }) => next_link,
        _ => first.clone(),
    }
}

fn read(
    url: Url,
    status: StatusCode,
    headers: Headers,
    body: Bytes,
    wait: Duration,
) -> azure_core::Result<PollerResult<Monitor>> {
    let monitor = Monitor(json::from_json(&body)?);
    let response = RawResponse::from_bytes(status, headers, body).into();
    Ok(match monitor.status() {
        PollerStatus::InProgress => PollerResult::InProgress {
            response,
            retry_after: wait,
            continuation: PollerContinuation::Links { next_link: url, final_link: None },
        },
        PollerStatus::Succeeded => PollerResult::Succeeded {
            response,
            target: Box::new(|| {
                Box::pin(async {
                    Ok(RawResponse::from_bytes(StatusCode::Ok, Headers::new(), Bytes::new()).into())
                })
            }),
        },
        _ => PollerResult::Done { response },
    })
}

/// One check. The answer that it yields is not decoded a second time.
pub async fn check(poller: &mut Poller<Monitor>) -> StatusCode {
    poller.next().await.expect("an operation that runs").expect("an answer").status()
}

#[derive(Debug)]
struct WireClient(Wire);

#[async_trait]
impl HttpClient for WireClient {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let body = self.0.get(request.url().as_str());
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), body))
    }
}

/// The runtime through which azure_core sleeps, of which a program has one. This one can be told
/// not to wait.
struct Runtime;

static WAITS: AtomicBool = AtomicBool::new(true);

impl AsyncRuntime for Runtime {
    fn spawn(&self, _: TaskFuture) -> SpawnedTask {
        unreachable!("nothing is spawned")
    }

    fn sleep(&self, duration: Duration) -> TaskFuture {
        if WAITS.load(Relaxed) {
            let duration = duration.try_into().expect("no negative wait");
            Box::pin(tokio::time::sleep(duration))
        } else {
            Box::pin(ready(()))
        }
    }

    fn yield_now(&self) -> TaskFuture {
        Box::pin(ready(()))
    }
}

/// Has to be called before anything else.
pub fn install() {
    set_async_runtime(Arc::new(Runtime)).expect("the first runtime");
}

/// Sets whether pollers sleep with tokio's timer or not at all.
pub fn set_waits(waits: bool) {
    WAITS.store(waits, Relaxed);
}
