//! The worker's logic against a journal in memory, killed in each step.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use graph_operation::Polling;
use graph_operation_durable::{Journal, Status, start, wake};
use graph_operation_examples::Graph;
use graph_operation_tests::simulator::{Life, Options, Simulator};
use serde::Serialize;
use serde::de::DeserializeOwned;

const INTERVAL: Duration = Duration::from_millis(60);

/// One invocation's journal.
#[derive(Default)]
struct Memory {
    entries: Mutex<Vec<String>>,
    /// How many steps are done until the process dies: after the work, before its result is kept.
    left: Mutex<Option<usize>>,
}

/// One run of an invocation: it reads what the runs before it have written.
struct Run<'a> {
    memory: &'a Memory,
    at: Mutex<usize>,
}

#[derive(Debug)]
struct Killed;

impl Journal for Run<'_> {
    type Error = Killed;

    async fn step<T, F>(&self, _: &'static str, work: F) -> Result<T, Killed>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let at = {
            let mut next = self.at.lock().unwrap();
            *next += 1;
            *next - 1
        };
        let known = self.memory.entries.lock().unwrap().get(at).cloned();
        if let Some(entry) = known {
            return Ok(serde_json::from_str(&entry).unwrap());
        }
        let result = work.await;
        let left = *self.memory.left.lock().unwrap();
        *self.memory.left.lock().unwrap() = left.map(|left| left.wrapping_sub(1));
        if left == Some(0) {
            return Err(Killed);
        }
        self.memory.entries.lock().unwrap().push(serde_json::to_string(&result).unwrap());
        Ok(result)
    }

    async fn sleep(&self, pause: Duration) -> Result<(), Killed> {
        tokio::time::sleep(pause.min(INTERVAL)).await;
        Ok(())
    }
}

/// Runs one operation to its end, killing the process in its `kill`th step; whether it was killed.
async fn run(graph: &Graph, kill: usize) -> (bool, Status) {
    let polling = Polling::default().first_check(Duration::ZERO).interval(INTERVAL);
    let mut kill = Some(kill);
    let mut kept: Option<String> = None;
    loop {
        let memory = Memory { left: Mutex::new(kill), ..Memory::default() };
        let (next, pause) = loop {
            let run = Run { memory: &memory, at: Mutex::new(0) };
            let outcome = match &kept {
                None => start(&run, graph, polling, 7, "team").await,
                Some(kept) => wake(&run, graph, serde_json::from_str(kept).unwrap()).await,
            };
            match outcome {
                Ok(outcome) => break outcome,
                Err(Killed) => *memory.left.lock().unwrap() = None,
            }
        };
        kill = *memory.left.lock().unwrap();
        let Some(pause) = pause else { return (kill.is_none(), next.status) };
        kept = Some(serde_json::to_string(&next).unwrap());
        tokio::time::sleep(pause).await;
    }
}

#[tokio::test]
async fn a_worker_killed_in_any_step_ends_rightly_and_checks_no_sooner() {
    let mut kills = 0;
    loop {
        let simulator = Simulator::spawn(Options::new().life(Life::checks(0, 2))).unwrap();
        let graph = Graph::new(&simulator.service_root(), "secret").unwrap();
        let (killed, status) = run(&graph, kills).await;
        assert_eq!(status, Status::Succeeded(Some("team".to_owned())), "killed in step {kills}");
        for operation in simulator.operations() {
            let closest = operation.closest_checks.unwrap_or(INTERVAL);
            assert!(closest >= INTERVAL, "{closest:?} after a kill in step {kills}");
        }
        if !killed {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 11, "start, three checks and the target have {kills} steps");
}
