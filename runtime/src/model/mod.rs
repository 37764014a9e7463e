//! What the service says of an operation, and what the protocol needs to know of it.

mod additional_data;
mod engagement_async_operation;
mod evolvable;
mod graph_error;
mod lenient;
mod operation_error;
mod progress;
mod teams_async_operation;
mod timestamp;

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

pub use additional_data::AdditionalData;
pub use engagement_async_operation::{
    EngagementAsyncOperation, EngagementAsyncOperationType, LongRunningOperationStatus,
};
pub use graph_error::GraphError;
pub use operation_error::OperationError;
pub use progress::Progress;
pub use teams_async_operation::{
    TeamsAsyncOperation, TeamsAsyncOperationStatus, TeamsAsyncOperationType,
};

/// A family of long-running operations: the resource that a check reads.
///
/// [`TeamsAsyncOperation`] and [`EngagementAsyncOperation`] are built in. Another family needs a
/// type that deserializes from the service's answer and this trait; everything else (the 202, the
/// Location, the waiting, the faults, the resuming) works as it is.
///
/// ```
/// use std::borrow::Cow;
/// use graph_operation::{Model, State};
/// use serde::Deserialize;
///
/// /// <https://learn.microsoft.com/graph/api/resources/externalconnectors-connectionoperation>
/// #[derive(Debug, Deserialize)]
/// struct ConnectionOperation {
///     id: String,
///     status: String,
/// }
///
/// impl Model for ConnectionOperation {
///     const TYPE: &'static str = "connectionOperation";
///
///     fn state(&self) -> State {
///         match self.status.as_str() {
///             "completed" => State::Succeeded,
///             "failed" => State::Failed,
///             _ => State::Running, // an unknown status is not the end
///         }
///     }
///
///     fn status(&self) -> &str {
///         &self.status
///     }
///
///     fn id(&self) -> Option<&str> {
///         Some(&self.id)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model of a long-running operation",
    label = "does not implement `graph_operation::Model`",
    note = "use `TeamsAsyncOperation` (the default), `EngagementAsyncOperation`, or implement `Model` for your own type"
)]
pub trait Model: DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The resource type's name in Graph's metadata, such as `teamsAsyncOperation`.
    ///
    /// It stands in resume tokens, so that a token of one family is not resumed as another.
    const TYPE: &'static str;

    /// Reads the answer to a check.
    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }

    /// Whether the operation still runs, and if not, how it ended.
    ///
    /// Decides everything: no HTTP status and no error property does. A status that the type does
    /// not know has to be [`State::Running`].
    fn state(&self) -> State;

    /// The status as the service spells it.
    fn status(&self) -> &str;

    /// The operation's id.
    fn id(&self) -> Option<&str> {
        None
    }

    /// What the operation does, as the service spells it.
    fn operation_type(&self) -> Option<&str> {
        None
    }

    /// How often the service has tried so far.
    fn attempts(&self) -> Option<u32> {
        None
    }

    /// Why the operation failed.
    fn failure(&self) -> Option<OperationError> {
        None
    }

    /// The id of what the operation works on.
    fn target_id(&self) -> Option<&str> {
        None
    }

    /// Where the result is found: absolute, or relative to the service root with its version.
    fn target_location(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// How far the operation has come, where the service tells.
    fn progress(&self) -> Option<Progress> {
        None
    }
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not ended: check again.
    Running,
    /// Ended well: the target can be read, soon.
    Succeeded,
    /// Ended badly, or in a status that the service calls invalid.
    Failed,
}

impl State {
    /// Whether the operation has ended, in whichever way.
    pub fn is_terminal(self) -> bool {
        self != State::Running
    }
}

/// A [`Model`] behind a pointer, so that the polling code is compiled once and not for each model.
pub(crate) trait Snapshot: Any + Send + Sync {
    /// Reads another answer in the place of this one, which stays if that is none.
    fn reread(&mut self, body: &[u8]) -> serde_json::Result<()>;
    fn state(&self) -> State;
    fn status(&self) -> &str;
    fn operation_type(&self) -> Option<&str>;
    fn attempts(&self) -> Option<u32>;
    fn failure(&self) -> Option<OperationError>;
    fn target_id(&self) -> Option<&str>;
    fn target_location(&self) -> Option<Cow<'_, str>>;
    fn progress(&self) -> Option<Progress>;
    fn debug(&self) -> &dyn fmt::Debug;
}

impl<M: Model> Snapshot for M {
    fn reread(&mut self, body: &[u8]) -> serde_json::Result<()> {
        *self = M::from_json(body)?;
        Ok(())
    }
    fn state(&self) -> State {
        Model::state(self)
    }
    fn status(&self) -> &str {
        Model::status(self)
    }
    fn operation_type(&self) -> Option<&str> {
        Model::operation_type(self)
    }
    fn attempts(&self) -> Option<u32> {
        Model::attempts(self)
    }
    fn failure(&self) -> Option<OperationError> {
        Model::failure(self)
    }
    fn target_id(&self) -> Option<&str> {
        Model::target_id(self)
    }
    fn target_location(&self) -> Option<Cow<'_, str>> {
        Model::target_location(self)
    }
    fn progress(&self) -> Option<Progress> {
        Model::progress(self)
    }
    fn debug(&self) -> &dyn fmt::Debug {
        self
    }
}

impl dyn Snapshot {
    pub(crate) fn downcast_ref<M: Model>(&self) -> Option<&M> {
        (self as &dyn Any).downcast_ref()
    }
}

impl fmt::Debug for dyn Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug().fmt(f)
    }
}

/// One model as the untyped protocol sees it: its name, and how an answer is read.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) model: &'static str,
    read: fn(&[u8]) -> serde_json::Result<Arc<dyn Snapshot>>,
}

impl Reader {
    pub(crate) fn of<M: Model>() -> Self {
        Reader { model: M::TYPE, read: |body| Ok(Arc::new(M::from_json(body)?)) }
    }

    pub(crate) fn read(self, body: &[u8]) -> serde_json::Result<Arc<dyn Snapshot>> {
        (self.read)(body)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model)
    }
}
