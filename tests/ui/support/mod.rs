//! A client that every case can use.
#![allow(dead_code)]

use bytes::Bytes;

pub type Answer = http::Response<Bytes>;

#[derive(Clone)]
pub struct Graph {
    root: http::Uri,
}

impl graph_operation::Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &http::Uri {
        &self.root
    }

    async fn send(&self, _: http::Request<Bytes>) -> graph_operation::Result<Answer> {
        self.post().await
    }
}

impl Graph {
    pub async fn post(&self) -> graph_operation::Result<Answer> {
        Ok(http::Response::new(Bytes::new()))
    }
}
