#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation]
    async fn archive(&self) -> Option<Answer> {
        self.post().await.ok()
    }
}

fn main() {}
