//! Submits operations to the worker's objects through the engine, and shows where they stand.

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use graph_operation_durable::{Status, Submission, Task};
use reqwest::Url;
use serde::Serialize;
use serde_json::Value;

/// Submits operations to the engine, and shows where they stand.
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
    /// Shows where operations stand.
    Status {
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// Shows how many operations of a tenant have not ended.
    Running { tenant: String },
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { ingress, command } = Arguments::parse();
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
            client.call(["Tenant", &tenant, "submit", "send"], &submissions).await?;
        }
        Command::CreateChannel { team, name } => {
            let key = format!("{team}.{name}");
            client.submit(&key, &Task::CreateChannel { team, name }).await?;
        }
        Command::Status { keys } => {
            for key in keys {
                let status = client.call(["Operation", &key, "status", ""], &()).await?;
                println!("{key}: {}", shown(serde_json::from_value(status)?));
            }
        }
        Command::Running { tenant } => {
            println!("{}", client.call(["Tenant", &tenant, "running", ""], &()).await?);
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

/// The engine, as its callers see it.
struct Ingress {
    url: Url,
    http: reqwest::Client,
}

impl Ingress {
    async fn submit(&self, key: &str, task: &Task) -> Result<()> {
        self.call(["Operation", key, "submit", "send"], task).await.map(drop)
    }

    /// Calls a handler of an object, or has it called.
    async fn call(&self, path: [&str; 4], body: &impl Serialize) -> Result<Value> {
        let mut url = self.url.clone();
        let mut segments = url.path_segments_mut().ok().context("the ingress is no address")?;
        segments.pop_if_empty().extend(path.iter().filter(|segment| !segment.is_empty()));
        drop(segments);
        let response = self.http.post(url).json(body).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}
