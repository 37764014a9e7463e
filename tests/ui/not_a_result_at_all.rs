#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

type Reply = Answer;

impl Graph {
    #[async_operation]
    async fn archive(&self) -> Reply {
        self.post().await.unwrap()
    }
}

fn main() {}
