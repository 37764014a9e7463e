use graph_operation::async_operation;

#[async_operation]
trait Teams {}

fn main() {}
