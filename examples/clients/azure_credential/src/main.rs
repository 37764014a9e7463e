//! Tokens from a credential of azure_identity, which is asked for each request: a wait may last
//! longer than any token is valid.
//!
//! With team ids, the teams are archived at the real service, as the user who is signed in to the
//! Azure CLI (`az login`). Without any, one team of a simulator is archived, with a credential
//! whose tokens are valid only for a moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_identity::DeveloperToolsCredential;
use bytes::Bytes;
use graph_operation::{BoxError, Client, Error, Operation, Polling, Result, async_operation};
use graph_operation_tests::simulator::{Life, Options, Simulator};
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, Response, Uri};
use reqwest::redirect::Policy;

/// A client of Microsoft Graph.
#[derive(Clone, Debug)]
struct Graph {
    http: reqwest::Client,
    service_root: Uri,
    credential: Arc<dyn TokenCredential>,
}

impl Graph {
    fn new(service_root: &str, credential: Arc<dyn TokenCredential>) -> Result<Self, BoxError> {
        Ok(Self {
            // A redirect that is followed could take the token to another host.
            http: reqwest::Client::builder().redirect(Policy::none()).build()?,
            service_root: service_root.parse()?,
            credential,
        })
    }

    /// The credentials of azure_identity cache their token, and fetch another before it expires.
    async fn bearer(&self) -> Result<HeaderValue> {
        let scopes = ["https://graph.microsoft.com/.default"];
        let token = self.credential.get_token(&scopes, None).await.map_err(Error::transport)?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.token.secret()))
            .map_err(Error::transport)?;
        bearer.set_sensitive(true);
        Ok(bearer)
    }

    /// Archives a team.
    #[async_operation(idempotent)]
    async fn archive_team(&self, team_id: &str) -> Result<Request<Bytes>> {
        self.request(Method::POST, ["teams", team_id, "archive"])
    }
}

impl Client for Graph {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        request.headers_mut().insert(AUTHORIZATION, self.bearer().await?);
        graph_operation::reqwest::send(&self.http, request).await
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let team_ids: Vec<String> = std::env::args().skip(1).collect();
    if team_ids.is_empty() {
        return at_the_simulator().await;
    }
    let credential = DeveloperToolsCredential::new(None)?;
    let graph = Graph::new("https://graph.microsoft.com/v1.0", credential)?;
    for team_id in team_ids {
        follow(graph.archive_team(&team_id).await?).await?;
    }
    Ok(())
}

async fn at_the_simulator() -> Result<(), BoxError> {
    let simulator = Simulator::start(Options::new().life(Life::checks(1, 9))).await?;
    let graph = Graph::new(&simulator.service_root(), Arc::new(ShortLived::default()))?;
    let often = Duration::from_millis(100);
    let polling = Polling::default().first_check(often).interval(often);
    let operation = graph.archive_team("00000000-0000-0000-0000-000000000001").await?;
    follow(operation.with_polling(polling)).await?;

    let mut tokens: Vec<_> =
        simulator.requests().into_iter().filter_map(|request| request.authorization).collect();
    let requests = tokens.len();
    tokens.dedup();
    println!("{requests} requests came with {} tokens, one after the other", tokens.len());
    simulator.stop().await;
    Ok(())
}

async fn follow(mut operation: Operation) -> Result<()> {
    let mut updates = operation.updates();
    while let Some(update) = updates.next().await {
        let update = update?;
        if let Some(operation) = update.operation() {
            println!("check {}: {}", update.checks(), operation.status);
        }
    }
    let completed = operation.wait().await?;
    println!("archived: {}", completed.target_location().unwrap_or_default());
    Ok(())
}

/// A credential like those of azure_identity, but with tokens that expire after a quarter of a
/// second.
#[derive(Debug, Default)]
struct ShortLived {
    /// The token that is valid now, and the number of those fetched so far.
    current: Mutex<(Option<AccessToken>, u32)>,
}

#[async_trait::async_trait]
impl TokenCredential for ShortLived {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, fetched) = &mut *current;
        let now = SystemTime::now();
        if let Some(valid) = token.clone().filter(|token| token.expires_on > now) {
            return Ok(valid);
        }
        *fetched += 1;
        let expires_on = now + Duration::from_millis(250);
        let fresh = AccessToken::new(format!("token-{fetched}"), expires_on.into());
        Ok(token.insert(fresh).clone())
    }
}
