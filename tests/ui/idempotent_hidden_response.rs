#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

type HttpResult = graph_operation::Result<Answer>;

impl Graph {
    #[async_operation(target = u8, idempotent)]
    fn archive(&self) -> impl Future<Output = HttpResult> {
        self.post()
    }
}

fn main() {}
