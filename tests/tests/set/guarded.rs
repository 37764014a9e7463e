//! A client whose credential is refused.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use graph_operation::testing::{ScriptedClient, graph_error, with_header};
use graph_operation::{Client, Error, Result};
use http::{Request, Response, Uri};

/// A client that counts how often it is asked for a new credential, and renews it or not.
#[derive(Clone)]
pub(crate) struct Guarded {
    pub(crate) client: ScriptedClient,
    renews: bool,
    asked: Arc<Mutex<Vec<Response<Bytes>>>>,
    anonymous: Arc<Mutex<usize>>,
}

impl Guarded {
    pub(crate) fn new(client: &ScriptedClient, renews: bool) -> Self {
        Guarded { client: client.clone(), renews, asked: Arc::default(), anonymous: Arc::default() }
    }

    /// The responses for which it was asked.
    pub(crate) fn asked(&self) -> Vec<Response<Bytes>> {
        self.asked.lock().unwrap().clone()
    }

    /// How many requests were sent without the credential.
    pub(crate) fn anonymous(&self) -> usize {
        *self.anonymous.lock().unwrap()
    }
}

impl Client for Guarded {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        Client::service_root(&self.client)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        Client::send(&self.client, request).await
    }

    async fn unauthorized(&self, answer: &Response<Bytes>) -> bool {
        self.asked.lock().unwrap().push(answer.clone());
        // Pends once, if the client is one that yields.
        Client::sleep(&self.client, Duration::ZERO).await;
        self.renews
    }

    async fn sleep(&self, time: Duration) {
        Client::sleep(&self.client, time).await;
    }

    fn now(&self) -> Instant {
        Client::now(&self.client)
    }

    fn system_time(&self) -> SystemTime {
        Client::system_time(&self.client)
    }

    fn random(&self) -> u64 {
        Client::random(&self.client)
    }

    fn time_limit(&self, time: Duration) -> impl Future<Output = ()> + Send {
        Client::time_limit(&self.client, time)
    }

    async fn send_anonymous(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        *self.anonymous.lock().unwrap() += 1;
        Client::send(&self.client, request).await
    }
}

pub(crate) fn refused() -> Response<Bytes> {
    let error = graph_error(401, "InvalidAuthenticationToken", "Expired.");
    with_header(error, "www-authenticate", "Bearer claims=\"x\"")
}
