//! Creates a team, reads it, and archives it, in as few lines as possible.

use bytes::Bytes;
use graph_operation::{BoxError, Client, Polling, Result, async_operation};
use http::{HeaderValue, Method, Request, Response, Uri, header::AUTHORIZATION};
use serde_json::{Value, json};

#[derive(Clone)]
struct Graph(reqwest::Client, Uri, Polling);

impl Client for Graph {
    type Error = graph_operation::Error;
    fn service_root(&self) -> &Uri {
        &self.1
    }
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer token"));
        graph_operation::reqwest::send(&self.0, request).await
    }
}

impl Graph {
    #[async_operation(polling = self.2)]
    async fn create_team(&self, team: &Value) -> Result<Request<Bytes>> {
        self.request_json(Method::POST, ["teams"], team)
    }
    #[async_operation(idempotent, polling = self.2)]
    async fn archive_team(&self, team_id: &str) -> Result<Request<Bytes>> {
        self.request(Method::POST, ["teams", team_id, "archive"])
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let origin = std::env::var("GRAPH_ORIGIN")?;
    let pause = std::time::Duration::from_millis(std::env::var("INTERVAL")?.parse()?);
    let polling = Polling::default().first_check(pause).interval(pause);
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let graph = Graph(http, format!("{origin}/v1.0").parse()?, polling);
    let template = format!("{origin}/v1.0/teamsTemplates('standard')");
    let new = json!({ "template@odata.bind": template, "displayName": "Rockets" });
    let team = graph.create_team(&new).await?.target().await?;
    graph.archive_team(team["id"].as_str().ok_or("no id")?).await?.await?;
    println!("{}", team["displayName"]);
    Ok(())
}
