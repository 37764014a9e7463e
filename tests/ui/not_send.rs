#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation]
    pub async fn archive(&self) -> graph_operation::Result<Answer> {
        let shared = std::rc::Rc::new(1);
        let answer = self.post().await;
        drop(shared);
        answer
    }
}

fn require_send<T: Send>(_: T) {}

pub fn caller(graph: &Graph) {
    require_send(graph.archive());
}

fn main() {}
