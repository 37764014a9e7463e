//! `engagementAsyncOperation`: communities of Viva Engage.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::evolvable::evolvable;
use super::resource::{failure_text, resource, target};
use super::{LongRunningOperationStatus, OperationError, TargetRef};

evolvable! {
    /// The type of an [`EngagementAsyncOperation`].
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/engagementasyncoperation>
    EngagementAsyncOperationType {
        /// Creates a community.
        CreateCommunity = "createCommunity",
        /// The sentinel that stands for newer members.
        UnknownFutureValue = "unknownFutureValue",
    }
}

resource! {
    /// An asynchronous operation of Viva Engage, as read by one check.
    ///
    /// `POST /employeeExperience/communities` starts one. It is read as leniently as a
    /// [`TeamsAsyncOperation`](crate::TeamsAsyncOperation).
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/engagementasyncoperation>
    EngagementAsyncOperation = "engagementAsyncOperation" {
        /// The operation's id. Empty if absent.
        "id" => id: String,
        /// What the operation does.
        "operationType" => operation_type: EngagementAsyncOperationType,
        /// When the operation was created.
        "createdDateTime" => created_date_time: Option<OffsetDateTime>,
        /// When the operation was last worked on.
        "lastActionDateTime" => last_action_date_time: Option<OffsetDateTime>,
        /// The status of the operation.
        "status" => status: LongRunningOperationStatus,
        /// Details of the status: the only reason that the service gives for a failure.
        "statusDetail" => status_detail: Option<String>,
        /// The id of the community.
        "resourceId" => resource_id: Option<String>,
        /// The location of the community.
        "resourceLocation" => resource_location: Option<String>,
    }

    fn operation_type(&self) -> Option<&str> {
        let word = self.spellings.word("operationType", self.operation_type.as_str());
        Some(word).filter(|word| !word.is_empty())
    }

    fn failure(&self) -> Option<OperationError> {
        failure_text(self, self.status_detail.as_ref())
    }

    fn target_id(&self) -> Option<&str> {
        self.resource_id.as_deref()
    }

    /// The location that the service gave, or else one made from the community's id.
    fn target_location(&self) -> Option<Cow<'_, str>> {
        if let Some(location) = self.resource_location.as_deref().filter(|text| !text.is_empty()) {
            return Some(Cow::Borrowed(location));
        }
        let id = self.resource_id.as_deref().filter(|id| is_path_segment(id))?;
        Some(Cow::Owned(format!("/employeeExperience/communities/{id}")))
    }

    fn target(&self) -> TargetRef<'_> {
        match self.target_location() {
            Some(location) => TargetRef::Location(location),
            None => target(None, self.resource_id.as_ref()),
        }
    }
}

/// Whether an id can be a path segment as it is. Most ids are base64 text.
fn is_path_segment(id: &str) -> bool {
    !matches!(id, "" | "." | "..")
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~=".contains(&b))
}
