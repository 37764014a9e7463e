#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

impl Graph {
    #[async_operation(timeout = TIMEOUT)]
    async fn archive(&self) -> graph_operation::Result<Answer> {
        self.post().await
    }

    #[async_operation(interval = std::time::Duration::from_secs(60))]
    async fn restore(&self) -> graph_operation::Result<Answer> {
        self.post().await
    }
}

fn main() {}
