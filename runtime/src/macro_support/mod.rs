//! The functions and traits that only expansions of `#[async_operation]` use. They can change in any
//! release, so the attribute's version is pinned.
//!
//! The compiler checks a bound again wherever it meets an opaque type that has it. Nothing opaque is
//! returned here, so that a bound which an author's type does not meet is reported once, at that type.

#[cfg(feature = "blocking")]
pub mod blocking;
pub mod keys;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;

use crate::model::Reader;
use crate::operation::Starting;
use crate::protocol::Answer;
use crate::{Client, Error, Model, Operation, Polling, Response, Result};

pub use serde_json::Value;
pub use std::boxed::Box;

/// A client and a policy: everything but the request.
#[must_use]
pub struct Start<C, V> {
    client: C,
    verbs: V,
    policy: Policy,
}

/// The values that keys set; the model supplies the others.
#[derive(Default)]
struct Policy {
    polling: Option<Polling>,
    first_check: Option<Duration>,
    interval: Option<Duration>,
    timeout: Option<Duration>,
}

impl Policy {
    fn of<M: Model>(self) -> Polling {
        let mut polling = self.polling.unwrap_or_else(M::POLLING);
        if let Some(first_check) = self.first_check {
            polling = polling.first_check(first_check);
        }
        if let Some(interval) = self.interval {
            polling = polling.interval(interval);
        }
        if let Some(timeout) = self.timeout {
            polling = polling.timeout(timeout);
        }
        polling
    }
}

/// The keys of the policy. The durations are in milliseconds.
impl<C, V> Start<C, V> {
    fn new(client: C, verbs: V) -> Self {
        Start { client, verbs, policy: Policy::default() }
    }

    pub fn polling(mut self, polling: Polling) -> Self {
        self.policy.polling = Some(polling);
        self
    }

    pub fn first_check(mut self, millis: u64) -> Self {
        self.policy.first_check = Some(Duration::from_millis(millis));
        self
    }

    pub fn interval(mut self, millis: u64) -> Self {
        self.policy.interval = Some(Duration::from_millis(millis));
        self
    }

    pub fn timeout(mut self, millis: u64) -> Self {
        self.policy.timeout = Some(Duration::from_millis(millis));
        self
    }

    fn with_model<M: Model>(self) -> Ready<C, V> {
        let Start { client, verbs, policy } = self;
        Ready { client, verbs, reader: Reader::of::<M>(), polling: policy.of::<M>() }
    }
}

/// The same once the model is known.
pub struct Ready<C, V> {
    client: C,
    verbs: V,
    reader: &'static Reader,
    polling: Polling,
}

/// The functions of [`Operation`] for one type of client. With them, nothing else needs the bound
/// `C: Client`, which is checked where the author named the client.
pub struct Verbs<C> {
    accept: fn(C, &'static Reader, Polling, Answer) -> Result<Operation>,
    begin: fn(C, &'static Reader, Polling, http::Request<Bytes>, bool) -> Starting,
}

/// From a receiver, which is cloned before the function's code runs.
pub fn client<C: Client>(client: &C) -> Start<C, Verbs<C>> {
    client_from(client.clone())
}

/// From the `client` key.
pub fn client_from<C: Client>(client: C) -> Start<C, Verbs<C>> {
    Start::new(client, Verbs { accept: Operation::accept, begin: Operation::begin })
}

/// The generic parameters are in this order because the expansion gives each of them the span at
/// which the compiler is to report its bounds.
impl<C> Start<C, Verbs<C>> {
    /// Begins the operation with the function's code.
    pub fn begin<'a, O, R, E, T, M, F>(self, code: F) -> Begin<'a, F, C, E, T, M>
    where
        O: ResultType<Ok = R, Error = E>,
        R: Returned + 'a,
        E: FromError,
        T: DeserializeOwned,
        M: Model,
        F: Future<Output = O>,
    {
        self.begin_or(E::from_error, code)
    }

    /// The same with `map_err`.
    pub fn begin_or<'a, O, R, E, T, M, F>(
        self,
        map_err: fn(Error) -> E,
        code: F,
    ) -> Begin<'a, F, C, E, T, M>
    where
        O: ResultType<Ok = R, Error = E>,
        R: Returned + 'a,
        T: DeserializeOwned,
        M: Model,
        F: Future<Output = O>,
    {
        Begin {
            stage: Stage::Code { code, start: Some(self) },
            proceed: |result, start| Ok(result.into_result()?.begin(start.with_model::<M>())),
            map_err,
            types: PhantomData,
        }
    }
}

pin_project! {
    /// Runs the function's code, sends the request that it returned or reads the response, and
    /// begins the operation.
    ///
    /// `E` need not be `Send`: it is returned where it appears. Only `F` has a bound, which does
    /// not mention its output, so that no other bound is checked again where this is awaited.
    #[must_use]
    pub struct Begin<'a, F: Future, C, E, T, M> {
        #[pin]
        stage: Stage<'a, F, C>,
        proceed: fn(F::Output, Start<C, Verbs<C>>) -> Result<Begun<'a, C>, E>,
        map_err: fn(Error) -> E,
        types: PhantomData<fn() -> (T, M)>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<'a, F, C> {
        Code { #[pin] code: F, start: Option<Start<C, Verbs<C>>> },
        Begun { begun: Begun<'a, C> },
    }
}

/// Turns what an annotated function returned into an operation.
pub struct Begun<'a, C>(Inner<'a, C>);

enum Inner<'a, C> {
    /// The function sent its request itself.
    Reading(Pin<Box<dyn Future<Output = Result<Answer>> + Send + 'a>>, Option<Ready<C, Verbs<C>>>),
    Sending(Box<Starting>),
}

impl<C> Unpin for Begun<'_, C> {}

impl<F: Future, C, E, T, M> Future for Begin<'_, F, C, E, T, M> {
    type Output = Result<Operation<T, M>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.stage.as_mut().project() {
                StageProjection::Code { code, start } => {
                    let result = ready!(code.poll(cx));
                    let Some(start) = start.take() else { return Poll::Pending };
                    let begun = (this.proceed)(result, start)?;
                    this.stage.set(Stage::Begun { begun });
                }
                StageProjection::Begun { begun } => {
                    let operation = ready!(Pin::new(begun).poll(cx));
                    return Poll::Ready(operation.map(Operation::typed).map_err(*this.map_err));
                }
            }
        }
    }
}

impl<C> Future for Begun<'_, C> {
    type Output = Result<Operation>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Sending(starting) => Pin::new(&mut **starting).poll(cx),
            Inner::Reading(answer, ready) => {
                let answer = ready!(answer.as_mut().poll(cx));
                let Some(Ready { client, verbs, reader, polling }) = ready.take() else {
                    return Poll::Pending;
                };
                Poll::Ready(
                    answer.and_then(|answer| (verbs.accept)(client, reader, polling, answer)),
                )
            }
        }
    }
}

/// What an annotated function returns: a request, or the response to one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a request nor the response to one",
    label = "does not implement `graph_operation::Response`",
    note = "return the request (`http::Request` with a body of `Bytes`, `Vec<u8>`, `String` or `()`) or what sending it returned (`http::Response<Bytes>` or, with the feature `reqwest`, `reqwest::Response`)",
    note = "for the response type of another HTTP client, implement `graph_operation::Response`"
)]
pub trait Returned {
    fn begin<'a, C>(self, ready: Ready<C, Verbs<C>>) -> Begun<'a, C>
    where
        Self: 'a;
}

#[diagnostic::do_not_recommend]
impl<R: Response> Returned for R {
    fn begin<'a, C>(self, ready: Ready<C, Verbs<C>>) -> Begun<'a, C>
    where
        Self: 'a,
    {
        Begun(Inner::Reading(Box::pin(self.into_answer()), Some(ready)))
    }
}

/// A request that is retried even if it may have been carried out.
#[derive(Debug)]
pub struct Idempotent(http::Request<Bytes>);

/// From the `idempotent` key. The expansion gives `R` the span of the key.
pub fn idempotent<O, R, F>(code: F) -> IdempotentCode<F, O::Idempotent>
where
    O: ResultType<Ok = R>,
    R: Request,
    F: Future<Output = O>,
{
    IdempotentCode { code, idempotent: O::idempotent }
}

/// The same for what a blocking function returned.
pub fn idempotent_result<O, R>(result: O) -> O::Idempotent
where
    O: ResultType<Ok = R>,
    R: Request,
{
    result.idempotent()
}

pin_project! {
    /// The function's code, whose request is retried even if it may have been carried out.
    pub struct IdempotentCode<F: Future, I> {
        #[pin]
        code: F,
        idempotent: fn(F::Output) -> I,
    }
}

impl<F: Future, I> Future for IdempotentCode<F, I> {
    type Output = I;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<I> {
        let this = self.project();
        this.code.poll(cx).map(this.idempotent)
    }
}

/// `http::Request` with a body in memory.
#[diagnostic::on_unimplemented(
    message = "`idempotent` is for functions that return a request, and `{Self}` is not one",
    label = "the function does not return a request",
    note = "return the request (`http::Request<Bytes>`), which the library then sends and retries; or remove `idempotent`"
)]
pub trait Request {
    fn into_request(self) -> http::Request<Bytes>;
}

/// Implements [`Returned`] for the requests.
macro_rules! requests {
    ($($body:ty, $into:expr;)*) => {
        $(
            impl Request for http::Request<$body> {
                fn into_request(self) -> http::Request<Bytes> {
                    self.map($into)
                }
            }

            requests!(@ http::Request<$body>, false, Request::into_request);
        )*
        requests!(@ Idempotent, true, |request: Idempotent| request.0);
    };
    (@ $returned:ty, $idempotent:expr, $into_request:expr) => {
        impl Returned for $returned {
            fn begin<'a, C>(self, ready: Ready<C, Verbs<C>>) -> Begun<'a, C>
            where
                Self: 'a,
            {
                let Ready { client, verbs, reader, polling } = ready;
                let request = $into_request(self);
                let starting = (verbs.begin)(client, reader, polling, request, $idempotent);
                Begun(Inner::Sending(Box::new(starting)))
            }
        }

        #[cfg(feature = "blocking")]
        impl blocking::Returned for $returned {
            fn begin<C, O>(
                self,
                ready: Ready<C, blocking::Verbs<C, O>>,
            ) -> Result<crate::blocking::Operation> {
                let Ready { client, verbs, reader, polling } = ready;
                (verbs.begin)(client, reader, polling, $into_request(self), $idempotent)
            }
        }
    };
}

requests! {
    Bytes, |body| body;
    Vec<u8>, Bytes::from;
    String, Bytes::from;
    (), |()| Bytes::new();
}

/// `Debug` for what is public only so that expansions can pass it on.
macro_rules! opaque {
    ($($name:literal for $ty:ident<$($param:tt $(: $bound:path)?),*>;)*) => {
        $(
            impl<$($param $(: $bound)?),*> fmt::Debug for $ty<$($param),*> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct($name).finish_non_exhaustive()
                }
            }
        )*
    };
}

opaque! {
    "Start" for Start<C, V>;
    "Verbs" for Verbs<C>;
    "Ready" for Ready<C, V>;
    "Begin" for Begin<'a, F: Future, C, E, T, M>;
    "Begun" for Begun<'a, C>;
    "IdempotentCode" for IdempotentCode<F: Future, I>;
}

/// Calls the code of a function that is not async. The bound makes the closure an `FnOnce`, which can
/// return what it captured.
pub fn call<T>(code: impl FnOnce() -> T) -> T {
    code()
}

/// What a function that returns an `impl Future` returns. Clippy would take a function that ends in
/// an `async` block for an `async fn`, and require the same documentation.
pub fn future<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future
}

/// The value of a branch at the start of the function's code that is never taken. It gives the
/// result its type.
pub fn never<T>() -> T {
    unreachable!("the branch that calls this is never taken")
}

/// `Result`, even behind an alias.
#[diagnostic::on_unimplemented(
    message = "an annotated function has to return a `Result`, and `{Self}` is not one",
    label = "not a `Result`",
    note = "return the request, or what sending it returned: `Result<http::Request<Bytes>, MyError>`",
    note = "for a future, write `impl Future<Output = Result<R, E>>` or `BoxFuture<'_, Result<R, E>>`"
)]
pub trait ResultType {
    type Ok;
    type Error;
    /// The client itself. In this form, its bounds are checked only if `Self` is a `Result`.
    type Client<C>;
    /// What [`idempotent`] returns. Unless `Self` is a `Result`, the type is unknown and causes no
    /// further error.
    type Idempotent;

    fn into_result(self) -> Result<Self::Ok, Self::Error>;

    fn idempotent(self) -> Self::Idempotent
    where
        Self::Ok: Request;

    fn borrowed<C>(client: &C) -> &Self::Client<C>;

    fn owned<C>(client: C) -> Self::Client<C>;
}

impl<R, E> ResultType for Result<R, E> {
    type Ok = R;
    type Error = E;
    type Client<C> = C;
    type Idempotent = Result<Idempotent, E>;

    fn into_result(self) -> Result<R, E> {
        self
    }

    fn idempotent(self) -> Result<Idempotent, E>
    where
        R: Request,
    {
        self.map(|request| Idempotent(request.into_request()))
    }

    fn borrowed<C>(client: &C) -> &C {
        client
    }

    fn owned<C>(client: C) -> C {
        client
    }
}

/// The result of a function that returns an alias with two arguments, whose order is not known.
pub fn in_alias<O: FirstIsSuccess<D>, D>(result: O) -> D {
    result.declared()
}

/// The same type twice: the result, and the author's alias with `Operation` as its first argument.
#[diagnostic::on_unimplemented(
    message = "the first argument of this alias is not the success type of its `Result`",
    label = "`Operation` replaces the first argument",
    note = "write `Result<R, E>`, or an alias that has the success type first"
)]
pub trait FirstIsSuccess<D> {
    fn declared(self) -> D;
}

impl<T> FirstIsSuccess<T> for T {
    fn declared(self) -> T {
        self
    }
}

/// `From<graph_operation::Error>`, with error messages for the author of an annotated function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be made from a `graph_operation::Error`",
    label = "does not implement `From<graph_operation::Error>`",
    note = "an annotated function returns a `graph_operation::Error` if its request does not start an operation: implement `From<graph_operation::Error>` for `{Self}`",
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Policy, Polling, Start};
    use crate::TeamsAsyncOperation;

    fn policy(keys: impl FnOnce(Start<(), ()>) -> Start<(), ()>) -> Polling {
        keys(Start { client: (), verbs: (), policy: Policy::default() })
            .with_model::<TeamsAsyncOperation>()
            .polling
    }

    #[test]
    fn keys_change_the_policy() {
        let given = Polling::frequent().retries(3);
        assert_eq!(policy(|start| start), Polling::default());
        assert_eq!(policy(|start| start.polling(given)), given);
        assert_eq!(
            policy(|start| start.timeout(3).interval(60_000).first_check(1_000)),
            Polling::default()
                .first_check(Duration::from_secs(1))
                .interval(Duration::from_secs(60))
                .timeout(Duration::from_millis(3)),
        );
    }

    #[cfg(feature = "testing")]
    #[test]
    fn requests_are_sent_as_they_were_returned() {
        use std::future::ready;
        use std::sync::{Arc, Mutex};

        use super::{Operation, Returned, Starting, Verbs, idempotent};
        use crate::testing::{ScriptedClient, block_on};
        use crate::{Error, Result};

        /// The bodies, and whether each may be sent twice.
        type Begun = Arc<Mutex<Vec<(String, bool)>>>;

        fn begin<R: Returned>(begun: &Begun, code: impl Future<Output = Result<R>>) {
            let verbs = Verbs::<Begun> {
                accept: |_, _, _, _| unreachable!("there is no answer"),
                begin: |begun, reader, polling, request, idempotent| -> Starting {
                    let body = String::from_utf8_lossy(request.body()).into_owned();
                    begun.lock().unwrap().push((body, idempotent));
                    Operation::begin(ScriptedClient::new(), reader, polling, request, idempotent)
                },
            };
            let start = Start { client: Arc::clone(begun), verbs, policy: Policy::default() };
            let _ = block_on(start.begin::<_, R, Error, (), TeamsAsyncOperation, _>(code));
        }

        let begun = Begun::default();
        begin(&begun, ready(Ok(http::Request::new(bytes::Bytes::from("bytes")))));
        begin(&begun, ready(Ok(http::Request::new(b"vector".to_vec()))));
        begin(&begun, ready(Ok(http::Request::new("text".to_owned()))));
        begin(&begun, ready(Ok(http::Request::new(()))));
        begin(&begun, idempotent(ready(Ok::<_, Error>(http::Request::new("again".to_owned())))));
        begin(&begun, idempotent(ready(Ok::<_, Error>(http::Request::new(())))));
        let expected = [
            ("bytes", false),
            ("vector", false),
            ("text", false),
            ("", false),
            ("again", true),
            ("", true),
        ];
        let begun = begun.lock().unwrap();
        assert!(begun.iter().map(|(body, twice)| (body.as_str(), *twice)).eq(expected));
    }
}
