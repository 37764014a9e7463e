#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation]
    fn archive(&self) -> graph_operation::Result<Answer> {
        Ok(http::Response::new(bytes::Bytes::new()))
    }
}

fn main() {}
