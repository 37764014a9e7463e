//! A process that follows all operations in a few sets, and now and then drops a set before its
//! end.

use std::path::Path;
use std::sync::Arc;

use graph_operation::{Client, Error, ErrorKind, OperationSet, RateLimit, ResumeToken, SetEvent};
use http::Method;

use crate::client::{Graph, polling, runtime};
use crate::journal::{Journal, Pen};
use crate::team;

/// The number of sets, which share the operations and one rate.
const SETS: usize = 4;

/// The number of operations in each set at once.
const AT_ONCE: usize = 250;

/// The number of ends after which a set is dropped, and another one resumes its tokens.
const ENDS: usize = 60;

/// High enough that no operation waits for it: only the service slows the soak down.
const RATE: u32 = 1_000_000;

pub(crate) fn work(root: &str, path: &Path, operations: usize) {
    runtime().block_on(async {
        let graph = Graph::new(root);
        let journal = Journal::read(path);
        let pen = Arc::new(Pen::open(path));
        let limit = RateLimit::new(RATE);
        let mut tasks = tokio::task::JoinSet::new();
        for first in 0..SETS {
            let numbers = (first..operations).step_by(SETS);
            let left = numbers.filter(|&number| journal.outcomes(number).is_empty());
            let left = left.map(|number| (number, journal.token(number))).collect();
            let (graph, pen, limit) = (graph.clone(), Arc::clone(&pen), limit.clone());
            tasks.spawn(async move { Worker { graph, pen, limit }.follow(left).await });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no task panics");
        }
    });
}

struct Worker {
    graph: Graph,
    pen: Arc<Pen>,
    limit: RateLimit,
}

impl Worker {
    /// Follows operations, those with a token and those that are to be started, to their ends.
    async fn follow(self, mut left: Vec<(usize, Option<ResumeToken>)>) {
        while !left.is_empty() {
            let mut set = self.set(left.drain(..left.len().min(AT_ONCE)));
            let mut ends = 0;
            while ends < ENDS
                && let Some(event) = set.next_event().await
            {
                match event {
                    SetEvent::Started(number) => self.write_token(number, &set),
                    SetEvent::Ended(number, result) => {
                        ends += 1;
                        self.ended(number, result.err(), &mut set);
                    }
                    _ => {}
                }
            }
            // Starts in progress are started again: archiving a team twice does no harm.
            left.extend(set.keys().map(|&number| (number, set.token(&number))));
        }
    }

    fn write_token(&self, number: usize, set: &OperationSet<usize>) {
        let token = set.token(&number).expect("an operation was started");
        self.pen.write(number, &token.to_string());
    }

    fn set(
        &self,
        operations: impl Iterator<Item = (usize, Option<ResumeToken>)>,
    ) -> OperationSet<usize> {
        // The clock of a set advances with its sleeps, however short they are.
        let polling = polling().no_timeout();
        let set = OperationSet::new(self.graph.clone()).polling(polling);
        let mut set = set.rate_limit(self.limit.clone());
        for (number, token) in operations {
            match token {
                Some(token) => {
                    self.pen.write(number, "resumed");
                    set.resume(number, token).expect("our own token");
                    // Its start may not have been reported yet.
                    self.write_token(number, &set);
                }
                None => self.start(number, &mut set),
            }
        }
        set
    }

    /// Half of the starts are made by the set, many in one request.
    fn start(&self, number: usize, set: &mut OperationSet<usize>) {
        let (graph, team) = (self.graph.clone(), team(number));
        if number.is_multiple_of(2) {
            let polling = polling().no_timeout();
            let starting = async move {
                Ok::<_, Error>(graph.archive_team(&team).await?.with_polling(polling))
            };
            set.start(number, starting).expect("a new key");
        } else {
            let request = graph.request(Method::POST, ["teams", &team, "archive"]);
            let request = request.expect("a path");
            set.start_request_idempotent(number, request).expect("a new key");
        }
    }

    fn ended(&self, number: usize, error: Option<Error>, set: &mut OperationSet<usize>) {
        let Some(error) = error else { return self.pen.write(number, "succeeded") };
        if error.kind() == ErrorKind::Failed {
            return self.pen.write(number, "failed");
        }
        assert!(error.is_retryable(), "{}: {error:#}", team(number));
        match error.resume_token() {
            Some(token) => set.resume(number, token).expect("our own token"),
            None => self.start(number, set),
        }
    }
}
