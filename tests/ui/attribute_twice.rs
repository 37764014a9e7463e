#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation(timeout = "20m")]
    #[async_operation]
    async fn archive(&self) -> graph_operation::Result<Answer> {
        self.post().await
    }
}

async fn caller(graph: &Graph) -> graph_operation::Result<()> {
    let _: graph_operation::Operation = graph.archive().await?;
    Ok(())
}

fn main() {}
