//! Many operations of one tenant, checked twenty in a request.

use std::time::{Duration, UNIX_EPOCH};

use graph_operation::protocol::{Poller, Received, Report, SavedSet, Set, SetStep, Start};
use graph_operation::{Client as _, Error, Polling, TeamsAsyncOperation};
use graph_operation_examples::Graph;
use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::operation::OperationClient;
use crate::steps::{self, Clock, Journal};
use crate::task::{Outcome, Submission};

/// The object's state between two requests.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptSet {
    /// The wall-clock time at which it was saved.
    at: Duration,
    /// The set's machine.
    set: SavedSet<String>,
    /// The number of the next wake. A wake with an earlier number is ignored.
    wake: u64,
}

/// The result of one wake.
#[derive(Debug)]
pub struct Turn {
    /// The state until the next wake.
    pub kept: KeptSet,
    /// The operations that have ended.
    pub ended: Vec<(String, Outcome)>,
    /// When to wake again; `None` if the set is empty.
    pub pause: Option<Duration>,
}

/// Adds operations to a set, or to a new one. A key that is already in the set is skipped.
///
/// The inner error says that the saved set is not from this version of the library, or not for this
/// service.
///
/// # Errors
///
/// The journal's.
pub async fn add<J: Journal>(
    journal: &J,
    tenant: &Tenant,
    kept: Option<KeptSet>,
    seed: u64,
    submissions: Vec<Submission>,
) -> Result<Result<KeptSet, Error>, J::Error> {
    let at = steps::now(journal).await?;
    Ok(tenant.add(kept, at, seed, submissions))
}

/// Sends what is due in one request, and returns the ends that are known then.
///
/// The inner error says that the saved set is not from this version of the library, or not for this
/// service.
///
/// # Errors
///
/// The journal's.
pub async fn turn<J: Journal>(
    journal: &J,
    tenant: &Tenant,
    kept: KeptSet,
) -> Result<Result<Turn, Error>, J::Error> {
    let graph = &tenant.graph;
    let clock = Clock::since(kept.at);
    let mut set = match tenant.restore(kept.set, clock) {
        Ok(set) => set,
        Err(error) => return Ok(Err(error)),
    };
    let intent = steps::intend(journal).await?;
    let time = UNIX_EPOCH + intent.at;
    let now = clock.instant(time);
    set.set_wall_clock(time, now);
    let mut ended = Vec::new();
    let mut asked = false;
    let pause = loop {
        let now = set.latest().max(now);
        let (request, envelope) = match set.next(now) {
            SetStep::Event(Report::Ended(key, result)) => {
                ended.push((key, outcome(result)));
                continue;
            }
            SetStep::Event(_) => continue,
            // The next request is left to another wake-up, so that the journal of this one stays short.
            SetStep::Send(_) if asked => break Some(Duration::ZERO),
            SetStep::Send(dispatch) => dispatch.request(),
            SetStep::Wait(pause, _) => break Some(pause),
            // Nothing is in flight here, and the set sends all starts itself.
            SetStep::Pending | SetStep::Start(_) | SetStep::Done => break None,
        };
        asked = true;
        let recorded = steps::send(journal, graph, &intent, request).await?;
        if let Received::Unauthorized(envelope, response) =
            set.replay(envelope, recorded, |time| clock.instant(time))
        {
            let renewed = steps::renew(journal, graph, &response).await?;
            set.authorized(envelope, &response, renewed, set.latest());
        }
    };
    let at = clock.wall(set.latest());
    let kept = KeptSet { at, set: set.save(), wake: kept.wake + 1 };
    Ok(Ok(Turn { kept, ended, pause }))
}

fn outcome(result: Result<Box<Poller>, Error>) -> Outcome {
    match result {
        Ok(poller) => Outcome::Succeeded(Box::new(poller.save())),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// The engine's object. Its key is that of a tenant, or of a part of one.
#[derive(Debug)]
pub struct Tenant {
    /// The client.
    pub graph: Graph,
    /// The policy.
    pub polling: Polling,
    /// The limit on checks and starts per second.
    pub rate: u32,
}

impl Tenant {
    fn restore(&self, saved: SavedSet<String>, clock: Clock) -> Result<Set<String>, Error> {
        let root = self.graph.service_root().clone();
        Set::restore::<TeamsAsyncOperation>(saved, root, clock.base())
    }

    fn add(
        &self,
        kept: Option<KeptSet>,
        at: Duration,
        seed: u64,
        submissions: Vec<Submission>,
    ) -> Result<KeptSet, Error> {
        let root = self.graph.service_root();
        let clock = Clock::since(kept.as_ref().map_or(at, |kept| kept.at));
        let now = clock.instant(UNIX_EPOCH + at);
        let (mut set, wake) = if let Some(kept) = kept {
            (self.restore(kept.set, clock)?, kept.wake)
        } else {
            let mut set = Set::new::<TeamsAsyncOperation>(root.clone(), now, seed);
            set.set_rate(self.rate);
            (set, 0)
        };
        for (number, Submission { key, task }) in (0..).zip(submissions) {
            let request = task.request(&self.graph)?;
            let (idempotent, seed) = (task.is_idempotent(), seed.wrapping_add(number));
            let start = Start::new::<TeamsAsyncOperation>(
                root,
                request,
                idempotent,
                self.polling,
                now,
                seed,
            )?;
            // It is in the set already, and continues.
            let _ = set.queue_request(key, start);
        }
        Ok(KeptSet { at: clock.wall(set.latest()), set: set.save(), wake: wake + 1 })
    }
}

const KEPT: &str = "kept";

#[object]
impl Tenant {
    /// Starts operations, except those whose keys are in the set.
    #[handler]
    async fn submit(
        &self,
        context: ObjectContext<'_>,
        submissions: Json<Vec<Submission>>,
    ) -> HandlerResult<()> {
        let kept = context.get::<Json<KeptSet>>(KEPT).await?.map(Json::into_inner);
        let (seed, submissions) = (context.random_seed(), submissions.into_inner());
        let kept = add(&Engine(&context), self, kept, seed, submissions).await?;
        keep(&context, kept.map_err(|error| terminal(&error))?, Some(Duration::ZERO));
        Ok(())
    }

    /// Sends what is due, unless another wake has been scheduled since.
    #[handler]
    async fn wake(&self, context: ObjectContext<'_>, number: u64) -> HandlerResult<()> {
        let Some(Json(kept)) = context.get::<Json<KeptSet>>(KEPT).await? else { return Ok(()) };
        if kept.wake != number {
            return Ok(());
        }
        let turn = turn(&Engine(&context), self, kept).await?.map_err(|error| terminal(&error))?;
        for (key, outcome) in turn.ended {
            context.object_client::<OperationClient<'_>>(key).finish(Json(outcome)).send();
        }
        keep(&context, turn.kept, turn.pause);
        Ok(())
    }

    /// The number of operations that have not ended.
    #[handler]
    async fn running(&self, context: SharedObjectContext<'_>) -> HandlerResult<Json<usize>> {
        let kept = context.get::<Json<KeptSet>>(KEPT).await?;
        Ok(Json(kept.map_or(0, |Json(kept)| kept.set.len())))
    }
}

fn terminal(error: &Error) -> TerminalError {
    TerminalError::new(error.to_string())
}

fn keep(context: &ObjectContext<'_>, kept: KeptSet, pause: Option<Duration>) {
    let wake = kept.wake;
    context.set(KEPT, Json(kept));
    if let Some(pause) = pause {
        context.object_client::<TenantClient<'_>>(context.key()).wake(wake).send_after(pause);
    }
}
