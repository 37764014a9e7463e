#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation]
    async fn archive(&self) -> graph_operation::Result<Answer> {
        let answer = self.post().await?;
        Ok(answer.status())
    }
}

fn main() {}
