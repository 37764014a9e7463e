//! What expansions of `#[async_operation]` call, and no one else: it changes with any release, which
//! is why the attribute's version is pinned.

use std::future::Future;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{Client, Error, Model, Operation, Polling, Response};

pub use serde_json::Value;
pub use std::boxed::Box;

/// A client and a policy, with everything ready but the answer to the request.
#[derive(Debug)]
#[must_use]
pub struct Start<C> {
    client: C,
    polling: Polling,
}

/// From a receiver, cloned before the request's function uses it.
///
/// The client that comes back is opaque so that one which lacks the trait is reported here alone.
pub fn client<C: Client>(client: &C) -> Start<impl Client + use<C>> {
    client_from(client.clone())
}

/// From the `client` key.
pub fn client_from<C: Client>(client: C) -> Start<impl Client + use<C>> {
    Start { client, polling: Polling::default() }
}

/// The policy. The durations are in milliseconds.
impl<C> Start<C> {
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
/// the author's code where its bounds are to be reported.
impl<C: Client> Start<C> {
    /// In an `async fn`.
    pub async fn begin<O, R, E, T, M>(
        self,
        request: impl AsyncFnOnce() -> O,
    ) -> Result<Operation<T, M>, E>
    where
        O: ResultType<Ok = R, Error = E>,
        R: Response,
        E: FromError,
        T: DeserializeOwned,
        M: Model,
    {
        self.accept(E::from_error, request().await).await
    }

    /// The same with `map_err`.
    pub async fn begin_or<O, R, E, T, M>(
        self,
        map_err: impl FnOnce(Error) -> E,
        request: impl AsyncFnOnce() -> O,
    ) -> Result<Operation<T, M>, E>
    where
        O: ResultType<Ok = R, Error = E>,
        R: Response,
        T: DeserializeOwned,
        M: Model,
    {
        self.accept(map_err, request().await).await
    }

    async fn accept<O, R, E, T, M>(
        self,
        map_err: impl FnOnce(Error) -> E,
        result: O,
    ) -> Result<Operation<T, M>, E>
    where
        O: ResultType<Ok = R, Error = E>,
        R: Response,
        M: Model,
    {
        let response = result.into_result()?;
        Operation::begin(self.client, self.polling, response).await.map_err(map_err)
    }

    /// In a function that returns a future, with the one that its request returned.
    pub fn later<F, O, R, E, T, M>(
        self,
        request: F,
    ) -> impl Future<Output = Result<Operation<T, M>, E>>
    where
        F: Future<Output = O>,
        O: ResultType<Ok = R, Error = E>,
        R: Response,
        E: FromError,
        T: DeserializeOwned,
        M: Model,
    {
        self.later_or(E::from_error, request)
    }

    /// The same with `map_err`.
    pub fn later_or<F, O, R, E, T, M>(
        self,
        map_err: impl FnOnce(Error) -> E,
        request: F,
    ) -> impl Future<Output = Result<Operation<T, M>, E>>
    where
        F: Future<Output = O>,
        O: ResultType<Ok = R, Error = E>,
        R: Response,
        T: DeserializeOwned,
        M: Model,
    {
        async move { self.accept(map_err, request.await).await }
    }
}

/// Calls the request of a function that returns a future, at once as it did. A closure that is called
/// where it stands could not give away what it has.
pub fn call<F>(request: impl FnOnce() -> F) -> F {
    request()
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
    message = "`{Self}` cannot hold a `graph_operation::Error`",
    label = "does not implement `From<graph_operation::Error>`",
    note = "an annotated function fails with a `graph_operation::Error` when no operation came of its request: implement `From<graph_operation::Error>` for `{Self}`",
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

    use super::{FromError, ResultType, Start};
    use crate::blocking::{Client, Operation, Response};
    use crate::{Error, Model, Polling};

    /// From a receiver.
    pub fn client<C: Client>(client: &C) -> Start<impl Client + use<C>> {
        client_from(client.clone())
    }

    /// From the `client` key.
    pub fn client_from<C: Client>(client: C) -> Start<impl Client + use<C>> {
        Start { client, polling: Polling::default() }
    }

    impl<C: Client> Start<C> {
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
            map_err: impl FnOnce(Error) -> E,
            request: impl FnOnce() -> O,
        ) -> Result<Operation<T, M>, E>
        where
            O: ResultType<Ok = R, Error = E>,
            R: Response,
            T: DeserializeOwned,
            M: Model,
        {
            let response = request().into_result()?;
            Operation::begin(self.client, self.polling, response).map_err(map_err)
        }
    }
}
