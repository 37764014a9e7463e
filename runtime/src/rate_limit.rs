//! Waiting for a shared rate limit in a client's `send`.

use std::time::{Duration, Instant};

use http::Request;

use crate::client::Client;
use crate::protocol::{Admitted, RateLimit};

impl RateLimit {
    /// Waits until the rate allows this request. Calls are served in order.
    ///
    /// Call it in [`Client::send`](crate::Client::send), so that every request of the client counts
    /// towards the limit. A request of an [`OperationSet`](crate::OperationSet) that shares this
    /// limit has its tokens already, and does not wait. Dropping the future takes no token.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use graph_operation::{Client, RateLimit, Result};
    /// # use http::{Request, Response, Uri};
    /// # #[derive(Clone)]
    /// # struct Graph { service_root: Uri, limit: RateLimit }
    /// # impl Graph {
    /// #     async fn execute(&self, _: Request<Bytes>) -> Result<Response<Bytes>> { unimplemented!() }
    /// # }
    /// impl Client for Graph {
    /// #   type Error = graph_operation::Error;
    /// #   fn service_root(&self) -> &Uri { &self.service_root }
    /// #   #[cfg(not(feature = "tokio"))]
    /// #   async fn sleep(&self, _: std::time::Duration) {}
    ///     async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
    ///         self.limit.admit(self, &request).await;
    ///         self.execute(request).await
    ///     }
    /// }
    /// ```
    pub async fn admit<C: Client, B: Sync>(&self, client: &C, request: &Request<B>) {
        if !self.has_admitted(request) {
            self.take_turn(|| client.now(), |wait| client.sleep(wait)).await;
        }
    }

    /// The same for a blocking client.
    #[cfg(feature = "blocking")]
    pub fn admit_blocking<C: crate::blocking::Client, B>(&self, client: &C, request: &Request<B>) {
        if !self.has_admitted(request) {
            let sleep = |wait| async move { client.sleep(wait) };
            crate::block_on::block_on(self.take_turn(|| client.now(), sleep));
        }
    }

    /// Waits for a token, and takes it.
    async fn take_turn<S: Future<Output = ()>>(
        &self,
        now: impl Fn() -> Instant,
        sleep: impl Fn(Duration) -> S,
    ) {
        let mut reservation = self.reserve(1, now());
        loop {
            let wait = reservation.at().saturating_duration_since(now());
            if !wait.is_zero() {
                sleep(wait).await;
            }
            // A finished sleep counts, whatever the clock says.
            if reservation.claim(1, now().max(reservation.at())) {
                return reservation.used();
            }
        }
    }

    fn has_admitted<B>(&self, request: &Request<B>) -> bool {
        request.extensions().get::<Admitted>().is_some_and(|admitted| admitted.0.is_same(self))
    }
}
