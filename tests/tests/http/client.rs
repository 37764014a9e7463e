//! The client under test: reqwest, annotated functions, and a clock whose sleeps return at once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::{Client, EngagementAsyncOperation, Result, async_operation};
use graph_operation_tests::simulator::Simulator;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) const TOKEN: &str = "Bearer of-great-value";

#[derive(Clone)]
pub(crate) struct Graph {
    http: reqwest::Client,
    service_root: Uri,
    clock: Arc<Clock>,
}

/// A clock that only sleeps advance, and what was sent when.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    elapsed: Mutex<Duration>,
    sent: Mutex<Vec<(Duration, Uri)>>,
}

impl Clock {
    pub(crate) fn new() -> Arc<Self> {
        let (elapsed, sent) = (Mutex::new(Duration::ZERO), Mutex::default());
        Arc::new(Clock { start: Instant::now(), elapsed, sent })
    }

    pub(crate) fn now(&self) -> Instant {
        self.start + *self.elapsed.lock().unwrap()
    }

    pub(crate) fn sleep(&self, time: Duration) {
        *self.elapsed.lock().unwrap() += time;
    }

    pub(crate) fn record(&self, uri: &Uri) {
        let elapsed = *self.elapsed.lock().unwrap();
        self.sent.lock().unwrap().push((elapsed, uri.clone()));
    }

    pub(crate) fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap()
    }

    /// Fails unless the checks of one operation keep to the interval, and all go to `root`.
    pub(crate) fn assert_policy(&self, root: &Uri, interval: Duration) {
        let sent = self.sent.lock().unwrap();
        for (at, (time, uri)) in sent.iter().enumerate() {
            assert_eq!(uri.authority(), root.authority());
            if uri.path().contains("perations")
                && let Some((before, _)) = sent[..at].iter().rev().find(|(_, other)| other == uri)
            {
                assert!(time.saturating_sub(*before) > interval, "{uri}: {before:?}, {time:?}");
            }
        }
    }
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resource {
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct New<'a> {
    pub(crate) display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) membership_type: Option<&'a str>,
}

impl Graph {
    pub(crate) fn new(simulator: &Simulator) -> Self {
        Self::at(&simulator.service_root())
    }

    pub(crate) fn with_redirects(simulator: &Simulator, policy: reqwest::redirect::Policy) -> Self {
        let http = reqwest::Client::builder().redirect(policy).build().unwrap();
        Graph { http, ..Self::at(&simulator.service_root()) }
    }

    pub(crate) fn at(service_root: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Graph {
            http: http.build().unwrap(),
            service_root: service_root.parse().unwrap(),
            clock: Clock::new(),
        }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    async fn post(&self, url: String, body: &impl Serialize) -> Result<reqwest::Response> {
        let request = self.http.post(url).header(AUTHORIZATION, TOKEN);
        let body = serde_json::to_vec(body).unwrap();
        Ok(request.header("content-type", "application/json").body(body).send().await?)
    }

    #[async_operation]
    pub(crate) async fn archive_team(&self, team_id: &str) -> Result<reqwest::Response> {
        self.post(self.url_of(["teams", team_id, "archive"])?, &json!({})).await
    }

    #[async_operation]
    pub(crate) async fn unarchive_team(&self, team_id: &str) -> Result<reqwest::Response> {
        self.post(self.url_of(["teams", team_id, "unarchive"])?, &json!({})).await
    }

    #[async_operation(target = Resource)]
    pub(crate) async fn create_team(&self, team: &New<'_>) -> Result<reqwest::Response> {
        self.post(self.url("teams"), team).await
    }

    #[async_operation(target = Resource)]
    pub(crate) async fn clone_team(&self, id: &str, team: &New<'_>) -> Result<reqwest::Response> {
        self.post(self.url_of(["teams", id, "clone"])?, team).await
    }

    #[async_operation(target = Resource)]
    pub(crate) async fn create_channel(
        &self,
        id: &str,
        channel: &New<'_>,
    ) -> Result<reqwest::Response> {
        self.post(self.url_of(["teams", id, "channels"])?, channel).await
    }

    #[async_operation]
    pub(crate) async fn archive_channel(
        &self,
        id: &str,
        channel: &str,
    ) -> Result<reqwest::Response> {
        self.post(self.url_of(["teams", id, "channels", channel, "archive"])?, &json!({})).await
    }

    /// A method of the other API version.
    #[async_operation(target = Resource)]
    pub(crate) async fn create_chat(&self, chat: &serde_json::Value) -> Result<reqwest::Response> {
        let url = self.url("chats").replace("/v1.0/", "/beta/");
        self.post(url, chat).await
    }

    #[async_operation(target = Resource, model = EngagementAsyncOperation)]
    pub(crate) async fn create_community(&self, community: &New<'_>) -> Result<reqwest::Response> {
        self.post(self.url("employeeExperience/communities"), community).await
    }
}

impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.clock.record(request.uri());
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static(TOKEN));
        graph_operation::reqwest::send(&self.http, request).await
    }

    async fn send_anonymous(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        graph_operation::reqwest::send(&self.http, request).await
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration);
    }

    // Only sleeps advance the clock, so a request takes no time.
    fn time_limit(&self, _: Duration) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }
}
