#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation]
    fn archive(&self) -> impl Future<Output = graph_operation::Result<Answer>> {
        async { Ok(String::new()) }
    }
}

fn main() {}
