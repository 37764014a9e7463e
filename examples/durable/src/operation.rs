//! One operation: started, checked and read by the steps of a journal.

use std::time::Duration;

use graph_operation::protocol::{
    Accepted, Event, Machine, Poller, Saved, Start, Started, Step, Target, resolve,
};
use graph_operation::{Client as _, Error, ErrorKind, Polling, TeamsAsyncOperation};
use graph_operation_examples::Graph;
use http::{StatusCode, Uri};
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::steps::{self, Asked, Clock, Journal, ask};
use crate::task::{Outcome, Task};

/// The object's state between two checks.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The wall-clock time at which it was saved.
    at: Duration,
    /// The machine; `None` after the operation has ended.
    machine: Option<Saved>,
    /// The status to report.
    pub status: Status,
    /// How many times it has ended: at most once, unless there is a bug.
    pub ends: u32,
}

/// The status of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It is running.
    Running,
    /// It has succeeded, and this is the target's id.
    Succeeded(Option<String>),
    /// It was not started, has failed, or cannot be followed.
    Failed(String),
}

/// Starts an operation, and returns the first wait.
///
/// # Errors
///
/// The journal's.
pub async fn start<J: Journal>(
    journal: &J,
    graph: &Graph,
    polling: Polling,
    seed: u64,
    task: &Task,
) -> Result<(Kept, Option<Duration>), J::Error> {
    let at = steps::now(journal).await?;
    let clock = Clock::since(at);
    let starting = Starting { journal, graph, polling, seed, clock };
    let accepted = if task.is_idempotent() {
        starting.send(task).await?
    } else {
        starting.send_or_find(task).await?
    };
    let mut poller = match accepted {
        Ok((accepted, start)) => Poller::new::<TeamsAsyncOperation>(accepted, polling, start, seed),
        Err(error) => return Ok((ended(at, Status::Failed(error.to_string()), 0), None)),
    };
    // A new machine has not ended.
    let pause = next_wait(&mut poller).ok().flatten().unwrap_or_default();
    Ok((running(&poller, clock), Some(pause)))
}

/// How many times a start is sent if its operation cannot be found afterwards.
const STARTS: u32 = 3;

/// How long after a start without a response the team's operations are listed.
const SETTLING: Duration = Duration::from_secs(30);

/// How long the list of a team's operations may be unavailable.
const PATIENCE: Duration = Duration::from_secs(60);

/// A start, within one invocation.
struct Starting<'a, J> {
    journal: &'a J,
    graph: &'a Graph,
    polling: Polling,
    seed: u64,
    clock: Clock,
}

impl<J: Journal> Starting<'_, J> {
    async fn send(&self, task: &Task) -> Result<Finished<Accepted>, J::Error> {
        let start = task.request(self.graph).and_then(|request| {
            let (root, now) = (self.graph.service_root(), self.clock.base());
            let (idempotent, seed) = (task.is_idempotent(), self.seed);
            Start::new::<TeamsAsyncOperation>(root, request, idempotent, self.polling, now, seed)
        });
        match start {
            Ok(mut start) => drive(self.journal, self.graph, &mut start, self.clock).await,
            Err(error) => Ok(Err(error)),
        }
    }

    /// The same for a request that must not be carried out twice. If it may have been carried out,
    /// the team's operations are searched for a new one before it is retried.
    ///
    /// Two operations of one kind that are started on one team at the same time cannot be
    /// distinguished.
    async fn send_or_find(&self, task: &Task) -> Result<Finished<Accepted>, J::Error> {
        let known = match self.operations(task.team()).await? {
            Ok((operations, _)) => operations,
            Err(error) => return Ok(Err(error)),
        };
        let mut starts = 1;
        loop {
            let error = match self.send(task).await? {
                Err(error) if may_have_been_carried_out(&error) => error,
                result => return Ok(result),
            };
            // A request that is still on its way has arrived by then.
            self.journal.sleep(SETTLING).await?;
            let Ok((operations, now)) = self.operations(task.team()).await? else {
                return Ok(Err(error));
            };
            let new = operations.into_iter().find(|(id, kind)| {
                *kind == task.operation_type() && !known.iter().any(|(known, _)| known == id)
            });
            if let Some((id, _)) = new {
                let at = self.address(&["teams", task.team(), "operations", &id]);
                return Ok(at.map(|at| (Started::at(at).into(), now)));
            }
            if starts == STARTS {
                return Ok(Err(error));
            }
            starts += 1;
        }
    }

    /// The ids and types of a team's operations.
    async fn operations(&self, team: &str) -> Result<Finished<Vec<(String, String)>>, J::Error> {
        let at = match self.address(&["teams", team, "operations"]) {
            Ok(at) => at,
            Err(error) => return Ok(Err(error)),
        };
        let polling = self.polling.target_patience(PATIENCE);
        let mut list = Target::new(at, polling, self.clock.base(), self.seed);
        let listed = drive(self.journal, self.graph, &mut list, self.clock).await?;
        Ok(listed.and_then(|(response, now)| {
            let list = serde_json::from_slice::<List>(response.body()).map_err(Error::transport)?;
            let operations = list.value.into_iter();
            Ok((operations.map(|listed| (listed.id, listed.operation_type)).collect(), now))
        }))
    }

    fn address(&self, segments: &[&str]) -> Result<Uri, Error> {
        resolve(self.graph.service_root(), None, self.graph.url_of(segments)?.as_bytes())
    }
}

/// The first page of a team's operations; a team has few.
#[derive(Deserialize)]
struct List {
    value: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    operation_type: String,
}

fn may_have_been_carried_out(error: &Error) -> bool {
    let in_doubt = |status: StatusCode| matches!(status.as_u16(), 408 | 500 | 502 | 504);
    error.status().map_or(error.kind() == ErrorKind::Transport, in_doubt)
}

/// Sends the check that is due, and returns the next wait; `None` after the operation has ended.
///
/// # Errors
///
/// The journal's.
pub async fn wake<J: Journal>(
    journal: &J,
    graph: &Graph,
    kept: Kept,
) -> Result<(Kept, Option<Duration>), J::Error> {
    let Some(saved) = kept.machine else { return Ok((kept, None)) };
    let (at, clock) = (kept.at, Clock::since(kept.at));
    let root = graph.service_root();
    let mut poller = match Poller::restore::<TeamsAsyncOperation>(saved, root, clock.base()) {
        Ok(poller) => poller,
        Err(error) => {
            let status = Status::Failed(error.to_string());
            return Ok((ended(at, status, kept.ends), None));
        }
    };
    let status = match ask(journal, graph, &mut poller, clock).await? {
        Asked::Sent(Event::Failed(error)) | Asked::Done(Err(error)) => {
            Status::Failed(error.to_string())
        }
        _ => match next_wait(&mut poller) {
            Ok(Some(pause)) => return Ok((running(&poller, clock), Some(pause))),
            Ok(None) => read(journal, graph, &poller, clock).await?,
            Err(error) => Status::Failed(error.to_string()),
        },
    };
    Ok((ended(clock.wall(poller.latest()), status, kept.ends), None))
}

/// Takes the result of an operation that a tenant's set has followed, and reads its target.
///
/// # Errors
///
/// The journal's.
pub async fn finish<J: Journal>(
    journal: &J,
    graph: &Graph,
    kept: Option<Kept>,
    outcome: Outcome,
) -> Result<Kept, J::Error> {
    let at = steps::now(journal).await?;
    let clock = Clock::since(at);
    let status = match outcome {
        Outcome::Failed(message) => Status::Failed(message),
        Outcome::Succeeded(saved) => {
            let root = graph.service_root();
            match Poller::restore::<TeamsAsyncOperation>(*saved, root, clock.base()) {
                Ok(poller) => read(journal, graph, &poller, clock).await?,
                Err(error) => Status::Failed(error.to_string()),
            }
        }
    };
    Ok(ended(at, status, kept.map_or(0, |kept| kept.ends)))
}

/// How long until the next check; `None` once the operation has succeeded.
fn next_wait(poller: &mut Poller) -> Result<Option<Duration>, Error> {
    let now = poller.latest();
    match poller.next(now) {
        Step::Wait(pause, _) => Ok(Some(pause)),
        Step::Send(_) => Ok(Some(Duration::ZERO)),
        Step::Done(result) => result.map(|()| None),
    }
}

fn running(poller: &Poller, clock: Clock) -> Kept {
    let at = clock.wall(poller.latest());
    Kept { at, machine: Some(poller.save()), status: Status::Running, ends: 0 }
}

/// Reads the target of an operation that has succeeded.
async fn read<J: Journal>(
    journal: &J,
    graph: &Graph,
    poller: &Poller,
    clock: Clock,
) -> Result<Status, J::Error> {
    let operation = poller.operation::<TeamsAsyncOperation>();
    let location = operation.as_ref().and_then(|operation| {
        Some(operation.target_resource_location.as_ref()?.as_bytes().to_vec())
    });
    let Some(location) = location else { return Ok(Status::Succeeded(None)) };
    let target = match resolve(graph.service_root(), poller.location(), &location) {
        Ok(location) => {
            let seed = u64::from(poller.checks());
            let mut target = Target::new(location, *poller.polling(), poller.latest(), seed);
            drive(journal, graph, &mut target, clock).await?
        }
        Err(error) => Err(error),
    };
    Ok(match target {
        Ok((response, _)) => {
            let team = serde_json::from_slice::<serde_json::Value>(response.body());
            let id = team.ok().and_then(|team| Some(team.get("id")?.as_str()?.to_owned()));
            Status::Succeeded(id)
        }
        Err(error) => Status::Failed(error.to_string()),
    })
}

/// The answer and its instant.
type Finished<A> = Result<(A, std::time::Instant), Error>;

/// Drives a machine to its answer within one invocation: a start or a target is retried for minutes
/// at most.
async fn drive<J: Journal, M: Machine + Send>(
    journal: &J,
    graph: &Graph,
    machine: &mut M,
    clock: Clock,
) -> Result<Finished<M::Answer>, J::Error>
where
    M::Answer: Send,
{
    loop {
        match ask(journal, graph, machine, clock).await? {
            Asked::Wait(pause) => journal.sleep(pause).await?,
            Asked::Sent(Event::Received(answer)) => return Ok(Ok((answer, machine.latest()))),
            Asked::Sent(Event::Failed(error)) | Asked::Done(Err(error)) => return Ok(Err(error)),
            Asked::Sent(_) | Asked::Done(Ok(())) => {}
        }
    }
}

/// The state after one more end.
fn ended(at: Duration, status: Status, before: u32) -> Kept {
    Kept { at, machine: None, status, ends: before + 1 }
}

/// The engine's object. Its key is the operation's.
#[derive(Debug)]
pub struct Operation {
    /// The client.
    pub graph: Graph,
    /// The policy.
    pub polling: Polling,
}

const KEPT: &str = "kept";

#[object]
impl Operation {
    /// Starts an operation, unless one with this key was submitted before.
    #[handler]
    async fn submit(&self, context: ObjectContext<'_>, task: Json<Task>) -> HandlerResult<()> {
        if context.get::<Json<Kept>>(KEPT).await?.is_some() {
            return Ok(());
        }
        let seed = context.random_seed();
        let journal = Engine(&context);
        let (kept, pause) = start(&journal, &self.graph, self.polling, seed, &task.0).await?;
        keep(&context, kept, pause);
        Ok(())
    }

    /// Sends the next check.
    #[handler]
    async fn wake(&self, context: ObjectContext<'_>) -> HandlerResult<()> {
        let Some(Json(kept)) = context.get::<Json<Kept>>(KEPT).await? else { return Ok(()) };
        let (kept, pause) = wake(&Engine(&context), &self.graph, kept).await?;
        keep(&context, kept, pause);
        Ok(())
    }

    /// Takes the result of an operation that a tenant's set has followed.
    #[handler]
    async fn finish(
        &self,
        context: ObjectContext<'_>,
        outcome: Json<Outcome>,
    ) -> HandlerResult<()> {
        let kept = context.get::<Json<Kept>>(KEPT).await?.map(Json::into_inner);
        let kept = finish(&Engine(&context), &self.graph, kept, outcome.into_inner()).await?;
        keep(&context, kept, None);
        Ok(())
    }

    /// The status of the operation.
    #[handler]
    async fn status(
        &self,
        context: SharedObjectContext<'_>,
    ) -> HandlerResult<Json<Option<Status>>> {
        let kept = context.get::<Json<Kept>>(KEPT).await?;
        Ok(Json(kept.map(|Json(kept)| kept.status)))
    }
}

fn keep(context: &ObjectContext<'_>, kept: Kept, pause: Option<Duration>) {
    context.set(KEPT, Json(kept));
    if let Some(pause) = pause {
        context.object_client::<OperationClient<'_>>(context.key()).wake().send_after(pause);
    }
}
