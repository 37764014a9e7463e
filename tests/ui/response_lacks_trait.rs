#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::Graph;

impl Graph {
    #[async_operation]
    async fn archive(&self) -> graph_operation::Result<String> {
        let _ = self.post().await?;
        Ok(String::new())
    }
}

fn main() {}
