#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

#[derive(Debug)]
struct MyError;

impl Graph {
    #[async_operation]
    fn archive(&self) -> impl Future<Output = Result<Answer, MyError>> {
        async { self.post().await.map_err(|_| MyError) }
    }
}

fn main() {}
