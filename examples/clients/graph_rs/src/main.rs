//! The attribute on wrappers around graph-rs-sdk, whose own client also sends the checks.
//!
//! The SDK's `archive()` only returns the response to its request; here it returns an operation.
//! The SDK uses another version of reqwest than the library's adapter, so its responses are read as
//! what every version has: an `http::Response` with an `http_body::Body`.

use std::time::Duration;

use bytes::Bytes;
use graph_operation::http_body::collect;
use graph_operation::{
    BoxError, Client, Error, Polling, Result, TimeLeft, async_operation, protocol,
};
use graph_operation_tests::simulator::{Life, Options, Simulator};
use graph_rs_sdk::http::Url;
use graph_rs_sdk::{GraphClient, GraphClientConfiguration};
use http::{Request, Response, Uri};
use serde_json::json;

#[derive(Clone, Debug)]
struct Graph {
    sdk: GraphClient,
    service_root: Uri,
}

impl Graph {
    /// Archives a team.
    #[async_operation]
    async fn archive_team(&self, team_id: &str) -> Result<Response<Bytes>> {
        let archive = self.sdk.team(team_id).archive(&json!({}));
        let response = archive.send().await.map_err(Error::transport)?;
        collect(response.into()).await
    }
}

impl Client for Graph {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        // A check has no body. The SDK adds the token, and gets a new one when it has expired.
        let mut call = self.sdk.custom(request.method().clone(), None);
        *call.as_mut() = request.uri().to_string().parse().map_err(Error::transport)?;
        let call = call.headers(request.headers().clone());
        let exchange = async {
            let response = call.send().await.map_err(Error::transport)?;
            // The SDK follows redirects, without the token. A response from elsewhere is an error.
            protocol::resolve(&self.service_root, None, response.url().as_str().as_bytes())?;
            collect(response.into()).await
        };
        let time_left = TimeLeft::of(&request);
        tokio::time::timeout(time_left, exchange).await.map_err(Error::transport)?
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let simulator = Simulator::start(Options::new().life(Life::checks(1, 3))).await?;
    let graph = at_the_simulator(&simulator.service_root())?;

    let operation = graph.archive_team("00000000-0000-0000-0000-000000000001").await?;
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
    simulator.stop().await;
    Ok(())
}

/// The SDK insists on https and on the service's own hosts, except with its feature `test-util`.
/// For the real service, `GraphClient::new(token)` is enough.
fn at_the_simulator(service_root: &str) -> Result<Graph, BoxError> {
    let configuration =
        GraphClientConfiguration::new().access_token("a-token-for-the-simulator").https_only(false);
    let mut sdk = GraphClient::from(configuration);
    sdk.use_test_endpoint(&service_root.parse::<Url>()?);
    Ok(Graph { sdk, service_root: service_root.parse()? })
}
