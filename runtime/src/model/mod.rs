//! The resources that describe operations, and what the protocol reads from them.

mod additional_data;
mod engagement_async_operation;
mod evolvable;
#[cfg(feature = "families")]
mod families;
mod graph_error;
pub(crate) mod json;
mod long_running_operation_status;
mod operation_error;
mod progress;
mod property;
mod raw;
mod resource;
mod scan;
mod shown;
mod snapshot;
mod teams_async_operation;
mod timestamp;

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use additional_data::AdditionalData;
pub use engagement_async_operation::{EngagementAsyncOperation, EngagementAsyncOperationType};
#[cfg(feature = "families")]
pub use families::{
    ConnectionOperation, ConnectionOperationStatus, DriveItemCopy, DriveItemCopyStatus,
    LongRunningOperation, OnenoteOperation, OnenoteOperationStatus, PrintOperation,
    PrintOperationProcessingState, PrintOperationStatus, RichLongRunningOperation,
    WorkbookOperation, WorkbookOperationStatus,
};
pub use graph_error::GraphError;
pub use long_running_operation_status::LongRunningOperationStatus;
pub use operation_error::OperationError;
pub use progress::Progress;
pub(crate) use snapshot::{Kept, Reader, Snapshot};
pub use teams_async_operation::{
    TeamsAsyncOperation, TeamsAsyncOperationStatus, TeamsAsyncOperationType,
};

use crate::protocol::polling::Polling;

/// A family of long-running operations: the resource that a poll reads.
///
/// [`TeamsAsyncOperation`] and [`EngagementAsyncOperation`] are always available. For another
/// family, implement this trait for a type that deserializes from the service's response.
/// Everything else is the same for all families: the 202, the `Location`, the polling, the retries,
/// the resume token.
///
/// ```
/// use graph_operation::{Model, State, TargetRef};
/// use serde::Deserialize;
///
/// #[derive(Debug, Deserialize)]
/// #[serde(rename_all = "camelCase")]
/// struct SnapshotJob {
///     status: String,
///     resource_location: Option<String>,
/// }
///
/// impl Model for SnapshotJob {
///     const TYPE: &'static str = "configurationSnapshotJob";
///
///     fn state(&self) -> State {
///         match self.status.as_str() {
///             "succeeded" | "partiallySuccessful" => State::Succeeded,
///             "failed" => State::Failed,
///             _ => State::Running, // an unknown status is not terminal
///         }
///     }
///
///     fn status(&self) -> &str {
///         &self.status
///     }
///
///     fn target(&self) -> TargetRef<'_> {
///         self.resource_location.as_deref().into()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model of a long-running operation",
    label = "does not implement `graph_operation::Model`",
    note = "use `TeamsAsyncOperation` (the default), `EngagementAsyncOperation`, or implement `Model` for your own type"
)]
pub trait Model: DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The name of the resource type in Graph's metadata, such as `teamsAsyncOperation`.
    ///
    /// Resume tokens contain it, so that a token of one family is not resumed as another.
    const TYPE: &'static str;

    /// Where operations of this family are read.
    const MONITOR: Monitor = Monitor::ServiceRoot;

    /// The policy for operations of this family, unless the caller sets one.
    const POLLING: fn() -> Polling = Polling::default;

    /// Reads the response to a check.
    ///
    /// # Errors
    ///
    /// Returns an error if the body is not an operation of this family.
    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        json::read(body)
    }

    /// Reads only what decides how to continue.
    ///
    /// The provided method decodes everything. An override has to accept and refuse the same bodies
    /// as [`from_json`](Self::from_json), and return the same state.
    ///
    /// # Errors
    ///
    /// Returns an error if the body is not an operation of this family.
    fn summarize(body: &[u8]) -> serde_json::Result<Summary<'_>> {
        Self::from_json(body).map(|operation| Summary::of(&operation))
    }

    /// Whether the operation is still running, and if not, how it ended.
    ///
    /// Only this decides, not the HTTP status and not an error property. An unknown status has to
    /// be [`State::Running`].
    fn state(&self) -> State;

    /// The status as the service spelled it.
    fn status(&self) -> &str;

    /// The operation's id.
    fn id(&self) -> Option<&str> {
        None
    }

    /// What the operation does, as the service spelled it.
    fn operation_type(&self) -> Option<&str> {
        None
    }

    /// How many attempts the service has made so far.
    fn attempts(&self) -> Option<u32> {
        None
    }

    /// Why the operation failed.
    fn failure(&self) -> Option<OperationError> {
        None
    }

    /// The id of the result, or of what the operation works on.
    fn target_id(&self) -> Option<&str> {
        None
    }

    /// Where the result is: absolute, or relative to the service root with its version.
    ///
    /// The result is read from it, unless [`target`](Self::target) is overridden.
    fn target_location(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// How the result is read.
    fn target(&self) -> TargetRef<'_> {
        self.target_location().into()
    }

    /// How far the operation has come, if the service says so.
    fn progress(&self) -> Option<Progress> {
        None
    }
}

/// Where the operations of a family are read, and whether with the client's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Monitor {
    /// At the origin of the service root, with the client's credentials.
    ServiceRoot,
    /// At any https address, without credentials: the address itself is the credential.
    Anonymous,
}

/// How the result of an operation is read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TargetRef<'a> {
    /// With a GET at this address: absolute, or relative to the service root with its version.
    Location(Cow<'a, str>),
    /// By this id; the operation does not say where.
    Id(Cow<'a, str>),
    /// It is part of the operation.
    Embedded(Value),
    /// The operation does not say.
    None,
}

/// A location; [`None`](TargetRef::None) if it is absent or empty.
impl<'a> From<Option<Cow<'a, str>>> for TargetRef<'a> {
    fn from(location: Option<Cow<'a, str>>) -> Self {
        match location {
            Some(location) if !location.is_empty() => TargetRef::Location(location),
            _ => TargetRef::None,
        }
    }
}

/// A location; [`None`](TargetRef::None) if it is absent or empty.
impl<'a> From<Option<&'a str>> for TargetRef<'a> {
    fn from(location: Option<&'a str>) -> Self {
        location.map(Cow::Borrowed).into()
    }
}

/// The part of a response that decides how to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary<'a> {
    state: State,
    status: Cow<'a, str>,
    attempts: Option<u32>,
}

impl<'a> Summary<'a> {
    /// A summary of a response with this state, the status as the service spelled it, and the
    /// number of attempts.
    pub fn new(state: State, status: impl Into<Cow<'a, str>>, attempts: Option<u32>) -> Self {
        Summary { state, status: status.into(), attempts }
    }

    fn of<M: Model>(operation: &M) -> Self {
        Summary::new(operation.state(), operation.status().to_owned(), operation.attempts())
    }

    /// Whether the operation is still running, and if not, how it ended.
    pub fn state(&self) -> State {
        self.state
    }

    /// The status as the service spelled it.
    pub fn status(&self) -> &str {
        &self.status
    }

    /// How many attempts the service has made so far.
    pub fn attempts(&self) -> Option<u32> {
        self.attempts
    }
}

/// The state of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not terminal.
    Running,
    /// Succeeded. The target may be readable only after a while.
    Succeeded,
    /// Failed, or in a status that the service calls invalid.
    Failed,
}

impl State {
    /// Whether the operation has ended, successfully or not.
    pub fn is_terminal(self) -> bool {
        self != State::Running
    }
}
