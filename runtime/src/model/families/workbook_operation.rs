//! `workbookOperation`: sessions and rows of Excel workbooks.

use std::time::Duration;

use super::says_something;
use crate::model::evolvable::evolvable;
use crate::model::resource::{resource, target};
use crate::model::{GraphError, OperationError, TargetRef};
use crate::protocol::Polling;

evolvable! {
    /// The status of a [`WorkbookOperation`].
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/workbookoperation>
    WorkbookOperationStatus {
        /// Accepted, not started.
        NotStarted = "notStarted" => Running,
        /// Running.
        Running = "running" => Running,
        /// Succeeded.
        Succeeded = "succeeded" => Succeeded,
        /// Failed.
        Failed = "failed" => Failed,
    }
}

resource! {
    /// A long-running operation of an Excel workbook, as read by one check.
    ///
    /// `POST …/workbook/createSession` and `POST …/workbook/tables/{id}/rows` start one if they take
    /// long and the request has `Prefer: respond-async`. By default the family is polled every 30
    /// seconds and never more than four minutes apart, as its documentation asks.
    ///
    /// The query of the operation's address, and of its result's, can hold a session id, which is a
    /// credential.
    ///
    /// Sources: <https://learn.microsoft.com/graph/api/resources/workbookoperation>,
    /// <https://learn.microsoft.com/graph/workbook-best-practice>
    WorkbookOperation = "workbookOperation" {
        /// The operation's id. Empty if absent.
        "id" => id: String,
        /// The status of the operation.
        "status" => status: WorkbookOperationStatus,
        /// Why the operation failed. The innermost `innerError` says most.
        "error" => error: Option<GraphError>,
        /// The location of the result.
        "resourceLocation" => resource_location: Option<String>,
    }

    const POLLING: fn() -> Polling = || {
        let longest = Duration::from_secs(4 * 60);
        Polling::default().interval(Duration::from_secs(30)).longest_interval(longest)
    };

    /// The innermost error that says anything.
    fn failure(&self) -> Option<OperationError> {
        let error = self.error.as_ref()?;
        let errors = error.chain().map(OperationError::from);
        Some(errors.filter(says_something).last().unwrap_or(error.into()))
    }

    fn target(&self) -> TargetRef<'_> {
        target(self.resource_location.as_ref(), None)
    }
}
