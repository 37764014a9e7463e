#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::Graph;

impl Graph {
    #[async_operation]
    async fn archive(&self) {
        let _ = self.post().await;
    }
}

fn main() {}
