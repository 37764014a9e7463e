//! Copies a file. The operation is monitored on another host, which must not get the token.

use bytes::Bytes;
use graph_operation::{BoxError, Client, DriveItemCopy, Progress, Result, async_operation};
use graph_operation_examples::{Graph, for_the_simulator};
use graph_operation_tests::simulator::{Life, Options, Origin, Simulator};
use http::{Method, Request};
use serde::Deserialize;
use serde_json::json;

/// The drive that the file is in, and the one that it is copied to.
const FROM: &str = "b!from";
const TO: &str = "b!to";

/// The properties of a file that this program reads.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/driveitem>
#[derive(Debug, Deserialize)]
struct DriveItem {
    id: String,
    name: String,
}

/// Copies a file into a folder of the drive [`TO`]. The request is not retried if it may have been
/// carried out, because that could make a second copy.
///
/// Source: <https://learn.microsoft.com/graph/api/driveitem-copy>
#[async_operation(client = graph, model = DriveItemCopy, target = DriveItem)]
async fn copy_file(graph: &Graph, file: &str, folder: &str, name: &str) -> Result<Request<Bytes>> {
    let parent = json!({ "driveId": TO, "id": folder });
    let copy = json!({ "parentReference": parent, "name": name });
    graph.request_json(Method::POST, ["drives", FROM, "items", file, "copy"], &copy)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let simulator = Simulator::start(Options::new().life(Life::checks(1, 3))).await?;
    let graph = Graph::new(&simulator.service_root(), "a-token-for-the-simulator")?;

    // The address of the monitor is a secret. The resume token contains it, so keep the token safe.
    let operation = copy_file(&graph, "report", "archive", "report-2025.docx").await?;
    let mut operation = operation.with_polling(for_the_simulator());
    let completed = operation
        .wait_with(|update| {
            if let Some(percent) = update.progress().and_then(Progress::percent) {
                println!("check {}: {percent:.0} %", update.checks());
            }
        })
        .await?;

    // The monitor says the new file's id. Only the request said which drive it is in.
    let copy = completed.target_at(|id| format!("/drives/{TO}/items/{id}")).await?;
    println!("{} was created with the id {}", copy.name, copy.id);

    let requests = simulator.requests();
    let checks = requests.iter().filter(|request| request.origin == Origin::Monitor);
    let (with_token, without): (Vec<_>, Vec<_>) =
        checks.partition(|request| request.authorization.is_some());
    println!("checks without the token: {}, with it: {}", without.len(), with_token.len());
    simulator.stop().await;
    Ok(())
}
