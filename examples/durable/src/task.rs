//! The messages between the client, the engine and its objects.

use bytes::Bytes;
use graph_operation::protocol::Saved;
use graph_operation::{Client as _, Error};
use graph_operation_examples::Graph;
use http::{Method, Request};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Task {
    /// Archives a team. Archiving it twice does no harm.
    Archive {
        /// The team's id.
        team: String,
    },
    /// Creates a shared channel. Repeating it creates a second one.
    CreateChannel {
        /// The team's id.
        team: String,
        /// The channel's name.
        name: String,
    },
}

impl Task {
    /// The team that the task is about.
    #[must_use]
    pub fn team(&self) -> &str {
        match self {
            Task::Archive { team } | Task::CreateChannel { team, .. } => team,
        }
    }

    /// Whether the request may be retried if it may have been carried out.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        matches!(self, Task::Archive { .. })
    }

    /// The service's name for the operation's type.
    pub(crate) fn operation_type(&self) -> &'static str {
        match self {
            Task::Archive { .. } => "archiveTeam",
            Task::CreateChannel { .. } => "createChannel",
        }
    }

    /// The request that starts it, without the token.
    ///
    /// # Errors
    ///
    /// Returns an error if the team's id cannot be part of a URL.
    pub fn request(&self, graph: &Graph) -> Result<Request<Bytes>, Error> {
        match self {
            Task::Archive { team } => graph.request(Method::POST, ["teams", team, "archive"]),
            Task::CreateChannel { team, name } => {
                let channel = json!({ "displayName": name, "membershipType": "shared" });
                graph.request_json(Method::POST, ["teams", team, "channels"], &channel)
            }
        }
    }
}

/// A task, and the key by which its operation is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submission {
    /// The key.
    pub key: String,
    /// The task.
    pub task: Task,
}

/// The result of an operation of a tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It has succeeded, and its target is to be read.
    Succeeded(Box<Saved>),
    /// It was not started, has failed, or cannot be followed.
    Failed(String),
}
