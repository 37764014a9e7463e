//! How far an operation has come.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::json;

/// The progress of an operation: in parts, in percent, or both.
///
/// The parts of a team being created are its apps and channels. Only the status says whether the
/// operation has ended: one that has succeeded may have parts that failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    done: usize,
    failed: usize,
    total: usize,
    percent: Option<f64>,
}

impl Progress {
    /// Progress of `done` parts out of `total`. A larger `done` counts as `total`.
    pub fn new(done: usize, total: usize) -> Self {
        Progress { done: done.min(total), failed: 0, total, percent: None }
    }

    /// Progress in percent, from 0 to 100, of an unknown number of parts.
    pub fn from_percent(percent: f64) -> Self {
        let percent = if percent.is_nan() { 0.0 } else { percent.clamp(0.0, 100.0) };
        Progress { done: 0, failed: 0, total: 0, percent: Some(percent) }
    }

    /// Progress in percent that the service sent as text.
    #[cfg(feature = "families")]
    pub(super) fn from_text(percent: &str) -> Option<Self> {
        let percent: f64 = percent.trim().trim_end_matches('%').parse().ok()?;
        percent.is_finite().then(|| Progress::from_percent(percent))
    }

    /// How many parts have succeeded.
    pub fn done(self) -> usize {
        self.done
    }

    /// How many parts have failed.
    pub fn failed(self) -> usize {
        self.failed
    }

    /// How many parts there are; 0 if the service does not say.
    pub fn total(self) -> usize {
        self.total
    }

    /// From 0 to 100: what the service says, or else the share of the parts that have succeeded.
    pub fn percent(self) -> Option<f64> {
        // The numbers of parts are small.
        #[allow(clippy::cast_precision_loss)]
        let share = || (self.total > 0).then(|| self.done as f64 * 100.0 / self.total as f64);
        self.percent.or_else(share)
    }

    /// Reads the undocumented `Value` of a `createTeam` operation; `None` for any other text.
    ///
    /// Undocumented means that every part of it may be missing or different.
    pub(super) fn from_value(text: &str) -> Option<Self> {
        let mut progress = Progress::new(0, 0);
        json::properties(text, &mut |name, raw| {
            if !matches!(&*name, "apps" | "channels") {
                return;
            }
            let parts = json::value(raw);
            for part in parts.iter().filter_map(Value::as_array).flatten() {
                let status = part.get("Status").and_then(Value::as_str).unwrap_or_default();
                progress.total += 1;
                progress.done += usize::from(status.eq_ignore_ascii_case("succeeded"));
                progress.failed += usize::from(status.eq_ignore_ascii_case("failed"));
            }
        })
        .ok()?;
        (progress.total > 0).then_some(progress)
    }
}

/// An object with `done`, `failed` and `total` if there are parts, and `percent` if it is known.
impl Serialize for Progress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.total > 0 {
            map.serialize_entry("done", &self.done)?;
            map.serialize_entry("failed", &self.failed)?;
            map.serialize_entry("total", &self.total)?;
        }
        if let Some(percent) = self.percent() {
            map.serialize_entry("percent", &percent)?;
        }
        map.end()
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
    fn anything_else_is_not_progress() {
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
