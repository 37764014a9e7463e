//! Operations of other families: one that the library knows, and one that this program describes.

use graph_operation::{
    BoxError, EngagementAsyncOperation, Model, OperationError, Result, State, async_operation,
};
use graph_operation_examples::{Graph, for_the_simulator};
use graph_operation_tests::simulator::{Exchange, Options, Simulator};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// What this program wants to know of a community.
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
async fn create_community(graph: &Graph, name: &str) -> Result<reqwest::Response> {
    let community = json!({ "displayName": name, "description": name, "privacy": "public" });
    let request = graph.request(Method::POST, "employeeExperience/communities");
    Ok(request.json(&community).send().await?)
}

/// An operation on a connection of Microsoft Search, which the library does not know.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/externalconnectors-connectionoperation>
#[derive(Debug, Deserialize)]
struct ConnectionOperation {
    id: String,
    status: String,
    error: Option<OperationError>,
}

impl Model for ConnectionOperation {
    const TYPE: &'static str = "connectionOperation";

    fn state(&self) -> State {
        match self.status.as_str() {
            "completed" => State::Succeeded,
            "failed" => State::Failed,
            _ => State::Running,
        }
    }

    fn status(&self) -> &str {
        &self.status
    }

    fn id(&self) -> Option<&str> {
        Some(&self.id)
    }

    fn failure(&self) -> Option<OperationError> {
        self.error.clone()
    }
}

/// Registers the schema of a connection, which takes between five and fifteen minutes.
///
/// Source: <https://learn.microsoft.com/graph/api/externalconnectors-externalconnection-patch-schema>
#[async_operation(client = graph, model = ConnectionOperation, interval = "1m")]
async fn register_schema(
    graph: &Graph,
    connection: &str,
    schema: &Value,
) -> Result<reqwest::Response> {
    let path = format!("external/connections/{connection}/schema");
    Ok(graph.request(Method::PATCH, &path).json(schema).send().await?)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let simulator = Simulator::start(Options::new().replay(recorded_connection()?)).await?;
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

/// What the service answers to the registration of a schema, for the simulator to repeat: it knows
/// this family no more than the library does.
fn recorded_connection() -> Result<Vec<Exchange>, BoxError> {
    let operation = "https://graph.microsoft.com/v1.0/external/connections/library/operations/1";
    let check = |status| json!({ "path": operation, "status": 200, "body": { "id": "1", "status": status, "error": null } });
    let recorded = json!([
        {
            "method": "PATCH",
            "path": "/v1.0/external/connections/library/schema",
            "status": 202,
            "headers": { "Location": operation },
        },
        check("inprogress"),
        check("completed"),
    ]);
    Ok(Exchange::read(&recorded.to_string())?)
}
