//! One operation: what started it, what it is about, and how far it has come.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    context::Call,
    document::Document,
    kind::Kind,
    life::{Course, Stage, View},
    monitor::Monitor,
    path::{self, Address},
};

/// The parts that a team is built from.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) apps: Vec<String>,
    pub(super) channels: Vec<String>,
}

impl Parts {
    /// What the request asks for, or what any team has.
    pub(super) fn requested(body: &Document) -> Self {
        let list = |name: &str, part: fn(&Value) -> Option<&str>| -> Vec<String> {
            let value = body.get(name);
            let parts = value.as_ref().and_then(Value::as_array);
            parts.into_iter().flatten().filter_map(part).map(str::to_owned).collect()
        };
        let mut channels = list("channels", |channel| channel.get("displayName")?.as_str());
        if channels.is_empty() {
            channels.push("General".into());
        }
        let apps =
            list("installedApps", |app| path::bound(app.get("teamsApp@odata.bind")?.as_str()?));
        Self { apps, channels }
    }
}

/// An operation that was started.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) address: Address,
    /// The resource below which the operation is read.
    pub(super) home: Address,
    pub(super) target: Address,
    /// The query that a request for the operation has to repeat.
    pub(super) query: Option<String>,
    pub(super) monitor: Monitor,
    /// The keys by which behaviour is looked up, the most specific first.
    pub(super) keys: Vec<String>,
    pub(super) salt: u64,
    pub(super) created: String,
    pub(super) workflow: String,
    /// The display name of what the operation is about, if the request gives one.
    pub(super) name: String,
    pub(super) parts: Parts,
    pub(super) course: Course,
    pub(super) started: Instant,
    pub(super) tally: Tally,
}

/// What identifies an operation: the identity of the resource below which it is read, and its id.
pub(super) fn identity(home: &str, id: &str) -> String {
    format!("{home}/{}", id.to_lowercase())
}

/// The counts of the checks of one operation.
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

    /// What identifies the operation among all others.
    pub(super) fn identity(&self) -> String {
        identity(&self.home.identity(), self.id())
    }

    /// Whether the request repeats the query of the address that the start gave.
    pub(super) fn is_addressed_by(&self, call: &Call) -> bool {
        self.query.iter().flat_map(|query| query.split('&')).all(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            call.parameter(name) == Some(path::decode(value))
        })
    }

    /// Counts a check, whatever its answer.
    pub(super) fn checked(&mut self, at: Instant) {
        let tally = &mut self.tally;
        if let Some(last) = tally.last.replace(at) {
            let gap = at.saturating_duration_since(last);
            tally.closest = Some(tally.closest.map_or(gap, |closest| closest.min(gap)));
        }
        tally.checks += 1;
    }

    /// Looks at the operation. A look whose result the client will not see changes nothing.
    pub(super) fn look(&mut self, at: Instant, seen: bool) -> View {
        if !seen {
            return self.course.peek(at);
        }
        let view = self.course.observe(at);
        self.tally.told = Some(self.kind.family().word(&view.stage));
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
        let body = json!({
            "channels": [{"displayName": "Homework"}, {"name": "?"}],
            "installedApps": [
                {"teamsApp@odata.bind": "https://graph.microsoft.com/v1.0/appCatalogs/teamsApps('wiki')"},
                {"teamsApp@odata.bind": "https://graph.microsoft.com/v1.0/appCatalogs/teamsApps/polls"},
            ],
        });
        let parts = Parts::requested(&Document::parse(body.to_string().as_bytes()).unwrap());
        assert_eq!(
            (parts.apps, parts.channels),
            (vec!["wiki".into(), "polls".into()], vec!["Homework".into()])
        );
        assert_eq!(Parts::requested(&Document::new()).channels, ["General"]);
    }
}
