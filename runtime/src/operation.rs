//! The asynchronous handle.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use futures_core::Stream;
use http::{Request, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::Client;
use crate::completed::Completed;
use crate::erased::{Connection, connect};
use crate::error::{Error, ErrorKind, Result};
use crate::follower::{Follower, operation_id, target_hint};
use crate::line::{Driven, Line};
use crate::model::{Model, Reader, TeamsAsyncOperation};
use crate::printable::Printable;
use crate::protocol::{
    Accepted, Answer, Poller, Polling, Start, Started, accept_from, located, resolve_at,
};
use crate::response::Response;
use crate::resume_token::ResumeToken;
use crate::trace::Span;
use crate::update::Update;

/// A long-running operation of Microsoft Graph that the service has accepted.
///
/// ```no_run
/// # async fn example(
/// #     archive_team: impl AsyncFn(&str) -> graph_operation::Result<graph_operation::Operation>,
/// # ) -> graph_operation::Result<()> {
/// archive_team("…").await?.await?; // starts it, then waits for its end
///
/// let mut operation = archive_team("…").await?;
/// operation.wait_with(|update| println!("{:?}", update.state())).await?;
/// # Ok(())
/// # }
/// ```
///
/// Awaiting it polls according to the policy until the operation ends, and returns [`Completed`].
/// The methods do not consume it: [`poll`](Self::poll) checks once, [`updates`](Self::updates)
/// yields each check, [`wait`](Self::wait) can be dropped and called again,
/// [`target`](Self::target) waits and reads the result.
///
/// Dropping the future of a method loses nothing. A request in flight stays with the handle and keeps
/// its connection; the next call resumes it instead of sending another. A request that no call
/// resumes is dropped with the handle, and one that is older than
/// [`TimeLeft::DEFAULT`](crate::TimeLeft::DEFAULT) is sent again.
///
/// `T` is the type that the target deserializes to, and `M` the operation's [`Model`]. The type
/// does not depend on the client, so an operation is easy to store and to send to another task.
#[must_use = "an operation continues without its handle, but nobody learns how it ends"]
pub struct Operation<T = Value, M = TeamsAsyncOperation> {
    follower: Box<Follower>,
    types: PhantomData<fn() -> (T, M)>,
}

/// # Starting, without the attribute
impl Operation {
    /// Sends a request that starts an operation, and reads the response.
    ///
    /// The request is retried after 429, 503 and 509, and after a failure before it was sent. A
    /// request that may have been carried out is not retried: the error's
    /// [`is_retryable`](Error::is_retryable) is `false`. Dropping the future does not undo the
    /// request, which may have been carried out. Spawn it, or list the operations afterwards.
    ///
    #[cfg_attr(feature = "testing", doc = "```")]
    #[cfg_attr(not(feature = "testing"), doc = "```ignore")]
    /// use graph_operation::testing::{ScriptedClient, accepted, block_on, graph_error, succeeded};
    /// use graph_operation::{Client, Operation};
    /// use http::Method;
    ///
    /// # fn main() -> graph_operation::Result<()> {
    /// let client = ScriptedClient::new();
    /// client
    ///     .answer(graph_error(429, "tooManyRequests", "Later."))
    ///     .answer(accepted("/teams('1')/operations('2')"))
    ///     .answer(succeeded("/teams('1')"));
    /// let request = client.request(Method::POST, ["teams", "1", "archive"])?;
    /// block_on(async { Operation::start(client.clone(), request).await?.await })?;
    /// assert_eq!(client.requests().len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ForeignLocation`](ErrorKind::ForeignLocation), before anything is sent, if the request
    /// does not go to the service root's origin; the errors of
    /// [`accept`](crate::protocol::accept()); and otherwise the fault that was not retried.
    pub async fn start(client: impl Client, request: Request<Bytes>) -> Result<Self> {
        Self::start_as(client, request).await
    }

    /// The same for an operation of another model.
    pub async fn start_as<M: Model>(
        client: impl Client,
        request: Request<Bytes>,
    ) -> Result<Operation<Value, M>> {
        let reader = Reader::of::<M>();
        Ok(Operation::begin(client, reader, M::POLLING(), request, false).await?.typed())
    }

    /// Sends a request that starts an operation, and that may be carried out twice without harm. It
    /// is also retried when it is unknown whether it was carried out: after no response, 408, 500,
    /// 502 and 504.
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start).
    pub async fn start_idempotent(client: impl Client, request: Request<Bytes>) -> Result<Self> {
        Self::start_idempotent_as(client, request).await
    }

    /// The same for an operation of another model.
    pub async fn start_idempotent_as<M: Model>(
        client: impl Client,
        request: Request<Bytes>,
    ) -> Result<Operation<Value, M>> {
        let reader = Reader::of::<M>();
        Ok(Operation::begin(client, reader, M::POLLING(), request, true).await?.typed())
    }

    /// Reads the response to a request that starts an operation.
    ///
    /// # Errors
    ///
    /// Those of [`accept`](crate::protocol::accept()), and of reading the response.
    pub async fn from_response(client: impl Client, response: impl Response) -> Result<Self> {
        Self::from_response_as(client, response).await
    }

    /// The same for an operation of another model.
    pub async fn from_response_as<M: Model>(
        client: impl Client,
        response: impl Response,
    ) -> Result<Operation<Value, M>> {
        let answer = response.into_answer().await?;
        let operation = Operation::accept(client, Reader::of::<M>(), M::POLLING(), answer)?;
        Ok(operation.typed())
    }

    /// Follows the operation at a known address, absolute or relative to the service root.
    ///
    /// # Errors
    ///
    /// Those of [`resolve`](crate::protocol::resolve).
    pub fn from_location(client: impl Client, location: impl AsRef<str>) -> Result<Self> {
        Self::from_location_as(client, location)
    }

    /// The same for an operation of another model.
    pub fn from_location_as<M: Model>(
        client: impl Client,
        location: impl AsRef<str>,
    ) -> Result<Operation<Value, M>> {
        Ok(Self::at(connect(client), Reader::of::<M>(), location.as_ref())?.typed())
    }

    /// Follows the operation that a token names, perhaps one of another process.
    ///
    /// The first check comes after the policy's first wait. The deadline counts from the start of
    /// the operation, if the token has it, and otherwise from this call; a last check is made in
    /// any case. The token does not contain the policy: set it with
    /// [`with_polling`](Operation::with_polling).
    ///
    /// # Errors
    ///
    /// [`InvalidToken`](ErrorKind::InvalidToken), before any request, if the token's origin is not
    /// that of the client's service root, or its model is another one.
    pub fn resume(client: impl Client, token: ResumeToken) -> Result<Self> {
        Self::resume_as(client, token)
    }

    /// The same for an operation of another model.
    pub fn resume_as<M: Model>(
        client: impl Client,
        token: ResumeToken,
    ) -> Result<Operation<Value, M>> {
        Ok(Self::resumed(connect(client), Reader::of::<M>(), token)?.typed())
    }

    pub(crate) fn accept<C: Client>(
        client: C,
        reader: &'static Reader,
        policy: Polling,
        answer: Answer,
    ) -> Result<Self> {
        Self::accepted(connect(client), reader, policy, answer)
    }

    pub(crate) fn begin<C: Client>(
        client: C,
        reader: &'static Reader,
        policy: Polling,
        request: Request<Bytes>,
        idempotent: bool,
    ) -> Starting {
        Starting::new(connect(client), reader, policy, request, idempotent)
    }

    pub(crate) fn accepted(
        connection: Arc<dyn Connection>,
        reader: &'static Reader,
        policy: Polling,
        answer: Answer,
    ) -> Result<Self> {
        let accepted = accept_from(connection.service_root(), reader.monitor, answer, false)?;
        Ok(Self::follow(connection, reader, policy, accepted, None))
    }

    pub(crate) fn at(
        connection: Arc<dyn Connection>,
        reader: &'static Reader,
        location: &str,
    ) -> Result<Self> {
        let root = connection.service_root();
        let location = resolve_at(reader.monitor, root, None, location.as_bytes())?;
        let started = Started::at(location);
        Ok(Self::follow(connection, reader, (reader.polling)(), started.into(), None))
    }

    pub(crate) fn resumed(
        connection: Arc<dyn Connection>,
        reader: &'static Reader,
        token: ResumeToken,
    ) -> Result<Self> {
        if token.model() != reader.model {
            let (model, expected) = (Printable(token.model()), reader.model);
            let message = format!("the resume token is for a {model}, not for a {expected}");
            return Err(Error::new(ErrorKind::InvalidToken, message));
        }
        let location = located(reader, connection.service_root(), &token.location().to_string())?;
        let started = Started::resumed(location, token, connection.system_time());
        Ok(Self::follow(connection, reader, (reader.polling)(), started.into(), None))
    }

    /// Follows the accepted operation, in the span of its start if there is one.
    fn follow(
        connection: Arc<dyn Connection>,
        reader: &'static Reader,
        policy: Polling,
        accepted: Accepted,
        span: Option<Span>,
    ) -> Self {
        let (accepted, span) = match accepted {
            Accepted::Started(started) => {
                let started = started.or_started_at(|| connection.system_time());
                (started.into(), span.unwrap_or_else(Span::open))
            }
            finished @ Accepted::Finished(_) => {
                if let Some(span) = span {
                    span.succeeded();
                }
                (finished, Span::none())
            }
        };
        let follower = Follower::new(connection, reader, accepted, policy, span);
        Operation { follower, types: PhantomData }
    }
}

impl<T, M> Operation<T, M> {
    /// A handle for an operation that a set has followed.
    pub(crate) fn of_poller(poller: Poller, connection: Arc<dyn Connection>, span: Span) -> Self {
        let line = Line::new(connection, span);
        Operation { follower: Follower::of_parts(poller, line), types: PhantomData }
    }

    /// The poller and the span, for a set; a request in flight is dropped.
    pub(crate) fn into_poller(self) -> (Poller, Span) {
        self.follower.into_parts()
    }

    pub(crate) fn connection(&self) -> Arc<dyn Connection> {
        self.follower.connection()
    }

    /// Changes the type parameters; `N` has to be the model of the follower.
    pub(crate) fn typed<U, N>(self) -> Operation<U, N> {
        Operation { follower: self.follower, types: PhantomData }
    }
}

impl<T, M: Model> Operation<T, M> {
    /// Sends one check now, whatever the policy says, or resumes the one in flight.
    ///
    /// After the end of the operation it sends nothing, and returns the last update. An operation
    /// that has failed is not an error here: see the update's [`state`](Update::state).
    ///
    /// # Errors
    ///
    /// Any fault, even a transient one. The operation can be polled and waited for as before, except
    /// after [`Vanished`](ErrorKind::Vanished), which every call returns from then on.
    pub async fn poll(&mut self) -> Result<Update<M>> {
        self.follower.begin_call();
        poll_fn(|cx| self.follower.poll_check(cx)).await?;
        Ok(self.update())
    }

    /// Polls according to the policy until the operation has succeeded.
    ///
    /// The future may be dropped at any time, and `wait` called again: it resumes the request in
    /// flight, and neither the interval nor the deadline starts over.
    ///
    /// # Errors
    ///
    /// [`Failed`](ErrorKind::Failed) if the operation failed, [`TimedOut`](ErrorKind::TimedOut) if
    /// it did not end before the deadline, [`Vanished`](ErrorKind::Vanished) if its monitor
    /// disappeared, and otherwise the fault that was not retried. Except after `Failed` and
    /// `Vanished`, the operation can be waited for again; after `TimedOut`, with a later deadline
    /// ([`set_polling`](Self::set_polling)).
    pub async fn wait(&mut self) -> Result<Completed<T, M>> {
        self.follower.begin_call();
        poll_fn(|cx| self.follower.poll_end(cx, |_, _| ())).await?;
        Ok(self.completed())
    }

    /// Polls according to the policy until the operation has succeeded, and calls `see` with each
    /// check, including those that failed and are retried.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait).
    pub async fn wait_with(&mut self, mut see: impl FnMut(Update<M>)) -> Result<Completed<T, M>> {
        self.follower.begin_call();
        poll_fn(|cx| {
            self.follower.poll_end(cx, |follower, fault| see(Update::of(&follower.poller, fault)))
        })
        .await?;
        Ok(self.completed())
    }

    /// Polls according to the policy, and yields each check until the operation has ended.
    ///
    /// A check that failed and is retried is an update with a [`fault`](Update::fault). An
    /// operation that has failed is not an error here: the last update says so, and a
    /// [`wait`](Self::wait) afterwards returns the error. Any other error ends the updates and
    /// leaves the operation as it was. Return it with `?`, because another wait would start over
    /// with the retries.
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
        self.follower.begin_call();
        Updates { operation: self, ended: false }
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
        self.follower.begin_call();
        poll_fn(|cx| {
            ready!(self.follower.poll_end(cx, |_, _| ()))?;
            self.follower.poll_target(cx)
        })
        .await
    }

    fn completed(&self) -> Completed<T, M> {
        Completed::of(&self.follower.poller, self.follower.connection())
    }

    /// The result of the last check.
    pub fn update(&self) -> Update<M> {
        Update::of(&self.follower.poller, None)
    }

    /// The operation's address, resolved; `None` if the service finished at once.
    pub fn location(&self) -> Option<&Uri> {
        self.follower.poller.location()
    }

    /// A token with which another process can follow the operation; `None` if the service finished
    /// at once.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.follower.poller.resume_token()
    }

    /// The `request-id` of the response to the starting request, which Microsoft's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        let poller = &self.follower.poller;
        match poller.finished() {
            Some(response) => response.headers().get("request-id")?.to_str().ok(),
            None => poller.origin()?.request_id.as_deref(),
        }
    }

    /// The `client-request-id` of the response to the starting request.
    pub fn client_request_id(&self) -> Option<&str> {
        let poller = &self.follower.poller;
        match poller.finished() {
            Some(response) => response.headers().get("client-request-id")?.to_str().ok(),
            None => poller.origin()?.client_request_id.as_deref(),
        }
    }

    /// The body of the starting 202, if it had one. The response to a password reset has the new
    /// password, which is sent only there. Neither `Debug` nor a resume token shows it.
    pub fn accepted_body(&self) -> Option<&[u8]> {
        Some(&self.follower.poller.origin()?.body[..]).filter(|body| !body.is_empty())
    }

    /// The operation's id, if its address contains it. Available before the first check.
    pub fn operation_id(&self) -> Option<&str> {
        operation_id(&self.follower.poller)
    }

    /// What the operation works on, if the starting response says so, such as the path of the team
    /// that is being created. Available before the first check, and for display only: read the
    /// result with [`target`](Self::target).
    pub fn target_hint(&self) -> Option<&str> {
        target_hint(&self.follower.poller)
    }

    /// Changes the type that the target deserializes to.
    pub fn with_target<U>(self) -> Operation<U, M> {
        self.typed()
    }

    /// Changes the policy from here on. The deadline still counts from the start.
    pub fn set_polling(&mut self, polling: Polling) {
        self.follower.set_polling(polling);
    }

    /// Returns the operation with another policy. The deadline still counts from the start.
    pub fn with_polling(mut self, polling: Polling) -> Self {
        self.set_polling(polling);
        self
    }
}

impl<T, M> fmt::Debug for Operation<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operation").field(&self.follower).finish()
    }
}

/// Polls according to the policy until the operation has succeeded, as [`Operation::wait`] does.
impl<T, M: Model> IntoFuture for Operation<T, M> {
    type Output = Result<Completed<T, M>>;
    type IntoFuture = OperationFuture<T, M>;

    fn into_future(mut self) -> OperationFuture<T, M> {
        self.follower.begin_call();
        OperationFuture { operation: self }
    }
}

/// The future of awaiting an [`Operation`].
#[must_use = "futures do nothing unless polled"]
pub struct OperationFuture<T = Value, M = TeamsAsyncOperation> {
    operation: Operation<T, M>,
}

impl<T, M: Model> Future for OperationFuture<T, M> {
    type Output = Result<Completed<T, M>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let operation = &mut self.get_mut().operation;
        ready!(operation.follower.poll_end(cx, |_, _| ()))?;
        Poll::Ready(Ok(operation.completed()))
    }
}

impl<T, M> fmt::Debug for OperationFuture<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OperationFuture").field(&self.operation.follower).finish()
    }
}

/// The checks of an [`Operation`]; see [`Operation::updates`].
#[must_use = "streams do nothing unless polled"]
pub struct Updates<'a, T = Value, M = TeamsAsyncOperation> {
    operation: &'a mut Operation<T, M>,
    ended: bool,
}

impl<T, M: Model> Updates<'_, T, M> {
    /// The next update; `None` after the operation has ended, and after an error.
    ///
    /// The future may be dropped at any time, and `next` called again.
    pub async fn next(&mut self) -> Option<Result<Update<M>>> {
        self.operation.follower.begin_call();
        poll_fn(|cx| self.poll_update(cx)).await
    }

    fn poll_update(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Update<M>>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let follower = &mut *self.operation.follower;
        let driven = ready!(follower.poll_next_check(&mut None, cx));
        let poller = &follower.poller;
        let fault = match driven {
            Driven::Received(()) => None,
            Driven::Retrying(error) => Some(error),
            Driven::Failed(error) => {
                self.ended = true;
                return Poll::Ready(Some(Err(error)));
            }
            Driven::Done(result) => {
                self.ended = true;
                // The last update has reported a failure.
                let error = result.err().filter(|error| error.kind() != ErrorKind::Failed);
                return Poll::Ready(error.map(Err));
            }
        };
        self.ended = poller.is_ended();
        Poll::Ready(Some(Ok(Update::of(poller, fault))))
    }
}

impl<T, M: Model> Stream for Updates<'_, T, M> {
    type Item = Result<Update<M>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_update(cx)
    }
}

impl<T, M> fmt::Debug for Updates<'_, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Updates").field(&self.operation.follower).finish()
    }
}

/// A starting request that is being sent.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Starting {
    start: Result<Start>,
    line: Option<Line>,
    reader: &'static Reader,
    policy: Polling,
    started_at: SystemTime,
}

impl Starting {
    pub(crate) fn new(
        connection: Arc<dyn Connection>,
        reader: &'static Reader,
        policy: Polling,
        request: Request<Bytes>,
        idempotent: bool,
    ) -> Self {
        let (now, seed) = (connection.now(), connection.random());
        let root = connection.service_root();
        let start = Start::with_reader(reader, root, request, idempotent, policy, now, seed);
        let started_at = connection.system_time();
        let span = if start.is_ok() { Span::open() } else { Span::none() };
        Starting { start, line: Some(Line::new(connection, span)), reader, policy, started_at }
    }
}

impl Future for Starting {
    type Output = Result<Operation>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(line) = &mut this.line else { return Poll::Pending };
        let start = match &mut this.start {
            Ok(start) => start,
            Err(error) => return Poll::Ready(Err(error.clone())),
        };
        let accepted = loop {
            match ready!(line.poll_drive(start, &mut None, cx)) {
                Driven::Received(accepted) => break accepted,
                Driven::Retrying(_) => {}
                Driven::Failed(error) | Driven::Done(Err(error)) => return Poll::Ready(Err(error)),
                Driven::Done(Ok(())) => return Poll::Pending,
            }
        };
        let Some(line) = this.line.take() else { return Poll::Pending };
        let accepted = match accepted {
            Accepted::Started(started) => started.started_at(this.started_at).into(),
            finished @ Accepted::Finished(_) => finished,
        };
        let (connection, span) = line.into_parts();
        let operation =
            Operation::follow(connection, this.reader, this.policy, accepted, Some(span));
        Poll::Ready(Ok(operation))
    }
}

impl fmt::Debug for Starting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Starting").field("start", &self.start).finish_non_exhaustive()
    }
}
