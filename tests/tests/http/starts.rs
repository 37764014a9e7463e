//! Starts that the library sends, over each HTTP client. The simulator's records show what was
//! sent.

use std::time::Duration;

use bytes::Bytes;
use graph_operation::{Client, ErrorKind, Polling, Result, async_operation, blocking};
use graph_operation_tests::simulator::{
    Fault, FaultPlan, Occasion, Options, RetryAfter, Simulator,
};
use http::{Method, Request};

use crate::blocking::{Reqwest, Ureq};
use crate::client::Graph;
use crate::socket::{refusing, serve};

const SEGMENTS: [&str; 3] = ["teams", "a", "archive"];

#[async_operation(client = graph, polling = polling)]
async fn archive(graph: &Graph, polling: Polling) -> Result<Request<Bytes>> {
    graph.request(Method::POST, SEGMENTS)
}

#[async_operation(client = graph, polling = polling, idempotent)]
async fn archive_idempotent(graph: &Graph, polling: Polling) -> Result<Request<Bytes>> {
    graph.request(Method::POST, SEGMENTS)
}

#[async_operation(client = graph, polling = polling)]
fn archive_blocking<C: blocking::Client>(graph: &C, polling: Polling) -> Result<Request<Bytes>> {
    graph.request(Method::POST, SEGMENTS)
}

#[async_operation(client = graph, polling = polling, idempotent)]
fn archive_blocking_idempotent<C: blocking::Client>(
    graph: &C,
    polling: Polling,
) -> Result<Request<Bytes>> {
    graph.request(Method::POST, SEGMENTS)
}

/// What became of a start: the operation's id and the length of the 202's body.
type Started = Result<(Option<String>, usize)>;

/// Starts an operation at a service root.
type Start = fn(&str, Polling, bool) -> Started;

const CLIENTS: [(&str, Start); 3] = [
    ("reqwest", |root, polling, idempotent| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let graph = Graph::at(root);
            let operation = if idempotent {
                archive_idempotent(&graph, polling).await?
            } else {
                archive(&graph, polling).await?
            };
            let body = operation.accepted_body().map_or(0, <[u8]>::len);
            Ok((operation.operation_id().map(str::to_owned), body))
        })
    }),
    ("blocking reqwest", |root, polling, idempotent| {
        start_blocking(&Reqwest::at(root), polling, idempotent)
    }),
    ("blocking ureq", |root, polling, idempotent| {
        start_blocking(&Ureq::at(root), polling, idempotent)
    }),
];

fn start_blocking<C: blocking::Client>(graph: &C, polling: Polling, idempotent: bool) -> Started {
    let operation = if idempotent {
        archive_blocking_idempotent(graph, polling)?
    } else {
        archive_blocking(graph, polling)?
    };
    let body = operation.accepted_body().map_or(0, <[u8]>::len);
    Ok((operation.operation_id().map(str::to_owned), body))
}

fn refusals() -> [Fault; 2] {
    [Fault::Throttle(RetryAfter::Seconds(7)), Fault::ServiceUnavailable]
}

/// Faults after which nobody knows whether the request was carried out.
fn ambiguous() -> [Fault; 5] {
    [
        Fault::InternalServerError,
        Fault::BadGateway,
        Fault::GatewayTimeout,
        Fault::Close,
        Fault::HtmlBadGateway,
    ]
}

fn simulator(faults: impl IntoIterator<Item = Fault>) -> Simulator {
    let faults = FaultPlan::new().sequence(Occasion::Start, faults);
    Simulator::spawn(Options::new().faults(faults)).unwrap()
}

/// The faults of the starting requests that arrived, in order.
fn faults_of_starts(simulator: &Simulator) -> Vec<Option<Fault>> {
    let requests = simulator.requests();
    assert!(requests.iter().all(|request| request.occasion == Some(Occasion::Start)));
    assert!(requests.iter().all(|request| request.authorization.is_some()));
    requests.into_iter().map(|request| request.fault).collect()
}

#[test]
fn an_idempotent_start_survives_every_fault() {
    for (client, start) in CLIENTS {
        let faults: Vec<_> = refusals().into_iter().chain(ambiguous()).collect();
        let simulator = simulator(faults.clone());
        let (id, _) = start(&simulator.service_root(), Polling::default(), true).expect(client);
        let expected: Vec<_> = faults.into_iter().map(Some).chain([None]).collect();
        assert_eq!(faults_of_starts(&simulator), expected, "{client}");
        let operations = simulator.operations();
        assert_eq!((operations.len(), Some(&operations[0].id)), (1, id.as_ref()), "{client}");
    }
}

#[test]
fn any_refused_start_is_retried() {
    for (client, start) in CLIENTS {
        let simulator = simulator(refusals());
        start(&simulator.service_root(), Polling::default(), false).expect(client);
        let expected: Vec<_> = refusals().map(Some).into_iter().chain([None]).collect();
        assert_eq!(faults_of_starts(&simulator), expected, "{client}");
    }
}

#[test]
fn a_start_that_may_have_been_carried_out_is_sent_once() {
    for (client, start) in CLIENTS {
        for fault in ambiguous() {
            let simulator = simulator([fault.clone()]);
            let error = start(&simulator.service_root(), Polling::default(), false).unwrap_err();
            assert!(!error.is_retryable(), "{client}, {fault}: {error:?}");
            assert!(error.to_string().contains("may have been carried out"), "{client}: {error}");
            assert_eq!(faults_of_starts(&simulator), [Some(fault)], "{client}");
        }
    }
}

#[test]
fn a_start_that_was_not_sent_is_retried() {
    // No host name has a label this long, so no name server is asked for it.
    let unresolvable = format!("http://{}.invalid/v1.0", "a".repeat(64));
    for root in [refusing(), unresolvable] {
        for (client, start) in CLIENTS {
            for idempotent in [false, true] {
                let error = start(&root, Polling::default().retries(3), idempotent).unwrap_err();
                assert_eq!(
                    (error.kind(), error.checks()),
                    (ErrorKind::Transport, Some(4)),
                    "{client}"
                );
                assert!(error.is_retryable(), "{client}: {error:?}");
                assert!(!error.to_string().contains("carried out"), "{client}: {error}");
            }
        }
    }
}

#[test]
fn a_202_whose_body_never_ends_starts_one_operation() {
    for (client, start) in CLIENTS {
        for idempotent in [false, true] {
            let simulator = simulator([Fault::EndlessBody]);
            let (id, body) =
                start(&simulator.service_root(), Polling::default(), idempotent).expect(client);
            assert_eq!(id, Some(simulator.operations()[0].id.clone()), "{client}");
            assert!(body <= 4 * 1024 * 1024, "{client}: {body}");
            assert_eq!(faults_of_starts(&simulator), [Some(Fault::EndlessBody)], "{client}");
        }
    }
}

#[test]
fn a_202_whose_body_stops_coming_starts_one_operation() {
    for (client, start) in CLIENTS {
        for idempotent in [false, true] {
            let (origin, server) = serve(
                "HTTP/1.1 202 Accepted\r\nLocation: /teams('a')/operations('b')\r\n\
                 Content-Length: 100\r\n\r\n{",
            );
            let root = format!("{origin}/v1.0");
            let polling = Polling::default().timeout(Duration::from_millis(300));
            let (id, body) = start(&root, polling, idempotent).expect(client);
            assert_eq!((id.as_deref(), body), (Some("b"), 1), "{client}");
            assert!(!server.join().unwrap(), "{client}: a second request was sent");
        }
    }
}
