//! `asyncJobStatus`: copies and moves of files and folders, and uploads from a URL.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::failure;
use crate::model::evolvable::evolvable;
use crate::model::resource::{failure_text, resource, target};
use crate::model::{GraphError, Model, Monitor, OperationError, Progress, State, TargetRef};
use crate::protocol::Polling;

evolvable! {
    /// The status of a [`DriveItemCopy`].
    ///
    /// Sources: <https://learn.microsoft.com/graph/api/driveitem-copy>,
    /// <https://learn.microsoft.com/onedrive/developer/rest-api/resources/asyncjobstatus>
    DriveItemCopyStatus {
        /// Accepted, not started.
        NotStarted = "notStarted" => Running,
        /// Running.
        InProgress = "inProgress" => Running,
        /// Running.
        Updating = "updating" => Running,
        /// Interrupted; the service will try again.
        Waiting = "waiting" => Running,
        /// The part that was copied is being deleted.
        DeletePending = "deletePending" => Running,
        /// Cancelled, but not stopped yet.
        CancelPending = "cancelPending" => Running,
        /// Succeeded.
        Completed = "completed" => Succeeded,
        /// Failed.
        Failed = "failed" => Failed,
        /// Failed, and the part that was copied could not be deleted.
        DeleteFailed = "deleteFailed" => Failed,
        /// Cancelled; the operation counts as failed.
        Cancelled = "cancelled" => Failed,
    }
}

resource! {
    /// The copy of a file or folder, as read by one check.
    ///
    /// `POST …/items/{id}/copy` starts one; with `Prefer: respond-async` so do
    /// `PATCH …/items/{id}` with another drive as the parent, and `POST …/children` with a URL to
    /// upload from. Some errors, such as a name conflict, are reported only here.
    ///
    /// The operation is monitored outside of Graph and has to be read without a token: its address is
    /// the credential ([`Monitor::Anonymous`]). The result is an item's id, in the drive that the
    /// starting request named. Some services also send a `resourceLocation`, which belongs to another
    /// API with a token of its own; it is not followed.
    ///
    /// The documentation recommends no interval; the default is 5 seconds.
    ///
    /// Sources: <https://learn.microsoft.com/graph/long-running-actions-overview>,
    /// <https://learn.microsoft.com/onedrive/developer/rest-api/resources/asyncjobstatus>
    DriveItemCopy = "asyncJobStatus" {
        /// The operation's id, which only SharePoint sends. Empty if absent.
        "id" => id: String,
        /// When the operation was created; only SharePoint sends it, always in the year 1.
        "createdDateTime" => created_date_time: Option<OffsetDateTime>,
        /// When the operation was last worked on; as above.
        "lastActionDateTime" => last_action_date_time: Option<OffsetDateTime>,
        /// What the operation does, such as `ItemCopy`; only OneDrive personal sends it.
        "operation" => operation: Option<String>,
        /// The status of the operation.
        "status" => status: DriveItemCopyStatus,
        /// Details of the status. It may be the only reason given for a failure.
        "statusDescription" => status_description: Option<String>,
        /// How far the operation has come, from 0 to 100. It can stay at 0.
        "percentageComplete" => percentage_complete: Option<f64>,
        /// The id of the new item.
        "resourceId" => resource_id: Option<String>,
        /// The location of the new item in the API of SharePoint.
        "resourceLocation" => resource_location: Option<String>,
        /// Why the operation failed. The codes may be in the details only.
        "error" => error: Option<GraphError>,
        /// The code that OneDrive personal sends for a failure.
        "errorCode" => error_code: Option<String>,
        /// Why the operation failed, in words.
        "message" => message: Option<String>,
    }

    const MONITOR: Monitor = Monitor::Anonymous;

    const POLLING: fn() -> Polling = Polling::frequent;

    fn operation_type(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    fn failure(&self) -> Option<OperationError> {
        let error = self.error.as_ref().map(|error| {
            let mut failure = OperationError::from(error);
            let mut details = error.details.iter();
            failure.code = failure.code.or_else(|| details.find_map(|detail| detail.code.clone()));
            failure
        });
        failure(error, self.failure_without_error())
    }

    fn target_id(&self) -> Option<&str> {
        self.resource_id.as_deref()
    }

    fn target_location(&self) -> Option<Cow<'_, str>> {
        self.resource_location.as_deref().map(Cow::Borrowed)
    }

    fn target(&self) -> TargetRef<'_> {
        target(None, self.resource_id.as_ref())
    }

    fn progress(&self) -> Option<Progress> {
        Some(Progress::from_percent(self.percentage_complete?))
    }
}

impl DriveItemCopy {
    /// What OneDrive personal sends instead of an error.
    fn failure_without_error(&self) -> Option<OperationError> {
        let texts = [&self.message, &self.status_description];
        let text = texts.into_iter().flatten().find(|text| !text.is_empty());
        let code = self.error_code.as_ref().filter(|code| !code.is_empty());
        match code {
            Some(code) if self.state() == State::Failed => {
                Some(OperationError::new(Some(code.clone()), text.cloned()))
            }
            _ => failure_text(self, text),
        }
    }
}
