#[path = "support/mod.rs"]
mod support;

use bytes::Bytes;
use graph_operation::{async_operation, blocking};
use support::{Answer, Graph};

impl blocking::Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &http::Uri {
        graph_operation::Client::service_root(self)
    }

    fn send(&self, _: http::Request<Bytes>) -> graph_operation::Result<Answer> {
        Ok(http::Response::default())
    }
}

impl Graph {
    #[async_operation]
    fn archive(&self) -> graph_operation::Result<String> {
        Ok(String::new())
    }
}

fn main() {}
