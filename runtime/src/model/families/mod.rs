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
