#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation(tmeout = "1h", interval = "soon")]
    const fn archive() {
        loop {}
    }
}

fn main() {}
