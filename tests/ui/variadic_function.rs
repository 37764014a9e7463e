#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation]
    unsafe extern "C" fn archive(&self, args: ...) -> graph_operation::Result<Answer> {
        todo!()
    }
}

fn main() {}
