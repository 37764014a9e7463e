#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

struct Team;

impl Graph {
    #[async_operation(model = Team)]
    async fn archive(&self) -> graph_operation::Result<Answer> {
        self.post().await
    }
}

fn main() {}
