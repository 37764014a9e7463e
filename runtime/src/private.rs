//! What expansions of `#[async_operation]` call, and no one else: it changes with any release, which
//! is why the attribute's version is pinned.
//!
//! The compiler checks a bound again wherever it meets an opaque type that has it. Nothing opaque is
//! returned here, so that a bound which an author's type does not meet is reported once, at that type.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::model::Reader;
use crate::protocol::Answer;
use crate::{Client, Error, Model, Operation, Polling, Response, Result};

pub use serde_json::Value;
pub use std::boxed::Box;

/// A client and a policy: everything but the answer to the request.
#[must_use]
pub struct Start<C, A> {
    client: C,
    /// [`Operation::accept`] for this client, or the blocking one.
    accept: fn(C, &'static Reader, Polling, Answer) -> Result<A>,
    polling: Polling,
}

/// From a receiver, cloned before the request runs.
pub fn client<C: Client>(client: &C) -> Start<C, Operation> {
    client_from(client.clone())
}

/// From the `client` key.
pub fn client_from<C: Client>(client: C) -> Start<C, Operation> {
    Start { client, accept: Operation::accept, polling: Polling::default() }
}

/// The policy. The durations are in milliseconds.
impl<C, A> Start<C, A> {
    pub fn polling(self, polling: Polling) -> Self {
        Start { polling, ..self }
    }

    pub fn first_check(self, millis: u64) -> Self {
        let polling = self.polling.first_check(Duration::from_millis(millis));
        Start { polling, ..self }
    }

    pub fn interval(self, millis: u64) -> Self {
        let polling = self.polling.interval(Duration::from_millis(millis));
        Start { polling, ..self }
    }

    pub fn timeout(self, millis: u64) -> Self {
        let polling = self.polling.timeout(Duration::from_millis(millis));
        Start { polling, ..self }
    }
}

/// The generic parameters are in this order because the expansion gives each of them the place in
/// the author's code at which its bounds are to be reported.
impl<C> Start<C, Operation> {
    /// With what the request returned.
    pub fn begin<'a, O, R, E, T, M>(self, result: O) -> Begin<'a, C, E, T, M>
    where
        O: ResultType<Ok = R, Error = E>,
        R: Response + 'a,
        E: FromError,
        T: DeserializeOwned,
        M: Model,
    {
        self.begin_or(E::from_error, result)
    }

    /// The same with `map_err`.
    pub fn begin_or<'a, O, R, E, T, M>(
        self,
        map_err: fn(Error) -> E,
        result: O,
    ) -> Begin<'a, C, E, T, M>
    where
        O: ResultType<Ok = R, Error = E>,
        R: Response + 'a,
        T: DeserializeOwned,
        M: Model,
    {
        let state = match result.into_result() {
            Ok(response) => State::Reading {
                answer: Box::pin(response.into_answer()),
                reader: Reader::of::<M>(),
                start: self,
                map_err,
            },
            Err(error) => State::Failed(error),
        };
        Begin { state, types: PhantomData }
    }
}

/// Reads the answer and begins the operation.
#[must_use]
pub struct Begin<'a, C, E, T, M> {
    state: State<'a, C, E>,
    types: PhantomData<fn() -> (T, M)>,
}

enum State<'a, C, E> {
    Failed(E),
    Reading {
        answer: Pin<Box<dyn Future<Output = Result<Answer>> + Send + 'a>>,
        reader: &'static Reader,
        start: Start<C, Operation>,
        map_err: fn(Error) -> E,
    },
    Done,
}

impl<C, E, T, M> Unpin for Begin<'_, C, E, T, M> {}

impl<C, E, T, M> Future for Begin<'_, C, E, T, M> {
    type Output = Result<Operation<T, M>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::Reading { answer, .. } = &mut self.state {
            let Poll::Ready(answer) = answer.as_mut().poll(cx) else {
                return Poll::Pending;
            };
            if let State::Reading { reader, start, map_err, .. } =
                mem::replace(&mut self.state, State::Done)
            {
                let Start { client, accept, polling } = start;
                let operation = answer.and_then(|answer| accept(client, reader, polling, answer));
                return Poll::Ready(operation.map(Operation::typed).map_err(map_err));
            }
        }
        match mem::replace(&mut self.state, State::Done) {
            State::Failed(error) => Poll::Ready(Err(error)),
            State::Reading { .. } | State::Done => Poll::Pending,
        }
    }
}

impl<C, A> fmt::Debug for Start<C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("polling", &self.polling).finish_non_exhaustive()
    }
}

impl<C, E, T, M> fmt::Debug for Begin<'_, C, E, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begin").finish_non_exhaustive()
    }
}

/// Calls the request of a function that returns a future, at once as it did. A closure that is called
/// where it stands could not give away what it has.
pub fn call<F>(request: impl FnOnce() -> F) -> F {
    request()
}

/// What a function that returns an `impl Future` returns. Clippy takes an `async` block in this place
/// for an `async fn`, and asks for its docs.
pub fn future<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future
}

/// Gives the dead branch at the head of a request the type of its result.
pub fn never<T>() -> T {
    unreachable!("the branch that calls this is never taken")
}

/// `Result`, whatever it is called in an author's crate.
#[diagnostic::on_unimplemented(
    message = "an annotated function has to return a `Result`, and `{Self}` is none",
    label = "not a `Result`",
    note = "write what the request returned: `Result<reqwest::Response, MyError>`"
)]
pub trait ResultType {
    type Ok;
    type Error;

    fn into_result(self) -> Result<Self::Ok, Self::Error>;
}

impl<R, E> ResultType for Result<R, E> {
    type Ok = R;
    type Error = E;

    fn into_result(self) -> Result<R, E> {
        self
    }
}

/// `From<graph_operation::Error>`, in words for the author of an annotated function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made from a `graph_operation::Error`",
    label = "does not implement `From<graph_operation::Error>`",
    note = "an annotated function fails with a `graph_operation::Error` where its request began no operation: implement `From<graph_operation::Error>` for `{Self}`",
    note = "or name a function that converts it: `#[async_operation(map_err = my_error)]`"
)]
pub trait FromError {
    fn from_error(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Error>> FromError for E {
    fn from_error(error: Error) -> Self {
        error.into()
    }
}

#[cfg(feature = "blocking")]
pub mod blocking {
    //! The same for functions that block.

    use serde::de::DeserializeOwned;

    use super::{FromError, Reader, ResultType, Start};
    use crate::blocking::{Client, Operation, Response};
    use crate::{Error, Model, Polling};

    /// From a receiver.
    pub fn client<C: Client>(client: &C) -> Start<C, Operation> {
        client_from(client.clone())
    }

    /// From the `client` key.
    pub fn client_from<C: Client>(client: C) -> Start<C, Operation> {
        Start { client, accept: Operation::accept, polling: Polling::default() }
    }

    impl<C> Start<C, Operation> {
        /// Calls the request's function.
        pub fn call<O, R, E, T, M>(self, request: impl FnOnce() -> O) -> Result<Operation<T, M>, E>
        where
            O: ResultType<Ok = R, Error = E>,
            R: Response,
            E: FromError,
            T: DeserializeOwned,
            M: Model,
        {
            self.call_or(E::from_error, request)
        }

        /// The same with `map_err`.
        pub fn call_or<O, R, E, T, M>(
            self,
            map_err: fn(Error) -> E,
            request: impl FnOnce() -> O,
        ) -> Result<Operation<T, M>, E>
        where
            O: ResultType<Ok = R, Error = E>,
            R: Response,
            T: DeserializeOwned,
            M: Model,
        {
            let Start { client, accept, polling } = self;
            let response = request().into_result()?;
            let answer = response.into_answer();
            let operation =
                answer.and_then(|answer| accept(client, Reader::of::<M>(), polling, answer));
            operation.map(Operation::typed).map_err(map_err)
        }
    }
}
