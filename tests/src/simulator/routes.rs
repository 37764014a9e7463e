//! What each request asks for.

use axum::http::Method;

use super::{kind::Kind, path};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Starts an operation on the resource with these ids, below this path.
    Start { kind: Kind, ids: Vec<String>, base: String },
    /// Reads an operation below the resource with this identity.
    Check { home: String, operation: String },
    /// Lists the operations below the resource with this identity.
    Operations(String),
    /// Reads the resource with this identity.
    Read(String),
    /// Lists the collection with this identity.
    List(String),
    /// Adds a member to the collection with this path.
    Create(String),
    /// Turns the group with this id into a team.
    MakeTeam(String),
    /// Changes the resource with this identity.
    Update(String),
    /// Deletes the resource with this identity.
    Delete(String),
}

/// Why a request is not served.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Method,
    Path(String),
}

/// What a path can begin with.
const SETS: [&str; 9] = [
    "teams",
    "groups",
    "chats",
    "employeeexperience",
    "sites",
    "users",
    "external",
    "print",
    "drives",
];
const METHODS: [Method; 5] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

pub(super) fn route(method: &Method, segments: &[String]) -> Result<Route, Refusal> {
    let lower: Vec<String> = segments.iter().map(|segment| segment.to_lowercase()).collect();
    let names: Vec<&str> = lower.iter().map(String::as_str).collect();
    if let Some(route) = find(method, &names, segments) {
        return Ok(route);
    }
    if METHODS.iter().any(|other| find(other, &names, segments).is_some()) {
        return Err(Refusal::Method);
    }
    let is_known = names.first().is_some_and(|first| SETS.contains(first));
    let unknown = if is_known { segments.last() } else { segments.first() };
    Err(Refusal::Path(unknown.cloned().unwrap_or_default()))
}

/// `names` are the segments in lower case.
fn find(method: &Method, names: &[&str], segments: &[String]) -> Option<Route> {
    let start = |kind, at: &[usize], base: usize| {
        Some(Route::Start {
            kind,
            ids: at.iter().filter_map(|at| segments.get(*at)).cloned().collect(),
            base: format!("/{}", segments[..base].join("/")),
        })
    };
    let last = names.len().saturating_sub(1);
    let identity = || path::identity(segments);
    match (method.as_str(), names) {
        ("POST", ["teams"]) => start(Kind::CreateTeam, &[], 0),
        ("POST", ["chats"]) => start(Kind::CreateChat, &[], 0),
        ("POST", ["employeeexperience", "communities"]) => start(Kind::CreateCommunity, &[], 1),
        ("POST", ["teams", _, "clone"]) => start(Kind::CloneTeam, &[1], 2),
        ("POST", ["teams", _, "archive"]) => start(Kind::ArchiveTeam, &[1], 2),
        ("POST", ["teams", _, "unarchive"]) => start(Kind::UnarchiveTeam, &[1], 2),
        ("POST", ["teams", _, "channels"]) => start(Kind::CreateChannel, &[1], 2),
        ("POST", ["teams", _, "channels", _, "archive"]) => start(Kind::ArchiveChannel, &[1, 3], 2),
        ("POST", ["teams", _, "channels", _, "unarchive"]) => {
            start(Kind::UnarchiveChannel, &[1, 3], 2)
        }
        ("POST", ["sites"]) => start(Kind::CreateSite, &[], 1),
        ("POST", ["sites", .., "contenttypes", "addcopyfromcontenttypehub"]) => {
            start(Kind::CopyContentType, &[1], last - 1)
        }
        (
            "POST",
            ["users", _, "authentication", "methods" | "passwordmethods", _, "resetpassword"],
        ) => start(Kind::ResetPassword, &[1, 4], 3),
        ("PATCH" | "POST", ["external", "connections", _, "schema"]) => {
            start(Kind::ChangeSchema, &[2], 3)
        }
        ("POST", [.., "items", _, "workbook", "createsession"]) => {
            start(Kind::CreateSession, &[last - 2], last)
        }
        ("POST", [.., "items", _, "workbook", "tables", _, "rows"]) => {
            start(Kind::AddTableRow, &[last - 1, last - 4], last - 2)
        }
        ("POST", ["print", "printers", "create"]) => start(Kind::CreatePrinter, &[], 1),
        ("POST", [.., "onenote", set, _, copy]) if is_notebook_copy(set, copy) => {
            start(Kind::CopyNotebook, &[last - 1, last - 2], last - 2)
        }
        ("POST", ["drives" | "me" | "users" | "sites" | "groups", .., "items", _, "copy"]) => {
            start(Kind::CopyItem, &[last - 1], last - 2)
        }
        ("PATCH", ["drives" | "me" | "users" | "sites" | "groups", .., "items", _]) => {
            start(Kind::MoveItem, &[last], last - 1)
        }
        ("POST", ["drives" | "me" | "users" | "sites" | "groups", .., "items", _, "children"]) => {
            start(Kind::UploadFromUrl, &[last - 1], last - 2)
        }
        ("GET", ["employeeexperience", "engagementasyncoperations", _]) => {
            Some(Route::Check { home: names[0].to_owned(), operation: segments[last].clone() })
        }
        ("GET", [home @ .., "operations" | "getoperationstatus", _]) if !home.is_empty() => {
            Some(Route::Check { home: home.join("/"), operation: segments[last].clone() })
        }
        ("GET", ["teams" | "chats", _, "operations"]) => {
            Some(Route::Operations(names[..last].join("/")))
        }
        ("GET", ["teams" | "groups"] | ["teams", _, "channels" | "members"]) => {
            Some(Route::List(identity()))
        }
        ("POST", ["groups"] | ["teams", _, "members"]) => Some(Route::Create(segments.join("/"))),
        ("PUT", ["teams", _]) => Some(Route::MakeTeam(segments[last].clone())),
        (
            "GET" | "PATCH" | "DELETE",
            ["teams" | "groups", _] | ["teams", _, "channels" | "members", _],
        ) => Some(match method.as_str() {
            "GET" => Route::Read(identity()),
            "PATCH" => Route::Update(identity()),
            _ => Route::Delete(identity()),
        }),
        ("GET", names) if is_read_only(names) => Some(Route::Read(identity())),
        _ => None,
    }
}

fn is_notebook_copy(set: &str, action: &str) -> bool {
    match action {
        "copynotebook" | "copytonotebook" | "copytosectiongroup" => {
            ["notebooks", "sections", "sectiongroups"].contains(&set)
        }
        "copytosection" => set == "pages",
        _ => false,
    }
}

/// Whether the path is that of a resource that clients can only read: operations change it.
fn is_read_only(names: &[&str]) -> bool {
    matches!(
        names,
        ["teams", _, "primarychannel"]
            | ["chats" | "sites", _]
            | ["employeeexperience", "communities", _]
            | ["external", "connections", _, "schema"]
            | ["print", "printers", _]
            | ["users", _, "authentication", "methods", _]
            | ["sites", .., "contenttypes", _]
            | [.., "workbook", "sessioninforesource" | "tablerowoperationresult", _]
            | [.., "onenote", "notebooks" | "sections" | "sectiongroups" | "pages", _]
            | ["drives" | "me" | "users" | "sites" | "groups", .., "items", _]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(method: &Method, path: &str) -> Result<Route, Refusal> {
        route(method, &path::parse(path).1)
    }

    #[test]
    fn requests_are_told_apart() {
        let start = |kind, ids: &[&str], base: &str| {
            Ok(Route::Start {
                kind,
                ids: ids.iter().map(ToString::to_string).collect(),
                base: base.into(),
            })
        };
        for (method, path, expected) in [
            (Method::POST, "/v1.0/teams", start(Kind::CreateTeam, &[], "/")),
            (
                Method::POST,
                "/v1.0/teams('a')/archive",
                start(Kind::ArchiveTeam, &["a"], "/teams/a"),
            ),
            (
                Method::POST,
                "/v1.0/Groups/a/Team/Archive",
                start(Kind::ArchiveTeam, &["a"], "/teams/a"),
            ),
            (
                Method::POST,
                "/beta/teams/a/channels/19:c@thread.tacv2/unarchive",
                start(Kind::UnarchiveChannel, &["a", "19:c@thread.tacv2"], "/teams/a"),
            ),
            (
                Method::POST,
                "/v1.0/me/drive/items/I/workbook/tables/T/rows",
                start(Kind::AddTableRow, &["T", "I"], "/me/drive/items/I/workbook"),
            ),
            (
                Method::POST,
                "/v1.0/sites/s,1/lists/l/contentTypes/addCopyFromContentTypeHub",
                start(Kind::CopyContentType, &["s,1"], "/sites/s,1/lists/l"),
            ),
            (
                Method::POST,
                "/v1.0/drives/d/items/i/copy",
                start(Kind::CopyItem, &["i"], "/drives/d"),
            ),
        ] {
            assert_eq!(routed(&method, path), expected, "{path}");
        }
        let check = |home: &str| Ok(Route::Check { home: home.into(), operation: "b".into() });
        for (path, home) in [
            ("/beta/chats('19:x_y@unq.gbl.spaces')/operations('b')", "chats/19:x_y@unq.gbl.spaces"),
            ("/v1.0/employeeExperience/engagementAsyncOperations('b')", "employeeexperience"),
            ("/beta/sites/getOperationStatus(operationId='b')", "sites"),
            ("/v1.0/me/drive/items/i/workbook/operations/b", "me/drive/items/i/workbook"),
        ] {
            assert_eq!(routed(&Method::GET, path), check(home), "{path}");
        }
        assert_eq!(routed(&Method::GET, "/v1.0/teams(A)"), Ok(Route::Read("teams/a".into())));
        assert_eq!(routed(&Method::PUT, "/v1.0/groups/A/team"), Ok(Route::MakeTeam("A".into())));
        assert_eq!(routed(&Method::GET, "/v1.0/teams/a/archive"), Err(Refusal::Method));
        for (path, segment) in
            [("/v1.0/me/planner", "me"), ("/v1.0/teams/a/x", "x"), ("/v1.0/v1.0/teams", "v1.0")]
        {
            assert_eq!(routed(&Method::GET, path), Err(Refusal::Path(segment.into())));
        }
    }
}
