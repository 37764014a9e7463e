//! The fast path for reading a response, compared with full decoding, on arbitrary bytes.

use graph_operation::{
    ConnectionOperation, DriveItemCopy, EngagementAsyncOperation, LongRunningOperation, Model,
    OnenoteOperation, PrintOperation, RichLongRunningOperation, TeamsAsyncOperation,
    WorkbookOperation,
};

/// Summarizes a body as each family, and compares the summary with the decoded operation.
///
/// # Panics
///
/// If one accepts what the other refuses, or they differ in what they find.
pub fn summarize(body: &[u8]) {
    compare::<TeamsAsyncOperation>(body);
    compare::<EngagementAsyncOperation>(body);
    compare::<RichLongRunningOperation>(body);
    compare::<LongRunningOperation>(body);
    compare::<ConnectionOperation>(body);
    compare::<WorkbookOperation>(body);
    compare::<PrintOperation>(body);
    compare::<OnenoteOperation>(body);
    compare::<DriveItemCopy>(body);
}

fn compare<M: Model>(body: &[u8]) {
    match (M::summarize(body), M::from_json(body)) {
        (Ok(summary), Ok(operation)) => {
            let found = (summary.state(), summary.status(), summary.attempts());
            let decoded = (operation.state(), operation.status(), operation.attempts());
            assert_eq!(found, decoded, "as {}", M::TYPE);
        }
        (Err(summarized), Err(decoded)) => {
            assert_eq!(summarized.classify(), decoded.classify(), "as {}", M::TYPE);
        }
        (summary, operation) => panic!("as {}: {summary:?} against {operation:?}", M::TYPE),
    }
}
