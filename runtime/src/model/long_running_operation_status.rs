//! The status that several families have in common.

use super::evolvable::evolvable;

evolvable! {
    /// The status of a `longRunningOperation`, such as an
    /// [`EngagementAsyncOperation`](crate::EngagementAsyncOperation).
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/longrunningoperation>
    LongRunningOperationStatus {
        /// Accepted, not started.
        NotStarted = "notStarted" => Running,
        /// Running.
        Running = "running" => Running,
        /// Succeeded.
        Succeeded = "succeeded" => Succeeded,
        /// Failed.
        Failed = "failed" => Failed,
        /// Skipped; the operation counts as failed, because it had no effect.
        Skipped = "skipped" => Failed,
        /// The sentinel that stands for newer members; not terminal.
        UnknownFutureValue = "unknownFutureValue" => Running,
    }
}
