//! Which request is about what.

use axum::http::Method;

use super::operation::Kind;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Starts an operation, on the resource with these ids.
    Start(Kind, Vec<String>),
    /// Reads an operation below the resource with this identity.
    Check { home: String, operation: String },
    /// Reads the resource with this identity.
    Target(String),
}

/// Why a request asks for nothing that there is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Method,
    Path(String),
}

pub(super) fn route(method: &Method, segments: &[String]) -> Result<Route, Refusal> {
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    let start = |kind, ids: &[&str]| {
        Ok((Method::POST, Route::Start(kind, ids.iter().map(ToString::to_string).collect())))
    };
    let (expected, route) = match names.as_slice() {
        // The set of teams and that of chats cannot be listed, so these paths have one meaning.
        ["teams"] => start(Kind::CreateTeam, &[]),
        ["chats"] => start(Kind::CreateChat, &[]),
        ["employeeExperience", "communities"] => start(Kind::CreateCommunity, &[]),
        ["teams", team, "clone"] => start(Kind::CloneTeam, &[team]),
        ["teams", team, "archive"] => start(Kind::ArchiveTeam, &[team]),
        ["teams", team, "unarchive"] => start(Kind::UnarchiveTeam, &[team]),
        ["teams", team, "channels"] => start(Kind::CreateChannel, &[team]),
        ["teams", team, "channels", channel, "archive"] => {
            start(Kind::ArchiveChannel, &[team, channel])
        }
        ["teams", team, "channels", channel, "unarchive"] => {
            start(Kind::UnarchiveChannel, &[team, channel])
        }
        [set @ ("teams" | "chats"), id, "operations" | "getOperationStatus", operation] => Ok((
            Method::GET,
            Route::Check { home: format!("{set}/{id}"), operation: (*operation).to_owned() },
        )),
        ["employeeExperience", "engagementAsyncOperations" | "getOperationStatus", operation] => {
            Ok((
                Method::GET,
                Route::Check {
                    home: "employeeExperience".to_owned(),
                    operation: (*operation).to_owned(),
                },
            ))
        }
        ["teams" | "chats", _]
        | ["teams", _, "channels", _]
        | ["employeeExperience", "communities", _] => {
            Ok((Method::GET, Route::Target(segments.join("/"))))
        }
        [.., last] => Err(Refusal::Path((*last).to_owned())),
        [] => Err(Refusal::Path(String::new())),
    }?;
    if *method == expected { Ok(route) } else { Err(Refusal::Method) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::path;

    fn routed(method: &Method, path: &str) -> Result<Route, Refusal> {
        route(method, &path::parse(path).1)
    }

    #[test]
    fn requests_are_told_apart() {
        let start = |kind, ids: &[&str]| {
            Ok(Route::Start(kind, ids.iter().map(ToString::to_string).collect()))
        };
        assert_eq!(routed(&Method::POST, "/v1.0/teams"), start(Kind::CreateTeam, &[]));
        assert_eq!(
            routed(&Method::POST, "/v1.0/teams('a')/archive"),
            start(Kind::ArchiveTeam, &["a"])
        );
        assert_eq!(
            routed(&Method::POST, "/v1.0/groups/a/team/archive"),
            start(Kind::ArchiveTeam, &["a"])
        );
        assert_eq!(
            routed(&Method::POST, "/beta/teams/a/channels/19:c@thread.tacv2/unarchive"),
            start(Kind::UnarchiveChannel, &["a", "19:c@thread.tacv2"])
        );
        let check = |home: &str| Ok(Route::Check { home: home.into(), operation: "b".into() });
        assert_eq!(
            routed(&Method::GET, "/beta/chats('19:x_y@unq.gbl.spaces')/operations('b')"),
            check("chats/19:x_y@unq.gbl.spaces")
        );
        assert_eq!(
            routed(&Method::GET, "/v1.0/employeeExperience/engagementAsyncOperations('b')"),
            check("employeeExperience")
        );
        assert_eq!(routed(&Method::GET, "/v1.0/teams(a)"), Ok(Route::Target("teams/a".into())));
        assert_eq!(routed(&Method::GET, "/v1.0/teams/a/archive"), Err(Refusal::Method));
        assert_eq!(routed(&Method::GET, "/v1.0/me"), Err(Refusal::Path("me".into())));
    }
}
