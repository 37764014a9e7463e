//! The documents of Teams' operations and resources, their properties in the order of the wire.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    document::Document,
    families, ids,
    kind::{Family, Kind},
    life::{End, Failure, Phase, Stage, View},
    operation::Operation,
    path::{Address, Keys, encode},
};

const HIDDEN: &str = "unknownFutureValue";
/// Properties that concern only the creation, or that are shown in other ways.
const NOT_READ_BACK: [&str; 6] =
    ["members", "channels", "installedApps", "partsToClone", "tabs", "isArchived"];

/// An operation as one check shows it. `all_members` says whether the client asked for the members
/// of enumerations that came after `unknownFutureValue`.
pub(super) fn operation(
    operation: &Operation,
    view: &View,
    root: &str,
    all_members: bool,
) -> Document {
    let family = operation.kind.family();
    let word = family.word(&view.stage);
    let hidden = matches!(view.stage, Stage::Going(Phase::Other(_))) && family.hides();
    let status = if hidden && !all_members { HIDDEN } else { &word };
    if family == Family::Teams {
        teams(operation, view, status, root, all_members)
    } else {
        families::operation(operation, view, status, root)
    }
}

fn teams(
    operation: &Operation,
    view: &View,
    status: &str,
    root: &str,
    all_members: bool,
) -> Document {
    let created = format!("{}Z", operation.created);
    let is_hidden = operation.kind.is_late() && !all_members;
    let home = operation.home.identity();
    let set = home.split('/').next().unwrap_or_default();
    let key = encode(operation.home.key());
    Document::new()
        .with("@odata.context", format!("{root}/$metadata#{set}('{key}')/operations/$entity"))
        .with("id", operation.id())
        .with("operationType", if is_hidden { HIDDEN } else { operation.kind.name() })
        .with("createdDateTime", &created)
        .with("status", status)
        // The service never changes it after the creation.
        .with("lastActionDateTime", &created)
        .with("attemptsCount", view.attempts)
        .with("targetResourceId", operation.target.key())
        .with("targetResourceLocation", operation.target.write(Keys::Quoted))
        .with_some("Value", value(operation, view))
        .with_some(
            "values",
            (operation.kind == Kind::CreateChat)
                .then(|| json!({ "appIds": operation.parts.apps }).to_string()),
        )
        .with(
            "error",
            match &view.stage {
                Stage::Ended(End::Failed(failure)) => failure_value(failure),
                _ => Value::Null,
            },
        )
}

fn failure_value(failure: &Failure) -> Value {
    match failure {
        Failure::Error { code, message } => json!({ "code": code, "message": message }),
        Failure::Text(text) => Value::from(text.as_str()),
        Failure::Null => Value::Null,
    }
}

/// The undocumented `Value`: the progress of an archive, or of each part of a new team.
fn value(operation: &Operation, view: &View) -> Option<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Archive<'a> {
        status: u8,
        pre_archival_members_permission: u8,
        work_flow_id: &'a str,
    }
    #[derive(Serialize)]
    struct Creation<'a> {
        apps: Vec<Part<'a>>,
        channels: Vec<Part<'a>>,
        #[serde(rename = "WorkflowId")]
        workflow_id: &'a str,
    }
    match operation.kind {
        Kind::ArchiveTeam | Kind::UnarchiveTeam => Some(write(&Archive {
            status: u8::from(matches!(view.stage, Stage::Ended(End::Succeeded))),
            pre_archival_members_permission: 0,
            work_flow_id: &operation.workflow,
        })),
        Kind::CreateTeam => {
            let mut parts = parts(operation, view);
            let channels = parts.split_off(operation.parts.apps.len().min(parts.len()));
            Some(write(&Creation { apps: parts, channels, workflow_id: &operation.workflow }))
        }
        _ => None,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Part<'a> {
    #[serde(rename = "tabs", skip_serializing_if = "Option::is_none")]
    tabs: Option<[(); 0]>,
    index: usize,
    status: &'static str,
    update_timestamp: String,
    reference: &'a str,
}

/// The parts of a new team, apps first; the service knows of none before it has started.
fn parts<'a>(operation: &'a Operation, view: &View) -> Vec<Part<'a>> {
    if matches!(view.stage, Stage::Going(Phase::NotStarted)) {
        return Vec::new();
    }
    let (apps, channels) = (&operation.parts.apps, &operation.parts.channels);
    let total = apps.len() + channels.len();
    let (done, whole) = view.done;
    // The last part is done only when the operation has succeeded.
    let done = (total as u64).saturating_mul(done) / whole.max(1);
    let failed = matches!(view.stage, Stage::Ended(End::Failed(_) | End::Invalid));
    let part = |position: usize, index: usize, reference: &'a String, tabs| Part {
        tabs,
        index: index + 1,
        status: match (position as u64).cmp(&done) {
            std::cmp::Ordering::Less => "Succeeded",
            std::cmp::Ordering::Equal if failed => "Failed",
            std::cmp::Ordering::Equal => "InProgress",
            std::cmp::Ordering::Greater => "NotStarted",
        },
        update_timestamp: format!("{}+00:00", operation.created),
        reference,
    };
    let apps = apps.iter().enumerate().map(|(index, app)| part(index, index, app, None));
    let behind = apps.len();
    let channels = channels
        .iter()
        .enumerate()
        .map(|(index, name)| part(behind + index, index, name, Some([])));
    apps.chain(channels).collect()
}

/// A resource that was just created: what the service adds, and what was sent.
pub(super) fn created(address: &Address, sent: &Document) -> Document {
    let identity = address.identity();
    let parent = identity.strip_suffix(&address.key().to_lowercase()).unwrap_or_default();
    let collection = parent.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let at = format!("{}Z", ids::created(0, ids::hash(&identity)));
    let id = address.key();
    let name = sent.text("displayName");
    let new = Document::new().with("id", id).with("createdDateTime", &at);
    let mut document = match collection {
        "teams" => new
            .with("displayName", name.as_deref().unwrap_or(id))
            .with("description", sent.text("description"))
            .with("visibility", "private")
            .with("webUrl", format!("https://teams.microsoft.com/l/team/{}", encode(id))),
        "channels" => new
            .with("displayName", name.unwrap_or_default())
            .with("description", sent.text("description"))
            .with("email", "")
            .with("membershipType", "standard"),
        "chats" => new.with("topic", sent.text("topic")).with("chatType", "group"),
        "communities" => new
            .with("displayName", name.unwrap_or_default())
            .with("description", sent.text("description"))
            .with("privacy", "public")
            .with("groupId", id),
        "members" => return member(id, sent),
        "groups" => new
            .with("displayName", name.unwrap_or_default())
            .with("description", sent.text("description"))
            .with("groupTypes", ["Unified"])
            .with("visibility", "Public"),
        _ => Document::new().with("id", id),
    };
    document.merge(sent, |name| !name.contains("@odata.") && !NOT_READ_BACK.contains(&name));
    document
}

/// A member, named by the user that the request binds.
fn member(id: &str, sent: &Document) -> Document {
    let bound = sent.text("user@odata.bind");
    let user = bound.as_deref().and_then(super::path::bound).map(str::to_owned);
    Document::new()
        .with("@odata.type", "#microsoft.graph.aadUserConversationMember")
        .with("id", id)
        .with("roles", sent.get("roles").unwrap_or_else(|| json!([])))
        .with("displayName", user.as_deref().map(|user| format!("User {user}")))
        .with("userId", user.or_else(|| sent.text("userId")))
}

/// The group of a team, as far as the team's document determines it.
pub(super) fn group_of(team: &Document) -> Document {
    let mut group = Document::new();
    group.merge(team, |name| {
        ["id", "createdDateTime", "displayName", "description"].contains(&name)
    });
    group
        .with("groupTypes", ["Unified"])
        .with("mailEnabled", true)
        .with_some("mailNickname", team.text("mailNickname"))
        .with("resourceProvisioningOptions", ["Team"])
        .with("securityEnabled", false)
        .with_some("visibility", team.text("visibility"))
}

/// The context of a resource's document, below the service root.
pub(super) fn entity_context(identity: &str) -> String {
    let segments: Vec<&str> = identity.split('/').collect();
    match segments.as_slice() {
        ["teams", team, set, ..] => format!("teams('{}')/{set}/$entity", encode(team)),
        ["employeeexperience", ..] => "employeeExperience/communities/$entity".to_owned(),
        [set @ .., _] => format!("{}/$entity", set.join("/")),
        [] => "$entity".to_owned(),
    }
}

fn write(document: &impl Serialize) -> String {
    // Strings, numbers and lists of them always serialize.
    serde_json::to_string(document).unwrap_or_default()
}
