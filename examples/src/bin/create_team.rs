//! Creates a team: shows the progress of its parts, and reads the team as a value of its own type.

use bytes::Bytes;
use graph_operation::{BoxError, Client, Result, async_operation};
use graph_operation_examples::{Graph, Progress, for_the_simulator};
use graph_operation_tests::simulator::{Life, Options, Simulator, Span};
use http::{Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};

/// The properties of a team that this program reads.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/team>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Team {
    id: String,
    display_name: String,
}

/// Creates a team.
///
/// Source: <https://learn.microsoft.com/graph/api/team-post>
#[async_operation(client = graph, target = Team, timeout = "20m")]
async fn create_team(graph: &Graph, team: &Value) -> Result<Request<Bytes>> {
    graph.request_json(Method::POST, ["teams"], team)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // As with the real service, the team cannot be read at once after its operation has succeeded.
    let options = Options::new().life(Life::checks(1, 6)).readable_after(Span::Checks(1));
    let simulator = Simulator::start(options).await?;
    let graph = Graph::new(&simulator.service_root(), "a-token-for-the-simulator")?;

    let team = json!({
        "template@odata.bind": graph_template("educationClass"),
        "displayName": "Algebra",
        "channels": [{ "displayName": "Homework" }, { "displayName": "Exams" }],
        "installedApps": [
            { "teamsApp@odata.bind": graph_app("com.microsoft.teamspace.tab.youtube") },
            { "teamsApp@odata.bind": graph_app("com.microsoft.teamspace.tab.planner") },
        ],
    });
    let mut operation = create_team(&graph, &team).await?.with_polling(for_the_simulator());
    println!("accepted: {}", operation.target_hint().unwrap_or("a team"));

    let line = Progress::new().line("Algebra");
    let mut updates = operation.updates();
    while let Some(update) = updates.next().await {
        line.show(&update?);
    }
    line.say("succeeded, waiting until it can be read");
    let team = operation.target().await?;
    line.end("created");

    println!("{} was created with the id {}", team.display_name, team.id);
    simulator.stop().await;
    Ok(())
}

fn graph_template(name: &str) -> String {
    format!("https://graph.microsoft.com/v1.0/teamsTemplates('{name}')")
}

fn graph_app(name: &str) -> String {
    format!("https://graph.microsoft.com/v1.0/appCatalogs/teamsApps('{name}')")
}
