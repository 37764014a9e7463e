#[path = "support/mod.rs"]
mod support;

use bytes::Bytes;
use graph_operation::async_operation;
use support::Graph;

type Pending<'a> = std::pin::Pin<
    Box<dyn Future<Output = graph_operation::Result<http::Request<Bytes>>> + Send + 'a>,
>;

impl Graph {
    #[async_operation(idempotent)]
    fn archive(&self) -> Pending<'_> {
        Box::pin(async { Ok(http::Request::new(Bytes::new())) })
    }
}

fn main() {}
