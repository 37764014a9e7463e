//! The handle for programs without an executor: the same protocol, and threads that sleep.
//!
//! Everything here is the twin of what stands at the crate's root; the errors, the updates, the
//! policy and the tokens are the same types.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::{join, random, ready_responses};
use crate::connection::Sent;
use crate::handle::{Handle, Pace, Plan, Turn};
use crate::mirrored::{completed_accessors, operation_accessors, operation_constructors};
use crate::model::{Model, Reader, State};
use crate::outcome::{Outcome, Target};
use crate::protocol::{Answer, Get, Polling, TargetStep};
use crate::trace::Span;
use crate::{BoxError, Result, ResumeToken, TeamsAsyncOperation, Update};

/// A client of Microsoft Graph that blocks; see [`Client`](trait@crate::Client), its twin.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `graph_operation::blocking::Client`, which sends an operation's requests",
    label = "does not implement `graph_operation::blocking::Client`",
    note = "only a function that blocks needs it; did you mean `async fn`?",
    note = "implement `graph_operation::blocking::Client` for `{Self}`, or name another client: `#[async_operation(client = self.client)]`"
)]
pub trait Client: Clone + Send + Sync + 'static {
    /// What goes wrong in sending: [`Error`](crate::Error), or anything that boxes as an error.
    type Error: Into<BoxError>;

    /// The service root: scheme, host, port and version, such as
    /// `https://graph.microsoft.com/v1.0`.
    fn service_root(&self) -> &Uri;

    /// Sends one request and reads its answer, error answers included; see
    /// [`Client::send`](crate::Client::send).
    fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>, Self::Error>;

    /// Sleeps. A sleep that has finished counts as slept, however long it really took, so one that
    /// returns at once polls through at full speed.
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }

    /// The present instant.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Whether another try may help after this error; provided as `true`.
    fn is_transient(&self, error: &Self::Error) -> bool {
        let _ = error;
        true
    }

    /// Random bits that keep operations which were started together from being checked together.
    fn random(&self) -> u64 {
        random()
    }

    /// The URL of a path below the service root, joined with one slash.
    fn url(&self, path: impl fmt::Display) -> String {
        join(self.service_root(), path)
    }
}

/// Forwards every method of a client to the one inside.
macro_rules! forward_client {
    ($pointer:ident) => {
        impl<C: Client> Client for $pointer<C> {
            type Error = C::Error;

            fn service_root(&self) -> &Uri {
                C::service_root(self)
            }

            fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>, Self::Error> {
                C::send(self, request)
            }

            fn sleep(&self, duration: Duration) {
                C::sleep(self, duration);
            }

            fn now(&self) -> Instant {
                C::now(self)
            }

            fn is_transient(&self, error: &Self::Error) -> bool {
                C::is_transient(self, error)
            }

            fn random(&self) -> u64 {
                C::random(self)
            }
        }
    };
}

forward_client!(Arc);
forward_client!(Box);

/// What a blocking request function returns; see [`Response`](trait@crate::Response), its twin.
///
/// Implemented for `http::Response` with a body of `Bytes`, `Vec<u8>`, `String` or `()`, for ureq's
/// with the feature `ureq`, and for `reqwest::blocking::Response` with `reqwest-blocking`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the answer to a request: it is no `graph_operation::blocking::Response`",
    label = "does not implement `graph_operation::blocking::Response`",
    note = "return the HTTP response itself from the function, such as `http::Response<Bytes>` or, with the feature `ureq`, `http::Response<ureq::Body>`",
    note = "for the response type of another HTTP client, implement `graph_operation::blocking::Response`"
)]
pub trait Response {
    /// Reads the answer. Limit the body that is read: an answer to a starting request is small.
    fn into_answer(self) -> Result<Answer>;
}

ready_responses!(Response,);

/// An author's client behind a pointer.
trait Connection: Send + Sync {
    fn service_root(&self) -> &Uri;
    fn now(&self) -> Instant;
    fn random(&self) -> u64;
    fn sleep(&self, duration: Duration);
    fn send(&self, request: Get) -> Sent;
    fn span(&self) -> &Span;
}

struct Connected<C> {
    client: C,
    span: Span,
}

fn connect<C: Client>(client: C, span: Span) -> Arc<dyn Connection> {
    Arc::new(Connected { client, span })
}

impl<C: Client> Connection for Connected<C> {
    fn service_root(&self) -> &Uri {
        self.client.service_root()
    }

    fn now(&self) -> Instant {
        self.client.now()
    }

    fn random(&self) -> u64 {
        self.client.random()
    }

    fn sleep(&self, duration: Duration) {
        if !duration.is_zero() {
            self.client.sleep(duration);
        }
    }

    fn send(&self, request: Get) -> Sent {
        self.client.send(request.into_request()).map_err(|error| {
            let transient = self.client.is_transient(&error);
            (error.into(), transient)
        })
    }

    fn span(&self) -> &Span {
        &self.span
    }
}

/// A long-running operation of Microsoft Graph; see [`Operation`](crate::Operation), its twin.
#[must_use = "an operation runs on without its handle, but nobody learns how it ends"]
pub struct Operation<T = Value, M = TeamsAsyncOperation> {
    handle: Handle,
    connection: Arc<dyn Connection>,
    types: PhantomData<fn() -> (T, M)>,
}

/// # Starting, without the attribute
impl Operation {
    /// Reads the answer to a request that starts an operation.
    pub fn from_response(client: impl Client, response: impl Response) -> Result<Self> {
        Self::from_response_as(client, response)
    }

    /// The same for an operation of another model.
    pub fn from_response_as<M: Model>(
        client: impl Client,
        response: impl Response,
    ) -> Result<Operation<Value, M>> {
        let answer = response.into_answer()?;
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
        request: Request<Bytes>,
        idempotent: bool,
    ) -> Result<Self> {
        let _ = idempotent;
        match client.send(request) {
            Ok(answer) => Operation::accept(client, reader, polling, Answer::from(answer)),
            Err(error) => Err(crate::Error::new(crate::ErrorKind::Transport, "the request failed")
                .with_source(error)),
        }
    }
}

impl<T, M: Model> Operation<T, M> {
    /// Sends one check now, whatever the policy says; see
    /// [`Operation::poll`](crate::Operation::poll).
    pub fn poll(&mut self) -> Result<Update<M>> {
        match turn(&mut self.handle, &*self.connection, Pace::Now) {
            Turn::Updated | Turn::Nothing => Ok(self.update()),
            Turn::Failed(error) => Err(error),
        }
    }

    /// Polls by the policy until the operation has succeeded; see
    /// [`Operation::wait`](crate::Operation::wait).
    pub fn wait(&mut self) -> Result<Completed<T, M>> {
        loop {
            match turn(&mut self.handle, &*self.connection, Pace::Policy) {
                Turn::Updated => {}
                Turn::Failed(error) => return Err(error),
                Turn::Nothing => break,
            }
        }
        self.handle.end(self.connection.span())?;
        Ok(Completed {
            outcome: Outcome::of(&self.handle),
            connection: Arc::clone(&self.connection),
            types: PhantomData,
        })
    }

    /// Polls by the policy and gives each snapshot as it arrives; see
    /// [`Operation::updates`](crate::Operation::updates).
    pub fn updates(&mut self) -> Updates<'_, T, M> {
        Updates { operation: self, ended: false }
    }

    /// Waits, then reads the target; see [`Operation::target`](crate::Operation::target).
    pub fn target(&mut self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        self.wait()?.target()
    }

    operation_accessors!();
}

/// Makes one check, and in the policy's pace the ones that its faults ask for.
fn turn(handle: &mut Handle, connection: &dyn Connection, pace: Pace) -> Turn {
    loop {
        let Some(Plan { sleep, request, due }) = handle.plan(connection.now(), pace) else {
            return Turn::Nothing;
        };
        connection.sleep(sleep);
        // A sleep that has finished counts as slept.
        handle.sent(connection.now().max(due), connection.span());
        let sent = connection.span().enter(|| connection.send(request));
        let now = connection.now().max(due);
        if let Some(turn) = handle.settle(sent, now, pace, connection.span()) {
            return turn;
        }
    }
}

/// The checks of an [`Operation`] as they arrive; see [`Operation::updates`].
#[must_use = "iterators do nothing unless advanced"]
pub struct Updates<'a, T = Value, M = TeamsAsyncOperation> {
    operation: &'a mut Operation<T, M>,
    ended: bool,
}

/// Ends after the operation has, and after an error.
impl<T, M: Model> Iterator for Updates<'_, T, M> {
    type Item = Result<Update<M>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let Operation { handle, connection, .. } = &mut *self.operation;
        let turn = turn(handle, &**connection, Pace::Policy);
        self.ended = handle.state().is_terminal() || !matches!(turn, Turn::Updated);
        match turn {
            Turn::Updated => Some(Ok(Update::of(handle))),
            Turn::Failed(error) => Some(Err(error)),
            Turn::Nothing if handle.state() == State::Running => {
                handle.end(connection.span()).err().map(Err)
            }
            Turn::Nothing => None,
        }
    }
}

/// An operation that has succeeded; see [`Completed`](crate::Completed), its twin.
pub struct Completed<T = Value, M = TeamsAsyncOperation> {
    outcome: Outcome,
    connection: Arc<dyn Connection>,
    types: PhantomData<fn() -> (T, M)>,
}

impl<T, M: Model> Completed<T, M> {
    completed_accessors!();

    /// Reads the result; see [`Completed::target`](crate::Completed::target).
    pub fn target(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        let answer = read_target(&self.outcome, &*self.connection)?;
        self.outcome.decode(&answer)
    }
}

fn read_target(outcome: &Outcome, connection: &dyn Connection) -> Result<http::Response<Bytes>> {
    let mut target =
        match outcome.target(connection.service_root(), connection.now(), connection.random())? {
            Target::Here(answer) => return Ok(answer),
            Target::Remote(target) => target,
        };
    loop {
        connection.sleep(target.wait(connection.now()));
        let sent = connection.send(target.request());
        let step = target.settle(sent, connection.now());
        if let TargetStep::Found(answer) = step.map_err(|error| outcome.complete(error))? {
            return Ok(answer);
        }
    }
}
