//! `longRunningOperation`: password resets.

use time::OffsetDateTime;

use crate::model::resource::{failure_text, resource, target};
use crate::model::{LongRunningOperationStatus, OperationError, TargetRef};

resource! {
    /// A long-running operation without a more specific type, as read by one check: a password
    /// reset.
    ///
    /// `POST /users/{id}/authentication/methods/{id}/resetPassword` starts one. The new password, if
    /// the service chose it, is only in the body of the starting response. The operation's address does
    /// not work without its query.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/longrunningoperation>
    LongRunningOperation = "longRunningOperation" {
        /// The operation's id. Empty if absent.
        "id" => id: String,
        /// When the operation was created.
        "createdDateTime" => created_date_time: Option<OffsetDateTime>,
        /// When the operation was last worked on.
        "lastActionDateTime" => last_action_date_time: Option<OffsetDateTime>,
        /// The status of the operation.
        "status" => status: LongRunningOperationStatus,
        /// Details of the status, such as `ResetSuccess`.
        "statusDetail" => status_detail: Option<String>,
        /// The location of what the operation works on.
        "resourceLocation" => resource_location: Option<String>,
    }

    fn failure(&self) -> Option<OperationError> {
        failure_text(self, self.status_detail.as_ref())
    }

    fn target(&self) -> TargetRef<'_> {
        target(self.resource_location.as_ref(), None)
    }
}
