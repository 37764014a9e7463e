//! One operation: what started it, what it is about, where it stands.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    life::{Course, Stage, View},
    path::Address,
};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    CreateTeam,
    CloneTeam,
    ArchiveTeam,
    UnarchiveTeam,
    CreateChannel,
    ArchiveChannel,
    UnarchiveChannel,
    CreateChat,
    CreateCommunity,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CreateTeam => "createTeam",
            Self::CloneTeam => "cloneTeam",
            Self::ArchiveTeam => "archiveTeam",
            Self::UnarchiveTeam => "unarchiveTeam",
            Self::CreateChannel => "createChannel",
            Self::ArchiveChannel => "archiveChannel",
            Self::UnarchiveChannel => "unarchiveChannel",
            Self::CreateChat => "createChat",
            Self::CreateCommunity => "createCommunity",
        }
    }

    /// Whether the member stands after `unknownFutureValue`, and so is hidden from those who did
    /// not ask for it.
    pub(super) fn is_late(self) -> bool {
        matches!(
            self,
            Self::CreateChannel | Self::ArchiveChannel | Self::UnarchiveChannel | Self::CreateChat
        )
    }

    /// What an archive or its reversal leaves the target as.
    pub(super) fn archives(self) -> Option<bool> {
        match self {
            Self::ArchiveTeam | Self::ArchiveChannel => Some(true),
            Self::UnarchiveTeam | Self::UnarchiveChannel => Some(false),
            _ => None,
        }
    }

    /// Whether the target comes into being by the operation.
    pub(super) fn creates(self) -> bool {
        self.archives().is_none()
    }

    /// Whether the starting request makes no sense without a body.
    pub(super) fn needs_body(self) -> bool {
        self.creates()
    }
}

/// The parts that a team is built from.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) apps: Vec<String>,
    pub(super) channels: Vec<String>,
}

impl Parts {
    /// What the request asks for, or what any team has.
    pub(super) fn requested(body: &Value) -> Self {
        let list = |name: &str, part: fn(&Value) -> Option<&str>| -> Vec<String> {
            let parts = body.get(name).and_then(Value::as_array);
            parts.into_iter().flatten().filter_map(part).map(str::to_owned).collect()
        };
        let mut channels = list("channels", |channel| channel.get("displayName")?.as_str());
        if channels.is_empty() {
            channels.push("General".into());
        }
        let apps = list("installedApps", |app| {
            let bound = app.get("teamsApp@odata.bind")?.as_str()?;
            bound.rsplit(['/', '\'']).find(|segment| !segment.is_empty() && *segment != ")")
        });
        Self { apps, channels }
    }
}

/// An operation that was started.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) address: Address,
    /// What the operation is read below.
    pub(super) home: Address,
    pub(super) target: Address,
    /// What behaviour is looked up by, the most specific first.
    pub(super) keys: Vec<String>,
    pub(super) salt: u64,
    pub(super) created: String,
    pub(super) workflow: String,
    pub(super) parts: Parts,
    pub(super) course: Course,
    pub(super) started: Instant,
    pub(super) tally: Tally,
}

/// What the checks of one operation amounted to.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) checks: u64,
    pub(super) faults: u64,
    /// The true answers that showed the end.
    pub(super) ends: u64,
    pub(super) told: Option<String>,
    pub(super) last: Option<Instant>,
    pub(super) closest: Option<Duration>,
}

impl Operation {
    pub(super) fn id(&self) -> &str {
        self.address.key()
    }

    /// Counts a check, whatever becomes of it.
    pub(super) fn checked(&mut self, at: Instant) {
        let tally = &mut self.tally;
        if let Some(last) = tally.last.replace(at) {
            let gap = at.saturating_duration_since(last);
            tally.closest = Some(tally.closest.map_or(gap, |closest| closest.min(gap)));
        }
        tally.checks += 1;
    }

    /// Looks at the operation; a look that the client will not see leaves everything as it is.
    pub(super) fn look(&mut self, at: Instant, seen: bool) -> View {
        if !seen {
            return self.course.peek(at);
        }
        let view = self.course.observe(at);
        self.tally.told = Some(view.stage.to_string());
        if matches!(view.stage, Stage::Ended(_)) {
            self.tally.ends += 1;
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_those_that_the_request_names() {
        let parts = Parts::requested(&json!({
            "channels": [{"displayName": "Homework"}, {"name": "?"}],
            "installedApps": [
                {"teamsApp@odata.bind": "https://graph.microsoft.com/v1.0/appCatalogs/teamsApps('wiki')"},
                {"teamsApp@odata.bind": "https://graph.microsoft.com/v1.0/appCatalogs/teamsApps/polls"},
            ],
        }));
        assert_eq!(
            (parts.apps, parts.channels),
            (vec!["wiki".into(), "polls".into()], vec!["Homework".into()])
        );
        assert_eq!(Parts::requested(&json!({})).channels, ["General"]);
    }
}
