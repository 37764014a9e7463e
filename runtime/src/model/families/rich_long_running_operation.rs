//! `richLongRunningOperation`: copies of content types from a hub, and new sites.

use time::OffsetDateTime;

use super::failure;
use crate::model::resource::{failure_text, resource, target};
use crate::model::{GraphError, LongRunningOperationStatus, OperationError, Progress, TargetRef};

resource! {
    /// A long-running operation of SharePoint, as read by one check.
    ///
    /// `POST /sites/{id}/contentTypes/addCopyFromContentTypeHub`, the same for a list, and
    /// `POST /sites` (beta) start one, unless they finish at once. The id of a copy names the
    /// content type: copying it again returns the same operation, which may still show how the
    /// previous copy ended.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/richlongrunningoperation>
    RichLongRunningOperation = "richLongRunningOperation" {
        /// The operation's id, which can hold commas and equals signs. Empty if absent.
        "id" => id: String,
        /// When the operation was created. The service's clock and time zone can be hours off.
        "createdDateTime" => created_date_time: Option<OffsetDateTime>,
        /// When the operation was last worked on.
        "lastActionDateTime" => last_action_date_time: Option<OffsetDateTime>,
        /// The status of the operation.
        "status" => status: LongRunningOperationStatus,
        /// Details of the status.
        "statusDetail" => status_detail: Option<String>,
        /// Why the operation failed.
        "error" => error: Option<GraphError>,
        /// How far the operation has come, from 0 to 100.
        "percentageComplete" => percentage_complete: Option<i32>,
        /// The id of what the operation created.
        "resourceId" => resource_id: Option<String>,
        /// The location of what the operation created.
        "resourceLocation" => resource_location: Option<String>,
        /// What the operation does, such as `contentTypeCopy`. (`type` on the wire.)
        "type" => operation_type: Option<String>,
    }

    fn operation_type(&self) -> Option<&str> {
        self.operation_type.as_deref()
    }

    fn failure(&self) -> Option<OperationError> {
        let error = self.error.as_ref().map(OperationError::from);
        failure(error, failure_text(self, self.status_detail.as_ref()))
    }

    fn target_id(&self) -> Option<&str> {
        self.resource_id.as_deref()
    }

    fn target(&self) -> TargetRef<'_> {
        target(self.resource_location.as_ref(), self.resource_id.as_ref())
    }

    fn progress(&self) -> Option<Progress> {
        Some(Progress::from_percent(self.percentage_complete?.into()))
    }
}
