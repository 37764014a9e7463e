#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

type Rev<E, T> = Result<T, E>;

impl Graph {
    #[async_operation]
    async fn archive(&self) -> Rev<graph_operation::Error, Answer> {
        self.post().await
    }

    #[async_operation]
    fn restore(&self) -> impl Future<Output = Rev<graph_operation::Error, Answer>> {
        self.post()
    }
}

fn main() {}
