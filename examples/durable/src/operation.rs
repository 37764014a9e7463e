//! The worker's logic, and the engine's object that runs it.

use std::future::Future;
use std::time::Duration;

use graph_operation::protocol::{Event, Machine, Poller, Saved, Start, Step, Target, resolve};
use graph_operation::{Client as _, Error, Polling, TeamsAsyncOperation};
use graph_operation_examples::Graph;
use http::Method;
use restate_sdk::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::steps::{self, Asked, Clock, Journal, ask};

/// What the object holds between two checks.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// When it was saved, by the wall clock.
    at: Duration,
    /// The machine; `None` after the end.
    machine: Option<Saved>,
    /// What there is to tell.
    pub status: Status,
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It runs.
    Running,
    /// It has succeeded, and this is the target's id.
    Succeeded(Option<String>),
    /// It was not started, has failed, or cannot be followed.
    Failed(String),
}

/// Starts an operation, and gives the first wait.
///
/// # Errors
///
/// The journal's.
pub async fn start<J: Journal>(
    journal: &J,
    graph: &Graph,
    polling: Polling,
    seed: u64,
    team_id: &str,
) -> Result<(Kept, Option<Duration>), J::Error> {
    let at = steps::now(journal).await?;
    let clock = Clock::since(at);
    let root = graph.service_root();
    let request = graph.request(Method::POST, ["teams", team_id, "archive"]);
    let start = request.and_then(|request| {
        Start::new::<TeamsAsyncOperation>(root, request, true, polling, clock.base(), seed)
    });
    let accepted = match start {
        Ok(mut start) => finish(journal, graph, &mut start, clock).await?,
        Err(error) => Err(error),
    };
    let mut poller = match accepted {
        Ok((accepted, start)) => Poller::new::<TeamsAsyncOperation>(accepted, polling, start, seed),
        Err(error) => return Ok((ended(at, Status::Failed(error.to_string())), None)),
    };
    // A new machine has not ended.
    let pause = next_wait(&mut poller).ok().flatten().unwrap_or_default();
    Ok((running(&poller, clock), Some(pause)))
}

/// Makes the check that is due, and gives the next wait; `None` after the end.
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
        Err(error) => return Ok((ended(at, Status::Failed(error.to_string())), None)),
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
    Ok((ended(clock.wall(poller.latest()), status), None))
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
    Kept { at, machine: Some(poller.save()), status: Status::Running }
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
            finish(journal, graph, &mut target, clock).await?
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

/// Drives a machine to its answer within one invocation: a start, or a target, is retried for
/// minutes at most.
async fn finish<J: Journal, M: Machine + Send>(
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

fn ended(at: Duration, status: Status) -> Kept {
    Kept { at, machine: None, status }
}

/// The engine's object: its key is the operation's.
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
    /// Archives a team, unless an operation of this key was submitted before.
    #[handler]
    async fn submit(&self, context: ObjectContext<'_>, team_id: String) -> HandlerResult<()> {
        if context.get::<Json<Kept>>(KEPT).await?.is_some() {
            return Ok(());
        }
        let seed = context.random_seed();
        let journal = Engine(&context);
        let (kept, pause) = start(&journal, &self.graph, self.polling, seed, &team_id).await?;
        keep(&context, kept, pause);
        Ok(())
    }

    /// Makes the next check.
    #[handler]
    async fn wake(&self, context: ObjectContext<'_>) -> HandlerResult<()> {
        let Some(Json(kept)) = context.get::<Json<Kept>>(KEPT).await? else { return Ok(()) };
        let (kept, pause) = wake(&Engine(&context), &self.graph, kept).await?;
        keep(&context, kept, pause);
        Ok(())
    }

    /// Where the operation stands.
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

/// The engine's journal.
struct Engine<'a, 'ctx>(&'a ObjectContext<'ctx>);

impl Journal for Engine<'_, '_> {
    type Error = TerminalError;

    fn step<T, F>(
        &self,
        name: &'static str,
        work: F,
    ) -> impl Future<Output = Result<T, TerminalError>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let step = self.0.run(move || async move { Ok(Json(work.await)) }).name(name);
        async move { step.await.map(Json::into_inner) }
    }

    fn sleep(&self, pause: Duration) -> impl Future<Output = Result<(), TerminalError>> + Send {
        self.0.sleep(pause)
    }
}
