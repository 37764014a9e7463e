//! Operations of other families: a community of Viva Engage, and the schema of a connection.

use bytes::Bytes;
use graph_operation::{
    BoxError, Client, ConnectionOperation, EngagementAsyncOperation, Result, async_operation,
};
use graph_operation_examples::{Graph, for_the_simulator};
use graph_operation_tests::simulator::{Options, Simulator};
use http::{Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};

/// The properties of a community that this program reads.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/community>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Community {
    id: String,
    display_name: String,
}

/// Creates a community of Viva Engage.
///
/// Source: <https://learn.microsoft.com/graph/api/employeeexperience-post-communities>
#[async_operation(client = graph, model = EngagementAsyncOperation, target = Community)]
async fn create_community(graph: &Graph, name: &str) -> Result<Request<Bytes>> {
    let community = json!({ "displayName": name, "description": name, "privacy": "public" });
    graph.request_json(Method::POST, ["employeeExperience", "communities"], &community)
}

/// Registers the schema of a connection, which takes between five and fifteen minutes.
///
/// Source: <https://learn.microsoft.com/graph/api/externalconnectors-externalconnection-patch-schema>
#[async_operation(client = graph, model = ConnectionOperation, idempotent)]
async fn register_schema(
    graph: &Graph,
    connection: &str,
    schema: &Value,
) -> Result<Request<Bytes>> {
    graph.request_json(Method::PATCH, ["external", "connections", connection, "schema"], schema)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let simulator = Simulator::start(Options::new()).await?;
    let graph = Graph::new(&simulator.service_root(), "a-token-for-the-simulator")?;

    let mut operation =
        create_community(&graph, "Gardeners").await?.with_polling(for_the_simulator());
    let mut updates = operation.updates();
    while let Some(update) = updates.next().await {
        let update = update?;
        if let Some(operation) = update.operation() {
            println!("check {}: {}", update.checks(), operation.status);
        }
    }
    let community = operation.target().await?;
    println!("{} was created with the id {}", community.display_name, community.id);

    let schema = json!({
        "baseType": "microsoft.graph.externalItem",
        "properties": [{ "name": "title", "type": "String", "isSearchable": true }],
    });
    let operation = register_schema(&graph, "library", &schema).await?;
    let completed = operation.with_polling(for_the_simulator()).await?;
    let operation = completed.operation().ok_or("the service finished at once")?;
    println!("the schema of the connection was registered: {}", operation.status);
    simulator.stop().await;
    Ok(())
}
