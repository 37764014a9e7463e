//! `onenoteOperation`: copies of OneNote notebooks, sections and pages.

use time::OffsetDateTime;

use super::failure;
use crate::model::evolvable::evolvable;
use crate::model::resource::{resource, target};
use crate::model::{OperationError, Progress, TargetRef};

evolvable! {
    /// The status of a [`OnenoteOperation`]. (`operationStatus` in the metadata.)
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/onenoteoperation>
    OnenoteOperationStatus {
        /// Accepted, not started.
        NotStarted = "NotStarted" => Running,
        /// Running.
        Running = "Running" => Running,
        /// Succeeded.
        Completed = "Completed" => Succeeded,
        /// Failed.
        Failed = "Failed" => Failed,
    }
}

resource! {
    /// A long-running operation of OneNote, as read by one check.
    ///
    /// The actions `copyNotebook`, `copyToNotebook`, `copyToSectionGroup` and `copyToSection` start
    /// one.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/onenoteoperation>
    OnenoteOperation = "onenoteOperation" {
        /// The operation's id. Empty if absent.
        "id" => id: String,
        /// When the operation was created.
        "createdDateTime" => created_date_time: Option<OffsetDateTime>,
        /// When the operation was last worked on.
        "lastActionDateTime" => last_action_date_time: Option<OffsetDateTime>,
        /// The status of the operation.
        "status" => status: OnenoteOperationStatus,
        /// Why the operation failed. The code is a number.
        "error" => error: Option<OperationError>,
        /// How far the operation has come, from 0 to 100: a number as text. It can stay at `0`.
        "percentComplete" => percent_complete: Option<String>,
        /// The id of the copy.
        "resourceId" => resource_id: Option<String>,
        /// The location of the copy.
        "resourceLocation" => resource_location: Option<String>,
    }

    /// The error, else the first message of the undeclared `@api.diagnostics`.
    fn failure(&self) -> Option<OperationError> {
        failure(self.error.clone(), self.diagnostics())
    }

    fn target_id(&self) -> Option<&str> {
        self.resource_id.as_deref()
    }

    fn target(&self) -> TargetRef<'_> {
        target(self.resource_location.as_ref(), self.resource_id.as_ref())
    }

    fn progress(&self) -> Option<Progress> {
        Progress::from_text(self.percent_complete.as_deref()?)
    }
}

impl OnenoteOperation {
    fn diagnostics(&self) -> Option<OperationError> {
        let diagnostics = self.additional_data.get("@api.diagnostics")?.as_array()?;
        let mut messages =
            diagnostics.iter().filter_map(|diagnostic| diagnostic.get("message")?.as_str());
        let message = messages.find(|message| !message.is_empty())?;
        Some(OperationError::new(None, Some(message.to_owned())))
    }
}
