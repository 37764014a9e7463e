//! The asynchronous handle.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use futures_core::Stream;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::connection::{Check, Connection, connect};
use crate::handle::{Handle, Pace, Plan, Turn};
use crate::mirrored::{completed_accessors, operation_accessors, operation_constructors};
use crate::model::{Model, Reader, State};
use crate::outcome::{Outcome, Target};
use crate::protocol::{Answer, Polling, TargetStep};
use crate::trace::Span;
use crate::{Client, Response, Result, ResumeToken, TeamsAsyncOperation, Update};

/// A long-running operation of Microsoft Graph: accepted, perhaps still running.
///
/// Awaiting it polls by the policy until the operation ends, and gives [`Completed`]. Everything
/// else it can do keeps it: [`poll`](Self::poll) checks once, [`updates`](Self::updates) shows each
/// check, [`wait`](Self::wait) can be dropped and called again, [`target`](Self::target) waits and
/// reads the result.
///
/// `T` is what the target deserializes to, `M` the operation's [`Model`]. The type does not depend
/// on the client: an operation can be stored, sent and spawned as it is.
#[must_use = "an operation runs on without its handle, but nobody learns how it ends"]
pub struct Operation<T = Value, M = TeamsAsyncOperation> {
    handle: Handle,
    connection: Arc<dyn Connection>,
    types: PhantomData<fn() -> (T, M)>,
}

/// # Starting, without the attribute
impl Operation {
    /// Reads the answer to a request that starts an operation.
    pub async fn from_response(client: impl Client, response: impl Response) -> Result<Self> {
        Self::from_response_as(client, response).await
    }

    /// The same for an operation of another model.
    pub async fn from_response_as<M: Model>(
        client: impl Client,
        response: impl Response,
    ) -> Result<Operation<Value, M>> {
        let answer = response.into_answer().await?;
        let operation = Operation::accept(client, Reader::of::<M>(), Polling::default(), answer)?;
        Ok(operation.typed())
    }
}

operation_constructors!();

impl Operation {
    /// Sends a request that starts an operation.
    pub(crate) fn begin<C: Client>(
        client: C,
        reader: Reader,
        polling: Polling,
        request: http::Request<Bytes>,
        idempotent: bool,
    ) -> Starting {
        let _ = idempotent;
        Starting(Box::pin(async move {
            let answer = match client.send(request).await {
                Ok(answer) => Answer::from(answer),
                Err(error) => {
                    return Err(crate::Error::new(
                        crate::ErrorKind::Transport,
                        "the request failed",
                    )
                    .with_source(error));
                }
            };
            Operation::accept(client, reader, polling, answer)
        }))
    }
}

/// An operation that is being started.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Starting(Pin<Box<dyn Future<Output = Result<Operation>> + Send>>);

impl Future for Starting {
    type Output = Result<Operation>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<T, M: Model> Operation<T, M> {
    /// Sends one check now, whatever the policy says.
    ///
    /// After the end it sends nothing and gives the last update again. That the operation failed is
    /// no error here: the update tells.
    ///
    /// # Errors
    ///
    /// Any fault, also a passing one. The operation can be polled and waited for as before.
    pub async fn poll(&mut self) -> Result<Update<M>> {
        match self.turn(Pace::Now).await {
            Turn::Updated | Turn::Nothing => Ok(self.update()),
            Turn::Failed(error) => Err(error),
        }
    }

    /// Polls by the policy until the operation has succeeded.
    ///
    /// The future may be dropped at any time, and `wait` called again: the time since the last
    /// check counts, and so does the time to the deadline.
    ///
    /// # Errors
    ///
    /// [`Failed`](crate::ErrorKind::Failed) if the operation did,
    /// [`TimedOut`](crate::ErrorKind::TimedOut) if it did neither before the deadline, and otherwise
    /// the fault that was not worth another try.
    pub async fn wait(&mut self) -> Result<Completed<T, M>> {
        let mut check = None;
        poll_fn(|cx| self.poll_wait(&mut check, cx)).await
    }

    /// Polls by the policy and gives each snapshot as it arrives, until the operation has ended.
    ///
    /// That the operation failed is no error here: the last update tells, and so does a
    /// [`wait`](Self::wait) afterwards. An error ends the updates and leaves the operation as it was;
    /// pass it on with `?`, because a wait would begin anew.
    ///
    /// ```no_run
    /// # async fn example(mut operation: graph_operation::Operation) -> graph_operation::Result<()> {
    /// let mut updates = operation.updates();
    /// while let Some(update) = updates.next().await {
    ///     let update = update?;
    ///     println!("check {}: {:?}", update.checks(), update.state());
    /// }
    /// operation.wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn updates(&mut self) -> Updates<'_, T, M> {
        Updates { operation: self, check: None, ended: false }
    }

    /// Waits, then reads the target.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait) and of [`Completed::target`].
    pub async fn target(&mut self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        self.wait().await?.target().await
    }

    operation_accessors!();

    async fn turn(&mut self, pace: Pace) -> Turn {
        let mut check = None;
        poll_fn(|cx| poll_turn(&mut self.handle, &self.connection, &mut check, pace, cx)).await
    }

    fn poll_wait(
        &mut self,
        check: &mut Option<InFlight>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Completed<T, M>>> {
        ready!(poll_end(&mut self.handle, &self.connection, check, cx))?;
        Poll::Ready(Ok(Completed {
            outcome: Outcome::of(&self.handle),
            connection: Arc::clone(&self.connection),
            types: PhantomData,
        }))
    }
}

/// A check under way. It may be dropped: whether it was sent is known already.
struct InFlight {
    check: Check,
    due: Instant,
}

/// Makes one check, and in the policy's pace the ones that its faults ask for.
fn poll_turn(
    handle: &mut Handle,
    connection: &Arc<dyn Connection>,
    in_flight: &mut Option<InFlight>,
    pace: Pace,
    cx: &mut Context<'_>,
) -> Poll<Turn> {
    loop {
        let Some(InFlight { check, due }) = in_flight else {
            let Some(Plan { sleep, request, due }) = handle.plan(connection.now(), pace) else {
                return Poll::Ready(Turn::Nothing);
            };
            let check = Arc::clone(connection).check(sleep, request);
            *in_flight = Some(InFlight { check, due });
            continue;
        };

        let polled = connection.span().enter(|| check.as_mut().poll(cx));
        // A sleep that has finished counts as slept.
        let now = connection.now().max(*due);
        if connection.take_sent() {
            handle.sent(now, connection.span());
        }
        let sent = ready!(polled);
        *in_flight = None;
        if let Some(turn) = handle.settle(sent, now, pace, connection.span()) {
            return Poll::Ready(turn);
        }
    }
}

/// Makes checks until the operation has succeeded, or an error says why not.
fn poll_end(
    handle: &mut Handle,
    connection: &Arc<dyn Connection>,
    in_flight: &mut Option<InFlight>,
    cx: &mut Context<'_>,
) -> Poll<Result<()>> {
    loop {
        match ready!(poll_turn(handle, connection, in_flight, Pace::Policy, cx)) {
            Turn::Updated => {}
            Turn::Failed(error) => return Poll::Ready(Err(error)),
            Turn::Nothing => return Poll::Ready(handle.end(connection.span())),
        }
    }
}

/// Polls by the policy until the operation has succeeded, as [`Operation::wait`] does.
impl<T, M: Model> IntoFuture for Operation<T, M> {
    type Output = Result<Completed<T, M>>;
    type IntoFuture = OperationFuture<T, M>;

    fn into_future(self) -> OperationFuture<T, M> {
        OperationFuture { operation: self, check: None }
    }
}

/// The future of awaiting an [`Operation`].
#[must_use = "futures do nothing unless polled"]
pub struct OperationFuture<T, M> {
    operation: Operation<T, M>,
    check: Option<InFlight>,
}

impl<T, M: Model> Future for OperationFuture<T, M> {
    type Output = Result<Completed<T, M>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.operation.poll_wait(&mut this.check, cx)
    }
}

/// The checks of an [`Operation`] as they arrive; see [`Operation::updates`].
#[must_use = "streams do nothing unless polled"]
pub struct Updates<'a, T = Value, M = TeamsAsyncOperation> {
    operation: &'a mut Operation<T, M>,
    check: Option<InFlight>,
    ended: bool,
}

impl<T, M: Model> Updates<'_, T, M> {
    /// The next update; `None` after the operation has ended, and after an error.
    ///
    /// The future may be dropped at any time, and `next` called again.
    pub async fn next(&mut self) -> Option<Result<Update<M>>> {
        poll_fn(|cx| self.poll_update(cx)).await
    }

    fn poll_update(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Update<M>>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Operation { handle, connection, .. } = &mut *self.operation;
        let turn = ready!(poll_turn(handle, connection, &mut self.check, Pace::Policy, cx));
        self.ended = handle.state().is_terminal() || !matches!(turn, Turn::Updated);
        Poll::Ready(match turn {
            Turn::Updated => Some(Ok(Update::of(handle))),
            Turn::Failed(error) => Some(Err(error)),
            Turn::Nothing if handle.state() == State::Running => {
                handle.end(connection.span()).err().map(Err)
            }
            Turn::Nothing => None,
        })
    }
}

impl<T, M: Model> Stream for Updates<'_, T, M> {
    type Item = Result<Update<M>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_update(cx)
    }
}

/// An operation that has succeeded.
pub struct Completed<T = Value, M = TeamsAsyncOperation> {
    outcome: Outcome,
    connection: Arc<dyn Connection>,
    types: PhantomData<fn() -> (T, M)>,
}

impl<T, M: Model> Completed<T, M> {
    completed_accessors!();

    /// Reads the result.
    ///
    /// A target that is not found is asked for again for a while
    /// ([`Polling::target_patience`]): that an operation succeeded is known before its result can
    /// be read. Where the service finished at once, the result is read from its answer, without a
    /// request.
    ///
    /// # Errors
    ///
    /// [`TargetNotReady`](crate::ErrorKind::TargetNotReady) if patience ended,
    /// [`Decode`](crate::ErrorKind::Decode) if the target is no `T`,
    /// [`MissingLocation`](crate::ErrorKind::MissingLocation) if the operation names none,
    /// [`ForeignLocation`](crate::ErrorKind::ForeignLocation) if it lies elsewhere than at the
    /// service root.
    pub async fn target(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        let answer = read_target(&self.outcome, &self.connection).await?;
        self.outcome.decode(&answer)
    }
}

async fn read_target(
    outcome: &Outcome,
    connection: &Arc<dyn Connection>,
) -> Result<http::Response<Bytes>> {
    let mut target =
        match outcome.target(connection.service_root(), connection.now(), connection.random())? {
            Target::Here(answer) => return Ok(answer),
            Target::Remote(target) => target,
        };
    loop {
        let sleep = target.wait(connection.now());
        let sent = Arc::clone(connection).check(sleep, target.request()).await;
        let step = target.settle(sent, connection.now());
        if let TargetStep::Found(answer) = step.map_err(|error| outcome.complete(error))? {
            return Ok(answer);
        }
    }
}

impl<T, M> fmt::Debug for OperationFuture<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OperationFuture").field(&self.operation.handle).finish()
    }
}
