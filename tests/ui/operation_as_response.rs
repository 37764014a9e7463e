#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::Graph;

impl Graph {
    #[async_operation]
    async fn archive(&self) -> graph_operation::Result<graph_operation::Operation> {
        loop {}
    }
}

fn main() {}
