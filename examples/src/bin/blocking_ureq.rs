//! Without an executor: the attribute on plain functions, with ureq, and the updates as an
//! iterator.

use bytes::Bytes;
use graph_operation::blocking::{Client, Operation};
use graph_operation::{BoxError, Result, async_operation};
use graph_operation_examples::for_the_simulator;
use graph_operation_tests::simulator::{Life, Options, Simulator};
use http::{HeaderValue, Method, Request, Response, Uri, header::AUTHORIZATION};
use ureq::Agent;

/// A client of Microsoft Graph that blocks.
#[derive(Clone, Debug)]
struct Graph {
    agent: Agent,
    service_root: Uri,
    authorization: HeaderValue,
}

impl Graph {
    fn new(service_root: &str, token: &str) -> Result<Self, BoxError> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        let agent = Agent::config_builder()
            // An error response is returned as a response, so that its body can be read.
            .http_status_as_error(false)
            // A redirect that is followed could take the token to another host.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .into();
        Ok(Self { agent, service_root: service_root.parse()?, authorization })
    }

    /// Restores an archived team. Doing so twice does no harm.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/team-unarchive>
    #[async_operation(idempotent)]
    fn unarchive_team(&self, team_id: &str) -> Result<Request<Bytes>> {
        self.request(Method::POST, ["teams", team_id, "unarchive"])
    }
}

impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        graph_operation::ureq::send(&self.agent, request)
    }
}

fn main() -> Result<(), BoxError> {
    let simulator = Simulator::spawn(Options::new().life(Life::checks(1, 3)))?;
    let graph = Graph::new(&simulator.service_root(), "a-token-for-the-simulator")?;

    let operation: Operation = graph.unarchive_team("00000000-0000-0000-0000-000000000001")?;
    let mut operation = operation.with_polling(for_the_simulator());
    println!("accepted");
    for update in operation.updates() {
        let update = update?;
        if let Some(operation) = update.operation() {
            println!("check {}: {}", update.checks(), operation.status);
        }
    }
    let completed = operation.wait()?;
    println!("unarchived: {}", completed.target_location().unwrap_or_default());
    Ok(())
}
