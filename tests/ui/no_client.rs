#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

#[async_operation]
async fn archive(graph: &Graph) -> graph_operation::Result<Answer> {
    graph.post().await
}

async fn caller(graph: &Graph) -> graph_operation::Result<graph_operation::Operation> {
    archive(graph).await
}

fn main() {}
