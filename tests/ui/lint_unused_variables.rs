#![deny(unused_variables, unused_mut)]

#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

impl Graph {
    #[async_operation]
    pub async fn unused(&self, reference: &str, value: String, mut other: String) -> graph_operation::Result<Answer> {
        let _ = other;
        self.post().await
    }
}

fn main() {}
