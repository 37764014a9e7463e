//! The families other than Teams and Viva Engage, one file each.

mod connection_operation;
mod drive_item_copy;
mod long_running_operation;
mod onenote_operation;
mod print_operation;
mod rich_long_running_operation;
mod workbook_operation;

pub use connection_operation::{ConnectionOperation, ConnectionOperationStatus};
pub use drive_item_copy::{DriveItemCopy, DriveItemCopyStatus};
pub use long_running_operation::LongRunningOperation;
pub use onenote_operation::{OnenoteOperation, OnenoteOperationStatus};
pub use print_operation::{PrintOperation, PrintOperationProcessingState, PrintOperationStatus};
pub use rich_long_running_operation::RichLongRunningOperation;
pub use workbook_operation::{WorkbookOperation, WorkbookOperationStatus};

use super::OperationError;

/// The error, or `otherwise` if the error says nothing.
fn failure(
    error: Option<OperationError>,
    otherwise: Option<OperationError>,
) -> Option<OperationError> {
    match error {
        Some(error) if says_something(&error) => Some(error),
        error => otherwise.or(error),
    }
}

/// Whether an error has a code or a message. The service can send null for both.
fn says_something(error: &OperationError) -> bool {
    [&error.code, &error.message].into_iter().flatten().any(|text| !text.is_empty())
}
