//! An author's client as a trait object, so that a handle has one type whatever the client, and the
//! polling code is compiled once.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Response, Uri};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::protocol::Sent;

/// A request in flight, or a credential that is being renewed.
pub(crate) type Exchange = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The result of an exchange.
pub(crate) enum Outcome {
    Sent(Result<Response<Bytes>>),
    /// The response that asked for a new credential, and whether there is one.
    Renewed(Response<Bytes>, bool),
}

/// A client as the handles use it.
pub(crate) trait Connection: Send + Sync {
    fn service_root(&self) -> &Uri;
    fn now(&self) -> Instant;
    fn system_time(&self) -> SystemTime;
    fn random(&self) -> u64;
    /// Whether sleeping and sending block the thread, and so take time without pending.
    fn blocks(&self) -> bool;
    fn send(self: Arc<Self>, request: Sent) -> Exchange;
    fn renew(self: Arc<Self>, response: Response<Bytes>, limit: Option<Duration>) -> Exchange;
    /// Abandons an exchange after `left`, counted from now.
    fn limit(self: Arc<Self>, exchange: Exchange, left: Duration) -> Exchange;
    fn sleeper(self: Arc<Self>) -> Box<dyn Sleeper>;
}

/// A sleep that can be restarted, always in the same allocation.
pub(crate) trait Sleeper: Send {
    fn start(&mut self, duration: Duration);
    fn stop(&mut self);
    /// Ready once the sleep is over, or if there is none.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

struct Connected<C> {
    client: C,
    blocks: bool,
}

pub(crate) fn connect<C: Client>(client: C) -> Arc<dyn Connection> {
    Arc::new(Connected { client, blocks: false })
}

/// The same for a client whose futures block and never pend.
#[cfg(feature = "blocking")]
pub(crate) fn connect_blocking<C: Client>(client: C) -> Arc<dyn Connection> {
    Arc::new(Connected { client, blocks: true })
}

impl<C: Client> Connection for Connected<C> {
    fn service_root(&self) -> &Uri {
        self.client.service_root()
    }

    fn now(&self) -> Instant {
        self.client.now()
    }

    fn system_time(&self) -> SystemTime {
        self.client.system_time()
    }

    fn random(&self) -> u64 {
        self.client.random()
    }

    fn blocks(&self) -> bool {
        self.blocks
    }

    fn send(self: Arc<Self>, request: Sent) -> Exchange {
        let limit = request.time_left();
        if request.is_anonymous() {
            return Box::pin(async move {
                let sending = pin!(self.client.send_anonymous(request.into_request()));
                let convert = |sent: Result<_>| {
                    Outcome::Sent(sent.map_err(|error| Error::of_client(error.into(), true)))
                };
                in_time(&self.client, limit, sending, convert, timed_out).await
            });
        }
        Box::pin(async move {
            let sending = pin!(self.client.send(request.into_request()));
            let convert = |sent: Result<_, C::Error>| {
                Outcome::Sent(sent.map_err(|error| {
                    let transient = self.client.is_transient(&error);
                    Error::of_client(error.into(), transient)
                }))
            };
            in_time(&self.client, limit, sending, convert, timed_out).await
        })
    }

    fn renew(self: Arc<Self>, response: Response<Bytes>, limit: Option<Duration>) -> Exchange {
        Box::pin(async move {
            let renewed = {
                let renewing = pin!(self.client.unauthorized(&response));
                in_time(&self.client, limit, renewing, |renewed| renewed, || false).await
            };
            Outcome::Renewed(response, renewed)
        })
    }

    fn limit(self: Arc<Self>, exchange: Exchange, left: Duration) -> Exchange {
        Box::pin(async move {
            let exchange = pin!(exchange);
            in_time(&self.client, Some(left), exchange, |outcome| outcome, timed_out).await
        })
    }

    fn sleeper(self: Arc<Self>) -> Box<dyn Sleeper> {
        SleeperOf::boxed(self, |connection, duration| async move {
            connection.client.sleep(duration).await;
        })
    }
}

/// How long the credential of a request that was sent at `since` may take to be renewed: what
/// remains of the request's limit.
pub(crate) fn left(limit: Option<Duration>, since: Instant, now: Instant) -> Option<Duration> {
    limit.map(|limit| limit.saturating_sub(now.saturating_duration_since(since)))
}

fn timed_out() -> Outcome {
    Outcome::Sent(Err(Error::transport("the request timed out")))
}

/// The converted output of `future`, or the output of `give_up` if the client's clock advances by
/// `limit` first.
///
/// `time_limit` is called only once the future has pended. A client whose sleeps return at once
/// without moving its clock is not cut short. The output is converted before it is returned,
/// because a client's error need not be `Send`.
async fn in_time<C: Client, F: Future, T>(
    client: &C,
    mut limit: Option<Duration>,
    mut future: Pin<&mut F>,
    convert: impl Fn(F::Output) -> T,
    give_up: impl Fn() -> T,
) -> T {
    let mut started = None;
    let mut timer = pin!(None);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(convert(output));
        }
        let Some(whole) = limit else { return Poll::Pending };
        if started.is_none() {
            timer.set(Some(client.time_limit(whole)));
        }
        let (started, left) = started.get_or_insert_with(|| (client.now(), whole));
        if let Some(timer) = timer.as_mut().as_pin_mut() {
            ready!(timer.poll(cx));
        }
        match whole.checked_sub(client.now().saturating_duration_since(*started)) {
            None | Some(Duration::ZERO) => Poll::Ready(give_up()),
            // The timer was early, because of its resolution or because sleeps return at once. Poll
            // the future before the timer again.
            Some(still) if still < *left => {
                *left = still;
                timer.set(Some(client.time_limit(still)));
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(_) => {
                limit = None;
                Poll::Pending
            }
        }
    })
    .await
}

struct SleeperOf<C, F, S> {
    connection: Arc<Connected<C>>,
    sleep: F,
    future: Pin<Box<Option<S>>>,
}

impl<C, F, S> SleeperOf<C, F, S>
where
    C: Client,
    F: Fn(Arc<Connected<C>>, Duration) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    fn boxed(connection: Arc<Connected<C>>, sleep: F) -> Box<dyn Sleeper> {
        Box::new(SleeperOf { connection, sleep, future: Box::pin(None) })
    }
}

impl<C, F, S> Sleeper for SleeperOf<C, F, S>
where
    C: Client,
    F: Fn(Arc<Connected<C>>, Duration) -> S + Send,
    S: Future<Output = ()> + Send,
{
    fn start(&mut self, duration: Duration) {
        self.future.set(Some((self.sleep)(Arc::clone(&self.connection), duration)));
    }

    fn stop(&mut self) {
        self.future.set(None);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(future) = self.future.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let polled = future.poll(cx);
        if polled.is_ready() {
            self.stop();
        }
        polled
    }
}
