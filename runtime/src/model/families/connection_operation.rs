//! `connectionOperation`: schemas of Microsoft Graph connectors.

use std::time::Duration;

use crate::model::evolvable::evolvable;
use crate::model::resource::resource;
use crate::model::{GraphError, OperationError};
use crate::protocol::Polling;

evolvable! {
    /// The status of a [`ConnectionOperation`].
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/externalconnectors-connectionoperation>
    ConnectionOperationStatus {
        /// Not specified; not terminal.
        Unspecified = "unspecified" => Running,
        /// Running. The service writes it in lower case.
        InProgress = "inprogress" => Running,
        /// Succeeded.
        Completed = "completed" => Succeeded,
        /// Failed.
        Failed = "failed" => Failed,
        /// The sentinel that stands for newer members; not terminal.
        UnknownFutureValue = "unknownFutureValue" => Running,
    }
}

resource! {
    /// The registration of an external connection's schema, as read by one check.
    ///
    /// `PATCH /external/connections/{id}/schema` starts one. It takes between 5 and 15 minutes, so the
    /// family is polled every minute by default. It names no result: read the schema from the
    /// address to which it was written.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/externalconnectors-connectionoperation>
    ConnectionOperation = "connectionOperation" {
        /// The operation's id. Empty if absent.
        "id" => id: String,
        /// The status of the operation.
        "status" => status: ConnectionOperationStatus,
        /// Why the operation failed; often without a code.
        "error" => error: Option<GraphError>,
    }

    const POLLING: fn() -> Polling = || Polling::default().interval(Duration::from_secs(60));

    fn failure(&self) -> Option<OperationError> {
        self.error.as_ref().map(OperationError::from)
    }
}
