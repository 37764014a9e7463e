//! How far an operation has come.

use serde::Deserialize;
use serde_json::Value;

/// The parts that an operation consists of, as far as the service tells.
///
/// For a team being created these are its apps and channels. The end of the operation is told by
/// its status alone: one that has succeeded may have parts that have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Progress {
    done: usize,
    failed: usize,
    total: usize,
}

impl Progress {
    /// Progress of `done` parts in `total`; at most `total` are done.
    pub fn new(done: usize, total: usize) -> Self {
        Progress { done: done.min(total), failed: 0, total }
    }

    /// How many parts have ended well.
    pub fn done(self) -> usize {
        self.done
    }

    /// How many parts have failed.
    pub fn failed(self) -> usize {
        self.failed
    }

    /// How many parts there are.
    pub fn total(self) -> usize {
        self.total
    }

    /// Reads the undocumented `Value` of a `createTeam` operation, and gives nothing for any other.
    ///
    /// Undocumented means that every part of it may be missing or different.
    pub(super) fn from_value(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Parts {
            #[serde(default)]
            apps: Value,
            #[serde(default)]
            channels: Value,
        }

        let Parts { apps, channels } = serde_json::from_str(text).ok()?;
        let mut progress = Progress { done: 0, failed: 0, total: 0 };
        for part in [&apps, &channels].into_iter().filter_map(Value::as_array).flatten() {
            let status = part.get("Status").and_then(Value::as_str).unwrap_or_default();
            progress.total += 1;
            progress.done += usize::from(status.eq_ignore_ascii_case("succeeded"));
            progress.failed += usize::from(status.eq_ignore_ascii_case("failed"));
        }
        (progress.total > 0).then_some(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn parts_are_counted_by_their_status() {
        let value = r#"{"apps":[{"Index":1,"Status":"Succeeded"},{"Status":"Failed"},{"Status":7}],
            "channels":[{"Status":"InProgress"},{"tabs":[]}],"WorkflowId":"northeurope.1"}"#;
        let progress = Progress::from_value(value).unwrap();
        assert_eq!((progress.done(), progress.failed(), progress.total()), (1, 1, 5));
    }

    #[test]
    fn anything_else_is_no_progress_and_no_failure() {
        for value in [
            "",
            "7",
            "not JSON",
            r#"{"Status":0,"PreArchivalMembersPermission":0}"#,
            r#"{"apps":[],"channels":[]}"#,
            r#"{"apps":"none","channels":{}}"#,
        ] {
            assert_eq!(Progress::from_value(value), None, "{value}");
        }
    }
}
