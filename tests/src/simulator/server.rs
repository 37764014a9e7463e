//! The sockets: the service's own, that of the monitors, and the other origin that nothing should
//! reach.

use std::{
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::to_bytes,
    extract::{ConnectInfo, Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};
use tokio_rustls::TlsAcceptor;
use tower_http::{compression::CompressionLayer, decompression::RequestDecompressionLayer};

use super::{
    answer::Answer,
    context::Call,
    control,
    fault::Fault,
    options::Options,
    record::{self, ForeignRequest, OperationReport},
    service::{Origins, Service},
    tls::Identity,
    token,
    wire::{Wire, Wired},
};

/// The largest body of a request, uncompressed: more than Graph accepts for any of those served
/// here.
const BODY_LIMIT: usize = 1024 * 1024;
/// How long to wait for answers in flight when the simulator is stopped.
const GRACE: Duration = Duration::from_millis(500);

/// The state that handlers and test code share.
#[derive(Debug)]
pub(super) struct Shared {
    service: Mutex<Service>,
    pub(super) epoch: Instant,
    /// The service's own origin, whatever origin addresses have.
    pub(super) origin: String,
    /// With TLS, the authority that clients have to trust, in PEM.
    pub(super) certificate: Option<String>,
}

impl Shared {
    /// Locks the state, ignoring poisoning: it is consistent between any two statements, whatever has
    /// panicked.
    pub(super) fn lock(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All sockets, bound.
pub(super) struct Server {
    main: TcpListener,
    monitor: TcpListener,
    foreign: TcpListener,
    acceptor: Option<TlsAcceptor>,
    pub(super) shared: Arc<Shared>,
}

impl Server {
    pub(super) async fn bind(options: Options) -> io::Result<Self> {
        let main = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let monitor = TcpListener::bind((Ipv4Addr::LOCALHOST, options.monitor_port)).await?;
        let foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let identity = if options.tls { Some(Identity::new()?) } else { None };
        let scheme = if identity.is_some() { "https" } else { "http" };
        let origin = |address: SocketAddr| format!("{scheme}://{address}");
        let origins = Origins {
            service: origin(main.local_addr()?),
            monitor: origin(monitor.local_addr()?),
            foreign: origin(foreign.local_addr()?),
        };
        let (certificate, acceptor) =
            identity.map(|identity| (identity.authority, identity.acceptor)).unzip();
        let shared = Arc::new(Shared {
            origin: origins.service.clone(),
            service: Mutex::new(Service::new(options, origins)),
            epoch: Instant::now(),
            certificate,
        });
        Ok(Self { main, monitor, foreign, acceptor, shared })
    }

    /// Serves until the sender of `stop` is dropped.
    pub(super) async fn serve(self, stop: watch::Receiver<()>) {
        let Self { main, monitor, foreign, acceptor, shared } = self;
        let compressed =
            (RequestDecompressionLayer::new().gzip(true), CompressionLayer::new().gzip(true));
        let graph = Router::new()
            .merge(control::routes())
            .fallback(graph)
            .layer(compressed)
            .with_state(Arc::clone(&shared));
        let monitors = Router::new().fallback(monitored).with_state(Arc::clone(&shared));
        let others = Router::new().fallback(stranger).with_state(shared);
        let run = async |listener, router: Router| {
            let service = router.into_make_service_with_connect_info::<Wire>();
            let listener = Wired { listener, acceptor: acceptor.clone() };
            // Only the signal ends this: the listener survives every error of accepting a
            // connection.
            let _ =
                axum::serve(listener, service).with_graceful_shutdown(stopped(stop.clone())).await;
        };
        tokio::select! {
            _ = async {
                tokio::join!(run(main, graph), run(monitor, monitors), run(foreign, others))
            } => {}
            () = async { stopped(stop.clone()).await; tokio::time::sleep(GRACE).await } => {}
        }
    }
}

async fn stopped(mut stop: watch::Receiver<()>) {
    while stop.changed().await.is_ok() {}
}

async fn graph(shared: State<Arc<Shared>>, wire: ConnectInfo<Wire>, request: Request) -> Response {
    answered(shared, wire, request, Service::call).await
}

async fn monitored(
    shared: State<Arc<Shared>>,
    wire: ConnectInfo<Wire>,
    request: Request,
) -> Response {
    answered(shared, wire, request, Service::monitor).await
}

async fn answered(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(wire): ConnectInfo<Wire>,
    request: Request,
    answer: impl FnOnce(&mut Service, Call) -> (Answer, Option<Fault>),
) -> Response {
    let at = Instant::now();
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, BODY_LIMIT).await {
        Ok(body) => body,
        Err(error) => {
            let is_long = error.source().is_some_and(<dyn Error>::is::<LengthLimitError>);
            // Otherwise it was cut off, or is not compressed as its header says.
            let status =
                if is_long { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
            return status.into_response();
        }
    };
    let call = Call {
        method: parts.method,
        uri: parts.uri,
        token: token::bearer(&parts.headers),
        headers: parts.headers,
        body,
        at,
        is_batched: false,
    };
    let (answer, fault) = answer(&mut shared.lock(), call);
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
