#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::Graph;

impl Graph {
    #[async_operation]
    fn archive(&self) -> impl Future {
        self.post()
    }
}

fn main() {}
