//! The blocking handle.

use std::fmt;

use bytes::Bytes;
use http::{Request, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{Client, connect};
use super::completed::Completed;
use super::response::Response;
use crate::block_on::block_on;
use crate::error::Result;
use crate::model::{Model, Reader, TeamsAsyncOperation};
use crate::protocol::{Answer, Polling};
use crate::resume_token::ResumeToken;
use crate::update::Update;

/// A long-running operation of Microsoft Graph; see the asynchronous
/// [`Operation`](crate::Operation).
#[must_use = "an operation continues without its handle, but nobody learns how it ends"]
pub struct Operation<T = Value, M = TeamsAsyncOperation> {
    pub(crate) inner: crate::Operation<T, M>,
}

/// # Starting, without the attribute
impl Operation {
    /// Sends a request that starts an operation; see [`Operation::start`](crate::Operation::start).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::start`](crate::Operation::start).
    pub fn start(client: impl Client, request: Request<Bytes>) -> Result<Self> {
        Self::start_as(client, request)
    }

    /// The same for an operation of another model.
    pub fn start_as<M: Model>(
        client: impl Client,
        request: Request<Bytes>,
    ) -> Result<Operation<Value, M>> {
        let reader = Reader::of::<M>();
        Ok(Self::begin(client, reader, M::POLLING(), request, false)?.typed())
    }

    /// Sends a request that may be carried out twice without harm; see
    /// [`Operation::start_idempotent`](crate::Operation::start_idempotent).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::start`](crate::Operation::start).
    pub fn start_idempotent(client: impl Client, request: Request<Bytes>) -> Result<Self> {
        Self::start_idempotent_as(client, request)
    }

    /// The same for an operation of another model.
    pub fn start_idempotent_as<M: Model>(
        client: impl Client,
        request: Request<Bytes>,
    ) -> Result<Operation<Value, M>> {
        let reader = Reader::of::<M>();
        Ok(Self::begin(client, reader, M::POLLING(), request, true)?.typed())
    }

    /// Reads the response to a request that starts an operation; see
    /// [`Operation::from_response`](crate::Operation::from_response).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::from_response`](crate::Operation::from_response).
    pub fn from_response(client: impl Client, response: impl Response) -> Result<Self> {
        Self::from_response_as(client, response)
    }

    /// The same for an operation of another model.
    pub fn from_response_as<M: Model>(
        client: impl Client,
        response: impl Response,
    ) -> Result<Operation<Value, M>> {
        let answer = response.into_answer()?;
        Ok(Self::accept(client, Reader::of::<M>(), M::POLLING(), answer)?.typed())
    }

    /// Follows the operation at a known address, absolute or relative to the service root; see
    /// [`Operation::from_location`](crate::Operation::from_location).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::from_location`](crate::Operation::from_location).
    pub fn from_location(client: impl Client, location: impl AsRef<str>) -> Result<Self> {
        Self::from_location_as(client, location)
    }

    /// The same for an operation of another model.
    pub fn from_location_as<M: Model>(
        client: impl Client,
        location: impl AsRef<str>,
    ) -> Result<Operation<Value, M>> {
        let inner = crate::Operation::at(connect(client), Reader::of::<M>(), location.as_ref())?;
        Ok(Operation { inner: inner.typed() })
    }

    /// Follows the operation that a token names, perhaps one of another process; see
    /// [`Operation::resume`](crate::Operation::resume).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::resume`](crate::Operation::resume).
    pub fn resume(client: impl Client, token: ResumeToken) -> Result<Self> {
        Self::resume_as(client, token)
    }

    /// The same for an operation of another model.
    pub fn resume_as<M: Model>(
        client: impl Client,
        token: ResumeToken,
    ) -> Result<Operation<Value, M>> {
        let inner = crate::Operation::resumed(connect(client), Reader::of::<M>(), token)?;
        Ok(Operation { inner: inner.typed() })
    }

    pub(crate) fn accept<C: Client>(
        client: C,
        reader: &'static Reader,
        policy: Polling,
        answer: Answer,
    ) -> Result<Self> {
        let inner = crate::Operation::accepted(connect(client), reader, policy, answer)?;
        Ok(Operation { inner })
    }

    pub(crate) fn begin<C: Client>(
        client: C,
        reader: &'static Reader,
        policy: Polling,
        request: Request<Bytes>,
        idempotent: bool,
    ) -> Result<Self> {
        let connection = connect(client);
        let starting =
            crate::operation::Starting::new(connection, reader, policy, request, idempotent);
        Ok(Operation { inner: block_on(starting)? })
    }
}

impl<T, M> Operation<T, M> {
    /// Changes the type parameters; `N` has to be the model of the operation.
    pub(crate) fn typed<U, N>(self) -> Operation<U, N> {
        Operation { inner: self.inner.typed() }
    }
}

impl<T, M: Model> Operation<T, M> {
    /// Sends one check now, whatever the policy says; see
    /// [`Operation::poll`](crate::Operation::poll).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::poll`](crate::Operation::poll).
    pub fn poll(&mut self) -> Result<Update<M>> {
        block_on(self.inner.poll())
    }

    /// Polls according to the policy until the operation has succeeded; see
    /// [`Operation::wait`](crate::Operation::wait).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::wait`](crate::Operation::wait).
    pub fn wait(&mut self) -> Result<Completed<T, M>> {
        Ok(Completed { inner: block_on(self.inner.wait())? })
    }

    /// The same, and calls `see` with each check; see
    /// [`Operation::wait_with`](crate::Operation::wait_with).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::wait_with`](crate::Operation::wait_with).
    pub fn wait_with(&mut self, see: impl FnMut(Update<M>)) -> Result<Completed<T, M>> {
        Ok(Completed { inner: block_on(self.inner.wait_with(see))? })
    }

    /// Polls according to the policy, and yields each check; see
    /// [`Operation::updates`](crate::Operation::updates).
    pub fn updates(&mut self) -> Updates<'_, T, M> {
        Updates { inner: self.inner.updates() }
    }

    /// Waits, then reads the target; see [`Operation::target`](crate::Operation::target).
    ///
    /// # Errors
    ///
    /// Those of [`Operation::target`](crate::Operation::target).
    pub fn target(&mut self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        block_on(self.inner.target())
    }

    /// The result of the last check.
    pub fn update(&self) -> Update<M> {
        self.inner.update()
    }

    /// The operation's address, resolved; `None` if the service finished at once.
    pub fn location(&self) -> Option<&Uri> {
        self.inner.location()
    }

    /// A token with which another process can follow the operation; `None` if the service finished
    /// at once.
    pub fn resume_token(&self) -> Option<ResumeToken> {
        self.inner.resume_token()
    }

    /// The `request-id` of the response to the starting request, which Microsoft's support asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.inner.request_id()
    }

    /// The `client-request-id` of the response to the starting request.
    pub fn client_request_id(&self) -> Option<&str> {
        self.inner.client_request_id()
    }

    /// The body of the starting 202; see
    /// [`Operation::accepted_body`](crate::Operation::accepted_body).
    pub fn accepted_body(&self) -> Option<&[u8]> {
        self.inner.accepted_body()
    }

    /// The operation's id, if its address contains it.
    pub fn operation_id(&self) -> Option<&str> {
        self.inner.operation_id()
    }

    /// What the operation works on, if the starting response says so; see
    /// [`Operation::target_hint`](crate::Operation::target_hint).
    pub fn target_hint(&self) -> Option<&str> {
        self.inner.target_hint()
    }

    /// Changes the type that the target deserializes to.
    pub fn with_target<U>(self) -> Operation<U, M> {
        self.typed()
    }

    /// Changes the policy from here on. The deadline still counts from the start.
    pub fn set_polling(&mut self, polling: Polling) {
        self.inner.set_polling(polling);
    }

    /// Returns the operation with another policy. The deadline still counts from the start.
    pub fn with_polling(mut self, polling: Polling) -> Self {
        self.set_polling(polling);
        self
    }
}

impl<T, M> fmt::Debug for Operation<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The checks of an [`Operation`]; see [`Operation::updates`].
#[must_use = "iterators do nothing unless advanced"]
pub struct Updates<'a, T = Value, M = TeamsAsyncOperation> {
    inner: crate::Updates<'a, T, M>,
}

/// Ends after the operation has, and after an error.
impl<T, M: Model> Iterator for Updates<'_, T, M> {
    type Item = Result<Update<M>>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.inner.next())
    }
}

impl<T, M> fmt::Debug for Updates<'_, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
