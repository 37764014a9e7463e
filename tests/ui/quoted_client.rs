#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

struct Teams {
    graph: Graph,
}

impl Teams {
    #[async_operation(client = "self.graph")]
    async fn archive(&self) -> graph_operation::Result<Answer> {
        self.graph.post().await
    }
}

fn main() {}
