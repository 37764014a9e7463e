#[path = "support/mod.rs"]
mod support;

use graph_operation::async_operation;
use support::{Answer, Graph};

type Posted<'a> =
    std::pin::Pin<Box<dyn Future<Output = graph_operation::Result<Answer>> + Send + 'a>>;

type Pending<'a, T> =
    std::pin::Pin<Box<dyn Future<Output = graph_operation::Result<T>> + Send + 'a>>;

impl Graph {
    #[async_operation]
    fn archive(&self) -> Posted<'_> {
        Box::pin(self.post())
    }

    #[async_operation(map_err = std::convert::identity)]
    fn restore(&self) -> Pending<'_, Answer> {
        Box::pin(self.post())
    }
}

fn main() {}
