use graph_operation::async_operation;

#[async_operation]
pub struct Archive;

fn main() {}
