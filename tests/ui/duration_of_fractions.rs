#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation(timeout = "1.5h")]
    async fn archive(&self) -> graph_operation::Result<Answer> {
        self.post().await
    }
}

fn main() {}
