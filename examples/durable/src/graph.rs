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
    /// A client of the service at `service_root`.
    ///
    /// # Errors
    ///
    /// If the service root is no URL, or the token cannot stand in a header.
    pub fn new(service_root: &str, token: &str) -> Result<Self, BoxError> {
        // A redirect would carry the token to wherever it leads.
        let http = reqwest::Client::builder().redirect(Policy::none()).build()?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))?;
        authorization.set_sensitive(true);
        Ok(Self { http, service_root: service_root.parse()?, authorization })
    }

    /// Archives a team.
    ///
    /// # Errors
    ///
    /// If the id is empty, or the request is not accepted.
    #[async_operation(idempotent)]
    pub async fn archive_team(&self, team_id: &str) -> Result<Request<Bytes>> {
        self.archive_request(team_id)
    }

    /// The request that archives a team, for whoever sends it himself: an engine's step.
    ///
    /// # Errors
    ///
    /// If the id is empty.
    pub fn archive_request(&self, team_id: &str) -> Result<Request<Bytes>> {
        self.request(Method::POST, ["teams", team_id, "archive"])
    }
}

impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    /// The token is added here, so that no journal ever holds it.
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        graph_operation::reqwest::send(&self.http, request).await
    }
}
