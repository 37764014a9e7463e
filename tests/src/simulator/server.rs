//! The sockets: the service's own, and the other origin that nothing should reach.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::{ConnectInfo, Query, Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

use super::{
    context::Call,
    options::Options,
    record::{self, ForeignRequest, OperationReport},
    service::Service,
    wire::{Wire, Wired},
};

/// What a request may weigh: more than Graph takes for any of those served here.
const BODY_LIMIT: usize = 1024 * 1024;
/// How long answers under way are waited for when the simulator is stopped.
const GRACE: Duration = Duration::from_millis(500);

/// The state that handlers and test code share.
#[derive(Debug)]
pub(super) struct Shared {
    service: Mutex<Service>,
    pub(super) epoch: Instant,
}

impl Shared {
    /// The state is whole between any two statements, so a panic elsewhere is no reason to refuse
    /// it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Both sockets, bound.
#[derive(Debug)]
pub(super) struct Server {
    main: TcpListener,
    foreign: TcpListener,
    pub(super) shared: Arc<Shared>,
}

impl Server {
    pub(super) async fn bind(options: Options) -> io::Result<Self> {
        let main = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let origin = |address: SocketAddr| format!("http://{address}");
        let service =
            Service::new(options, origin(main.local_addr()?), origin(foreign.local_addr()?));
        let shared = Arc::new(Shared { service: Mutex::new(service), epoch: Instant::now() });
        Ok(Self { main, foreign, shared })
    }

    /// Serves until the sender of `stop` is dropped.
    pub(super) async fn serve(self, stop: watch::Receiver<()>) {
        let main = Router::new()
            .route("/_simulator/requests", get(requests))
            .route("/_simulator/operations", get(operations))
            .route("/_simulator/foreign", get(foreign_requests))
            .fallback(graph)
            .with_state(Arc::clone(&self.shared));
        let foreign = Router::new().fallback(stranger).with_state(self.shared);
        let run = async |listener, router: Router| {
            let service = router.into_make_service_with_connect_info::<Wire>();
            // Serving ends with the signal alone: the listener outlives every error of accepting.
            let _ = axum::serve(Wired(listener), service)
                .with_graceful_shutdown(stopped(stop.clone()))
                .await;
        };
        tokio::select! {
            _ = async { tokio::join!(run(self.main, main), run(self.foreign, foreign)) } => {}
            () = async { stopped(stop.clone()).await; tokio::time::sleep(GRACE).await } => {}
        }
    }
}

async fn stopped(mut stop: watch::Receiver<()>) {
    while stop.changed().await.is_ok() {}
}

async fn graph(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
) -> Response {
    let at = Instant::now();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let call = Call { method: parts.method, uri: parts.uri, headers: parts.headers, body, at };
    let (answer, fault) = shared.lock().call(&call);
    answer.deliver(fault.as_ref(), &wire).await
}

/// The other origin answers as if all were well, so that a client that comes here by mistake
/// believes it.
async fn stranger(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().to_string();
    shared.lock().foreign.push(ForeignRequest {
        at: Instant::now(),
        method: request.method().clone(),
        path,
        authorization: record::authorization(request.headers()),
    });
    let document = json!({
        "id": "00000000-0000-0000-0000-000000000000",
        "operationType": "archiveTeam",
        "createdDateTime": "2026-02-03T08:00:00Z",
        "status": "succeeded",
        "lastActionDateTime": "2026-02-03T08:00:00Z",
        "attemptsCount": 1,
        "targetResourceId": null,
        "targetResourceLocation": null,
        "error": null,
    });
    ([(CONTENT_TYPE, "application/json")], Bytes::from(document.to_string())).into_response()
}

#[derive(Debug, Deserialize)]
struct Filter {
    operation: Option<String>,
}

async fn requests(State(shared): State<Arc<Shared>>, Query(filter): Query<Filter>) -> Json<Value> {
    let service = shared.lock();
    let wanted = |id: &Option<String>| filter.operation.is_none() || filter.operation == *id;
    let requests = service.requests.iter().filter(|recorded| wanted(&recorded.operation));
    Json(requests.map(|recorded| recorded.json(shared.epoch)).collect())
}

async fn operations(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let reports = shared.lock().reports();
    Json(reports.iter().map(|report| report.json(shared.epoch)).collect())
}

async fn foreign_requests(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let service = shared.lock();
    Json(service.foreign.iter().map(|request| request.json(shared.epoch)).collect())
}

impl Service {
    /// Every operation, in the order of their start.
    pub(super) fn reports(&self) -> Vec<OperationReport> {
        self.order
            .iter()
            .filter_map(|id| self.operations.get(id))
            .map(OperationReport::of)
            .collect()
    }
}
