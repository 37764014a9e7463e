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
    /// If the service root is no URL, or the token cannot stand in a header.
    pub fn new(service_root: &str, token: &str) -> Result<Self, BoxError> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        Ok(Self { http: http_client()?, service_root: service_root.parse()?, authorization })
    }

    /// A request with the token, to a path below the service root.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path)).header(AUTHORIZATION, self.authorization.clone())
    }

    /// Archives a team.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/team-archive>
    #[async_operation]
    pub async fn archive_team(&self, team_id: &str) -> Result<reqwest::Response> {
        let path = format!("teams/{team_id}/archive");
        Ok(self.request(Method::POST, &path).send().await?)
    }
}

fn http_client() -> reqwest::Result<reqwest::Client> {
    // A redirect would carry the token to wherever it leads.
    reqwest::Client::builder().redirect(Policy::none()).build()
}

/// How the checks of an operation are sent.
impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        graph_operation::reqwest::send(&self.http, request).await
    }
}
