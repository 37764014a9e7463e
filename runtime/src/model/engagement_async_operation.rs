//! `engagementAsyncOperation`: what Viva Engage tells of a community being created.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::evolvable::evolvable;
use super::timestamp::Timestamp;
use super::{Model, OperationError, State};

evolvable! {
    /// What an [`EngagementAsyncOperation`] does.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/engagementasyncoperation>
    EngagementAsyncOperationType {
        /// Creates a community.
        CreateCommunity = "createCommunity",
        /// What the service says in place of a younger member.
        UnknownFutureValue = "unknownFutureValue",
    }
}

evolvable! {
    /// Where a `longRunningOperation`, such as an [`EngagementAsyncOperation`], stands.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/longrunningoperation>
    LongRunningOperationStatus {
        /// Accepted, not begun.
        NotStarted = "notStarted",
        /// Running.
        Running = "running",
        /// Ended well.
        Succeeded = "succeeded",
        /// Ended badly.
        Failed = "failed",
        /// Skipped; the operation counts as failed, because nothing came of it.
        Skipped = "skipped",
        /// A younger member; not the end.
        UnknownFutureValue = "unknownFutureValue",
    }
}

/// An asynchronous operation of Viva Engage, as one check found it.
///
/// `POST /employeeExperience/communities` starts one, with an absolute Location.
///
/// Source: <https://learn.microsoft.com/graph/api/resources/engagementasyncoperation>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EngagementAsyncOperation {
    /// The operation's id.
    #[serde(default)]
    pub id: String,
    /// What the operation does.
    #[serde(default)]
    pub operation_type: EngagementAsyncOperationType,
    /// When the operation was created.
    #[serde(default, with = "optional_instant", skip_serializing_if = "Option::is_none")]
    pub created_date_time: Option<OffsetDateTime>,
    /// When the operation was last worked on.
    #[serde(default, with = "optional_instant", skip_serializing_if = "Option::is_none")]
    pub last_action_date_time: Option<OffsetDateTime>,
    /// Where the operation stands.
    pub status: LongRunningOperationStatus,
    /// Why the operation stands there; the only text that a failure comes with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<String>,
    /// The id of the community.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// The properties that the metadata does not declare.
    #[serde(flatten)]
    pub additional_data: Map<String, Value>,
}

impl Model for EngagementAsyncOperation {
    const TYPE: &'static str = "engagementAsyncOperation";

    fn state(&self) -> State {
        match self.status {
            LongRunningOperationStatus::Succeeded => State::Succeeded,
            LongRunningOperationStatus::Failed | LongRunningOperationStatus::Skipped => {
                State::Failed
            }
            _ => State::Running,
        }
    }

    fn status(&self) -> &str {
        self.status.as_str()
    }

    fn id(&self) -> Option<&str> {
        Some(self.id.as_str()).filter(|id| !id.is_empty())
    }

    fn operation_type(&self) -> Option<&str> {
        Some(self.operation_type.as_str()).filter(|text| !text.is_empty())
    }

    fn failure(&self) -> Option<OperationError> {
        Some(OperationError::new(None, Some(self.status_detail.clone()?)))
    }

    fn target_id(&self) -> Option<&str> {
        self.resource_id.as_deref()
    }

    /// The community's address, made from its id: the service gives none.
    fn target_location(&self) -> Option<Cow<'_, str>> {
        let id = self.resource_id.as_deref().filter(|id| !id.is_empty())?;
        Some(Cow::Owned(format!("/employeeExperience/communities/{id}")))
    }
}

mod optional_instant {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use time::OffsetDateTime;

    use super::Timestamp;

    // The signature is serde's.
    #[allow(clippy::ref_option)]
    pub(super) fn serialize<S: Serializer>(
        instant: &Option<OffsetDateTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        instant.map(Timestamp).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<OffsetDateTime>, D::Error> {
        Ok(Option::<Timestamp>::deserialize(deserializer)?.map(|instant| instant.0))
    }
}
