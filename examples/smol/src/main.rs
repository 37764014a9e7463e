//! On smol, without the library's feature `tokio`: the client implements `sleep` itself.

use std::time::Duration;

use bytes::Bytes;
use graph_operation::{BoxError, Client, Polling, Result, async_operation};
use graph_operation_tests::simulator::{Life, Options, Simulator};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, Response, Uri};
use ureq::Agent;

/// A client of Microsoft Graph. Its requests are sent by ureq, on smol's threads for blocking work.
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
        Ok(Self {
            agent: Agent::new_with_defaults(),
            service_root: service_root.parse()?,
            authorization,
        })
    }

    /// Archives a team.
    #[async_operation(idempotent)]
    async fn archive_team(&self, team_id: &str) -> Result<Request<Bytes>> {
        self.request(Method::POST, ["teams", team_id, "archive"])
    }
}

impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        let agent = self.agent.clone();
        smol::unblock(move || graph_operation::ureq::send(&agent, request)).await
    }

    async fn sleep(&self, duration: Duration) {
        smol::Timer::after(duration).await;
    }
}

fn main() -> Result<(), BoxError> {
    let simulator = Simulator::spawn(Options::new().life(Life::checks(1, 3)))?;
    let graph = Graph::new(&simulator.service_root(), "a-token-for-the-simulator")?;
    smol::block_on(archive(&graph))?;
    Ok(())
}

async fn archive(graph: &Graph) -> Result<()> {
    let operation = graph.archive_team("00000000-0000-0000-0000-000000000001").await?;
    // More often than the real service allows, because this is the simulator.
    let often = Duration::from_millis(100);
    let mut operation =
        operation.with_polling(Polling::default().first_check(often).interval(often));
    let mut updates = operation.updates();
    while let Some(update) = updates.next().await {
        let update = update?;
        if let Some(operation) = update.operation() {
            println!("check {}: {}", update.checks(), operation.status);
        }
    }
    let completed = operation.wait().await?;
    println!("archived: {}", completed.target_location().unwrap_or_default());
    Ok(())
}
