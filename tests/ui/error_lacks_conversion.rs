#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

#[derive(Debug)]
struct MyError;

impl Graph {
    #[async_operation]
    async fn archive(&self) -> Result<Answer, MyError> {
        self.post().await.map_err(|_| MyError)
    }
}

fn main() {}
