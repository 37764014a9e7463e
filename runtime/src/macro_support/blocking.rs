//! What the expansions of blocking functions use.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{FromError, Reader, Ready, ResultType, Start};
use crate::blocking::{Client, Operation, Response};
use crate::protocol::Answer;
use crate::{Error, Model, Polling, Result};

/// What [`Operation`] does with a client, and what the function returns.
pub struct Verbs<C, O> {
    accept: fn(C, &'static Reader, Polling, Answer) -> Result<Operation>,
    pub(super) begin:
        fn(C, &'static Reader, Polling, http::Request<Bytes>, bool) -> Result<Operation>,
    result: PhantomData<fn(O)>,
}

/// From a receiver. The client's bounds are checked only if the function returns a `Result`: a
/// function that returns a future needs another client.
pub fn client<O, B, C>(client: &B) -> Start<C, Verbs<C, O>>
where
    O: ResultType<Client<B> = C>,
    C: Client,
{
    start(O::borrowed(client).clone())
}

/// From the `client` key.
pub fn client_from<O, B, C>(client: B) -> Start<C, Verbs<C, O>>
where
    O: ResultType<Client<B> = C>,
    C: Client,
{
    start(O::owned(client))
}

fn start<C: Client, O>(client: C) -> Start<C, Verbs<C, O>> {
    let (accept, begin) = (Operation::accept, Operation::begin);
    Start::new(client, Verbs { accept, begin, result: PhantomData })
}

impl<C, O> Start<C, Verbs<C, O>> {
    /// Begins the operation with what the function returned.
    pub fn begin<R, E, T, M>(self, result: O) -> Result<Operation<T, M>, E>
    where
        O: ResultType<Ok = R, Error = E>,
        R: Returned,
        E: FromError,
        T: DeserializeOwned,
        M: Model,
    {
        self.begin_or(E::from_error, result)
    }

    /// The same with `map_err`.
    pub fn begin_or<R, E, T, M>(
        self,
        map_err: fn(Error) -> E,
        result: O,
    ) -> Result<Operation<T, M>, E>
    where
        O: ResultType<Ok = R, Error = E>,
        R: Returned,
        T: DeserializeOwned,
        M: Model,
    {
        let operation = result.into_result()?.begin(self.with_model::<M>());
        operation.map(Operation::typed).map_err(map_err)
    }
}

/// What an annotated blocking function returns: a request, or the response to one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a request nor the response to one",
    label = "does not implement `graph_operation::blocking::Response`",
    note = "return the request (`http::Request` with a body of `Bytes`, `Vec<u8>`, `String` or `()`) or what sending it returned (`http::Response<Bytes>` or the response of ureq or reqwest's blocking client, with the feature of that name)",
    note = "for the response type of another HTTP client, implement `graph_operation::blocking::Response`"
)]
pub trait Returned {
    fn begin<C, O>(self, ready: Ready<C, Verbs<C, O>>) -> Result<Operation>;
}

#[diagnostic::do_not_recommend]
impl<R: Response> Returned for R {
    fn begin<C, O>(self, ready: Ready<C, Verbs<C, O>>) -> Result<Operation> {
        let Ready { client, verbs, reader, polling } = ready;
        (verbs.accept)(client, reader, polling, self.into_answer()?)
    }
}

impl<C, O> fmt::Debug for Verbs<C, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verbs").finish_non_exhaustive()
    }
}
