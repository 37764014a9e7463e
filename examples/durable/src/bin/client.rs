//! Submits operations to the worker's objects through the engine, and shows their status.

use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use graph_operation_durable::{Status, Submission, Task};
use reqwest::{RequestBuilder, Url};
use serde::Serialize;
use serde_json::Value;

/// Submits operations to the engine, and shows their status.
#[derive(Debug, Parser)]
struct Arguments {
    /// The engine's ingress.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    ingress: Url,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Archives teams. The key of an operation is the team's id.
    Submit {
        /// Follows them together, twenty in a request, in the set of this tenant.
        #[arg(long)]
        tenant: Option<String>,
        #[arg(required = true)]
        teams: Vec<String>,
    },
    /// Creates a shared channel. The key of the operation is `TEAM.NAME`.
    CreateChannel { team: String, name: String },
    /// Shows the status of operations.
    Status {
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// Shows how many operations of a tenant have not ended.
    Running { tenant: String },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Arguments { ingress, command }: Arguments) -> Result<()> {
    let client = Ingress { url: ingress, http: reqwest::Client::new() };
    match command {
        Command::Submit { tenant: None, teams } => {
            for team in teams {
                let task = Task::Archive { team: team.clone() };
                client.submit(&team, &task).await?;
            }
        }
        Command::Submit { tenant: Some(tenant), teams } => {
            let submissions: Vec<_> = teams
                .into_iter()
                .map(|team| Submission { key: team.clone(), task: Task::Archive { team } })
                .collect();
            client.send(["Tenant", &tenant, "submit"], &submissions).await?;
        }
        Command::CreateChannel { team, name } => {
            let key = format!("{team}.{name}");
            client.submit(&key, &Task::CreateChannel { team, name }).await?;
        }
        Command::Status { keys } => {
            for key in keys {
                let status = client.ask(["Operation", &key, "status"]).await?;
                println!("{key}: {}", shown(serde_json::from_value(status)?));
            }
        }
        Command::Running { tenant } => {
            println!("{}", client.ask(["Tenant", &tenant, "running"]).await?);
        }
    }
    Ok(())
}

fn shown(status: Option<Status>) -> String {
    match status {
        None => "has not ended in a tenant's set, or was not submitted".to_owned(),
        Some(Status::Running) => "running".to_owned(),
        Some(Status::Succeeded(None)) => "succeeded".to_owned(),
        Some(Status::Succeeded(Some(target))) => format!("succeeded: {target}"),
        Some(Status::Failed(message)) => format!("failed: {message}"),
    }
}

/// The engine's ingress, through which its callers reach it.
struct Ingress {
    url: Url,
    http: reqwest::Client,
}

impl Ingress {
    async fn submit(&self, key: &str, task: &Task) -> Result<()> {
        self.send(["Operation", key, "submit"], task).await
    }

    /// Sends a call to a handler of an object, without waiting for it.
    async fn send(&self, handler: [&str; 3], body: &impl Serialize) -> Result<()> {
        let [object, key, handler] = handler;
        let url = self.url_of(&[object, key, handler, "send"])?;
        Self::answer(self.http.post(url).json(body)).await.map(drop)
    }

    /// Calls a handler of an object that takes no argument.
    async fn ask(&self, handler: [&str; 3]) -> Result<Value> {
        Self::answer(self.http.post(self.url_of(&handler)?)).await
    }

    fn url_of(&self, path: &[&str]) -> Result<Url> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .ok()
            .context("the ingress is not a URL")?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn answer(request: RequestBuilder) -> Result<Value> {
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}
