#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation]
    fn archive(&self) -> Box<dyn Future<Output = graph_operation::Result<Answer>> + Unpin + '_> {
        Box::new(Box::pin(self.post()))
    }
}

fn main() {}
