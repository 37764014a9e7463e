//! The client: everything that an application writes once.

use bytes::Bytes;
use graph_operation::{BoxError, Client, Result, async_operation};
use http::{HeaderValue, Method, Request, Response, Uri, header::AUTHORIZATION};
use reqwest::redirect::Policy;

/// A client of Microsoft Graph.
#[derive(Clone, Debug)]
pub struct Graph {
    http: reqwest::Client,
    service_root: Uri,
    authorization: HeaderValue,
}

impl Graph {
    /// A client of the service at `service_root`, such as `https://graph.microsoft.com/v1.0`.
    ///
    /// # Errors
    ///
    /// If the service root is not a URL, or the token is not valid in a header.
    pub fn new(service_root: &str, token: &str) -> Result<Self, BoxError> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        Ok(Self { http: http_client()?, service_root: service_root.parse()?, authorization })
    }

    /// Archives a team. Archiving it twice does no harm, so the request may be retried.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/team-archive>
    #[async_operation(idempotent)]
    pub async fn archive_team(&self, team_id: &str) -> Result<Request<Bytes>> {
        self.request(Method::POST, ["teams", team_id, "archive"])
    }
}

fn http_client() -> reqwest::Result<reqwest::Client> {
    // A redirect that is followed could take the token to another host.
    reqwest::Client::builder().redirect(Policy::none()).build()
}

/// How starting requests and checks are sent.
impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        graph_operation::reqwest::send(&self.http, request).await
    }

    // The monitor of a file's copy is on another host, and accepts no token.
    async fn send_anonymous(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        graph_operation::reqwest::send(&self.http, request).await
    }
}
