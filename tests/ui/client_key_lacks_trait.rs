#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation(client = self.name())]
    async fn archive(&self) -> graph_operation::Result<Answer> {
        self.post().await
    }
}

impl Graph {
    fn name(&self) -> &str {
        "graph"
    }
}

fn main() {}
