#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

mod my_sdk {}

impl Graph {
    #[async_operation(crate = crate::my_sdk::graph_operation, target = u8)]
    fn archive(&self) -> graph_operation::Result<Answer> {
        unimplemented!()
    }
}

fn main() {}
