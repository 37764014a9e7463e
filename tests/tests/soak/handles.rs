//! A process with a handle for each operation. It starts those that were not started, and resumes the
//! others.

use std::path::Path;
use std::sync::Arc;

use graph_operation::{ErrorKind, Operation};
use tokio::sync::Semaphore;

use crate::client::{Graph, polling, runtime};
use crate::journal::{Journal, Pen};
use crate::team;

/// The number of operations at once.
const AT_ONCE: usize = 400;

pub(crate) fn work(root: &str, path: &Path, operations: usize) {
    runtime().block_on(async {
        let graph = Graph::new(root);
        let journal = Journal::read(path);
        let pen = Arc::new(Pen::open(path));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = tokio::task::JoinSet::new();
        for number in (0..operations).filter(|&number| journal.outcomes(number).is_empty()) {
            let (graph, pen, token) = (graph.clone(), Arc::clone(&pen), journal.token(number));
            let place = Arc::clone(&places).acquire_owned().await.expect("a place");
            tasks.spawn(async move {
                let operation = match token {
                    Some(token) => {
                        pen.write(number, "resumed");
                        let operation = Operation::resume(graph, token).expect("our own token");
                        operation.with_polling(polling())
                    }
                    None => start(&graph, &pen, number).await,
                };
                follow(operation, &pen, number).await;
                drop(place);
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no task panics");
        }
    });
}

/// Starts an operation, and writes its token to the journal at once.
async fn start(graph: &Graph, pen: &Pen, number: usize) -> Operation {
    let started = graph.archive_team(&team(number)).await;
    let operation = started.unwrap_or_else(|error| panic!("{}: {error:#}", team(number)));
    let token = operation.resume_token().expect("an operation was started");
    pen.write(number, &token.to_string());
    operation
}

async fn follow(mut operation: Operation, pen: &Pen, number: usize) {
    loop {
        match operation.wait().await {
            Ok(_) => return pen.write(number, "succeeded"),
            Err(error) if error.kind() == ErrorKind::Failed => return pen.write(number, "failed"),
            Err(error) => assert!(error.is_retryable(), "{}: {error:#}", team(number)),
        }
    }
}
