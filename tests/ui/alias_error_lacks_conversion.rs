#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

#[derive(Debug)]
struct MyError;

type Fallible<T> = Result<T, MyError>;

impl Graph {
    #[async_operation]
    async fn archive(&self) -> Fallible<Answer> {
        self.post().await.map_err(|_| MyError)
    }
}

fn main() {}
