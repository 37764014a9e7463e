//! The same over the blocking clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::blocking::{Client, Operation};
use graph_operation::{ErrorKind, Polling, Result, async_operation};
use graph_operation_tests::simulator::{Fault, FaultPlan, Life, Occasion, Options, Simulator};
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response, Uri};

use crate::client::{Clock, Resource, TOKEN};
use crate::socket::serve;

macro_rules! blocking_client {
    ($name:ident, $http:ty, $send:path) => {
        #[derive(Clone)]
        pub(crate) struct $name {
            http: $http,
            service_root: Uri,
            clock: Arc<Clock>,
        }

        impl Client for $name {
            type Error = graph_operation::Error;

            fn service_root(&self) -> &Uri {
                &self.service_root
            }

            fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
                self.clock.record(request.uri());
                request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static(TOKEN));
                $send(&self.http, request)
            }

            fn sleep(&self, duration: Duration) {
                self.clock.sleep(duration);
            }

            fn now(&self) -> Instant {
                self.clock.now()
            }
        }
    };
}

blocking_client!(Ureq, ureq::Agent, graph_operation::ureq::send);
blocking_client!(Reqwest, reqwest::blocking::Client, graph_operation::reqwest::blocking::send);

impl Ureq {
    fn new(simulator: &Simulator) -> Self {
        Self::at(&simulator.service_root())
    }

    pub(crate) fn at(service_root: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Ureq {
            http: config.into(),
            service_root: service_root.parse().unwrap(),
            clock: Clock::new(),
        }
    }

    #[async_operation]
    fn archive_team(&self, team_id: &str) -> Result<Response<ureq::Body>> {
        let url = self.url_of(["teams", team_id, "archive"])?;
        Ok(self.http.post(url).header(AUTHORIZATION, TOKEN).send_empty()?)
    }

    #[async_operation(target = Resource, timeout = "30m")]
    fn create_team(&self, name: &str) -> Result<Response<ureq::Body>> {
        let body = format!(r#"{{"displayName":"{name}"}}"#);
        let request = self.http.post(self.url("teams")).header(AUTHORIZATION, TOKEN);
        Ok(request.content_type("application/json").send(body)?)
    }
}

impl Reqwest {
    pub(crate) fn at(service_root: &str) -> Self {
        let http = reqwest::blocking::Client::builder().redirect(reqwest::redirect::Policy::none());
        Reqwest {
            http: http.build().unwrap(),
            service_root: service_root.parse().unwrap(),
            clock: Clock::new(),
        }
    }

    #[async_operation]
    fn archive_team(&self, team_id: &str) -> Result<reqwest::blocking::Response> {
        let url = self.url_of(["teams", team_id, "archive"])?;
        Ok(self.http.post(url).header(AUTHORIZATION, TOKEN).send()?)
    }
}

#[test]
fn operations_end_with_both_clients() {
    let simulator = Simulator::spawn(Options::new().life(Life::checks(1, 2))).unwrap();
    let graph = Ureq::new(&simulator);
    let statuses: Vec<_> = graph
        .archive_team("a")
        .unwrap()
        .updates()
        .map(|update| update.unwrap().operation().unwrap().status.to_string())
        .collect();
    assert_eq!(statuses, ["notStarted", "inProgress", "inProgress", "succeeded"]);
    let team = graph.create_team("Mechanics").unwrap().target().unwrap();
    assert_eq!(team.display_name.as_deref(), Some("Mechanics"));
    graph.clock.assert_policy(&graph.service_root, Duration::from_secs(30));

    let graph = Reqwest::at(&simulator.service_root());
    graph.archive_team("b").unwrap().wait().unwrap();
}

#[test]
fn each_fault_of_a_check_ends_as_it_should() {
    for fault in Fault::all() {
        let faults = FaultPlan::new().sequence(Occasion::Check, [fault.clone()]);
        let simulator = Simulator::spawn(Options::new().faults(faults)).unwrap();
        let operation = Ureq::new(&simulator).archive_team("a").unwrap();
        // A `Retry-After` may be as long as the default deadline.
        let mut operation = operation.with_polling(Polling::default().no_timeout());
        let result = operation.wait();
        let expected = match fault {
            Fault::Unauthorized => Some(ErrorKind::Rejected),
            Fault::Redirect => Some(ErrorKind::ForeignLocation),
            _ => None,
        };
        assert_eq!(
            result.as_ref().err().map(graph_operation::Error::kind),
            expected,
            "{fault}: {result:?}"
        );
        operation.wait().unwrap();
        assert!(simulator.foreign_requests().is_empty());
    }
}

#[test]
fn a_status_that_ureq_turned_into_an_error_is_a_rejection() {
    let faults =
        FaultPlan::new().sequence(Occasion::Start, [const { Fault::ServiceUnavailable }; 2]);
    let simulator = Simulator::spawn(Options::new().faults(faults)).unwrap();
    let graph = Ureq { http: ureq::agent(), ..Ureq::new(&simulator) };
    let error = graph.archive_team("a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert_eq!(error.status().map(|status| status.as_u16()), Some(503));
    assert!(error.is_retryable());

    // The response itself says more.
    let error = Ureq::new(&simulator).archive_team("a").unwrap_err();
    assert!(error.graph_error().is_some());
}

#[test]
fn a_response_that_ureq_did_not_receive_starts_an_operation_too() {
    let simulator = Simulator::spawn(Options::new()).unwrap();
    let made = Response::builder()
        .status(202)
        .header("location", "/teams('a')/operations('b')")
        .body(ureq::Body::builder().data(""))
        .unwrap();
    let operation = Operation::from_response(Ureq::new(&simulator), made);
    assert!(operation.unwrap().location().is_some());
}

/// Functions that send the request themselves, at a service root.
const STARTS: [fn(&str) -> Result<Operation>; 2] =
    [|root| Ureq::at(root).archive_team("a"), |root| Reqwest::at(root).archive_team("a")];

/// A new password is nowhere else.
#[test]
fn the_body_of_a_202_is_kept() {
    for start in STARTS {
        let (origin, _) = serve(
            "HTTP/1.1 202 Accepted\r\nLocation: /teams('a')/operations('b')\r\n\
             Content-Length: 2\r\n\r\n{}",
        );
        let operation = start(&format!("{origin}/v1.0")).unwrap();
        assert_eq!(operation.operation_id(), Some("b"));
        assert_eq!(operation.accepted_body(), Some(&b"{}"[..]));
    }
}

#[test]
fn no_fault_of_the_body_of_a_202_loses_the_operation() {
    for start in STARTS {
        for fault in [Fault::Cut, Fault::EndlessBody] {
            let faults = FaultPlan::new().sequence(Occasion::Start, [fault.clone()]);
            let simulator = Simulator::spawn(Options::new().faults(faults)).unwrap();
            let operation = start(&simulator.service_root()).unwrap();
            let id = simulator.operations()[0].id.clone();
            assert_eq!(operation.operation_id(), Some(&*id), "{fault}");
        }
    }
}

#[test]
fn a_response_that_never_comes_does_not_block_the_caller() {
    let slow = Fault::Slow(Duration::from_secs(600));
    let faults = FaultPlan::new().every(Occasion::Check, 1, [slow]);
    let simulator = Simulator::spawn(Options::new().faults(faults)).unwrap();
    let operation = Ureq::new(&simulator).archive_team("a").unwrap();
    let polling = Polling::default().timeout(Duration::from_secs(1));
    let error = operation.with_polling(polling).wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
