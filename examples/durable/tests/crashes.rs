//! The worker's logic against a journal in memory, killed in each step.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use graph_operation::Polling;
use graph_operation_durable::{
    Journal, KeptSet, Outcome, Status, Submission, Task, Tenant, add, finish, start, turn, wake,
};
use graph_operation_examples::Graph;
use graph_operation_tests::simulator::{Life, Options, Simulator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

/// The last place at which a start that is not idempotent dies before its own intent.
const FIRST_LOOK: usize = 5;

const INTERVAL: Duration = Duration::from_millis(60);

/// More operations than fit in a batch.
const TOGETHER: usize = 25;

/// The journal of an object's invocations, and the process that dies once.
struct Memory {
    /// The entries of the current invocation.
    entries: Mutex<Vec<String>>,
    /// How many places the process passes before it dies. Each step has two: before the work, and
    /// after it, before its result is stored.
    left: Mutex<Option<usize>>,
}

/// One run of an invocation, which reads what earlier runs have written.
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
        self.memory.live_on()?;
        let result = work.await;
        self.memory.live_on()?;
        let entry = serde_json::to_string(&result).unwrap();
        assert!(!entry.contains("secret"), "the token is in the journal");
        self.memory.entries.lock().unwrap().push(entry);
        Ok(result)
    }

    async fn sleep(&self, pause: Duration) -> Result<(), Killed> {
        sleep(pause.min(INTERVAL)).await;
        Ok(())
    }
}

impl Memory {
    fn killed_at(place: usize) -> Self {
        Self { entries: Mutex::default(), left: Mutex::new(Some(place)) }
    }

    fn never_killed() -> Self {
        Self { entries: Mutex::default(), left: Mutex::new(None) }
    }

    fn live_on(&self) -> Result<(), Killed> {
        let mut left = self.left.lock().unwrap();
        let dies = *left == Some(0);
        *left = left.and_then(|left| left.checked_sub(1));
        if dies { Err(Killed) } else { Ok(()) }
    }

    fn was_killed(&self) -> bool {
        self.left.lock().unwrap().is_none()
    }

    /// Runs an invocation again until it is not killed.
    async fn invoke<T>(&self, work: impl AsyncFn(&Run<'_>) -> Result<T, Killed>) -> T {
        self.entries.lock().unwrap().clear();
        loop {
            if let Ok(result) = work(&Run { memory: self, at: Mutex::new(0) }).await {
                return result;
            }
        }
    }
}

/// An object's state, as the engine stores it.
fn written<T: Serialize>(kept: &T) -> String {
    serde_json::to_string(kept).unwrap()
}

fn read<T: DeserializeOwned>(kept: &str) -> T {
    serde_json::from_str(kept).unwrap()
}

fn polling() -> Polling {
    Polling::default().first_check(Duration::ZERO).interval(INTERVAL)
}

/// Runs one operation to its end, and returns how it ended, and how often.
async fn run(graph: &Graph, memory: &Memory, task: &Task) -> (Status, u32) {
    let begin = memory.invoke(async |run| start(run, graph, polling(), 7, task).await);
    let (mut kept, mut pause) = begin.await;
    while let Some(next) = pause {
        sleep(next).await;
        let text = written(&kept);
        (kept, pause) = memory.invoke(async |run| wake(run, graph, read(&text)).await).await;
    }
    (kept.status, kept.ends)
}

/// Runs the operations of a tenant to their ends. Returns how each ended, and how often.
async fn run_set(tenant: &Tenant, memory: &Memory) -> HashMap<String, (Status, u32)> {
    let teams = (0..TOGETHER).map(|team| format!("team-{team}"));
    let submissions: Vec<Submission> =
        teams.map(|team| Submission { key: team.clone(), task: Task::Archive { team } }).collect();
    let (first, second) = submissions.split_at(TOGETHER / 2);
    let mut kept: Option<KeptSet> = None;
    for submissions in [first, first, second] {
        let text = kept.as_ref().map(written);
        let added = memory.invoke(async |run| {
            let kept = text.as_deref().map(read);
            add(run, tenant, kept, 7, submissions.to_vec()).await
        });
        kept = Some(added.await.unwrap());
    }
    let mut ends: HashMap<String, String> = HashMap::new();
    let mut kept = written(&kept.unwrap());
    loop {
        let woken = memory.invoke(async |run| turn(run, tenant, read(&kept)).await);
        let turned = woken.await.unwrap();
        for (key, outcome) in turned.ended {
            assert!(matches!(outcome, Outcome::Succeeded(_)), "{key}: {outcome:?}");
            let (text, before) = (written(&outcome), ends.get(&key).cloned());
            let memory = Memory::never_killed();
            let finished = memory.invoke(async |run| {
                let before = before.as_deref().map(read);
                finish(run, &tenant.graph, before, read(&text)).await
            });
            ends.insert(key, written(&finished.await));
        }
        let Some(pause) = turned.pause else { break };
        kept = written(&turned.kept);
        sleep(pause).await;
    }
    let ended = |(key, text): (String, String)| {
        let kept: graph_operation_durable::Kept = read(&text);
        (key, (kept.status, kept.ends))
    };
    ends.into_iter().map(ended).collect()
}

/// No two checks of one operation were closer than the policy allows.
fn assert_pace(simulator: &Simulator, kill: usize) {
    for operation in simulator.operations() {
        let closest = operation.closest_checks.unwrap_or(INTERVAL);
        assert!(closest >= INTERVAL, "{closest:?} after a kill at {kill}");
    }
}

fn simulator() -> (Simulator, Graph) {
    let options = Options::new().team("team").life(Life::checks(0, 2));
    let simulator = Simulator::spawn(options).unwrap();
    let graph = Graph::new(&simulator.service_root(), "secret").unwrap();
    (simulator, graph)
}

#[tokio::test]
async fn a_worker_killed_anywhere_ends_as_expected_and_checks_no_sooner() {
    let task = Task::Archive { team: "team".to_owned() };
    for kill in 0.. {
        let (simulator, graph) = simulator();
        let memory = Memory::killed_at(kill);
        let ended = run(&graph, &memory, &task).await;
        let target = Status::Succeeded(Some("team".to_owned()));
        assert_eq!(ended, (target, 1), "killed at {kill}");
        assert_pace(&simulator, kill);
        if !memory.was_killed() {
            assert!(kill >= 22, "start, three checks and the target have {kill} places");
            return;
        }
    }
}

#[tokio::test]
async fn the_operation_of_a_start_that_is_not_idempotent_is_searched_for_before_a_retry() {
    let channel =
        |name: &str| Task::CreateChannel { team: "team".to_owned(), name: name.to_owned() };
    let mut doubts = 0;
    for kill in 0.. {
        let (simulator, graph) = simulator();
        // An operation that was there before is not mistaken for it.
        run(&graph, &Memory::never_killed(), &channel("old")).await;
        let memory = Memory::killed_at(kill);
        let (status, ends) = run(&graph, &memory, &channel("new")).await;
        let operations = simulator.operations();
        assert_eq!(operations.len(), 2, "killed at {kill}");
        let target = operations.last().unwrap().target_id.clone();
        assert_eq!((status, ends), (Status::Succeeded(Some(target)), 1), "killed at {kill}");
        assert_pace(&simulator, kill);
        if !memory.was_killed() {
            assert_eq!(doubts, 2, "killed before the start was sent, and after");
            return;
        }
        let requests = simulator.requests();
        let looks = requests.iter().filter(|request| request.path.ends_with("/operations"));
        // Up to that place, the first look itself is repeated.
        doubts += usize::from(kill > FIRST_LOOK && looks.count() == 3);
    }
}

#[tokio::test]
async fn a_set_killed_anywhere_ends_each_operation_once_and_checks_no_sooner() {
    let mut most = 0;
    for kill in 0.. {
        let (simulator, graph) = simulator();
        let tenant = Tenant { graph, polling: polling(), rate: 10_000 };
        let memory = Memory::killed_at(kill);
        let ends = run_set(&tenant, &memory).await;
        assert_eq!(ends.len(), TOGETHER, "killed at {kill}");
        for (team, end) in ends {
            assert_eq!(end, (Status::Succeeded(Some(team)), 1), "killed at {kill}");
        }
        assert_pace(&simulator, kill);
        let counts = simulator.counts();
        most = most.max(counts.starts);
        assert!(counts.requests < counts.checks + counts.starts, "{counts:?}");
        if !memory.was_killed() {
            assert_eq!(
                most, 45,
                "the starts of one batch are retried, because their results are unknown"
            );
            assert!(kill >= 20, "{kill}");
            return;
        }
    }
}
