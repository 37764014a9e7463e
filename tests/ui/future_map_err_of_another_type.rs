#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

#[derive(Debug)]
struct MyError;

fn my_error(_: graph_operation::Error) -> String {
    String::new()
}

impl Graph {
    #[async_operation(map_err = my_error)]
    fn archive(&self) -> impl Future<Output = Result<Answer, MyError>> {
        async { self.post().await.map_err(|_| MyError) }
    }
}

fn main() {}
