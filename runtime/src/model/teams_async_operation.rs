//! `teamsAsyncOperation`: operations of Microsoft Teams.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::evolvable::evolvable;
use super::resource::resource;
use super::{OperationError, Progress};

evolvable! {
    /// The type of a [`TeamsAsyncOperation`].
    ///
    /// Members are identified by name alone, because their numbers differ between v1.0 and beta.
    /// Checks ask for all members (`Prefer: include-unknown-enum-members`).
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/teamsasyncoperation>
    TeamsAsyncOperationType {
        /// An invalid operation.
        Invalid = "invalid",
        /// Clones a team.
        CloneTeam = "cloneTeam",
        /// Archives a team.
        ArchiveTeam = "archiveTeam",
        /// Restores an archived team.
        UnarchiveTeam = "unarchiveTeam",
        /// Creates a team.
        CreateTeam = "createTeam",
        /// The sentinel that stands for newer members if the request did not ask for them.
        UnknownFutureValue = "unknownFutureValue",
        /// Turns a group into a team.
        TeamifyGroup = "teamifyGroup",
        /// Creates a channel.
        CreateChannel = "createChannel",
        /// Creates a chat (beta).
        CreateChat = "createChat",
        /// Archives a channel.
        ArchiveChannel = "archiveChannel",
        /// Restores an archived channel.
        UnarchiveChannel = "unarchiveChannel",
    }
}

evolvable! {
    /// The status of a [`TeamsAsyncOperation`].
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/teamsasyncoperation>
    TeamsAsyncOperationStatus {
        /// An invalid status; the operation counts as failed.
        Invalid = "invalid" => Failed,
        /// Accepted, not started.
        NotStarted = "notStarted" => Running,
        /// Running.
        InProgress = "inProgress" => Running,
        /// Succeeded.
        Succeeded = "succeeded" => Succeeded,
        /// Failed.
        Failed = "failed" => Failed,
        /// The sentinel that stands for newer members; not terminal.
        UnknownFutureValue = "unknownFutureValue" => Running,
    }
}

resource! {
    /// An asynchronous operation of Microsoft Teams, as read by one check.
    ///
    /// The type is open: undeclared properties are kept in
    /// [`additional_data`](Self::additional_data), and serialized again. Reading is lenient where
    /// the service is: declared properties may be absent or null, instants have 0 to 9 fraction
    /// digits and any offset, `error` may be a string. If the status is a known one, any other
    /// property may even be of another type, and is kept with the undeclared ones: the status alone
    /// decides. A document with neither `status` nor `operationType`, or with properties of other
    /// types and no known status, is refused.
    ///
    /// ```
    /// use graph_operation::{TeamsAsyncOperation, TeamsAsyncOperationStatus};
    ///
    /// let operation: TeamsAsyncOperation = serde_json::from_str(r#"{
    ///     "id": "6aba218b-0000-0000-0000-1a3dbc8a7cd0",
    ///     "operationType": "archiveTeam",
    ///     "createdDateTime": "2021-12-15T08:57:48.7884587Z",
    ///     "status": "inProgress",
    ///     "lastActionDateTime": "2021-12-15T08:57:48.7884587Z",
    ///     "attemptsCount": 1,
    ///     "targetResourceId": "d40d729b-0000-0000-0000-102595090e0a",
    ///     "targetResourceLocation": "/teams('d40d729b-0000-0000-0000-102595090e0a')",
    ///     "Value": "{\"Status\":0}",
    ///     "error": null
    /// }"#)?;
    /// assert_eq!(operation.status, TeamsAsyncOperationStatus::InProgress);
    /// assert_eq!(operation.additional_data["Value"], r#"{"Status":0}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/teamsasyncoperation>
    TeamsAsyncOperation = "teamsAsyncOperation" {
        /// The operation's id: a GUID for teams, three of them for chats. Empty if absent.
        "id" => id: String,
        /// What the operation does.
        "operationType" => operation_type: TeamsAsyncOperationType,
        /// When the operation was created.
        "createdDateTime" => created_date_time: Option<OffsetDateTime>,
        /// The status of the operation.
        "status" => status: TeamsAsyncOperationStatus,
        /// When the operation was last worked on, as documented; in practice it stays at
        /// [`created_date_time`](Self::created_date_time).
        "lastActionDateTime" => last_action_date_time: Option<OffsetDateTime>,
        /// How many attempts the service has made.
        "attemptsCount" => attempts_count: Option<i32>,
        /// The id of what the operation works on; not always a GUID.
        "targetResourceId" => target_resource_id: Option<String>,
        /// The address of what the operation works on. It is opaque: do not parse it.
        "targetResourceLocation" => target_resource_location: Option<String>,
        /// Why the operation failed. It may be absent even then.
        "error" => error: Option<OperationError>,
    }

    fn operation_type(&self) -> Option<&str> {
        let word = self.spellings.word("operationType", self.operation_type.as_str());
        Some(word).filter(|word| !word.is_empty())
    }

    fn attempts(&self) -> Option<u32> {
        u32::try_from(self.attempts_count?).ok()
    }

    fn failure(&self) -> Option<OperationError> {
        self.error.clone()
    }

    fn target_id(&self) -> Option<&str> {
        self.target_resource_id.as_deref()
    }

    fn target_location(&self) -> Option<Cow<'_, str>> {
        self.target_resource_location.as_deref().map(Cow::Borrowed)
    }

    /// The parts that creating a team consists of, from the undocumented `Value`.
    fn progress(&self) -> Option<Progress> {
        Progress::from_value(self.additional_data.get("Value")?.as_str()?)
    }
}
