#![deny(unused_must_use)]

#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation]
    pub async fn archive(&self) -> graph_operation::Result<Answer> {
        self.post();
        self.post().await
    }
}

pub async fn caller(graph: &Graph) -> graph_operation::Result<()> {
    graph.archive().await?;
    Ok(())
}

fn main() {}
